/* SPDX-License-Identifier: MIT */
#include "tools/ca/certificate.h"

#include <ctype.h>
#include <inttypes.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define CLOCK_SKEW_S 3600 /* the clocks of guests may be behind ours */

/* TCG object identifiers. */
#define OID_TPM_MANUFACTURER "2.23.133.2.1"
#define OID_TPM_MODEL "2.23.133.2.2"
#define OID_TPM_VERSION "2.23.133.2.3"
#define OID_PLATFORM_MANUFACTURER "2.23.133.5.1.1"
#define OID_PLATFORM_MODEL "2.23.133.5.1.4"
#define OID_PLATFORM_VERSION "2.23.133.5.1.5"

/* Of each enum ca_key_role: the word in the subject, and the extended key usage. */
static const struct {
	const char *word, *purpose;
} roles[] = {
	[CA_KEY_EK] = { "EK", "2.23.133.8.1" },
	[CA_KEY_AK] = { "AK", "2.23.133.8.3" },
	[CA_KEY_PLATFORM] = { "platform", "2.23.133.8.2" },
};

/*
 * The value of subjectDirectoryAttributes: one attribute, tpmSpecification (2.23.133.2.16), that
 * says family "2.0", level 0, revision 164, which is the revision that libtpms implements.
 */
static const uint8_t directory_attributes[] = {
	0x30, 0x19, 0x30, 0x17, 0x06, 0x05, 0x67, 0x81, 0x05, 0x02, 0x10, 0x31, 0x0e, 0x30,
	0x0c, 0x0c, 0x03, '2',	'.',  '0',  0x02, 0x01, 0x00, 0x02, 0x02, 0x00, 0xa4,
};

bool ca_certificate_text_ok(const char *text)
{
	size_t length = strnlen(text, CA_TEXT_MAX + 1);

	if (length == 0 || length > CA_TEXT_MAX)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < ' ' || text[i] > '~')
			return false;
	}
	return true;
}

bool ca_certificate_id_ok(const char *text)
{
	if (strlen(text) != 11 || strncmp(text, "id:", 3) != 0)
		return false;
	for (size_t i = 3; i < 11; i++) {
		if (!isxdigit((unsigned char)text[i]))
			return false;
	}
	return true;
}

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;
	bool ok;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	ok = extension && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return ok;
}

/* From an hour ago; to that many days ahead, or to the issuer's end if that is earlier. */
static bool set_dates(X509 *certificate, const X509 *issuer, long days)
{
	ASN1_TIME *end = X509_getm_notAfter(certificate);

	if (!X509_gmtime_adj(X509_getm_notBefore(certificate), -CLOCK_SKEW_S) ||
	    !X509_time_adj_ex(end, (int)days, 0, NULL))
		return false;
	if (!issuer || ASN1_TIME_compare(end, X509_get0_notAfter(issuer)) <= 0)
		return true;
	return X509_set1_notAfter(certificate, X509_get0_notAfter(issuer)) == 1;
}

static X509 *begin(EVP_PKEY *key, const X509 *issuer, long days)
{
	X509 *certificate = X509_new();

	if (certificate && X509_set_version(certificate, X509_VERSION_3) == 1 &&
	    X509_set_pubkey(certificate, key) == 1 && set_dates(certificate, issuer, days))
		return certificate;
	X509_free(certificate);
	return NULL;
}

/* Several roots may have the same name, so their serial numbers are random. */
static bool set_random_serial(X509 *certificate)
{
	uint8_t bytes[16];
	BIGNUM *number = NULL;
	bool ok = RAND_bytes(bytes, sizeof(bytes)) == 1;

	bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40);
	ok = ok && (number = BN_bin2bn(bytes, sizeof(bytes), NULL)) != NULL &&
	     BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
	BN_free(number);
	return ok;
}

