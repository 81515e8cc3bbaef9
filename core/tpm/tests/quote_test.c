/* SPDX-License-Identifier: MIT */
/*
 * The PCR selection of a quote, which is the guest's word: TPMS_ATTEST with a TPMS_QUOTE_INFO (TPM 2.0
 * Library, part 2, 10.12), written here byte by byte. What is too much is refused, never left out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/tpm/host/tpm_quote.h"

#define SHA256 0x0bu
#define NONCE "a nonce"

struct text {
	uint8_t data[512];
	size_t size;
};

static void put(struct text *text, const void *data, size_t size)
{
	assert_true(size <= sizeof(text->data) - text->size);
	memcpy(text->data + text->size, data, size);
	text->size += size;
}

static void put_number(struct text *text, uint64_t value, size_t size)
{
	for (size_t i = size; i--;) {
		uint8_t byte = (uint8_t)(value >> 8 * i);

		put(text, &byte, 1);
	}
}

/* Magic, TPM_ST_ATTEST_QUOTE, signer, nonce, clock and firmware; then comes the selection. */
static void begin(struct text *text, uint32_t banks)
{
	static const uint8_t name[34] = { 0, SHA256, 1, 2, 3 };

	text->size = 0;
	put_number(text, 0xff544347, 4);
	put_number(text, 0x8018, 2);
	put_number(text, sizeof(name), 2);
	put(text, name, sizeof(name));
	put_number(text, sizeof(NONCE) - 1, 2);
	put(text, NONCE, sizeof(NONCE) - 1);
	put_number(text, 1000, 8); /* clock, resets and restarts, safe */
	put_number(text, 0, 8);
	put_number(text, 1, 1);
	put_number(text, 0x20191023, 8);
	put_number(text, banks, 4);
}

static void put_bank(struct text *text, uint16_t algorithm, uint32_t mask, uint8_t size)
{
	put_number(text, algorithm, 2);
	put_number(text, size, 1);
	for (unsigned int i = 0; i < size; i++)
		put_number(text, i < 4 ? mask >> 8 * i & 0xff : 0, 1);
}

static const char *end(struct text *text, struct tpm_quote *quote)
{
	static const uint8_t digest[32] = { 0xd1 };

	put_number(text, sizeof(digest), 2);
	put(text, digest, sizeof(digest));
	return tpm_quote_read(quote, text->data, text->size);
}

static void four_banks_are_read(void **state)
{
	struct tpm_quote quote;
	struct text text;

	(void)state;
	for (uint32_t banks = 0; banks <= 4; banks++) {
		begin(&text, banks);
		for (uint32_t i = 0; i < banks; i++)
			put_bank(&text, (uint16_t)(SHA256 + i), 0x800001u << i & 0xffffff, 3);
		assert_null(end(&text, &quote));
		assert_int_equal(quote.selection.bank_count, banks);
		for (uint32_t i = 0; i < banks; i++) {
			assert_int_equal(quote.selection.banks[i].algorithm, SHA256 + i);
			assert_int_equal(quote.selection.banks[i].mask, 0x800001u << i & 0xffffff);
		}
		assert_int_equal(quote.pcr_digest_size, 32);
		assert_int_equal(quote.pcr_digest[0], 0xd1);
		assert_int_equal(quote.attest.extra_size, 7);
		assert_int_equal(quote.signer.size, 34);
	}
}

static void a_fifth_bank_is_refused(void **state)
{
	struct tpm_quote quote;
	struct text text;

	(void)state;
	begin(&text, 5);
	for (uint16_t i = 0; i < 5; i++)
		put_bank(&text, (uint16_t)(SHA256 + i), 1, 3);
	assert_non_null(end(&text, &quote));
}

/* A TPM has 24 PCRs: a bitmap is up to three bytes long. */
static void a_bitmap_of_more_pcrs_is_refused(void **state)
{
	struct tpm_quote quote;
	struct text text;

	(void)state;
	for (uint8_t size = 0; size <= 5; size++) {
		begin(&text, 1);
		put_bank(&text, SHA256, 0x00ff7f3f, size);
		if (size > 3) {
			assert_non_null(end(&text, &quote));
			continue;
		}
		assert_null(end(&text, &quote));
		assert_int_equal(quote.selection.banks[0].mask,
				 0x00ff7f3f & ((1u << 8 * size) - 1));
	}
}

static void a_selection_that_is_cut_off_is_refused(void **state)
{
	struct tpm_quote quote;
	struct text text;

	(void)state;
	begin(&text, 2);
	put_bank(&text, SHA256, 1, 3);
	assert_non_null(tpm_quote_read(&quote, text.data, text.size));
	begin(&text, UINT32_MAX);
	put_bank(&text, SHA256, 1, 3);
	assert_non_null(end(&text, &quote));
	begin(&text, 1);
	put_bank(&text, SHA256, 1, 3);
	assert_null(end(&text, &quote));
	for (size_t size = 0; size < text.size; size++)
		assert_non_null(tpm_quote_read(&quote, text.data, size));
	put_number(&text, 0, 1);
	assert_non_null(tpm_quote_read(&quote, text.data, text.size));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_banks_are_read),
		cmocka_unit_test(a_fifth_bank_is_refused),
		cmocka_unit_test(a_bitmap_of_more_pcrs_is_refused),
		cmocka_unit_test(a_selection_that_is_cut_off_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
