/* SPDX-License-Identifier: MIT */
/*
 * Without libcurl and libmicrohttpd, in the build or on the computer: what needs them says so, in
 * one line, and does nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the above first. */
#include <cmocka.h>

#include "tools/certs/fetch.h"
#include "tools/cmd.h"
#include "tools/load_library.h"
#include "tools/verify_serve/service.h"

static char said[256];
static unsigned int lines;

enum cmd_status cmd_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(said, sizeof(said), format, args);
	va_end(args);
	lines++;
	return CMD_MISUSE;
}

static void test_server(void **state)
{
	const struct service_options options = { .listener = -1 };

	(void)state;
	assert_null(service_start(&options));
	assert_non_null(strstr(said, "this build has no HTTP server (libmicrohttpd)"));
	assert_int_equal(lines, 1);
}

static void test_client(void **state)
{
	static const char words[] = "this build has no HTTP client (libcurl)";
	const struct etcd_address address = { .urls = { "http://127.0.0.1:1" }, .url_count = 1 };
	const struct fetch_limits limits = { .seconds = 1 };
	struct host_error error = { 0 };
	struct file_bytes bytes;

	(void)state;
	assert_false(fetch_get("https://127.0.0.1:1", &limits, 100, &bytes, &error));
	assert_string_equal(error.text, words);
	assert_null(bytes.data);
	error.text[0] = '\0';
	assert_null(nonces_in_etcd(&address, 10, &error));
	assert_string_equal(error.text, words);
}

static void test_library(void **state)
{
	size_t (*length)(const char *text) = NULL;
	void *other = NULL;
	const struct library_symbol good[] = { { "strlen", (void **)&length } },
				    bad[] = { { "strlen", (void **)&length },
					      { "no_such_function", &other } };
	struct host_error error = { 0 };

	(void)state;
	assert_false(load_library("libnone.so.0", good, 1, &error));
	assert_string_equal(error.text, "it needs libnone.so.0, which is not there");
	assert_false(load_library("libc.so.6", bad, 2, &error));
	assert_string_equal(error.text, "libc.so.6 has no no_such_function");
	assert_true(load_library("libc.so.6", good, 1, &error));
	assert_int_equal(length("four"), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server),
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
