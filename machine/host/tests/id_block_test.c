/* SPDX-License-Identifier: MIT */
/*
 * ID blocks against SNP_LAUNCH_FINISH, made here from the firmware ABI down to the offsets. In
 * tests/peers another project's tool signs one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <string.h>

#include "machine/host/id_block.h"

#define POLICY 0x30000u

/* The keys of a test, and a block that they signed. */
struct fixture {
	EVP_PKEY *id, *author;
	struct igvm_snp_id_block block;
	struct psp_launch launch;
};

static void reverse(uint8_t *to, const uint8_t *from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		to[i] = from[size - 1 - i];
}

static void put_key(struct igvm_public_key *to, EVP_PKEY *key)
{
	uint8_t point[97];
	size_t size;

	assert_int_equal(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point,
							 sizeof(point), &size),
			 1);
	assert_int_equal(size, sizeof(point));
	memset(to, 0, sizeof(*to));
	to->curve = 2;
	reverse(to->qx, point + 1, 48);
	reverse(to->qy, point + 49, 48);
}

static void put_signature(struct igvm_signature *to, EVP_PKEY *key, const void *data, size_t size)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t der[128];
	const uint8_t *at = der;
	size_t der_size = sizeof(der);
	ECDSA_SIG *pair;

	assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha384(), NULL, key), 1);
	assert_int_equal(EVP_DigestSign(context, der, &der_size, data, size), 1);
	pair = d2i_ECDSA_SIG(NULL, &at, (long)der_size);
	assert_int_equal(BN_bn2lebinpad(ECDSA_SIG_get0_r(pair), to->r, sizeof(to->r)), 72);
	assert_int_equal(BN_bn2lebinpad(ECDSA_SIG_get0_s(pair), to->s, sizeof(to->s)), 72);
	ECDSA_SIG_free(pair);
	EVP_MD_CTX_free(context);
}

/* The key as the firmware has it: curve, coordinates, zeros up to 0x404 bytes. */
static void key_bytes(uint8_t to[0x404], const struct igvm_public_key *key)
{
	memset(to, 0, 0x404);
	to[0] = 2;
	memcpy(to + 4, key->qx, 72);
	memcpy(to + 76, key->qy, 72);
}

/* Signs the block as it is; with an author, if it is enabled. */
static void sign(struct fixture *f)
{
	uint8_t signed_part[0x60] = { 0 }, key[0x404];

	memcpy(signed_part, f->block.launch_digest, 48);
	memcpy(signed_part + 48, f->block.family_id, 16);
	memcpy(signed_part + 64, f->block.image_id, 16);
	signed_part[80] = 1;
	signed_part[84] = 7;	 /* guest SVN */
	signed_part[88 + 2] = 3; /* POLICY, little-endian */
	put_key(&f->block.id_key, f->id);
	put_signature(&f->block.id_key_signature, f->id, signed_part, sizeof(signed_part));
	if (!f->block.author_key_enabled)
		return;
	key_bytes(key, &f->block.id_key);
	put_key(&f->block.author_key, f->author);
	put_signature(&f->block.author_key_signature, f->author, key, sizeof(key));
}

static int setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .id = EVP_EC_gen("P-384"), .author = EVP_EC_gen("P-384") };
	f.launch.policy = POLICY;
	memset(f.launch.measurement, 0x3c, sizeof(f.launch.measurement));
	memset(f.block.launch_digest, 0x3c, sizeof(f.block.launch_digest));
	memset(f.block.family_id, 0xfa, sizeof(f.block.family_id));
	memset(f.block.image_id, 0x1d, sizeof(f.block.image_id));
	f.block.version = 1;
	f.block.guest_svn = 7;
	f.block.id_key_algorithm = 1;
	f.block.author_key_algorithm = 1;
	f.block.author_key_enabled = 1;
	sign(&f);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	EVP_PKEY_free(f->id);
	EVP_PKEY_free(f->author);
	return 0;
}

static void assert_digest(const uint8_t digest[48], const struct igvm_public_key *key)
{
	uint8_t bytes[0x404], expected[48];

	key_bytes(bytes, key);
	assert_int_equal(EVP_Digest(bytes, sizeof(bytes), expected, NULL, EVP_sha384(), NULL), 1);
	assert_memory_equal(digest, expected, 48);
}

