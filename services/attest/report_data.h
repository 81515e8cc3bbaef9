/* SPDX-License-Identifier: MIT */
/* What goes into REPORT_DATA (docs/spec/create-and-attest.md; abi/service.h, attest_op). */
#ifndef SOCLE_SERVICES_ATTEST_REPORT_DATA_H
#define SOCLE_SERVICES_ATTEST_REPORT_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/psp.h"
#include "abi/svsm.h"

/* SHA-512(nonce || context || manifest). False when the library fails. */
bool report_data_of_request(const uint8_t nonce[SVSM_NONCE_SIZE], const uint8_t *context,
			    size_t context_size, const uint8_t *manifest, size_t manifest_size,
			    uint8_t report_data[PSP_REPORT_DATA_SIZE]);

/* SHA-256(data), then zeros. False when the library fails. */
bool report_data_of_runtime(const uint8_t *data, size_t size,
			    uint8_t report_data[PSP_REPORT_DATA_SIZE]);

#endif
