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
static unsigned int slept, refused;
static uint64_t slept_ns[8]; /* the first of them */
static bool stands_still;

/* A look takes 1 us, of all CPUs together. */
uint64_t arch_now_ns(void)
{
	static uint64_t now;

	return __atomic_add_fetch(&now, stands_still ? 0 : 1000, __ATOMIC_RELAXED);
}

/* As arch/hw: not with a lock held. */
bool arch_sleep(uint64_t ns)
{
	bool may = !lock_any_held();
	unsigned int turn = __atomic_fetch_add(may ? &slept : &refused, 1, __ATOMIC_RELAXED);

	assert_in_range(ns, 50000, 2000000);
	if (may && turn < 8)
		slept_ns[turn] = ns;
	sched_yield();
	return may;
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
	slept = 0;
	assert_true(claim_try(&claim));
	claim_release(&claim);
	claim_take(&claim);
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

/* Who holds it, and what is held with it. */
static void a_claim_is_one_cpu_s(void **state)
{
	(void)state;
	claim_take(&claim);
	expect_assert_failure(claim_take(&claim));
	expect_assert_failure(claim_try(&claim));
	cpu = 1;
	assert_false(claim_try(&claim));
	expect_assert_failure(claim_release(&claim));
	cpu = 0;
	claim_release(&claim);
	expect_assert_failure(claim_release(&claim));
	assert_true(claim_try(&claim));
	claim_release(&claim);
}

static struct lock call = { .rank = LOCK_RANK_CALL };

static void a_claim_has_its_place_in_the_order(void **state)
{
	(void)state;
	lock_acquire(&call);
	claim_take(&claim);
	lock_acquire(&registry);
	claim_release(&claim);
	expect_assert_failure(claim_take(&claim));
	expect_assert_failure(claim_try(&claim));
	lock_release(&registry);
	assert_true(claim_try(&claim));
	claim_release(&claim);
	lock_release(&call);
}

static unsigned int order[THREADS], served;

static void *note_turn(void *index)
{
	cpu = (unsigned int)(uintptr_t)index;
	claim_take(&claim);
	order[served++] = cpu;
	claim_release(&claim);
	return NULL;
}

static unsigned int drawn(void)
{
	return __atomic_load_n(&claim.next, __ATOMIC_RELAXED);
}

/* In the order in which they came; and a try gets nothing while somebody waits. */
static void a_claim_goes_to_who_came_first(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	served = 0;
	claim_take(&claim);
	for (uintptr_t i = 0; i < THREADS; i++) {
		unsigned int before = drawn();

		assert_int_equal(
			pthread_create(&threads[i], NULL, note_turn, (void *)(THREADS - i)), 0);
		while (drawn() == before)
			sched_yield();
	}
	cpu = THREADS + 1;
	assert_false(claim_try(&claim));
	cpu = 0;
	claim_release(&claim);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(order[i], THREADS - i);
	}
}

/* One whose turn comes only when the one before has been waited out. */
static void *wait_out(void *holds)
{
	cpu = 1;
	if (holds)
		lock_acquire(&call);
	claim_take(&claim);
	claim_release(&claim);
	if (holds)
		lock_release(&call);
	return NULL;
}

static void wait_until(const unsigned int *times, unsigned int many)
{
	while (__atomic_load_n(times, __ATOMIC_RELAXED) < many)
		sched_yield();
}

/* A short while first, so that a hand-over is quick; then for ever longer, up to 2 ms. */
static void who_waits_long_sleeps_long(void **state)
{
	static const uint64_t ns[8] = { 50000,	100000,	 200000,  400000,
					800000, 1600000, 2000000, 2000000 };
	pthread_t thread;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		stands_still = i;
		slept = refused = 0;
		claim_take(&claim);
		assert_int_equal(pthread_create(&thread, NULL, wait_out, NULL), 0);
		wait_until(&slept, 8);
		claim_release(&claim);
		pthread_join(thread, NULL);
		assert_memory_equal(slept_ns, ns, sizeof(ns));
		assert_int_equal(refused, 0);
	}
	stands_still = false;
}

static void who_holds_a_lock_waits_awake(void **state)
{
	pthread_t thread;

	(void)state;
	slept = refused = 0;
	claim_take(&claim);
	assert_int_equal(pthread_create(&thread, NULL, wait_out, &call), 0);
	wait_until(&refused, 8);
	claim_release(&claim);
	pthread_join(thread, NULL);
	assert_int_equal(slept, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_order_is_kept),
		cmocka_unit_test(it_is_known_whether_one_is_held),
		cmocka_unit_test(a_try_does_not_wait),
		cmocka_unit_test(one_holder_at_a_time),
		cmocka_unit_test(one_claim_at_a_time),
		cmocka_unit_test(a_claim_is_one_cpu_s),
		cmocka_unit_test(a_claim_has_its_place_in_the_order),
		cmocka_unit_test(a_claim_goes_to_who_came_first),
		cmocka_unit_test(who_waits_long_sleeps_long),
		cmocka_unit_test(who_holds_a_lock_waits_awake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
