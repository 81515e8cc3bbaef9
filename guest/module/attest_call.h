/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* One extended attestation of a service (SVSM attestation protocol, version 2, call 2). */
#ifndef SOCLE_GUEST_MODULE_ATTEST_CALL_H
#define SOCLE_GUEST_MODULE_ATTEST_CALL_H

#include "abi/svsm.h"

/* No part of an answer is larger: what the SVSM says beyond it is not believed. */
#define ATTEST_PART_MAX (64u << 10)

struct attest_request {
	struct abi_guid service;
	u32 manifest_version;
	u32 selector_size; /* 0: none */
	u8 nonce[SVSM_NONCE_SIZE];
	u8 selector[SVSM_SELECTOR_MAX];
};

enum attest_part { ATTEST_REPORT, ATTEST_MANIFEST, ATTEST_CERTIFICATES, ATTEST_PARTS };

/* kvmalloc()ed; NULL and 0 where the SVSM sent nothing. */
struct attest_blob {
	void *data;
	size_t size;
};

struct attest_answer {
	struct attest_blob parts[ATTEST_PARTS];
};

/*
 * Makes the call and waits for its end, however often the SVSM leaves the CPU to others meanwhile;
 * one call at a time. Process context, may sleep. Returns 0 with a full answer, which the caller
 * frees; otherwise *answer is zeros. *result is the SVSM's result code, or stays as it is when the
 * SVSM gave none. -EINTR when the task is being killed, -EINVAL, -EPERM, -EBUSY, -EOPNOTSUPP and
 * -EIO by the result code, -EFBIG for an answer larger than ATTEST_PART_MAX, -ENOMEM.
 */
int attest_call(const struct attest_request *request, struct attest_answer *answer, u64 *result);

void attest_answer_free(struct attest_answer *answer);

#endif
