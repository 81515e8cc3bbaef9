/* SPDX-License-Identifier: MIT */
/* `socle policy make`: a policy that evidence meets, for who has nothing else to start from. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cmd.h"
#include "tools/options.h"
#include "tools/policy_predict.h"
#include "tools/verify/rules.h"

struct arguments {
	struct folder_paths paths;
	struct rules rules; /* that the evidence itself does not ask for */
	struct predict_files files;
	const char *output;
	unsigned int look_at; /* a depth and 1; 0: a quote */
	bool quiet;
};

static const char *const depth_names[] = { "report", "keys", "quote" };

/*
 * It is written only if the evidence holds by it: chain, signature and bindings are not first
 * use's.
 */
static bool holds(const struct socle_evidence *evidence, const char *text)
{
	char wrong[SOCLE_ERROR_SIZE];
	struct socle_policy *policy = socle_policy_read(text, strlen(text), wrong);
	struct socle_verdict *verdict = policy ? socle_verify(evidence, policy, wrong) : NULL;
	bool ok = verdict && socle_verdict_status(verdict) == SOCLE_TRUSTED;
	const char *name, *error = NULL;

	if (!verdict)
		cmd_error("policy: %s", wrong);
	for (size_t i = 0; verdict && !ok && !error &&
			   (name = socle_verdict_check(verdict, i, NULL, &error, NULL));
	     i++) {
		if (error)
			cmd_error("policy: the evidence does not hold: %s: %s", name, error);
	}
	socle_verdict_free(verdict);
	socle_policy_free(policy);
	return ok;
}

static bool write_policy(const char *path, const char *text)
{
	struct host_error error;

	if (path && file_write(path, text, strlen(text), &error))
		return true;
	if (path)
		cmd_file_error(path, "%s", error.text);
	else if (fputs(text, stdout) != EOF && fflush(stdout) == 0)
		return true;
	else
		cmd_error("policy: cannot write it");
	return false;
}

/* The text with the rules of options, for free(); NULL after a line on stderr. */
static char *with_rules(const char *text, const struct rules *rules)
{
	json_t *policy = json_loads(text, 0, NULL);
	char *changed = NULL, *line = NULL;

	if (policy && rules_put(policy, rules))
		changed = json_dumps(policy, JSON_INDENT(2));
	if (!changed || asprintf(&line, "%s\n", changed) < 0) {
		cmd_error("policy: it cannot be put together");
		line = NULL;
	}
	free(changed);
	json_decref(policy);
	return line;
}

static enum cmd_status make_of(const struct arguments *a, const struct socle_evidence *evidence,
			       const char *look_at)
{
	char wrong[SOCLE_ERROR_SIZE];
	char *made = socle_policy_make(evidence, look_at, wrong);
	char *text;
	bool ok;

	if (!made)
		return cmd_error("policy: %s", wrong);
	text = with_rules(made, &a->rules);
	socle_text_free(made);
	ok = text && holds(evidence, text) && write_policy(a->output, text);
	free(text);
	if (ok && !a->quiet)
		fprintf(stderr,
			"socle: policy: this is trust on first use: the policy demands what "
			"this evidence has, and nobody has said that it is right\n");
	return ok ? CMD_OK : CMD_MISUSE;
}

/* Nothing is trusted on first use here: the files are the relying party's. */
static enum cmd_status predict(const struct arguments *a)
{
	json_t *policy = predict_policy(&a->files);
	char *text = NULL, *line = NULL;
	bool ok;

	if (!policy)
		return CMD_MISUSE;
	text = json_dumps(policy, JSON_INDENT(2));
	json_decref(policy);
	if (text && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	free(text);
	ok = line && write_policy(a->output, line);
	free(line);
	return ok ? CMD_OK : CMD_MISUSE;
}

/* Whether an option is given that is about evidence. */
static bool evidence_wanted(const struct arguments *a)
{
	return a->paths.mine || a->look_at || a->rules.at || a->rules.masked_chip ||
	       a->rules.unknown_version;
}

static enum cmd_status make(void *arguments)
{
	const struct arguments *a = arguments;
	enum folder_depth depth = a->look_at ? (enum folder_depth)(a->look_at - 1) : FOLDER_QUOTE;
	struct socle_evidence *evidence;
	enum cmd_status status = CMD_MISUSE;

