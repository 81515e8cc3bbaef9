/* SPDX-License-Identifier: MIT */
/* services.conf: what is accepted, and that every mistake is refused at its own line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/image/services_conf.h"

#define BASE "exec services/a\nmemory 4M\nbudget 60s\n"

/* A copy of exactly the text's size, so that a read past its end is seen. */
static bool parse(const char *text, struct conf *conf, struct conf_error *error)
{
	size_t size = strlen(text);
	char *copy = malloc(size ? size : 1);
	bool ok;

	assert_non_null(copy);
	memcpy(copy, text, size);
	ok = conf_parse(conf, copy, size, error);
	free(copy);
	return ok;
}

static const struct conf_grant *find_grant(const struct conf_service *service,
					   enum conf_grant_kind kind)
{
	for (unsigned int i = 0; i < service->grant_count; i++) {
		if (service->grants[i].kind == kind)
			return &service->grants[i];
	}
	fail_msg("%s has no grant of kind %u", service->name, kind);
	return NULL;
}

static void accepts_the_delivered_file(void **state)
{
	struct conf_error error;
	struct conf conf;
	char text[4096];
	size_t size;
	FILE *file = fopen(SOCLE_SERVICES_CONF, "r");

	(void)state;
	assert_non_null(file);
	size = fread(text, 1, sizeof(text), file);
	fclose(file);
	assert_true(conf_parse(&conf, text, size, &error));
	assert_int_equal(conf.count, 4);
	assert_string_equal(conf.services[0].name, "attest");
	assert_int_equal(conf.services[0].role, SERVICE_ATTEST);
	assert_int_equal(find_grant(&conf.services[0], GRANT_LOG)->fd, SERVICE_FD_LOG);
	assert_int_equal(find_grant(&conf.services[0], GRANT_AMDSP)->fd, 4);
	assert_false(conf.services[0].parked);
	assert_string_equal(conf.services[1].name, "twin");
	assert_string_equal(conf.services[1].exec, "services/services");
	assert_int_equal(conf.services[1].role, SERVICE_TWIN);
	assert_true(conf.services[1].parked);
	/* What guests make it compute leaves it only as a reply. */
	assert_int_equal(conf.services[1].grant_count, 1);
	assert_int_equal(find_grant(&conf.services[1], GRANT_LOG)->fd, SERVICE_FD_LOG);
	/* It has secrets of the vtpm's, and no way to anybody. */
	assert_string_equal(conf.services[2].name, "ahead");
	assert_int_equal(conf.services[2].role, SERVICE_AHEAD);
	assert_false(conf.services[2].required);
	assert_int_equal(conf.services[2].grant_count, 1);
	assert_int_equal(find_grant(&conf.services[2], GRANT_LOG)->fd, SERVICE_FD_LOG);
	assert_string_equal(conf.services[3].name, "vtpm");
	assert_string_equal(conf.services[3].exec, "services/services");
	assert_int_equal(conf.services[3].role, SERVICE_VTPM);
	assert_false(conf.services[3].parked);
	assert_true(conf.services[3].required);
	assert_int_equal(find_grant(&conf.services[3], GRANT_LOG)->fd, SERVICE_FD_LOG);
	assert_int_equal(find_grant(&conf.services[3], GRANT_HOST_CHANNEL)->fd, 4);
	assert_int_equal(find_grant(&conf.services[3], GRANT_SERVICE)->fd, 5);
	assert_int_equal(find_grant(&conf.services[3], GRANT_SERVICE)->service, 0);
	/* With these it could have anything attested, and tell the host what it knows. */
	assert_true(find_grant(&conf.services[3], GRANT_HOST_CHANNEL)->at_start);
	assert_true(find_grant(&conf.services[3], GRANT_SERVICE)->at_start);
	assert_false(find_grant(&conf.services[3], GRANT_LOG)->at_start);
	assert_string_equal(find_grant(&conf.services[3], GRANT_FILE)->path, "profile/tcg.conf");
}

