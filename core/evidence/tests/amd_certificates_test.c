/* SPDX-License-Identifier: MIT */
/* AMD's certificates are whole, those that they say, and one chain for each product and kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the above first. */
#include <cmocka.h>

#include "core/base/hex.h"
#include "core/evidence/host/amd_certificates.h"
#include "core/evidence/host/certificate.h"
#include "core/evidence/host/public_key.h"

static X509 *read_one(size_t i)
{
	const struct amd_certificate *c = &amd_certificates[i];
	X509 *certificate = amd_chain_read_certificate(c->pem, strlen(c->pem));

	assert_non_null(certificate);
	return certificate;
}

static void test_digests(void **state)
{
	(void)state;
	for (size_t i = 0; i < AMD_CERTIFICATES; i++) {
		X509 *certificate = read_one(i);
		uint8_t digest[32], expected[32];
		char name[64];

		assert_int_equal(X509_digest(certificate, EVP_sha256(), digest, NULL), 1);
		assert_true(hex_read(amd_certificates[i].sha256, expected, sizeof(expected)));
		assert_memory_equal(digest, expected, sizeof(digest));
		X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name,
					  sizeof(name));
		assert_string_equal(name, amd_certificates[i].name);
		X509_free(certificate);
	}
}

/*
 * Their keys are good ones, which is not looked at again; one that is nearly one of them is not
 * known.
 */
static void test_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < AMD_CERTIFICATES; i++) {
		X509 *certificate = read_one(i), *other;
		unsigned char *der = NULL;
		int size = i2d_X509(certificate, &der);

		assert_null(public_key_error(certificate_key(certificate)));
		assert_true(amd_certificates_known(certificate));
		assert_true(size > 0);
		der[size - 1] ^= 1; /* of the signature */
		other = amd_chain_read_certificate(der, (size_t)size);
		assert_non_null(other);
		assert_false(amd_certificates_known(other));
		X509_free(other);
		X509_free(certificate);
		OPENSSL_free(der);
	}
}

static void test_pairs(void **state)
{
	(void)state;
	for (size_t i = 0; i < AMD_CERTIFICATES; i++) {
		for (size_t k = 0; k < AMD_CERTIFICATES; k++) {
			X509 *root = read_one(i), *issuer = read_one(k);
			bool pair = i % 3 == 0 && (k == i + 1 || k == i + 2);
			struct amd_chain chain = { .ark = root, .issuer = issuer };

			assert_int_equal(amd_certificates_pair(root, issuer), pair);
			/* 1 January 2027: all are in force then. */
			assert_int_equal(!amd_chain_authorities_error(&chain, 1798761600), pair);
			amd_chain_free(&chain);
		}
	}
}

/* Each ARK is one of the pinned roots, and signed itself and both that follow it. */
static void test_chains(void **state)
{
	(void)state;
	for (size_t i = 0; i < AMD_CERTIFICATES; i++) {
		struct amd_chain chain = { .ark = read_one(i - i % 3),
					   .issuer = read_one(i),
					   .signer = read_one(i) };

		assert_null(amd_chain_root_error(&chain, false));
		assert_int_equal(X509_verify(chain.issuer, certificate_key(chain.ark)), 1);
		amd_chain_free(&chain);
	}
}

/* The ASK of each names its ARK; a chain that has all, or has nothing of AMD's, stays as it is. */
static void test_fill(void **state)
{
	(void)state;
	for (size_t i = 1; i < AMD_CERTIFICATES; i += 3) {
		struct amd_chain chain = { .issuer = read_one(i) };
		X509 *ark = read_one(i - 1);

		amd_certificates_fill(&chain);
		assert_non_null(chain.ark);
		assert_int_equal(X509_cmp(chain.ark, ark), 0);
		amd_certificates_fill(&chain);
		assert_null(chain.signer);
		X509_free(ark);
		amd_chain_free(&chain);
	}
}

static void test_nothing_to_fill(void **state)
{
	struct amd_chain chain = { .signer = X509_new() };

	(void)state;
	amd_certificates_fill(&chain);
	assert_null(chain.issuer);
	assert_null(chain.ark);
	amd_chain_free(&chain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digests), cmocka_unit_test(test_known),
		cmocka_unit_test(test_pairs),	cmocka_unit_test(test_chains),
		cmocka_unit_test(test_fill),	cmocka_unit_test(test_nothing_to_fill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
