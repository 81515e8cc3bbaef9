/* SPDX-License-Identifier: MIT */
#include "monitor/base/die.h"

#include "monitor/base/limits.h"

/* Only the first vCPU that dies has something to say: the others mostly die of that. */
static void say(const char *why)
{
	static bool said;

	if (!__atomic_exchange_n(&said, true, __ATOMIC_ACQ_REL))
		die_hooks.log("the monitor ends", why);
}

/*
 * Each vCPU that dies wipes everything: one that asked for the end while another still wipes would
 * stop it. One that dies of dying goes on behind the step that it died in.
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
