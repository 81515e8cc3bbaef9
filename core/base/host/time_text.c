/* SPDX-License-Identifier: MIT */
#include "core/base/host/time_text.h"

#include <stdlib.h>
#include <string.h>

bool time_text_read(const char *text, time_t *at)
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
