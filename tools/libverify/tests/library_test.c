/* SPDX-License-Identifier: MIT */
/*
 * libsocle-verify as its users have it: through its header alone, on the test vectors of docs/spec,
 * by several threads at once. What the vectors expect was made, and is judged once more, by the
 * second verifier (tests/spec).
 *
 *	library_test DIRECTORY [VERDICTS]
 *
 * VERDICTS is how many each thread makes.
 */
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first. */
#include <cmocka.h>
#include <jansson.h>
#include <openssl/err.h>

#include "tools/libverify/socle-verify.h"

#define THREADS 4u
#define VECTORS_MAX 64u

static const char *directory;
static unsigned int verdicts = 16;

struct blob {
	uint8_t *data;
	size_t size;
};

/* Exactly as many bytes as there are, so that a sanitizer sees every step too far. */
static struct blob from_hex(const char *hex)
{
	struct blob b = { .size = strlen(hex) / 2 };

	b.data = malloc(b.size ? b.size : 1);
	for (size_t i = 0; i < b.size; i++) {
		unsigned int byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		b.data[i] = (uint8_t)byte;
	}
	return b;
}

static json_t *load_vectors(void)
{
	json_error_t error;
	char path[512];
	json_t *root;

	snprintf(path, sizeof(path), "%s/verdicts.json", directory);
	root = json_load_file(path, 0, &error);
	if (!root)
		fail_msg("%s: %s", path, error.text);
	return root;
}

/* The report first, as the library wants it. */
static const struct part_name {
	const char *name;
	enum socle_part part;
} part_names[] = {
	{ "report.bin", SOCLE_REPORT },	      { "ask.pem", SOCLE_CERT_ISSUER },
	{ "vcek.pem", SOCLE_CERT_SIGNER },    { "ark.pem", SOCLE_CERT_ARK },
	{ "manifest.bin", SOCLE_MANIFEST },   { "selector.bin", SOCLE_SELECTOR },
	{ "context.bin", SOCLE_CONTEXT },     { "ek.pub", SOCLE_EK },
	{ "ak.pub", SOCLE_AK },		      { "answer.bin", SOCLE_ANSWER },
	{ "quote.msg", SOCLE_QUOTE },	      { "quote.sig", SOCLE_QUOTE_SIGNATURE },
	{ "quote.pcrs", SOCLE_QUOTE_PCRS },   { "ek.crt", SOCLE_EK_CERTIFICATE },
}, own_names[] = {
	{ "ark.pem", SOCLE_OWN_ROOT },
	{ "nonce.bin", SOCLE_OWN_NONCE },
	{ "ca.crt", SOCLE_OWN_CA },
};

static void add_named(struct socle_evidence *evidence, const json_t *names, const json_t *files,
		      const struct part_name *parts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *key = json_string_value(json_object_get(names, parts[i].name));
		char error[SOCLE_ERROR_SIZE] = "";
		struct blob b;

		if (!key)
			continue;
		b = from_hex(json_string_value(json_object_get(files, key)));
		if (!socle_evidence_add(evidence, parts[i].part, b.data, b.size, error))
			fail_msg("%s: %s", parts[i].name, error);
		free(b.data);
	}
}

static struct socle_evidence *evidence_of(const json_t *vector, const json_t *files)
{
	struct socle_evidence *evidence = socle_evidence_new();
	const json_t *challenge = json_object_get(vector, "challenge");

	assert_non_null(evidence);
	add_named(evidence, json_object_get(vector, "files"), files, part_names,
		  sizeof(part_names) / sizeof(part_names[0]));
	add_named(evidence, json_object_get(vector, "mine"), files, own_names,
		  sizeof(own_names) / sizeof(own_names[0]));
	if (challenge) {
		char *text = json_dumps(challenge, 0);

		assert_true(socle_evidence_add(evidence, SOCLE_OWN_CHALLENGE, text, strlen(text),
					       NULL));
		free(text);
	}
	return evidence;
}

