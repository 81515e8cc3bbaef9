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
#include "services/attest/runtime.h"

struct binding {
	uint8_t report_data[PSP_REPORT_DATA_SIZE];
	char runtime[RUNTIME_MAX]; /* what goes back beside the report */
	size_t runtime_size;	   /* 0: certificates go back */
};

/*
 * REPORT_DATA for a request. Any status but SERVICE_OK: there is no report for it, and unless that
 * is SERVICE_ERR_UNSUPPORTED the log says why.
 */
enum service_status binding_make(uint32_t op, const uint8_t *payload, size_t size,
				 struct binding *binding);

#endif
