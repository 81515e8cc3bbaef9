/* SPDX-License-Identifier: MIT */
/*
 * Work ahead: what it asks of the two services, when, and how much of a vCPU it takes. The services
 * and the clock are the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/arch/arch.h"
#include "monitor/log/log.h"
#include "monitor/mem/secret.h"
#include "monitor/protocol/ahead.h"
#include "monitor/protocol/protocol.h"
#include "monitor/service/service.h"

#define MS 1000000ull
#define S (1000 * MS)

static uint64_t now_ns = 5 * S;
static unsigned int waiting; /* orders that the vtpm has */
static unsigned int slices;  /* that a search wants beyond its first */
static unsigned int left;    /* of this search */
static uint64_t slice_ns;
static unsigned int delivered, asked, begun, warnings, lines;
static unsigned int made; /* how often the vtpm was told to make a key */
static unsigned int given_up;
static unsigned int preparing, prepared; /* turns that the twin wants, and has had */
static uint32_t keys;			 /* that the vtpm has left */
static size_t keys_size;
static bool stuck; /* and does not make */
static enum service_status keys_status;
static bool vtpm_busy, has_service, has_vtpm, has_twin;
static enum service_status search_status, vtpm_status;
static size_t found_size, order_size;
static struct prime_found found;
static const uint8_t *order_kept, *found_kept; /* by what is tested */

uint64_t arch_now_ns(void)
{
	return now_ns;
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)fmt;
	warnings += level == LOG_WARNING;
	lines++;
}

void secret_add(struct secret *secret, void *at, size_t size)
{
	(void)secret;
	assert_non_null(at);
	*(size == sizeof(struct prime_order) ? &order_kept : &found_kept) = at;
	assert_true(size == sizeof(struct prime_order) || size == sizeof(struct prime_found));
}

bool svsm_attest_prepare(void)
{
	now_ns += slice_ns;
	prepared++;
	return prepared < preparing;
}

bool service_available(enum service_role role)
{
	switch (role) {
	case SERVICE_VTPM:
		return has_vtpm;
	case SERVICE_TWIN:
		return has_twin;
	default:
		assert_int_equal(role, SERVICE_AHEAD);
		return has_service;
	}
}

enum service_status service_try(enum service_role role, uint32_t op, const void *payload,
				size_t size, void *reply, size_t reply_max, size_t *reply_size)
{
	assert_int_equal(role, SERVICE_VTPM);
	now_ns += MS;
	*reply_size = 0;
	if (vtpm_busy)
		return SERVICE_ERR_BUSY;
	if (vtpm_status)
		return vtpm_status;
	if (op == VTPM_OP_AHEAD_FOUND) {
		assert_int_equal(size, sizeof(found));
		assert_memory_equal(payload, &found, sizeof(found));
		delivered++;
		waiting--;
		return SERVICE_OK;
	}
	assert_int_equal(op, VTPM_OP_AHEAD_NEXT);
	assert_int_equal(size, 0);
	assert_int_equal(reply_max, sizeof(struct prime_order));
	asked++;
	if (!waiting)
		return SERVICE_OK;
	memset(reply, (int)waiting, order_size);
	*reply_size = order_size;
	return SERVICE_OK;
}

static enum service_progress go_on(struct service_answer *answer)
{
	*answer = (struct service_answer){ .status = SERVICE_OK };
	now_ns += slice_ns;
	if (left) {
		left--;
		return SERVICE_PENDING;
	}
	answer->status = search_status;
	if (search_status == SERVICE_OK) {
		answer->payload = (const uint8_t *)&found;
		answer->size = found_size;
	}
	return SERVICE_FINISHED;
}

enum service_progress service_call_start(enum service_role role, uint32_t op, const void *payload,
					 size_t size, bool keep, struct service_answer *answer)
{
	assert_int_equal(role, SERVICE_AHEAD);
	assert_int_equal(op, AHEAD_OP_FIND);
	assert_int_equal(size, sizeof(struct prime_order));
	assert_int_equal(*(const uint8_t *)payload, waiting);
	assert_false(keep);
	begun++;
	left = slices;
	memset(&found, 0x40 + (int)waiting, sizeof(found));
	return go_on(answer);
}

enum service_progress service_call_continue(enum service_role role, struct service_answer *answer)
{
	assert_int_equal(role, SERVICE_AHEAD);
	return go_on(answer);
}

