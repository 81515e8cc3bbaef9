/* SPDX-License-Identifier: MIT */
/*
 * The certificates above an attestation report: ARK -> ASK -> VCEK (AMD 57230, VCEK certificate
 * and KDS interface specification), and the signature that the last of them made.
 *
 * Every check returns NULL, or what is wrong as a constant string.
 */
#ifndef SOCLE_CORE_HOST_AMD_CHAIN_H
#define SOCLE_CORE_HOST_AMD_CHAIN_H

#include <openssl/x509.h>
#include <stdbool.h>

#include "core/report.h"

struct amd_chain {
	X509 *ark, *ask, *vcek;
};

/* What the extensions of a VCEK say (1.3.6.1.4.1.3704.1). */
struct amd_vcek_info {
	char product[32];
	enum report_tcb_layout layout;
	struct report_tcb tcb;
	uint8_t hwid[PSP_CHIP_ID_SIZE];
};

/* One certificate from PEM or DER bytes; NULL when there is not exactly one readable. */
X509 *amd_chain_read_certificate(const void *data, size_t size);

void amd_chain_free(struct amd_chain *chain);

/* True when the root calls itself emulated. Its evidence proves nothing about any hardware. */
bool amd_chain_is_emulated(const struct amd_chain *chain);

/* The root is one of AMD's, by its public key; or, if asked for, an emulated one. */
const char *amd_chain_root_error(const struct amd_chain *chain, bool trust_emulated);

/* The root signed itself and the ASK, the ASK signed the VCEK; names, dates and CA flags fit. */
const char *amd_chain_error(const struct amd_chain *chain);

const char *amd_chain_vcek_info(const struct amd_chain *chain, struct amd_vcek_info *info);

/* ECDSA P-384 with SHA-384 by the VCEK over the signed part of the report. */
const char *amd_chain_signature_error(const struct amd_chain *chain,
				      const struct psp_report *report);

#endif
