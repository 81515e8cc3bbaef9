/* SPDX-License-Identifier: MIT */
/* Selectors and the rules of templates: good ones, each rule broken, cut ones, mutated ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/evidence/vtpm_manifest.h"
#include "core/tpm/selector.h"
#include "core/tpm/tests/fuzz_selector.h"

#define FUZZ_ROUNDS 100000u
#define POLICY_A "0020837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
#define POLICY_B "0020ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0"
#define POLICY_B_384                                                                              \
	"0030b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9" \
	"fc000f3f80e12"
#define POLICY_B_512                                                                               \
	"0040b8221ca69e8550a4914de3faa6a18c072cc01208073a928d5d66d59ef79e49a429c41a6b269571d57edb" \
	"25fbdb1838425608b413cd616a5f6db5b6071af99bea"
#define ZEROS_32 "0000000000000000000000000000000000000000000000000000000000000000"
#define ZEROS_256 ZEROS_32 ZEROS_32 ZEROS_32 ZEROS_32 ZEROS_32 ZEROS_32 ZEROS_32 ZEROS_32

/* TCG EK Credential Profile and the attestation keys made alike. */
#define EK_L1                                                        \
	"0001000b000300b2" POLICY_A "000600800043001008000000000001" \
	"00" ZEROS_256
#define EK_L2 "0023000b000300b2" POLICY_A "0006008000430010000300100020" ZEROS_32 "0020" ZEROS_32
#define EK_H1 "0001000b000300f2" POLICY_B "00060080004300100800000000000000"
#define EK_H2                                                      \
	"0023000b000300f2" POLICY_B "0006008000430010000300100000" \
	"0000"
#define EK_H3                                                      \
	"0023000c000300f2" POLICY_B_384 "000601000043001000040010" \
	"00000000"
#define EK_H4                                                      \
	"0023000d000300f2" POLICY_B_512 "000601000043001000050010" \
	"00000000"
#define EK_H6 "0001000c000300f2" POLICY_B_384 "00060100004300100c00000000000000"
#define AK_RSA "0001000b00050072000000100014000b0800000000000000"
#define AK_P256 "0023000b00050072000000100018000b0003001000000000"
#define AK_P384 "0023000c00050072000000100018000c0004001000000000"
/* One that nobody offers: SM2 with SM3. */
#define EK_H5                                                                                    \
	"00230012000300f20020167860a35f2c5c3567f9c927ac56c032f3b3a6462f8d037998e7a10f77fa454a00" \
	"130080004300100020001000000000"

struct bytes {
	uint8_t data[1200];
	size_t size;
};

static void append_hex(struct bytes *b, const char *hex)
{
	assert_int_equal(strlen(hex) % 2, 0);
	for (; *hex; hex += 2) {
		unsigned int byte;

		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		b->data[b->size++] = (uint8_t)byte;
	}
}

static struct bytes from_hex(const char *hex)
{
	struct bytes b = { .size = 0 };

	append_hex(&b, hex);
	return b;
}

/* Checks a copy of exactly that size, so that the sanitizer sees every step too far. */
static enum selector_result check(const void *data, size_t size, struct selector_template *info)
{
	uint8_t *copy = malloc(size + !size);
	enum selector_result result;

	memcpy(copy, data, size);
	result = selector_template_check(info, copy, size);
	free(copy);
	return result;
}

static enum selector_result parse(const void *data, size_t size, struct selector *selector)
{
	uint8_t *copy = malloc(size + !size);
	enum selector_result result;

	memcpy(copy, data, size);
	result = selector_parse(selector, copy, size);
	free(copy);
	return result;
}

static const struct good {
	const char *hex;
	uint16_t type, bits, curve;
	bool signing;
	size_t unique;
} good[] = {
	{ EK_L1, 1, 2048, 0, false, 256 },
	{ EK_L2, 0x23, 0, 3, false, 64 },
	{ EK_H1, 1, 2048, 0, false, 0 },
	{ EK_H2, 0x23, 0, 3, false, 0 },
	{ EK_H3, 0x23, 0, 4, false, 0 },
	{ EK_H4, 0x23, 0, 5, false, 0 },
	{ EK_H6, 1, 3072, 0, false, 0 },
	{ AK_RSA, 1, 2048, 0, true, 0 },
	{ AK_P256, 0x23, 0, 3, true, 0 },
	{ AK_P384, 0x23, 0, 4, true, 0 },
	/* RSAPSS with SHA-512; an exponent that is written out; stClear, noDA; a policy to sign. */
	{ "0001000b00050072000000100016000d0800000000000000", 1, 2048, 0, true, 0 },
	{ "0001000b00050072000000100014000b0800000100010000", 1, 2048, 0, true, 0 },
	{ "0023000b00050476000000100018000b0003001000000000", 0x23, 0, 3, true, 0 },
	{ "0023000b000500b2" POLICY_A "00100018000b0003001000000000", 0x23, 0, 3, true, 0 },
	/* A start value in unique. */
	{ "0001000b00050072000000100014000b0c0000000000000401020304", 1, 3072, 0, true, 4 },
};

