/* SPDX-License-Identifier: MIT */
/* Locks: their order, and that one holder at a time is really one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "monitor/arch/arch.h"
#include "monitor/base/die.h"
#include "monitor/lock/claim.h"
#include "monitor/lock/lock.h"

#define THREADS 4u
#define TURNS 200u /* a waiting thread may have to wait out the holder's time slice */

static __thread unsigned int cpu;

unsigned int arch_cpu_index(void)
{
	return cpu;
}

_Noreturn void die(enum die_reason reason, const char *why)
{
	(void)reason;
	mock_assert(0, why, __FILE__, __LINE__);
	abort();
}

static struct lock registry = { .rank = LOCK_RANK_REGISTRY };
static struct lock pages = { .rank = LOCK_RANK_PAGES };

static void the_order_is_kept(void **state)
{
	(void)state;
	lock_acquire(&registry);
	lock_acquire(&pages);
	expect_assert_failure(lock_release(&registry));
	lock_release(&pages);
	lock_release(&registry);

	lock_acquire(&pages);
	expect_assert_failure(lock_acquire(&registry));
	expect_assert_failure(lock_acquire(&pages));
	lock_release(&pages);
	expect_assert_failure(lock_release(&pages));
}

/* Of this CPU: what another one holds keeps nobody from waiting. */
static void it_is_known_whether_one_is_held(void **state)
{
	(void)state;
	assert_false(lock_any_held());
	lock_acquire(&registry);
	lock_acquire(&pages);
	lock_release(&pages);
	assert_true(lock_any_held());
	cpu = 1;
	assert_false(lock_any_held());
	cpu = 0;
	lock_release(&registry);
	assert_false(lock_any_held());
}

static void a_try_does_not_wait(void **state)
{
	(void)state;
	assert_true(lock_try(&registry));
	expect_assert_failure(lock_try(&registry));
	cpu = 1;
	assert_false(lock_try(&registry));
	assert_false(lock_any_held());
	cpu = 0;
	/* Its order is that of any other. */
	assert_true(lock_try(&pages));
	lock_release(&pages);
	lock_release(&registry);
	assert_true(lock_try(&pages));
	expect_assert_failure(lock_try(&registry));
	lock_release(&pages);
	assert_false(lock_any_held());
	/* What it did not get it left as it was. */
	lock_acquire(&registry);
	lock_release(&registry);
}

static unsigned long long counter; /* not atomic: the lock must do */

static void *count(void *index)
{
	cpu = (unsigned int)(uintptr_t)index;
	for (unsigned int i = 0; i < TURNS; i++) {
		lock_acquire(&registry);
		counter++;
		lock_release(&registry);
	}
	return NULL;
}

static void one_holder_at_a_time(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count, (void *)(i + 1)), 0);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(counter, THREADS * TURNS);
}

static struct claim claim;
static unsigned int slept;

bool arch_sleep(uint64_t ns)
{
	assert_in_range(ns, 1, 10000000);
	__atomic_fetch_add(&slept, 1, __ATOMIC_RELAXED);
	sched_yield();
	return true;
}

static void *count_asleep(void *index)
{
	cpu = (unsigned int)(uintptr_t)index;
	for (unsigned int i = 0; i < TURNS; i++) {
		claim_take(&claim);
		counter++;
		assert_false(lock_any_held());
		sched_yield();
		counter++;
		claim_release(&claim);
	}
	return NULL;
}

/* And whoever waits sleeps. */
static void one_claim_at_a_time(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	counter = 0;
	assert_true(claim_try(&claim));
	assert_false(claim_try(&claim));
	claim_release(&claim);
	claim_take(&claim);
	assert_false(claim_try(&claim));
	assert_int_equal(slept, 0);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_asleep, (void *)(i + 1)),
				 0);
	while (__atomic_load_n(&slept, __ATOMIC_RELAXED) < THREADS)
		sched_yield();
	assert_int_equal(counter, 0);
	claim_release(&claim);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(counter, 2 * THREADS * TURNS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_order_is_kept),
		cmocka_unit_test(it_is_known_whether_one_is_held),
		cmocka_unit_test(a_try_does_not_wait),
		cmocka_unit_test(one_holder_at_a_time),
		cmocka_unit_test(one_claim_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
