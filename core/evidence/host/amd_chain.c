/* SPDX-License-Identifier: MIT */
#include "core/evidence/host/amd_chain.h"

#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/evidence/host/amd_certificates.h"
#include "core/evidence/host/certificate.h"
#include "core/evidence/host/public_key.h"

/* AMD 57230, certificate extensions. */
#define OID_AMD "1.3.6.1.4.1.3704.1"
#define OID_PRODUCT_NAME OID_AMD ".2"
#define OID_SPL OID_AMD ".3"
#define OID_HWID OID_AMD ".4"
#define OID_CSP_ID OID_AMD ".5"

/* SHA-256 of the SubjectPublicKeyInfo of AMD's root keys. */
static const uint8_t amd_roots[][32] = {
	/* ARK-Milan */
	{ 0x9f, 0x05, 0x6b, 0xee, 0x44, 0x37, 0x7e, 0x29, 0x30, 0x8c, 0xb5,
	  0xff, 0xa8, 0x95, 0xbd, 0xfb, 0x62, 0xd1, 0x88, 0x81, 0xfa, 0x6b,
	  0xed, 0x8d, 0x6f, 0x07, 0x5b, 0x02, 0x04, 0x08, 0x9c, 0xb9 },
	/* ARK-Genoa */
	{ 0x42, 0x9a, 0x69, 0xc9, 0x42, 0x2a, 0xa2, 0x58, 0xee, 0x4d, 0x8d,
	  0xb5, 0xfc, 0xda, 0x9c, 0x64, 0x70, 0xef, 0x15, 0xf8, 0xcd, 0x5a,
	  0x9c, 0xeb, 0xd6, 0xcb, 0xc7, 0xd9, 0x0b, 0x86, 0x38, 0x31 },
	/* ARK-Turin */
	{ 0x4f, 0x12, 0x54, 0x10, 0x56, 0x3a, 0x2a, 0xb9, 0xa5, 0x03, 0x56,
	  0xf9, 0x24, 0x3f, 0x6f, 0xe0, 0xb6, 0xf7, 0x3d, 0xe9, 0x86, 0x03,
	  0xf5, 0x3f, 0x90, 0x33, 0x9c, 0x70, 0xe9, 0xd7, 0xad, 0x08 },
};

X509 *amd_chain_read_certificate(const void *data, size_t size)
{
	X509 *certificate;
	BIO *bio;

	ERR_set_mark();
	certificate = certificate_read_der(data, size);
	bio = certificate ? NULL : BIO_new_mem_buf(data, (int)size);
	if (bio)
		certificate = certificate_read_pem(bio);
	BIO_free(bio);
	ERR_pop_to_mark();
	return certificate;
}

/* Whether the common name starts with these words. */
static bool is_named(const X509 *certificate, const char *words)
{
	char name[64];
	int length = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
					       name, sizeof(name));

	return length > 0 && strncmp(name, words, strlen(words)) == 0;
}

static bool fits(X509 *certificate, enum amd_chain_place place, enum report_signing_key key)
{
	bool self_issued = X509_NAME_cmp(X509_get_issuer_name(certificate),
					 X509_get_subject_name(certificate)) == 0;
	bool ca = X509_check_ca(certificate) == 1;

	switch (place) {
	case AMD_CHAIN_ARK:
		return self_issued;
	case AMD_CHAIN_ISSUER:
		return !self_issued && ca &&
		       is_named(certificate, "SEV-VLEK") == (key == REPORT_KEY_VLEK);
	default:
		return !ca;
	}
}

/* All certificates of PEM text; the caller frees them. NULL when memory is short. */
static STACK_OF(X509) * read_all(const void *data, size_t size)
{
	STACK_OF(X509) *all = sk_X509_new_null();
	BIO *bio = BIO_new_mem_buf(data, (int)size);
	X509 *certificate;

	while (all && bio && (certificate = certificate_read_pem(bio))) {
		if (sk_X509_push(all, certificate) <= 0)
			X509_free(certificate);
	}
	BIO_free(bio);
	return all;
}

