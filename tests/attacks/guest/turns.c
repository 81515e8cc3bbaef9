/* SPDX-License-Identifier: MIT */
/*
 * TPM commands in turns (docs/spec/vtpm-in-turns.md): a key that takes seconds, and who comes
 * between.
 */
#include <string.h>

#include "tests/attacks/guest/attack.h"

#define VTPM_CMD 0x200000001ull
#define IN_TURNS 0x80000008u
#define AT_ONCE 8u
#define INCOMPLETE 0x80000000ull
#define TURNS_MAX 100000u
#define KEY_BITS_AT 53u /* in create_primary[], 16 bits */

/*
 * TPM 2.0 Library, part 3: 24.1, of the owner's hierarchy, a storage key with RSA, AES-128 and
 * SHA-256.
 */
static const uint8_t create_primary[] = {
	0x80, 0x02, 0,	  0, 0,	   0x43, 0,    0,    0x01, 0x31, 0x40, 0, 0, 0x01, 0,	 0, 0,
	9,    0x40, 0,	  0, 9,	   0,	 0,    0,    0,	   0,	 0,    4, 0, 0,	   0,	 0, 0,
	0x1a, 0,    0x01, 0, 0x0b, 0,	 0x03, 0x04, 0x72, 0,	 0,    0, 6, 0,	   0x80, 0, 0x43,
	0,    0x10, 0x0c, 0, 0,	   0,	 0,    0,    0,	   0,	 0,    0, 0, 0,	   0,	 0,
};
_Static_assert(sizeof(create_primary) == 0x43, "as it says");
/* 28.4, of the first transient object; 16.1, 8 bytes */
static const uint8_t flush[] = { 0x80, 0x01, 0, 0, 0, 14, 0, 0, 0x01, 0x65, 0x80, 0, 0, 0 };
static const uint8_t get_random[] = { 0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7b, 0, 8 };

/* 24.6, by the lockout, whose authorization is empty */
static const uint8_t clear[] = { 0x80, 0x02, 0, 0, 0,	 27, 0, 0, 0x01, 0x26, 0x40, 0, 0, 0x0a,
				 0,    0,    0, 9, 0x40, 0,  0, 9, 0,	 0,    0,    0, 0 };

static uint64_t longest;

static uint32_t word(uint64_t at)
{
	uint32_t value;

	memcpy(&value, (const void *)at, 4);
	return __builtin_bswap32(value);
}

static void put(uint64_t page, uint32_t how, const uint8_t *command, uint32_t size)
{
	memset((void *)page, 0, 4096);
	memcpy((void *)page, &how, 4);
	memcpy((void *)(page + 5), &size, 4);
	memcpy((void *)(page + 9), command, size);
}

static uint64_t turn(uint64_t page)
{
	uint64_t start = cpu_tsc(), result = svsm_call(VTPM_CMD, page, 0, 0);
	uint64_t took = cpu_tsc() - start;

	if (took > longest)
		longest = took;
	return result;
}

/* Until it is done: how many turns it took besides the last. */
static unsigned int finish(uint64_t page)
{
	uint64_t result = INCOMPLETE;
	unsigned int turns = 0;

	while ((result = turn(page)) == INCOMPLETE && turns < TURNS_MAX)
		turns++;
	expect("the result", result, 0);
	return turns;
}

static void expect_response(const char *what, uint64_t page)
{
	expect(what, word(page + 10), 0);
}

static void at_once(const uint8_t *command, uint32_t size)
{
	uint64_t page = page_new();

	put(page, AT_ONCE, command, size);
	expect("a call without turns", svsm_call(VTPM_CMD, page, 0, 0), 0);
	expect_response("its response code", page);
}

static uint64_t new_key(uint16_t bits)
{
	uint8_t command[sizeof(create_primary)];
	uint64_t page = page_new();

	memcpy(command, create_primary, sizeof(command));
	command[KEY_BITS_AT] = (uint8_t)(bits >> 8);
	command[KEY_BITS_AT + 1] = (uint8_t)bits;
	put(page, IN_TURNS, command, sizeof(command));
	return page;
}

static void long_command(void)
{
	uint64_t page = new_key(BITS);
	unsigned int turns = finish(page);

	expect_response("TPM2_CreatePrimary", page);
	expect("a transient object", word(page + 14), 0x80000000);
	note("%u turns, longest stop %lu", turns + 1, longest);
	at_once(flush, sizeof(flush));
}

/* Its response waits for its caller, who has it by one call. */
static void stock_call(void)
{
	uint64_t page = new_key(2048), start, took;

	expect("the first turn", turn(page), INCOMPLETE);
	at_once(get_random, sizeof(get_random));
	start = cpu_tsc();
	expect("what was finished for another", svsm_call(VTPM_CMD, page, 0, 0), 0);
	took = cpu_tsc() - start;
	expect_response("TPM2_CreatePrimary", page);
	note("fetched in %lu", took);
	at_once(flush, sizeof(flush));
}

static void changed_bytes(void)
{
	uint64_t page = new_key(2048);

	expect("the first turn", turn(page), INCOMPLETE);
	put(page, IN_TURNS, get_random, sizeof(get_random));
	(void)finish(page);
	expect_response("TPM2_GetRandom", page);
	expect("its size", word(page + 6), 20);
	at_once(flush, sizeof(flush)); /* the key was made: half of it cannot be taken back */
}

/*
 * A call without turns in which the vtpm learns anew what is to be found ahead: what that takes is
 * short of a turn by far, and so is no turn of its own.
 */
static void learning(void)
{
	uint64_t page = page_new(), start, took;
	struct stops stops = stops_watch(WORK_AHEAD_TURNS); /* it has begun to work ahead */

	expect("Socle has worked ahead", stops.count, WORK_AHEAD_TURNS);
	note("%u stops, longest %lu", stops.count, stops.longest);
	put(page, AT_ONCE, clear, sizeof(clear));
	start = cpu_tsc();
	expect("TPM2_Clear", svsm_call(VTPM_CMD, page, 0, 0), 0);
	took = cpu_tsc() - start;
	expect_response("its response code", page);
	note("cleared in %lu", took);
}

static uint64_t shared_page;

static void other_turns(void)
{
	(void)finish(shared_page);
}

/* Whoever brings the same bytes, on whatever vCPU, goes on. */
static void other_vcpu(void)
{
	shared_page = new_key(2048);
	expect("the first turn", turn(shared_page), INCOMPLETE);
	cpu_begin(1, other_turns);
	cpu_end(1);
	expect_response("TPM2_CreatePrimary", shared_page);
	at_once(flush, sizeof(flush));
}

const struct rule rules[] = {
	{ "a long command", "docs/spec/vtpm-in-turns.md 4.1", long_command, 1 },
	{ "a call without turns between", "docs/spec/vtpm-in-turns.md 4.4", stock_call, 1 },
	{ "other bytes in the page", "docs/spec/vtpm-in-turns.md 4.5", changed_bytes, 1 },
	{ "a call in which the vtpm learns", "docs/decisions/017", learning, 1 },
	{ "another vCPU", "docs/spec/vtpm-in-turns.md 3", other_vcpu, 2 },
	{ NULL, NULL, NULL, 0 },
};
