/* SPDX-License-Identifier: MIT */
/*
 * The events of the GHCB protocols, a file each or a few that belong together. ghcb.c and
 * msr_protocol.c have the tables that lead here.
 */
#ifndef SOCLE_MACHINE_HV_VMGEXIT_HANDLERS_H
#define SOCLE_MACHINE_HV_VMGEXIT_HANDLERS_H

#include "machine/hv/vmgexit/call.h"

/*
 * Exits of the GHCB page (NAE events, GHCB specification 4). nae_guest_request() drops the lock
 * while the host answers.
 */
void nae_ap_creation(struct ghcb_call *c);
void nae_apic_ids(struct ghcb_call *c);
void nae_configure_int_inj(struct ghcb_call *c);
void nae_cpuid(struct ghcb_call *c);
void nae_disable_alt_inj(struct ghcb_call *c);
void nae_doorbell(struct ghcb_call *c);
void nae_guest_request(struct ghcb_call *c);
void nae_ioio(struct ghcb_call *c);
void nae_ipi(struct ghcb_call *c);
void nae_jump_table(struct ghcb_call *c);
void nae_mmio(struct ghcb_call *c);
void nae_msr(struct ghcb_call *c);
void nae_nmi_complete(struct ghcb_call *c);
void nae_page_state(struct ghcb_call *c);
void nae_reset_hold(struct ghcb_call *c);
void nae_run_vmpl(struct ghcb_call *c);
void nae_specific_eoi(struct ghcb_call *c);
void nae_terminate(struct ghcb_call *c);
void nae_unsupported(struct ghcb_call *c);

/*
 * Requests of the MSR protocol (GHCB specification 2.3.1). Each returns what the GHCB MSR reads
 * afterwards.
 */
uint64_t ghcb_msr_cpuid(struct vcpu *v, uint64_t request);
uint64_t ghcb_msr_page_state(struct vcpu *v, uint64_t request);
uint64_t ghcb_msr_reset_hold(struct vcpu *v, uint64_t request);
uint64_t ghcb_msr_run_vmpl(struct vcpu *v, uint64_t request);
uint64_t ghcb_msr_terminate(struct vcpu *v, uint64_t request);

#define GHCB_MSR_FAILED (1ull << 32) /* in the answer to a page state change or to "run VMPL" */

/* Serves the request that is in the current plane's GHCB MSR. */
void ghcb_msr_protocol(struct vcpu *v, uint64_t request);

#endif