static void reads_every_property(void **state)
{
	struct conf_error error;
	struct conf conf;

	(void)state;
	assert_true(parse("service o\n" BASE "role twin\nparked\non-demand\nservice b\n" BASE
			  "required\n",
			  &conf, &error));
	assert_int_equal(conf.services[0].role, SERVICE_TWIN);
	assert_true(conf.services[0].parked);
	assert_false(conf.services[0].required);
	assert_false(conf.services[1].parked);
	assert_true(conf.services[1].required);
	assert_true(conf.services[0].on_demand);
	assert_false(conf.services[1].on_demand);
	assert_true(parse("service a\nexec a\nrole attest\nmemory 4M # x\nbudget 60s\n"
			  "grant 0 host-channel\nservice b\n" BASE "grant 15 service a\n",
			  &conf, &error));
	assert_int_equal(conf.services[0].memory, 4u << 20);
	assert_int_equal(conf.services[0].budget_ms, 60000);
	assert_false(conf.services[0].parked);
	assert_int_equal(conf.services[0].grants[0].kind, GRANT_HOST_CHANNEL);
	assert_int_equal(conf.services[0].grants[0].fd, 0);
	assert_int_equal(conf.services[1].grants[0].fd, 15);
	assert_int_equal(conf.services[1].grants[0].line, 11);
	assert_int_equal(conf.services[1].grants[0].service, 0);
	assert_false(conf.services[1].grants[0].at_start);
	assert_true(parse("service a\n" BASE "grant 1 file at-start\ngrant 2 file x at-start\n"
			  "grant 4 log at-start\n",
			  &conf, &error));
	assert_string_equal(conf.services[0].grants[0].path, "at-start");
	assert_false(conf.services[0].grants[0].at_start);
	assert_string_equal(conf.services[0].grants[1].path, "x");
	assert_true(conf.services[0].grants[1].at_start);
	assert_true(conf.services[0].grants[2].at_start);
}

static void accepts_units_and_layout(void **state)
{
	struct conf_error error;
	struct conf conf;

	(void)state;
	assert_true(parse("#c\n\n\t service  x-1 # y\nexec\tA/b_.c\nmemory 8K\nbudget 1ms", &conf,
			  &error));
	assert_int_equal(conf.count, 1);
	assert_string_equal(conf.services[0].name, "x-1");
	assert_string_equal(conf.services[0].exec, "A/b_.c");
	assert_int_equal(conf.services[0].exec_line, 4);
	assert_int_equal(conf.services[0].role, SERVICE_ROLES);
	assert_int_equal(conf.services[0].memory, 8192);
	assert_int_equal(conf.services[0].budget_ms, 1);
}

struct refusal {
	const char *text;
	unsigned int line;
	const char *reason;
};

