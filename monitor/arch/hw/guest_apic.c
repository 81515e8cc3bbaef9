/* SPDX-License-Identifier: MIT */
/* What the guest's APIC (monitor/apic) needs of the host. */
#include "monitor/arch/arch.h"
#include "monitor/cpu/cpu.h"
#include "monitor/ghcb/ghcb.h"

/*
 * Events of VMPL0 that mean nothing but that it has to look: of its guest's, and of another vCPU.
 */
#define LOOK_VECTOR 0x41u
#define ICR_DESTINATION_SHIFT 32
#define GUEST_EVENTS (1u << (guest_vmpl() - 1))

bool arch_guest_interrupts_init(void)
{
	return ghcb_configure_int_inj(LOOK_VECTOR);
}

struct ghcb_doorbell_vmpl *arch_guest_descriptor(void)
{
	struct cpu *cpu = cpu_this();

	return cpu->doorbell_set ? &cpu->doorbell->vmpl[guest_vmpl() - 1] : NULL;
}

struct ghcb_doorbell_vmpl *arch_guest_interrupts(void)
{
	struct cpu *cpu = cpu_this();

	if (!cpu->doorbell_set)
		return NULL;
	/* It is the only level that has a descriptor in use: other bits are the host's nonsense. */
	if (!(__atomic_exchange_n(&cpu->doorbell->per_vmpl_events, 0, __ATOMIC_ACQ_REL) &
	      GUEST_EVENTS))
		return NULL;
	return arch_guest_descriptor();
}

void arch_kick(unsigned int cpu)
{
	(void)ghcb_send_ipi((uint64_t)cpu << ICR_DESTINATION_SHIFT | LOOK_VECTOR);
}

void arch_specific_eoi(uint8_t vector)
{
	(void)ghcb_specific_eoi(guest_vmpl(), vector);
}

void arch_alternate_end(uint8_t tpr, bool shadow, bool interrupts)
{
	(void)ghcb_disable_alt_inj(guest_vmpl(), tpr, shadow, interrupts);
}