static void good_templates(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct bytes b = from_hex(good[i].hex);
		struct selector_template info;

		assert_int_equal(check(b.data, b.size, &info), SELECTOR_OK);
		assert_int_equal(info.type, good[i].type);
		assert_int_equal(info.bits, good[i].bits);
		assert_int_equal(info.curve, good[i].curve);
		assert_int_equal(info.signing, good[i].signing);
		assert_int_equal(info.unique_size, good[i].unique);
		assert_int_equal(info.unique_offset + info.unique_size + (info.curve ? 4 : 2),
				 b.size);
	}
}

static void cut_templates(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct bytes b = from_hex(good[i].hex);
		struct selector_template info;

		assert_int_equal(check(b.data, 0, &info), SELECTOR_TEMPLATE_SIZE);
		for (size_t size = 1; size < b.size; size++)
			assert_int_equal(check(b.data, size, &info), SELECTOR_TEMPLATE_TRUNCATED);
		b.data[b.size] = 0;
		assert_int_equal(check(b.data, b.size + 1, &info), SELECTOR_TEMPLATE_TRAILING);
		assert_int_equal(info.type, 0);
		assert_int_equal(check(b.data, SELECTOR_TEMPLATE_MAX, &info),
				 SELECTOR_TEMPLATE_TRAILING);
		assert_int_equal(check(b.data, SELECTOR_TEMPLATE_MAX + 1, &info),
				 SELECTOR_TEMPLATE_SIZE);
	}
}

static const struct bad {
	const char *hex;
	enum selector_result result;
} bad[] = {
	{ "0008000b00050072000000050000", SELECTOR_TEMPLATE_TYPE },	/* KEYEDHASH */
	{ "0025000b000300720000000600800043", SELECTOR_TEMPLATE_TYPE }, /* SYMCIPHER */
	{ EK_H5, SELECTOR_TEMPLATE_NAME_ALG },
	{ "0023000400050072000000100018000b0003001000000000", SELECTOR_TEMPLATE_NAME_ALG },
	{ "0023001000050072000000100018000b0003001000000000", SELECTOR_TEMPLATE_NAME_ALG },
	/* A policy whose size does not fit nameAlg; the symmetric part is read after it. */
	{ "0023000b00050072001400000000000000000000000000000000000000000010" /* no digest */
	  "0018000b0003001000000000",
	  SELECTOR_TEMPLATE_POLICY },
	{ "0023000b00050072" POLICY_B_384 "00100018000b0003001000000000",
	  SELECTOR_TEMPLATE_POLICY },
	/* Symmetric: none to decrypt, one to sign, AES-CTR, 192 bits, Camellia. */
	{ "0023000b00030072000000100010000300100000" /* none */ "0000",
	  SELECTOR_TEMPLATE_SYMMETRIC },
	{ "0023000b000500720000000600800043" /* to sign */ "0018000b0003001000000000",
	  SELECTOR_TEMPLATE_SYMMETRIC },
	{ "0001000b000300f2" POLICY_B "00060080004000100800000000000000",
	  SELECTOR_TEMPLATE_SYMMETRIC },
	{ "0001000b000300f2" POLICY_B "000600c0004300100800000000000000",
	  SELECTOR_TEMPLATE_SYMMETRIC },
	{ "0001000b000300f2" POLICY_B "00260080004300100800000000000000",
	  SELECTOR_TEMPLATE_SYMMETRIC },
	/* Scheme: none to sign, SHA-1, ECDSA with RSA, RSASSA with ECC, OAEP to decrypt, ECDAA. */
	{ "0023000b000500720000001000100003001000000000", SELECTOR_TEMPLATE_SCHEME },
	{ "0023000b00050072000000100018" /* SHA-1 */ "00040003001000000000",
	  SELECTOR_TEMPLATE_SCHEME },
	{ "0001000b00050072000000100018000b0800000000000000", SELECTOR_TEMPLATE_SCHEME },
	{ "0023000b00050072000000100014000b0003001000000000", SELECTOR_TEMPLATE_SCHEME },
	{ "0001000b000300f2" POLICY_B "0006008000430017000b0800000000000000",
	  SELECTOR_TEMPLATE_SCHEME },
	/* Keys: RSA 1024 and 2049, exponents 3 and 65539; curves P-224, BN, SM2; key derivation. */
	{ "0001000b00050072000000100014000b0400000000000000", SELECTOR_TEMPLATE_KEY },
	{ "0001000b00050072000000100014000b0801000000000000", SELECTOR_TEMPLATE_KEY },
	{ "0001000b00050072000000100014000b0800000000030000", SELECTOR_TEMPLATE_KEY },
	{ "0001000b00050072000000100014000b0800000100030000", SELECTOR_TEMPLATE_KEY },
	{ "0023000b00050072000000100018000b0002001000000000", SELECTOR_TEMPLATE_KEY },
	{ "0023000b00050072000000100018000b0010001000000000", SELECTOR_TEMPLATE_KEY },
	{ "0023000b00050072000000100018000b0020001000000000", SELECTOR_TEMPLATE_KEY },
	{ "0023000b00050072000000100018000b00030020000b00000000", SELECTOR_TEMPLATE_KEY },
	/* unique: one byte more than the modulus, than x, than y. */
	{ "0001000b00050072000000100014000b08000000000001" /* 257 */ "01" ZEROS_256 "00",
	  SELECTOR_TEMPLATE_UNIQUE },
	{ "0023000b00050072000000100018000b000300100021" ZEROS_32 "000000",
	  SELECTOR_TEMPLATE_UNIQUE },
	{ "0023000b00050072000000100018000b0003001000000021" ZEROS_32 "00",
	  SELECTOR_TEMPLATE_UNIQUE },
};

