/* SPDX-License-Identifier: MIT */
/*
 * Primes found ahead change no byte of what a TPM answers, nor of what it keeps: each key is made
 * by a search and by primes found ahead, and response and volatile state, in which libtpms writes
 * out private parts and seeds of loaded keys, are compared byte for byte. libtpms itself is the
 * judge of keys across: it loads a child under its parent only if the parent's secrets are the
 * same. The vTPM runs within the test, with a clock that stands still.
 *
 *	ahead_test AHEAD
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <fcntl.h>
#include <libtpms/tpm_library.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "services/tests/guest.h"
#include "services/tests/spawn.h"
#include "services/vtpm/finder.h"
#include "services/vtpm/manufacture.h"
#include "services/vtpm/tpm_command.h"

#define CC_STARTUP 0x144u
#define CC_CONTEXT_LOAD 0x161u
#define CC_CONTEXT_SAVE 0x162u
#define FIRST_TRANSIENT 0x80000000u

/* Among what is found ahead the key of tpm2_createprimary without options, and one for signing. */
static const char profile_text[] =
	"profile test\npcr-banks sha256\nplatform-auth empty\nmanifests 1\ncertificates none\n"
	"key ak-ecc-p256\n role ak\n hierarchy endorsement\n"
	" template 0023000b00050072000000100018000b0003001000000000\n"
	" unique given\n handle none\n"
	"ahead owner\n template 0001000b00030072000000060080004300100800000000000000\n"
	"ahead endorsement\n template 0001000b00050072000000100014000b0800000000000000\n";

static const char *ahead_path;
static struct profile profile;
static struct vtpm vtpm;
static struct guest guest = { .vtpm = &vtpm };

/* The TPM's clock: without it no two states would be the same. */
int __wrap_clock_gettime(clockid_t id, struct timespec *time);
int __wrap_clock_gettime(clockid_t id, struct timespec *time)
{
	(void)id;
	*time = (struct timespec){ .tv_sec = 1000 };
	return 0;
}

static int start(void **state)
{
	struct profile_error error;

	(void)state;
	if (!profile_parse(&profile, profile_text, strlen(profile_text), &error))
		fail_msg("profile:%u: %s", error.line, error.reason);
	vtpm = (struct vtpm){ .profile = &profile, .attested = true };
	assert_true(manufacture(&vtpm));
	return 0;
}

static int end(void **state)
{
	(void)state;
	prime_ask(NULL);
	tpm_power_off();
	return 0;
}

/* ---- The monitor's part ---- */

/* What VTPM_OP_AHEAD_NEXT gives; false: nothing is to be found. */
static bool next(struct prime_order *order)
{
	uint8_t reply[256];
	struct serve_output out = { .data = reply, .capacity = sizeof(reply) };

	assert_int_equal(vtpm_handle(&vtpm, VTPM_OP_AHEAD_NEXT, NULL, 0, &out), SERVICE_OK);
	if (!out.size)
		return false;
	assert_int_equal(out.size, sizeof(*order));
	memcpy(order, reply, sizeof(*order));
	return true;
}

static enum service_status hand_over(const void *found, size_t size)
{
	struct serve_output out = { 0 };

	return vtpm_handle(&vtpm, VTPM_OP_AHEAD_FOUND, found, size, &out);
}

static void find_one(void)
{
	struct prime_order order;
	struct prime_found found;

	assert_true(next(&order));
	assert_true(prime_find(&order, &found));
	assert_int_equal(hand_over(&found, sizeof(found)), SERVICE_OK);
}

/* How many primes there were to find. */
static unsigned int find_all(void)
{
	struct prime_order order;
	unsigned int count = 0;

	for (; next(&order); count++)
		find_one();
	return count;
}

/* ---- The guest's part ---- */

struct made {
	uint32_t rc;
	size_t response_size;
	uint8_t response[TPM_BUFFER_MAX];
	struct tpm_state volatile_state;
};

static uint32_t create(uint32_t hierarchy, const char *auth, const char *data,
		       const struct profile_ahead *key)
{
	return guest_run(&guest, CC_CREATE_PRIMARY, "d a wss s w d", hierarchy, "",
			 4 + strlen(auth) + strlen(data), auth, strlen(auth), data, strlen(data),
			 key->template, key->template_size, 0, 0);
}

static void flush(uint32_t handle)
{
	assert_int_equal(guest_run(&guest, CC_FLUSH_CONTEXT, "d", handle), 0);
}

/* Makes the key, takes response and state, and flushes it. */
static void make(struct made *made, uint32_t hierarchy, const char *auth, const char *data,
		 const struct profile_ahead *key)
{
	*made = (struct made){ .rc = create(hierarchy, auth, data, key) };
	made->response_size = guest.size;
	memcpy(made->response, guest.response, guest.size);
	assert_true(tpm_volatile_state(&made->volatile_state));
	if (!made->rc)
		flush(FIRST_TRANSIENT);
}

