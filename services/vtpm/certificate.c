/* SPDX-License-Identifier: MIT */
#include "services/vtpm/certificate.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <string.h>

#include "core/tpm/host/tpm_public.h"
#include "core/tpm/selector.h"

#define RSA_EXPONENT 65537u /* what the rules let a template have */

static bool parameter_is(const EVP_PKEY *key, const char *name, const uint8_t *want, size_t size)
{
	BIGNUM *number = NULL, *expected = BN_bin2bn(want, (int)size, NULL);
	bool ok = expected && EVP_PKEY_get_bn_param(key, name, &number) == 1 &&
		  BN_cmp(number, expected) == 0;

	BN_free(number);
	BN_free(expected);
	return ok;
}

static bool is_rsa_key(const EVP_PKEY *key, const struct wire_public *p)
{
	static const uint8_t exponent[] = { RSA_EXPONENT >> 16, (RSA_EXPONENT >> 8) & 0xff,
					    RSA_EXPONENT & 0xff };

	return EVP_PKEY_is_a(key, "RSA") &&
	       parameter_is(key, OSSL_PKEY_PARAM_RSA_N, p->x, p->x_size) &&
	       parameter_is(key, OSSL_PKEY_PARAM_RSA_E, exponent, sizeof(exponent));
}

static bool is_ecc_key(const EVP_PKEY *key, const struct wire_public *p)
{
	const char *name = tpm_curve_name(p->curve);
	char group[32] = "";

	return name && EVP_PKEY_is_a(key, "EC") &&
	       EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
	       strcmp(group, name) == 0 &&
	       parameter_is(key, OSSL_PKEY_PARAM_EC_PUB_X, p->x, p->x_size) &&
	       parameter_is(key, OSSL_PKEY_PARAM_EC_PUB_Y, p->y, p->y_size);
}

static bool is_key(const EVP_PKEY *key, const uint8_t *public_area, size_t size)
{
	struct selector_template info;
	struct wire_public p;

	if (!key || selector_template_check(&info, public_area, size) ||
	    wire_read_public(&p, public_area, size) != WIRE_OK)
		return false;
	return p.type == TPM_ALG_RSA ? is_rsa_key(key, &p) : is_ecc_key(key, &p);
}

/* A certificate must not allow its key what the key cannot do, nor forbid what it is for. */
static const char *check_purpose(X509 *certificate, const EVP_PKEY *key, enum profile_role role)
{
	uint32_t usage = X509_get_key_usage(certificate);
	uint32_t want = role == PROFILE_ROLE_AK	    ? KU_DIGITAL_SIGNATURE
			: EVP_PKEY_is_a(key, "RSA") ? KU_KEY_ENCIPHERMENT
						    : KU_KEY_AGREEMENT;

	if (X509_get_version(certificate) != X509_VERSION_3)
		return "a certificate is not of version 3";
	if (X509_get_extension_flags(certificate) & (EXFLAG_INVALID | EXFLAG_CA))
		return "a certificate is malformed or one of a CA";
	if (usage != UINT32_MAX && !(usage & want))
		return "a certificate's key usage is not the key's";
	return NULL;
}

const char *certificate_check(const uint8_t *der, size_t size, const uint8_t *public_area,
			      size_t public_size, enum profile_role role)
{
	const uint8_t *end = der;
	X509 *certificate = d2i_X509(NULL, &end, (long)size);
	const char *reason = NULL;
	const EVP_PKEY *key;

	if (!certificate)
		return "a certificate is malformed";
	key = X509_get0_pubkey(certificate);
	if (end != der + size)
		reason = "something follows a certificate";
	else if (!is_key(key, public_area, public_size))
		reason = "a certificate is for another key";
	else
		reason = check_purpose(certificate, key, role);
	X509_free(certificate);
	return reason;
}
