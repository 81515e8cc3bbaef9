/* SPDX-License-Identifier: MIT */
/*
 * The twin, which makes keys for attestation and begins while the guest runs: a guest that asks for
 * a key at once, or one that leaves Socle the time to be ready before, and how long its vCPU stands
 * still meanwhile; or a twin that cannot begin (docs/services.md).
 */
#include <string.h>

#include "tests/attacks/guest/attack.h"

#define CALL_EXTENDED 0x100000002ull
#define VTPM_COMMAND 0x200000001ull
#define INCOMPLETE 0x80000000ull
#define TURNS_MAX 100000u

#define VTPM                                                                                      \
	0xeb, 0xf1, 0x76, 0xc4, 0x23, 0x01, 0xa5, 0x45, 0x96, 0x41, 0xb4, 0xe7, 0xdd, 0xe5, 0xbf, \
		0xe3
#define UNIQUE_AT 30u /* of x in selector[] */
#define UNIQUE_SIZE 32u

/*
 * docs/spec/create-and-attest.md, section 3, kind 1: a restricted signing key, ECDSA with SHA-256
 * on P-256, none of a profile's, for those have no bytes in x and y.
 */
static const uint8_t selector[] = { 1,	  0,	0,    0,    0,	  0,	0,    0,    0x00, 0x23,
				    0x00, 0x0b, 0x00, 0x05, 0x00, 0x72, 0x00, 0x00, 0x00, 0x10,
				    0x00, 0x18, 0x00, 0x0b, 0x00, 0x03, 0x00, 0x10, 0x00, 0x20 };
_Static_assert(sizeof(selector) == UNIQUE_AT, "x is behind it");

/* 16.1, 8 bytes */
static const uint8_t get_random[] = { 0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7b, 0, 8 };

/* Of the owner, by an empty password: from now on it is "a" (part 3, 24.8). */
static const uint8_t change_auth[] = { 0x80, 0x02, 0, 0, 0, 30, 0, 0, 0x01, 0x29,
				       0x40, 0,	   0, 1, 0, 0,	0, 9, 0x40, 0,
				       0,    9,	   0, 0, 0, 0,	0, 0, 1,    'a' };
#define HIERARCHY_AT 13u
#define OWNER 0x01u
#define ENDORSEMENT 0x0bu

static uint64_t longest;

static uint64_t timed_call(uint64_t call, uint64_t page)
{
	uint64_t start = cpu_tsc(), result = svsm_call(call, page, 0, 0);
	uint64_t took = cpu_tsc() - start;

	if (took > longest)
		longest = took;
	return result;
}

/* Returns the response's size. */
static unsigned int tpm_command(const uint8_t *command, uint32_t size)
{
	uint64_t page = page_new();
	const struct svsm_vtpm_cmd_req req = { .command = 8, .size = size };

	memcpy((void *)page, &req, 9);
	memcpy((void *)(page + 9), command, size);
	expect("TPM command", timed_call(VTPM_COMMAND, page), 0);
	return *(const uint8_t *)page;
}

/* Of the guest's own TPM, which goes on whatever the twin does. */
static void use_tpm(void)
{
	expect("TPM2_GetRandom", tpm_command(get_random, sizeof(get_random)), 20);
}

/* So that no key is made by an empty password any more. A response that says so has 19 bytes. */
static void take_hierarchy(uint8_t hierarchy)
{
	uint8_t command[sizeof(change_auth)];

	memcpy(command, change_auth, sizeof(command));
	command[HIERARCHY_AT] = hierarchy;
	expect("TPM2_HierarchyChangeAuth", tpm_command(command, sizeof(command)), 19);
}

/* A call for a key that differs from others by which. */
static uint64_t put_call(uint8_t which)
{
	uint64_t block = page_new(), report = page_new(), manifest = page_new();
	uint8_t *rest = (uint8_t *)block + 0x100, *at = rest + 64;
	struct svsm_attest_op_ex *op = (struct svsm_attest_op_ex *)block;

	memset(rest, 0x6e, 64);
	memcpy(at, selector, sizeof(selector));
	memset(at + UNIQUE_AT, which, UNIQUE_SIZE);
	memcpy(at + UNIQUE_AT + UNIQUE_SIZE, "\x00\x20", 2);
	memset(at + UNIQUE_AT + UNIQUE_SIZE + 2, which, UNIQUE_SIZE);
	*op = (struct svsm_attest_op_ex){
		.base = {
			.report = { report, 4096, 0 },
			.nonce = { (uint64_t)rest, 64, 0 },
			.manifest = { manifest, 4096, 0 },
			.service = { { VTPM } },
			.manifest_version = 1,
		},
		.selector = { (uint64_t)at, UNIQUE_AT + 2 * UNIQUE_SIZE + 2, 0 },
	};
	return block;
}

/* Until it is done, with something else to do between two turns: how many these were. */
static unsigned int make_key(uint8_t which, uint64_t wanted)
{
	uint64_t block = put_call(which), result;
	unsigned int turns = 1;

	while ((result = timed_call(CALL_EXTENDED, block)) == INCOMPLETE && turns < TURNS_MAX) {
		turns++;
		use_tpm();
	}
	expect("the key", result, wanted);
	return turns;
}

/* Nobody asks for anything; TSC is looked at again and again, and jumps when Socle has the vCPU. */
static void wait_for_work_ahead(void)
{
	struct stops stops = stops_watch(AHEAD);

	note("%u stops, longest %lu", stops.count, stops.longest);
	expect("Socle has worked ahead", stops.count, AHEAD);
}

static void first_key(void)
{
	unsigned int turns;

	if (AHEAD) {
		/* What is to be found for these was said before. */
		take_hierarchy(OWNER);
		take_hierarchy(ENDORSEMENT);
		wait_for_work_ahead();
	}
	turns = make_key(1, KEY_RESULT);
	note("the first key: %u turns, longest stop %lu", turns, longest);
}

static void second_key(void)
{
	unsigned int turns = make_key(2, KEY_RESULT);

	note("the second key: %u turns, longest stop %lu", turns, longest);
	use_tpm();
}

/* Whoever asks on another vCPU comes to the same twin, and waits for its start as the first. */
static void key_of_another(void)
{
	(void)make_key(3, KEY_RESULT);
}

static void other_vcpu(void)
{
	uint64_t block = put_call(4), result;

	cpu_begin(1, key_of_another);
	do
		result = svsm_call(CALL_EXTENDED, block, 0, 0);
	while (result == INCOMPLETE);
	expect("the key", result, KEY_RESULT);
	cpu_end(1);
}

const struct rule rules[] = {
#if BOTH
	{ "two vCPUs at once", "docs/spec/create-and-attest.md 5", other_vcpu, 2 },
#endif
	{ "the first key", "docs/services.md", first_key, 1 },
	{ "the second key", "docs/services.md", second_key, 1 },
#if !BOTH
	{ "another vCPU", "docs/spec/create-and-attest.md 5", other_vcpu, 2 },
#endif
	{ NULL, NULL, NULL, 0 },
};
