/* SPDX-License-Identifier: MIT */
/*
 * The AMD-SP against a guest that is written here from the firmware ABI, down to the offsets: it
 * seals, opens and verifies without any code of the AMD-SP's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/sha.h>
#include <string.h>

#include "machine/host/psp.h"
#include "tests/lib/scratch_dir.h"

#define HEADER 0x60
#define REQ_SIZE 0x60
#define RSP_SIZE 0x4c0

struct fixture {
	struct chain chain;
	struct psp psp;
};

static struct fixture fixture;

static void le64(uint8_t *to, uint64_t value)
{
	for (unsigned int i = 0; i < 8; i++)
		to[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_le(const uint8_t *from, unsigned int size)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < size; i++)
		value |= (uint64_t)from[i] << (8 * i);
	return value;
}

static void seal(const uint8_t key[32], uint8_t page[4096])
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint8_t iv[12] = { 0 };
	int n, size = (int)get_le(page + 0x36, 2);

	memcpy(iv, page + 0x20, 8);
	assert_int_equal(EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, iv), 1);
	assert_int_equal(EVP_EncryptUpdate(c, NULL, &n, page + 0x30, 0x30), 1);
	assert_int_equal(EVP_EncryptUpdate(c, page + HEADER, &n, page + HEADER, size), 1);
	assert_int_equal(EVP_EncryptFinal_ex(c, page + HEADER + size, &n), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, page), 1);
	EVP_CIPHER_CTX_free(c);
}

static bool unseal(const uint8_t key[32], uint8_t page[4096])
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint8_t iv[12] = { 0 }, rest[16];
	int n, size = (int)get_le(page + 0x36, 2);
	bool ok;

	memcpy(iv, page + 0x20, 8);
	assert_int_equal(EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, iv), 1);
	assert_int_equal(EVP_DecryptUpdate(c, NULL, &n, page + 0x30, 0x30), 1);
	assert_int_equal(EVP_DecryptUpdate(c, page + HEADER, &n, page + HEADER, size), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, 16, page), 1);
	ok = EVP_DecryptFinal_ex(c, rest, &n) == 1;
	EVP_CIPHER_CTX_free(c);
	return ok;
}

/* A report request that is not sealed yet. */
static void plain_request(uint8_t page[4096], unsigned int vmpck, uint64_t seqno, uint32_t vmpl,
			  uint32_t flags)
{
	memset(page, 0, 4096);
	le64(page + 0x20, seqno);
	page[0x30] = 1;	   /* AES-256-GCM */
	page[0x31] = 1;	   /* header version */
	page[0x32] = 0x60; /* header size */
	page[0x34] = 5;	   /* MSG_REPORT_REQ */
	page[0x35] = 1;	   /* message version */
	page[0x36] = REQ_SIZE;
	page[0x3c] = (uint8_t)vmpck;
	memset(page + HEADER, 0x5a, 64);
	page[HEADER + 0x40] = (uint8_t)vmpl;
	page[HEADER + 0x44] = (uint8_t)flags;
}

static void make_request(const struct psp *psp, uint8_t page[4096], unsigned int vmpck,
			 uint64_t seqno, uint32_t vmpl, uint32_t flags)
{
	plain_request(page, vmpck, seqno, vmpl, flags);
	seal(psp->vmpck[vmpck % 4], page);
}

static enum psp_status send(uint8_t request[4096], uint8_t response[4096])
{
	memset(response, 0xee, 4096);
	return psp_guest_request(&fixture.psp, request, response);
}

static void assert_untouched(const uint8_t response[4096])
{
	for (unsigned int i = 0; i < 4096; i++)
		assert_int_equal(response[i], 0xee);
}

static void assert_refused(uint8_t request[4096], enum psp_status status)
{
	uint8_t response[4096];

	assert_int_equal(send(request, response), status);
	assert_untouched(response);
}

