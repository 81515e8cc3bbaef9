/* SPDX-License-Identifier: MIT */
#include "machine/hv/base/lock.h"

#include "machine/hv/base/x86.h"

static volatile int taken;

void hv_lock(void)
{
	while (__atomic_exchange_n(&taken, 1, __ATOMIC_ACQUIRE))
		while (taken)
			x86_pause();
}

void hv_unlock(void)
{
	__atomic_store_n(&taken, 0, __ATOMIC_RELEASE);
}