enum service_status service_call(enum service_role role, uint32_t op, const void *payload,
				 size_t size, void *reply, size_t reply_max, size_t *reply_size)
{
	(void)payload;
	assert_int_equal(role, SERVICE_VTPM);
	assert_int_equal(op, VTPM_OP_KEYS);
	assert_int_equal(size, 0);
	assert_int_equal(reply_max, sizeof(keys));
	made++;
	if (keys_status)
		return keys_status;
	keys -= keys && !stuck;
	memcpy(reply, &keys, sizeof(keys));
	*reply_size = keys_size;
	return SERVICE_OK;
}

void service_give_up(enum service_role role, const char *why)
{
	assert_int_equal(role, SERVICE_VTPM);
	assert_non_null(why);
	given_up++;
	has_vtpm = false;
}

void service_answer_free(struct service_answer *answer)
{
	*answer = (struct service_answer){ .status = SERVICE_OK };
}

static int start(void **state)
{
	(void)state;
	now_ns += 5 * S;
	slices = 3;
	slice_ns = 10 * MS;
	vtpm_busy = false;
	has_service = has_vtpm = has_twin = true;
	search_status = vtpm_status = SERVICE_OK;
	found_size = sizeof(found);
	order_size = sizeof(struct prime_order);
	waiting = delivered = asked = begun = warnings = lines = made = given_up = 0;
	preparing = 1;
	prepared = 0;
	keys = 0;
	keys_size = sizeof(keys);
	keys_status = SERVICE_OK;
	stuck = false;
	return 0;
}

/* As the run loop does it, the guest running until it is due. Returns how many turns there were. */
static unsigned int run(unsigned int cpu, unsigned int most)
{
	unsigned int turns = 0;

	for (; ahead_due(cpu) && turns < most; turns++) {
		assert_false(ahead_due(cpu) > now_ns && ahead_turn(cpu));
		if (now_ns < ahead_due(cpu))
			now_ns = ahead_due(cpu);
		assert_true(ahead_turn(cpu));
	}
	return turns;
}

/*
 * Before the image says that the timer comes, nobody works, whatever the vtpm says. Has to be
 * first.
 */
static void nothing_without_a_start(void **state)
{
	(void)state;
	waiting = 1;
	ahead_wake(0);
	assert_int_equal(ahead_due(0), 0);
	assert_false(ahead_turn(0));
	has_service = has_twin = false;
	ahead_start(true);
	assert_int_equal(ahead_due(0), 0);
	assert_int_equal(asked, 0);
}

/* Keys that nobody will find primes for are made before the guest runs. */
static void keys_are_made_where_nothing_is_found_ahead(void **state)
{
	(void)state;
	waiting = 1;
	has_service = has_twin = false;
	keys = 3;
	ahead_start(true);
	assert_int_equal(made, 3); /* one in each request */
	assert_int_equal(keys, 0);
	has_service = has_twin = true;
	ahead_start(false);
	assert_int_equal(made, 4); /* none is left */
	/* Another vtpm, which has left none. */
	keys_status = SERVICE_ERR_UNSUPPORTED;
	ahead_start(false);
	assert_int_equal(made, 5);
	assert_int_equal(given_up, 0);
	has_vtpm = false;
	ahead_start(false);
	assert_int_equal(made, 5);
	assert_int_equal(warnings, 0);
	assert_int_equal(asked, 0);
	assert_int_equal(ahead_due(0), 0);
	ahead_wake(0);
	assert_int_equal(ahead_due(0), 0);
}

static void is_given_up(void)
{
	unsigned int before = given_up;

	has_vtpm = true;
	ahead_start(false);
	assert_int_equal(given_up, before + 1);
}

/* One that cannot make its keys ends as where it was to make them at first. */
static void a_vtpm_without_its_keys_is_given_up(void **state)
{
	(void)state;
	keys_status = SERVICE_ERR_FAILED;
	is_given_up();
	assert_int_equal(made, 1);
	/* Nor does one that lies keep the start for ever. */
	keys_status = SERVICE_OK;
	keys = 2;
	stuck = true;
	is_given_up();
	assert_int_equal(made, 3);
	keys = UINT32_MAX;
	is_given_up();
	assert_int_equal(made, 4);
	keys = 1;
	stuck = false;
	keys_size--;
	is_given_up();
	assert_int_equal(made, 5);
}

