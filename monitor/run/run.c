/* SPDX-License-Identifier: MIT */
/*
 * The run loop: serve the guest, hand the vCPU to it, begin again. The host decides when we run and
 * may lie about why, so what is wanted is for run/serve.c to find out.
 */
#include "monitor/run/run.h"
#include "monitor/arch/arch.h"
#include "monitor/base/die.h"
#include "monitor/base/levels.h"
#include "monitor/base/limits.h"
#include "monitor/cpu/cpu.h"
#include "monitor/cpu/wait.h"
#include "monitor/log/log.h"
#include "monitor/protocol/ahead.h"
#include "monitor/run/serve.h"
#include "monitor/trap/trap.h"
#include "monitor/trap/user.h"

#define REFUSALS_MAX 100u
#define PERIOD_MIN_NS 1000000ull
#define SHORT_NS 1000000ull

/*
 * A host that refuses to run the guest may have its reasons: the guest stopped this vCPU at it, or
 * has not started it yet. So we halt and ask again when woken. Only the guest's first VMSA, which
 * we started ourselves, must run at least once; whether it did is its own to say, for a guest that
 * runs can write refusals into the GHCB page.
 */
struct refusals {
	bool must_run; /* the first VMSA, which is there and has not run yet */
	unsigned int count;
};

static void refused(struct refusals *refusals, struct cpu *cpu)
{
	if (refusals->count++ == 0)
		log_printf(LOG_WARNING, "vCPU %u: the host refuses to run the guest", cpu->index);
	if (!refusals->must_run)
		wait_event(cpu);
	else if (refusals->count >= REFUSALS_MAX)
		die(DIE_HOST, "the host does not run the guest");
}

/* Has the timer bring this vCPU back where there is work ahead for it. False: there is none. */
static bool come_back(struct cpu *cpu)
{
	uint64_t due = ahead_due(cpu->index), now;

	if (!due)
		return false;
	if (cpu->timer_deadline == due && !cpu->tick)
		return true;
	cpu->tick = false;
	now = arch_now_ns();
	arch_timer_arm(cpu, due, due > now + PERIOD_MIN_NS ? due - now : PERIOD_MIN_NS);
	return true;
}

/* Whether it has run, or might have. */
static bool run_guest(struct refusals *refusals, struct cpu *cpu, unsigned int vmpl)
{
	enum arch_run result;

	user_leave();
	if (!come_back(cpu))
		arch_timer_stop(cpu);
	result = arch_run_vmpl(vmpl);
	/*
	 * Asked until it has, and never again: a guest that runs can have the host enter this VMSA
	 * while it is served, as another vCPU's, which leaves the exit code of one that cannot run.
	 */
	if (refusals->must_run)
		refusals->must_run = !serve_has_run(cpu->index);
	if (result == ARCH_RUN_REFUSED)
		refused(refusals, cpu);
	return result == ARCH_RUN_RETURNED;
}

/*
 * Serves the guest, and does work ahead besides where that took no time: a turn of a long call and
 * a slice of this together would hold the vCPU for twice as long as either may. Left out, it is due
 * still.
 */
static unsigned int serve_and_work(struct cpu *cpu, unsigned int interrupted)
{
	uint64_t start = arch_now_ns();
	unsigned int vmpl = serve_vcpu(cpu->index, interrupted);

	if (arch_now_ns() - start < SHORT_NS)
		ahead_turn(cpu->index);
	return vmpl;
}

/*
 * The levels whose exit may still be one that an event has found, when vmpl has run: the first,
 * until it has run itself. An exit of another one was looked at before vmpl ran, and counts no more
 * (run/serve.h).
 */
static unsigned int still_interrupted(unsigned int vmpl)
{
	return vmpl == guest_vmpl() ? 0 : 1u << guest_vmpl();
}

_Noreturn void run_loop(void)
{
	struct cpu *cpu = cpu_this();
	struct refusals refusals = { .must_run = cpu->index == BOOT_CPU };
	unsigned int interrupted = 0; /* the levels that have not run since an event, by bits */

	for (;;) {
		unsigned int vmpl;

		if (arch_poll_events(cpu))
			interrupted = SERVE_ALL_LEVELS;
		vmpl = serve_and_work(cpu, interrupted);
		if (vmpl != VMPL0) {
			if (run_guest(&refusals, cpu, vmpl))
				interrupted &= still_interrupted(vmpl);
		} else {
			refusals.must_run = false; /* any other one is the guest's work */
			come_back(cpu);
			wait_event(cpu);
		}
	}
}