/* Of several the one that fits; the only one as it is. */
static X509 *pick(const STACK_OF(X509) * all, enum amd_chain_place place,
		  enum report_signing_key key)
{
	X509 *found = NULL;
	int count = 0;

	for (int i = 0; i < sk_X509_num(all); i++) {
		X509 *one = sk_X509_value(all, i);

		if (sk_X509_num(all) == 1 || fits(one, place, key)) {
			found = one;
			count++;
		}
	}
	return count == 1 && X509_up_ref(found) == 1 ? found : NULL;
}

X509 *amd_chain_pick_certificate(const void *data, size_t size, enum amd_chain_place place,
				 enum report_signing_key key)
{
	STACK_OF(X509) * all;
	X509 *found;

	ERR_set_mark(); /* the end of PEM text is an error to OpenSSL */
	found = certificate_read_der(data, size);
	if (!found) {
		all = read_all(data, size);
		found = pick(all, place, key);
		sk_X509_pop_free(all, X509_free);
	}
	ERR_pop_to_mark();
	return found;
}

void amd_chain_free(struct amd_chain *chain)
{
	X509_free(chain->ark);
	X509_free(chain->issuer);
	X509_free(chain->signer);
	*chain = (struct amd_chain){ 0 };
}

/* The subject says it: any serialNumber of it. */
static bool is_named_emulated(const X509 *certificate)
{
	const X509_NAME *name = X509_get_subject_name(certificate);
	int at = -1;

	while ((at = X509_NAME_get_index_by_NID((X509_NAME *)name, NID_serialNumber, at)) >= 0) {
		const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));

		if (ASN1_STRING_length(text) == (int)strlen(AMD_CHAIN_EMULATED_NAME) &&
		    memcmp(ASN1_STRING_get0_data(text), AMD_CHAIN_EMULATED_NAME,
			   strlen(AMD_CHAIN_EMULATED_NAME)) == 0)
			return true;
	}
	return false;
}

static bool has_extension(const X509 *certificate, const char *oid)
{
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	bool found = object && X509_get_ext_by_OBJ(certificate, object, -1) >= 0;

	ASN1_OBJECT_free(object);
	return found;
}

/* Whether any certificate has any mark. */
static bool is_marked(const struct amd_chain *chain)
{
	const X509 *const certificates[] = { chain->ark, chain->issuer, chain->signer };

	for (size_t i = 0; i < sizeof(certificates) / sizeof(certificates[0]); i++) {
		if (is_named_emulated(certificates[i]) ||
		    has_extension(certificates[i], AMD_CHAIN_EMULATED_OID))
			return true;
	}
	return false;
}

static bool is_marked_wholly(const struct amd_chain *chain)
{
	return is_named_emulated(chain->ark) && is_named_emulated(chain->issuer) &&
	       is_named_emulated(chain->signer) &&
	       has_extension(chain->ark, AMD_CHAIN_EMULATED_OID) &&
	       has_extension(chain->issuer, AMD_CHAIN_EMULATED_OID);
}

static bool is_amd_root(const X509 *ark)
{
	unsigned char *spki = NULL;
	uint8_t digest[32];
	int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(ark), &spki);
	bool ok = size > 0 && EVP_Digest(spki, (size_t)size, digest, NULL, EVP_sha256(), NULL) == 1;

	OPENSSL_free(spki);
	for (size_t i = 0; ok && i < sizeof(amd_roots) / sizeof(amd_roots[0]); i++) {
		if (memcmp(digest, amd_roots[i], sizeof(digest)) == 0)
			return true;
	}
	return false;
}

const char *amd_chain_known_root_error(const X509 *ark)
{
	return is_amd_root(ark) ? NULL : "the root is not one of AMD's";
}

bool amd_chain_is_emulated(const struct amd_chain *chain)
{
	return is_marked(chain) || !is_amd_root(chain->ark);
}

const char *amd_chain_root_error(const struct amd_chain *chain, bool trust_emulated)
{
	bool marked = is_marked(chain);

	if (is_amd_root(chain->ark))
		return marked ? "a certificate below a root of AMD's says that it is emulated"
			      : NULL;
	if (!trust_emulated)
		return marked ? "the chain is an emulated one (--trust-emulated accepts it)"
			      : "the root is not one of AMD's";
	return is_marked_wholly(chain) ? NULL
				       : "the root is not one of AMD's, and its certificates do "
					 "not all say, by both marks, that they are emulated";
}

