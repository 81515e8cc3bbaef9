/* SPDX-License-Identifier: MIT */
/* The manifests that an attestation covers, and the REPORT_DATA that binds one (58019, chapter 7). */
#ifndef SOCLE_SERVICES_ATTEST_MANIFEST_H
#define SOCLE_SERVICES_ATTEST_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/psp.h"
#include "abi/svsm.h"
#include "services/common/serve.h"

/*
 * Appends the manifest of all services: of the one service there is, whose own manifest is
 * data[0..size).
 */
enum service_status manifest_all_services(struct serve_output *out, const struct abi_guid *service,
					  const uint8_t *data, size_t size);

/* SHA-512(nonce || manifest). False when the library fails. */
bool manifest_report_data(const uint8_t nonce[SVSM_NONCE_SIZE], const uint8_t *manifest,
			  size_t size, uint8_t report_data[PSP_REPORT_DATA_SIZE]);

#endif
