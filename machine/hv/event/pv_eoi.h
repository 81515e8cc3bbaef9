/* SPDX-License-Identifier: MIT */
/*
 * The end of an interrupt as KVM takes it from memory (Linux, Documentation/virt/kvm/x86/msr.rst,
 * MSR_KVM_PV_EOI_EN): the guest names a shared byte for each vCPU. Where the host leaves a one
 * there, the guest ends the interrupt by clearing it, without an exit, and the host sees that at
 * the next one.
 *
 * Only for hosts that keep the two sides of a page in two places. Linux ends interrupts so before
 * it has cleared the byte: it was copied when the page became shared, but an SVSM clears a page
 * that is validated on the way (snp_memcpy() in Linux), and then, where both sides are one memory,
 * noise is in the byte, and the first EOI of a CPU may be lost.
 */
#ifndef SOCLE_MACHINE_HV_EVENT_PV_EOI_H
#define SOCLE_MACHINE_HV_EVENT_PV_EOI_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/hv/plane/vcpu.h"

#define PV_EOI_MSR 0x4b564d04u

/*
 * A write to that MSR of the plane's. False: #GP, as KVM raises it for an address that is not a
 * multiple of 4, and for an enabled one without RAM. That the byte is not shared is no error: it is
 * then not used.
 */
bool pv_eoi_write(struct plane *p, uint64_t value);

/*
 * Before VMRUN, with all that can be injected injected: the guest may end its interrupt so, if that
 * needs no exit. Another one that waits for the end can come when IF is set again, and not before:
 * there the guest leaves, and the end is seen. KVM has it leave at the end instead, which is a #VC
 * and a VMGEXIT.
 */
void pv_eoi_offer(struct plane *p);

/*
 * After #VMEXIT, before anything looks at the plane's APIC: the end, if it was given; the offer is
 * over.
 */
void pv_eoi_take(struct plane *p);

#endif
