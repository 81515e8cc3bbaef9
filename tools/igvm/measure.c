/* SPDX-License-Identifier: MIT */
/* `socle igvm measure FILE`: the launch digest, which reports carry as MEASUREMENT. */
#include <getopt.h>
#include <stdio.h>

#include "core/base/hex.h"
#include "tools/cmd.h"
#include "tools/igvm/igvm.h"

static int help(void)
{
	printf("usage: socle igvm measure [OPTION]... FILE\n\n"
	       "Prints the launch digest of an SNP guest that starts from FILE, as one line of "
	       "hex.\n"
	       "\n"
	       "  -b, --bare   the hex digits alone, without a newline\n"
	       "      --json   an object with the measurement\n");
	return CMD_OK;
}

enum measure_form {
	FORM_LINE,
	FORM_BARE,
	FORM_JSON,
};

static int measure(const char *path, enum measure_form form)
{
	char hex[HEX_TEXT_SIZE(PSP_MEASUREMENT_SIZE)];
	struct launch_digest digest;
	struct file_bytes bytes;
	struct igvm_file file;
	bool ok;

	if (!igvm_load(path, &bytes, &file))
		return CMD_MISUSE;
	ok = igvm_digest(path, &file, &digest);
	file_free(&bytes);
	if (!ok)
		return CMD_MISUSE;
	hex_write(hex, digest.value, sizeof(digest.value));
	if (form == FORM_JSON)
		printf("{\"measurement\": \"%s\"}\n", hex);
	else
		printf("%s%s", hex, form == FORM_BARE ? "" : "\n");
	return fflush(stdout) == 0 ? CMD_OK : cmd_error("cannot write the digest");
}

int igvm_measure(int argc, char **argv)
{
	static const struct option options[] = {
		{ "bare", no_argument, NULL, 'b' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	enum measure_form form = FORM_LINE;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "bh", options, NULL)) != -1) {
		switch (option) {
		case 'b':
			form = FORM_BARE;
			break;
		case 'j':
			form = FORM_JSON;
			break;
		case 'h':
			return help();
		default:
			return cmd_bad_option("igvm measure", argc, argv);
		}
	}
	if (optind != argc - 1)
		return cmd_error("igvm measure: name one file");
	return measure(argv[optind], form);
}