static struct socle_policy *policy_of(const json_t *vector)
{
	const char *depth = json_string_value(json_object_get(vector, "depth"));
	json_t *json = json_pack("{s:i, s:s, s:{s:b}, s:{s:s}}", "format", 1, "look_at",
				 strcmp(depth, "full") == 0 ? "quote" : depth, "allow", "emulated",
				 json_is_true(json_object_get(vector, "trust_emulated")),
				 "measurements", "expected",
				 json_string_value(json_object_get(vector, "measurement")));
	char *text = json_dumps(json, 0), error[SOCLE_ERROR_SIZE] = "";
	struct socle_policy *policy = socle_policy_read(text, strlen(text), error);

	if (!policy)
		fail_msg("%s", error);
	free(text);
	json_decref(json);
	return policy;
}

static void check_verdict(const struct socle_verdict *verdict, const json_t *vector)
{
	const json_t *expected = json_object_get(vector, "expected"), *failing;
	const char *check, *error;
	size_t failed = 0;

	assert_non_null(verdict);
	failing = json_object_get(expected, "failing");
	assert_int_equal(socle_verdict_status(verdict),
			 json_integer_value(json_object_get(expected, "status")));
	assert_true(socle_verdict_emulated(verdict));
	for (size_t i = 0; (check = socle_verdict_check(verdict, i, NULL, &error, NULL)); i++) {
		if (error)
			assert_string_equal(check,
					    json_string_value(json_array_get(failing, failed++)));
	}
	assert_int_equal(failed, json_array_size(failing));
}

/* What threads share: evidence, policies and what is to come of them. */
struct shared {
	json_t *root, *list;
	size_t count;
	struct socle_evidence *evidence[VECTORS_MAX];
	struct socle_policy *policies[VECTORS_MAX];
	char *texts[VECTORS_MAX];
};

static void load(struct shared *s)
{
	s->root = load_vectors();
	s->list = json_object_get(s->root, "verdicts");
	s->count = json_array_size(s->list);
	assert_in_range(s->count, 2, VECTORS_MAX);
	for (size_t i = 0; i < s->count; i++) {
		const json_t *vector = json_array_get(s->list, i);
		struct socle_verdict *verdict;

		s->evidence[i] = evidence_of(vector, json_object_get(s->root, "files"));
		s->policies[i] = policy_of(vector);
		verdict = socle_verify(s->evidence[i], s->policies[i], NULL);
		check_verdict(verdict, vector);
		s->texts[i] = socle_verdict_json(verdict, true);
		socle_verdict_free(verdict);
	}
}

static void unload(struct shared *s)
{
	for (size_t i = 0; i < s->count; i++) {
		socle_evidence_free(s->evidence[i]);
		socle_policy_free(s->policies[i]);
		socle_text_free(s->texts[i]);
	}
	json_decref(s->root);
}

/*
 * What differs from what one thread alone was told; nothing of cmocka's here, which is not for
 * threads.
 */
static void *judge(void *argument)
{
	const struct shared *s = argument;
	size_t differ = 0;

	for (size_t i = 0; i < verdicts; i++) {
		size_t which = i % s->count;
		struct socle_verdict *verdict = socle_verify(s->evidence[which], s->policies[which],
							     NULL);
		char *text = verdict ? socle_verdict_json(verdict, true) : NULL;

		differ += !text || strcmp(text, s->texts[which]) != 0;
		socle_text_free(text);
		socle_verdict_free(verdict);
	}
	return (void *)differ;
}

static void threads_share(void **state)
{
	struct shared s;
	pthread_t threads[THREADS];
	void *differ;

	(void)state;
	load(&s);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, judge, &s), 0);
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &differ), 0);
		assert_null(differ);
	}
	unload(&s);
}

static void expect_refused(struct socle_evidence *evidence, int part, const void *data, size_t size,
			   const char *wanted)
{
	char error[SOCLE_ERROR_SIZE] = "";

	assert_false(socle_evidence_add(evidence, (enum socle_part)part, data, size, error));
	if (!strstr(error, wanted))
		fail_msg("\"%s\", not \"%s\"", error, wanted);
}