/* A critical extension that we do not know makes a certificate unusable (RFC 5280, 4.2). */
static bool has_unknown_critical(const X509 *certificate)
{
	for (int i = 0; i < X509_get_ext_count(certificate); i++) {
		X509_EXTENSION *extension = X509_get_ext(certificate, i);
		int kind = OBJ_obj2nid(X509_EXTENSION_get_object(extension));

		if (X509_EXTENSION_get_critical(extension) && kind != NID_basic_constraints &&
		    kind != NID_key_usage)
			return true;
	}
	return false;
}

static const char *dates_error(const X509 *certificate, time_t at)
{
	if (X509_cmp_time(X509_get0_notBefore(certificate), &at) >= 0)
		return "a certificate is not valid yet";
	if (X509_cmp_time(X509_get0_notAfter(certificate), &at) <= 0)
		return "a certificate has expired (--at judges at another time)";
	return NULL;
}

/*
 * AMD's authorities have RSA keys of 4096 bits and sign with RSASSA-PSS and SHA-384 (57230). Those
 * that are built in are known to be so (tests/amd_certificates_test.c), and looking at a modulus
 * takes long.
 */
static const char *authority_error(const X509 *certificate)
{
	EVP_PKEY *key = certificate_key(certificate);
	const char *error = amd_certificates_known(certificate) ? NULL : public_key_error(key);

	if (!error && (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_get_bits(key) != 4096))
		error = "a certificate above the signer is not of RSA with 4096 bits";
	return error;
}

static bool signed_as_amd_does(X509 *certificate)
{
	int digest, kind;

	return X509_get_signature_info(certificate, &digest, &kind, NULL, NULL) == 1 &&
	       digest == NID_sha384 && kind == EVP_PKEY_RSA_PSS;
}

static const char *link_error(X509 *issuer, X509 *subject, bool issued_is_ca)
{
	if (X509_NAME_cmp(X509_get_issuer_name(subject), X509_get_subject_name(issuer)))
		return "a certificate was issued under another name than its issuer's";
	if (X509_verify(subject, certificate_key(issuer)) != 1)
		return "a certificate's signature is wrong";
	if (!signed_as_amd_does(subject))
		return "a certificate is not signed with RSASSA-PSS and SHA-384";
	if (has_unknown_critical(subject))
		return "a certificate has a critical extension that is not known";
	if ((X509_check_ca(subject) == 1) != issued_is_ca)
		return issued_is_ca ? "a certificate above the signer is not a CA's"
				    : "the signer claims to be a CA";
	return NULL;
}

/* The names differ by kind: SEV-Milan and SEV-VCEK, SEV-VLEK-Milan and SEV-VLEK (57230). */
static const char *roles_error(const struct amd_chain *chain)
{
	bool vlek = chain->key == REPORT_KEY_VLEK;

	if (is_named(chain->issuer, "SEV-VLEK") != vlek)
		return vlek ? "the issuer is no ASVK, whose name starts with SEV-VLEK"
			    : "the issuer is an ASVK, which issues no VCEK";
	if (!is_named(chain->signer, vlek ? "SEV-VLEK" : "SEV-VCEK"))
		return vlek ? "the signer is no VLEK by its name"
			    : "the signer is no VCEK by its name";
	return NULL;
}

static const char *authorities_links_error(const struct amd_chain *chain)
{
	const char *error;

	/* What is built in is known to hold, in threes (tests/amd_certificates_test.c). */
	if (amd_certificates_pair(chain->ark, chain->issuer))
		return NULL;
	error = link_error(chain->ark, chain->ark, true);
	if (!error && EVP_PKEY_eq(certificate_key(chain->ark), certificate_key(chain->issuer)) == 1)
		error = "the root stands in its ASK's place";
	if (!error)
		error = authority_error(chain->ark);
	if (!error)
		error = authority_error(chain->issuer);
	return error ? error : link_error(chain->ark, chain->issuer, true);
}

