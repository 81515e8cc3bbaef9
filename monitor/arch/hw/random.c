/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "monitor/arch/arch.h"
#include "monitor/arch/hw/cpuid.h"

#define CPUID_1_ECX_RDRAND (1u << 30)
#define CPUID_7_EBX_RDSEED (1u << 18)
#define RETRIES 1000u

/* AMD: the carry flag says that the value is good; it can stay clear for a while under load. */
static bool read_seed(uint64_t *value)
{
	bool good;

	__asm__ volatile("rdseed %0" : "=r"(*value), "=@ccc"(good));
	return good;
}

static bool read_rand(uint64_t *value)
{
	bool good;

	__asm__ volatile("rdrand %0" : "=r"(*value), "=@ccc"(good));
	return good;
}

static bool retry(bool (*read)(uint64_t *), uint64_t *value)
{
	for (unsigned int i = 0; i < RETRIES; i++) {
		if (read(value))
			return true;
		__builtin_ia32_pause();
	}
	return false;
}

static bool read_random(uint64_t *value)
{
	if ((cpuid_query(7, 0).ebx & CPUID_7_EBX_RDSEED) && retry(read_seed, value))
		return true;
	return (cpuid_query(1, 0).ecx & CPUID_1_ECX_RDRAND) && retry(read_rand, value);
}

bool arch_random(void *to, size_t size)
{
	uint8_t *bytes = to;

	while (size) {
		uint64_t value;
		size_t step = size < sizeof(value) ? size : sizeof(value);

		if (!read_random(&value))
			return false;
		memcpy(bytes, &value, step);
		bytes += step;
		size -= step;
	}
	return true;
}
