/* SPDX-License-Identifier: MIT */
#include "tools/igvm/igvm.h"

#include <inttypes.h>

#include "tools/cmd.h"

#define FILE_MAX UINT32_MAX /* the format's own limit */

bool igvm_load(const char *path, struct file_bytes *bytes, struct igvm_file *file)
{
	struct igvm_error error;

	if (!cmd_read_file(path, FILE_MAX, bytes))
		return false;
	if (!igvm_open(file, bytes->data, bytes->size, &error)) {
		cmd_file_error(path, "%s, at offset %" PRIu64, error.text, error.offset);
		file_free(bytes);
		return false;
	}
	return true;
}

bool igvm_digest(const char *path, const struct igvm_file *file, struct launch_digest *digest)
{
	if (launch_digest_file(file, digest))
		return true;
	cmd_file_error(path, "SHA-384 is not available");
	return false;
}