/* Sends a good request and returns the status in the opened answer. */
static uint32_t exchange(uint8_t page[4096], unsigned int vmpck, uint64_t seqno, uint32_t vmpl,
			 uint32_t flags)
{
	uint8_t request[4096];

	make_request(&fixture.psp, request, vmpck, seqno, vmpl, flags);
	assert_int_equal(send(request, page), 0);
	assert_int_equal(get_le(page + 0x20, 8), seqno + 1);
	assert_int_equal(page[0x30], 1);
	assert_int_equal(page[0x31], 1);
	assert_int_equal(get_le(page + 0x32, 2), 0x60);
	assert_int_equal(page[0x34], 6); /* MSG_REPORT_RSP */
	assert_int_equal(page[0x35], 1);
	assert_int_equal(get_le(page + 0x36, 2), RSP_SIZE);
	assert_int_equal(page[0x3c], vmpck);
	assert_true(unseal(fixture.psp.vmpck[vmpck], page));
	return (uint32_t)get_le(page + HEADER, 4);
}

static void test_secrets(void **state)
{
	struct snp_secrets secrets;
	const uint8_t *bytes = (const uint8_t *)&secrets;

	(void)state;
	psp_fill_secrets(&fixture.psp, &secrets);
	assert_int_equal(get_le(bytes, 4), 3);
	assert_memory_equal(bytes + 0x10, fixture.psp.launch.workarounds, 16);
	assert_int_equal(bytes[0x10], 0x60);
	for (unsigned int i = 0; i < 4; i++) {
		assert_memory_equal(bytes + 0x20 + 0x20 * i, fixture.psp.vmpck[i], 32);
		for (unsigned int j = 0; j < i; j++)
			assert_memory_not_equal(fixture.psp.vmpck[i], fixture.psp.vmpck[j], 32);
	}
	for (unsigned int i = 0xa0; i < 4096; i++)
		assert_int_equal(bytes[i], 0);
}

static void assert_signature(const uint8_t report[0x4a0])
{
	const EC_KEY *key = EVP_PKEY_get0_EC_KEY(X509_get0_pubkey(fixture.chain.vcek));
	ECDSA_SIG *signature = ECDSA_SIG_new();
	uint8_t digest[48];

	ECDSA_SIG_set0(signature, BN_lebin2bn(report + 0x2a0, 72, NULL),
		       BN_lebin2bn(report + 0x2e8, 72, NULL));
	SHA384(report, 0x2a0, digest);
	assert_int_equal(ECDSA_do_verify(digest, 48, signature, (EC_KEY *)key), 1);
	digest[0] ^= 1;
	assert_int_equal(ECDSA_do_verify(digest, 48, signature, (EC_KEY *)key), 0);
	ECDSA_SIG_free(signature);
}

static void test_report(void **state)
{
	uint8_t page[4096], zero[0x4a0] = { 0 };
	const uint8_t *report = page + HEADER + 0x20;

	(void)state;
	assert_int_equal(exchange(page, 0, 1, 0, 0), 0);
	assert_int_equal(get_le(page + HEADER + 4, 4), 0x4a0);
	assert_int_equal(get_le(report, 4), 3);		  /* VERSION */
	assert_int_equal(get_le(report + 8, 8), 0x30000); /* POLICY */
	assert_int_equal(get_le(report + 0x30, 4), 0);	  /* VMPL */
	assert_int_equal(get_le(report + 0x34, 4), 1);	  /* SIGNATURE_ALGO */
	assert_int_equal(get_le(report + 0x48, 4), 0);	  /* signed by the VCEK */
	for (unsigned int i = 0; i < 64; i++)
		assert_int_equal(report[0x50 + i], 0x5a); /* REPORT_DATA */
	for (unsigned int i = 0; i < 48; i++)
		assert_int_equal(report[0x90 + i], 0x11 + i); /* MEASUREMENT */
	for (unsigned int i = 0; i < 32; i++)
		assert_int_equal(report[0xc0 + i], 0xd0);		 /* HOST_DATA */
	assert_int_equal(get_le(report + 0x38, 8), 0xdb18000000000004);	 /* CURRENT_TCB */
	assert_int_equal(get_le(report + 0x180, 8), 0xdb18000000000004); /* REPORTED_TCB */
	assert_int_equal(get_le(report + 0x1e0, 8), 0xdb18000000000004);
	assert_int_equal(get_le(report + 0x1f0, 8), 0xdb18000000000004);
	assert_int_equal(get_le(report + 0x188, 3), 0x010119); /* Milan */
	assert_memory_equal(report + 0x18b, zero, 21);
	assert_memory_equal(report + 0x1a0, fixture.chain.chip_id, 64);
	assert_memory_equal(report + 0x1f8, zero, 0x2a0 - 0x1f8);
	assert_memory_equal(report + 0x330, zero, 0x4a0 - 0x330);
	assert_signature(report);
}

