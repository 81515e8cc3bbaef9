/* SPDX-License-Identifier: MIT */
/*
 * The clock that KVM offers to its guests (Linux, Documentation/virt/kvm/x86/msr.rst): the guest
 * names a shared place for each vCPU, the host says there how TSC and time belong together, and the
 * guest tells the time without an exit. On hardware, guests without Secure TSC have this one:
 * nothing else tells them the frequency of the TSC, for what they could measure it by exits at each
 * access.
 */
#ifndef SOCLE_MACHINE_HV_VMGEXIT_KVM_CLOCK_H
#define SOCLE_MACHINE_HV_VMGEXIT_KVM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/hv/plane/vcpu.h"

/* Whether it is one of the clock's MSRs, and the host has that clock. */
bool kvm_clock_has(uint32_t msr);

/*
 * Where the value of such an MSR is kept: that of the wall clock for the whole VM, the other for
 * each plane.
 */
uint64_t *kvm_clock_msr(struct plane *p, uint32_t msr);

/*
 * A write to such an MSR. The time is written once: the TSC is the same for all and never stops. As
 * with KVM, any value is taken, and a place gets nothing that is not shared RAM; nor does system
 * time that crosses a page.
 */
void kvm_clock_write(struct plane *p, uint32_t msr, uint64_t value);

#endif
