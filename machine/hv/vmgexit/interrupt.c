/* SPDX-License-Identifier: MIT */
#include "machine/hv/vmgexit/handlers.h"

#include "machine/hv/event/local_apic.h"
#include "machine/hv/memory/guest.h"

#define NO_PREFERENCE (~0ull)

void nae_ipi(struct ghcb_call *c)
{
	struct apic_effects effects = { 0 };

	apic_send_ipi(local_apic(c->p), c->info_1, &effects);
	local_apic_effects(c->v, c->p, &effects);
}

void nae_nmi_complete(struct ghcb_call *c)
{
	c->p->nmi_blocked = false;
}

static void set_doorbell(struct ghcb_call *c)
{
	if (c->info_2 % ABI_PAGE_SIZE != 0 ||
	    guest_ptr(c->info_2, ABI_PAGE_SIZE, GUEST_SHARED) == NULL) {
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
		return;
	}
	c->p->doorbell_gpa = c->info_2;
	c->result_2 = c->info_2;
}

void nae_doorbell(struct ghcb_call *c)
{
	if (!plane_is_restricted(c->p)) {
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
		return;
	}
	switch (c->info_1) {
	case GHCB_DOORBELL_GET_PREFERRED:
		c->result_2 = NO_PREFERENCE;
		return;
	case GHCB_DOORBELL_SET:
		set_doorbell(c);
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
