/* SPDX-License-Identifier: MIT */
#include "tools/verify/policy.h"

#include <stdio.h>
#include <string.h>

#include "core/host/digest.h"
#include "core/host/file.h"
#include "core/igvm.h"
#include "tools/cmd.h"

#define IMAGE_SIZE_MAX (1u << 30)

bool policy_parse_tcb(const char *text, struct report_tcb *tcb)
{
	unsigned int part[5];
	char end;

	if (sscanf(text, "%3u,%3u,%3u,%3u,%3u%c", &part[0], &part[1], &part[2], &part[3], &part[4],
		   &end) != 5)
		return false;
	for (size_t i = 0; i < 5; i++) {
		if (part[i] > 255)
			return false;
	}
	*tcb = (struct report_tcb){ (uint8_t)part[0], (uint8_t)part[1], (uint8_t)part[2],
				    (uint8_t)part[3], (uint8_t)part[4] };
	return true;
}

/* The whole file is read, for its digest covers all of it. */
bool policy_measure_image(const char *path, uint8_t measurement[PSP_MEASUREMENT_SIZE])
{
	struct host_error read_error;
	struct launch_digest digest;
	struct igvm_error error;
	struct file_bytes bytes;
	struct igvm_file file;
	bool ok = false;

	if (!file_read(path, IMAGE_SIZE_MAX, &bytes, &read_error)) {
		cmd_file_error(path, "%s", read_error.text);
		return false;
	}
	if (!igvm_open(&file, bytes.data, bytes.size, &error))
		cmd_file_error(path, "%s, at offset %llu", error.text,
			       (unsigned long long)error.offset);
	else if (!launch_digest_file(&file, &digest))
		cmd_file_error(path, "cannot be measured");
	else
		ok = true;
	if (ok)
		memcpy(measurement, digest.value, PSP_MEASUREMENT_SIZE);
	file_free(&bytes);
	return ok;
}
