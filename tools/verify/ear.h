/* SPDX-License-Identifier: MIT */
/*
 * A verdict as an EAT Attestation Result (EAR): a signed JSON Web Token with a trustworthiness
 * vector (draft-ietf-rats-ar4si) for each attester, which other relying parties read.
 * docs/evidence.md says which check makes which claim. It is made from what the library says of a
 * verdict, and from nothing else.
 */
#ifndef SOCLE_TOOLS_VERIFY_EAR_H
#define SOCLE_TOOLS_VERIFY_EAR_H

#include <stdint.h>
#include <time.h>

#include "tools/libverify/socle-verify.h"

/* What claims are called, and what eat_profile says. */
enum ear_profile {
	EAR_VERAISON, /* draft-fv-rats-ear, as Veraison's readers and Trustee have it */
	EAR_IETF_04,  /* draft-ietf-rats-ear-04 */
};

/* Their words for options, in the order of the enum. */
extern const char *const ear_profile_words[2];

#define EAR_NONCE_MAX 64u

struct ear_about {
	enum ear_profile profile;
	const uint8_t *nonce; /* that the evidence answers; NULL: it answers none */
	size_t nonce_size;    /* 8 to 64 */
	const char *policy;   /* what the policy is called; NULL: it has no name */
	time_t at;	      /* when it is issued */
};

struct ear_key;

/*
 * Reads a private key in PEM: on P-256 (ES256), on P-384 (ES384), or Ed25519 (EdDSA). NULL after a
 * line on stderr that names the file. A key may be used by any number of threads at once.
 */
struct ear_key *ear_key_read(const char *path);

void ear_key_free(struct ear_key *key);

/* The token, which the caller free()s; NULL when memory is short or the key cannot sign. */
char *ear_sign(const struct ear_key *key, const struct socle_verdict *verdict,
	       const struct ear_about *about);

#endif
