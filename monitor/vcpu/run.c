/* SPDX-License-Identifier: MIT */
/*
 * The run loop: hand the vCPU to the guest, take what it wants, answer (58019, calling sequence).
 * The host decides when we run and may lie about why; the guest's VMSA and calling area say what is
 * wanted, and when they want nothing, the guest simply runs on.
 */
#include "monitor/arch/arch.h"
#include "monitor/arch/hw/cpu_ops.h"
#include "monitor/arch/hw/flush.h"
#include "monitor/arch/hw/timer.h"
#include "monitor/ghcb/ghcb.h"
#include "monitor/log/die.h"
#include "monitor/log/log.h"
#include "monitor/protocol/protocol.h"
#include "monitor/trap/trap.h"
#include "monitor/trap/wait.h"
#include "monitor/vcpu/registry.h"
#include "monitor/vcpu/vcpu.h"

#define BOOT_CPU 0u
#define REFUSALS_MAX 100u

static struct svsm_call take_call(const struct snp_vmsa *vmsa, unsigned int cpu,
				  const struct registry_vcpu *vcpu)
{
	return (struct svsm_call){
		.rax = vmsa->rax,
		.rcx = vmsa->rcx,
		.rdx = vmsa->rdx,
		.r8 = vmsa->r8,
		.r9 = vmsa->r9,
		.caller = { .cpu = cpu, .vmpl = GUEST_VMPL, .vmsa = vcpu->vmsa, .caa = vcpu->caa },
	};
}

static void put_results(struct snp_vmsa *vmsa, const struct svsm_call *call)
{
	vmsa->rax = call->rax;
	vmsa->rcx = call->rcx;
	vmsa->rdx = call->rdx;
	vmsa->r8 = call->r8;
	vmsa->r9 = call->r9;
}

/* Serves the call of the guest, if it made one. False when there is no guest to go back to. */
static bool serve(unsigned int cpu)
{
	struct registry_vcpu vcpu;
	bool deleted = false, readable;

	if (!registry_enter(cpu, &vcpu))
		return false;

	struct snp_vmsa *vmsa = arch_vmsa(vcpu.vmsa);

	/* The host must not run it while it waits for the answer. */
	__atomic_and_fetch(&vmsa->efer, ~SNP_VMSA_EFER_SVME, __ATOMIC_SEQ_CST);
	if (vmsa->exit_code == SVM_EXIT_VMGEXIT) {
		uint8_t pending = arch_guest_exchange8(vcpu.caa, 0, &readable);

		if (readable && pending) {
			struct svsm_call call = take_call(vmsa, cpu, &vcpu);

			svsm_dispatch(&call, pending);
			deleted = call.caller_deleted;
			if (!deleted)
				put_results(vmsa, &call);
		}
	}
	if (!deleted)
		__atomic_or_fetch(&vmsa->efer, SNP_VMSA_EFER_SVME, __ATOMIC_SEQ_CST);
	registry_leave(cpu);
	return !deleted;
}

/*
 * A host that refuses to run the guest may have its reasons: the guest stopped this vCPU at it, or
 * has not started it yet. So we halt and ask again when woken. Only the boot vCPU, which we
 * started ourselves, must run at least once.
 */
struct refusals {
	bool ran_once;
	unsigned int count;
};

static void refused(struct refusals *refusals, struct cpu *cpu)
{
	bool must_run = cpu->index == BOOT_CPU && !refusals->ran_once;

	if (refusals->count++ == 0)
		log_printf(LOG_WARNING, "vCPU %u: the host refuses to run the guest", cpu->index);
	if (!must_run)
		wait_halt(cpu);
	else if (refusals->count == REFUSALS_MAX)
		die(DIE_HOST, "the host does not run the guest");
}

static void run_guest(struct refusals *refusals, struct cpu *cpu)
{
	user_leave();
	timer_stop(cpu);
	flush_enter_guest(cpu);

	enum ghcb_run result = ghcb_run_vmpl(GUEST_VMPL);

	flush_leave_guest(cpu);
	switch (result) {
	case GHCB_RUN_RETURNED:
		refusals->ran_once = true;
		break;
	case GHCB_RUN_REFUSED:
		refused(refusals, cpu);
		break;
	case GHCB_RUN_EVENT:
		break;
	}
}

_Noreturn void vcpu_run(void)
{
	struct cpu *cpu = cpu_this();
	struct refusals refusals = { .ran_once = false };

	for (;;) {
		events_poll(cpu);
		if (serve(cpu->index))
			run_guest(&refusals, cpu);
		else
			wait_halt(cpu);
	}
}
