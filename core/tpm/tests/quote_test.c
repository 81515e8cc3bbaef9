/* SPDX-License-Identifier: MIT */
/*
 * The PCR selection of a quote, which is the guest's word: TPMS_ATTEST with a TPMS_QUOTE_INFO (TPM
 * 2.0 Library, part 2, 10.12), written here byte by byte. What is too much is refused, never left
 * out.
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

/* ---- What tpm2_quote -o writes: tpm2-tss's structures in memory, little-endian ---- */

struct value_file {
	uint8_t data[132 + 4 + 14 * (4 + 8 * 66) + 1];
	size_t size;
};

static void put_le(struct value_file *file, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		file->data[file->size++] = (uint8_t)(value >> 8 * i);
}

/* TPML_PCR_SELECTION: a number and 16 places of 8 bytes, of which the first few are in use. */
static void begin_values(struct value_file *file, uint32_t banks, uint32_t mask, uint32_t lists)
{
	*file = (struct value_file){ .size = 0 };
	put_le(file, banks, 4);
	for (uint32_t i = 0; i < 16; i++) {
		put_le(file, SHA256, 2);
		put_le(file, 3, 1);
		put_le(file, i < banks ? mask : 0xffffffff, 4);
		put_le(file, 0, 1);
	}
	put_le(file, lists, 4);
}

/* TPML_DIGEST: a number and 8 places of 66 bytes; the n-th digest of a list begins with n. */
static void put_digests(struct value_file *file, uint32_t count, uint16_t size)
{
	put_le(file, count, 4);
	for (uint32_t i = 0; i < 8; i++) {
		put_le(file, size, 2);
		put_le(file, i, 1);
		file->size += 63;
	}
}

/* In a copy of their size, so that the sanitizer sees a byte too far. */
static const char *read_values(const struct value_file *file, struct tpm_pcr_values *values)
{
	uint8_t *copy = malloc(file->size);
	const char *error;

	assert_non_null(copy);
	assert_true(file->size <= sizeof(file->data));
	memcpy(copy, file->data, file->size);
	error = tpm_quote_read_values(values, copy, file->size);
	free(copy);
	return error;
}

static void values_are_read_from_their_lists(void **state)
{
	struct tpm_pcr_values values;
	struct value_file file;

	(void)state;
	begin_values(&file, 1, 0x3ff, 2); /* ten PCRs */
	put_digests(&file, 8, 32);
	put_digests(&file, 2, 32);
	assert_null(read_values(&file, &values));
	assert_int_equal(values.count, 10);
	for (uint8_t i = 0; i < 10; i++) {
		assert_int_equal(values.sizes[i], 32);
		assert_int_equal(values.digests[i][0], i % 8);
	}
	for (size_t size = 0; size < file.size; size++) {
		struct value_file cut = file;

		cut.size = size;
		assert_non_null(read_values(&cut, &values));
	}
	put_le(&file, 0, 1);
	assert_non_null(read_values(&file, &values));
}

/* Four banks of 24 PCRs are all that there may be. */
static void as_many_values_as_pcrs_are_read(void **state)
{
	struct tpm_pcr_values values;
	struct value_file file;

	(void)state;
	begin_values(&file, 4, 0xffffff, 12);
	for (unsigned int i = 0; i < 12; i++)
		put_digests(&file, 8, 32);
	assert_null(read_values(&file, &values));
	assert_int_equal(values.count, 96);
	begin_values(&file, 4, 0xffffff, 13);
	for (unsigned int i = 0; i < 12; i++)
		put_digests(&file, 8, 32);
	put_digests(&file, 1, 32);
	assert_string_equal(read_values(&file, &values), "the PCR values are malformed");
	begin_values(&file, 5, 1, 1);
	put_digests(&file, 5, 32);
	assert_string_equal(read_values(&file, &values), "the PCR selection is malformed");
}

static void a_list_or_a_digest_that_is_too_long_is_refused(void **state)
{
	struct tpm_pcr_values values;
	struct value_file file;

	(void)state;
	begin_values(&file, 1, 0xff, 1);
	put_digests(&file, 9, 32);
	assert_string_equal(read_values(&file, &values), "the PCR values are malformed");
	begin_values(&file, 1, 1, 1);
	put_digests(&file, 1, 65);
	assert_string_equal(read_values(&file, &values), "the PCR values are malformed");
	/* As long as there is room for: it is not a digest of the bank. */
	begin_values(&file, 1, 1, 1);
	put_digests(&file, 1, 64);
	assert_string_equal(read_values(&file, &values),
			    "a PCR value does not have the size of its bank's digests");
	/* What a place holds that is not in use is nobody's. */
	begin_values(&file, 1, 1, 1);
	put_digests(&file, 1, 32);
	memset(file.data + 132 + 4 + 4 + 66, 0xff, 7 * 66);
	assert_null(read_values(&file, &values));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_banks_are_read),
		cmocka_unit_test(a_fifth_bank_is_refused),
		cmocka_unit_test(a_bitmap_of_more_pcrs_is_refused),
		cmocka_unit_test(a_selection_that_is_cut_off_is_refused),
		cmocka_unit_test(values_are_read_from_their_lists),
		cmocka_unit_test(as_many_values_as_pcrs_are_read),
		cmocka_unit_test(a_list_or_a_digest_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