static void all_is_found_and_then_nothing_is_due(void **state)
{
	(void)state;
	waiting = 2;
	preparing = 3;
	ahead_start(true);
	/* Before the guest runs the vtpm is asked, and nothing else is done. */
	assert_int_equal(prepared, 0);
	assert_int_equal(asked, 1);
	assert_int_equal(begun, 0);
	assert_int_equal(ahead_due(1), 0); /* it is the first vCPU's */
	assert_false(ahead_turn(1));
	assert_true(ahead_due(0) > now_ns);
	assert_int_equal(run(0, 3), 3); /* the twin, which comes first */
	assert_int_equal(prepared, 3);
	assert_int_equal(asked, 1);
	/* Twice four slices, a delivery and a question. */
	assert_int_equal(run(0, 100), 12);
	assert_int_equal(prepared, 3);
	assert_int_equal(delivered, 2);
	assert_int_equal(begun, 2);
	assert_int_equal(asked, 3);
	assert_int_equal(ahead_due(0), 0);
	assert_int_equal(warnings, 0);
	assert_int_equal(lines, 1);
	assert_int_equal(made, 0);
}

/* Whoever hears of new work has it, until it is done. */
static void work_is_one_vcpus_at_a_time(void **state)
{
	(void)state;
	waiting = 1;
	ahead_wake(3);
	ahead_wake(1);
	assert_int_equal(ahead_due(1), 0);
	assert_true(run(3, 100) > 5);
	assert_int_equal(delivered, 1);
	waiting = 1;
	ahead_wake(1);
	assert_int_equal(ahead_due(3), 0);
	run(1, 100);
	assert_int_equal(delivered, 2);
	/* A call for nothing is one question. */
	ahead_wake(2);
	lines = 0;
	assert_int_equal(run(2, 100), 1);
	assert_int_equal(lines, 0);
}

/* However often it is asked for, and however long a step takes. */
static void no_more_than_a_twentieth(void **state)
{
	uint64_t began, worked = 0;

	(void)state;
	waiting = UINT8_MAX;
	ahead_wake(0);
	slice_ns = 37 * MS;
	began = now_ns;
	for (int i = 0; i < 400; i++) {
		uint64_t before = now_ns;

		ahead_wake(0);
		if (ahead_turn(0))
			worked += now_ns - before;
		else
			now_ns += 3 * MS;
		if (i % 7 == 0 && !waiting)
			waiting = UINT8_MAX;
	}
	now_ns = ahead_due(0);
	assert_true(worked > 0);
	assert_true(worked * AHEAD_SHARE <= now_ns - began);
	waiting = 1;
	run(0, 1000);
}

/* A vtpm that is in use is not waited for, and not asked more often than ten times a second. */
static void a_busy_vtpm_is_not_waited_for(void **state)
{
	uint64_t began;

	(void)state;
	waiting = 1;
	vtpm_busy = true;
	ahead_wake(0);
	began = now_ns;
	assert_int_equal(run(0, 50), 50);
	assert_true(now_ns - began >= 49 * 100 * MS);
	assert_int_equal(begun, 0);
	vtpm_busy = false;
	run(0, 5); /* up to the delivery */
	assert_int_equal(begun, 1);
	vtpm_busy = true;
	assert_int_equal(run(0, 20), 20);
	assert_int_equal(delivered, 0);
	vtpm_busy = false;
	run(0, 100);
	assert_int_equal(delivered, 1);
	assert_int_equal(ahead_due(0), 0);
}

static bool is_empty(const uint8_t *at, size_t size)
{
	while (size && !at[size - 1])
		size--;
	return !size;
}

/* Also of a worker that goes on, or that the host stops in between. */
static void nothing_is_kept_longer_than_it_takes(void **state)
{
	(void)state;
	ahead_init();
	waiting = 2;
	ahead_start(true);
	assert_int_equal(run(0, 1), 1); /* the twin */
	assert_false(is_empty(order_kept, sizeof(struct prime_order)));
	assert_int_equal(run(0, 4), 4); /* the search */
	assert_true(is_empty(order_kept, sizeof(struct prime_order)));
	assert_false(is_empty(found_kept, sizeof(found)));
	vtpm_busy = true;
	assert_int_equal(run(0, 1), 1);
	assert_false(is_empty(found_kept, sizeof(found)));
	vtpm_busy = false;
	assert_int_equal(run(0, 1), 1); /* the delivery */
	assert_int_equal(delivered, 1);
	assert_true(is_empty(found_kept, sizeof(found)));
	ahead_wake(1); /* nobody takes over */
	assert_int_equal(ahead_due(1), 0);
	run(0, 100);
	assert_int_equal(delivered, 2);
}

/* The keys are made before the guest runs, or left for later where it runs by then. */
static void fails_for_good(unsigned int keys_made)
{
	waiting = 1;
	keys = 2;
	ahead_start(true);
	assert_int_equal(made, keys_made);
	run(0, 100);
	assert_int_equal(prepared, 1);
	assert_int_equal(made, keys_made);
	assert_int_equal(given_up, 0);
	assert_int_equal(warnings, 1);
	ahead_wake(0);
	assert_int_equal(ahead_due(0), 0);
	assert_int_equal(delivered, 0);
	(void)start(NULL);
}

