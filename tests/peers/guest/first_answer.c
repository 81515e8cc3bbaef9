/* SPDX-License-Identifier: MIT */
/*
 * The first answers of an SVSM's vTPM: what a guest's firmware has from it first. It prints nothing
 * of its own, so that what is counted until its end is the SVSM's; ../first_answer_test.py runs it.
 */
#include <string.h>

#include "tests/attacks/guest/attack.h"

#define VTPM_CMD 0x200000001ull
#define RC_INITIALIZE 0x100u /* TPM2_Startup was made already, by the SVSM */
#define RANDOM_BYTES 8u

/* TPM 2.0 Library, part 3: 9.3, clear; 16.1 */
static const uint8_t startup[] = { 0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0 };
static const uint8_t get_random[] = { 0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7b, 0, RANDOM_BYTES };

/* 24.1, of the owner's hierarchy, a storage key on P-256 with AES-128 and SHA-256 */
static const uint8_t create_primary[] = {
	0x80, 0x02, 0,	  0, 0,	   0x43, 0,    0,    0x01, 0x31, 0x40, 0, 0, 0x01, 0,	 0, 0,
	9,    0x40, 0,	  0, 9,	   0,	 0,    0,    0,	   0,	 0,    4, 0, 0,	   0,	 0, 0,
	0x1a, 0,    0x23, 0, 0x0b, 0,	 0x03, 0x04, 0x72, 0,	 0,    0, 6, 0,	   0x80, 0, 0x43,
	0,    0x10, 0,	  3, 0,	   0x10, 0,    0,    0,	   0,	 0,    0, 0, 0,	   0,	 0,
};
_Static_assert(sizeof(create_primary) == 0x43, "as it says");

static uint32_t word(uint64_t at)
{
	uint32_t value;

	memcpy(&value, (const void *)at, 4);
	return __builtin_bswap32(value);
}

/* The response's code; the response is behind its size, at page + 4. */
static uint32_t run(uint64_t page, const uint8_t *command, uint32_t size)
{
	const struct svsm_vtpm_cmd_req req = { .command = 8, .size = size };

	memset((void *)page, 0, 4096);
	memcpy((void *)page, &req, 9);
	memcpy((void *)(page + 9), command, size);
	expect("TPM_SEND_COMMAND", svsm_call(VTPM_CMD, page, 0, 0), 0);
	return word(page + 10);
}

static void first_answer(void)
{
	uint64_t page;
	uint32_t code;

	if (ANSWERS == 0)
		return;
	page = page_new();
	code = run(page, startup, sizeof(startup));
	expect("TPM2_Startup", code == 0 || code == RC_INITIALIZE, true);
	if (ANSWERS == 1)
		return;
	expect("TPM2_GetRandom", run(page, get_random, sizeof(get_random)), 0);
	expect("its size", word(page + 6), 12 + RANDOM_BYTES);
	expect("its bytes are not zeros", word(page + 16) || word(page + 20), true);
	if (ANSWERS > 2)
		expect("TPM2_CreatePrimary", run(page, create_primary, sizeof(create_primary)), 0);
}

const struct rule rules[] = {
	{ "the vTPM answers", "58019, 8", first_answer, 1 },
	{ 0 },
};