static const struct refusal refusals[] = {
	{ "", 1, "there is no service" },
	{ "# only\n", 2, "there is no service" },
	{ "service\n", 1, "service wants a name" },
	{ "service a b\n", 1, "service wants a name" },
	{ "service a#b\n", 1, "a name has only a-z, 0-9 and -" },
	{ "service A\n", 1, "a name has only a-z, 0-9 and -" },
	{ "service abcdefghijklmnopqrstuvwx\n", 1, "the name is too long" },
	{ "exec a\n", 1, "a service must be named first" },
	{ "service a\nfoo b\n", 2, "unknown word" },
	{ "service a\nex a\n", 2, "unknown word" },
	{ "service a\narg a\n", 2, "unknown word" },
	{ "service a\nexec\n", 2, "exec wants a path" },
	{ "service a\nexec /a\n", 2, "a path is relative to the archive" },
	{ "service a\nexec a:b\n", 2, "a path consists of letters, digits and . _ - /" },
	{ "service a\nexec a\nexec b\n", 3, "this property is there twice" },
	{ "service a\nmemory\n", 2, "memory wants a number" },
	{ "service a\nmemory 4\n", 2, "memory is a number with K or M" },
	{ "service a\nmemory M\n", 2, "memory is a number with K or M" },
	{ "service a\nmemory -1M\n", 2, "memory is a number with K or M" },
	{ "service a\nmemory 04M\n", 2, "memory is a number with K or M" },
	{ "service a\nmemory 4Mx\n", 2, "memory is a number with K or M" },
	{ "service a\nmemory 0M\n", 2, "memory is out of range" },
	{ "service a\nmemory 17M\n", 2, "memory is out of range" },
	{ "service a\nmemory 4194304K\n", 2, "memory is out of range" },
	{ "service a\nmemory 4294967297M\n", 2, "memory is out of range" },
	{ "service a\nmemory 5K\n", 2, "memory is no multiple of 4K" },
	{ "service a\nmemory 4K\nmemory 4K\n", 3, "this property is there twice" },
	{ "service a\nbudget 1\n", 2, "budget is a number with s or ms" },
	{ "service a\nbudget 0s\n", 2, "budget is out of range" },
	{ "service a\nbudget 3601s\n", 2, "budget is out of range" },
	{ "service a\nbudget 1s\nbudget 1s\n", 3, "this property is there twice" },
	{ "service a\nparked yes\n", 2, "parked stands alone" },
	{ "service a\nparked\nparked\n", 3, "this property is there twice" },
	{ "required\n", 1, "a service must be named first" },
	{ "service a\nrequired yes\n", 2, "required stands alone" },
	{ "service a\nrequired\nrequired\n", 3, "this property is there twice" },
	{ "service a\non-demand now\n", 2, "on-demand stands alone" },
	{ "service a\non-demand\non-demand\n", 3, "this property is there twice" },
	{ "service a\n" BASE "required\non-demand\n", 7,
	  "the service before this line is required and on-demand" },
	{ "service a\n" BASE "role vtpm\non-demand\n", 7,
	  "the service before this line has a role that is not on-demand" },
	{ "service a\n" BASE "on-demand\nrole attest\nservice b\n", 7,
	  "the service before this line has a role that is not on-demand" },
	{ "service a\n" BASE "on-demand\ngrant 4 log\ngrant 5 host-channel\n", 8,
	  "the service before this line is on-demand and has host-channel" },
	{ "service a\n" BASE "grant 5 host-channel at-start\non-demand\nservice b\n", 7,
	  "the service before this line is on-demand and has host-channel" },
	{ "service a\n" BASE "role twin\n", 6, "the twin before this line is not parked" },
	{ "service a\n" BASE "role twin\nservice b\n", 6,
	  "the twin before this line is not parked" },
	{ "service a\nrole\n", 2, "role wants a name" },
	{ "service a\nrole tpm\n", 2, "there is no such role" },
	{ "service a\nrole vtpm\nrole vtpm\n", 3, "this property is there twice" },
	{ "service a\n" BASE "role vtpm\nservice b\nrole vtpm\n", 7,
	  "another service has that role" },
	{ "service a\nmemory 4K\nbudget 1s\nservice b\n", 4,
	  "the service before this line has no exec" },
	{ "service a\nexec a\nbudget 1s\n", 4, "the service before this line has no memory" },
	{ "service a\nexec a\nmemory 4K\n", 4, "the service before this line has no budget" },
	{ "service a\n" BASE "service a\n", 5, "a service of that name exists already" },
	{ "service a\ngrant 2\n", 2, "grant wants a descriptor and a capability" },
	{ "service a\ngrant x log\n", 2, "a descriptor is a number below 16" },
	{ "service a\ngrant 2x log\n", 2, "a descriptor is a number below 16" },
	{ "service a\ngrant 16 log\n", 2, "a descriptor is a number below 16" },
	{ "service a\ngrant 3 log\n", 2, "descriptor 3 is the request channel" },
	{ "service a\ngrant 2 log\ngrant 2 amd-sp\n", 3, "the descriptor is in use" },
	{ "service a\ngrant 2 root\n", 2, "there is no such capability" },
	{ "service a\ngrant 2 log x\n", 2, "wrong number of words for this capability" },
	{ "service a\ngrant 2 at-start\n", 2, "there is no such capability" },
	{ "service a\ngrant 2 log at-start x\n", 2, "wrong number of words for this capability" },
	{ "service a\ngrant 2 service at-start\n", 2,
	  "there is no service of that name before this one" },
	{ "service a\ngrant 2 file\n", 2, "wrong number of words for this capability" },
	{ "service a\ngrant 2 file a b\n", 2, "wrong number of words for this capability" },
	{ "service a\ngrant 2 file a b c\n", 2, "too many words" },
	{ "service a\ngrant 2 service a\n", 2, "there is no service of that name before this one" },
	{ "service a\ngrant 2 service b\n", 2, "there is no service of that name before this one" },
	{ "service a\ngrant 2 amd-sp\ngrant 4 amd-sp\n", 3,
	  "this capability is granted already, and only once" },
	{ "service a\n" BASE "grant 4 host-channel\nservice b\ngrant 4 host-channel\n", 7,
	  "this capability is granted already, and only once" },
	{ "service a\n" BASE "service b\n" BASE "grant 4 service a\nservice c\ngrant 4 service b\n",
	  11, "a service that calls others cannot be called by one" },
	{ "service a\r\n", 1, "a character that does not belong here" },
	{ "service \x80\n", 1, "a character that does not belong here" },
	{ "service a\ngrant 0 log\ngrant 1 log\ngrant 2 log\ngrant 4 log\ngrant 5 log\ngrant 6 "
	  "log\n"
	  "grant 7 log\ngrant 8 log\ngrant 9 log\n",
	  10, "too many grants" },
};

