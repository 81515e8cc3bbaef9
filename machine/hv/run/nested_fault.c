/* SPDX-License-Identifier: MIT */
#include "machine/hv/run/nested_fault.h"

#include "machine/hv/base/log.h"
#include "machine/hv/base/port.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/event/vc.h"
#include "machine/hv/insn/emulate.h"
#include "machine/hv/memory/convert.h"
#include "machine/hv/memory/npt.h"

/*
 * Opens a page for what the RMP permits and its use does not. When its use does, another vCPU has
 * changed the page meanwhile. False: the vCPU has to try again.
 */
static bool open_page(const struct vcpu *v, uint64_t gpa, uint64_t error)
{
	static struct code_history history;
	struct code_fault fault = {
		.vcpu = v->id,
		.page = gpa >> ABI_PAGE_SHIFT,
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

static _Noreturn void stop_at(const struct vcpu *v, const char *what, uint64_t gpa, uint64_t error)
{
	const struct plane *p = &v->planes[v->current];
	uint64_t rip = p->vmcb->rip;

	hv_log("RMP violation at VMPL %u: %s: gPA %lx error %lx RIP %lx", p->cpu_vmpl, what, gpa,
	       error, rip);
	hv_stop(MAILBOX_STOP_RMP_VIOLATION, p->cpu_vmpl, gpa, error | VMCB_NPF_RMP, rip);
}

static _Noreturn void violation(struct vcpu *v, const char *what)
{
	const struct vmcb *c = vcpu_plane(v)->vmcb;

	stop_at(v, what, c->exit_info_2 & ~HV_C_BIT, c->exit_info_1);
}

/* Whether no plane exists that is less privileged than the current one. */
static bool least_privileged(const struct vcpu *v)
{
	unsigned int below = v->planes[v->current].cpu_vmpl + 1;

	for (unsigned int i = 0; i < vcpu_count(); i++) {
		const struct vcpu *other = vcpu_by_apic_id(i);

		for (unsigned int vmpl = below; vmpl < SNP_VMPL_COUNT; vmpl++)
			if (other->planes[vmpl].state != PLANE_NONE)
				return false;
	}
	return true;
}

/*
 * Walks and fetches are private on hardware whatever the C-bit says, but QEMU takes the C-bit for
 * an address bit. CR3 without it is mended for good. Lower tables and code are shown in the shared
 * view, where only the current VMPL and more privileged ones can see them.
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
		return emulate_private_cr3(v);
	if (rmp_access(npt_rmp_table(), gpa >> ABI_PAGE_SHIFT, p->cpu_vmpl, perms) != RMP_DONE ||
	    !least_privileged(v))
		return false;
	if (open_page(v, gpa, error))
		npt_expose(gpa, error & VMCB_NPF_TABLE);
	return true;
}

/* A walk or fetch without C-bit that nothing can be done about in the shared view. */
static void private_by_nature_fault(struct vcpu *v, uint64_t gpa)
{
	if (rmp_access(npt_rmp_table(), gpa >> ABI_PAGE_SHIFT, vcpu_plane(v)->cpu_vmpl,
		       RMP_PERM_READ) == RMP_NOT_VALIDATED)
		vc_raise(v, VC_PAGE_NOT_VALIDATED);
	else
		violation(v, "walk or fetch without C-bit of a private page");
}

static void shared_fault(struct vcpu *v, uint64_t gpa, uint64_t error)
{
	if (!(npt_rmp(gpa)->flags & RMP_ASSIGNED))
		open_page(v, gpa, error);
	else if (mend_private_by_nature(v, gpa))
		return;
	else if (error & (VMCB_NPF_TABLE | VMCB_NPF_FETCH))
		private_by_nature_fault(v, gpa);
	else if (!convert_to_shared(v, gpa))
		violation(v, "access without C-bit to a private page");
}

static unsigned int wanted_perms(const struct vcpu *v, uint64_t error)
{
	if (error & VMCB_NPF_FETCH)
		return emulate_cpl(v) == 3 ? RMP_PERM_EXEC_USER : RMP_PERM_EXEC_SUPER;
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
		if (!convert_to_private(v, gpa))
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

void npf_exit(struct vcpu *v)
{
	const struct plane *p = vcpu_plane(v);
	uint64_t error = p->vmcb->exit_info_1;
	uint64_t gpa = p->vmcb->exit_info_2 & ~HV_C_BIT;

	if (!npt_is_ram(gpa)) {
		if (error & VMCB_NPF_TABLE)
			violation(v, "page table outside RAM");
		vc_raise(v, SVM_EXIT_NPF);
	} else if (p->flat || (p->vmcb->exit_info_2 & HV_C_BIT)) {
		private_fault(v, gpa, error);
	} else {
		shared_fault(v, gpa, error);
	}
}

static enum npf_answer private_walk(struct vcpu *v, const struct walk_result *w)
{
	switch (rmp_access(npt_rmp_table(), w->gpa >> ABI_PAGE_SHIFT, vcpu_plane(v)->cpu_vmpl,
			   w->perms)) {
	case RMP_DONE:
		return NPF_TRY_AGAIN;
	case RMP_NOT_ASSIGNED:
		if (convert_to_private(v, w->gpa))
			return NPF_TRY_AGAIN;
		stop_at(v, "access with C-bit to a shared page", w->gpa, 0);
	case RMP_NOT_VALIDATED:
		return NPF_NOT_VALIDATED;
	default:
		stop_at(v, "permission of the VMPL", w->gpa, 0);
	}
}

enum npf_answer npf_walk(struct vcpu *v, const struct walk_result *w)
{
	if (!npt_is_ram(w->gpa))
		stop_at(v, "tables, operand or stack outside RAM", w->gpa, 0);
	if (w->private)
		return private_walk(v, w);
	if ((npt_rmp(w->gpa)->flags & RMP_ASSIGNED) && !convert_to_shared(v, w->gpa))
		stop_at(v, "access without C-bit to a private page", w->gpa, 0);
	return NPF_TRY_AGAIN;
}
