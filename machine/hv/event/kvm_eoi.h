/* SPDX-License-Identifier: MIT */
/*
 * The end of an interrupt without an exit, as KVM offers it (Linux, Documentation/virt/kvm/x86/msr.rst,
 * MSR_KVM_EOI_EN): a guest names a shared word for each vCPU. Before it runs, the host sets bit 0 there where an EOI
 * would have no effect but on the interrupt in service; a guest that finds it set clears it, and that was
 * the EOI. It counts from the next exit on, and so does whatever could depend on it.
 */
#ifndef SOCLE_MACHINE_HV_EVENT_KVM_EOI_H
#define SOCLE_MACHINE_HV_EVENT_KVM_EOI_H

#include "machine/hv/event/local_apic.h"

#define KVM_MSR_EOI 0x4b564d04u

/* A write of the MSR: bit 0 enables, the others are the address of the word. */
void kvm_eoi_write(struct plane *p, uint64_t value);

/* Sets the bit, or not. After everything that is injected, before the guest runs. */
void kvm_eoi_offer(struct plane *p);

/* After each exit: takes the bit back, or the EOI. */
void kvm_eoi_take(struct vcpu *v);

#endif
