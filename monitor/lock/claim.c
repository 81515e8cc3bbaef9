/* SPDX-License-Identifier: MIT */
#include "monitor/lock/claim.h"

#include "monitor/arch/arch.h"
#include "monitor/base/die.h"
#include "monitor/lock/lock.h"

#define LOOK_NS 20000ull /* before the first sleep, which costs some exits */
#define LOOKS_MAX 10000u /* also where the clock stands still */
#define FIRST_SLEEP_NS 50000ull
#define LONGEST_SLEEP_NS 2000000ull

static uint32_t self(void)
{
	return arch_cpu_index() + 1;
}

static bool is_own(const struct claim *claim)
{
	return __atomic_load_n(&claim->holder, __ATOMIC_RELAXED) == self();
}

static void check_order(const struct claim *claim)
{
	assert_own(!lock_held_below(LOCK_RANK_CALL), "claim taken out of order");
	assert_own(!is_own(claim), "claim taken twice");
}

static void set_holder(struct claim *claim, uint32_t holder)
{
	__atomic_store_n(&claim->holder, holder, __ATOMIC_RELAXED);
}

static bool is_served(const struct claim *claim, uint32_t ticket)
{
	return __atomic_load_n(&claim->serving, __ATOMIC_ACQUIRE) == ticket;
}

/* The holder may be about to end. Whether it was. */
static bool look_a_while(const struct claim *claim, uint32_t ticket)
{
	uint64_t start = arch_now_ns();

	for (unsigned int i = 0; i < LOOKS_MAX && arch_now_ns() - start < LOOK_NS; i++) {
		if (is_served(claim, ticket))
			return true;
		__builtin_ia32_pause();
	}
	return false;
}

static void wait_for_turn(const struct claim *claim, uint32_t ticket)
{
	uint64_t sleep = FIRST_SLEEP_NS;

	if (is_served(claim, ticket) || look_a_while(claim, ticket))
		return;
	while (!is_served(claim, ticket)) {
		if (!arch_sleep(sleep))
			__builtin_ia32_pause();
		sleep = sleep < LONGEST_SLEEP_NS / 2 ? sleep * 2 : LONGEST_SLEEP_NS;
	}
}

void claim_take(struct claim *claim)
{
	check_order(claim);
	wait_for_turn(claim, __atomic_fetch_add(&claim->next, 1, __ATOMIC_RELAXED));
	set_holder(claim, self());
}

bool claim_try(struct claim *claim)
{
	uint32_t ticket = __atomic_load_n(&claim->serving, __ATOMIC_RELAXED);

	check_order(claim);
	/* The ticket that is served is drawn by nobody yet: it is free, and then ours. */
	if (!__atomic_compare_exchange_n(&claim->next, &ticket, ticket + 1, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return false;
	set_holder(claim, self());
	return true;
}

void claim_release(struct claim *claim)
{
	assert_own(is_own(claim), "claim released that another CPU has");
	set_holder(claim, 0);
	__atomic_fetch_add(&claim->serving, 1, __ATOMIC_RELEASE);
}
