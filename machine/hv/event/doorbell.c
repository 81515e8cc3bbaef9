/* SPDX-License-Identifier: MIT */
#include "machine/hv/event/doorbell.h"

#include "machine/hv/memory/guest.h"

/* PendingEvent, the first 16 bits of the page: the vector, then the flags. */
#define EVENT_VECTOR_MASK 0xffu
#define EVENT_FLAGS_SHIFT 8
#define EVENT_NMI ((uint16_t)(GHCB_DOORBELL_FLAG_NMI << EVENT_FLAGS_SHIFT))
#define EVENT_NO_FURTHER_SIGNAL \
	((uint16_t)(GHCB_DOORBELL_FLAG_NO_FURTHER_SIGNAL << EVENT_FLAGS_SHIFT))

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