static void bad_templates(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct bytes b = from_hex(bad[i].hex);
		struct selector_template info;
		enum selector_result result = check(b.data, b.size, &info);

		if (result != bad[i].result)
			fail_msg("template %zu is %s, not %s", i, selector_result_name(result),
				 selector_result_name(bad[i].result));
	}
}

/* What becomes of a signing and of a decrypting key when one attribute is turned over. */
static enum selector_result turned_over(unsigned int bit)
{
	switch (bit) {
	case 1:
	case 4:
	case 11:
		return SELECTOR_TEMPLATE_MOVABLE;
	case 2:
	case 6:
	case 7:
	case 10:
		return SELECTOR_OK;
	case 5:
		return SELECTOR_TEMPLATE_ORIGIN;
	case 16:
		return SELECTOR_TEMPLATE_UNRESTRICTED;
	case 17:
	case 18:
	case 19:
		return SELECTOR_TEMPLATE_PURPOSE;
	default:
		return SELECTOR_TEMPLATE_RESERVED;
	}
}

static void each_attribute(void **state)
{
	static const char *const templates[] = { AK_P256, EK_L1 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (unsigned int bit = 0; bit < 32; bit++) {
			struct bytes b = from_hex(templates[i]);
			struct selector_template info;

			b.data[7 - bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(check(b.data, b.size, &info), turned_over(bit));
		}
	}
	/* The other purpose, whole: what fits a decrypting key does not fit a signing one. */
	struct bytes b = from_hex(AK_P256);
	struct selector_template info;

	b.data[5] = 0x03;
	assert_int_equal(check(b.data, b.size, &info), SELECTOR_TEMPLATE_SYMMETRIC);
}

static void selectors(void **state)
{
	static const struct {
		const char *hex;
		enum selector_result result;
		enum svsm_selector_kind kind;
		uint32_t id;
	} cases[] = {
		{ "", SELECTOR_OK, SVSM_SELECTOR_NONE, 0 },
		{ "0000000000000000", SELECTOR_OK, SVSM_SELECTOR_NONE, 0 },
		{ "000000000000000000", SELECTOR_BAD_SIZE, 0, 0 },
		{ "00", SELECTOR_TOO_SHORT, 0, 0 },
		{ "01000000000000", SELECTOR_TOO_SHORT, 0, 0 },
		{ "0100000000000000", SELECTOR_TEMPLATE_SIZE, 0, 0 },
		{ "0100000000000000" AK_P256, SELECTOR_OK, SVSM_SELECTOR_TEMPLATE, 0 },
		{ "0100000000000000" EK_L1, SELECTOR_OK, SVSM_SELECTOR_TEMPLATE, 0 },
		{ "0100000000000000" AK_P256 "00", SELECTOR_TEMPLATE_TRAILING, 0, 0 },
		{ "0100000000000000" EK_H5, SELECTOR_TEMPLATE_NAME_ALG, 0, 0 },
		{ "0200000000000000", SELECTOR_BAD_SIZE, 0, 0 },
		{ "020000000000000082000000", SELECTOR_OK, SVSM_SELECTOR_KEY, 0x82 },
		{ "02000000000000008200000000", SELECTOR_BAD_SIZE, 0, 0 },
		{ "03000000000000000300c101", SELECTOR_OK, SVSM_SELECTOR_NV, 0x01c10003 },
		{ "0300000000000000030081ff", SELECTOR_BAD_INDEX, 0, 0 },
		{ "030000000000000003008181", SELECTOR_BAD_INDEX, 0, 0 },
		{ "03000000000000000300c1", SELECTOR_BAD_SIZE, 0, 0 },
		{ "0400000000000000", SELECTOR_UNKNOWN_KIND, 0, 0 },
		{ "0100000001000000" AK_P256, SELECTOR_UNKNOWN_KIND, 0, 0 },
		{ "0000000000000080", SELECTOR_UNKNOWN_KIND, 0, 0 },
		{ "0000000000000001" AK_P256, SELECTOR_UNKNOWN_KIND, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes b = from_hex(cases[i].hex);
		struct selector selector;

		assert_int_equal(parse(b.data, b.size, &selector), cases[i].result);
		assert_int_equal(selector.kind, cases[i].kind);
		assert_int_equal(selector.id, cases[i].id);
		assert_int_equal(!!selector.template, cases[i].kind == SVSM_SELECTOR_TEMPLATE);
	}
}

static void long_selectors(void **state)
{
	struct bytes b = { .data = { 1 } };
	struct selector selector;

	(void)state;
	assert_int_equal(parse(b.data, SVSM_SELECTOR_MAX, &selector), SELECTOR_TEMPLATE_TYPE);
	assert_int_equal(parse(b.data, SVSM_SELECTOR_MAX + 1, &selector), SELECTOR_TOO_LONG);
}

static void matches(void **state)
{
	struct bytes template = from_hex(AK_P256), key = template, other;

	(void)state;
	key.size -= 4;
	append_hex(&key, "0020" ZEROS_32 "0020" ZEROS_32);
	assert_true(selector_public_matches(template.data, template.size, key.data, key.size));
	/* Not a whole key; no key at all; a template that is refused. */
	assert_false(selector_public_matches(template.data, template.size, template.data,
					     template.size));
	assert_false(selector_public_matches(template.data, template.size, key.data, key.size - 1));
	other = key;
	other.data[7] ^= 0x80; /* adminWithPolicy */
	assert_false(selector_public_matches(template.data, template.size, other.data, other.size));
	other = key;
	other.data[key.size - 34 - 34 - 3] = 4; /* P-384 */
	assert_false(selector_public_matches(template.data, template.size, other.data, other.size));
	other = template;
	other.size -= 4;
	append_hex(&other, "0020" ZEROS_32 "001f" ZEROS_32);
	other.size--;
	assert_false(selector_public_matches(template.data, template.size, other.data, other.size));
	template = from_hex(EK_H1);
	key = from_hex(EK_H1);
	key.size -= 2;
	append_hex(&key, "0100" ZEROS_256);
	assert_true(selector_public_matches(template.data, template.size, key.data, key.size));
	template.data[5] &= 0xfe; /* restricted */
	key.data[5] &= 0xfe;
	assert_false(selector_public_matches(template.data, template.size, key.data, key.size));
}

static void contexts(void **state)
{
	static const struct abi_guid service = SVSM_GUID_VTPM;
	struct bytes selector = from_hex("020000000000000082000000"), none = { .size = 0 };
	struct bytes expected = from_hex("53534d32ebf176c42301a5459641b4e7dde5bfe3" /* tag, GUID */
					 "010000000c000000020000000000000082000000");
	uint8_t context[SELECTOR_CONTEXT_MAX];

	(void)state;
	assert_int_equal(selector_context(context, &service, 1, selector.data, selector.size),
			 expected.size);
	assert_memory_equal(context, expected.data, expected.size);
	assert_int_equal(selector_context(context, &service, 1, NULL, 0), 0);
	assert_int_equal(selector_context(context, &service, 1, none.data, 8), 0);
	/* Nothing follows a kind of 0, so more bytes are a selector, if a refused one. */
	assert_int_equal(selector_context(context, &service, 1, none.data, 9), 28 + 9);
	assert_int_equal(selector_context(context, &service, 1, none.data, SVSM_SELECTOR_MAX + 1),
			 0);
}

static void names(void **state)
{
	(void)state;
	for (int i = 0; i < SELECTOR_RESULTS; i++) {
		assert_non_null(selector_result_name((enum selector_result)i));
		assert_non_null(selector_result_text((enum selector_result)i));
	}
}

static uint32_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 24);
}

