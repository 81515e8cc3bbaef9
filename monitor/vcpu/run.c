/* SPDX-License-Identifier: MIT */
/*
 * The run loop: serve the guest, hand the vCPU to it, begin again. The host decides when we run and
 * may lie about why, so what is wanted is for vcpu/serve.c to find out.
 */
#include "monitor/arch/arch.h"
#include "monitor/arch/hw/cpu_ops.h"
#include "monitor/arch/hw/timer.h"
#include "monitor/ghcb/ghcb.h"
#include "monitor/log/die.h"
#include "monitor/log/log.h"
#include "monitor/trap/trap.h"
#include "monitor/trap/wait.h"
#include "monitor/vcpu/serve.h"
#include "monitor/vcpu/vcpu.h"

#define BOOT_CPU 0u
#define REFUSALS_MAX 100u

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
	switch (ghcb_run_vmpl(GUEST_VMPL)) {
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
		if (vcpu_serve(cpu->index))
			run_guest(&refusals, cpu);
		else
			wait_halt(cpu);
	}
}