static void forget(struct made *made)
{
	tpm_free_state(&made->volatile_state);
}

static bool same_response(const struct made *a, const struct made *b)
{
	return a->rc == b->rc && a->response_size == b->response_size &&
	       memcmp(a->response, b->response, a->response_size) == 0;
}

static bool same_state(const struct made *a, const struct made *b)
{
	return a->volatile_state.size == b->volatile_state.size &&
	       memcmp(a->volatile_state.data, b->volatile_state.data, a->volatile_state.size) == 0;
}

/* By a search, which keeps nothing, and once more by primes found ahead. */
static void prove_same(uint32_t hierarchy, const struct profile_ahead *key)
{
	struct made by_search, by_primes;
	unsigned int taken = vtpm.ahead.taken;

	vtpm.ahead.trusted = false;
	make(&by_search, hierarchy, "", "", key);
	assert_int_equal(by_search.rc, 0);
	assert_int_equal(vtpm.ahead.taken, taken);
	find_all();
	vtpm.ahead.trusted = true;
	make(&by_primes, hierarchy, "", "", key);
	assert_int_equal(vtpm.ahead.taken, taken + AHEAD_PRIMES);
	assert_true(same_response(&by_search, &by_primes));
	assert_true(same_state(&by_search, &by_primes));
	forget(&by_search);
	forget(&by_primes);
}

static void clear(void)
{
	assert_int_equal(guest_run(&guest, CC_CLEAR, "d a", RH_LOCKOUT, ""), 0);
}

/* ---- Equality ---- */

static void test_agrees(void **state)
{
	(void)state;
	assert_true(finder_agrees());
}

static void test_storage_key(void **state)
{
	(void)state;
	prove_same(RH_OWNER, &profile.ahead[0]);
	/* And so it stays, however often. */
	assert_int_equal(find_all(), 0);
}

/* A signing key draws more from the generator when its primes are there: it is tried out. */
static void test_signing_key(void **state)
{
	(void)state;
	prove_same(RH_ENDORSEMENT, &profile.ahead[1]);
}

/* A comparison of states sees another key. */
static void test_states_can_differ(void **state)
{
	struct made one, other;

	(void)state;
	make(&one, RH_OWNER, "", "", &profile.ahead[0]);
	make(&other, RH_OWNER, "", "x", &profile.ahead[0]);
	assert_int_equal(other.rc, 0);
	assert_false(same_response(&one, &other));
	assert_false(same_state(&one, &other));
	forget(&one);
	forget(&other);
}

/* TPM2_Create of a sealed byte under the first transient key. */
static uint32_t seal(const char *auth)
{
	static const uint8_t template[] = { 0, 8, 0, 11, 0, 0, 4, 0x52, 0, 0, 0, 16, 0, 0 };

	return guest_run(&guest, TPM_CC_CREATE, "d a wwwb s wd", FIRST_TRANSIENT, auth, 5, 0, 1, 0,
			 template, sizeof(template), 0, 0);
}

/* Sensitive data makes another key, an authorization does not, and is in force. */
static void test_sensitive(void **state)
{
	struct made plain, with_data, with_auth;

	(void)state;
	assert_int_equal(find_all(), 4);
	make(&plain, RH_OWNER, "", "", &profile.ahead[0]);
	assert_int_equal(vtpm.ahead.taken, 2);
	make(&with_data, RH_OWNER, "pass", "data", &profile.ahead[0]);
	assert_int_equal(with_data.rc, 0);
	assert_int_equal(vtpm.ahead.taken, 2);
	assert_false(same_response(&plain, &with_data));
	make(&with_auth, RH_OWNER, "pass", "", &profile.ahead[0]);
	assert_int_equal(vtpm.ahead.taken, 4);
	assert_true(same_response(&plain, &with_auth));
	assert_false(same_state(&plain, &with_auth));
	forget(&plain);
	forget(&with_data);
	forget(&with_auth);

	assert_int_equal(create(RH_OWNER, "pass", "", &profile.ahead[0]), 0);
	assert_int_equal(vtpm.ahead.taken, 6);
	/*
	 * The first use of a key with dictionary attack protection wants to be repeated, up to
	 * libtpms 0.9.
	 */
	if (tpm_library_version() < 0x000a00)
		assert_int_equal(seal("pass"), TPM_RC_RETRY);
	assert_int_equal(seal("pass"), 0);
	assert_int_equal(seal("no"), 0x98e); /* TPM_RC_AUTH_FAIL of the first session */
}

static void load_across(uint32_t parent, uint32_t other)
{
	struct tpm_child child;
	uint32_t handle;

	assert_int_equal(tpm_create_child(parent, &child), 0);
	assert_int_equal(tpm_load(other, &child, &handle), 0);
	flush(handle);
}

