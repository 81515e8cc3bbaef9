/* SPDX-License-Identifier: MIT */
/*
 * The APICs of all of the guest's vCPUs, for an image whose guest knows the APIC protocol (58019,
 * protocol 3; APM volume 2, 15.36.16). The run loop calls guest_apic_withdraw() when a VMSA has
 * stopped and guest_apic_present() before it runs again. In between nothing is handed to the CPU,
 * so that IRR and ISR are what they seem. Handed over is an interrupt as V_IRQ, which the CPU takes
 * when IF, interrupt shadow and V_TPR let it, and an NMI as V_NMI, which it takes when no other one
 * is being handled; EVENTINJ is for what an exit has cut.
 *
 * How an IPI reaches a vCPU whose guest runs or has halted: it stands in the target's IRR, under
 * the target's lock, before the host is asked to interrupt the target's VMPL0. That one leaves for
 * the guest only by wait_vmgexit(), which does not leave while an event is pending, and has looked
 * at IRR after it took the events before that. So the interrupt is in the VMSA when that is
 * entered, or VMPL0 is called back.
 *
 * The lock of each APIC has LOCK_RANK_APIC; no two are held at once, and none across an exit.
 */
#ifndef SOCLE_MONITOR_APIC_GUEST_H
#define SOCLE_MONITOR_APIC_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/apic/apic.h"
#include "monitor/vcpu/registry.h"

/*
 * Once, before the guest runs. Without it there is no APIC of Socle's, and all below does nothing.
 */
void guest_apic_init(uint32_t cpu_count);

/* Whether that was done. */
bool guest_apic_wanted(void);

/* The vCPU gets a new VMSA: its APIC starts. */
void guest_apic_start(unsigned int cpu);

/* Whether Socle is the APIC of that vCPU. */
bool guest_apic_emulated(unsigned int cpu);

/*
 * The vCPU has stopped, by the proof of run/serve.h, and is this CPU's: what it was handed and did
 * not take is waiting again, and what it and the host have done since is known. False: its VMSA is
 * gone.
 */
bool guest_apic_withdraw(unsigned int cpu, const struct registry_vcpu *vcpu);

/* It runs again: hands it what it can take. False: its VMSA is gone. */
bool guest_apic_present(unsigned int cpu, const struct registry_vcpu *vcpu);

/*
 * Registers of this CPU's own APIC, by the rules of apic_read() and apic_write(); sends what is
 * sent. What is for a vCPU whose APIC the host has by now cannot be sent, for the host lets VMPL0
 * interrupt VMPL0s alone; all others of its destinations have it.
 */
enum guest_apic_result { GUEST_APIC_DONE, GUEST_APIC_REFUSED, GUEST_APIC_GIVEN };
bool guest_apic_read(unsigned int cpu, uint64_t reg, uint64_t *value);
enum guest_apic_result guest_apic_write(unsigned int cpu, uint64_t reg, uint64_t value);
bool guest_apic_configure_vector(unsigned int cpu, uint64_t rcx);

/*
 * Registrations, which start at one. With none left each vCPU's APIC goes to the host at the next
 * of these calls from it, with IRR, ISR and NMI; guest_apic_register() is false then, and changes
 * nothing.
 */
bool guest_apic_register(void);
void guest_apic_deregister(void);

/* Hands this CPU's APIC to the host if none is registered. False: its VMSA is gone. */
bool guest_apic_settle(unsigned int cpu, gpa_t vmsa);

#endif
