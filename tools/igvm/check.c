/* SPDX-License-Identifier: MIT */
/* `socle igvm check --host H FILE`: whether that host's loader takes a file. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/hex.h"
#include "core/image/host_check.h"
#include "tools/cmd.h"
#include "tools/igvm/igvm.h"
#include "tools/options.h"

struct arguments {
	const char *path;
	uint32_t host;
};

/* What an ID block says of the measurement, it says of the one that the host makes. */
static bool id_block_fits(const struct igvm_file *file, const struct launch_digest *digest,
			  uint64_t *offset)
{
	struct igvm_cursor cursor = { 0 };
	struct igvm_directive d;

	while (igvm_next(file, &cursor, &d)) {
		*offset = d.header_offset;
		if (d.type == IGVM_TYPE_SNP_ID_BLOCK)
			return memcmp(d.id_block.launch_digest, digest->value,
				      sizeof(digest->value)) == 0;
	}
	return true;
}

static enum cmd_status check_file(const struct arguments *a, const struct igvm_file *file)
{
	const struct host_model *host = &host_models[a->host];
	char hex[HEX_TEXT_SIZE(PSP_MEASUREMENT_SIZE)];
	struct launch_digest digest;
	struct igvm_error error;
	uint64_t offset;

	if (!host_check(host, file, &error))
		return cmd_file_error(a->path, "%s, at offset %" PRIu64, error.text, error.offset);
	if (!igvm_digest(a->path, file, &digest))
		return CMD_MISUSE;
	if (!id_block_fits(file, &digest, &offset))
		return cmd_file_error(a->path,
				      "the SNP_ID_BLOCK is for another launch, at offset %" PRIu64,
				      offset);
	hex_write(hex, digest.value, sizeof(digest.value));
	printf("%s takes it, measurement %s\n", host->name, hex);
	return cmd_shown("igvm check", true);
}

static enum cmd_status check(void *arguments)
{
	const struct arguments *a = arguments;
	enum cmd_status status;
	struct file_bytes bytes;
	struct igvm_file file;

	if (!igvm_load(a->path, &bytes, &file))
		return CMD_MISUSE;
	status = check_file(a, &file);
	file_free(&bytes);
	return status;
}

static const struct option_row option_rows[] = {
	OPTION(struct arguments, host, "host", CHOICE, NULL, "the host (docs/hosts.md)",
	       OPTION_WORDS(host_models, .name)),
	{ 0 },
};

static const struct option_row operands[] = {
	OPTION(struct arguments, path, "FILE", FILE, NULL, "the IGVM file"),
	{ 0 },
};

const struct command igvm_check = {
	.name = "check",
	.summary = "say whether a host's loader takes an IGVM file",
	.about = "Says whether the loader of the host takes FILE, and the measurement that it "
		 "makes; or "
		 "which header it does not take, and why.",
	.groups = (const struct option_group[]){ { NULL, option_rows }, { 0 } },
	.operands = operands,
	.size = sizeof(struct arguments),
	.run = check,
};