/* A libtpms that takes no primes, a service that is gone: one line, and nothing more. */
static void what_fails_is_not_tried_again(void **state)
{
	(void)state;
	search_status = SERVICE_ERR_UNSUPPORTED;
	fails_for_good(0);
	found_size--;
	fails_for_good(0);
	order_size--;
	fails_for_good(2);
	vtpm_status = SERVICE_ERR_FAILED;
	fails_for_good(2);
}

/* One that gives neither an order nor its keys ends before the guest runs. */
static void a_vtpm_without_orders_and_keys_is_given_up(void **state)
{
	(void)state;
	vtpm_status = keys_status = SERVICE_ERR_FAILED;
	ahead_start(true);
	assert_int_equal(given_up, 1);
	assert_int_equal(ahead_due(0), 0);
	assert_int_equal(prepared, 0);
}

/* What the guest does to its TPM before the first turn changes nothing of the order. */
static void the_first_order_is_from_before_the_guest(void **state)
{
	(void)state;
	waiting = 1;
	ahead_start(true);
	vtpm_status = SERVICE_ERR_FAILED;
	assert_int_equal(run(0, 5), 5); /* the twin, and the whole search */
	assert_int_equal(begun, 1);
	assert_int_equal(warnings, 0);
	vtpm_status = SERVICE_OK;
	run(0, 100);
	assert_int_equal(delivered, 1);
}

/* Where nothing is to be found the twin is all there is, until the vtpm has work. */
static void the_twin_is_made_ready_without_orders(void **state)
{
	(void)state;
	preparing = 2;
	ahead_start(true);
	assert_int_equal(asked, 1);
	assert_int_equal(run(0, 100), 2);
	assert_int_equal(prepared, 2);
	assert_int_equal(asked, 1);
	assert_int_equal(lines, 0);
	waiting = 1;
	ahead_wake(1);
	run(1, 100);
	assert_int_equal(delivered, 1);
}

/* Where no primes are found the twin is made ready all the same, and nothing else is done ever. */
static void the_twin_needs_nobody_for_primes(void **state)
{
	(void)state;
	has_service = false;
	waiting = 1;
	keys = 2;
	preparing = 3;
	ahead_start(true);
	assert_int_equal(made, 2);
	assert_int_equal(prepared, 0);
	assert_int_equal(run(0, 100), 3);
	assert_int_equal(prepared, 3);
	ahead_wake(0);
	assert_int_equal(ahead_due(0), 0);
	assert_int_equal(asked + begun + lines, 0);
	/* Not where the timer does not come. */
	(void)start(NULL);
	ahead_start(false);
	assert_int_equal(ahead_due(0), 0);
}

/* Nor do primes need the twin. */
static void primes_need_no_twin(void **state)
{
	(void)state;
	has_twin = false;
	waiting = 1;
	ahead_start(true);
	assert_int_equal(run(0, 100), 6); /* four slices, a delivery, a question */
	assert_int_equal(delivered, 1);
	assert_int_equal(prepared, 0);
	/* Without an order there is no turn, until the vtpm has one. */
	ahead_start(true);
	assert_int_equal(ahead_due(0), 0);
	waiting = 1;
	ahead_wake(0);
	assert_int_equal(run(0, 100), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_without_a_start, start),
		cmocka_unit_test_setup(keys_are_made_where_nothing_is_found_ahead, start),
		cmocka_unit_test_setup(a_vtpm_without_its_keys_is_given_up, start),
		cmocka_unit_test_setup(all_is_found_and_then_nothing_is_due, start),
		cmocka_unit_test_setup(work_is_one_vcpus_at_a_time, start),
		cmocka_unit_test_setup(no_more_than_a_twentieth, start),
		cmocka_unit_test_setup(a_busy_vtpm_is_not_waited_for, start),
		cmocka_unit_test_setup(nothing_is_kept_longer_than_it_takes, start),
		cmocka_unit_test_setup(what_fails_is_not_tried_again, start),
		cmocka_unit_test_setup(a_vtpm_without_orders_and_keys_is_given_up, start),
		cmocka_unit_test_setup(the_first_order_is_from_before_the_guest, start),
		cmocka_unit_test_setup(the_twin_is_made_ready_without_orders, start),
		cmocka_unit_test_setup(the_twin_needs_nobody_for_primes, start),
		cmocka_unit_test_setup(primes_need_no_twin, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
