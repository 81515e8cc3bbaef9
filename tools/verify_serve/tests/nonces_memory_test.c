/* SPDX-License-Identifier: MIT */
/* The store of nonces in memory: its bound, its clock, and that no two threads get the same one. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first. */
#include <cmocka.h>

#include "tools/verify_serve/nonces.h"

#define LIFE_MS (NONCE_LIFE_S * 1000ull)
#define THREADS 4u
#define ROUNDS 20000u
#define SHARED 64u

/*
 * Nonces that differ in their last bytes alone, so that all of them are in one chain, or in their
 * first.
 */
static void make(uint8_t nonce[NONCE_SIZE], uint32_t number, bool chained)
{
	memset(nonce, 0x5a, NONCE_SIZE);
	memcpy(chained ? nonce + NONCE_SIZE - sizeof(number) : nonce, &number, sizeof(number));
}

static enum nonce_result put(struct nonce_store *s, uint32_t number, bool chained, uint64_t now)
{
	uint8_t nonce[NONCE_SIZE];

	make(nonce, number, chained);
	return s->put(s, nonce, NULL, now);
}

static enum nonce_result take(struct nonce_store *s, uint32_t number, bool chained, uint64_t now)
{
	uint8_t nonce[NONCE_SIZE];
	char record[NONCE_RECORD_MAX] = "what was there before";
	enum nonce_result result;

	make(nonce, number, chained);
	result = s->take(s, nonce, record, now);
	assert_string_equal(record, "");
	return result;
}

static void test_once(void **state)
{
	struct nonce_store *s = nonces_in_memory(4);

	(void)state;
	assert_int_equal(take(s, 1, false, 0), NONCE_UNKNOWN);
	assert_int_equal(put(s, 1, false, 0), NONCE_OK);
	assert_int_equal(take(s, 2, false, 0), NONCE_UNKNOWN);
	assert_int_equal(take(s, 1, false, 0), NONCE_OK);
	assert_int_equal(take(s, 1, false, 0), NONCE_UNKNOWN);
	assert_int_equal(s->held(s, 0), 0);
	s->free(s);
}

static void test_end(void **state)
{
	struct nonce_store *s = nonces_in_memory(4);

	(void)state;
	put(s, 1, false, 1000);
	put(s, 2, false, 1000);
	put(s, 3, false, 2000);
	assert_int_equal(take(s, 1, false, 1000 + LIFE_MS - 1), NONCE_OK);
	assert_int_equal(s->held(s, 1000 + LIFE_MS - 1), 2);
	assert_int_equal(take(s, 2, false, 1000 + LIFE_MS), NONCE_UNKNOWN);
	assert_int_equal(s->held(s, 1000 + LIFE_MS), 1);
	assert_int_equal(take(s, 3, false, 1000 + LIFE_MS), NONCE_OK);
	s->free(s);
}

static void test_bound(void **state)
{
	struct nonce_store *s = nonces_in_memory(3);

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(put(s, i, false, i), NONCE_OK);
	assert_int_equal(put(s, 3, false, 3), NONCE_FULL);
	assert_int_equal(s->held(s, 3), 3);
	/* One that came back makes room for one, and so does one whose time is over. */
	assert_int_equal(take(s, 1, false, 3), NONCE_OK);
	assert_int_equal(put(s, 4, false, 4), NONCE_OK);
	assert_int_equal(put(s, 5, false, 5), NONCE_FULL);
	assert_int_equal(put(s, 6, false, LIFE_MS), NONCE_OK);
	assert_int_equal(put(s, 7, false, LIFE_MS), NONCE_FULL);
	assert_int_equal(take(s, 0, false, LIFE_MS), NONCE_UNKNOWN);
	assert_int_equal(take(s, 2, false, LIFE_MS), NONCE_OK);
	s->free(s);
}