static void test_children_across(void **state)
{
	struct tpm_child child;
	uint32_t handle;

	(void)state;
	for (int i = 0; i < 2; i++) {
		unsigned int taken = vtpm.ahead.taken;

		assert_int_equal(create(RH_OWNER, "", "", &profile.ahead[0]), 0);
		find_all();
		assert_int_equal(create(RH_OWNER, "", "", &profile.ahead[0]), 0);
		assert_int_equal(vtpm.ahead.taken, taken + AHEAD_PRIMES);
		load_across(FIRST_TRANSIENT, FIRST_TRANSIENT + 1);
		load_across(FIRST_TRANSIENT + 1, FIRST_TRANSIENT);
		assert_int_equal(tpm_create_child(FIRST_TRANSIENT, &child), 0);
		clear(); /* flushes the owner's */
	}
	/* A child of before is nobody's behind a Clear. */
	find_all();
	assert_int_equal(create(RH_OWNER, "", "", &profile.ahead[0]), 0);
	assert_int_not_equal(tpm_load(FIRST_TRANSIENT, &child, &handle), 0);
}

/* ---- Whose primes they are ---- */

static void test_disabled(void **state)
{
	struct made searched, taken;

	(void)state;
	assert_int_equal(
		guest_run(&guest, CC_HIERARCHY_CONTROL, "d a db", RH_OWNER, "", RH_OWNER, 0), 0);
	make(&searched, RH_OWNER, "", "", &profile.ahead[0]);
	assert_int_equal(searched.rc, TPM_RC_HIERARCHY_1);
	forget(&searched);
	assert_int_equal(
		guest_run(&guest, CC_HIERARCHY_CONTROL, "d a db", RH_PLATFORM, "", RH_OWNER, 1), 0);
	assert_int_equal(find_all(), 4);
	assert_int_equal(
		guest_run(&guest, CC_HIERARCHY_CONTROL, "d a db", RH_OWNER, "", RH_OWNER, 0), 0);
	make(&taken, RH_OWNER, "", "", &profile.ahead[0]);
	assert_int_equal(taken.rc, TPM_RC_HIERARCHY_1);
	assert_true(same_response(&searched, &taken));
	assert_int_equal(vtpm.ahead.taken, 0);
	forget(&taken);
}

/* With a wrong authorization primes do not help either. */
static void test_wrong_auth(void **state)
{
	(void)state;
	assert_int_equal(find_all(), 4);
	assert_int_equal(guest_run(&guest, CC_HIERARCHY_CHANGE_AUTH, "d a s", RH_OWNER, "", "mine",
				   (size_t)4),
			 0);
	assert_int_not_equal(create(RH_OWNER, "", "", &profile.ahead[0]), 0);
	assert_int_equal(vtpm.ahead.taken, 0);
}

static void test_null_hierarchy(void **state)
{
	struct made made;

	(void)state;
	assert_int_equal(find_all(), 4);
	for (int i = 0; i < 2; i++) {
		make(&made, RH_NULL, "", "", &profile.ahead[0]);
		assert_int_equal(made.rc, 0);
		forget(&made);
	}
	assert_int_equal(vtpm.ahead.taken, 0);
	assert_int_equal(find_all(), 0);
}

/* Whether these bytes, which are 0 nowhere, are anywhere in what the vTPM has found ahead. */
static bool holds(const void *bytes, size_t size)
{
	return memmem(&vtpm.ahead, sizeof(vtpm.ahead), bytes, size) != NULL;
}

static void test_clear_forgets(void **state)
{
	struct prime_found before[2][AHEAD_PRIMES];
	struct prime_order order;

	(void)state;
	assert_int_equal(find_all(), 4);
	for (int i = 0; i < 4; i++) {
		before[i / 2][i % 2] = vtpm.ahead.keys[i / 2].primes[i % 2].found;
		assert_true(holds(before[i / 2][i % 2].words, 128));
	}
	clear();
	for (int i = 0; i < 4; i++)
		assert_int_equal(holds(before[i / 2][i % 2].words, 128), i / 2 == 1);
	/* The owner's seed is another one, and so is the order. */
	assert_true(next(&order));
	assert_memory_not_equal(&order, &before[0][0].order, sizeof(order));
	prove_same(RH_OWNER, &profile.ahead[0]);
	/* Primes of before are too late. */
	assert_int_equal(hand_over(&before[0][0], sizeof(before[0][0])), SERVICE_OK);
	assert_false(holds(before[0][0].words, 128));
}

/* libtpms makes the same endorsement key behind a Clear: no proof enters it. */
static void test_clear_keeps_endorsement_keys(void **state)
{
	const struct profile_ahead *key = &profile.ahead[1];
	uint8_t before[TPM_PUBLIC_MAX], after[TPM_PUBLIC_MAX];
	size_t before_size, after_size;

	(void)state;
	assert_int_equal(
		guest_primary(&guest, "", key->template, key->template_size, before, &before_size),
		0);
	assert_int_equal(find_all(), 4);
	clear();
	vtpm.ahead.trusted = false;
	assert_int_equal(
		guest_primary(&guest, "", key->template, key->template_size, after, &after_size),
		0);
	assert_int_equal(vtpm.ahead.taken, 0); /* a search, of libtpms's own */
	assert_int_equal(before_size, after_size);
	assert_memory_equal(before, after, before_size);
	/* With primes of before the Clear it is that key to the byte, and its tickets are new. */
	vtpm.ahead.trusted = true;
	assert_true(vtpm.ahead.keys[1].primes[1].known);
	prove_same(RH_ENDORSEMENT, key);
}

