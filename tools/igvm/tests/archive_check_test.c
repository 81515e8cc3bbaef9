/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/tpm/profile.h"
#include "tools/igvm/archive_check.h"

#define GOOD                                                                                  \
	"profile p\npcr-banks sha256\nplatform-auth random\nmanifests 1\ncertificates none\n" \
	"key ak-ecc-p256\n role ak\n hierarchy endorsement\n"                                 \
	" template 0023000b00050072000000100018000b0003001000000000\n unique given\n handle " \
	"none\n"

#define SERVICE "service a\nexec programs/a\nmemory 4M\nbudget 60s\n"
#define VTPM SERVICE "role vtpm\ngrant 6 file other/p\n"

/* An archive with a service, a profile and, in the end, two files of the test's. */
struct fixture {
	struct archive_writer archive;
	struct archive_writer_file files[5];
	struct host_error error;
};

static void put(struct fixture *f, const char *name, const char *text)
{
	struct archive_writer_file *file = &f->files[f->archive.count++];

	file->name = (char *)name;
	file->bytes.data = (uint8_t *)text;
	file->bytes.size = strlen(text);
}

static bool check(struct fixture *f, const char *conf, const char *name, const char *text)
{
	*f = (struct fixture){ .archive = { .files = f->files } };
	put(f, "profile/first.conf", GOOD);
	put(f, "programs/a", "");
	if (conf)
		put(f, "services.conf", conf);
	if (name)
		put(f, name, text);
	return archive_check(&f->archive, &f->error);
}

static void refuses(const char *conf, const char *name, const char *text, const char *reason)
{
	struct fixture f;

	assert_false(check(&f, conf, name, text));
	assert_string_equal(f.error.text, reason);
}

static void test_good(void **state)
{
	struct fixture f;

	(void)state;
	assert_true(check(&f, SERVICE, NULL, NULL));
	assert_true(check(&f, SERVICE, "profile/second.conf", GOOD));
	assert_true(check(&f, VTPM, "other/p", GOOD));
}

/* What is no profile is no business of this check. */
static void test_other_files(void **state)
{
	struct fixture f;

	(void)state;
	assert_true(check(&f, SERVICE, "profile/README", "text\n"));
	assert_true(check(&f, SERVICE, "other/profile/x.conf", "text\n"));
	assert_true(check(&f, SERVICE "grant 6 file other/p\n", "other/p", "text\n"));
	assert_true(check(&f, SERVICE "role attest\ngrant 6 file other/p\n", "other/p", "text\n"));
	assert_true(check(&f, VTPM "grant 5 file services.conf\n", "other/p", GOOD));
}

static void test_wrong_profile(void **state)
{
	char *large = calloc(1, PROFILE_SIZE_MAX + 1);

	(void)state;
	refuses(SERVICE, "profile/second.conf", GOOD "\nhandle none\n",
		"profile/second.conf:13: this property was given before");
	refuses(SERVICE, "profile/second.conf", "",
		"profile/second.conf: profile, pcr-banks, platform-auth, manifests or certificates "
		"is missing");
	memset(large, '\n', PROFILE_SIZE_MAX);
	refuses(SERVICE, "profile/second.conf", large,
		"profile/second.conf: it is too large for a profile");
	refuses(VTPM, "other/p", large, "other/p: it is too large for a profile");
	refuses(VTPM, "other/p", "nonsense\n", "other/p:1: unknown keyword");
	free(large);
}

static void test_wrong_conf(void **state)
{
	(void)state;
	refuses(NULL, NULL, NULL, "services.conf: the archive has no such file");
	refuses(SERVICE "role vtmp\n", NULL, NULL, "services.conf:5: there is no such role");
	refuses("", NULL, NULL, "services.conf:1: there is no service");
}

static void test_missing_files(void **state)
{
	(void)state;
	refuses("# Two lines before it.\nservice a\nmemory 4M\nexec programs/b\nbudget 1s\n", NULL,
		NULL, "services.conf:4: the archive has no file programs/b");
	refuses(VTPM, NULL, NULL, "services.conf:6: the archive has no file other/p");
	refuses(SERVICE "service b\nexec programs/a\nmemory 4M\nbudget 1s\ngrant 7 log\n"
			"grant 5 file other/q at-start\n",
		"other/p", "", "services.conf:10: the archive has no file other/q");
}

static void test_no_profile(void **state)
{
	static const char wrong[] =
		"services.conf:1: the vtpm has no profile: it lacks grant 6 file";

	(void)state;
	refuses(SERVICE "role vtpm\n", NULL, NULL, wrong);
	refuses(SERVICE "role vtpm\ngrant 5 file other/p\n", "other/p", GOOD, wrong);
	refuses(SERVICE "role vtpm\ngrant 6 log\n", NULL, NULL, wrong);
	/* The line is that of the service, not of one with another name, or of a comment. */
	refuses("service ab # service b\nexec programs/a\nmemory 4M\nbudget 1s\n"
		"grant 6 file other/p\n# service b\n\n \tservice  b # vtpm\nrole vtpm\n"
		"exec programs/a\nmemory 4M\nbudget 1s",
		"other/p", GOOD, "services.conf:8: the vtpm has no profile: it lacks grant 6 file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	      cmocka_unit_test(test_other_files),
		cmocka_unit_test(test_wrong_profile), cmocka_unit_test(test_wrong_conf),
		cmocka_unit_test(test_missing_files), cmocka_unit_test(test_no_profile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