/* Parts in a wrong order, twice, too large, unknown or none. */
static void parts_refused(void **state)
{
	static const uint8_t large[(128 << 10) + 1], huge[(512 << 10) + 1];
	struct socle_evidence *evidence = socle_evidence_new();
	struct socle_policy *policy;
	json_t *root = load_vectors();
	const json_t *vector = json_array_get(json_object_get(root, "verdicts"), 0);
	const char *key =
		json_string_value(json_object_get(json_object_get(vector, "files"), "report.bin"));
	struct blob report =
		from_hex(json_string_value(json_object_get(json_object_get(root, "files"), key)));
	char error[SOCLE_ERROR_SIZE] = "";

	(void)state;
	expect_refused(evidence, SOCLE_MANIFEST, "m", 1, "before everything else");
	expect_refused(evidence, SOCLE_REPORT, report.data, report.size - 1, "too short");
	expect_refused(evidence, SOCLE_REPORT, large, sizeof(large), "are the most");
	expect_refused(evidence, SOCLE_REPORT, NULL, 0, "");
	assert_null(socle_evidence_key(evidence));
	assert_true(socle_evidence_add(evidence, SOCLE_REPORT, report.data, report.size, error));
	assert_string_equal(socle_evidence_key(evidence), "vcek");
	expect_refused(evidence, SOCLE_REPORT, report.data, report.size, "there already");
	expect_refused(evidence, 0, "x", 1, "not known");
	expect_refused(evidence, SOCLE_EVENT_LOG + 1, "x", 1, "not known");
	expect_refused(evidence, SOCLE_EVENT_LOG, NULL, 0, "empty");
	expect_refused(evidence, SOCLE_EVENT_LOG, huge, sizeof(huge), "are the most");
	expect_refused(evidence, SOCLE_OWN_CA + 1, "x", 1, "not known");
	expect_refused(evidence, -1, "x", 1, "not known");
	expect_refused(evidence, SOCLE_QUOTE, large, (64 << 10) + 1, "are the most");
	expect_refused(evidence, SOCLE_OWN_NONCE, large, 63, "64");
	expect_refused(evidence, SOCLE_CERT_SIGNER, "no", 2, "vcek.pem");
	expect_refused(evidence, SOCLE_OWN_CHALLENGE, "{}", 2, "ek_name");
	assert_false(socle_evidence_has(evidence, SOCLE_CERT_SIGNER));
	assert_false(socle_evidence_has(evidence, (enum socle_part)1000));
	/* What is missing is said, not guessed. */
	policy = policy_of(vector);
	assert_null(socle_verify(evidence, policy, error));
	assert_string_equal(error, "missing: the certificate of the report's key");
	assert_null(socle_verify(evidence, policy, NULL));
	socle_policy_free(policy);
	socle_evidence_free(evidence);
	socle_evidence_free(NULL);
	socle_policy_free(NULL);
	socle_verdict_free(NULL);
	free(report.data);
	json_decref(root);
}

/* A nonce is missing where the policy looks at keys, and only there. */
static void nonce_missing(void **state)
{
	json_t *root = load_vectors(), *names;
	json_t *vector = json_array_get(json_object_get(root, "verdicts"), 0);
	static const char report_only[] =
		"{\"format\": 1, \"look_at\": \"report\", \"allow\": {\"emulated\": true}}";
	struct socle_policy *keys = policy_of(vector),
			    *alone = socle_policy_read(report_only, strlen(report_only), NULL);
	struct socle_evidence *evidence;
	struct socle_verdict *verdict;
	char error[SOCLE_ERROR_SIZE] = "";

	(void)state;
	names = json_object_get(vector, "mine");
	json_object_del(names, "nonce.bin");
	evidence = evidence_of(vector, json_object_get(root, "files"));
	assert_null(socle_verify(evidence, keys, error));
	assert_string_equal(error, "missing: the nonce, which has to be your own");
	verdict = socle_verify(evidence, alone, error);
	assert_non_null(verdict);
	assert_int_equal(socle_verdict_status(verdict), SOCLE_TRUSTED);
	assert_null(socle_verdict_binding(verdict, 0));
	assert_null(socle_verdict_check(verdict, 1000, NULL, NULL, NULL));
	socle_verdict_free(verdict);
	socle_evidence_free(evidence);
	socle_policy_free(keys);
	socle_policy_free(alone);
	json_decref(root);
}

static void crls_refused(void **state)
{
	static const char json[] = "{\"format\": 1, \"look_at\": \"report\"}";
	struct socle_policy *policy = socle_policy_read(json, strlen(json), NULL);
	char error[SOCLE_ERROR_SIZE] = "";

	(void)state;
	assert_non_null(policy);
	assert_false(socle_policy_add_crls(policy, "no list", 7, error));
	assert_string_not_equal(error, "");
	assert_false(socle_policy_add_crls(policy, "", (1 << 20) + 1, error));
	socle_policy_free(policy);
}

