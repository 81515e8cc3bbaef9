/* SPDX-License-Identifier: MIT */
/*
 * The certificates above an attestation report: ARK -> ASK -> VCEK, whose key is the chip's, or
 * ARK -> ASVK -> VLEK, whose key is the cloud's (AMD 57230, VCEK certificate and KDS interface
 * specification), and the signature that the last of them made.
 *
 * Every check returns NULL, or what is wrong as a constant string.
 */
#ifndef SOCLE_CORE_EVIDENCE_HOST_AMD_CHAIN_H
#define SOCLE_CORE_EVIDENCE_HOST_AMD_CHAIN_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <time.h>

#include "core/snp/report.h"

struct amd_chain {
	X509 *ark;
	X509 *issuer;		     /* the ASK or the ASVK */
	X509 *signer;		     /* the VCEK or the VLEK */
	enum report_signing_key key; /* what the signer is taken for, and judged as */
};

#define AMD_CSP_ID_MAX 64u

/* What the extensions of a VCEK or VLEK say (1.3.6.1.4.1.3704.1). */
struct amd_signer_info {
	char product_name[32];
	enum report_product product;
	struct report_tcb tcb;
	uint8_t hwid[PSP_CHIP_ID_SIZE];	 /* of a VCEK; padded with zeros as CHIP_ID is */
	char csp_id[AMD_CSP_ID_MAX + 1]; /* of a VLEK: the cloud that it was given to */
};

/*
 * One certificate from PEM or DER bytes, the first of several in PEM; NULL when it cannot be read.
 * Its key is certificate_key() (certificate.h), as with the next.
 */
X509 *amd_chain_read_certificate(const void *data, size_t size);

/* Which certificate of a chain. */
enum amd_chain_place { AMD_CHAIN_ARK, AMD_CHAIN_ISSUER, AMD_CHAIN_SIGNER };

/*
 * The certificate for this place out of PEM or DER bytes. A file with several of PEM, as AMD's
 * cert_chain, may have them in any order: then it is the one that is self-issued (the ARK), else a
 * CA's and of this kind by its name (ASK or ASVK), else no CA's. The only one of a file is taken as
 * it is; amd_chain_error() judges it. NULL when nothing can be read, or not exactly one fits.
 */
X509 *amd_chain_pick_certificate(const void *data, size_t size, enum amd_chain_place place,
				 enum report_signing_key key);

void amd_chain_free(struct amd_chain *chain);

/*
 * Emulated certificates bear AMD's names, so that other verifiers can judge what is below them, and
 * marks besides: each a serialNumber in its subject, and ARK and ASK an extension, not critical, of
 * this number (in the arc that RFC 5612 keeps for examples). A VCEK cannot have it: go-sev-guest
 * takes no extension there that is not AMD's. No certificate of AMD's has any of it.
 */
#define AMD_CHAIN_EMULATED_NAME "EMULATED"
#define AMD_CHAIN_EMULATED_OID "1.3.6.1.4.1.32473.1"

/*
 * True when the root is none of AMD's, or any certificate has any mark: its evidence proves nothing
 * about any hardware.
 */
bool amd_chain_is_emulated(const struct amd_chain *chain);

/*
 * The root is one of AMD's, by its public key, and nothing below it has a mark; or, if asked for,
 * another one, and the certificates have all the marks. Whose such a root is, is for the caller to
 * know.
 */
const char *amd_chain_root_error(const struct amd_chain *chain, bool trust_emulated);

/* The root is one of AMD's, by its public key; nothing below it is looked at. */
const char *amd_chain_known_root_error(const X509 *ark);

/* As amd_chain_error(), of root and issuer alone: there need be no signer. */
const char *amd_chain_authorities_error(const struct amd_chain *chain, time_t at);

/*
 * The root signed itself and the issuer, the issuer signed the signer, and they are three;
 * names, dates (at that time), CA flags and critical extensions fit, for the kind of key.
 */
const char *amd_chain_error(const struct amd_chain *chain, time_t at);

/* The two parts of it: what stays as it is, and what time changes. */
const char *amd_chain_links_error(const struct amd_chain *chain);
const char *amd_chain_dates_error(const struct amd_chain *chain, time_t at);

/* Reads the extensions of the signer, which must be those of its kind. */
const char *amd_chain_signer_info(const struct amd_chain *chain, struct amd_signer_info *info);

/* ECDSA P-384 with SHA-384 by the signer over the signed part of the report. */
const char *amd_chain_signature_error(const struct amd_chain *chain,
				      const struct psp_report *report);

#endif