static void refuses_mistakes_with_their_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct conf_error error;
		struct conf conf;

		if (parse(refusals[i].text, &conf, &error))
			fail_msg("accepted: %s", refusals[i].text);
		assert_string_equal(error.text, refusals[i].reason);
		if (error.line != refusals[i].line)
			fail_msg("line %u instead of %u: %s", error.line, refusals[i].line,
				 refusals[i].text);
	}
}

static void refuses_a_nul(void **state)
{
	static const char text[] = "service a\0b\n";
	struct conf_error error;
	struct conf conf;

	(void)state;
	assert_false(conf_parse(&conf, text, sizeof(text) - 1, &error));
	assert_string_equal(error.text, "a character that does not belong here");
}

static void counts_services(void **state)
{
	char text[2048] = "";
	struct conf_error error;
	struct conf conf;

	(void)state;
	for (unsigned int i = 0; i <= CONF_SERVICES_MAX; i++) {
		size_t used = strlen(text);

		snprintf(text + used, sizeof(text) - used, "service s%u\n" BASE, i);
		assert_int_equal(parse(text, &conf, &error), i < CONF_SERVICES_MAX);
	}
	assert_string_equal(error.text, "too many services");
}

/* Every prefix of a good file is either good or refused, without a read past its end. */
static void survives_truncation(void **state)
{
	static const char text[] = "service a\n" BASE "grant 2 file a\nservice b\n" BASE
				   "grant 4 service a\n";
	struct conf_error error;
	struct conf conf;
	char cut[sizeof(text)];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++) {
		memcpy(cut, text, i);
		cut[i] = 0;
		if (parse(cut, &conf, &error))
			assert_in_range(conf.count, 1, 2);
		else
			assert_non_null(error.text);
	}
	assert_true(parse(text, &conf, &error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_the_delivered_file),
		cmocka_unit_test(reads_every_property),
		cmocka_unit_test(accepts_units_and_layout),
		cmocka_unit_test(refuses_mistakes_with_their_line),
		cmocka_unit_test(refuses_a_nul),
		cmocka_unit_test(counts_services),
		cmocka_unit_test(survives_truncation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