static bool fill_root(X509 *root, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(root);

	return set_random_serial(root) &&
	       X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name, -1,
					  -1, 0) == 1 &&
	       X509_set_issuer_name(root, subject) == 1 &&
	       add_extension(root, root, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	       add_extension(root, root, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	       add_extension(root, root, NID_subject_key_identifier, "hash") &&
	       add_extension(root, root, NID_authority_key_identifier, "keyid:always");
}

X509 *ca_certificate_root(EVP_PKEY *key, const char *name, long days)
{
	X509 *root = ca_certificate_text_ok(name) ? begin(key, NULL, days) : NULL;

	if (!root || (fill_root(root, name) && X509_sign(root, key, EVP_sha384()) > 0))
		return root;
	X509_free(root);
	return NULL;
}

static bool add_name_part(X509_NAME *name, const char *oid, const char *value)
{
	return X509_NAME_add_entry_by_txt(name, oid, MBSTRING_UTF8, (const uint8_t *)value, -1, -1,
					  0) == 1;
}

/* Names differ, so that no two certificates of an authority seem to be one subject's. */
static bool set_subject(X509 *certificate, const struct ca_certificate_request *request)
{
	X509_NAME *subject = X509_get_subject_name(certificate);
	char name[CA_TEXT_MAX + sizeof(" platform")], serial[17];

	snprintf(name, sizeof(name), "%.*s %s", (int)CA_TEXT_MAX, request->tpm.model,
		 roles[request->role].word);
	snprintf(serial, sizeof(serial), "%" PRIx64, request->serial);
	return add_name_part(subject, "CN", name) && add_name_part(subject, "serialNumber", serial);
}

static bool add_platform_name(X509_NAME *name, const struct ca_platform_identity *platform)
{
	return add_name_part(name, OID_PLATFORM_MANUFACTURER, platform->manufacturer) &&
	       add_name_part(name, OID_PLATFORM_MODEL, platform->model) &&
	       add_name_part(name, OID_PLATFORM_VERSION, platform->version);
}

/*
 * Which TPM it is. Not critical, which only an empty subject would demand: verifiers that do not
 * know directory names in there (Go's crypto/x509 is one) have to refuse what is.
 */
static bool add_tpm_name(X509 *certificate, const struct ca_certificate_request *request)
{
	const struct ca_tpm_identity *tpm = &request->tpm;
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *general = GENERAL_NAME_new();
	X509_NAME *name = X509_NAME_new();
	bool ok = names && general && name &&
		  add_name_part(name, OID_TPM_MANUFACTURER, tpm->manufacturer) &&
		  add_name_part(name, OID_TPM_MODEL, tpm->model) &&
		  add_name_part(name, OID_TPM_VERSION, tpm->version) &&
		  (request->role != CA_KEY_PLATFORM ||
		   add_platform_name(name, &request->platform)) &&
		  sk_GENERAL_NAME_push(names, general) > 0;

	if (!ok) {
		X509_NAME_free(name);
		GENERAL_NAME_free(general);
		GENERAL_NAMES_free(names);
		return false;
	}
	GENERAL_NAME_set0_value(general, GEN_DIRNAME, name);
	ok = X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) == 1;
	GENERAL_NAMES_free(names);
	return ok;
}

static bool add_specification(X509 *certificate)
{
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension = NULL;
	bool ok = value && ASN1_OCTET_STRING_set(value, directory_attributes,
						 sizeof(directory_attributes)) == 1;

	if (ok)
		extension = X509_EXTENSION_create_by_NID(NULL, NID_subject_directory_attributes, 0,
							 value);
	ok = extension && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(value);
	return ok;
}

/* The keyUsage of a key; NULL for a type of key that is not supported. */
static const char *key_usage(enum ca_key_role role, const EVP_PKEY *key)
{
	int type = EVP_PKEY_get_base_id(key);

	if (type != EVP_PKEY_RSA && type != EVP_PKEY_EC)
		return NULL;
	if (role == CA_KEY_AK)
		return "critical,digitalSignature";
	return type == EVP_PKEY_RSA ? "critical,keyEncipherment" : "critical,keyAgreement";
}

static bool fill_leaf(X509 *leaf, const struct ca_certificate_request *request, X509 *issuer)
{
	const char *usage = key_usage(request->role, request->key);

	return usage &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(leaf), request->serial) == 1 &&
	       X509_set_issuer_name(leaf, X509_get_subject_name(issuer)) == 1 &&
	       set_subject(leaf, request) &&
	       add_extension(leaf, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(leaf, issuer, NID_key_usage, usage) &&
	       add_extension(leaf, issuer, NID_ext_key_usage, roles[request->role].purpose) &&
	       add_extension(leaf, issuer, NID_authority_key_identifier, "keyid:always") &&
	       add_tpm_name(leaf, request) && add_specification(leaf);
}

X509 *ca_certificate_issue(const struct ca_certificate_request *request, X509 *issuer,
			   EVP_PKEY *issuer_key)
{
	X509 *leaf = begin(request->key, issuer, request->days);

	if (!leaf ||
	    (fill_leaf(leaf, request, issuer) && X509_sign(leaf, issuer_key, EVP_sha384()) > 0))
		return leaf;
	X509_free(leaf);
	return NULL;
}