/* How many more objects jansson gets; LONG_MAX: any number. */
static long allowance = LONG_MAX;

static void *allowed_malloc(size_t size)
{
	if (allowance == LONG_MAX)
		return malloc(size);
	return allowance-- > 0 ? malloc(size) : NULL;
}

/* A text of the library's, and how often it has to be made until no allocation in it fails. */
static void expect_whole(char *(*make)(const void *), const void *of)
{
	char *whole = make(of), *text = NULL;
	long tries = 0;

	assert_non_null(whole);
	json_set_alloc_funcs(allowed_malloc, free);
	for (; !text; tries++) {
		assert_in_range(tries, 0, 20000);
		allowance = tries;
		text = make(of);
	}
	allowance = LONG_MAX;
	json_set_alloc_funcs(malloc, free);
	assert_in_range(tries, 50, 20000);
	assert_string_equal(text, whole);
	socle_text_free(text);
	socle_text_free(whole);
}

static char *made_policy(const void *evidence)
{
	char error[SOCLE_ERROR_SIZE] = "";
	char *text = socle_policy_make(evidence, "quote", error);

	assert_true(text || strcmp(error, "out of memory") == 0);
	return text;
}

static char *explained(const void *verdict)
{
	return socle_verdict_json(verdict, true);
}

/* Short memory leaves no rule out of a policy, and nothing out of a verdict: then there is none. */
static void memory_is_short(void **state)
{
	json_t *root = load_vectors();
	const json_t *list = json_object_get(root, "verdicts");
	size_t made = 0;

	(void)state;
	for (size_t i = 0; i < json_array_size(list) && made < 3; i++) {
		const json_t *vector = json_array_get(list, i);
		struct socle_evidence *evidence = evidence_of(vector,
							      json_object_get(root, "files"));
		struct socle_policy *policy = policy_of(vector);
		struct socle_verdict *verdict = socle_verify(evidence, policy, NULL);

		assert_non_null(verdict);
		if (i % 7 == 0 && socle_evidence_has(evidence, SOCLE_QUOTE_PCRS)) {
			expect_whole(made_policy, evidence);
			expect_whole(explained, verdict);
			made++;
		}
		socle_verdict_free(verdict);
		socle_policy_free(policy);
		socle_evidence_free(evidence);
	}
	assert_in_range(made, 2, 3);
	json_decref(root);
}

static void policy_made(void **state)
{
	json_t *root = load_vectors();
	const json_t *vector = json_array_get(json_object_get(root, "verdicts"), 0);
	struct socle_evidence *evidence = evidence_of(vector, json_object_get(root, "files")),
			      *empty = socle_evidence_new();
	static const char *const words[] = { "", "Quote", "everything", "quote\",\"vmpl\":3,\"x" };
	char error[SOCLE_ERROR_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		assert_null(socle_policy_make(evidence, words[i], error));
		assert_string_equal(error, "look_at: one of report, keys and quote is wanted");
	}
	assert_null(socle_policy_make(evidence, "all", NULL));
	assert_null(socle_policy_make(empty, "report", error));
	assert_string_equal(error, "the report is missing");
	socle_evidence_free(evidence);
	socle_evidence_free(empty);
	json_decref(root);
}