/* What the launch's ID block says (firmware ABI, ATTESTATION_REPORT). */
static void test_report_of_id_block(void **state)
{
	const struct psp_launch before = fixture.psp.launch;
	struct psp_launch *launch = &fixture.psp.launch;
	const uint8_t *report;
	uint8_t page[4096];

	(void)state;
	launch->guest_svn = 0x01020304;
	launch->author_key_enabled = true;
	memset(launch->family_id, 0x22, 16);
	memset(launch->image_id, 0x33, 16);
	memset(launch->id_key_digest, 0x44, 48);
	memset(launch->author_key_digest, 0x55, 48);
	assert_int_equal(exchange(page, 1, 1, 1, 0), 0);
	report = page + HEADER + 0x20;
	assert_int_equal(get_le(report + 4, 4), 0x01020304); /* GUEST_SVN */
	assert_int_equal(get_le(report + 0x48, 4), 1);	     /* AUTHOR_KEY_EN */
	for (unsigned int i = 0; i < 16; i++) {
		assert_int_equal(report[0x10 + i], 0x22); /* FAMILY_ID */
		assert_int_equal(report[0x20 + i], 0x33); /* IMAGE_ID */
	}
	for (unsigned int i = 0; i < 48; i++) {
		assert_int_equal(report[0xe0 + i], 0x44);  /* ID_KEY_DIGEST */
		assert_int_equal(report[0x110 + i], 0x55); /* AUTHOR_KEY_DIGEST */
	}
	assert_signature(report);
	*launch = before;
}

/* Requests use 1, 3, 5, ...; each key has a count of its own. */
static void test_sequence(void **state)
{
	uint8_t page[4096], first[4096];

	(void)state;
	make_request(&fixture.psp, first, 0, 1, 0, 0);
	assert_int_equal(exchange(page, 0, 1, 0, 0), 0);
	assert_refused(first, PSP_INVALID_PARAM); /* replayed */
	for (uint64_t seqno = 0; seqno < 8; seqno++) {
		make_request(&fixture.psp, page, 0, seqno, 0, 0);
		if (seqno != 3)
			assert_refused(page, PSP_INVALID_PARAM);
	}
	assert_int_equal(exchange(page, 0, 3, 0, 0), 0);
	assert_int_equal(exchange(page, 0, 5, 0, 0), 0);
	assert_int_equal(exchange(page, 2, 1, 2, 0), 0);
	assert_int_equal(exchange(page, 0, 7, 0, 0), 0);
	make_request(&fixture.psp, page, 0, UINT64_MAX, 0, 0);
	assert_refused(page, PSP_INVALID_PARAM);
}

static void test_overflow(void **state)
{
	uint8_t page[4096];

	(void)state;
	fixture.psp.last_seqno[1] = UINT64_MAX - 1;
	make_request(&fixture.psp, page, 1, UINT64_MAX, 1, 0);
	assert_refused(page, PSP_AEAD_OFLOW);
	make_request(&fixture.psp, page, 1, 0, 1, 0);
	assert_refused(page, PSP_AEAD_OFLOW);
}

static void test_wrong_key(void **state)
{
	uint8_t page[4096];

	(void)state;
	plain_request(page, 0, 1, 0, 0);
	seal(fixture.psp.vmpck[2], page);
	assert_refused(page, PSP_BAD_MEASUREMENT);
	/* What VMPCK2 sealed as its own does not become VMPCK0's by changing the header. */
	make_request(&fixture.psp, page, 2, 1, 2, 0);
	page[0x3c] = 0;
	assert_refused(page, PSP_BAD_MEASUREMENT);
	for (unsigned int vmpck = 4; vmpck < 256; vmpck++) {
		make_request(&fixture.psp, page, vmpck, 1, 3, 0);
		assert_refused(page, PSP_INVALID_PARAM);
	}
	assert_int_equal(exchange(page, 0, 1, 0, 0), 0);
}

/* One bit of each byte of header and payload, changed on the way. */
static void test_altered_on_the_way(void **state)
{
	uint8_t good[4096], page[4096], response[4096];

	(void)state;
	make_request(&fixture.psp, good, 0, 1, 0, 0);
	for (unsigned int at = 0; at < HEADER + REQ_SIZE; at++) {
		enum psp_status status = PSP_INVALID_PARAM;

		if (at < 16 || at >= HEADER || at == 0x3c)
			status = PSP_BAD_MEASUREMENT; /* tag, payload; 0x3c names another key */
		memcpy(page, good, sizeof(page));
		page[at] ^= 1;
		assert_refused(page, status);
	}
	assert_int_equal(send(good, response), 0);
}

