/* SPDX-License-Identifier: MIT */
/*
 * Private and shared memory are two different things (APM volume 2, 15.34 and 15.36.6): what was
 * written on one side cannot be read on the other after a page state change.
 */
#include "tests/machine/guest/guest.h"

#define WORDS 512u

static void fill(volatile uint64_t *words, uint64_t seed)
{
	for (uint64_t i = 0; i < WORDS; i++)
		words[i] = seed + i * 0x0101010101010101ull;
}

static uint64_t count_of(volatile uint64_t *words, uint64_t seed)
{
	uint64_t count = 0;

	for (uint64_t i = 0; i < WORDS; i++)
		count += words[i] == seed + i * 0x0101010101010101ull;
	return count;
}

static const uint64_t secret = 0x5ec4e75ec4e75ec4, open = 0x09e409e409e409e4;

void test_main(void)
{
	volatile uint64_t *private_words = private_view(TEST_PAGE);
	volatile uint64_t *shared_words = shared_view(TEST_PAGE);
	struct pvalidate_result r;

	check("page state change to private (GHCB 2.3.1)", page_make_private(TEST_PAGE), 0x015);
	r = pvalidate(TEST_PAGE, 0, 1);
	check("PVALIDATE of a new page: EAX", r.eax, 0);
	check("PVALIDATE of a new page: CF", r.carry, 0);
	fill(private_words, secret);
	check("private memory keeps its bytes", count_of(private_words, secret), 512);

	check("PVALIDATE gives the page up: EAX", pvalidate(TEST_PAGE, 0, 0).eax, 0);
	check("page state change to shared (GHCB 2.3.1)", page_make_shared(TEST_PAGE), 0x015);
	check("private bytes in the shared view", count_of(shared_words, secret), 0);
	fill(shared_words, open);
	check("shared memory keeps its bytes", count_of(shared_words, open), 512);

	check("page state change to private again", page_make_private(TEST_PAGE), 0x015);
	r = pvalidate(TEST_PAGE, 0, 1);
	check("PVALIDATE after the change: EAX", r.eax, 0);
	check("PVALIDATE after the change: CF, for RMPUPDATE cleared Validated", r.carry, 0);
	check("shared bytes in the private view", count_of(private_words, open), 0);
	check("old private bytes, which were overwritten", count_of(private_words, secret), 0);
}
