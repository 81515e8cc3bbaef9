/* SPDX-License-Identifier: MIT */
/*
 * What a relying party has in its hands: parts from the attested guest, and its own record of what
 * it asked (docs/evidence.md lists both). Adding one checks that it has a form that can be read; it
 * decides nothing.
 */
#ifndef SOCLE_TOOLS_LIBVERIFY_EVIDENCE_H
#define SOCLE_TOOLS_LIBVERIFY_EVIDENCE_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/psp.h"
#include "abi/svsm.h"
#include "core/base/host/file.h"
#include "core/evidence/host/amd_chain.h"
#include "core/evidence/limits.h"
#include "core/tpm/host/tpm_public.h"
#include "tools/libverify/policy.h"
#include "tools/libverify/socle-verify.h"

#define EVIDENCE_SECRET_MAX 64u
#define EVIDENCE_SECRET_MIN 16u

struct evidence {
	struct psp_report report;
	struct amd_chain chain;
	bool chain_checked;   /* all of it but the dates, and it holds: amd_chain_links_error() */
	bool root_from_guest; /* nobody but who sent the evidence vouches for the ARK */
	/* From here on with the depth KEYS. */
	uint8_t nonce[SVSM_NONCE_SIZE];
	struct file_bytes manifest;
	struct file_bytes selector, context; /* empty for a call without a selector */
	X509 *ek_certificate;		     /* NULL: none was given */
	STACK_OF(X509) * ca;
	/*
	 * Nothing where there is no challenge and no such part; of the AK one of the two at most.
	 */
	EVP_PKEY *ek, *ak;
	struct file_bytes ak_area; /* a TPMT_PUBLIC by its form; nothing is known of what it says */
	/* From here on with the depth FULL; the challenge and its answer only where it was made. */
	bool challenged;
	struct tpm_name challenge_ek, challenge_ak; /* for whom the host made the credential */
	uint8_t secret[EVIDENCE_SECRET_MAX];
	size_t secret_size;
	struct file_bytes answer;
	struct file_bytes quote, quote_signature;
	struct file_bytes event_log;  /* empty: there is none */
	struct file_bytes quote_pcrs; /* empty where there is no challenge and no such part */
};

/* As the library has it: the parts, and where certificates came from. */
struct socle_evidence {
	struct evidence
		parts; /* its chain has what was added as such, its root_from_guest is unset */
	struct amd_chain table; /* what the host's table has */
	struct amd_chain known; /* of a socle_chain: it was checked, but for dates */
	X509 *own_root;
	uint8_t added[SOCLE_OWN_CA + 1]; /* by part, 1: it was */
};

/* Takes the record of a challenge: names, secret, challenged. False when it is none. */
bool evidence_read_challenge(struct evidence *parts, const void *record, size_t size,
			     struct host_error *error);

/*
 * The chain that counts: the relying party's own root, what was added, what a known chain has, what
 * the table has, what AMD publishes, in that order for each. The caller frees it.
 */
void evidence_chain(const struct socle_evidence *evidence, struct amd_chain *chain);

/* Whether this chain, which that gave, is one that was checked before. */
bool evidence_chain_known(const struct socle_evidence *evidence, const struct amd_chain *chain);

#endif