/* ---- Nothing of keys that are gone ---- */

#define PRIME_SIZE 128u

/* A prime as it stands in memory, with each byte inverted, so that this is no copy of it. */
struct hidden {
	uint8_t bytes[PRIME_SIZE];
};

static bool equals(const uint8_t *at, const struct hidden *prime)
{
	size_t i = 0;

	while (i < PRIME_SIZE && (at[i] ^ prime->bytes[i]) == 0xff)
		i++;
	return i == PRIME_SIZE;
}

/* Numbers of libcrypto begin at whole words. */
static bool part_holds(int memory, uintmax_t at, uintmax_t end, const struct hidden *prime)
{
	static uint8_t window[1 << 16];
	bool held = false;

	for (; !held && at + PRIME_SIZE <= end; at += sizeof(window) - PRIME_SIZE) {
		size_t wanted = end - at < sizeof(window) ? end - at : sizeof(window);
		ssize_t size = pread(memory, window, wanted, (off_t)at);

		for (ssize_t i = 0; !held && i + (ssize_t)PRIME_SIZE <= size; i += 8)
			held = equals(window + i, prime);
		explicit_bzero(window, sizeof(window));
	}
	return held;
}

/* Where the program's own variables are. */
static bool is_static(uintmax_t at, uintmax_t end)
{
	return at <= (uintptr_t)&vtpm && (uintptr_t)&vtpm < end;
}

/* The prime as TPM2B structures and private areas have it: its highest byte first, anywhere. */
static bool reversed_equals(const uint8_t *at, const struct hidden *prime)
{
	size_t i = 0;

	while (i < PRIME_SIZE && (at[i] ^ prime->bytes[PRIME_SIZE - 1 - i]) == 0xff)
		i++;
	return i == PRIME_SIZE;
}

/*
 * Whether the prime is anywhere in the program's own variables, in either order of bytes. Read as
 * memory of a process, for the sanitizers forbid to look between variables.
 */
static bool static_part_holds(int memory, uintmax_t at, uintmax_t end, const struct hidden *prime)
{
	uint8_t *copy = malloc(end - at);
	bool held = false;

	assert_non_null(copy);
	assert_int_equal(pread(memory, copy, end - at, (off_t)at), end - at);
	for (size_t i = 0; !held && i + PRIME_SIZE <= end - at; i++)
		held = equals(copy + i, prime) || reversed_equals(copy + i, prime);
	explicit_bzero(copy, end - at);
	free(copy);
	return held;
}

/* Whether the prime is anywhere in memory; the sanitizers' tables are far larger. */
static bool memory_holds(const struct hidden *prime, bool in_static)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	int memory = open("/proc/self/mem", O_RDONLY);
	bool held = false;
	char line[512], rights[5];

	assert_true(maps && memory >= 0);
	while (!held && fgets(line, sizeof(line), maps)) {
		uintmax_t at, end, inode;

		if (sscanf(line, "%jx-%jx %4s %*x %*s %ju", &at, &end, rights, &inode) == 4 &&
		    strncmp(rights, "rw", 2) == 0 && end - at < 1u << 30 &&
		    !strstr(line, "[stack]") && is_static(at, end) == in_static &&
		    (in_static || inode == 0))
			held = in_static ? static_part_holds(memory, at, end, prime)
					 : part_holds(memory, at, end, prime);
	}
	fclose(maps);
	close(memory);
	return held;
}

/* In what was allocated. */
static bool heap_holds(const struct hidden *prime)
{
	return memory_holds(prime, false);
}

/* In libtpms's variables, among them its slots for loaded objects (objects.h), and in our own. */
static bool static_holds(const struct hidden *prime)
{
	return memory_holds(prime, true);
}

static struct hidden hide(const struct prime_found *found)
{
	struct hidden prime;

	for (size_t i = 0; i < PRIME_SIZE; i++)
		prime.bytes[i] = 0xff ^ ((const uint8_t *)found->words)[i];
	return prime;
}

struct both {
	struct hidden primes[AHEAD_PRIMES];
};

/*
 * Makes the signing key, the one whose primes are found. What is found ahead is forgotten, so as
 * to be no copy.
 */
static struct both make_a_key(void)
{
	struct prime_order order;
	struct both both;

