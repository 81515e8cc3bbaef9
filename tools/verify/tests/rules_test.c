/* SPDX-License-Identifier: MIT */
/* Rules of options become a policy whole, or not at all: every allocation of it fails once. */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants the above first. */
#include <cmocka.h>

#include "tests/lib/scratch_dir.h"
#include "tools/cmd.h"
#include "tools/verify/rules.h"

/* No rule here measures an image. */
bool option_measure_image(const char *path, struct option_measurement *measurement)
{
	(void)path;
	(void)measurement;
	fail();
	return false;
}

static long allowance = LONG_MAX;

static void *allowed_malloc(size_t size)
{
	if (allowance == LONG_MAX)
		return malloc(size);
	return allowance-- > 0 ? malloc(size) : NULL;
}

/* All that options can say. The texts last as long as the process. */
static struct rules all_rules(void)
{
	static char digest[97], host[65], id[33], chip[129], cloud[] = "a cloud",
							     at[] = "2027-01-02", pcrs[3][160];
	struct rules r = { .look_at = RULES_LOOK_AT(FOLDER_QUOTE),
			   .emulated = true,
			   .masked_chip = true,
			   .unknown_version = true,
			   .vmpl = 0,
			   .minimum_svn = 7,
			   .minimum_tcb = { true, 0, 4, 0, 24, 219 },
			   .measurement = { .given = true, .value = { 1, 2 } } };

	memset(digest, 'a', 96);
	memset(host, 'b', 64);
	memset(id, 'c', 32);
	memset(chip, 'd', 128);
	assert_null(rules_read_digest(&r.id_keys, digest));
	assert_null(rules_read_digest(&r.id_keys, digest));
	assert_null(rules_read_digest(&r.author_keys, digest));
	assert_null(rules_read_host_data(&r.host_data, host));
	assert_null(rules_read_id(&r.family_ids, id));
	assert_null(rules_read_id(&r.image_ids, id));
	assert_null(rules_read_chip(&r.chip_ids, chip));
	assert_null(rules_read_csp(&r.csp_ids, cloud));
	assert_null(rules_read_time(&r.at, at));
	snprintf(pcrs[0], sizeof(pcrs[0]), "sha256:4=%s", host);
	snprintf(pcrs[1], sizeof(pcrs[1]), "sha384:0=%s", digest);
	snprintf(pcrs[2], sizeof(pcrs[2]), "sha512:23=%s", chip);
	for (size_t i = 0; i < 3; i++)
		assert_null(rules_read_pcr(&r, pcrs[i]));
	return r;
}

static char *text_of(const struct rules *given, bool *refused)
{
	const struct folder_paths paths = { .directory = "/nowhere" };
	struct rules rules = *given;
	enum folder_depth depth = FOLDER_REPORT;
	json_t *json = rules_json(&rules, NULL, &paths, &depth);
	long left = allowance;
	char *text;

	*refused = !json;
	assert_true(!json || depth == FOLDER_QUOTE);
	allowance = LONG_MAX; /* of the policy alone, not of this copy */
	text = json ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	allowance = left;
	json_decref(json);
	return text;
}

/*
 * Where standard error goes, and where it went: hundreds of "out of memory" tell nobody anything.
 */
static int redirect_errors(int to)
{
	int was = dup(STDERR_FILENO);

	assert_true(to >= 0 && was >= 0 && dup2(to, STDERR_FILENO) == STDERR_FILENO);
	close(to);
	return was;
}

/* The wanted number of rules, however many allocations there may be. */
static void expect_whole(const struct rules *rules, size_t fields)
{
	bool refused;
	char *whole = text_of(rules, &refused);
	json_t *read = whole ? json_loads(whole, 0, NULL) : NULL;
	long tries = 0;
	int errors;

	assert_false(refused);
	assert_int_equal(json_object_size(read), fields);
	json_decref(read);
	json_set_alloc_funcs(allowed_malloc, free);
	errors = redirect_errors(open("/dev/null", O_WRONLY));
	for (refused = true; refused; tries++) {
		char *text;

		assert_in_range(tries, 0, 20000);
		allowance = tries;
		text = text_of(rules, &refused);
		assert_true(refused || (text && whole && strcmp(text, whole) == 0));
		assert_true(!refused || strstr(cmd_last_error(), "memory") ||
			    strstr(cmd_last_error(), "policy.json"));
		free(text);
	}
	allowance = LONG_MAX;
	json_set_alloc_funcs(malloc, free);
	close(redirect_errors(errors));
	assert_in_range(tries, 50, 20000);
	free(whole);
}

static void options_alone(void **state)
{
	struct rules rules = all_rules();

	(void)state;
	expect_whole(&rules, 16);
}

/* And over a file that has two of them and one of its own. */
static void options_and_file(void **state)
{
	static const char json[] = "{\"format\":1,\"allow\":{\"emulated\":false},\"vmpl\":0,"
				   "\"policy_bits\":{\"forbidden\":[\"smt\"]}}";
	struct rules rules = all_rules();
	struct host_error error;
	char path[FILE_PATH_MAX];

	(void)state;
	assert_true(file_path(path, scratch_dir_make(), "policy.json", &error));
	assert_true(file_write(path, json, strlen(json), &error));
	rules.file = path;
	expect_whole(&rules, 17);
	scratch_dir_remove();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_alone),
		cmocka_unit_test(options_and_file),
	};

	return cmocka_run_group_tests_name("rules of options", tests, NULL, NULL);
}
