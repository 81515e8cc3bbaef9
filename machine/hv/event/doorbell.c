/* SPDX-License-Identifier: MIT */
#include "machine/hv/event/doorbell.h"

#include "machine/hv/memory/npt.h"

/* PendingEvent, the first 16 bits of the page: the vector, then the flags. */
#define EVENT_VECTOR_MASK 0xffu
#define EVENT_FLAGS_SHIFT 8
#define EVENT_NMI ((uint16_t)(GHCB_DOORBELL_FLAG_NMI << EVENT_FLAGS_SHIFT))
#define EVENT_NO_FURTHER_SIGNAL \
	((uint16_t)(GHCB_DOORBELL_FLAG_NO_FURTHER_SIGNAL << EVENT_FLAGS_SHIFT))

#define NO_PREFERENCE (~0ull)

static void doorbell_set(struct ghcb_call *c)
{
	if (c->info_2 % ABI_PAGE_SIZE != 0 ||
	    guest_ptr(c->info_2, ABI_PAGE_SIZE, GUEST_SHARED) == NULL) {
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
		return;
	}
	c->p->doorbell_gpa = c->info_2;
	c->result_2 = c->info_2;
}

void doorbell_exit(struct ghcb_call *c)
{
	if (!(c->p->sev_features & SNP_FEATURE_RESTRICTED_INJECTION)) {
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
		return;
	}
	switch (c->info_1) {
	case GHCB_DOORBELL_GET_PREFERRED:
		c->result_2 = NO_PREFERENCE;
		return;
	case GHCB_DOORBELL_SET:
		doorbell_set(c);
		return;
	case GHCB_DOORBELL_QUERY:
		c->result_2 = c->p->doorbell_gpa;
		return;
	case GHCB_DOORBELL_CLEAR:
		c->p->doorbell_gpa = 0;
		return;
	default:
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
	}
}

enum doorbell_result doorbell_post(struct plane *p, struct doorbell_event event, bool can_signal)
{
	uint16_t *pending = NULL;
	uint16_t old, new;

	if (p->doorbell_gpa != 0)
		pending = guest_ptr(p->doorbell_gpa, sizeof(*pending), GUEST_SHARED);
	if (pending == NULL)
		return DOORBELL_FULL;
	/* Another vCPU of the guest may write the page, so the word changes in one step. */
	old = __atomic_load_n(pending, __ATOMIC_RELAXED);
	do {
		if (event.vector >= 0 && (old & EVENT_VECTOR_MASK) != 0)
			return DOORBELL_FULL;
		if (!(old & EVENT_NO_FURTHER_SIGNAL) && !can_signal)
			return DOORBELL_FULL;
		new = old | (event.vector >= 0 ? (uint16_t)event.vector : 0) |
		      (event.nmi ? EVENT_NMI : 0) | EVENT_NO_FURTHER_SIGNAL;
	} while (!__atomic_compare_exchange_n(pending, &old, new, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	return old & EVENT_NO_FURTHER_SIGNAL ? DOORBELL_POSTED : DOORBELL_SIGNAL;
}
