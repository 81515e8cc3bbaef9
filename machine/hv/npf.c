/* SPDX-License-Identifier: MIT */
#include "machine/hv/npf.h"

#include "machine/hv/emulate.h"
#include "machine/hv/log.h"
#include "machine/hv/npt.h"
#include "machine/hv/vc.h"
#include "machine/hv/x86.h"

static _Noreturn void violation(struct vcpu *v, const char *what)
{
	const struct vmcb *c = vcpu_plane(v)->vmcb;
	uint64_t gpa = c->exit_info_2 & ~HV_C_BIT;

	hv_log("RMP violation at VMPL %u: %s: gPA %lx error %lx RIP %lx", v->current, what, gpa,
	       c->exit_info_1, c->rip);
	hv_stop(MAILBOX_STOP_RMP_VIOLATION, v->current, gpa, c->exit_info_1 | VMCB_NPF_RMP, c->rip);
}

/* Whether no plane exists that is less privileged than the current one. */
static bool least_privileged(const struct vcpu *v)
{
	for (unsigned int i = 0; i < vcpu_count(); i++) {
		const struct vcpu *other = vcpu_by_apic_id(i);

		for (unsigned int vmpl = v->current + 1; vmpl < SNP_VMPL_COUNT; vmpl++)
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
	if (rmp_access(npt_rmp_table(), gpa >> ABI_PAGE_SHIFT, v->current, perms) != RMP_DONE ||
	    !least_privileged(v))
		return false;
	npt_expose(gpa, error & VMCB_NPF_TABLE);
	return true;
}

static void shared_fault(struct vcpu *v, uint64_t gpa)
{
	if (!(npt_rmp(gpa)->flags & RMP_ASSIGNED))
		npt_sync(gpa, 1); /* another vCPU has changed it meanwhile */
	else if (!mend_private_by_nature(v, gpa))
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
	switch (rmp_access(npt_rmp_table(), gpa >> ABI_PAGE_SHIFT, v->current,
			   wanted_perms(v, error))) {
	case RMP_DONE:
		npt_sync(gpa, 1);
		break;
	case RMP_NOT_ASSIGNED:
		if (!npt_assign_on_fault(gpa))
			violation(v, "access with C-bit to a shared page");
		break;
	case RMP_NOT_VALIDATED:
		if (error & VMCB_NPF_TABLE)
			violation(v, "page table in a page that is not validated");
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
	bool flat = p->vmcb->nested_cr3 == npt_root(p->vmpl, false);

	if (!npt_is_ram(gpa)) {
		if (error & VMCB_NPF_TABLE)
			violation(v, "page table outside RAM");
		vc_raise(v, SVM_EXIT_NPF);
	} else if (flat || (p->vmcb->exit_info_2 & HV_C_BIT)) {
		private_fault(v, gpa, error);
	} else {
		shared_fault(v, gpa);
	}
}