	assert_true(next(&order));
	ahead_forget(&vtpm.ahead, AHEAD_OWNER);
	find_all();
	for (size_t i = 0; i < AHEAD_PRIMES; i++)
		both.primes[i] = hide(&vtpm.ahead.keys[1].primes[i].found);
	assert_int_equal(create(RH_ENDORSEMENT, "", "", &profile.ahead[1]), 0);
	ahead_forget(&vtpm.ahead, AHEAD_ALL);
	return both;
}

/* The first use wants to be repeated, as above. */
static void quote(uint32_t handle)
{
	uint32_t rc;

	for (int i = 0; i < 2; i++)
		rc = guest_run(&guest, TPM_CC_QUOTE, "d a s w d", handle, "", "", (size_t)0, 0x10,
			       0);
	assert_int_equal(rc, 0);
}

/* Makes it, uses it and flushes it. */
static struct hidden use_a_key(void)
{
	struct both both = make_a_key();

	quote(FIRST_TRANSIENT);
	flush(FIRST_TRANSIENT);
	return both.primes[0];
}

/* A key that stands in a slot of libtpms's has one of its primes there at least. */
static bool slots_hold(const struct both *both)
{
	return static_holds(&both->primes[0]) || static_holds(&both->primes[1]);
}

/* A key that takes a slot and no time. */
static void take_slot(void)
{
	const struct profile_key *key = &profile.keys[0];

	assert_int_equal(guest_run(&guest, CC_CREATE_PRIMARY, "d a wss s w d", RH_NULL, "", 4, "",
				   (size_t)0, "", (size_t)0, key->template, key->template_size, 0,
				   0),
			 0);
}

static void test_no_prime_of_a_flushed_key(void **state)
{
	struct both both = make_a_key();

	(void)state;
	assert_true(slots_hold(&both));
	take_slot();
	quote(FIRST_TRANSIENT);
	assert_true(slots_hold(&both));
	flush(FIRST_TRANSIENT); /* while the second slot is in use, and the third never was */
	assert_false(slots_hold(&both));
	assert_int_equal(guest_run(&guest, CC_READ_PUBLIC, "d", FIRST_TRANSIENT + 1), 0);
}

/* In the last slot of three. */
static void test_no_prime_of_a_cleared_key(void **state)
{
	struct prime_order order;
	struct both both;

	(void)state;
	assert_true(next(&order)); /* learned in a slot */
	take_slot();
	take_slot();
	both = make_a_key();
	assert_true(slots_hold(&both));
	assert_int_equal(guest_run(&guest, CC_READ_PUBLIC, "d", FIRST_TRANSIENT + 2), 0);
	clear();
	assert_false(slots_hold(&both));
	assert_int_equal(guest_run(&guest, CC_READ_PUBLIC, "d", FIRST_TRANSIENT), 0);
}

/* A resource manager's key: saved, flushed, loaded again. */
static void test_slots_serve_still(void **state)
{
	struct both both = make_a_key();
	uint8_t blob[TPM_BUFFER_MAX];
	uint32_t head[4]; /* sequence, handle, hierarchy */
	struct bytes_reader r;
	size_t size;

	(void)state;
	assert_int_equal(guest_run(&guest, CC_CONTEXT_SAVE, "d", FIRST_TRANSIENT), 0);
	r = bytes_reader_init(guest.response + 10, guest.size - 10);
	for (int i = 0; i < 4; i++)
		head[i] = bytes_be32(&r);
	size = bytes_be16(&r);
	assert_true(bytes_copy(&r, blob, size) && bytes_complete(&r));
	flush(FIRST_TRANSIENT);
	assert_false(slots_hold(&both));
	assert_int_equal(guest_run(&guest, CC_CONTEXT_LOAD, "dddd s", head[0], head[1], head[2],
				   head[3], blob, size),
			 0);
	assert_true(slots_hold(&both));
	quote(FIRST_TRANSIENT);
}

/* A vTPM that is switched off, or set back to where the key was not loaded. */
static void test_no_prime_of_a_key_without_power(void **state)
{
	struct tpm_checkpoint checkpoint;
	struct both both;

	(void)state;
	assert_true(tpm_checkpoint(&checkpoint));
	both = make_a_key();
	assert_true(slots_hold(&both));
	assert_true(tpm_rollback(&checkpoint));
	assert_false(slots_hold(&both));
	assert_int_not_equal(guest_run(&guest, CC_READ_PUBLIC, "d", FIRST_TRANSIENT), 0);
	assert_int_equal(create(RH_ENDORSEMENT, "", "", &profile.ahead[1]), 0);
	assert_true(slots_hold(&both));
	tpm_power_off();
	assert_false(slots_hold(&both));
	assert_true(tpm_power_on());
}

/*
 * Only a libtpms 0.9 leaves a key's primes to be found, which are kept for its next use
 * (rsa_factors.h).
 */
static bool keeps_primes(void)
{
	return TPMLIB_GetVersion() < 0x000a00;
}

