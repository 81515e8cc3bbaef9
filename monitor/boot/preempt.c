/* SPDX-License-Identifier: MIT */
#include "monitor/boot/preempt.h"

#include <string.h>

#include "abi/ghcb.h"
#include "core/snp/vmsa.h"
#include "monitor/arch/arch.h"
#include "monitor/base/die.h"
#include "monitor/base/direct.h"
#include "monitor/boot/boot.h"
#include "monitor/cpu/cpu.h"
#include "monitor/vcpu/vmsa.h"

#define PERIOD_NS 200000ull /* the shortest that KVM does not lengthen unless told to */
#define REFUSALS_MAX 100u

_Static_assert(GHCB_RUN_VMPL0 == GHCB_MSR_RUN_VMPL_REQ, "counting.S asks for VMPL0");
_Static_assert(MSR_GHCB_NUMBER == SNP_MSR_GHCB, "by the GHCB MSR");

extern const char counting_begin[], counting_end[];

struct trial {
	gpa_t vmsa;
	struct cpu *cpu;
	unsigned int refusals;
	bool brought_back;
};

static gpa_t make_vmsa(gpa_t page, struct page_owner *owner)
{
	struct snp_vmsa *vmsa;
	gpa_t at;

	if (page.raw > UINT32_MAX)
		die(DIE_PARAMS, "the guest's first calling area is not below 4 GiB");
	if (!vmsa_alloc(owner, &at))
		die(DIE_MEMORY, "no memory for a VMSA at the guest's level");
	vmsa = direct_ptr(at);
	vmsa_protected_mode(vmsa, (uint32_t)page.raw, arch_guest_sev_features());
	vmsa->vmpl = guest_vmpl();
	if (!vmsa_commit(at))
		die(DIE_RMP, "a page of ours cannot become a VMSA at the guest's level");
	if (!arch_start_vcpu(BOOT_CPU, guest_vmpl(), at, arch_guest_sev_features()))
		die(DIE_HOST, "the host refuses a vCPU at the guest's level");
	return at;
}

/* Its exit code; VMSA_NEVER_LEFT when it has not left, be it that it was not even entered. */
static uint64_t run(struct trial *trial)
{
	volatile struct snp_vmsa *vmsa = direct_ptr(trial->vmsa);

	vmsa->exit_code = VMSA_NEVER_LEFT;
	trial->cpu->tick = false;
	if (arch_run_vmpl(guest_vmpl()) == ARCH_RUN_REFUSED && ++trial->refusals == REFUSALS_MAX)
		die(DIE_HOST, "the host does not run the guest's level");
	arch_poll_events(trial->cpu);
	return vmsa->exit_code;
}

/*
 * A host may have us run while the guest's level goes on on another CPU: its VMSA is in use then.
 * That is no order to be relied on, but its timer did reach us.
 */
static void run_once(struct trial *trial)
{
	uint64_t exit_code = run(trial);
	bool ran = exit_code != VMSA_NEVER_LEFT || !vmsa_commit(trial->vmsa);

	trial->brought_back |= trial->cpu->tick && ran && exit_code != SVM_EXIT_VMGEXIT;
	if (trial->brought_back)
		arch_timer_stop(trial->cpu);
	else if (exit_code == SVM_EXIT_VMGEXIT)
		die(DIE_UNSUPPORTED, "VMPL0's timer does not reach it while the guest's level "
				     "runs, and the image says that it does");
}

/*
 * A page that VMRUN takes for a VMSA must not outlive this; that it does not run is proved with it.
 */
static bool is_unmade(const struct trial *trial)
{
	return trial->brought_back && arch_rmpadjust(trial->vmsa, ARCH_PAGE_4K,
						     level_without_rights(), 0) == SNP_RESULT_OK;
}

void preempt_try(gpa_t page, struct page_owner *owner)
{
	size_t size = (size_t)(counting_end - counting_begin);
	struct trial trial = { .cpu = cpu_this() };

	memcpy(direct_ptr(page), counting_begin, size);
	trial.vmsa = make_vmsa(page, owner);
	arch_timer_arm(trial.cpu, arch_now_ns() + PERIOD_NS, PERIOD_NS);
	if (!trial.cpu->timer_deadline)
		die(DIE_UNSUPPORTED, "there is no timer for VMPL0");
	do
		run_once(&trial);
	while (!is_unmade(&trial));
	page_free(owner, trial.vmsa);
	memset(direct_ptr(page), 0, size);
}
