/* SPDX-License-Identifier: MIT */
#include "monitor/base/die.h"

#include "monitor/arch/arch.h"
#include "monitor/base/limits.h"
#include "monitor/log/emergency.h"
#include "monitor/mem/alloc.h"
#include "monitor/mem/secret.h"
#include "monitor/trap/user.h"
#include "monitor/vcpu/secrets.h"

/* In this order: a service is left before its page tables are wiped with the rest. */
static void (*const steps[])(void) = { secrets_wipe, user_leave, secret_wipe, page_wipe_secret };

#define STEPS (sizeof(steps) / sizeof(steps[0]))

/* Only the first vCPU that dies has something to say: the others mostly die of that. */
static void say(const char *why)
{
	static bool said;

	if (!__atomic_exchange_n(&said, true, __ATOMIC_ACQ_REL))
		log_emergency("the monitor ends", why);
}

/*
 * Each vCPU that dies wipes everything: one that asked for the end while another still wipes would
 * stop it. One that dies of dying goes on behind the step that it died in.
 */
_Noreturn void die(enum die_reason reason, const char *why)
{
	static uint8_t begun[MONITOR_CPUS_MAX]; /* each vCPU's own */
	uint8_t *step = &begun[arch_cpu_index()];

	while (*step < STEPS)
		steps[(*step)++]();
	if (*step == STEPS) {
		(*step)++;
		say(why);
	}
	arch_terminate(reason);
}
