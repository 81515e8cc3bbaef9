/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/vtpm/profile.h"

static struct profile profile;

static void expect_ok(const char *text)
{
	struct profile_error error;

	if (!profile_parse(&profile, text, strlen(text), &error))
		fail_msg("line %u: %s", error.line, error.reason);
}

static void expect_error(const char *text, unsigned int line, const char *reason)
{
	struct profile_error error;

	assert_false(profile_parse(&profile, text, strlen(text), &error));
	assert_string_equal(error.reason, reason);
	assert_int_equal(error.line, line);
}

#define HEAD "profile p\npcr-banks sha256\n"

static void test_complete(void **state)
{
	const struct profile_key *key;

	(void)state;
	expect_ok("# comment\n\nprofile tcg # name\npcr-banks sha1 sha256\n"
		  "key ek\ttemplate 0001 0a0b zeros:3 ff\nkey ak template 00");
	assert_string_equal(profile.name, "tcg");
	assert_int_equal(profile.bank_count, 2);
	assert_int_equal(profile.banks[0], 0x0004);
	assert_int_equal(profile.banks[1], 0x000b);
	assert_int_equal(profile.key_count, 2);
	key = profile_find_key(&profile, "ek");
	assert_non_null(key);
	assert_int_equal(key->template_size, 8);
	assert_memory_equal(key->template, "\x00\x01\x0a\x0b\x00\x00\x00\xff", 8);
	assert_null(profile_find_key(&profile, "e"));
}

static void test_missing(void **state)
{
	(void)state;
	expect_error("", 0, "the profile has no name");
	expect_error("profile p\n", 1, "pcr-banks is missing");
	expect_error(HEAD, 2, "the profile has no key");
	expect_error(HEAD "key", 3, "a name is missing");
	expect_error(HEAD "key a", 3, "template is missing");
	expect_error(HEAD "key a template", 3, "the template is empty");
	expect_error("profile p\npcr-banks", 2, "pcr-banks wants at least one algorithm");
}

static void test_twice(void **state)
{
	(void)state;
	expect_error("profile p\nprofile q\n", 2, "the profile has a name already");
	expect_error(HEAD "pcr-banks sha1\n", 3, "pcr-banks was given before");
	expect_error("pcr-banks sha1 sha1\n", 1, "this PCR bank was named before");
	expect_error(HEAD "key a template 00\nkey a template 01\n", 4,
		     "this key was defined before");
}

static void test_malformed(void **state)
{
	(void)state;
	expect_error("profiles p\n", 1, "unknown keyword");
	expect_error("profile P\n", 1, "a name has only a-z, 0-9 and -");
	expect_error("profile p q\n", 1, "something follows where the line should end");
	expect_error("profile aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", 1, "the name is too long");
	expect_error("pcr-banks md5\n", 1, "unknown PCR bank");
	expect_error(HEAD "key a template 0", 3, "hexadecimal digits come in pairs");
	expect_error(HEAD "key a template 0G", 3, "a template is in lower-case hexadecimal");
	expect_error(HEAD "key a template zeros:x", 3, "zeros: wants a number of bytes");
	expect_error(HEAD "key a template zeros:1000", 3, "zeros: wants a number of bytes");
	expect_error(HEAD "key a template zeros:513", 3, "the template is too long");
}

static void test_limits(void **state)
{
	char text[1024] = HEAD;

	(void)state;
	expect_ok(HEAD "key a template zeros:512");
	expect_error(HEAD "key a template zeros:512 00", 3, "the template is too long");
	for (char c = 'a'; c < 'a' + PROFILE_KEYS_MAX; c++) {
		char line[] = "key ? template 00\n";

		line[4] = c;
		strcat(text, line);
	}
	expect_ok(text);
	strcat(text, "key z template 00\n");
	expect_error(text, 3 + PROFILE_KEYS_MAX, "too many keys");
}

/* Any prefix of a good profile is parsed or refused, never read past its end (sanitizers). */
static void test_truncated(void **state)
{
	static const char text[] = "profile p\npcr-banks sha256\nkey a template 00 zeros:12\n";

	(void)state;
	for (size_t size = 0; size < sizeof(text); size++) {
		struct profile_error error;
		char *copy = malloc(size ? size : 1);

		memcpy(copy, text, size);
		profile_parse(&profile, copy, size, &error);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complete), cmocka_unit_test(test_missing),
		cmocka_unit_test(test_twice),	 cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_limits),	 cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
