/* SPDX-License-Identifier: MIT */
#include "tools/verify/policy.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/hex.h"
#include "core/base/number.h"
#include "core/evidence/host/amd_crl.h"
#include "tools/cmd.h"
#include "tools/igvm/igvm.h"

#define TCB_PARTS 5
#define CRL_FILE_SIZE_MAX (1u << 20)

const char *policy_read_tcb(void *tcb, char *text)
{
	static const char wants[] = "five numbers, 0 to 255";
	uint8_t part[TCB_PARTS];
	uint64_t value;

	for (size_t i = 0; i < TCB_PARTS; i++) {
		size_t length = number_at(text, strlen(text), NUMBER_DECIMAL, &value);

		if (!length || value > UINT8_MAX ||
		    text[length] != (i + 1 < TCB_PARTS ? ',' : '\0'))
			return wants;
		part[i] = (uint8_t)value;
		text += length + 1;
	}
	*(struct report_tcb *)tcb = (struct report_tcb){ part[0], part[1], part[2], part[3],
							 part[4] };
	return NULL;
}

static bool parse_time(const char *text, time_t *at)
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

const char *policy_read_measurement(void *to, char *text)
{
	struct policy *policy = to;

	policy->has_measurement = true;
	return hex_read(text, policy->measurement, PSP_MEASUREMENT_SIZE)
		       ? NULL
		       : "the 96 hexadecimal digits of a measurement";
}

const char *policy_read_time(void *at, char *text)
{
	return parse_time(text, at) ? NULL : "YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ";
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

const char *policy_read_crl_file(void *to, char *path)
{
	struct policy *policy = to;

	if (policy->crl_file_count == CHECK_CRL_FILES_MAX)
		return "16 files at most";
	policy->crl_files[policy->crl_file_count++] = path;
	return NULL;
}

static bool load_crls(const char *path, struct policy *policy)
{
	struct file_bytes bytes;
	const char *wrong;

	if (!cmd_read_file(path, CRL_FILE_SIZE_MAX, &bytes))
		return false;
	wrong = amd_crl_read(&policy->crls, bytes.data, bytes.size);
	if (wrong)
		cmd_file_error(path, "%s", wrong);
	file_free(&bytes);
	return !wrong;
}

bool policy_load_crls(struct policy *policy)
{
	for (size_t i = 0; i < policy->crl_file_count; i++) {
		if (!load_crls(policy->crl_files[i], policy))
			return false;
	}
	return true;
}

void policy_free(struct policy *policy)
{
	sk_X509_CRL_pop_free(policy->crls, X509_CRL_free);
	policy->crls = NULL;
}
