/* SPDX-License-Identifier: MIT */
#include "core/evidence/host/amd_crl.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "core/evidence/host/certificate.h"

static const char *add(STACK_OF(X509_CRL) * *lists, X509_CRL *list)
{
	if (!*lists)
		*lists = sk_X509_CRL_new_null();
	if (*lists && sk_X509_CRL_num(*lists) < (int)AMD_CRLS_MAX &&
	    sk_X509_CRL_push(*lists, list) > 0)
		return NULL;
	X509_CRL_free(list);
	return "too many revocation lists";
}

/* What is between lists is not looked at, but nothing that calls itself one is passed over. */
static const char *read_pem(STACK_OF(X509_CRL) * *lists, BIO *bio)
{
	const char *error = NULL;
	int count = 0;

	while (!error) {
		X509_CRL *list = PEM_read_bio_X509_CRL(bio, NULL, NULL, "");

		if (!list)
			break;
		error = add(lists, list);
		count++;
	}
	if (error)
		return error;
	/* The end of the text is an error to OpenSSL. */
	if (count && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
		return NULL;
	return "no revocation list in PEM or DER";
}

static const char *read_lists(STACK_OF(X509_CRL) * *lists, const void *data, size_t size)
{
	const unsigned char *at = data;
	X509_CRL *list = d2i_X509_CRL(NULL, &at, (long)size);
	const char *error;
	BIO *bio;

	if (list && at == (const unsigned char *)data + size)
		return add(lists, list);
	X509_CRL_free(list);
	bio = BIO_new_mem_buf(data, (int)size);
	error = bio ? read_pem(lists, bio) : "out of memory";
	BIO_free(bio);
	return error;
}

const char *amd_crl_read(STACK_OF(X509_CRL) * *lists, const void *data, size_t size)
{
	const char *error;

	ERR_set_mark();
	error = read_lists(lists, data, size);
	ERR_pop_to_mark();
	return error;
}

/*
 * Parts of a list (RFC 5280, 5.2.5) do not tell about the rest; a list for other issuers is whole.
 */
static bool is_whole(const X509_CRL *list)
{
	ISSUING_DIST_POINT *point = X509_CRL_get_ext_d2i(list, NID_issuing_distribution_point, NULL,
							 NULL);
	bool whole = point && point->onlyuser <= 0 && point->onlyCA <= 0 && point->onlyattr <= 0 &&
		     !point->onlysomereasons;

	ISSUING_DIST_POINT_free(point);
	return whole;
}

static const char *list_extensions_error(const X509_CRL *list)
{
	for (int i = 0; i < X509_CRL_get_ext_count(list); i++) {
		X509_EXTENSION *extension = X509_CRL_get_ext(list, i);

		if (!X509_EXTENSION_get_critical(extension))
			continue;
		if (OBJ_obj2nid(X509_EXTENSION_get_object(extension)) !=
		    NID_issuing_distribution_point)
			return "a revocation list has a critical extension that is not known";
		if (!is_whole(list))
			return "a revocation list is only for some certificates or reasons";
	}
	return NULL;
}

static const char *entry_extensions_error(X509_CRL *list)
{
	STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(list);

	for (int i = 0; i < sk_X509_REVOKED_num(entries); i++) {
		X509_REVOKED *entry = sk_X509_REVOKED_value(entries, i);

		for (int k = 0; k < X509_REVOKED_get_ext_count(entry); k++) {
			X509_EXTENSION *extension = X509_REVOKED_get_ext(entry, k);
			int kind = OBJ_obj2nid(X509_EXTENSION_get_object(extension));

			if (X509_EXTENSION_get_critical(extension) &&
			    kind != NID_certificate_issuer && kind != NID_crl_reason)
				return "an entry of a revocation list has a critical extension "
				       "that is not known";
		}
	}
	return NULL;
}

static const char *dates_error(const X509_CRL *list, time_t at)
{
	const ASN1_TIME *next = X509_CRL_get0_nextUpdate(list);

	if (X509_cmp_time(X509_CRL_get0_lastUpdate(list), &at) >= 0)
		return "a revocation list is not in force yet";
	if (!next)
		return "a revocation list does not say when the next one was due";
	if (X509_cmp_time(next, &at) <= 0)
		return "a revocation list is out of date: its next one was due";
	return NULL;
}

/* RSASSA-PSS with SHA-384, as all of AMD's. X509_get_signature_info() has no like for lists. */
static bool is_amd_algorithm(const X509_CRL *list)
{
	const X509_ALGOR *algorithm;
	const ASN1_OBJECT *object;
	RSA_PSS_PARAMS *parameters;
	const void *value;
	bool ok;
	int type;

	X509_CRL_get0_signature(list, NULL, &algorithm);
	X509_ALGOR_get0(&object, &type, &value, algorithm);
	if (OBJ_obj2nid(object) != NID_rsassaPss || type != V_ASN1_SEQUENCE)
		return false;
	parameters = ASN1_item_unpack(value, ASN1_ITEM_rptr(RSA_PSS_PARAMS));
	ok = parameters && parameters->hashAlgorithm &&
	     OBJ_obj2nid(parameters->hashAlgorithm->algorithm) == NID_sha384;
	RSA_PSS_PARAMS_free(parameters);
	return ok;
}

const char *amd_crl_list_error(const X509 *root, X509_CRL *list, time_t at)
{
	const char *error;

	if (X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(root)) != 0)
		return "a revocation list is not by the chain's root";
	if (X509_CRL_verify(list, certificate_key(root)) != 1)
		return "a revocation list's signature is not by the root";
	if (!is_amd_algorithm(list))
		return "a revocation list is not signed with RSASSA-PSS and SHA-384";
	error = dates_error(list, at);
	if (!error)
		error = list_extensions_error(list);
	return error ? error : entry_extensions_error(list);
}

static const char *list_error(const struct amd_chain *chain, X509_CRL *list, time_t at)
{
	X509 *const certificates[] = { chain->ark, chain->issuer, chain->signer };
	const char *error = amd_crl_list_error(chain->ark, list, at);

	for (size_t i = 0; !error && i < sizeof(certificates) / sizeof(certificates[0]); i++) {
		X509_REVOKED *entry;

		if (X509_CRL_get0_by_cert(list, &entry, certificates[i]) != 0)
			error = "a certificate of the chain is revoked";
	}
	return error;
}

const char *amd_crl_error(const struct amd_chain *chain, STACK_OF(X509_CRL) * lists, time_t at)
{
	const X509_NAME *root = X509_get_subject_name(chain->ark);
	const char *error = NULL;
	int count = 0;

	for (int i = 0; !error && i < sk_X509_CRL_num(lists); i++) {
		X509_CRL *list = sk_X509_CRL_value(lists, i);

		if (X509_NAME_cmp(X509_CRL_get_issuer(list), root) != 0)
			continue;
		error = list_error(chain, list, at);
		count++;
	}
	if (!error && count == 0)
		error = "no revocation list is by the chain's root";
	return error;
}
