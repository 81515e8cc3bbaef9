/* SPDX-License-Identifier: MIT */
/* Quotes by an attested key: what a relying party needs no challenge for. */
#ifndef SOCLE_GUEST_AGENT_QUOTE_H
#define SOCLE_GUEST_AGENT_QUOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/svsm.h"
#include "guest/agent/problem.h"
#include "guest/agent/tpm.h"

/*
 * The PCRs that say what was booted, all that a boot's event log extends, and the demo's own. Not
 * 10, which IMA extends at any time.
 */
#define QUOTE_PCRS 0xfbffu

struct quote_wish {
	uint8_t nonce[SVSM_NONCE_SIZE];
	uint32_t key; /* enum svsm_key_id of the key in the manifest, 0: the first that signs */
	uint32_t nv;  /* NV index of its template, 0: none */
	const void *template; /* its template, or NULL */
	size_t template_size;
	struct tpm_selection pcrs;
};

/*
 * Makes the key that manifest.bin in folder attests once more, in the TPM at fd, and writes
 * quote.msg (TPMS_ATTEST), quote.sig (as `tpm2_quote -f plain` writes it) and quote.pcrs
 * (tpm2-tools' serialized values) there. Without a template in the wish, the manifest's key must
 * come from one with an empty or a zero unique field. False with the reason in *problem.
 */
bool quote_to(int fd, const struct quote_wish *wish, const char *folder, struct problem *problem);

/*
 * The same with a device that is opened for it. The log of the boot that Linux keeps beside it
 * becomes eventlog.bin; where there is none, there is no such file afterwards.
 */
bool quote_on(const char *device, const struct quote_wish *wish, const char *folder,
	      struct problem *problem);

/*
 * Copies the log that Linux keeps in securityfs for the TPM with the number at the end of its
 * device's name to eventlog.bin in folder, and takes away an older one where there is none. One
 * that it may not read, or that is larger than any verifier takes, is left out with a line on
 * standard error: a quote is worth something without. 0, or -errno of writing.
 */
int quote_keep_log(const char *device, const char *security, const char *folder);

/*
 * A TPMT_SIGNATURE as tpm2-tools' plain format: for RSA the number, for ECDSA the DER SEQUENCE of
 * r and s. Returns the size, 0 when it is neither.
 */
size_t quote_plain_signature(const struct tpm_blob *signature, uint8_t *plain, size_t capacity);

#endif