static void test_no_prime_stays(void **state)
{
	struct hidden prime = use_a_key();

	(void)state;
	assert_true(heap_holds(&prime) || !keeps_primes());
	/* A command that fails ends no key. */
	assert_int_not_equal(guest_run(&guest, CC_CLEAR, "d a", RH_OWNER, ""), 0);
	assert_true(heap_holds(&prime) || !keeps_primes());
	clear();
	assert_false(heap_holds(&prime));
	prime = use_a_key();
	assert_true(heap_holds(&prime) || !keeps_primes());
	assert_int_equal(guest_run(&guest, TPM_CC_CHANGE_PPS, "d a", RH_PLATFORM, ""), 0);
	assert_false(heap_holds(&prime));
}

#define PERSISTENT 0x81000001u

static uint32_t evict(uint32_t hierarchy, uint32_t handle)
{
	return guest_run(&guest, TPM_CC_EVICT_CONTROL, "dd a d", hierarchy, handle, "", PERSISTENT);
}

/* TPM2_EvictControl, which ends a persistent key for good. */
static void test_no_prime_of_an_evicted_key(void **state)
{
	struct both both = make_a_key();

	(void)state;
	assert_int_equal(evict(RH_OWNER, FIRST_TRANSIENT), 0);
	flush(FIRST_TRANSIENT);
	quote(PERSISTENT);		/* in a slot, for the command alone */
	assert_true(slots_hold(&both)); /* NV memory has it */
	assert_true(heap_holds(&both.primes[0]) || !keeps_primes());
	assert_int_not_equal(evict(RH_NULL, PERSISTENT), 0);
	assert_true(heap_holds(&both.primes[0]) || !keeps_primes());
	assert_int_equal(evict(RH_OWNER, PERSISTENT), 0);
	assert_false(heap_holds(&both.primes[0]) || heap_holds(&both.primes[1]));
	assert_false(slots_hold(&both));
	assert_int_not_equal(guest_run(&guest, CC_READ_PUBLIC, "d", PERSISTENT), 0);
}

/* A guest for which nobody finds anything ahead has keys, too. */
static void test_no_prime_stays_of_others(void **state)
{
	struct hidden prime = use_a_key();

	(void)state;
	vtpm.ahead.under_way = false;
	clear();
	assert_false(heap_holds(&prime));
}

/* ---- A command that gives no answer may have changed what it would have changed ---- */

static bool gives_no_answer;

bool __real_tpm_execute(uint8_t locality, const uint8_t *command, size_t size, uint8_t *response,
			size_t *response_size);
bool __wrap_tpm_execute(uint8_t locality, const uint8_t *command, size_t size, uint8_t *response,
			size_t *response_size);
bool __wrap_tpm_execute(uint8_t locality, const uint8_t *command, size_t size, uint8_t *response,
			size_t *response_size)
{
	return !gives_no_answer &&
	       __real_tpm_execute(locality, command, size, response, response_size);
}

static void run_unanswered(uint32_t code)
{
	uint8_t command[] = { 0x80, 0x02, 0, 0, 0, 10, 0, 0, 1, (uint8_t)code };
	uint8_t response[TPM_BUFFER_MAX];
	size_t size;

	gives_no_answer = true;
	assert_false(vtpm_execute(&vtpm, 0, command, sizeof(command), response, &size));
	gives_no_answer = false;
}

static void test_unanswered(void **state)
{
	struct prime_order order;

	(void)state;
	assert_int_equal(find_all(), 4);
	run_unanswered(CC_GET_RANDOM);
	run_unanswered(TPM_CC_CHANGE_PPS);
	assert_true(vtpm.ahead.keys[0].primes[0].known && vtpm.ahead.keys[1].primes[0].known);
	run_unanswered(CC_CHANGE_EPS);
	assert_true(vtpm.ahead.keys[0].primes[0].known);
	assert_false(vtpm.ahead.keys[1].primes[0].wanted);
	run_unanswered(CC_CLEAR);
	assert_false(vtpm.ahead.keys[0].primes[0].wanted);
	assert_false(next(&order)); /* nor is anything learned anew */
}

static void test_change_eps_forgets(void **state)
{
	struct prime_found before[2];

	(void)state;
	assert_int_equal(find_all(), 4);
	before[0] = vtpm.ahead.keys[0].primes[0].found;
	before[1] = vtpm.ahead.keys[1].primes[0].found;
	assert_int_equal(guest_run(&guest, CC_CHANGE_EPS, "d a", RH_PLATFORM, ""), 0);
	assert_true(holds(before[0].words, 128));
	assert_false(holds(before[1].words, 128));
	prove_same(RH_ENDORSEMENT, &profile.ahead[1]);
	/* The platform's seed is nobody's here. */
	assert_int_equal(guest_run(&guest, TPM_CC_CHANGE_PPS, "d a", RH_PLATFORM, ""), 0);
	assert_int_equal(find_all(), 0);
}

