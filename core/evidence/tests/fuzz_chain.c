/* SPDX-License-Identifier: MIT */
/*
 * Whatever somebody calls certificates: those of a chain of AMD's, in DER or PEM and in any order,
 * that of an endorsement key, and authorities above one. What is read is read once more from what
 * OpenSSL writes of it, and what it says keeps to its bounds. The bits of the first
 * byte say whether the rest is what is read, or pieces that are made PEM before; and whether
 * signatures and keys are judged, too, which takes far longer.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/tests/fuzz_hold.h"
#include "core/evidence/host/amd_certificates.h"
#include "core/evidence/host/amd_chain.h"
#include "core/evidence/host/certificate.h"
#include "core/evidence/host/ek_certificate.h"
#include "core/evidence/host/public_key.h"
#include "core/evidence/tests/fuzz_pem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Midday of 1 January 2027, when the corpus' certificates are valid. */
#define NOW 1798804800

/* Bits of the first byte. */
#define IN_PIECES 1u
#define JUDGED 2u

/* The same certificate, of the bytes of this one. */
static void read_again(X509 *certificate)
{
	unsigned char *der = NULL;
	int size = i2d_X509(certificate, &der);
	X509 *again = size > 0 ? amd_chain_read_certificate(der, (size_t)size) : NULL;

	hold(again && X509_cmp(again, certificate) == 0, "a certificate that is not read twice");
	X509_free(again);
	OPENSSL_free(der);
}

static void judge_key(const X509 *certificate)
{
	EVP_PKEY *key = certificate_key(certificate);

	if (key)
		public_key_error(key);
}

static void judge_signer(const struct amd_chain *chain)
{
	struct amd_signer_info info;

	if (amd_chain_signer_info(chain, &info))
		return;
	hold(strnlen(info.product_name, sizeof(info.product_name)) < sizeof(info.product_name) &&
		     strnlen(info.csp_id, sizeof(info.csp_id)) < sizeof(info.csp_id),
	     "a name without an end");
	hold((chain->key == REPORT_KEY_VLEK) == (info.csp_id[0] != '\0'), "whose key it is");
}

static void judge(const struct amd_chain *chain)
{
	static const struct psp_report report;

	hold(!amd_chain_known_root_error(chain->ark) || amd_chain_is_emulated(chain),
	     "another's root that is taken for AMD's");
	hold(!amd_chain_error(chain, NOW) <= !amd_chain_authorities_error(chain, NOW),
	     "a chain below no authorities");
	hold(amd_chain_signature_error(chain, &report) != NULL, "a signature of zeros");
}

/* As files and tables are read: of all that is there, what fits each place. */
static void read_chain(const uint8_t *data, size_t size, enum report_signing_key key, bool judged)
{
	struct amd_chain chain = {
		.key = key,
		.ark = amd_chain_pick_certificate(data, size, AMD_CHAIN_ARK, key),
		.issuer = amd_chain_pick_certificate(data, size, AMD_CHAIN_ISSUER, key),
		.signer = amd_chain_pick_certificate(data, size, AMD_CHAIN_SIGNER, key),
	};

	if (chain.signer)
		read_again(chain.signer);
	amd_certificates_fill(&chain);
	if (chain.signer)
		judge_signer(&chain);
	if (chain.ark && chain.issuer && chain.signer) {
		amd_chain_root_error(&chain, true);
		amd_chain_dates_error(&chain, NOW);
		if (judged)
			judge(&chain);
	}
	amd_chain_free(&chain);
}

static void read_one(const uint8_t *data, size_t size, bool judged)
{
	X509 *certificate = amd_chain_read_certificate(data, size);

	if (certificate) {
		read_again(certificate);
		if (judged)
			judge_key(certificate);
	}
	X509_free(certificate);
}

static void read_endorsed(const uint8_t *data, size_t size)
{
	X509 *certificate = ek_certificate_read(data, size);
	STACK_OF(X509) *ca = ek_certificate_read_ca(data, size);

	hold(!certificate || ca, "a certificate, and none among all");
	if (certificate)
		ek_certificate_error(certificate, ca, NOW);
	X509_free(certificate);
	sk_X509_pop_free(ca, X509_free);
}

static void read_all(const uint8_t *data, size_t size, bool judged)
{
	read_one(data, size, judged);
	read_chain(data, size, REPORT_KEY_VCEK, judged);
	read_chain(data, size, REPORT_KEY_VLEK, judged);
	read_endorsed(data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t pem_size;
	char *pem;

	if (size == 0)
		return 0;
	if (data[0] & IN_PIECES) {
		pem = fuzz_pem(data + 1, size - 1, &pem_size);
		read_all((const uint8_t *)pem, pem_size, data[0] & JUDGED);
		free(pem);
	} else {
		read_all(data + 1, size - 1, data[0] & JUDGED);
	}
	return 0;
}
