/* SPDX-License-Identifier: MIT */
#include "machine/hv/event/alternate.h"

#include "machine/hv/base/fault_plan.h"
#include "machine/hv/event/local_apic.h"
#include "machine/hv/event/pins.h"
#include "machine/hv/memory/guest.h"
#include "machine/hv/plane/vmsa.h"

#define VECTOR_31 31u
#define VECTORS 256u

static bool has(const uint32_t *map, unsigned int vector)
{
	return map[vector / 32] >> vector % 32 & 1;
}

static struct ghcb_doorbell *doorbell_of(const struct vcpu *v)
{
	uint64_t gpa = v->planes[0].doorbell_gpa;

	return gpa ? guest_ptr(gpa, ABI_PAGE_SIZE, GUEST_SHARED) : NULL;
}

/* In the descriptor's IRR, which is read only once MULTIPLE says so. */
static void irr_set(struct ghcb_doorbell_vmpl *d, unsigned int vector)
{
	__atomic_fetch_or(&d->irr[vector / 32 - 1], 1u << vector % 32, __ATOMIC_SEQ_CST);
}

/* False: it was not there any more, so somebody has taken it. */
static bool irr_take_back(struct ghcb_doorbell_vmpl *d, unsigned int vector)
{
	uint32_t bit = 1u << vector % 32;

	return __atomic_fetch_and(&d->irr[vector / 32 - 1], ~bit, __ATOMIC_SEQ_CST) & bit;
}