static void test_reset_forgets(void **state)
{
	uint8_t startup[] = { 0x80, 0x01, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0 };
	uint8_t response[TPM_BUFFER_MAX];
	struct prime_found before;
	struct tpm_state permanent;
	size_t size;

	(void)state;
	assert_int_equal(find_all(), 4);
	before = vtpm.ahead.keys[0].primes[0].found;
	assert_true(tpm_permanent_state(&permanent));
	tpm_power_off();
	assert_true(tpm_load_permanent(permanent.data, permanent.size) && tpm_power_on());
	tpm_free_state(&permanent);
	assert_true(vtpm_execute(&vtpm, 0, startup, sizeof(startup), response, &size));
	assert_int_equal(tpm_response_code(response, size), 0);
	assert_false(holds(before.words, 128));
	/* A command that fails has reset nothing. */
	assert_int_equal(find_all(), 4);
	assert_int_not_equal(guest_run(&guest, CC_STARTUP, "w", 0), 0);
	assert_true(holds(before.words, 128));
}

/* A guest that has taken its owner hierarchy gets nothing ahead after that, and loses nothing. */
static void test_owned(void **state)
{
	struct prime_order order;

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t hierarchy = i ? RH_ENDORSEMENT : RH_OWNER;

		assert_int_equal(guest_run(&guest, CC_HIERARCHY_CHANGE_AUTH, "d a s", hierarchy, "",
					   "mine", (size_t)4),
				 0);
	}
	assert_false(next(&order));
	clear();
	assert_int_equal(find_all(), 4);
}

/* ---- Learning leaves no trace ---- */

