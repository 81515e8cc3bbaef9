/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/host/profile_check.h"
#include "core/profile.h"

#define GOOD                                                                                  \
	"profile p\npcr-banks sha256\nplatform-auth random\nmanifests 1\ncertificates none\n" \
	"key ak-ecc-p256\n role ak\n hierarchy endorsement\n"                                 \
	" template 0023000b00050072000000100018000b0003001000000000\n unique given\n handle " \
	"none\n"

static bool check(const char *name, const char *text, struct host_error *error)
{
	struct archive_writer_file files[] = {
		{ .name = (char *)"profile/first.conf",
		  .bytes = { .data = (uint8_t *)GOOD, .size = strlen(GOOD) } },
		{ .name = (char *)name,
		  .bytes = { .data = (uint8_t *)text, .size = strlen(text) } },
	};
	struct archive_writer archive = { .files = files, .count = 2 };

	return profile_check_archive(&archive, error);
}

static void test_good(void **state)
{
	struct host_error error;

	(void)state;
	assert_true(check("profile/second.conf", GOOD, &error));
}

/* What is no profile is no business of this check. */
static void test_other_files(void **state)
{
	struct host_error error;

	(void)state;
	assert_true(check("services.conf", "service x\n", &error));
	assert_true(check("profile/README", "text\n", &error));
	assert_true(check("other/profile/x.conf", "text\n", &error));
}

static void test_wrong(void **state)
{
	struct host_error error;
	char *large = calloc(1, PROFILE_SIZE_MAX + 1);

	(void)state;
	assert_false(check("profile/second.conf", GOOD "\nhandle none\n", &error));
	assert_string_equal(error.text, "profile/second.conf:13: this property was given before");
	assert_false(check("profile/second.conf", "", &error));
	assert_string_equal(error.text,
			    "profile/second.conf: profile, pcr-banks, platform-auth, manifests or "
			    "certificates is missing");
	memset(large, '\n', PROFILE_SIZE_MAX);
	assert_false(check("profile/second.conf", large, &error));
	assert_string_equal(error.text, "profile/second.conf: it is too large for a profile");
	free(large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_other_files),
		cmocka_unit_test(test_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
