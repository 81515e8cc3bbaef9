/* SPDX-License-Identifier: MIT */
#include "tools/verify/policy.h"

#include <stdio.h>
#include <stdlib.h>
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

bool policy_parse_time(const char *text, time_t *at)
{
	static const char date[] = "dddd-dd-dd", whole[] = "dddd-dd-ddTdd:dd:ddZ";
	const char *form = strlen(text) == strlen(date) ? date : whole;
	struct tm tm = { 0 }, again;

	if (strlen(text) != strlen(form))
		return false;
	for (size_t i = 0; form[i]; i++) {
		if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return false;
	}
	tm.tm_year = atoi(text) - 1900;
	tm.tm_mon = atoi(text + 5) - 1;
	tm.tm_mday = atoi(text + 8);
	if (form == whole) {
		tm.tm_hour = atoi(text + 11);
		tm.tm_min = atoi(text + 14);
		tm.tm_sec = atoi(text + 17);
	}
	again = tm;
	*at = timegm(&again);
	/* timegm() makes the 2nd of March of a 30th of February: then it is no date. */
	return *at > 0 && again.tm_year == tm.tm_year && again.tm_mon == tm.tm_mon &&
	       again.tm_mday == tm.tm_mday && again.tm_hour == tm.tm_hour &&
	       again.tm_min == tm.tm_min && again.tm_sec == tm.tm_sec;
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