/* What a TPM could make of a template: unique as long as it has to be. */
static struct bytes whole_key(const struct good *g)
{
	static const uint8_t coordinates[] = { [3] = 32, [4] = 48, [5] = 66 };
	size_t number = g->curve ? coordinates[g->curve] : g->bits / 8u;
	struct bytes b = from_hex(g->hex);
	struct selector_template info;

	assert_int_equal(selector_template_check(&info, b.data, b.size), SELECTOR_OK);
	b.size = info.unique_offset;
	for (int i = 0; i < (g->curve ? 2 : 1); i++) {
		b.data[b.size++] = (uint8_t)(number >> 8);
		b.data[b.size++] = (uint8_t)number;
		memset(b.data + b.size, 0x5a, number);
		b.size += number;
	}
	return b;
}

/* A manifest of some keys as they should be. Returns its size. */
static size_t make_list(uint8_t *list, uint8_t count, uint64_t *random)
{
	size_t size = 8;

	memcpy(list, (const uint8_t[]){ 0, 0, 0, 1, 0, 0, 0, count }, size);
	for (uint8_t i = 0; i < count; i++) {
		struct bytes key =
			whole_key(&good[next_random(random) % (sizeof(good) / sizeof(good[0]))]);

		list[size++] = (uint8_t)(key.size >> 8);
		list[size++] = (uint8_t)key.size;
		memcpy(list + size, key.data, key.size);
		size += key.size;
	}
	return size;
}

