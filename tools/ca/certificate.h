/* SPDX-License-Identifier: MIT */
/*
 * The certificates that `socle ca` makes: its own, and those of vTPM keys by the TCG EK Credential
 * Profile for TPM family 2.0 (EKs) and the TCG's key purpose for attestation keys. A platform's is
 * a certificate of an EK as well, with the platform's names beside the TPM's, as those of
 * swtpm_cert are; not the TCG's attribute certificate.
 */
#ifndef SOCLE_TOOLS_CA_CERTIFICATE_H
#define SOCLE_TOOLS_CA_CERTIFICATE_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#define CA_TEXT_MAX 64u /* longest name, manufacturer, model and version */

/* What a certificate's alternative name says of the TPM. */
struct ca_tpm_identity {
	const char *manufacturer; /* "id:" and the vendor id, eight hexadecimal digits */
	const char *model;
	const char *version; /* "id:" and the firmware version, eight hexadecimal digits */
};

/* The same of a platform that has a TPM; each any text that ca_certificate_text_ok(). */
struct ca_platform_identity {
	const char *manufacturer, *model, *version;
};

enum ca_key_role {
	CA_KEY_EK,
	CA_KEY_AK,
	CA_KEY_PLATFORM, /* an EK, by which the certificate says on which platform the TPM is */
};

struct ca_certificate_request {
	enum ca_key_role role;
	EVP_PKEY *key;
	struct ca_tpm_identity tpm;
	struct ca_platform_identity platform; /* for CA_KEY_PLATFORM */
	uint64_t serial;
	long days;
};

/* The authority's own certificate; NULL when OpenSSL fails or the name is empty or too long. */
X509 *ca_certificate_root(EVP_PKEY *key, const char *name, long days);

/*
 * A signed certificate for a vTPM's key, which does not outlive its issuer's. NULL when
 * OpenSSL fails or the key is of another kind than RSA and EC.
 */
X509 *ca_certificate_issue(const struct ca_certificate_request *request, X509 *issuer,
			   EVP_PKEY *issuer_key);

/* Whether a text may stand in a certificate: printable ASCII, 1 to CA_TEXT_MAX characters. */
bool ca_certificate_text_ok(const char *text);

/* Whether a text is "id:" and eight hexadecimal digits. */
bool ca_certificate_id_ok(const char *text);

#endif