static bool change(struct ghcb_doorbell_vmpl *d, uint32_t *old, uint32_t new)
{
	return __atomic_compare_exchange_n(&d->status, old, new, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

/* Adds edge-triggered vectors to those of IRR: one, or two where one stood alone. False: again. */
static bool add_to_many(struct ghcb_doorbell_vmpl *d, uint32_t *old, uint32_t new,
			unsigned int vector)
{
	if (vector == VECTOR_31)
		return change(d, old, new | GHCB_DOORBELL_VMPL_VECTOR_31);
	irr_set(d, vector);
	return change(d, old, new) || !irr_take_back(d, vector);
}

/* The one that stands alone in the status moves to the others. False: again. */
static bool move_alone(struct ghcb_doorbell_vmpl *d, uint32_t *old)
{
	unsigned int vector = *old & GHCB_DOORBELL_VMPL_VECTOR;
	uint32_t new = (*old & ~GHCB_DOORBELL_VMPL_VECTOR) | GHCB_DOORBELL_VMPL_MULTIPLE;

	if (!add_to_many(d, old, new, vector))
		return false;
	*old = new;
	return true;
}

/* False: a level-triggered one stands in its place. */
static bool post(struct ghcb_doorbell_vmpl *d, unsigned int vector, bool level)
{
	uint32_t old = __atomic_load_n(&d->status, __ATOMIC_SEQ_CST);

	for (;;) {
		bool level_there = old & GHCB_DOORBELL_VMPL_LEVEL;
		bool many = old & GHCB_DOORBELL_VMPL_MULTIPLE;
		unsigned int there = old & GHCB_DOORBELL_VMPL_VECTOR;

		if (level && level_there)
			return false;
		if (!level && !level_there && !many && there == vector)
			return true;
		if (there != 0 && !level_there && !many) {
			(void)move_alone(d, &old);
		} else if (level) {
			if (change(d, &old,
				   (old & ~GHCB_DOORBELL_VMPL_VECTOR) | vector |
					   GHCB_DOORBELL_VMPL_LEVEL))
				return true;
		} else if (!many && !level_there) {
			if (change(d, &old, old | vector))
				return true;
		} else if (add_to_many(d, &old, old | GHCB_DOORBELL_VMPL_MULTIPLE, vector)) {
			return true;
		}
	}
}

/* Whether something new stands in the descriptor. */
static bool tell_plane(struct plane *p, struct ghcb_doorbell_vmpl *d)
{
	struct apic *a = &p->apic->apic;
	bool told = a->nmi_pending;

	if (a->nmi_pending)
		__atomic_fetch_or(&d->status, GHCB_DOORBELL_VMPL_NMI, __ATOMIC_SEQ_CST);
	a->nmi_pending = false;
	a->irr[0] &= 1u << VECTOR_31; /* the descriptor has no place for the others */
	for (unsigned int vector = VECTORS - 1; vector >= VECTOR_31; vector--) {
		if (!has(a->irr, vector) || !post(d, vector, has(a->tmr, vector)))
			continue;
		a->irr[vector / 32] &= ~(1u << vector % 32);
		told = true;
	}
	return told;
}

static bool any_alternate(const struct vcpu *v)
{
	for (unsigned int vmpl = 1; vmpl < SNP_VMPL_COUNT; vmpl++) {
		if (v->planes[vmpl].alternate)
			return true;
	}
	return false;
}

/* Of all levels with it. */
static void tell(struct vcpu *v)
{
	struct ghcb_doorbell *page = NULL;
	struct plane *first = &v->planes[0];
	bool told = false;

	for (unsigned int vmpl = 1; vmpl < SNP_VMPL_COUNT; vmpl++) {
		struct plane *p = &v->planes[vmpl];

		if (!p->alternate || p->apic == NULL)
			continue;
		if (page == NULL)
			page = doorbell_of(v);
		if (page == NULL || !tell_plane(p, &page->vmpl[vmpl - 1]))
			continue;
		__atomic_fetch_or(&page->per_vmpl_events, (uint8_t)(1u << (vmpl - 1)),
				  __ATOMIC_SEQ_CST);
		told = true;
	}
	if (told && first->int_inj_vector != 0)
		apic_accept(&first->apic->apic, first->int_inj_vector, false);
}

/* Before each run, and few guests have it. */
void alternate_tell(struct vcpu *v)
{
	if (any_alternate(v))
		tell(v);
}

int alternate_vector(const struct plane *p)
{
	uint32_t priority = (p->vintr & SNP_VINTR_PRIORITY_MASK) >> SNP_VINTR_PRIORITY_SHIFT;

	if ((p->vintr & (SNP_VINTR_IRQ | SNP_VINTR_GIF)) != (SNP_VINTR_IRQ | SNP_VINTR_GIF))
		return -1;
	if (!(p->vintr & SNP_VINTR_IGNORE_TPR) &&
	    priority <= (p->vmcb->int_control & VMCB_INT_V_TPR_MASK))
		return -1;
	return (int)((p->vintr & SNP_VINTR_VECTOR_MASK) >> SNP_VINTR_VECTOR_SHIFT);
}

/* What the descriptor holds becomes the APIC's; both had nothing of the other. */
static void take_over(struct plane *p, struct ghcb_doorbell_vmpl *d)
{
	uint32_t status = __atomic_exchange_n(&d->status, 0, __ATOMIC_SEQ_CST);
	unsigned int vector = status & GHCB_DOORBELL_VMPL_VECTOR;
	struct apic *a = &p->apic->apic;

	a->nmi_pending |= (status & GHCB_DOORBELL_VMPL_NMI) != 0;
	if (vector &&
	    ((status & GHCB_DOORBELL_VMPL_LEVEL) || !(status & GHCB_DOORBELL_VMPL_MULTIPLE)))
		apic_accept(a, (uint8_t)vector, status & GHCB_DOORBELL_VMPL_LEVEL);
	if (status & GHCB_DOORBELL_VMPL_VECTOR_31)
		apic_accept(a, VECTOR_31, false);
	for (unsigned int word = 0; word < 8; word++) {
		if (word > 0)
			a->irr[word] |= __atomic_exchange_n(&d->irr[word - 1], 0, __ATOMIC_SEQ_CST);
		a->isr[word] |= __atomic_exchange_n(&d->isr[word], 0, __ATOMIC_SEQ_CST);
	}
	for (unsigned int i = VECTOR_31; i < VECTORS; i++)
		if (has(a->isr, i) && pins_in_service(p->vmpl, (uint8_t)i))
			a->tmr[i / 32] |= 1u << i % 32;
}

void alternate_end(struct vcpu *v, struct plane *p, uint8_t tpr)
{
	struct ghcb_doorbell *page = doorbell_of(v);

	p->alternate = false;
	p->apic->apic.tpr = tpr;
	p->apic->v_tpr = tpr >> 4;
	if (page != NULL)
		take_over(p, &page->vmpl[p->vmpl - 1]);
}

bool alternate_cut(struct vcpu *v)
{
	struct plane *p = vcpu_plane(v), *first = &v->planes[0];

	if (v->current == 0 || !plane_is_alternate(p) || !(p->vmcb->event_inj & SVM_EVENT_VALID))
		return false;
	if (first->state != PLANE_WAITING || vmsa_refusal(first).what ||
	    !fault_strikes(MAILBOX_FAULT_CUT_DELIVERY))
		return false;
	p->state = PLANE_WAITING;
	first->state = PLANE_READY;
	p->last_exit = SVM_EXIT_NPF;
	vcpu_make_current(v, 0);
	return true;
}
