/* SPDX-License-Identifier: MIT */
#include "machine/hv/event/kvm_eoi.h"

#include "machine/hv/base/x86.h"
#include "machine/hv/memory/guest.h"

#define ENABLED 1ull
#define WORD_ALIGNMENT 4u
#define NO_EOI_NEEDED 1u

/* NULL: the page is not shared, and there is no such word. */
static uint32_t *word_of(const struct plane *p)
{
	uint64_t gpa = p->kvm_eoi & ~(uint64_t)(WORD_ALIGNMENT - 1) & ~HV_C_BIT;

	return guest_ptr(gpa, sizeof(uint32_t), GUEST_SHARED);
}

void kvm_eoi_write(struct plane *p, uint64_t value)
{
	/* The old word has nothing to say: the exit of this write has taken its bit back. */
	p->kvm_eoi = value;
}

void kvm_eoi_offer(struct plane *p)
{
	uint32_t *word;

	if (!(p->kvm_eoi & ENABLED) || !apic_eoi_is_quiet(&p->apic->apic))
		return;
	word = word_of(p);
	if (!word)
		return;
	__atomic_fetch_or(word, NO_EOI_NEEDED, __ATOMIC_RELAXED);
	p->apic->eoi_offered = true;
}

void kvm_eoi_take(struct vcpu *v)
{
	struct plane *p = vcpu_plane(v);
	struct apic_effects effects = { 0 };
	uint32_t *word;

	if (!p->apic->eoi_offered)
		return;
	p->apic->eoi_offered = false;
	word = word_of(p);
	if (!word || (__atomic_fetch_and(word, ~NO_EOI_NEEDED, __ATOMIC_RELAXED) & NO_EOI_NEEDED))
		return;
	/* It was quiet when it was offered, and no interrupt has become one in service since. */
	apic_write(&p->apic->apic, APIC_REG_EOI, 0, clock_now(), &effects);
}
