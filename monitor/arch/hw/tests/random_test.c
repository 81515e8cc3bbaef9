/* SPDX-License-Identifier: MIT */
/*
 * Health tests of random numbers, with a script in the place of RDSEED and RDRAND. NIST SP 800-90B:
 * 4.3 (start-up, 1024 samples), 4.4.1 (repetition count), 4.4.2 (adaptive proportion, windows of
 * 512). Each test is a process of its own, for a source that is stuck stays so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "monitor/arch/arch.h"
#include "monitor/arch/hw/random.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/mem/secret.h"

static struct {
	bool has_seed, has_rand;
	unsigned int cpu;
	unsigned int seeds, rands; /* drawn */
	unsigned int stuck_from;   /* the draw from which on the value stays; 0: never */
	unsigned int again_at;	   /* the draw that repeats the one of again_of; 0: none */
	unsigned int again_of;
	bool empty_seed;    /* RDSEED has no value */
	unsigned int waits; /* so many times first, RDRAND has none */
	const uint8_t *secret;
	size_t secret_size;
} t;

/* APM volume 3, appendix E: each is one bit, and all others of its register say something else. */
struct cpuid_result cpuid_query(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_result all = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX };

	if (leaf == 7 && subleaf == 0 && !t.has_seed)
		all.ebx &= ~(1u << 18);
	if (leaf == 1 && subleaf == 0 && !t.has_rand)
		all.ecx &= ~(1u << 30);
	return all;
}

unsigned int arch_cpu_index(void)
{
	return t.cpu;
}

void secret_add(struct secret *secret, void *data, size_t size)
{
	(void)secret;
	t.secret = data;
	t.secret_size = size;
}

/* The n-th value: all are different. */
static uint64_t value_of(unsigned int n)
{
	if (t.stuck_from && n > t.stuck_from)
		n = t.stuck_from;
	if (t.again_at && n == t.again_at)
		n = t.again_of;
	return n * 0x9e3779b97f4a7c15ull;
}

bool random_read_seed(uint64_t *value)
{
	if (t.empty_seed)
		return false;
	*value = value_of(++t.seeds);
	return true;
}

bool random_read_rand(uint64_t *value)
{
	if (t.waits) {
		t.waits--;
		return false;
	}
	*value = ~value_of(++t.rands);
	return true;
}

static bool gives(size_t size)
{
	uint8_t bytes[64];

	return arch_random(bytes, size);
}

static bool starts_with_good_sources(void)
{
	t.has_seed = t.has_rand = true;
	return arch_random_start() && t.seeds == 1024 && t.rands == 1024 && gives(64) &&
	       t.seeds == 1032 && t.rands == 1024;
}

static bool starts_without_any_and_gives_nothing(void)
{
	return arch_random_start() && !gives(1) && !t.seeds && !t.rands;
}

static bool does_not_start_with_a_stuck_one(void)
{
	t.has_rand = true;
	t.stuck_from = 1023;
	return !arch_random_start() && !gives(1);
}

static bool does_not_start_with_one_stuck_from_its_first(void)
{
	t.has_seed = true;
	t.stuck_from = 1;
	return !arch_random_start() && t.seeds == 2;
}

/* The value that comes a second time is given to nobody, and nothing is afterwards. */
static bool gives_no_value_twice(void)
{
	uint8_t bytes[16];
	unsigned int before;

	t.has_seed = t.has_rand = true;
	t.stuck_from = 1025;
	if (!arch_random_start() || !gives(8) || arch_random(bytes, sizeof(bytes)))
		return false;
	before = t.rands;
	t.cpu = 1; /* also not on another vCPU */
	t.stuck_from = 0;
	return !gives(8) && t.rands == before;
}

/* Every other value is the same one: no two in a row are, and the window shows it. */
static bool sees_a_value_again_in_its_window(void)
{
	t.has_rand = true;
	t.again_of = 1025; /* the first of a window */
	t.again_at = 1025 + 511;
	if (!arch_random_start())
		return false;
	for (unsigned int i = 1025; i < t.again_at; i++) {
		if (!gives(8))
			return false;
	}
	return !gives(8);
}

static bool forgets_it_behind_its_window(void)
{
	t.has_rand = true;
	t.again_of = 1025;
	t.again_at = 1025 + 512;
	if (!arch_random_start())
		return false;
	for (unsigned int i = 1025; i < 3000; i++) {
		if (!gives(8))
			return false;
	}
	return true;
}

static bool falls_back_on_rdrand(void)
{
	t.has_seed = t.has_rand = true;
	t.empty_seed = true;
	return arch_random_start() && gives(12) && t.rands == 1024 + 2;
}

/* A thousand times, and no longer: whoever wants random bytes must not wait for ever. */
static bool waits_for_a_source_that_is_busy(void)
{
	t.has_rand = true;
	if (!arch_random_start())
		return false;
	t.waits = 999;
	if (!gives(8))
		return false;
	t.waits = 1001;
	return !gives(8) && t.waits == 1 && gives(8);
}

/* What another vCPU draws says nothing about this one's source. */
static bool keeps_the_vcpus_apart(void)
{
	uint64_t one, other;

	t.has_rand = true;
	if (!arch_random_start() || !arch_random(&one, sizeof(one)))
		return false;
	t.cpu = 63;
	t.rands--;
	return arch_random(&other, sizeof(other)) && one == other;
}

static bool registers_what_it_remembers(void)
{
	uint64_t last;

	t.has_rand = true;
	if (!arch_random_start() || !arch_random(&last, sizeof(last)))
		return false;
	for (size_t at = 0; at + sizeof(last) <= t.secret_size; at += sizeof(last)) {
		if (memcmp(t.secret + at, &last, sizeof(last)) == 0)
			return true;
	}
	return false;
}

static void check(bool (*holds)(void))
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(holds() ? 0 : 1);
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#define TEST(name)                        \
	static void name##_(void **state) \
	{                                 \
		(void)state;              \
		check(name);              \
	}

TEST(starts_with_good_sources)
TEST(starts_without_any_and_gives_nothing)
TEST(does_not_start_with_a_stuck_one)
TEST(does_not_start_with_one_stuck_from_its_first)
TEST(gives_no_value_twice)
TEST(sees_a_value_again_in_its_window)
TEST(forgets_it_behind_its_window)
TEST(falls_back_on_rdrand)
TEST(waits_for_a_source_that_is_busy)
TEST(keeps_the_vcpus_apart)
TEST(registers_what_it_remembers)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_with_good_sources_),
		cmocka_unit_test(starts_without_any_and_gives_nothing_),
		cmocka_unit_test(does_not_start_with_a_stuck_one_),
		cmocka_unit_test(does_not_start_with_one_stuck_from_its_first_),
		cmocka_unit_test(gives_no_value_twice_),
		cmocka_unit_test(sees_a_value_again_in_its_window_),
		cmocka_unit_test(forgets_it_behind_its_window_),
		cmocka_unit_test(falls_back_on_rdrand_),
		cmocka_unit_test(waits_for_a_source_that_is_busy_),
		cmocka_unit_test(keeps_the_vcpus_apart_),
		cmocka_unit_test(registers_what_it_remembers_),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
