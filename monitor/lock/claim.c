/* SPDX-License-Identifier: MIT */
#include "monitor/lock/claim.h"

#include "monitor/arch/arch.h"

#define LOOK_NS 2000000ull /* from one look to the next */

void claim_take(struct claim *claim)
{
	uint32_t ticket = __atomic_fetch_add(&claim->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&claim->serving, __ATOMIC_ACQUIRE) != ticket)
		(void)arch_sleep(LOOK_NS);
}

void claim_release(struct claim *claim)
{
	__atomic_fetch_add(&claim->serving, 1, __ATOMIC_RELEASE);
}
