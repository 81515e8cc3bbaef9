/* SPDX-License-Identifier: MIT */
/*
 * What a relying party has in its hands: files from the attested guest, and its own record of what
 * it asked (docs/evidence.md lists the files). Loading checks that each file is there and has a
 * form that can be read; it decides nothing.
 */
#ifndef SOCLE_TOOLS_VERIFY_EVIDENCE_H
#define SOCLE_TOOLS_VERIFY_EVIDENCE_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/psp.h"
#include "abi/svsm.h"
#include "core/host/amd_chain.h"
#include "core/host/file.h"
#include "core/host/tpm_public.h"

#define EVIDENCE_SECRET_MAX 64u

/* Where each part is read from; NULL: the customary name in the directory. */
struct evidence_paths {
	const char *directory;
	const char *report, *ark, *ask, *vcek;
	const char *measurement_file;
};

struct evidence {
	struct psp_report report;
	struct amd_chain chain;
	/* All below is absent when only the report is looked at. */
	uint8_t nonce[SVSM_NONCE_SIZE];
	struct file_bytes manifest;
	EVP_PKEY *ek, *ak;
	struct tpm_name challenge_ek, challenge_ak; /* for whom the host made the credential */
	uint8_t secret[EVIDENCE_SECRET_MAX];
	size_t secret_size;
	struct file_bytes answer;
	struct file_bytes quote, quote_signature, quote_pcrs;
};

/*
 * Loads the report and its certificates, and all the rest unless report_only. On failure one line
 * has been written to stderr that names the file.
 */
bool evidence_load(struct evidence *evidence, const struct evidence_paths *paths, bool report_only);

/* The expected measurement from a file of hexadecimal digits; false after a line on stderr. */
bool evidence_load_measurement(const struct evidence_paths *paths,
			       uint8_t measurement[PSP_MEASUREMENT_SIZE]);

void evidence_free(struct evidence *evidence);

/* Lower- or upper-case hexadecimal digits, exactly size bytes of them. */
bool evidence_hex(const char *text, uint8_t *bytes, size_t size);

#endif
