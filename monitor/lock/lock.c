/* SPDX-License-Identifier: MIT */
#include "monitor/lock/lock.h"

#include "monitor/arch/arch.h"
#include "monitor/base/die.h"
#include "monitor/base/limits.h"

#define HELD_MAX 8u

/* The locks that one CPU holds, in the order in which it took them. Only that CPU looks. */
struct held_locks {
	const struct lock *locks[HELD_MAX];
	unsigned int count;
};

static struct held_locks held_by_cpu[MONITOR_CPUS_MAX];

static struct held_locks *held_here(void)
{
	return &held_by_cpu[arch_cpu_index()];
}

static void check_order(const struct held_locks *held, const struct lock *lock)
{
	assert_own(held->count < HELD_MAX, "too many locks held");
	assert_own(!held->count || held->locks[held->count - 1]->rank < lock->rank,
		   "lock taken out of order");
}

void lock_acquire(struct lock *lock)
{
	struct held_locks *held = held_here();

	check_order(held, lock);

	uint32_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket)
		__builtin_ia32_pause();
	held->locks[held->count++] = lock;
}

bool lock_try(struct lock *lock)
{
	struct held_locks *held = held_here();
	uint32_t ticket = __atomic_load_n(&lock->serving, __ATOMIC_RELAXED);

	check_order(held, lock);
	/* The ticket that is served is drawn by nobody yet: the lock is free, and then ours. */
	if (!__atomic_compare_exchange_n(&lock->next, &ticket, ticket + 1, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return false;
	held->locks[held->count++] = lock;
	return true;
}

bool lock_any_held(void)
{
	return held_here()->count != 0;
}

bool lock_held_below(enum lock_rank rank)
{
	const struct held_locks *held = held_here();

	return held->count && held->locks[held->count - 1]->rank > rank;
}

void lock_release(struct lock *lock)
{
	struct held_locks *held = held_here();

	assert_own(held->count && held->locks[held->count - 1] == lock,
		   "lock released out of order");
	held->count--;
	__atomic_store_n(&lock->serving, lock->serving + 1, __ATOMIC_RELEASE);
}
