/* SPDX-License-Identifier: MIT */
/*
 * Keys of the profile that are made only when they are wanted: which ones, that a manifest has them
 * whatever the guest has done to its TPM and however few primes are there, that they are the keys
 * which the guest's own TPM2_CreatePrimary makes, and that making them leaves no trace. The vTPM
 * runs within the test, with a clock that stands still.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <stdio.h>

#include "core/base/bytes.h"
#include "services/tests/guest.h"
#include "services/vtpm/awaited.h"
#include "services/vtpm/manifest.h"
#include "services/vtpm/manufacture.h"

#define RSA "0001000b00050072000000100014000b0800000000000000"
#define STORAGE "0001000b00030072000000060080004300100800000000000000"
#define EC "0023000b00050072000000100018000b0003001000000000"

/* The second key is left for later, and has a place in NV memory for its template. */
static const char profile_text[] =
	"profile test\npcr-banks sha256\nplatform-auth empty\nmanifests 1\ncertificates none\n"
	"key ak-ecc-p256\n role ak\n hierarchy endorsement\n template " EC
	"\n unique given\n handle none\n"
	"key ak-rsa2048\n role ak\n hierarchy endorsement\n template " RSA
	"\n unique random\n handle none\n"
	"nv 0x01c10001\n attributes 0x42072001\n policy none\n content template ak-rsa2048\n"
	" locked yes\n"
	"ahead owner\n template " STORAGE "\n";

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

/* What makes keys, unless it is to fail. */
static bool makes_no_key;

uint32_t __real_tpm_create_primary(const uint8_t *template, size_t template_size,
				   struct tpm_primary *primary);
uint32_t __wrap_tpm_create_primary(const uint8_t *template, size_t template_size,
				   struct tpm_primary *primary);
uint32_t __wrap_tpm_create_primary(const uint8_t *template, size_t template_size,
				   struct tpm_primary *primary)
{
	return makes_no_key ? TPM_RC_NONE
			    : __real_tpm_create_primary(template, template_size, primary);
}

static void take_states(struct tpm_state states[2])
{
	assert_true(tpm_permanent_state(&states[0]) && tpm_volatile_state(&states[1]));
}

/* The TPM is as it was when these were taken, which are freed. */
static void assert_states(struct tpm_state before[2])
{
	struct tpm_state after[2];

	take_states(after);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(before[i].size, after[i].size);
		assert_memory_equal(before[i].data, after[i].data, before[i].size);
		tpm_free_state(&before[i]);
		tpm_free_state(&after[i]);
	}
}

static void parse(const char *text)
{
	struct profile_error error;

	if (!profile_parse(&profile, text, strlen(text), &error))
		fail_msg("profile:%u: %s", error.line, error.reason);
}

static void start_with(const char *text)
{
	parse(text);
	vtpm = (struct vtpm){ .profile = &profile, .attested = true };
	assert_true(manufacture(&vtpm));
}

static int start(void **state)
{
	(void)state;
	start_with(profile_text);
	return 0;
}

static int end(void **state)
{
	(void)state;
	prime_ask(NULL);
	tpm_power_off();
	return 0;
}

static enum service_status ask(enum vtpm_op op, const void *payload, size_t size,
			       struct serve_output *out)
{
	static uint8_t reply[VTPM_REPLY_MAX];

	*out = (struct serve_output){ .data = reply, .capacity = sizeof(reply) };
	return vtpm_handle(&vtpm, op, payload, size, out);
}

/* The next prime that is to be found is, and is handed over. False: there is none. */
static bool find_one(void)
{
	struct serve_output out;
	struct prime_order order;
	struct prime_found found;

	assert_int_equal(ask(VTPM_OP_AHEAD_NEXT, NULL, 0, &out), SERVICE_OK);
	if (!out.size)
		return false;
	assert_int_equal(out.size, sizeof(order));
	memcpy(&order, out.data, sizeof(order));
	assert_true(prime_find(&order, &found));
	assert_int_equal(ask(VTPM_OP_AHEAD_FOUND, &found, sizeof(found), &out), SERVICE_OK);
	return true;
}

/* The public areas of manifest version 1, which the test's profile gives two of. */
struct listed {
	uint8_t areas[2][TPM_PUBLIC_MAX];
	size_t sizes[2];
};

