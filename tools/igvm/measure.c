/* SPDX-License-Identifier: MIT */
/* `socle igvm measure FILE`: the launch digest, which reports carry as MEASUREMENT. */
#include <stdio.h>

#include "core/base/hex.h"
#include "tools/cmd.h"
#include "tools/igvm/igvm.h"
#include "tools/options.h"

enum measure_form {
	FORM_LINE,
	FORM_BARE,
	FORM_JSON,
};

struct arguments {
	const char *path;
	enum measure_form form;
};

static enum cmd_status measure(void *arguments)
{
	const struct arguments *a = arguments;
	char hex[HEX_TEXT_SIZE(PSP_MEASUREMENT_SIZE)];
	struct launch_digest digest;
	struct file_bytes bytes;
	struct igvm_file file;
	bool ok;

	if (!igvm_load(a->path, &bytes, &file))
		return CMD_MISUSE;
	ok = igvm_digest(a->path, &file, &digest);
	file_free(&bytes);
	if (!ok)
		return CMD_MISUSE;
	hex_write(hex, digest.value, sizeof(digest.value));
	if (a->form == FORM_JSON)
		printf("{\"measurement\": \"%s\"}\n", hex);
	else
		printf("%s%s", hex, a->form == FORM_BARE ? "" : "\n");
	return cmd_shown("igvm measure", true);
}

static const struct option_row option_rows[] = {
	OPTION(struct arguments, form, "bare", SET, NULL, "the hex digits alone, without a newline",
	       .set = FORM_BARE, .letter = 'b'),
	OPTION(struct arguments, form, "json", SET, NULL, "an object with the measurement",
	       .set = FORM_JSON),
	{ 0 },
};

static const struct option_row operands[] = {
	OPTION(struct arguments, path, "FILE", FILE, NULL, "the IGVM file"),
	{ 0 },
};

const struct command igvm_measure = {
	.name = "measure",
	.summary = "print the launch digest that an IGVM file gives",
	.about = "Prints the launch digest of an SNP guest that starts from FILE, as one line of "
		 "hex.",
	.groups = (const struct option_group[]){ { NULL, option_rows }, { 0 } },
	.operands = operands,
	.size = sizeof(struct arguments),
	.run = measure,
};
