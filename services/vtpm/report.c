/* SPDX-License-Identifier: MIT */
#include "services/vtpm/report.h"

#include "abi/psp.h"
#include "core/base/bytes.h"
#include "services/vtpm/vtpm.h"

/* The monitor waits for seconds in each, unless the host has no timer for it. */
#define BUSY_TRIES 3

bool report_take(struct report *report, const uint8_t *reply, size_t size)
{
	struct bytes_reader r = bytes_reader_init(reply, size);
	struct attest_reply header;

	bytes_copy(&r, &header, sizeof(header));
	report->report_size = header.report_size;
	report->report = bytes_take(&r, header.report_size);
	report->certificates_size = header.certificates_size;
	report->certificates = bytes_take(&r, header.certificates_size);
	return bytes_complete(&r) && report->report_size == sizeof(struct psp_report);
}

bool report_get(struct report *report, uint32_t op, const void *payload, size_t size)
{
	struct serve_output reply = { .data = report->buffer, .capacity = sizeof(report->buffer) };
	enum service_status status = SERVICE_ERR_BUSY;

	for (int i = 0; i < BUSY_TRIES && status == SERVICE_ERR_BUSY; i++)
		status = serve_call(VTPM_FD_ATTEST, op, payload, size, &reply);
	if (status != SERVICE_OK) {
		serve_logf("vtpm: no report, status %u", status);
		return false;
	}
	return report_take(report, reply.data, reply.size);
}
