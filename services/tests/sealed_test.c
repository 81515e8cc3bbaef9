/* SPDX-License-Identifier: MIT */
/*
 * Messages to the AMD-SP, sealed and opened by nothing of ours: layout, IV and additional data are
 * literals of the SNP firmware ABI (56860), 8.26 and table 100: AES-256-GCM, the IV is the sequence
 * number in little-endian and four zeros, and bytes 30h to 5Fh of the header are authenticated.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "services/attest/sealed.h"

#define SEQNO 0x1122334455667788ull
#define REPORT_REQ 5
#define REPORT_RSP 6

static const uint8_t key[32] = "an emulated VMPCK0, 32 bytes...";

/* Bytes 20h to 5Fh of the header of a message of 300 bytes. */
static const uint8_t header_tail[0x40] = {
	0x88,	    0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,	 /* sequence number */
	0,	    0,	  0,	0,    0,    0,	  0,	0,    1, /* AES-256-GCM */
	1,							 /* header version */
	0x60,	    0,						 /* header size */
	REPORT_REQ,						 /* type */
	1,							 /* message version */
	0x2c,	    0x01,					 /* payload size */
	0,	    0,	  0,	0,    0,			 /* VMPCK 0 */
};

static void plain(uint8_t *payload, size_t size)
{
	for (size_t i = 0; i < size; i++)
		payload[i] = (uint8_t)(i * 31 + 5);
}

/* GCM over a whole message; the tag goes to its first 16 bytes, or is compared with them. */
static bool gcm(uint8_t *message, const uint8_t *in, uint8_t *out, int size, bool seal)
{
	uint8_t iv[12] = { 0 };
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int length;
	bool ok;

	memcpy(iv, message + 0x20, 8);
	assert_non_null(context);
	assert_int_equal(EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, key, iv, seal), 1);
	assert_int_equal(EVP_CipherUpdate(context, NULL, &length, message + 0x30, 0x30), 1);
	assert_int_equal(EVP_CipherUpdate(context, out, &length, in, size), 1);
	if (!seal)
		assert_int_equal(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, 16, message),
				 1);
	ok = EVP_CipherFinal_ex(context, out + length, &length) == 1;
	if (seal)
		assert_int_equal(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, 16, message),
				 1);
	EVP_CIPHER_CTX_free(context);
	return ok;
}

static void a_request_is_what_the_firmware_opens(void **state)
{
	struct sealed_message message;
	uint8_t *bytes = (uint8_t *)&message, payload[300], opened[300];
	static const uint8_t zeros[4096];

	(void)state;
	memset(&message, 0xee, sizeof(message));
	plain(payload, sizeof(payload));
	assert_true(sealed_seal(&message, key, REPORT_REQ, SEQNO, payload, sizeof(payload)));
	assert_memory_equal(bytes + 0x20, header_tail, sizeof(header_tail));
	assert_memory_equal(bytes + 16, zeros, 16);
	assert_memory_equal(bytes + 0x60 + 300, zeros, 4096 - 0x60 - 300);
	assert_true(gcm(bytes, bytes + 0x60, opened, 300, false));
	assert_memory_equal(opened, payload, 300);
}

/* One number, one text: another number gives another ciphertext of the same text. */
static void the_number_is_in_the_iv(void **state)
{
	struct sealed_message one, other;
	uint8_t payload[64];

	(void)state;
	plain(payload, sizeof(payload));
	for (unsigned int bit = 0; bit < 64; bit++) {
		assert_true(sealed_seal(&one, key, REPORT_REQ, SEQNO, payload, 64));
		assert_true(sealed_seal(&other, key, REPORT_REQ, SEQNO ^ 1ull << bit, payload, 64));
		assert_memory_not_equal(one.payload, other.payload, 64);
	}
}

static void a_payload_fills_the_page_and_no_more(void **state)
{
	static uint8_t payload[4096];
	struct sealed_message message;

	(void)state;
	assert_true(sealed_seal(&message, key, REPORT_REQ, 1, payload, 4096 - 0x60));
	assert_false(sealed_seal(&message, key, REPORT_REQ, 1, payload, 4096 - 0x60 + 1));
}

static void answer(struct sealed_message *message, uint16_t size)
{
	uint8_t *bytes = (uint8_t *)message;
	static uint8_t payload[4096];

	memset(message, 0, sizeof(*message));
	memcpy(bytes + 0x20, header_tail, sizeof(header_tail));
	bytes[0x34] = REPORT_RSP;
	memcpy(bytes + 0x36, &size, 2);
	plain(payload, size);
	assert_true(gcm(bytes, payload, bytes + 0x60, size, true));
}

static bool opens(const struct sealed_message *message, uint8_t *payload, size_t capacity,
		  size_t *size)
{
	return sealed_open(message, key, REPORT_RSP, SEQNO, payload, capacity, size);
}

static void an_answer_of_the_firmware_is_opened(void **state)
{
	struct sealed_message message;
	uint8_t payload[300], wanted[300];
	size_t size = 0;

	(void)state;
	answer(&message, 300);
	plain(wanted, 300);
	assert_true(opens(&message, payload, sizeof(payload), &size));
	assert_int_equal(size, 300);
	assert_memory_equal(payload, wanted, 300);
	assert_false(opens(&message, payload, 299, &size));
	assert_false(sealed_open(&message, key, REPORT_REQ, SEQNO, payload, 300, &size));
	assert_false(sealed_open(&message, key, REPORT_RSP, SEQNO + 1, payload, 300, &size));
}

/*
 * Whatever byte is another one, of the header up to 60h, the text or the tag, which has 16 bytes in
 * a field of 32: the others are zero.
 */
static void nothing_else_is_opened(void **state)
{
	struct sealed_message message;
	uint8_t *bytes = (uint8_t *)&message, payload[4096];
	static const uint8_t zeros[300];
	size_t size;

	(void)state;
	for (unsigned int at = 0; at < 0x60 + 300; at++) {
		answer(&message, 300);
		bytes[at] ^= 0x40;
		memset(payload, 0xdd, sizeof(payload));
		assert_false(opens(&message, payload, sizeof(payload), &size));
		if (at < 16 || at >= 0x60)
			assert_memory_equal(payload, zeros, 300);
	}
}

static void a_size_beyond_the_page_is_refused(void **state)
{
	static uint8_t payload[8192];
	struct sealed_message message;
	uint16_t wrong = 4096 - 0x60 + 1;
	size_t size;

	(void)state;
	answer(&message, 4096 - 0x60);
	assert_true(opens(&message, payload, sizeof(payload), &size));
	assert_int_equal(size, 4000);
	memcpy((uint8_t *)&message + 0x36, &wrong, 2);
	assert_false(opens(&message, payload, sizeof(payload), &size));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_what_the_firmware_opens),
		cmocka_unit_test(the_number_is_in_the_iv),
		cmocka_unit_test(a_payload_fills_the_page_and_no_more),
		cmocka_unit_test(an_answer_of_the_firmware_is_opened),
		cmocka_unit_test(nothing_else_is_opened),
		cmocka_unit_test(a_size_beyond_the_page_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
