/* SPDX-License-Identifier: MIT */
#include "monitor/log/die.h"

#include "monitor/arch/arch.h"
#include "monitor/log/emergency.h"
#include "monitor/mem/alloc.h"
#include "monitor/mem/secret.h"
#include "monitor/trap/user.h"
#include "monitor/vcpu/secrets.h"

_Noreturn void die(enum die_reason reason, const char *why)
{
	static bool dying;

	/*
	 * Dying of dying, here or on another vCPU: what can be wiped is wiped, only the end is
	 * left.
	 */
	if (__atomic_exchange_n(&dying, true, __ATOMIC_ACQ_REL))
		arch_terminate(reason);

	secrets_wipe();
	user_leave(); /* its page tables are about to go */
	secret_wipe();
	page_wipe_secret();
	log_emergency("the monitor ends", why);
	arch_terminate(reason);
}
