/* SPDX-License-Identifier: MIT */
#include "tools/verify/policy.h"

#include <stdio.h>
#include <string.h>

#include "tools/igvm/igvm.h"

#define TCB_PARTS 5

bool policy_parse_tcb(const char *text, struct report_tcb *tcb)
{
	unsigned int part[TCB_PARTS];
	int end = 0;

	/* sscanf() would take blanks and signs before a number. */
	if (strspn(text, "0123456789,") != strlen(text) ||
	    sscanf(text, "%3u,%3u,%3u,%3u,%3u%n", &part[0], &part[1], &part[2], &part[3], &part[4],
		   &end) != TCB_PARTS ||
	    text[end] != '\0')
		return false;
	for (size_t i = 0; i < TCB_PARTS; i++) {
		if (part[i] > UINT8_MAX)
			return false;
	}
	*tcb = (struct report_tcb){ (uint8_t)part[0], (uint8_t)part[1], (uint8_t)part[2],
				    (uint8_t)part[3], (uint8_t)part[4] };
	return true;
}

/* The whole file is read, for its digest covers all of it. */
bool policy_measure_image(const char *path, uint8_t measurement[PSP_MEASUREMENT_SIZE])
{
	struct launch_digest digest;
	struct file_bytes bytes;
	struct igvm_file file;
	bool ok;

	if (!igvm_load(path, &bytes, &file))
		return false;
	ok = igvm_digest(path, &file, &digest);
	if (ok)
		memcpy(measurement, digest.value, PSP_MEASUREMENT_SIZE);
	file_free(&bytes);
	return ok;
}