	if (!a->paths.directory == !predict_wanted(&a->files))
		return cmd_error("policy: give --evidence, or the files of a boot");
	if (!a->paths.directory && evidence_wanted(a))
		return cmd_error("policy: --mine, --report-only, --keys-only, --at and --allow-... "
				 "are for --evidence");
	if (!a->paths.directory)
		return predict(a);
	if (!folder_paths_ok(&a->paths))
		return CMD_MISUSE;
	evidence = folder_load(&a->paths, depth);
	if (evidence)
		status = make_of(a, evidence, depth_names[depth]);
	socle_evidence_free(evidence);
	return status;
}

static const struct option_row option_rows[] = {
	OPTION(struct arguments, paths.directory, "evidence", FOLDER, "DIR",
	       "as `socle verify` reads it"),
	OPTION(struct arguments, files.kernel, "kernel", FILE, "FILE",
	       "without evidence: what a boot with this kernel will measure, as QEMU's -kernel "
	       "gives it "
	       "to the firmware"),
	OPTION(struct arguments, files.initrd, "initrd", FILE, "FILE",
	       "with this first file system"),
	OPTION(struct arguments, files.command_line, "append", TEXT, "TEXT", "and command line"),
	OPTION(struct arguments, files.uki, "uki", FILE, "FILE",
	       "or with this unified kernel, a PE file with systemd's stub"),
	OPTION(struct arguments, files.loader, "loader", FILE, "FILE",
	       "which this loader starts, as systemd-boot"),
	OPTION(struct arguments, files.firmware, "firmware", FILE, "FILE",
	       "and by this OVMF, which the image was built with: what it measures of itself"),
	OPTION(struct arguments, files.firmware_version, "firmware-version", TEXT, "TEXT",
	       "which has this version, where the file does not say it"),
	OPTION(struct arguments, files.image, "image", FILE, "FILE",
	       "under the Socle of this IGVM file, which has that firmware within"),
	OPTION(struct arguments, files.no_secure_boot, "no-secure-boot", FLAG, NULL,
	       "by firmware without keys: secure boot is off, and PCR 7 known"),
	OPTION(struct arguments, paths.mine, "mine", FOLDER, "DIR",
	       "your own folder: nonce.bin, challenge.json, ark.pem, as far as they are needed"),
	OPTION(struct arguments, look_at, "report-only", SET, NULL,
	       "make rules for the report alone", .set = FOLDER_REPORT + 1),
	OPTION(struct arguments, look_at, "keys-only", SET, NULL,
	       "and for the keys of the manifest", .set = FOLDER_KEYS + 1),
	OPTION(struct arguments, rules.at, "at", READ, "TIME",
	       "judge certificates at this time, YYYY-MM-DD[THH:MM:SSZ], not now, and have the "
	       "policy "
	       "say so",
	       .read = rules_read_time),
	OPTION(struct arguments, rules.masked_chip, "allow-masked-chip", FLAG, NULL,
	       "have it accept a report that does not say which chip it is of"),
	OPTION(struct arguments, rules.unknown_version, "allow-unknown-version", FLAG, NULL,
	       "and a later version of the report than 5"),
	OPTION(struct arguments, output, "output", FILE, "FILE",
	       "write it there, not to standard output", .letter = 'o'),
	OPTION(struct arguments, quiet, "quiet", FLAG, NULL, "write nothing but errors",
	       .letter = 'q'),
	{ 0 },
};

static const struct command policy_make = {
	.name = "make",
	.summary = "make a policy that evidence meets",
	.about =
		"Makes a policy (docs/policy.md). With --evidence one that demands what this "
		"evidence has: image, "
		"keys, "
		"chip or cloud, TCB, PCRs. This is trust on first use: the signatures are checked, "
		"and an emulated root has to be yours, but nobody has said that the image is a "
		"good "
		"one. Read it, and take out what may change.\n"
		"With --kernel or --uki one with the rules that such a boot will meet, by the "
		"files alone.",
	.groups = (const struct option_group[]){ { NULL, option_rows }, { 0 } },
	.size = sizeof(struct arguments),
	.defaults = &(const struct arguments){ .rules = { .vmpl = RULES_UNSET,
							  .minimum_svn = RULES_UNSET } },
	.run = make,
};

const struct command cmd_policy = {
	.name = "policy",
	.summary = "make policies for `socle verify`",
	.commands = (const struct command *const[]){ &policy_make, NULL },
};