/* The caller's errors in OpenSSL's queue are the caller's, whatever the library meets there. */
static void errors_are_kept(void **state)
{
	static const char json[] = "{\"format\": 1, \"look_at\": \"report\"}";
	static const char pem[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
				  "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"
				  "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
	struct socle_policy *policy = socle_policy_read(json, strlen(json), NULL);
	struct shared s;
	struct socle_evidence *evidence;

	(void)state;
	ERR_clear_error();
	load(&s);
	assert_int_equal(ERR_peek_error(), 0);
	ERR_raise(ERR_LIB_USER, 1);
	ERR_raise(ERR_LIB_USER, 2);
	for (size_t i = 0; i < s.count; i++) {
		struct socle_verdict *verdict = socle_verify(s.evidence[i], s.policies[i], NULL);

		check_verdict(verdict, json_array_get(s.list, i));
		socle_verdict_free(verdict);
		socle_text_free(socle_policy_make(s.evidence[i], "quote", NULL));
		socle_evidence_has(s.evidence[i], SOCLE_CERT_ISSUER);
	}
	evidence = evidence_of(json_array_get(s.list, 0), json_object_get(s.root, "files"));
	for (int part = 0; part <= SOCLE_OWN_CA; part++)
		socle_evidence_add(evidence, (enum socle_part)part, pem, strlen(pem), NULL);
	assert_false(socle_policy_add_crls(policy, pem, strlen(pem), NULL));
	assert_false(socle_policy_add_crls(policy, "no list", 7, NULL));
	socle_evidence_free(evidence);
	socle_policy_free(policy);
	unload(&s);
	assert_int_equal(ERR_GET_REASON(ERR_get_error()), 1);
	assert_int_equal(ERR_GET_REASON(ERR_get_error()), 2);
	assert_int_equal(ERR_get_error(), 0);
}

static struct socle_policy *report_policy(const char *more)
{
	char json[256], error[SOCLE_ERROR_SIZE] = "";
	struct socle_policy *policy;

	snprintf(json, sizeof(json),
		 "{\"format\": 1, \"look_at\": \"report\", \"allow\": {\"emulated\": true}%s}",
		 more);
	policy = socle_policy_read(json, strlen(json), error);
	if (!policy)
		fail_msg("%s", error);
	return policy;
}

/*
 * The named parts of the first vector; as: what its own ark.pem is added as, or 0 for not at all.
 */
static struct socle_evidence *some_of(const json_t *root, const char *const *names, int as)
{
	const json_t *files = json_object_get(root, "files"),
		     *vector = json_array_get(json_object_get(root, "verdicts"), 0);
	struct socle_evidence *evidence = socle_evidence_new();
	json_t *parts = json_object_get(vector, "files"), *few = json_object();
	const struct part_name own = { "ark.pem", (enum socle_part)as };

	for (; *names; names++)
		json_object_set(few, *names, json_object_get(parts, *names));
	add_named(evidence, few, files, part_names, sizeof(part_names) / sizeof(part_names[0]));
	if (as)
		add_named(evidence, json_object_get(vector, "mine"), files, &own, 1);
	json_decref(few);
	return evidence;
}

/* The name of the first check that fails, "" for none; or what was missing. */
static const char *first_failure(const struct socle_evidence *evidence,
				 const struct socle_policy *policy)
{
	static char text[SOCLE_ERROR_SIZE];
	struct socle_verdict *verdict = socle_verify(evidence, policy, text);
	const char *name, *error;

	if (!verdict)
		return text;
	text[0] = '\0';
	for (size_t i = 0; (name = socle_verdict_check(verdict, i, NULL, &error, NULL)); i++) {
		if (error && !text[0])
			snprintf(text, sizeof(text), "%s", name);
	}
	socle_verdict_free(verdict);
	return text;
}

static const char *const whole[] = { "report.bin", "ask.pem", "vcek.pem", NULL };
static const char *const alone[] = { "report.bin", NULL };

static struct socle_chain *chain_of(const json_t *root, int ark_as)
{
	struct socle_evidence *evidence = some_of(root, whole, ark_as);
	char error[SOCLE_ERROR_SIZE] = "";
	struct socle_chain *chain = socle_chain_of(evidence, error);

	if (!chain)
		fail_msg("%s", error);
	socle_evidence_free(evidence);
	return chain;
}

/*
 * A report alone, with a chain that outlives what it was made of, and is let go before its last
 * use.
 */
static void chain_kept(void **state)
{
	json_t *root = load_vectors();
	struct socle_chain *chain = chain_of(root, SOCLE_OWN_ROOT);
	struct socle_policy *now = report_policy(""),
			    *early = report_policy(", \"at\": \"1999-01-01\"");
	struct socle_evidence *evidence = some_of(root, alone, 0);
	char error[SOCLE_ERROR_SIZE] = "";

	(void)state;
	assert_string_equal(first_failure(evidence, now),
			    "missing: the certificate of the report's key");
	assert_true(socle_evidence_add_chain(evidence, chain, error));
	assert_true(socle_evidence_has(evidence, SOCLE_CERT_SIGNER));
	assert_string_equal(first_failure(evidence, now), "");
	assert_false(socle_evidence_add_chain(evidence, chain, error));
	assert_string_equal(error, "a chain is there already");
	socle_chain_free(chain);
	assert_string_equal(first_failure(evidence, now), "");
	/* Time is not among what was checked once. */
	assert_string_equal(first_failure(evidence, early), "chain");
	socle_evidence_free(evidence);
	socle_policy_free(now);
	socle_policy_free(early);
	socle_chain_free(NULL);
	json_decref(root);
}

/* What came from the guest makes no root one's own. */
static void chain_of_guest(void **state)
{
	json_t *root = load_vectors();
	struct socle_chain *guests = chain_of(root, SOCLE_CERT_ARK),
			   *own = chain_of(root, SOCLE_OWN_ROOT);
	struct socle_policy *policy = report_policy("");
	struct socle_evidence *evidence = some_of(root, alone, 0), *empty = socle_evidence_new();
	char error[SOCLE_ERROR_SIZE] = "";

	(void)state;
	assert_true(socle_evidence_add_chain(evidence, guests, NULL));
	assert_string_equal(first_failure(evidence, policy), "root");
	socle_evidence_free(evidence);
	assert_false(socle_evidence_add_chain(empty, own, error));
	assert_string_equal(error, "the report has to come before everything else");
	evidence = some_of(root, alone, SOCLE_OWN_ROOT);
	assert_null(socle_chain_of(evidence, error));
	assert_string_equal(error, "a certificate of the chain is missing");
	assert_null(socle_chain_of(empty, NULL));
	socle_evidence_free(evidence);
	socle_evidence_free(empty);
	socle_chain_free(guests);
	socle_chain_free(own);
	socle_policy_free(policy);
	json_decref(root);
}

/*
 * A chain whose signatures do not hold is none, and a part that was added comes before the chain's.
 */
static void chain_wrong(void **state)
{
	static const char *const unsigned_parts[] = { "report.bin", "ask.pem", NULL };
	json_t *root = load_vectors();
	const json_t *vector = json_array_get(json_object_get(root, "verdicts"), 0);
	const char *key =
		json_string_value(json_object_get(json_object_get(vector, "files"), "vcek.pem"));
	struct blob vcek =
		from_hex(json_string_value(json_object_get(json_object_get(root, "files"), key)));
	struct socle_evidence *evidence = some_of(root, unsigned_parts, SOCLE_OWN_ROOT);
	struct socle_chain *chain = chain_of(root, SOCLE_OWN_ROOT);
	struct socle_policy *policy = report_policy("");
	char error[SOCLE_ERROR_SIZE] = "";

	(void)state;
	if (vcek.data[0] == 0x30) /* DER */
		vcek.data[vcek.size - 1] ^= 1;
	else /* in the last full line of PEM */
		vcek.data[vcek.size - 60] = vcek.data[vcek.size - 60] == 'A' ? 'B' : 'A';
	assert_true(socle_evidence_add(evidence, SOCLE_CERT_SIGNER, vcek.data, vcek.size, error));
	assert_null(socle_chain_of(evidence, error));
	assert_string_equal(error, "a certificate's signature is wrong");
	assert_true(socle_evidence_add_chain(evidence, chain, error));
	assert_string_equal(first_failure(evidence, policy), "chain");
	free(vcek.data);
	socle_chain_free(chain);
	socle_policy_free(policy);
	socle_evidence_free(evidence);
	json_decref(root);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_share),   cmocka_unit_test(parts_refused),
		cmocka_unit_test(nonce_missing),   cmocka_unit_test(crls_refused),
		cmocka_unit_test(policy_made),	   cmocka_unit_test(errors_are_kept),
		cmocka_unit_test(memory_is_short), cmocka_unit_test(chain_kept),
		cmocka_unit_test(chain_of_guest),  cmocka_unit_test(chain_wrong),
	};

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: library_test DIRECTORY [VERDICTS]\n");
		return 2;
	}
	directory = argv[1];
	if (argc == 3)
		verdicts = (unsigned int)atoi(argv[2]);
	return cmocka_run_group_tests_name("libsocle-verify", tests, NULL, NULL);
}
