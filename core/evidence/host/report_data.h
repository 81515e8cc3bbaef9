/* SPDX-License-Identifier: MIT */
/*
 * What goes into REPORT_DATA (docs/spec/create-and-attest.md, section 6): who makes evidence and
 * who verifies it compute it here.
 */
#ifndef SOCLE_CORE_EVIDENCE_HOST_REPORT_DATA_H
#define SOCLE_CORE_EVIDENCE_HOST_REPORT_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/psp.h"
#include "abi/svsm.h"

/*
 * SHA-512(nonce || context || manifest). The context is that of selector_context(); its size is 0
 * for a call without a selector. False when OpenSSL fails.
 */
bool report_data_make(const uint8_t nonce[SVSM_NONCE_SIZE], const void *context,
		      size_t context_size, const void *manifest, size_t manifest_size,
		      uint8_t report_data[PSP_REPORT_DATA_SIZE]);

/* SHA-256(data), then zeros (abi/service.h, ATTEST_OP_RUNTIME_DATA). False when OpenSSL fails. */
bool report_data_of_runtime(const void *data, size_t size,
			    uint8_t report_data[PSP_REPORT_DATA_SIZE]);

#endif