/* Every header field wrong, in a message that the guest itself sealed so. */
static void test_sealed_wrong(void **state)
{
	uint8_t page[4096];

	(void)state;
	for (unsigned int at = 0x28; at < HEADER; at++) {
		if (at == 0x3c || at == 0x36 || at == 0x37)
			continue;
		for (unsigned int bit = 0; bit < 8; bit++) {
			plain_request(page, 0, 1, 0, 0);
			page[at] ^= (uint8_t)(1u << bit);
			seal(fixture.psp.vmpck[0], page);
			assert_refused(page, PSP_INVALID_PARAM);
		}
	}
	for (unsigned int size = 0; size <= 0xfa0 - 16; size++) {
		plain_request(page, 0, 1, 0, 0);
		page[0x36] = (uint8_t)size;
		page[0x37] = (uint8_t)(size >> 8);
		seal(fixture.psp.vmpck[0], page);
		if (size != REQ_SIZE)
			assert_refused(page, PSP_INVALID_PARAM);
	}
	make_request(&fixture.psp, page, 0, 1, 0, 0);
	page[0x36] = page[0x37] = 0xff; /* longer than a page */
	assert_refused(page, PSP_INVALID_PARAM);
	assert_int_equal(exchange(page, 0, 1, 0, 0), 0);
}

/* MSG_REPORT_REQ: VMPL must be that of the key or less privileged, and at most 3. */
static void test_vmpl_rule(void **state)
{
	uint64_t seqno[4] = { 1, 1, 1, 1 };
	uint8_t page[4096], zero[0x4a0] = { 0 };

	(void)state;
	for (unsigned int key = 0; key < 4; key++) {
		for (uint32_t vmpl = 0; vmpl < 6; vmpl++) {
			uint32_t status = exchange(page, key, seqno[key], vmpl, 0);

			seqno[key] += 2;
			if (vmpl >= key && vmpl <= 3) {
				assert_int_equal(status, 0);
				assert_int_equal(get_le(page + HEADER + 0x20 + 0x30, 4), vmpl);
				continue;
			}
			assert_int_equal(status, 0x16);
			assert_int_equal(get_le(page + HEADER + 4, 4), 0);
			assert_memory_equal(page + HEADER + 0x20, zero, sizeof(zero));
		}
	}
}

static void test_request_fields(void **state)
{
	uint8_t page[4096], response[4096];
	uint64_t seqno = 1;

	(void)state;
	for (unsigned int at = 0x41; at < REQ_SIZE; at++) {
		if (at == 0x44)
			continue;
		plain_request(page, 0, seqno, 0, 0);
		page[HEADER + at] = 1;
		seal(fixture.psp.vmpck[0], page);
		assert_int_equal(send(page, response), 0);
		assert_true(unseal(fixture.psp.vmpck[0], response));
		assert_int_equal(get_le(response + HEADER, 4), 0x16);
		seqno += 2;
	}
	assert_int_equal(exchange(page, 0, seqno, 0, 1), 0);	    /* VCEK, by name */
	assert_int_equal(exchange(page, 0, seqno + 2, 0, 2), 0x27); /* VLEK: there is none */
	fixture.psp.launch.vcek_disabled = true;
	assert_int_equal(exchange(page, 0, seqno + 4, 0, 1), 0x27);
	assert_int_equal(exchange(page, 0, seqno + 6, 0, 0), 0x27);
	fixture.psp.launch.vcek_disabled = false;
	seqno += 4;
	assert_int_equal(exchange(page, 0, seqno + 4, 0, 3), 0x16);
	assert_int_equal(exchange(page, 0, seqno + 6, 0, 0x80), 0x16);
}

/*
 * MSG_TSC_INFO (firmware ABI; types 17 and 18 and the offsets as in Linux, struct
 * snp_tsc_info_resp, and in AMD's published firmware): 128 reserved bytes ask; a scale of 8.32 bits
 * at 8, the factor at 18h.
 */