static void get_manifest(struct listed *listed)
{
	const uint32_t version = 1;
	struct serve_output out;
	struct bytes_reader r;

	assert_int_equal(ask(VTPM_OP_MANIFEST, &version, sizeof(version), &out), SERVICE_OK);
	assert_int_equal(out.size, manifest_size(&vtpm));
	r = bytes_reader_init(out.data, out.size);
	assert_int_equal(bytes_be32(&r), 1);
	assert_int_equal(bytes_be32(&r), 2);
	for (int i = 0; i < 2; i++) {
		listed->sizes[i] = bytes_be16(&r);
		assert_in_range(listed->sizes[i], 1, TPM_PUBLIC_MAX);
		assert_true(bytes_copy(&r, listed->areas[i], listed->sizes[i]));
	}
	assert_true(bytes_complete(&r));
}

static bool is_made(void)
{
	return vtpm_profile_key(&vtpm, 1);
}

/* libtpms makes both keys again for the guest. */
static void are_the_guests(const struct listed *listed, const char *auth)
{
	for (int i = 0; i < 2; i++) {
		uint8_t area[TPM_PUBLIC_MAX];
		size_t size;

		assert_int_equal(guest_primary(&guest, auth, vtpm.templates[i].data,
					       vtpm.templates[i].size, area, &size),
				 0);
		assert_int_equal(size, listed->sizes[i]);
		assert_memory_equal(area, listed->areas[i], size);
	}
}

/* ---- Which keys ---- */

static bool awaits(const char *before, const char *key, const char *behind)
{
	static char text[2048];
	int size = snprintf(text, sizeof(text),
			    "profile t\npcr-banks sha256\nplatform-auth empty\nmanifests 1\n"
			    "certificates %s\nkey ak-rsa2048\n role ak\n hierarchy endorsement\n"
			    " template " RSA "\n unique given\n %s\n%s",
			    before, key, behind);

	assert_in_range(size, 1, sizeof(text) - 1);
	parse(text);
	vtpm = (struct vtpm){ .profile = &profile, .attested = true };
	awaited_choose(&vtpm);
	return vtpm.awaited[0];
}

static void only_what_nobody_needs_before_is_left(void **state)
{
	static const char optional[] = "optional\ncertificate-timeout 1s";
	static const char certificate[] = "nv 0x01c10000\n attributes 0x42072001\n policy none\n"
					  " content certificate ak-rsa2048\n locked yes\n";
	static const char evidence[] = "nv 0x01400001\n attributes 0x42030001\n policy none\n"
				       " content evidence ak-rsa2048\n locked no\n";

	(void)state;
	assert_true(awaits("none", "handle none", ""));
	assert_true(awaits(optional, "handle none", ""));
	assert_false(awaits("none", "handle 0x81000003", ""));
	assert_false(awaits(optional, "handle none", certificate));
	assert_false(awaits("none", "handle none", evidence));
	/* Nothing attests it: socle vtpm serve, whose clients want the keys at once. */
	assert_true(awaits("none", "handle none", ""));
	vtpm.attested = false;
	awaited_choose(&vtpm);
	assert_false(vtpm.awaited[0]);
	/* Curves have no primes. */
	parse(profile_text);
	vtpm = (struct vtpm){ .profile = &profile, .attested = true };
	awaited_choose(&vtpm);
	assert_false(vtpm.awaited[0]);
	assert_true(vtpm.awaited[1]);
}

/* ---- When ---- */

static void its_primes_come_first(void **state)
{
	struct listed listed;
	struct tpm_state before[2];

	(void)state;
	assert_false(is_made());
	assert_true(find_one() && find_one());
	assert_false(is_made());
	take_states(before);
	get_manifest(&listed);
	assert_true(is_made());
	assert_int_equal(vtpm.ahead.taken, AHEAD_PRIMES);
	assert_states(before);
	/* The guest's own key takes the same primes; then come those of the profile's list. */
	are_the_guests(&listed, "");
	assert_int_equal(vtpm.ahead.taken, 2 * AHEAD_PRIMES);
	assert_true(find_one() && find_one());
	assert_false(find_one());
}

