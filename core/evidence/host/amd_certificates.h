/* SPDX-License-Identifier: MIT */
/*
 * AMD's own certificates above VCEKs and VLEKs: ARK, ASK and ASVK of Milan, Genoa and Turin, so
 * that a report and the certificate of its key are enough to judge it. That a root is AMD's is said
 * by its key (amd_chain.h) wherever the certificate came from, here too.
 */
#ifndef SOCLE_CORE_EVIDENCE_HOST_AMD_CERTIFICATES_H
#define SOCLE_CORE_EVIDENCE_HOST_AMD_CERTIFICATES_H

#include "core/evidence/host/amd_chain.h"

struct amd_certificate {
	const char *name;   /* the common name */
	const char *sha256; /* of the DER, hexadecimal */
	const char *pem;
};

#define AMD_CERTIFICATES 9u
#define AMD_CERTIFICATES_A_ROOT 3u /* each with the two below it behind it */

extern const struct amd_certificate amd_certificates[AMD_CERTIFICATES];

/*
 * Puts those of AMD's into the chain that it lacks and that its signer names: the issuer, and above
 * it the root. What is there stays, and what nobody has of AMD's stays NULL.
 */
void amd_certificates_fill(struct amd_chain *chain);

/* Whether it is one of these, to the byte. */
bool amd_certificates_known(const X509 *certificate);

/* Whether they are one of these roots and the ASK or ASVK below it. */
bool amd_certificates_pair(const X509 *root, const X509 *issuer);

#endif
