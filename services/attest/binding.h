/* SPDX-License-Identifier: MIT */
/*
 * The REPORT_DATA of each operation (abi/service.h, attest_op). All tags are made here and nowhere
 * else, and bytes from another service are bound only as what they prove to be
 * (docs/spec/create-and-attest.md, section 6.1).
 */
#ifndef SOCLE_SERVICES_ATTEST_BINDING_H
#define SOCLE_SERVICES_ATTEST_BINDING_H

#include <stddef.h>
#include <stdint.h>

#include "abi/psp.h"
#include "abi/service.h"

/*
 * REPORT_DATA for a request. Any status but SERVICE_OK: there is no report for it, and unless that is
 * SERVICE_ERR_UNSUPPORTED the log says why.
 */
enum service_status binding_make(uint32_t op, const uint8_t *payload, size_t size,
				 uint8_t report_data[PSP_REPORT_DATA_SIZE]);

#endif