/* With slots full, authorizations set, TPM2_Clear disabled and the hierarchy disabled. */
static void the_guest_cannot_be_in_the_way(void **state)
{
	struct listed listed;

	(void)state;
	assert_true(find_one() && find_one());
	for (int i = 0; i < 3; i++)
		assert_int_equal(guest_run(&guest, CC_CREATE_PRIMARY, "d a wss s w d", RH_NULL, "",
					   4, "", (size_t)0, "", (size_t)0, vtpm.templates[0].data,
					   vtpm.templates[0].size, 0, 0),
				 0);
	assert_int_equal(guest_run(&guest, CC_HIERARCHY_CHANGE_AUTH, "d a s", RH_ENDORSEMENT, "",
				   "mine", (size_t)4),
			 0);
	assert_int_equal(guest_run(&guest, CC_CLEAR_CONTROL, "d a b", RH_LOCKOUT, "", 1), 0);
	assert_int_equal(guest_run(&guest, CC_HIERARCHY_CONTROL, "d a db", RH_ENDORSEMENT, "mine",
				   RH_ENDORSEMENT, 0),
			 0);
	get_manifest(&listed);
	assert_int_equal(vtpm.ahead.taken, AHEAD_PRIMES);
	assert_int_equal(guest_run(&guest, CC_HIERARCHY_CONTROL, "d a db", RH_PLATFORM, "",
				   RH_ENDORSEMENT, 1),
			 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(guest_run(&guest, CC_FLUSH_CONTEXT, "d", 0x80000000u + i), 0);
	are_the_guests(&listed, "mine");
}

/* Behind one prime the rest is searched for, and what was found is kept as well. */
static void a_manifest_waits_for_what_is_not_found(void **state)
{
	struct listed listed;

	(void)state;
	assert_true(find_one());
	get_manifest(&listed);
	assert_int_equal(vtpm.ahead.taken, 1);
	are_the_guests(&listed, "");
	assert_int_equal(vtpm.ahead.taken, 1 + AHEAD_PRIMES);
}

/* Returns how many keys are left for later behind it. */
static uint32_t make_a_key(void)
{
	struct serve_output out;
	uint32_t left;

	assert_int_equal(ask(VTPM_OP_KEYS, NULL, 0, &out), SERVICE_OK);
	assert_int_equal(out.size, sizeof(left));
	memcpy(&left, out.data, sizeof(left));
	return left;
}

/* Where nobody finds primes, the monitor has the keys made before the guest runs. */
static void all_are_made_when_that_is_asked_for(void **state)
{
	struct serve_output out;
	struct listed listed;

	(void)state;
	assert_int_equal(ask(VTPM_OP_KEYS, "", 1, &out), SERVICE_ERR_FORMAT);
	assert_false(is_made());
	assert_int_equal(make_a_key(), 0);
	assert_true(is_made());
	assert_int_equal(make_a_key(), 0);
	get_manifest(&listed);
	are_the_guests(&listed, "");
	assert_int_equal(vtpm.ahead.taken, 0);
	/* What is made needs no primes: those of the list are next. */
	assert_int_equal(ask(VTPM_OP_AHEAD_NEXT, NULL, 0, &out), SERVICE_OK);
	assert_false(vtpm.ahead.keys[0].primes[0].wanted);
	assert_true(vtpm.ahead.keys[1].primes[0].wanted);
}

static const char two_text[] =
	"profile test\npcr-banks sha256\nplatform-auth empty\nmanifests 1\ncertificates none\n"
	"key ak-rsa2048\n role ak\n hierarchy endorsement\n template " RSA
	"\n unique given\n handle none\n"
	"key ek-rsa2048\n role ek\n hierarchy endorsement\n template " STORAGE
	"\n unique given\n handle none\n";

static enum service_status ask_manifest(size_t *size)
{
	const uint32_t version = 1;
	struct serve_output out;
	enum service_status status = ask(VTPM_OP_MANIFEST, &version, sizeof(version), &out);

	*size = out.size;
	return status;
}

/* No request waits for more than one key. */
static void each_key_has_a_request_of_its_own(void **state)
{
	struct listed listed;
	size_t size;

	(void)state;
	start_with(two_text);
	assert_int_equal(ask_manifest(&size), SERVICE_OK);
	assert_int_equal(size, 0);
	assert_non_null(vtpm_profile_key(&vtpm, 0));
	assert_null(vtpm_profile_key(&vtpm, 1));
	get_manifest(&listed);
	are_the_guests(&listed, "");
	(void)end(NULL);
	start_with(two_text);
	assert_int_equal(make_a_key(), 1);
	assert_null(vtpm_profile_key(&vtpm, 1));
	assert_int_equal(make_a_key(), 0);
	assert_non_null(vtpm_profile_key(&vtpm, 1));
}

/* ---- What cannot be made ---- */

/* No libtpms has RSA 4096 without a profile of its own for it. */
static void a_key_that_libtpms_lacks_ends_the_start(void **state)
{
	(void)state;
	parse("profile test\npcr-banks sha256\nplatform-auth empty\nmanifests 1\n"
	      "certificates none\nkey ek-h7-rsa4096\n role ek\n hierarchy endorsement\n"
	      " template 0001000b00030072000000060080004300101000000000000000\n"
	      " unique given\n handle none\n");
	vtpm = (struct vtpm){ .profile = &profile, .attested = true };
	assert_false(manufacture(&vtpm));
}

static void a_key_that_fails_leaves_no_trace(void **state)
{
	struct tpm_state before[2];
	struct serve_output out;
	struct listed listed;
	size_t size;

	(void)state;
	assert_true(find_one() && find_one());
	take_states(before);
	makes_no_key = true;
	assert_int_equal(ask_manifest(&size), SERVICE_ERR_FAILED);
	assert_int_equal(ask(VTPM_OP_KEYS, NULL, 0, &out), SERVICE_ERR_FAILED);
	makes_no_key = false;
	assert_false(is_made());
	assert_states(before);
	get_manifest(&listed);
	are_the_guests(&listed, "");
}

/* ---- What changes seeds ---- */

static void clear(void)
{
	assert_int_equal(guest_run(&guest, CC_CLEAR, "d a", RH_LOCKOUT, ""), 0);
}

/* It changes neither the key nor its primes. */
static void clear_changes_nothing(void **state)
{
	struct listed before, after;

	(void)state;
	assert_true(find_one() && find_one());
	clear();
	assert_false(is_made());
	get_manifest(&before);
	assert_int_equal(vtpm.ahead.taken, AHEAD_PRIMES);
	clear();
	assert_true(is_made());
	get_manifest(&after);
	assert_memory_equal(before.areas[1], after.areas[1], before.sizes[1]);
	are_the_guests(&after, "");
}

static void select_anew(size_t index)
{
	const struct vtpm_template *t = &vtpm.templates[index];
	struct tpm_primary primary;

	assert_int_equal(tpm_create_primary(t->data, t->size, &primary), 0);
	assert_true(vtpm_keep_key(&vtpm, index, &primary));
	assert_int_equal(tpm_flush(primary.handle), 0);
}

/* Then no key is left for later: each is made as it is selected, as without this. */
static void ends_with_the_seed(void)
{
	struct listed listed;
	size_t size;

	assert_int_equal(guest_run(&guest, CC_CHANGE_EPS, "d a", RH_PLATFORM, ""), 0);
	assert_false(is_made());
	assert_int_equal(ask_manifest(&size), SERVICE_ERR_FAILED);
	select_anew(0);
	assert_int_equal(ask_manifest(&size), SERVICE_ERR_FAILED);
	assert_int_equal(make_a_key(), 0);
	assert_false(is_made());
	select_anew(1);
	get_manifest(&listed);
	are_the_guests(&listed, "");
}

static void change_eps_ends_it(void **state)
{
	struct listed listed;

	(void)state;
	assert_true(find_one() && find_one());
	ends_with_the_seed();
	/* What is in the list is found still. */
	assert_true(find_one() && find_one());
	assert_false(find_one());
	(void)end(NULL);
	start_with(profile_text);
	get_manifest(&listed);
	ends_with_the_seed();
}

/* A key that is left for later and in the profile's list as well is found once, and serves both. */
static void one_key_may_be_wished_for_twice(void **state)
{
	static const char text[] = "profile test\npcr-banks sha256\nplatform-auth empty\n"
				   "manifests 1\ncertificates none\n"
				   "key ak-rsa2048\n role ak\n hierarchy endorsement\n"
				   " template " RSA "\n unique given\n handle none\n"
				   "ahead endorsement\n template " RSA "\n"
				   "ahead owner\n template " STORAGE "\n";
	uint8_t area[TPM_PUBLIC_MAX];
	size_t size;

	(void)state;
	start_with(text);
	for (int i = 0; i < 4; i++)
		assert_true(find_one());
	assert_false(find_one());
	assert_non_null(awaited_key(&vtpm, 0));
	assert_int_equal(vtpm.ahead.taken, AHEAD_PRIMES);
	assert_int_equal(guest_primary(&guest, "", vtpm.templates[0].data, vtpm.templates[0].size,
				       area, &size),
			 0);
	assert_int_equal(vtpm.ahead.taken, 2 * AHEAD_PRIMES);
	/* The key is made, and the list wants it again. */
	ahead_forget(&vtpm.ahead, AHEAD_ALL);
	vtpm_learn_ahead(&vtpm);
	for (int i = 0; i < 4; i++)
		assert_true(find_one());
	assert_false(find_one());
}

/* ---- Selectors ---- */

static uint32_t select_outcome(const void *selector, size_t size)
{
	uint8_t request[4 + SVSM_SELECTOR_MAX] = { 1 };
	struct vtpm_select_reply reply;
	struct serve_output out;

	memcpy(request + 4, selector, size);
	assert_int_equal(ask(VTPM_OP_SELECT, request, 4 + size, &out), SERVICE_OK);
	assert_true(out.size > sizeof(reply));
	memcpy(&reply, out.data, sizeof(reply));
	return reply.outcome;
}

/* Its caller can wait for the twin, in slices; and need not where the primes are there. */
static void a_selected_key_is_the_twins_until_its_primes_are_known(void **state)
{
	static const uint8_t by_id[] = { SVSM_SELECTOR_KEY, 0, 0, 0, 0, 0, 0, 0, 0x81, 0, 0, 0 };
	struct listed listed;

	(void)state;
	assert_int_equal(select_outcome(by_id, sizeof(by_id)), SELECT_CREATE);
	assert_true(find_one());
	assert_int_equal(select_outcome(by_id, sizeof(by_id)), SELECT_CREATE);
	assert_false(is_made());
	assert_true(find_one());
	assert_int_equal(select_outcome(by_id, sizeof(by_id)), SELECT_MANIFEST);
	assert_true(is_made());
	get_manifest(&listed);
	are_the_guests(&listed, "");
}

/* Primes that another key lacks are nothing to it. */
static void a_selected_key_needs_its_own_primes_alone(void **state)
{
	static const uint8_t second[] = { SVSM_SELECTOR_KEY, 0, 0, 0, 0, 0, 0, 0, 0x01, 0, 0, 0 };
	struct serve_output out;
	struct prime_found found;

	(void)state;
	start_with(two_text);
	assert_int_equal(ask(VTPM_OP_AHEAD_NEXT, NULL, 0, &out), SERVICE_OK);
	assert_int_equal(select_outcome(second, sizeof(second)), SELECT_CREATE);
	for (int i = 0; i < 2; i++) {
		assert_true(vtpm.ahead.keys[1].primes[i].wanted);
		assert_true(prime_find(&vtpm.ahead.keys[1].primes[i].found.order, &found));
		assert_int_equal(ask(VTPM_OP_AHEAD_FOUND, &found, sizeof(found), &out), SERVICE_OK);
	}
	assert_int_equal(select_outcome(second, sizeof(second)), SELECT_MANIFEST);
	assert_int_equal(vtpm.ahead.taken, AHEAD_PRIMES);
	assert_null(vtpm_profile_key(&vtpm, 0));
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_nobody_needs_before_is_left),
		CASE(its_primes_come_first),
		CASE(the_guest_cannot_be_in_the_way),
		CASE(a_manifest_waits_for_what_is_not_found),
		CASE(all_are_made_when_that_is_asked_for),
		cmocka_unit_test_teardown(each_key_has_a_request_of_its_own, end),
		cmocka_unit_test_teardown(a_key_that_libtpms_lacks_ends_the_start, end),
		CASE(a_key_that_fails_leaves_no_trace),
		CASE(clear_changes_nothing),
		CASE(change_eps_ends_it),
		cmocka_unit_test_teardown(a_selected_key_needs_its_own_primes_alone, end),
		cmocka_unit_test_teardown(one_key_may_be_wished_for_twice, end),
		CASE(a_selected_key_is_the_twins_until_its_primes_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
