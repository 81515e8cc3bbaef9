/* SPDX-License-Identifier: MIT */
/*
 * The few TPM 2.0 commands (Library specification, part 3) that a quote takes, on a device that
 * takes a whole command in one write and gives the response in one read. A program of tpm2-tools
 * for each of them would take longer to start than the TPM works. Authorizations are empty.
 */
#ifndef SOCLE_GUEST_AGENT_TPM_H
#define SOCLE_GUEST_AGENT_TPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/tpm.h"
#include "guest/agent/problem.h"

#define TPM_DEVICE "/dev/tpmrm0"
#define TPM_DIGEST_MAX 64u
#define TPM_BLOB_MAX 2048u

/* A sized part of a response. */
struct tpm_blob {
	size_t size;
	uint8_t data[TPM_BLOB_MAX];
};

/* PCRs of one bank. */
struct tpm_selection {
	uint16_t bank; /* TPM_ALG_ID */
	uint32_t mask; /* bit n: PCR n */
};

struct tpm_pcrs {
	uint32_t counter; /* moves whenever a PCR changes */
	size_t count;	  /* digests, in the order of the PCRs */
	struct {
		uint16_t size;
		uint8_t data[TPM_DIGEST_MAX];
	} digests[TPM_PCR_COUNT];
};

/* All return false with the reason in *problem; it names the command. */

/* A primary key of the endorsement hierarchy; its public area, a TPMT_PUBLIC. */
bool tpm_create_primary(int fd, const void *template, size_t size, uint32_t *handle,
			struct tpm_blob *public_area, struct problem *problem);

bool tpm_flush(int fd, uint32_t handle, struct problem *problem);

/* The quote (TPMS_ATTEST) and its signature (TPMT_SIGNATURE), by the key's own scheme. */
bool tpm_quote(int fd, uint32_t handle, const void *nonce, size_t nonce_size,
	       const struct tpm_selection *selection, struct tpm_blob *message,
	       struct tpm_blob *signature, struct problem *problem);

/* The values of all selected PCRs, read at one state of them. */
bool tpm_read_pcrs(int fd, const struct tpm_selection *selection, struct tpm_pcrs *pcrs,
		   struct problem *problem);

/* The content of an NV index that its own, empty authorization reads. */
bool tpm_read_nv(int fd, uint32_t index, struct tpm_blob *content, struct problem *problem);

#endif
