/* SPDX-License-Identifier: MIT */
#include "machine/hv/run/run.h"

#include "machine/hv/base/x86.h"
#include "machine/hv/event/vc.h"
#include "machine/hv/insn/handlers.h"
#include "machine/hv/memory/npt.h"
#include "machine/hv/memory/page_state.h"
#include "machine/hv/plane/walk.h"

/*
 * Opens a page for what the RMP permits and its use does not. When its use does, another vCPU has
 * changed the page meanwhile. False: the vCPU has to try again.
 */
static bool open_page(const struct vcpu *v, uint64_t gpa, uint64_t error)
{
	static struct code_history history;
	struct code_fault fault = {
		.vcpu = v->id,
		.page = guest_page(gpa),
		.rip = v->planes[v->current].vmcb->rip,
		.fetch = error & VMCB_NPF_FETCH,
		.now = clock_now(),
	};
	enum code_use use;
	uint64_t page;

	while (code_close(&history, fault.now, &page))
		npt_set_use(page << ABI_PAGE_SHIFT, CODE_EXECUTED);
	use = npt_use(gpa);
	if ((error & (VMCB_NPF_FETCH | VMCB_NPF_WRITE)) && !code_decide(&history, &fault, &use))
		return false;
	if (use != npt_use(gpa))
		npt_set_use(gpa, use);
	else
		npt_sync(gpa, 1);
	return true;
}

static _Noreturn void violation(struct vcpu *v, const char *what)
{
	const struct vmcb *c = vcpu_plane(v)->vmcb;

	rmp_violation(v, what, c->exit_info_2 & ~HV_C_BIT, c->exit_info_1);
}

/* Whether no plane exists that is less privileged than the current one. */
static bool least_privileged(const struct vcpu *v)
{
	unsigned int below = v->planes[v->current].cpu_vmpl + 1;

	for (unsigned int i = 0; i < cpu_count(); i++) {
		const struct vcpu *other = vcpu_by_apic_id(i);

		for (unsigned int vmpl = below; vmpl < SNP_VMPL_COUNT; vmpl++)
			if (other->planes[vmpl].state != PLANE_NONE)
				return false;
	}
	return true;
}

/*
 * Walks and fetches are private on hardware whatever the C-bit says, but QEMU takes the C-bit for
 * an address bit. CR3 without it is corrected for good. Lower tables and code are shown in the
 * shared view, where only the current VMPL and more privileged ones can see them.
 */
static bool mend_private_by_nature(struct vcpu *v, uint64_t gpa)
{
	const struct plane *p = vcpu_plane(v);
	uint64_t error = p->vmcb->exit_info_1;
	unsigned int perms = error & VMCB_NPF_FETCH ? RMP_PERM_READ | RMP_PERM_EXEC_SUPER
						    : RMP_PERM_READ | RMP_PERM_WRITE;

	if (!(error & (VMCB_NPF_TABLE | VMCB_NPF_FETCH)))
		return false;
	if ((error & VMCB_NPF_TABLE) && (p->vmcb->cr3 ^ gpa) >> ABI_PAGE_SHIFT == 0)
		return insn_private_cr3(v);
	if (rmp_access(guest_rmp_table(), guest_page(gpa), p->cpu_vmpl, perms) != RMP_DONE ||
	    !least_privileged(v))
		return false;
	if (open_page(v, gpa, error))
		npt_expose(gpa, error & VMCB_NPF_TABLE);
	return true;
}

/* A walk or fetch without C-bit that nothing can be done about in the shared view. */
static void private_by_nature_fault(struct vcpu *v, uint64_t gpa)
{
	if (rmp_access(guest_rmp_table(), guest_page(gpa), vcpu_plane(v)->cpu_vmpl,
		       RMP_PERM_READ) == RMP_NOT_VALIDATED)
		vc_raise(v, VC_PAGE_NOT_VALIDATED);
	else
		violation(v, "walk or fetch without C-bit of a private page");
}

static void shared_fault(struct vcpu *v, uint64_t gpa, uint64_t error)
{
	if (!(guest_rmp(gpa)->flags & RMP_ASSIGNED))
		open_page(v, gpa, error);
	else if (mend_private_by_nature(v, gpa))
		return;
	else if (error & (VMCB_NPF_TABLE | VMCB_NPF_FETCH))
		private_by_nature_fault(v, gpa);
	else if (!page_state_make_shared(v->id, v->current, gpa))
		violation(v, "access without C-bit to a private page");
}

static unsigned int wanted_perms(struct vcpu *v, uint64_t error)
{
	if (error & VMCB_NPF_FETCH)
		return plane_cpl(vcpu_plane(v)) == 3 ? RMP_PERM_EXEC_USER : RMP_PERM_EXEC_SUPER;
	return error & VMCB_NPF_WRITE ? RMP_PERM_READ | RMP_PERM_WRITE : RMP_PERM_READ;
}

static void private_fault(struct vcpu *v, uint64_t gpa, uint64_t error)
{
	/* With a right that it still has, only the use of the page can be in the way. */
	switch (npt_access(v->id, vcpu_plane(v)->cpu_vmpl, gpa, wanted_perms(v, error))) {
	case RMP_DONE:
		open_page(v, gpa, error);
		break;
	case RMP_NOT_ASSIGNED:
		if (!page_state_make_private(v->id, v->current, gpa))
			violation(v, "access with C-bit to a shared page");
		break;
	case RMP_NOT_VALIDATED:
		vc_raise(v, VC_PAGE_NOT_VALIDATED);
		break;
	case RMP_IS_VMSA:
		violation(v, "write or fetch of a VMSA page");
	default:
		violation(v, "permission of the VMPL");
	}
}

void run_nested_fault(struct vcpu *v)
{
	const struct plane *p = vcpu_plane(v);
	uint64_t error = p->vmcb->exit_info_1;
	uint64_t gpa = p->vmcb->exit_info_2 & ~HV_C_BIT;

	if (!guest_is_ram(gpa)) {
		if (error & VMCB_NPF_TABLE)
			violation(v, "page table outside RAM");
		vc_raise(v, SVM_EXIT_NPF);
	} else if (p->flat || (p->vmcb->exit_info_2 & HV_C_BIT)) {
		private_fault(v, gpa, error);
	} else {
		shared_fault(v, gpa, error);
	}
}
