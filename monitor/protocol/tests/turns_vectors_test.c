/* SPDX-License-Identifier: MIT */
/*
 * The vectors of docs/spec/vectors/turns.json, each case against a TPM service that counts its
 * turns.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "monitor/arch/model/tests/world.h"

static const char response[] = "\x80\x01\0\0\0\x0a\0\0\0"; /* and one more 0: TPM_RC_SUCCESS */
static uint8_t page_before[4096];

static size_t from_hex(uint8_t *bytes, const char *text)
{
	size_t size = strlen(text) / 2;

	for (size_t i = 0; i < size; i++) {
		char digits[3] = { text[2 * i], text[2 * i + 1] };

		bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return size;
}

static void make_call(const json_t *call, uint64_t page)
{
	uint64_t want = strtoul(json_string_value(json_object_get(call, "result")), NULL, 16);
	uint8_t request[64], got[14];
	size_t size = from_hex(request, json_string_value(json_object_get(call, "request")));
	struct svsm_call made;

	world_put(page, request, size);
	world_get(page_before, page, sizeof(page_before));
	made = world_call(0, VTPM(SVSM_VTPM_CMD), page, 2, 3);
	assert_int_equal(made.rax, want);
	assert_int_equal(made.rcx, page);
	assert_int_equal(made.rdx, 2);
	assert_int_equal(made.r8, 3);
	if (want != 0) {
		assert_memory_equal(model_memory(gpa(page)), page_before, sizeof(page_before));
		return;
	}
	world_get(got, page, sizeof(got));
	assert_memory_equal(got, "\x0a\0\0\0", 4);
	assert_memory_equal(got + 4, response, 10);
}

static void one_row(const json_t *call)
{
	struct world_service *service = world_service(SERVICE_VTPM);
	uint64_t page = WORLD_SMALL +
			0x1000 * (uint64_t)json_integer_value(json_object_get(call, "page"));
	json_int_t times = json_integer_value(json_object_get(call, "times"));

	if (json_object_get(call, "slices"))
		service->slices = (unsigned int)json_integer_value(json_object_get(call, "slices"));
	do
		make_call(call, page);
	while (--times > 0);
	assert_int_equal(service->calls, json_integer_value(json_object_get(call, "runs")));
}

static void one_case(const json_t *which)
{
	struct world_service *service;
	const json_t *call;
	size_t i;

	world_start();
	service = world_service(SERVICE_VTPM);
	memset(service->reply, 0, 4);
	memcpy(service->reply + 4, response, 10);
	service->reply_size = 14;
	json_array_foreach(json_object_get(which, "calls"), i, call) one_row(call);
	assert_true(i != 0);
}

static void all_cases(void **state)
{
	json_error_t error;
	json_t *root = json_load_file(VECTORS, 0, &error);
	const json_t *which;
	size_t i;

	(void)state;
	assert_non_null(root);
	json_array_foreach(json_object_get(root, "cases"), i, which)
	{
		print_message("%s\n", json_string_value(json_object_get(which, "name")));
		one_case(which);
	}
	assert_int_equal(i, 10);
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
