/* SPDX-License-Identifier: MIT */
#include "monitor/lock/claim.h"

#include "monitor/arch/arch.h"

#define LOOK_NS 2000000ull /* from one look to the next */

void claim_take(struct claim *claim)
{
	uint32_t ticket = __atomic_fetch_add(&claim->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&claim->serving, __ATOMIC_ACQUIRE) != ticket) {
		if (!arch_sleep(LOOK_NS))
			__builtin_ia32_pause();
	}
}

bool claim_try(struct claim *claim)
{
	uint32_t ticket = __atomic_load_n(&claim->serving, __ATOMIC_RELAXED);

	/* The ticket that is served is drawn by nobody yet: it is free, and then ours. */
	return __atomic_compare_exchange_n(&claim->next, &ticket, ticket + 1, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void claim_release(struct claim *claim)
{
	__atomic_fetch_add(&claim->serving, 1, __ATOMIC_RELEASE);
}