/* The list is accepted; then with a bit turned over and its end cut off. */
static void fuzz_list(uint64_t *random)
{
	static struct vtpm_manifest manifest;
	uint8_t list[4 * 700], *copy, count = (uint8_t)(1 + next_random(random) % 4);
	size_t size = make_list(list, count, random);

	assert_null(vtpm_manifest_read(&manifest, list, size));
	assert_int_equal(manifest.count, count);
	LLVMFuzzerTestOneInput(list, size);
	list[next_random(random) % size] ^= (uint8_t)(1 << next_random(random) % 8);
	if (next_random(random) % 4 == 0)
		size = 1 + next_random(random) % size;
	copy = malloc(size);
	memcpy(copy, list, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

/* One of the good templates with a few bytes turned over, cut or made longer, as a selector. */
static void fuzz_once(uint64_t *random)
{
	struct bytes b = from_hex(good[next_random(random) % (sizeof(good) / sizeof(good[0]))].hex);
	size_t size = SELECTOR_HEADER_SIZE + b.size, changes = next_random(random) % 4;
	uint8_t *copy;

	if (next_random(random) % 4 == 0)
		size = next_random(random) % (SELECTOR_HEADER_SIZE + b.size + 8);
	copy = calloc(1, size + SELECTOR_HEADER_SIZE + b.size);
	copy[0] = next_random(random) % 8 ? 1 : (uint8_t)next_random(random);
	memcpy(copy + SELECTOR_HEADER_SIZE, b.data, b.size);
	for (size_t i = 0; i < changes && size; i++)
		copy[next_random(random) % (size < 60 ? size : 60)] ^=
			(uint8_t)(1 << next_random(random) % 8);
	copy = realloc(copy, size + !size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void mutated_selectors(void **state)
{
	uint64_t random = 0x50c1e;

	(void)state;
	for (size_t i = 0; i < FUZZ_ROUNDS; i++) {
		fuzz_once(&random);
		if (i % 8 == 0)
			fuzz_list(&random);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_templates), cmocka_unit_test(cut_templates),
		cmocka_unit_test(bad_templates),  cmocka_unit_test(each_attribute),
		cmocka_unit_test(selectors),	  cmocka_unit_test(long_selectors),
		cmocka_unit_test(matches),	  cmocka_unit_test(contexts),
		cmocka_unit_test(names),	  cmocka_unit_test(mutated_selectors),
	};

	return cmocka_run_group_tests_name("core selector", tests, NULL, NULL);
}
