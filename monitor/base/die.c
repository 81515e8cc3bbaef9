/* SPDX-License-Identifier: MIT */
#include "monitor/base/die.h"

#include "monitor/base/limits.h"

/* Only the first vCPU that dies says why: the others usually die of the same cause. */
static void say(const char *why)
{
	static bool said;

	if (!__atomic_exchange_n(&said, true, __ATOMIC_ACQ_REL))
		die_hooks.log("the monitor ends", why);
}

/*
 * Each vCPU that dies wipes everything: one that asked for the end while another still wipes would
 * stop it. One that dies again within a step goes on with the next step.
 */
_Noreturn void die(enum die_reason reason, const char *why)
{
	static uint8_t begun[MONITOR_CPUS_MAX]; /* each vCPU's own */
	uint8_t *step = &begun[die_hooks.cpu_index()];

	while (*step < DIE_STEPS)
		die_hooks.steps[(*step)++]();
	if (*step == DIE_STEPS) {
		(*step)++;
		say(why);
	}
	die_hooks.terminate(reason);
}
