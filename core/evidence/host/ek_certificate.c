/* SPDX-License-Identifier: MIT */
#include "core/evidence/host/ek_certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <string.h>

/* tcg-kp-EKCertificate */
#define EK_USAGE "2.23.133.8.1"

/* By OpenSSL alone, which is to find the keys when it looks for the way to an authority. */
static X509 *read_one(const void *data, size_t size)
{
	const unsigned char *at = data;
	X509 *certificate = d2i_X509(NULL, &at, (long)size);
	BIO *bio;

	if (certificate && at == (const unsigned char *)data + size)
		return certificate;
	X509_free(certificate);
	bio = BIO_new_mem_buf(data, (int)size);
	/* With an empty passphrase: OpenSSL must not ask for one. */
	certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, "") : NULL;
	BIO_free(bio);
	return certificate;
}

X509 *ek_certificate_read(const void *data, size_t size)
{
	X509 *certificate;

	ERR_set_mark();
	certificate = read_one(data, size);
	ERR_pop_to_mark();
	return certificate;
}

STACK_OF(X509) * ek_certificate_read_ca(const void *data, size_t size)
{
	STACK_OF(X509) *ca = sk_X509_new_null();
	BIO *bio = BIO_new_mem_buf(data, (int)size);
	X509 *certificate;

	ERR_set_mark();
	/* With an empty passphrase: OpenSSL must not ask for one. */
	while (ca && bio && (certificate = PEM_read_bio_X509(bio, NULL, NULL, ""))) {
		if (sk_X509_push(ca, certificate) <= 0)
			X509_free(certificate);
	}
	BIO_free(bio);
	ERR_pop_to_mark(); /* the end of the text is an error to OpenSSL */
	if (ca && sk_X509_num(ca) == 0 && (certificate = ek_certificate_read(data, size)))
		sk_X509_push(ca, certificate);
	if (ca && sk_X509_num(ca) > 0)
		return ca;
	sk_X509_free(ca);
	return NULL;
}

static bool for_endorsement_keys(X509 *certificate)
{
	EXTENDED_KEY_USAGE *usage = X509_get_ext_d2i(certificate, NID_ext_key_usage, NULL, NULL);
	bool found = false;
	char text[64];

	/* Without the extension the certificate does not say what it is for. */
	if (!usage)
		return X509_get_ext_by_NID(certificate, NID_ext_key_usage, -1) < 0;
	for (int i = 0; i < sk_ASN1_OBJECT_num(usage); i++) {
		OBJ_obj2txt(text, sizeof(text), sk_ASN1_OBJECT_value(usage, i), 1);
		found = found || strcmp(text, EK_USAGE) == 0;
	}
	EXTENDED_KEY_USAGE_free(usage);
	return found;
}

static bool chain_ok(X509 *certificate, STACK_OF(X509) * ca, time_t at)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	bool ok = store && context;

	for (int i = 0; ok && i < sk_X509_num(ca); i++)
		ok = X509_STORE_add_cert(store, sk_X509_value(ca, i)) == 1;
	ok = ok && X509_STORE_CTX_init(context, store, certificate, NULL) == 1;
	if (ok) {
		X509_STORE_CTX_set_time(context, 0, at);
		/* RSA from 2048 bits, curves from 224, no SHA-1: 112 bits of security. */
		X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(context), 2);
		ok = X509_verify_cert(context) == 1;
	}
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	return ok;
}

const char *ek_certificate_error(X509 *certificate, STACK_OF(X509) * ca, time_t at)
{
	if (X509_check_ca(certificate))
		return "the EK's certificate is a CA's";
	if (!for_endorsement_keys(certificate))
		return "the certificate is not for an endorsement key";
	return chain_ok(certificate, ca, at) ? NULL : "the EK's certificate is not by the given CA";
}
