/* SPDX-License-Identifier: MIT */
#include "machine/hv/vmgexit/handlers.h"

#include "machine/hv/base/fault_plan.h"
#include "machine/hv/event/local_apic.h"
#include "machine/hv/memory/guest.h"

#define REQUEST_MASK 0xffffull
#define VMPL_SHIFT 16
#define VMPL_MASK 0xfull
#define RESERVED_MASK 0xfff00000ull
#define APIC_ID_SHIFT 32

/* Until SIPI ends it. */
static void hold(struct vcpu *v)
{
	vcpu_plane(v)->reset_hold = true;
	vcpu_plane(v)->state = PLANE_HALTED;
}

void nae_reset_hold(struct ghcb_call *c)
{
	c->result_2 = 1; /* seen when SIPI has ended the hold */
	hold(c->v);
}

uint64_t ghcb_msr_reset_hold(struct vcpu *v, uint64_t request)
{
	(void)request;
	hold(v);
	return GHCB_MSR_AP_RESET_HOLD_RESP | 1ull << 12;
}

/*
 * The jump table is for SEV-ES, where INIT-SIPI has to find a start address; with SNP the address
 * is in the secrets page, and AP creation needs none. Set is accepted, get says that there is none.
 */
void nae_jump_table(struct ghcb_call *c)
{
	if (c->info_1 > 1)
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
}

static bool ap_create(struct ghcb_call *c, uint32_t apic_id, unsigned int vmpl, bool on_init)
{
	struct vcpu *v;

	if (c->info_2 % ABI_PAGE_SIZE != 0)
		return false;
	if (!vcpu_set_vmsa(apic_id, vmpl, c->info_2, c->rax, on_init))
		return false;
	v = vcpu_by_apic_id(apic_id);
	local_apic_start(v, &v->planes[vmpl]);
	return true;
}

/* A level may start vCPUs at its own level and at less privileged ones. */
void nae_ap_creation(struct ghcb_call *c)
{
	uint32_t apic_id = (uint32_t)(c->info_1 >> APIC_ID_SHIFT);
	unsigned int vmpl = c->info_1 >> VMPL_SHIFT & VMPL_MASK;
	bool done = false;

	if (c->p->vmpl == 0 && fault_strikes(MAILBOX_FAULT_REFUSE_AP_CREATION)) {
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
		return;
	}
	/* SEV_FEATURES, for all but the end of a vCPU. */
	if ((c->info_1 & REQUEST_MASK) != GHCB_AP_DESTROY && !(c->fields & GHCB_FIELD_RAX)) {
		ghcb_error(c, GHCB_ERROR_MISSING_INPUT);
		return;
	}
	if (!(c->info_1 & RESERVED_MASK) && vmpl < SNP_VMPL_COUNT && vmpl >= c->p->vmpl &&
	    (vmpl == 0 || ghcb_host_has(GHCB_HV_FEATURE_MULTI_VMPL))) {
		switch (c->info_1 & REQUEST_MASK) {
		case GHCB_AP_CREATE_ON_INIT:
			done = ap_create(c, apic_id, vmpl, true);
			break;
		case GHCB_AP_CREATE:
			done = ap_create(c, apic_id, vmpl, false);
			break;
		case GHCB_AP_DESTROY:
			done = vcpu_clear_vmsa(apic_id, vmpl);
			break;
		default:
			break;
		}
	}
	if (!done)
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
}

/* The list: a count, then that many ids, all 32 bits wide. It fits one page. */
void nae_apic_ids(struct ghcb_call *c)
{
	uint32_t list[1 + MACHINE_CPUS_MAX];
	bool room = c->rax >= 1;

	c->rax = 1;
	c->output = GHCB_FIELD_RAX;
	if (!room)
		return;
	list[0] = cpu_count();
	for (uint32_t i = 0; i < list[0]; i++)
		list[1 + i] = i;
	if (c->info_1 % ABI_PAGE_SIZE != 0 ||
	    !guest_write_shared(c->info_1, list, (1 + list[0]) * sizeof(list[0])))
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
}
