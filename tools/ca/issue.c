/* SPDX-License-Identifier: MIT */
#include "tools/ca/issue.h"

#include <stdlib.h>

#include "core/tpm/host/tpm_public.h"

/* DER to memory that free() frees. */
static bool encode(X509 *certificate, struct file_bytes *bytes)
{
	int size = i2d_X509(certificate, NULL);
	uint8_t *to;

	if (size <= 0)
		return false;
	bytes->data = malloc((size_t)size);
	if (!bytes->data)
		return false;
	to = bytes->data;
	size = i2d_X509(certificate, &to);
	bytes->size = size > 0 ? (size_t)size : 0;
	return size > 0;
}

/* The key for OpenSSL; NULL unless its point is on its curve, or its modulus of its size. */
static EVP_PKEY *usable_key(const struct vtpm_manifest_key *key)
{
	struct wire_public public_area;
	EVP_PKEY_CTX *context;
	EVP_PKEY *pkey;
	bool ok;

	if (wire_read_public(&public_area, key->data, key->size) != WIRE_OK)
		return NULL;
	pkey = tpm_public_key(&public_area);
	if (!pkey)
		return NULL;
	context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	ok = context && EVP_PKEY_public_check(context) == 1 &&
	     (public_area.type != TPM_ALG_RSA || EVP_PKEY_get_bits(pkey) == public_area.bits);
	EVP_PKEY_CTX_free(context);
	if (ok)
		return pkey;
	EVP_PKEY_free(pkey);
	return NULL;
}

static bool issue_one(const struct ca_authority *ca, struct ca_certificate_request *request,
		      struct file_bytes *der, struct host_error *error)
{
	X509 *certificate;
	bool ok;

	if (!ca_authority_take_serial(ca, &request->serial, error))
		return false;
	certificate = ca_certificate_issue(request, ca->certificate, ca->key);
	if (!certificate)
		return host_fail(error, "issue: OpenSSL cannot make the certificate");
	ok = ca_authority_record(ca, request->serial, certificate, error) &&
	     (encode(certificate, der) || host_fail(error, "issue: it cannot be encoded"));
	X509_free(certificate);
	return ok;
}

/* Adds the certificate to what was issued. */
static bool add_one(const struct ca_authority *ca, struct ca_certificate_request *request,
		    struct ca_issued *issued, struct host_error *error)
{
	if (!issue_one(ca, request, &issued->certificates[issued->count], error))
		return false;
	issued->serials[issued->count] = request->serial;
	issued->roles[issued->count++] = request->role;
	return true;
}

static bool issue_all(const struct ca_authority *ca, const struct ca_policy *policy,
		      EVP_PKEY *const *keys, const struct vtpm_manifest *manifest,
		      struct ca_issued *issued, struct host_error *error)
{
	for (size_t i = 0; i < manifest->count; i++) {
		struct ca_certificate_request request = {
			.role = manifest->keys[i].info.signing ? CA_KEY_AK : CA_KEY_EK,
			.key = keys[i],
			.tpm = policy->tpm,
			.days = policy->days,
		};

		if (!add_one(ca, &request, issued, error))
			return false;
	}
	return true;
}

bool ca_issue(const struct ca_authority *ca, const struct ca_policy *policy,
	      const struct vtpm_manifest *manifest, struct ca_issued *issued,
	      struct host_error *error)
{
	EVP_PKEY *keys[VTPM_MANIFEST_KEYS_MAX] = { NULL };
	bool ok = true;

	*issued = (struct ca_issued){ 0 };
	/* All keys are looked at before the first certificate is made. */
	for (size_t i = 0; ok && i < manifest->count; i++) {
		keys[i] = usable_key(&manifest->keys[i]);
		if (!keys[i])
			ok = host_fail(error, "manifest: key %zu is no valid public key", i);
	}
	ok = ok && issue_all(ca, policy, keys, manifest, issued, error);
	for (size_t i = 0; i < manifest->count; i++)
		EVP_PKEY_free(keys[i]);
	if (!ok)
		ca_issued_free(issued);
	return ok;
}

bool ca_issue_platform(const struct ca_authority *ca, const struct ca_policy *policy,
		       const struct vtpm_manifest_key *key,
		       const struct ca_platform_identity *platform, struct ca_issued *issued,
		       struct host_error *error)
{
	struct ca_certificate_request request = { .role = CA_KEY_PLATFORM,
						  .key = usable_key(key),
						  .tpm = policy->tpm,
						  .platform = *platform,
						  .days = policy->days };
	bool ok = request.key ? add_one(ca, &request, issued, error)
			      : host_fail(error, "the platform's key is no valid public key");

	EVP_PKEY_free(request.key);
	return ok;
}

void ca_issued_free(struct ca_issued *issued)
{
	for (size_t i = 0; i < CA_ISSUED_MAX; i++)
		file_free(&issued->certificates[i]);
	issued->count = 0;
}
