/* SPDX-License-Identifier: MIT */
/*
 * The run loop: serve the guest, hand the vCPU to it, begin again. The host decides when we run and
 * may lie about why, so what is wanted is for vcpu/serve.c to find out.
 */
#include "monitor/arch/arch.h"
#include "monitor/arch/hw/timer.h"
#include "monitor/base/cpu_ops.h"
#include "monitor/base/die.h"
#include "monitor/ghcb/ghcb.h"
#include "monitor/log/log.h"
#include "monitor/trap/trap.h"
#include "monitor/trap/wait.h"
#include "monitor/vcpu/serve.h"
#include "monitor/vcpu/vcpu.h"

#define BOOT_CPU 0u
#define REFUSALS_MAX 100u

/*
 * A host that refuses to run the guest may have its reasons: the guest stopped this vCPU at it, or
 * has not started it yet. So we halt and ask again when woken. Only the guest's first VMSA, which we
 * started ourselves, must run at least once; whether it did is its own to say, for a guest that runs
 * can write refusals into the GHCB page.
 */
struct refusals {
	bool first_vmsa; /* it is there; any other one of the boot vCPU is the guest's work */
	unsigned int count;
};

static void refused(struct refusals *refusals, struct cpu *cpu)
{
	if (refusals->count++ == 0)
		log_printf(LOG_WARNING, "vCPU %u: the host refuses to run the guest", cpu->index);
	if (!refusals->first_vmsa || vcpu_has_run(cpu->index))
		wait_halt(cpu);
	else if (refusals->count >= REFUSALS_MAX)
		die(DIE_HOST, "the host does not run the guest");
}

static void run_guest(struct refusals *refusals, struct cpu *cpu)
{
	user_leave();
	timer_stop(cpu);
	if (ghcb_run_vmpl(GUEST_VMPL) == GHCB_RUN_REFUSED)
		refused(refusals, cpu);
}

_Noreturn void vcpu_run(void)
{
	struct cpu *cpu = cpu_this();
	struct refusals refusals = { .first_vmsa = cpu->index == BOOT_CPU };

	for (;;) {
		events_poll(cpu);
		if (vcpu_serve(cpu->index)) {
			run_guest(&refusals, cpu);
		} else {
			refusals.first_vmsa = false;
			wait_halt(cpu);
		}
	}
}