static void test_taken(void **state)
{
	static const uint8_t none[48];
	struct fixture *f = *state;

	assert_null(id_block_igvm_refusal(&f->block, &f->launch));
	assert_int_equal(f->launch.guest_svn, 7);
	assert_true(f->launch.author_key_enabled);
	assert_memory_equal(f->launch.family_id, f->block.family_id, 16);
	assert_memory_equal(f->launch.image_id, f->block.image_id, 16);
	assert_digest(f->launch.id_key_digest, &f->block.id_key);
	assert_digest(f->launch.author_key_digest, &f->block.author_key);

	f->block.author_key_enabled = 0;
	memset(&f->block.author_key, 0, sizeof(f->block.author_key));
	memset(&f->block.author_key_signature, 0, sizeof(f->block.author_key_signature));
	memset(f->launch.author_key_digest, 0, 48);
	assert_null(id_block_igvm_refusal(&f->block, &f->launch));
	assert_false(f->launch.author_key_enabled);
	assert_memory_equal(f->launch.author_key_digest, none, 48);
}

static void assert_refused(struct fixture *f, const char *why)
{
	struct psp_launch before = f->launch;
	const char *refusal = id_block_igvm_refusal(&f->block, &f->launch);

	assert_non_null(refusal);
	if (strncmp(refusal, why, strlen(why)) != 0)
		fail_msg("\"%s\" is not %s", refusal, why);
	assert_memory_equal(&before, &f->launch, sizeof(before));
}

static void test_fields(void **state)
{
	struct fixture *f = *state;

	f->launch.measurement[47] ^= 1;
	assert_refused(f, "BAD_MEASUREMENT");
	f->launch.measurement[47] ^= 1;
	f->block.version = 2;
	assert_refused(f, "INVALID_PARAM");
	f->block.version = 1;
	f->block.id_key_algorithm = 2;
	assert_refused(f, "INVALID_PARAM");
	f->block.id_key_algorithm = 1;
	f->block.author_key_algorithm = 0;
	assert_refused(f, "INVALID_PARAM");
	f->block.author_key_algorithm = 1;
	f->launch.policy ^=
		1; /* the block's policy is the file's, so the signature is not over it */
	assert_refused(f, "BAD_SIGNATURE");
	f->launch.policy ^= 1;
	assert_null(id_block_igvm_refusal(&f->block, &f->launch));
}

/* A block that is not an IGVM file's says for which policy it is. */
static void test_policy(void **state)
{
	static const struct psp_id_auth no_auth = { .id_key_algo = 1 };
	struct fixture *f = *state;
	struct psp_id_block block = { .version = 1, .policy = POLICY + 1 };

	memcpy(block.launch_digest, f->launch.measurement, sizeof(block.launch_digest));
	assert_string_equal(id_block_refusal(&block, &no_auth, false, &f->launch),
			    "POLICY_FAILURE: its policy is not that of the launch");
	block.policy = POLICY;
	assert_non_null(strstr(id_block_refusal(&block, &no_auth, false, &f->launch),
			       "BAD_SIGNATURE: the ID key"));
}

/* Any byte of what is signed, and of both signatures and keys. */
static void test_signatures(void **state)
{
	static const struct {
		size_t offset, size;
	} parts[] = {
		{ offsetof(struct igvm_snp_id_block, family_id), 32 },
		{ offsetof(struct igvm_snp_id_block, guest_svn), 4 },
		{ offsetof(struct igvm_snp_id_block, id_key_signature), 144 },
		{ offsetof(struct igvm_snp_id_block, id_key.curve), 4 },
		{ offsetof(struct igvm_snp_id_block, id_key.qx), 144 },
		{ offsetof(struct igvm_snp_id_block, author_key_signature), 144 },
		{ offsetof(struct igvm_snp_id_block, author_key.curve), 4 },
		{ offsetof(struct igvm_snp_id_block, author_key.qx), 144 },
	};
	struct fixture *f = *state;
	uint8_t *bytes = (uint8_t *)&f->block;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		for (size_t at = parts[i].offset; at < parts[i].offset + parts[i].size; at++) {
			bytes[at] ^= 0x10;
			assert_refused(f, "BAD_SIGNATURE");
			bytes[at] ^= 0x10;
		}
	}
	assert_null(id_block_igvm_refusal(&f->block, &f->launch));
}

/* A signature by another key, and an author of another ID key. */
static void test_other_keys(void **state)
{
	struct fixture *f = *state;
	struct igvm_signature signature = f->block.id_key_signature;
	EVP_PKEY *id = f->id;

	f->block.id_key_signature = f->block.author_key_signature;
	assert_refused(f, "BAD_SIGNATURE");
	f->block.id_key_signature = signature;
	f->id = EVP_EC_gen("P-384");
	f->block.author_key_enabled = 0;
	sign(f); /* the block only */
	f->block.author_key_enabled = 1;
	assert_refused(f, "BAD_SIGNATURE: the author");
	EVP_PKEY_free(f->id);
	f->id = id;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_policy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_signatures, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_keys, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
