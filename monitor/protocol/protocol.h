/* SPDX-License-Identifier: MIT */
/*
 * The calls that a guest makes (58019). The run loop takes a call from the guest's VMSA into a
 * struct svsm_call, dispatches it, and puts the registers back. Nothing that a guest can put into
 * a register, its calling area or its memory does more than give it a result code.
 */
#ifndef SOCLE_MONITOR_PROTOCOL_PROTOCOL_H
#define SOCLE_MONITOR_PROTOCOL_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/svsm.h"
#include "monitor/base/addr.h"

/* Who calls: filled by the run loop from registry_enter(), never from what the guest says. */
struct svsm_caller {
	unsigned int cpu; /* its vCPU index, which is its APIC id */
	unsigned int vmpl;
	gpa_t vmsa;
	gpa_t caa;
};

struct svsm_call {
	uint64_t rax, rcx, rdx, r8, r9; /* in and out; rax becomes the result */
	struct svsm_caller caller;
	bool caller_deleted; /* out: the caller's VMSA is gone, and nobody is to be answered */
};

/*
 * Decodes a call into plain values and commits it. Writes its outputs to the call's registers but
 * for rax, which the dispatcher sets to the return value.
 */
typedef uint32_t (*svsm_handler)(struct svsm_call *call);

/* One row of the one table of calls. */
struct svsm_table_entry {
	uint32_t protocol;
	uint32_t call;
	uint32_t since; /* the protocol version that introduced the call */
	svsm_handler handler;
};

/*
 * Serves one call. pending is what the run loop found in the calling area when it exchanged
 * call_pending with 0; it is not 0. Takes locks, so the caller holds none.
 */
void svsm_dispatch(struct svsm_call *call, uint8_t pending);

/* Whether RAX names a call of the table, be it for each level of the guest to make or not. */
bool svsm_call_exists(uint64_t rax);

/*
 * Versions of a protocol that the table offers to that level right now: false when it is not
 * offered, or its service is not there.
 */
bool svsm_protocol_versions(unsigned int vmpl, uint32_t protocol, uint32_t *min, uint32_t *max);

/* Once, during the start: what vTPM commands leave in the monitor's memory is die()'s to wipe. */
void svsm_vtpm_init(void);

/* The handlers of the table, by file. */
uint32_t svsm_core_remap_ca(struct svsm_call *call);
uint32_t svsm_core_pvalidate(struct svsm_call *call);
uint32_t svsm_core_create_vcpu(struct svsm_call *call);
uint32_t svsm_core_delete_vcpu(struct svsm_call *call);
uint32_t svsm_core_deposit_mem(struct svsm_call *call);
uint32_t svsm_core_withdraw_mem(struct svsm_call *call);
uint32_t svsm_core_query_protocol(struct svsm_call *call);
uint32_t svsm_core_configure_vtom(struct svsm_call *call);
uint32_t svsm_apic_query_features(struct svsm_call *call);
uint32_t svsm_apic_configure(struct svsm_call *call);
uint32_t svsm_apic_read_register(struct svsm_call *call);
uint32_t svsm_apic_write_register(struct svsm_call *call);
uint32_t svsm_apic_configure_vector(struct svsm_call *call);
uint32_t svsm_attest_services(struct svsm_call *call);
uint32_t svsm_attest_single_service(struct svsm_call *call);
uint32_t svsm_attest_single_service_ex(struct svsm_call *call);
uint32_t svsm_vtpm_query(struct svsm_call *call);
uint32_t svsm_vtpm_cmd(struct svsm_call *call);

/*
 * A vCPU was deleted: the key that it had begun to have made and left unfinished is given up. vmsa
 * is the page that was its VMSA. The caller holds no lock.
 */
void svsm_attest_forget_vcpu(gpa_t vmsa);

/*
 * A slice of what it takes until keys can be made for attestation, before anybody has asked for
 * one. True: there is more to be done, later. False: there is not, or somebody has asked, whose
 * call does it. Waits for nobody who uses a service. The caller holds no lock.
 */
bool svsm_attest_prepare(void);

#endif