static const char *authorities_dates_error(const struct amd_chain *chain, time_t at)
{
	const char *error = dates_error(chain->ark, at);

	return error ? error : dates_error(chain->issuer, at);
}

const char *amd_chain_authorities_error(const struct amd_chain *chain, time_t at)
{
	const char *error = authorities_links_error(chain);

	return error ? error : authorities_dates_error(chain, at);
}

const char *amd_chain_dates_error(const struct amd_chain *chain, time_t at)
{
	const char *error = authorities_dates_error(chain, at);

	return error ? error : dates_error(chain->signer, at);
}

const char *amd_chain_links_error(const struct amd_chain *chain)
{
	const char *error = authorities_links_error(chain);

	if (!error)
		error = public_key_error(certificate_key(chain->signer));
	if (!error)
		error = link_error(chain->issuer, chain->signer, false);
	return error ? error : roles_error(chain);
}

const char *amd_chain_error(const struct amd_chain *chain, time_t at)
{
	const char *error = amd_chain_links_error(chain);

	return error ? error : amd_chain_dates_error(chain, at);
}

/* The bytes of an extension, in place; NULL when there is not exactly one. */
static const ASN1_OCTET_STRING *find_extension(const X509 *certificate, const char *oid)
{
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	int at = X509_get_ext_by_OBJ(certificate, object, -1);
	bool twice = at >= 0 && X509_get_ext_by_OBJ(certificate, object, at) >= 0;

	ASN1_OBJECT_free(object);
	if (at < 0 || twice)
		return NULL;
	return X509_EXTENSION_get_data(X509_get_ext(certificate, at));
}

static struct bytes_reader extension_reader(const X509 *certificate, const char *oid)
{
	const ASN1_OCTET_STRING *data = find_extension(certificate, oid);

	if (!data)
		return bytes_reader_init(NULL, 0);
	return bytes_reader_init(ASN1_STRING_get0_data(data), (size_t)ASN1_STRING_length(data));
}

/* A one-byte DER INTEGER; 128 and above take a leading zero. */
static bool extension_spl(const X509 *certificate, const char *oid, uint8_t *value)
{
	struct bytes_reader r = extension_reader(certificate, oid);
	uint8_t tag = bytes_u8(&r), length = bytes_u8(&r), first = bytes_u8(&r);

	*value = first;
	if (length == 2)
		*value = bytes_u8(&r);
	return tag == V_ASN1_INTEGER && bytes_complete(&r) &&
	       ((length == 1 && first < 0x80) || (length == 2 && first == 0 && *value >= 0x80));
}

/* What is shown to people and written as JSON, and no NUL that would end it early. */
static bool is_printable(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] < ' ' || text[i] > '~')
			return false;
	}
	return true;
}

/* An IA5STRING of one byte's length. */
static bool extension_text(const X509 *certificate, const char *oid, char *text, size_t capacity)
{
	struct bytes_reader r = extension_reader(certificate, oid);
	uint8_t tag = bytes_u8(&r), length = bytes_u8(&r);

	if (tag != V_ASN1_IA5STRING || length >= capacity)
		return false;
	bytes_copy(&r, text, length);
	text[length] = '\0';
	if (bytes_complete(&r) && is_printable(text, length))
		return true;
	text[0] = '\0';
	return false;
}

/* The chip's id, bare or as an OCTET STRING, as long as the product has it. */
static bool extension_hwid(const X509 *certificate, size_t size, uint8_t hwid[PSP_CHIP_ID_SIZE])
{
	struct bytes_reader r = extension_reader(certificate, OID_HWID);

	memset(hwid, 0, PSP_CHIP_ID_SIZE);
	if (bytes_left(&r) == size + 2 &&
	    (bytes_u8(&r) != V_ASN1_OCTET_STRING || bytes_u8(&r) != size))
		return false;
	return bytes_copy(&r, hwid, size) && bytes_complete(&r);
}

