/* SPDX-License-Identifier: MIT */
/*
 * Interrupts. The physical local APICs and the IOAPIC belong to the hypervisor; a guest sees an
 * emulated local APIC for each plane (apic.h) and a proxy of the IOAPIC. Device interrupts go to
 * the plane whose VMPL programmed the IOAPIC entry, or to the least privileged plane that has a
 * VMSA when they come by message.
 *
 * A plane without restricted injection gets interrupts by EVENTINJ when it can take them; one with
 * it (SEV_FEATURES bit 3) gets nothing but #HV, after the event was written to its doorbell page
 * (GHCB specification, "#HV doorbell page").
 */
#ifndef SOCLE_MACHINE_HV_EVENT_IRQ_H
#define SOCLE_MACHINE_HV_EVENT_IRQ_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/hv/event/apic.h"
#include "machine/hv/plane/vcpu.h"

/* Physical vectors of the hypervisor. Any other is a message-signalled interrupt of a device. */
#define IRQ_VECTOR_PIN_BASE 0xe4u /* IOAPIC pin n is vector IRQ_VECTOR_PIN_BASE + n */
#define IRQ_VECTOR_TIMER 0xfeu
#define IRQ_VECTOR_SPURIOUS 0xffu

/*
 * On the boot CPU: sets up its physical local APIC, which it measures the clocks by, and the
 * IOAPIC, all pins masked.
 */
void irq_init(void);

/*
 * On each CPU that runs a vCPU, once, after irq_init() and vcpu_init_all(): its physical local APIC
 * and the emulated ones of the vCPU.
 */
void irq_init_cpu(struct vcpu *v);

/* Takes and routes the physical interrupts of this CPU. After an INTR exit and after idling. */
void irq_host_interrupt(struct vcpu *v);

/* Prepares injection into the current plane. Just before VMRUN; a valid EVENTINJ is left alone. */
void irq_before_run(struct vcpu *v);

/* True when plane p of v has an event that ends HLT or AP reset hold. */
bool irq_pending(struct vcpu *v, struct plane *p);

/* Microseconds as ticks of clock_now(). */
uint64_t irq_clocks(uint64_t us);

/* A plane got a VMSA by AP creation: its APIC starts anew. */
void irq_plane_reset(struct vcpu *v, struct plane *p);

/* The plane is in AP reset hold: interrupts do not wake it, SIPI does. */
void irq_plane_hold(struct plane *p);

/* Whether it is. */
bool irq_plane_in_hold(const struct plane *p);

/* The emulated local APIC of a plane, in its local terms of time (apic.h). */
struct apic *irq_apic(struct plane *p);

/* The guest said that its NMI handler is done (NAE 0x80000003). */
void irq_nmi_complete(struct vcpu *v);

/* Acts on what an APIC register write asked for: IPIs, EOI of level interrupts, timers. */
void irq_apic_effects(struct vcpu *v, struct plane *p, const struct apic_effects *e);

/* MMIO of the IOAPIC page: index at 0x00, data at 0x10, EOI at 0x40. 32-bit accesses only. */
uint32_t irq_ioapic_read(struct vcpu *v, uint32_t offset);
void irq_ioapic_write(struct vcpu *v, uint32_t offset, uint32_t value);

#endif
