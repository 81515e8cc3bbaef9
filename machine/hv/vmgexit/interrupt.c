/* SPDX-License-Identifier: MIT */
#include "machine/hv/vmgexit/handlers.h"

#include "machine/hv/event/alternate.h"
#include "machine/hv/event/local_apic.h"
#include "machine/hv/event/pins.h"
#include "machine/hv/memory/guest.h"

#define NO_PREFERENCE (~0ull)
#define VECTOR_FIRST 16u
#define VECTOR_LAST 255u
#define FIELD_MASK 0xffull
#define VMPL_FIELD (FIELD_MASK << GHCB_INT_INJ_VMPL_SHIFT)
#define TPR_FIELD (FIELD_MASK << GHCB_INT_INJ_TPR_SHIFT)

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

void nae_configure_int_inj(struct ghcb_call *c)
{
	if (c->p->vmpl != 0 || !plane_is_restricted(c->p) || c->info_1 < VECTOR_FIRST ||
	    c->info_1 > VECTOR_LAST) {
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
		return;
	}
	c->p->int_inj_vector = (uint8_t)c->info_1;
	alternate_tell(c->v);
}

/* The plane that a level asks for: a less privileged one of its vCPU, with alternate injection. */
static struct plane *alternate_plane(struct ghcb_call *c, uint64_t allowed)
{
	uint64_t vmpl = (c->info_1 & VMPL_FIELD) >> GHCB_INT_INJ_VMPL_SHIFT;

	if ((c->info_1 & ~(VMPL_FIELD | allowed)) || vmpl <= c->p->vmpl || vmpl >= SNP_VMPL_COUNT ||
	    c->v->planes[vmpl].state == PLANE_NONE || !c->v->planes[vmpl].alternate) {
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
		return NULL;
	}
	return &c->v->planes[vmpl];
}

/* Shadow and IF are for hosts that have to know when to inject. This one looks when it does. */
void nae_disable_alt_inj(struct ghcb_call *c)
{
	struct plane *p = alternate_plane(c, TPR_FIELD | GHCB_INT_INJ_SHADOW | GHCB_INT_INJ_IF);

	if (p)
		alternate_end(c->v, p, (c->info_1 & TPR_FIELD) >> GHCB_INT_INJ_TPR_SHIFT);
}

void nae_specific_eoi(struct ghcb_call *c)
{
	struct plane *p = alternate_plane(c, FIELD_MASK);

	if (!p)
		return;
	pins_end_level(c->v, p->vmpl, (uint8_t)(c->info_1 & FIELD_MASK));
	alternate_tell(c->v); /* another level-triggered one may have waited for its place */
}
