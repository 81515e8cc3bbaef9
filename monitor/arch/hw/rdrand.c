/* SPDX-License-Identifier: MIT */
#include "monitor/arch/hw/random.h"

bool random_read_seed(uint64_t *value)
{
	bool good;

	__asm__ volatile("rdseed %0" : "=r"(*value), "=@ccc"(good));
	return good;
}

bool random_read_rand(uint64_t *value)
{
	bool good;

	__asm__ volatile("rdrand %0" : "=r"(*value), "=@ccc"(good));
	return good;
}
