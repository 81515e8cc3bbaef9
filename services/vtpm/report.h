/* SPDX-License-Identifier: MIT */
/* Attestation reports that the vTPM itself asks for, before the guest runs. */
#ifndef SOCLE_SERVICES_VTPM_REPORT_H
#define SOCLE_SERVICES_VTPM_REPORT_H

#include "services/common/serve.h"

/* A report and the host's certificate table, in place in the buffer. */
struct report {
	const uint8_t *report, *certificates;
	uint32_t report_size, certificates_size;
	uint8_t buffer[SERVE_CALL_MAX];
};

/* Takes a reply of the attest service apart, in place; false when it is none. */
bool report_take(struct report *report, const uint8_t *reply, size_t size);

/*
 * One request to the attest service (enum attest_op). False, with a line in the log, when there is
 * no report.
 */
bool report_get(struct report *report, uint32_t op, const void *payload, size_t size);

#endif
