/* SPDX-License-Identifier: MIT */
/*
 * What a relying party has in its hands: files from the attested guest, and its own record of what
 * it asked (docs/evidence.md lists both). Loading checks that each file is there and has a form that
 * can be read; it decides nothing. What is the relying party's own is never read from the guest's
 * folder, whatever lies there.
 */
#ifndef SOCLE_TOOLS_VERIFY_EVIDENCE_H
#define SOCLE_TOOLS_VERIFY_EVIDENCE_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/psp.h"
#include "abi/svsm.h"
#include "core/base/host/file.h"
#include "core/evidence/host/amd_chain.h"
#include "core/evidence/host/report_input.h"
#include "core/tpm/host/tpm_public.h"

#define EVIDENCE_SECRET_MAX 64u

/* How much there is to look at. */
enum evidence_depth {
	EVIDENCE_REPORT, /* the report and its certificates alone */
	EVIDENCE_KEYS,	 /* and the manifest: which keys it attests, nothing that they signed */
	EVIDENCE_FULL,	 /* and a quote */
};

/* Where each part is read from; NULL: the customary name in the folder that it belongs to. */
struct evidence_paths {
	const char *directory;		     /* the guest's */
	const char *mine;		     /* the relying party's own; NULL: it has none */
	const char *nonce, *challenge, *ark; /* the relying party's too */
	const char *certificates; /* folder of the report's certificates; NULL: the guest's */
	const char *report;	  /* "-": standard input */
	const char *ask, *vcek;	  /* above a report that a VCEK signed */
	const char *asvk, *vlek;  /* above one that a VLEK signed */
	const char *ek_certificate, *ca; /* NULL: none */
};

struct evidence {
	struct psp_report report;
	struct file_bytes report_table; /* the host's table behind the report, if it was there */
	struct amd_chain chain;
	bool root_from_guest; /* nobody but who sent the evidence vouches for the ARK */
	/* From here on with the depth KEYS. */
	uint8_t nonce[SVSM_NONCE_SIZE];
	struct file_bytes manifest;
	struct file_bytes selector, context; /* empty for a call without a selector */
	X509 *ek_certificate;		     /* NULL: none was given */
	STACK_OF(X509) * ca;
	/*
	 * Nothing where there is no challenge and no such file; of the AK one of the two at most.
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
	struct file_bytes quote_pcrs; /* empty where there is no challenge and no such file */
};

/* Both folders are there, and the relying party's is not the guest's; false after a line on stderr. */
bool evidence_paths_ok(const struct evidence_paths *paths);

/*
 * Loads what is to be looked at. The guest's folder may have the names of Linux's configfs (outblob,
 * manifestblob, auxblob). The report says which certificates are above it: ask.pem and
 * vcek.pem, or asvk.pem and vlek.pem. A certificate for which there is no PEM file is taken from
 * certs.bin, the host's table, which lies where the PEM files would. On failure one line has been
 * written to stderr that names the file, and evidence_free() is still due.
 */
bool evidence_load(struct evidence *evidence, const struct evidence_paths *paths,
		   enum evidence_depth depth);

/* A report in any form ("-": of standard input), for report_input_free(); false after a line on stderr. */
bool evidence_read_report(const char *path, struct report_input *input);

/* One certificate, PEM or DER, for X509_free(); NULL after a line on stderr. */
X509 *evidence_load_certificate(const char *path);

/*
 * Loads ARK, ASK and VCEK alone, from PEM files; on failure one line has been written to
 * stderr, and amd_chain_free() is still due.
 */
bool evidence_load_chain(const struct evidence_paths *paths, struct amd_chain *chain);

/* Whether the relying party's folder says which measurement it expects. */
bool evidence_has_measurement(const struct evidence_paths *paths);

/* That measurement, from hexadecimal digits; false after a line on stderr. */
bool evidence_load_measurement(const struct evidence_paths *paths,
			       uint8_t measurement[PSP_MEASUREMENT_SIZE]);

void evidence_free(struct evidence *evidence);

#endif