/* The record of a challenge comes back with its nonce, once, and is given up with it. */
static void test_record(void **state)
{
	struct nonce_store *s = nonces_in_memory(2);
	char record[NONCE_RECORD_MAX], longest[NONCE_RECORD_MAX];
	uint8_t nonce[NONCE_SIZE];

	(void)state;
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	make(nonce, 1, false);
	assert_int_equal(s->put(s, nonce, NULL, 0), NONCE_OK);
	assert_int_equal(take(s, 1, false, 0), NONCE_OK);
	assert_int_equal(s->put(s, nonce, longest, 5), NONCE_OK);
	assert_int_equal(s->take(s, nonce, record, 6), NONCE_OK);
	assert_string_equal(record, longest);
	assert_int_equal(s->take(s, nonce, record, 6), NONCE_UNKNOWN);
	assert_string_equal(record, "");
	/* Its place is used again, by one without a record. */
	assert_int_equal(put(s, 2, false, 6), NONCE_OK);
	assert_int_equal(put(s, 3, false, 6), NONCE_OK);
	assert_int_equal(s->put(s, nonce, "full", 6), NONCE_FULL);
	assert_int_equal(take(s, 2, false, 6), NONCE_OK);
	assert_int_equal(take(s, 3, false, 6), NONCE_OK);
	/*
	 * It lives from when it was put, and what is over, or still held at the end, leaks nothing.
	 */
	assert_int_equal(s->put(s, nonce, "over", 10), NONCE_OK);
	assert_int_equal(s->take(s, nonce, record, 10 + LIFE_MS), NONCE_UNKNOWN);
	assert_string_equal(record, "");
	assert_int_equal(s->put(s, nonce, "held", 10), NONCE_OK);
	s->free(s);
}

/* Against a plain model: which numbers are in it, and since when. */
static void test_model(void **state)
{
	static uint64_t since[2][256];
	struct nonce_store *s = nonces_in_memory(100);
	uint64_t now = 1, random = 1;

	(void)state;
	for (unsigned int i = 0; i < 200000; i++) {
		uint32_t number;
		size_t held = 0;
		bool chained;
		uint64_t *at;

		random = random * 6364136223846793005ull + 1442695040888963407ull;
		number = random >> 33 & 255;
		chained = random >> 41 & 1;
		now += random >> 42 & 2047;
		at = &since[chained][number];
		for (unsigned int n = 0; n < 512; n++) {
			uint64_t *one = &since[n / 256][n % 256];

			if (*one && *one + LIFE_MS <= now)
				*one = 0;
			held += *one != 0;
		}
		if (random >> 60 & 1 || *at) {
			assert_int_equal(take(s, number, chained, now),
					 *at ? NONCE_OK : NONCE_UNKNOWN);
			*at = 0;
		} else if (put(s, number, chained, now) == NONCE_OK) {
			assert_in_range(held, 0, 99);
			*at = now;
		} else {
			assert_int_equal(held, 100);
		}
	}
	s->free(s);
}

struct thread {
	struct nonce_store *store;
	uint32_t first;
	unsigned int taken, given;
};

/* Gives out its own, and takes everybody's. */
static void *race(void *argument)
{
	struct thread *t = argument;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		if (i % 8 == 0)
			t->given += put(t->store, t->first + i, true, 0) == NONCE_OK;
		for (uint32_t n = 0; n < THREADS; n++)
			t->taken += take(t->store, n * ROUNDS + i / 8 * 8, true, 0) == NONCE_OK;
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct thread threads[THREADS];
	pthread_t ids[THREADS];
	struct nonce_store *s = nonces_in_memory(SHARED);
	unsigned int taken = 0, given = 0;

	(void)state;
	for (uint32_t i = 0; i < THREADS; i++) {
		threads[i] = (struct thread){ s, i * ROUNDS, 0, 0 };
		assert_int_equal(pthread_create(&ids[i], NULL, race, &threads[i]), 0);
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_join(ids[i], NULL);
		taken += threads[i].taken;
		given += threads[i].given;
	}
	assert_int_equal(taken + s->held(s, 0), given);
	assert_in_range(given, 1, THREADS * ROUNDS / 8);
	s->free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),  cmocka_unit_test(test_end),
		cmocka_unit_test(test_bound), cmocka_unit_test(test_record),
		cmocka_unit_test(test_model), cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