static void tsc_info(uint8_t page[4096], uint64_t seqno, unsigned int set)
{
	uint8_t request[4096];

	plain_request(request, 1, seqno, 0, 0);
	request[0x34] = 17;
	request[0x36] = 0x80;
	memset(request + HEADER, 0, 0x80);
	if (set < 0x80)
		request[HEADER + set] = 1;
	seal(fixture.psp.vmpck[1], request);
	assert_int_equal(send(request, page), 0);
	assert_int_equal(get_le(page + 0x20, 8), seqno + 1);
	assert_int_equal(page[0x34], 18);
	assert_int_equal(get_le(page + 0x36, 2), 0x80);
	assert_true(unseal(fixture.psp.vmpck[1], page));
}

static void test_tsc_info(void **state)
{
	static const uint8_t zero[128];
	uint8_t page[4096];

	(void)state;
	fixture.psp.tsc_factor = 0x1234;
	tsc_info(page, 1, 0x80);
	assert_memory_equal(page + HEADER, zero, 8);
	assert_int_equal(get_le(page + HEADER + 0x8, 8), 1ull << 32);
	assert_int_equal(get_le(page + HEADER + 0x10, 8), 0);
	assert_int_equal(get_le(page + HEADER + 0x18, 4), 0x1234);
	assert_memory_equal(page + HEADER + 0x1c, zero, 100);
	for (unsigned int at = 0; at < 0x80; at++) {
		tsc_info(page, 3 + 2 * at, at);
		assert_int_equal(get_le(page + HEADER, 4), 0x16);
		assert_memory_equal(page + HEADER + 4, zero, 0x7c);
	}
	/* The size of one kind under the type of the other. */
	plain_request(page, 1, 259, 1, 0);
	page[0x34] = 17;
	seal(fixture.psp.vmpck[1], page);
	assert_refused(page, PSP_INVALID_PARAM);
	plain_request(page, 1, 259, 1, 0);
	page[0x36] = 0x80;
	seal(fixture.psp.vmpck[1], page);
	assert_refused(page, PSP_INVALID_PARAM);
}

static void test_policy(void **state)
{
	(void)state;
	assert_null(psp_policy_refusal(0x30000));
	assert_null(psp_policy_refusal(0x20000));
	assert_null(psp_policy_refusal(0x30137)); /* ABI 1.55 */
	assert_non_null(psp_policy_refusal(0x10000));
	assert_non_null(psp_policy_refusal(0x30138));
	assert_non_null(psp_policy_refusal(0x30200));
	assert_null(psp_policy_refusal(0x300ff)); /* ABI 0.255 is older than 1.0 */
	for (unsigned int bit = 22; bit < 64; bit++)
		assert_non_null(psp_policy_refusal(0x30000 | 1ull << bit));
}

static int fresh_psp(void **state)
{
	(void)state;
	if (!psp_init(&fixture.psp, &fixture.chain))
		return -1;
	fixture.psp.launch.policy = 0x30000;
	for (unsigned int i = 0; i < 48; i++)
		fixture.psp.launch.measurement[i] = (uint8_t)(0x11 + i);
	memset(fixture.psp.launch.workarounds, 0x60, sizeof(fixture.psp.launch.workarounds));
	memset(fixture.psp.launch.host_data, 0xd0, sizeof(fixture.psp.launch.host_data));
	return 0;
}

static int set_up(void **state)
{
	struct host_error error;

	(void)state;
	return chain_open(&fixture.chain, scratch_dir_make(), &error) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	chain_close(&fixture.chain);
	scratch_dir_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_secrets, fresh_psp),
		cmocka_unit_test_setup(test_report, fresh_psp),
		cmocka_unit_test_setup(test_report_of_id_block, fresh_psp),
		cmocka_unit_test_setup(test_sequence, fresh_psp),
		cmocka_unit_test_setup(test_overflow, fresh_psp),
		cmocka_unit_test_setup(test_wrong_key, fresh_psp),
		cmocka_unit_test_setup(test_altered_on_the_way, fresh_psp),
		cmocka_unit_test_setup(test_sealed_wrong, fresh_psp),
		cmocka_unit_test_setup(test_vmpl_rule, fresh_psp),
		cmocka_unit_test_setup(test_request_fields, fresh_psp),
		cmocka_unit_test_setup(test_tsc_info, fresh_psp),
		cmocka_unit_test(test_policy),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
