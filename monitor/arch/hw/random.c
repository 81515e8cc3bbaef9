/* SPDX-License-Identifier: MIT */
/*
 * Random bytes from the CPU, and the health tests of NIST SP 800-90B on what it gives: a processor
 * may say with the carry flag that a value is good and give the same one for ever.
 */
#include "monitor/arch/hw/random.h"

#include <string.h>

#include "monitor/arch/arch.h"
#include "monitor/base/limits.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/mem/secret.h"

#define CPUID_1_ECX_RDRAND (1u << 30)
#define CPUID_7_EBX_RDSEED (1u << 18)
#define RETRIES 1000u
#define START_SAMPLES 1024u /* SP 800-90B, 4.3 */
#define WINDOW 512u	    /* SP 800-90B, 4.4.2: of samples with more than two values */

enum source {
	SEED,
	RAND,
	SOURCES,
};

/* Of one source on one vCPU, and only that one looks. */
struct health {
	uint64_t last;	     /* repetition count test */
	uint64_t first;	     /* of the window of the adaptive proportion test */
	unsigned int window; /* samples of it still to come; 0: the next one starts it */
	bool any;
};

static struct health healths[MONITOR_CPUS_MAX][SOURCES];
static bool stuck; /* for good, on all vCPUs */

static bool offered(enum source source)
{
	return source == SEED ? cpuid_query(7, 0).ebx & CPUID_7_EBX_RDSEED
			      : cpuid_query(1, 0).ecx & CPUID_1_ECX_RDRAND;
}

/* AMD: the carry flag says that the value is good; it can stay clear for a while under load. */
static bool draw(enum source source, uint64_t *value)
{
	for (unsigned int i = 0; i < RETRIES; i++) {
		if (source == SEED ? random_read_seed(value) : random_read_rand(value))
			return true;
		__builtin_ia32_pause();
	}
	return false;
}

/*
 * Both tests with a false alarm in 2^30 and an assessed entropy of no more than 30 bits of the 64
 * in a sample, a modest claim. The repetition count test (4.4.1) has the cutoff 1 + 30 / 30 = 2: a
 * second value in a row is one too many, so none is ever given out twice. The adaptive proportion
 * test (4.4.2) has the cutoff 1 + CRITBINOM(512, 2^-30, 1 - 2^-30) = 2 as well: the first value of
 * a window must not come again in it.
 */
static bool is_healthy(struct health *health, uint64_t value)
{
	bool again = health->any && value == health->last;

	if (!health->window) {
		health->first = value;
		health->window = WINDOW;
	} else if (value == health->first) {
		again = true;
	}
	health->window--;
	health->last = value;
	health->any = true;
	return !again;
}

static bool take(enum source source, uint64_t *value)
{
	if (__atomic_load_n(&stuck, __ATOMIC_ACQUIRE) || !draw(source, value))
		return false;
	if (is_healthy(&healths[arch_cpu_index()][source], *value))
		return true;
	__atomic_store_n(&stuck, true, __ATOMIC_RELEASE);
	return false;
}

bool arch_random_start(void)
{
	static struct secret kept; /* the last values may be in somebody's key */
	uint64_t value;

	secret_add(&kept, healths, sizeof(healths));
	for (enum source source = SEED; source < SOURCES; source++) {
		if (!offered(source))
			continue;
		for (unsigned int i = 0; i < START_SAMPLES; i++) {
			if (!take(source, &value) && __atomic_load_n(&stuck, __ATOMIC_ACQUIRE))
				return false;
		}
	}
	explicit_bzero(&value, sizeof(value));
	return true;
}

static bool read_random(uint64_t *value)
{
	return (offered(SEED) && take(SEED, value)) || (offered(RAND) && take(RAND, value));
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
