/* SPDX-License-Identifier: MIT */
#include "monitor/apic/host.h"

#define VECTOR_31 31u
#define VECTORS_OF_WORD 32u

static uint32_t take(uint32_t *field)
{
	return __atomic_exchange_n(field, 0, __ATOMIC_ACQ_REL);
}

static void add(uint32_t *field, uint32_t bits)
{
	__atomic_fetch_or(field, bits, __ATOMIC_ACQ_REL);
}

static void collect_word(struct apic *a, unsigned int word, uint32_t bits)
{
	for (; bits != 0; bits &= bits - 1)
		apic_host_interrupt(
			a, (uint8_t)(VECTORS_OF_WORD * word + (unsigned int)__builtin_ctz(bits)),
			false);
}

void apic_host_collect(struct apic *a, struct ghcb_doorbell_vmpl *d)
{
	/*
	 * From here on a new one goes to the status again, and sets MULTIPLE again when it does
	 * not.
	 */
	uint32_t status = take(&d->status);
	uint8_t vector = status & GHCB_DOORBELL_VMPL_VECTOR;

	/* With several, the vector is among them, unless it is level-sensitive. */
	if ((status & GHCB_DOORBELL_VMPL_LEVEL) || !(status & GHCB_DOORBELL_VMPL_MULTIPLE))
		apic_host_interrupt(a, vector, status & GHCB_DOORBELL_VMPL_LEVEL);
	if (!(status & GHCB_DOORBELL_VMPL_MULTIPLE))
		return;
	if (status & GHCB_DOORBELL_VMPL_VECTOR_31)
		apic_host_interrupt(a, VECTOR_31, false);
	for (unsigned int word = 1; word < APIC_WORDS; word++)
		collect_word(a, word, take(&d->irr[word - 1]));
}

void apic_host_hand_over(const struct apic *a, struct ghcb_doorbell_vmpl *d)
{
	uint32_t status = GHCB_DOORBELL_VMPL_MULTIPLE;
	uint32_t old = __atomic_load_n(&d->status, __ATOMIC_ACQUIRE);
	uint8_t vector = old & GHCB_DOORBELL_VMPL_VECTOR;

	if (a->nmi)
		status |= GHCB_DOORBELL_VMPL_NMI;
	if (a->irr[0] >> VECTOR_31 & 1)
		status |= GHCB_DOORBELL_VMPL_VECTOR_31;
	/* One that stands alone moves to the others, as the host would have it move. */
	if (!(old & (GHCB_DOORBELL_VMPL_LEVEL | GHCB_DOORBELL_VMPL_MULTIPLE))) {
		if (vector == VECTOR_31)
			status |= GHCB_DOORBELL_VMPL_VECTOR_31;
		else if (vector > VECTOR_31)
			add(&d->irr[vector / VECTORS_OF_WORD - 1], 1u << vector % VECTORS_OF_WORD);
	}
	for (unsigned int word = 1; word < APIC_WORDS; word++)
		add(&d->irr[word - 1], a->irr[word]);
	for (unsigned int word = 0; word < APIC_WORDS; word++)
		__atomic_store_n(&d->isr[word], a->isr[word], __ATOMIC_RELAXED);
	add(&d->status, status);
}