static void test_no_trace(void **state)
{
	struct tpm_state before[2], after[2];
	struct prime_order order;
	uint8_t observed[2][32];

	(void)state;
	/* All slots for objects taken: no key can be made, and none is learned. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(create(RH_NULL, "", "", &profile.ahead[0]), 0);
	assert_true(tpm_permanent_state(&before[0]) && tpm_volatile_state(&before[1]));
	assert_false(next(&order));
	flush(FIRST_TRANSIENT + 1);
	vtpm_learn_ahead(&vtpm);
	assert_true(next(&order));
	assert_int_equal(create(RH_NULL, "", "", &profile.ahead[0]), 0);
	assert_true(tpm_permanent_state(&after[0]) && tpm_volatile_state(&after[1]));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(before[i].size, after[i].size);
		assert_memory_equal(before[i].data, after[i].data, before[i].size);
		tpm_free_state(&before[i]);
		tpm_free_state(&after[i]);
	}
	guest_observe(&guest, observed[0]);
	ahead_forget(&vtpm.ahead, AHEAD_ALL);
	flush(FIRST_TRANSIENT + 1);
	vtpm_learn_ahead(&vtpm);
	assert_int_equal(create(RH_NULL, "", "", &profile.ahead[0]), 0);
	guest_observe(&guest, observed[1]);
	assert_memory_equal(observed[0], observed[1], 32);
}

/* ---- Finding ---- */

/* A guest that comes first finds the rest for itself, once. */
static void test_guest_is_faster(void **state)
{
	struct made slow, fast;
	struct prime_order order;

	(void)state;
	find_one();
	make(&slow, RH_OWNER, "", "", &profile.ahead[0]);
	assert_int_equal(vtpm.ahead.taken, 1);
	make(&fast, RH_OWNER, "", "", &profile.ahead[0]);
	assert_int_equal(vtpm.ahead.taken, 3);
	assert_true(same_response(&slow, &fast) && same_state(&slow, &fast));
	forget(&slow);
	forget(&fast);
	assert_true(next(&order));
	assert_memory_equal(&order, &vtpm.ahead.keys[1].primes[0].found.order, sizeof(order));
}

/* Until what finds primes has delivered one, the guest's own are not kept. */
static void test_untrusted(void **state)
{
	struct made made;
	struct prime_order order;

	(void)state;
	assert_true(next(&order));
	for (int i = 0; i < 2; i++) {
		make(&made, RH_OWNER, "", "", &profile.ahead[0]);
		forget(&made);
	}
	assert_int_equal(vtpm.ahead.taken, 0);
	assert_false(vtpm.ahead.keys[0].primes[0].known);
}

/* Nobody finds anything ahead: the vTPM neither learns nor says that something waits. */
static void test_nobody_asks(void **state)
{
	(void)state;
	clear();
	assert_false(vtpm.ahead.keys[0].primes[0].wanted);
	assert_null(vtpm.ahead.source.ask);
}

static uint32_t flags_of_command(void)
{
	static const uint8_t command[] = {
		0, 0, 0, 0, 0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7b, 0, 1
	}; /* TPM2_GetRandom */
	uint8_t reply[sizeof(struct vtpm_response) + TPM_BUFFER_MAX];
	struct serve_output out = { .data = reply, .capacity = sizeof(reply) };
	struct vtpm_response about;

	assert_int_equal(vtpm_handle(&vtpm, VTPM_OP_COMMAND, command, sizeof(command), &out),
			 SERVICE_OK);
	memcpy(&about, reply, sizeof(about));
	return about.flags;
}

static void test_flag(void **state)
{
	struct prime_order order;

	(void)state;
	assert_int_equal(flags_of_command(), 0);
	assert_true(next(&order));
	assert_int_equal(flags_of_command(), VTPM_AHEAD_WAITS);
	find_all();
	assert_int_equal(flags_of_command(), 0);
	clear();
	assert_int_equal(flags_of_command(), VTPM_AHEAD_WAITS);
}

static void test_bad_orders(void **state)
{
	struct prime_order good, bad;
	struct prime_found found, wrong;

	(void)state;
	assert_true(next(&good));
	assert_int_equal(good.bits, 1024);
	assert_int_equal(good.exponent, 65537);
	assert_true(prime_order_ok(&good));
#define REFUSED(change) (bad = good, change, !prime_order_ok(&bad) && !prime_find(&bad, &found))
	assert_true(REFUSED(bad.bits = 0));
	assert_true(REFUSED(bad.bits = 1056));
	assert_true(REFUSED(bad.bits = PRIME_BITS_MAX + 64));
	assert_true(REFUSED(bad.exponent = 3));
	assert_true(REFUSED(bad.exponent = 65538));
	assert_true(REFUSED(bad.state.level = 2));
	assert_true(REFUSED(bad.state.reserved = 1));
	assert_true(REFUSED(bad.state.reseed_counter = (1u << 19) + 1));
#undef REFUSED
	assert_true(prime_find(&good, &found));
	for (size_t cut = 0; cut < sizeof(found); cut++)
		assert_int_equal(hand_over(&found, cut), SERVICE_ERR_FORMAT);
#define REFUSED(change) \
	(wrong = found, change, hand_over(&wrong, sizeof(wrong)) == SERVICE_ERR_FORMAT)
	assert_true(REFUSED(wrong.words[0] &= ~1ull));
	assert_true(REFUSED(wrong.words[15] &= ~(1ull << 63)));
	assert_true(REFUSED(wrong.words[16] = 1));
	assert_true(REFUSED(wrong.after.level ^= 1));
	assert_true(REFUSED(wrong.after.reserved = 1));
	assert_true(REFUSED(wrong.order.bits = 0));
#undef REFUSED
	/* One byte of the order makes it nobody's. */
	wrong = found;
	wrong.order.state.seed[0] ^= 1;
	assert_int_equal(hand_over(&wrong, sizeof(wrong)), SERVICE_OK);
	assert_false(holds(wrong.words, 128));
	assert_int_equal(hand_over(&found, sizeof(found)), SERVICE_OK);
	assert_true(holds(found.words, 128));
}

/* The service, as the monitor starts it. */
static void test_process(void **state)
{
	struct prime_order order;
	struct prime_found found, here;
	size_t got = sizeof(found);
	int channel;
	pid_t pid = spawn_service(ahead_path, "ahead", NULL, 0, &channel);

	(void)state;
	assert_true(next(&order));
	assert_int_equal(spawn_call(channel, 2, &order, sizeof(order), &found, &got),
			 SERVICE_ERR_UNSUPPORTED);
	got = sizeof(found);
	assert_int_equal(
		spawn_call(channel, AHEAD_OP_FIND, &order, sizeof(order) - 1, &found, &got),
		SERVICE_ERR_FORMAT);
	got = sizeof(found);
	assert_int_equal(spawn_call(channel, AHEAD_OP_FIND, &order, sizeof(order), &found, &got),
			 SERVICE_OK);
	assert_int_equal(got, sizeof(found));
	assert_true(prime_find(&order, &here));
	assert_memory_equal(&found, &here, sizeof(found));
	close(channel);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, start, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agrees),
		CASE(test_storage_key),
		CASE(test_signing_key),
		CASE(test_states_can_differ),
		CASE(test_sensitive),
		CASE(test_children_across),
		CASE(test_disabled),
		CASE(test_wrong_auth),
		CASE(test_null_hierarchy),
		CASE(test_clear_forgets),
		CASE(test_clear_keeps_endorsement_keys),
		CASE(test_no_prime_stays),
		CASE(test_no_prime_stays_of_others),
		CASE(test_no_prime_of_a_flushed_key),
		CASE(test_no_prime_of_a_cleared_key),
		CASE(test_slots_serve_still),
		CASE(test_no_prime_of_a_key_without_power),
		CASE(test_no_prime_of_an_evicted_key),
		CASE(test_unanswered),
		CASE(test_change_eps_forgets),
		CASE(test_reset_forgets),
		CASE(test_owned),
		CASE(test_no_trace),
		CASE(test_guest_is_faster),
		CASE(test_untrusted),
		CASE(test_nobody_asks),
		CASE(test_flag),
		CASE(test_bad_orders),
		CASE(test_process),
	};

	if (argc != 2)
		return 2;
	ahead_path = argv[1];
	alarm(100); /* a service that does not answer ends the test */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