/* Only the parts that the product's TCB_VERSION has; a certificate may have more. */
static const char *read_levels(const X509 *signer, struct amd_signer_info *info)
{
	struct report_tcb all = report_tcb(UINT64_MAX, info->product);
	const struct {
		const char *oid;
		bool wanted;
		uint8_t *level;
	} levels[] = {
		{ OID_SPL ".1", all.bootloader, &info->tcb.bootloader },
		{ OID_SPL ".2", all.tee, &info->tcb.tee },
		{ OID_SPL ".3", all.snp, &info->tcb.snp },
		{ OID_SPL ".8", all.microcode, &info->tcb.microcode },
		{ OID_SPL ".9", all.fmc, &info->tcb.fmc },
	};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (levels[i].wanted && !extension_spl(signer, levels[i].oid, levels[i].level))
			return "a security patch level is missing or malformed";
	}
	return NULL;
}

/* A VCEK belongs to a chip, a VLEK to a cloud; neither may have the other's extension. */
static const char *read_owner(const struct amd_chain *chain, struct amd_signer_info *info)
{
	bool hwid = has_extension(chain->signer, OID_HWID);
	bool csp = has_extension(chain->signer, OID_CSP_ID);

	if (chain->key == REPORT_KEY_VLEK) {
		if (hwid)
			return "the VLEK has a chip id: it is a VCEK";
		return extension_text(chain->signer, OID_CSP_ID, info->csp_id,
				      sizeof(info->csp_id)) &&
				       info->csp_id[0]
			       ? NULL
			       : "the VLEK's CSP id is missing or malformed";
	}
	if (csp)
		return "the VCEK has a CSP id: it is a VLEK";
	return extension_hwid(chain->signer, report_chip_id_size(info->product), info->hwid)
		       ? NULL
		       : "the VCEK's chip id is missing or malformed";
}

const char *amd_chain_signer_info(const struct amd_chain *chain, struct amd_signer_info *info)
{
	const char *error;

	*info = (struct amd_signer_info){ 0 };
	if (!extension_text(chain->signer, OID_PRODUCT_NAME, info->product_name,
			    sizeof(info->product_name)))
		return "the certificate names no product";
	info->product = report_product_named(info->product_name);
	if (info->product == REPORT_PRODUCT_UNKNOWN)
		return "the certificate names a product that is not known";
	error = read_levels(chain->signer, info);
	return error ? error : read_owner(chain, info);
}

static ECDSA_SIG *report_signature(const struct psp_report *report)
{
	ECDSA_SIG *signature = ECDSA_SIG_new();
	BIGNUM *r = BN_lebin2bn(report->signature_r, sizeof(report->signature_r), NULL);
	BIGNUM *s = BN_lebin2bn(report->signature_s, sizeof(report->signature_s), NULL);

	if (signature && r && s && ECDSA_SIG_set0(signature, r, s) == 1)
		return signature;
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(signature);
	return NULL;
}

static bool is_p384(const EVP_PKEY *key)
{
	char group[32];
	size_t length;

	return key && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
	       EVP_PKEY_get_group_name(key, group, sizeof(group), &length) == 1 &&
	       strcmp(group, "secp384r1") == 0;
}

const char *amd_chain_signature_error(const struct amd_chain *chain,
				      const struct psp_report *report)
{
	EVP_PKEY *key = certificate_key(chain->signer);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	ECDSA_SIG *signature = report_signature(report);
	unsigned char *der = NULL;
	int size = signature ? i2d_ECDSA_SIG(signature, &der) : 0;
	bool ok = context && size > 0 && is_p384(key) &&
		  EVP_DigestVerifyInit(context, NULL, EVP_sha384(), NULL, key) == 1 &&
		  EVP_DigestVerify(context, der, (size_t)size, (const unsigned char *)report,
				   PSP_REPORT_SIGNED_SIZE) == 1;

	OPENSSL_free(der);
	ECDSA_SIG_free(signature);
	EVP_MD_CTX_free(context);
	if (ok)
		return NULL;
	if (report->key_info & PSP_KEY_INFO_MASK_CHIP_KEY)
		return "the host masks the chip's key: the report is not signed";
	return chain->key == REPORT_KEY_VLEK ? "the report's signature is not by this VLEK"
					     : "the report's signature is not by this VCEK";
}
