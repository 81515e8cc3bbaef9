/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "core/host/digest.h"
#include "tools/cmd.h"
#include "tools/igvm/igvm.h"

#define FILE_MAX UINT32_MAX /* the format's own limit */

bool igvm_load(const char *path, struct file_bytes *bytes, struct igvm_file *file)
{
	struct host_error reason;
	struct igvm_error error;

	if (!file_read(path, FILE_MAX, bytes, &reason)) {
		cmd_file_error(path, "%s", reason.text);
		return false;
	}
	if (!igvm_open(file, bytes->data, bytes->size, &error)) {
		cmd_file_error(path, "%s, at offset %llu", error.text,
			       (unsigned long long)error.offset);
		file_free(bytes);
		return false;
	}
	return true;
}

int igvm_bad_option(const char *command, int argc, char **argv)
{
	const char *last = optind > 0 && optind <= argc ? argv[optind - 1] : "";
	char letter[] = { '-', (char)optopt, '\0' };
	const char *option = strncmp(last, "--", 2) == 0 ? last : letter;

	return cmd_error("igvm %s: \"%s\" is not an option, or lacks its value", command, option);
}

bool igvm_digest_hex(const char *path, const struct igvm_file *file, char *hex)
{
	struct launch_digest digest;

	if (!launch_digest_file(file, &digest)) {
		cmd_file_error(path, "SHA-384 is not available");
		return false;
	}
	for (size_t i = 0; i < sizeof(digest.value); i++)
		sprintf(hex + 2 * i, "%02x", digest.value[i]);
	return true;
}
