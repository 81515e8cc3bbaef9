/* SPDX-License-Identifier: MIT */
/* The bytes are those of the TPM 2.0 Library specification, part 1, section 18, and part 2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/tpm/wire.h"

static void test_command(void **state)
{
	static const uint8_t want[] = {
		0x80, 0x02, 0x00, 0x00, 0x00, 0x27, 0x00, 0x00, 0x01, 0x2b, /* PCR_Allocate */
		0x40, 0x00, 0x00, 0x0c,					    /* platform */
		0x00, 0x00, 0x00, 0x09, 0x40, 0x00, 0x00, 0x09, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x0b, 0x03, 0x01, 0x80, 0xff, /* SHA-256; 0, 15, 16 to 23 */
		0x00, 0x04, 0x0a, 0x0b, 0x0c, 0x0d,
	};
	static const uint8_t blob[] = { 0x0a, 0x0b, 0x0c, 0x0d };
	uint8_t data[64];
	struct bytes_writer w = bytes_writer_init(data, sizeof(data));

	(void)state;
	wire_begin(&w, TPM_ST_SESSIONS, TPM_CC_PCR_ALLOCATE);
	bytes_put_be32(&w, TPM_RH_PLATFORM);
	wire_put_empty_password(&w);
	wire_put_pcrs(&w, TPM_ALG_SHA256, 0xff8001);
	wire_put_sized(&w, blob, sizeof(blob));
	wire_end(&w);
	assert_false(w.bad);
	assert_int_equal(w.size, sizeof(want));
	assert_memory_equal(data, want, sizeof(want));
}

static void test_sized(void **state)
{
	static const uint8_t data[] = { 0x00, 0x02, 0x05, 0x06, 0x00, 0x03, 0x07, 0x08 };
	struct bytes_reader r = bytes_reader_init(data, sizeof(data));
	size_t size;

	(void)state;
	assert_ptr_equal(wire_take_sized(&r, &size), data + 2);
	assert_int_equal(size, 2);
	assert_null(wire_take_sized(&r, &size));
	assert_true(r.bad);
}

static void test_response(void **state)
{
	static const uint8_t data[] = { 0x80, 0x01, 0x00, 0x00, 0x00, 0x0b,
					0x00, 0x00, 0x01, 0x85, 0x77 };
	struct bytes_reader r = bytes_reader_init(data, sizeof(data));

	(void)state;
	assert_int_equal(wire_take_header(&r), TPM_RC_HIERARCHY_1);
	assert_int_equal(bytes_u8(&r), 0x77);
	r = bytes_reader_init(data, 9);
	wire_take_header(&r);
	assert_true(r.bad);
}

static void test_attest(void **state)
{
	static const uint8_t data[] = {
		0xff, 0x54, 0x43, 0x47, 0x80, 0x18, 0x00, 0x01, 0x0a, /* a quote, its signer */
		0x00, 0x02, 0x0b, 0x0c,				      /* extraData */
		0,    0,    0,	  0,	0,    0,    0,	  1,	0,    0, 0, 2, 0,
		0,    0,    3,	  1,	0,    0,    0,	  0,	0,    0, 0, 4, 0x99,
	};
	struct bytes_reader r = bytes_reader_init(data, sizeof(data));
	struct wire_attest attest;

	(void)state;
	wire_take_attest(&r, &attest);
	assert_int_equal(attest.type, TPM_ST_ATTEST_QUOTE);
	assert_ptr_equal(attest.signer, data + 8);
	assert_int_equal(attest.signer_size, 1);
	assert_ptr_equal(attest.extra, data + 11);
	assert_int_equal(attest.extra_size, 2);
	assert_int_equal(bytes_u8(&r), 0x99);
	r = bytes_reader_init(data + 1, sizeof(data) - 1);
	wire_take_attest(&r, &attest);
	assert_int_equal(attest.type, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_sized),
		cmocka_unit_test(test_response),
		cmocka_unit_test(test_attest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
