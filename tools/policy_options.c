/* SPDX-License-Identifier: MIT */
#include "tools/policy_options.h"

#include <stdio.h>
#include <string.h>

#include "core/base/hex.h"
#include "core/base/number.h"
#include "tools/cmd.h"
#include "tools/igvm/igvm.h"

#define TCB_PARTS 5

const char *option_read_tcb(void *tcb, char *text)
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
	*(struct option_tcb *)tcb = (struct option_tcb){ true,	  part[0], part[1],
							 part[2], part[3], part[4] };
	return NULL;
}

const char *option_read_measurement(void *measurement, char *text)
{
	struct option_measurement *m = measurement;

	m->given = true;
	return hex_read(text, m->value, sizeof(m->value))
		       ? NULL
		       : "the 96 hexadecimal digits of a measurement";
}

const char *option_read_crl_file(void *files, char *path)
{
	struct option_files *f = files;

	if (f->count == OPTION_CRL_FILES_MAX)
		return "16 files at most";
	f->paths[f->count++] = path;
	return NULL;
}

/* By its firmware, where it has one: it is part of what was measured. */
static bool name_image(const char *path, const struct igvm_file *file,
		       struct option_measurement *measurement)
{
	_Static_assert(sizeof(measurement->firmware) == IGVM_FIRMWARE_HASH, "a hash and its NUL");
	struct socle_params params;

	measurement->firmware[0] = '\0';
	snprintf(measurement->name, sizeof(measurement->name), "--image");
	if (!igvm_params(file, &params) || !params.firmware.size)
		return true;
	if (!igvm_firmware(file, &params, measurement->firmware)) {
		cmd_file_error(path, "SHA-256 is not available");
		return false;
	}
	snprintf(measurement->name, sizeof(measurement->name),
		 "--image, with firmware of SHA-256 %s", measurement->firmware);
	return true;
}

/* The whole file is read, for its digest covers all of it. */
bool option_measure_image(const char *path, struct option_measurement *measurement)
{
	struct launch_digest digest;
	struct file_bytes bytes;
	struct igvm_file file;

	if (!igvm_load(path, &bytes, &file))
		return false;
	measurement->given = igvm_digest(path, &file, &digest) &&
			     name_image(path, &file, measurement);
	if (measurement->given)
		memcpy(measurement->value, digest.value, sizeof(measurement->value));
	file_free(&bytes);
	return measurement->given;
}
