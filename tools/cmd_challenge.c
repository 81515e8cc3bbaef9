/* SPDX-License-Identifier: MIT */
/* `socle challenge`: proof that an attestation key is in the TPM of an attested endorsement key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/host/file.h"
#include "tools/cmd.h"
#include "tools/options.h"
#include "tools/verify/rules.h"

#define RECORD_SIZE_MAX (64u << 10)

struct arguments {
	struct folder_paths paths;
	struct rules rules;
	const char *image, *output, *answer;
	bool quiet;
};

/* The relying party's own: a secret is in it, and one that is there is not made another's. */
static bool write_record(const char *path, const struct socle_challenge *challenge)
{
	const char *record = socle_challenge_record(challenge);
	struct host_error error;

	if (file_write_new(path, 0600, record, strlen(record), &error))
		return true;
	cmd_file_error(path, "%s", error.text);
	return false;
}

static bool write_credential(const char *path, const struct socle_challenge *challenge)
{
	struct host_error error;
	size_t size;
	const void *credential = socle_challenge_credential(challenge, &size);

	if (file_write(path, credential, size, &error))
		return true;
	cmd_file_error(path, "%s", error.text);
	return false;
}

/* Both files, or neither. */
static enum cmd_status write_both(const struct arguments *a,
				  const struct socle_challenge *challenge)
{
	struct host_error error;
	char path[FILE_PATH_MAX];

	if (!file_path(path, a->paths.mine, "challenge.json", &error))
		return cmd_file_error(a->paths.mine, "%s", error.text);
	if (!write_record(path, challenge))
		return CMD_MISUSE;
	if (!write_credential(a->output, challenge)) {
		unlink(path);
		return CMD_MISUSE;
	}
	if (!a->quiet)
		printf("%s: for the guest\n%s: yours, show it to nobody\n", a->output, path);
	return fflush(stdout) == 0 ? CMD_OK : cmd_error("challenge: cannot write what was made");
}

static enum cmd_status challenge(const struct arguments *a, const struct socle_policy *policy)
{
	struct socle_evidence *evidence = folder_load_unchallenged(&a->paths);
	struct socle_challenge *made;
	char wrong[SOCLE_ERROR_SIZE];
	enum cmd_status status;

	if (!evidence)
		return CMD_MISUSE;
	made = socle_challenge_make(evidence, policy, wrong);
	status = made ? write_both(a, made) : cmd_error("challenge: %s", wrong);
	socle_challenge_free(made);
	socle_evidence_free(evidence);
	return status;
}

static enum cmd_status make(void *arguments)
{
	struct arguments *a = arguments;
	struct socle_policy *policy;
	enum folder_depth depth;
	enum cmd_status status;

	if (!folder_paths_ok(&a->paths))
		return CMD_MISUSE;
	policy = rules_policy(&a->rules, a->image, &a->paths, &depth);
	if (!policy)
		return CMD_MISUSE;
	status = challenge(a, policy);
	socle_policy_free(policy);
	return status;
}

static const struct option_row make_rows[] = {
	OPTION(struct arguments, paths.mine, "mine", FOLDER, "DIR",
	       "your own folder: nonce.bin, measurement.hex, ark.pem, as far as they are needed; "
	       "challenge.json is made in it, and must not be there yet",
	       .required = true),
	OPTION(struct arguments, output, "output", FILE, "FILE",
	       "write there what the guest is sent, for tpm2_activatecredential", .letter = 'o',
	       .required = true),
	OPTION(struct arguments, rules.file, "policy", FILE, "FILE",
	       "what you demand (docs/policy.md); what it says of PCRs is not looked at yet"),
	OPTION(struct arguments, paths.nonce, "nonce", FILE, "FILE",
	       "the 64 bytes that the guest had to answer"),
	OPTION(struct arguments, image, "image", FILE, "FILE",
	       "the report must measure this IGVM file"),
	OPTION(struct arguments, rules.measurement, "measurement", READ, "HEX",
	       "or have this measurement", .read = option_read_measurement),
	OPTION(struct arguments, rules.emulated, "trust-emulated", FLAG, NULL,
	       "accept the root of an emulated machine that you have: ark.pem in your folder"),
	OPTION(struct arguments, paths.certificates, "certs", FOLDER, "DIR",
	       "read the report's certificates from there"),
	OPTION(struct arguments, rules.crls, "crl", READ, "FILE",
	       "a revocation list of AMD's: no certificate may be revoked", .repeats = true,
	       .read = option_read_crl_file),
	OPTION(struct arguments, rules.at, "at", READ, "TIME",
	       "judge certificates and lists at this time, YYYY-MM-DD[THH:MM:SSZ], not now",
	       .read = rules_read_time),
	OPTION(struct arguments, quiet, "quiet", FLAG, NULL, "write nothing but errors",
	       .letter = 'q'),
	{ 0 },
};

static const struct option_row operands[] = {
	OPTION(struct arguments, paths.directory, "DIRECTORY", FOLDER, NULL, "the evidence"),
	{ 0 },
};

static const struct command challenge_make = {
	.name = "make",
	.summary = "make what only the guest's TPM can answer",
	.about = "Makes a secret for the attestation key in DIRECTORY (ak.pub, a public area as "
		 "tpm2_readpublic -f tss writes it) and the endorsement key of its manifest; of "
		 "several, that of ek.pub. The evidence has to be trusted, as far as `socle verify "
		 "--keys-only` goes. Only a TPM that has both keys gives the secret back.",
	.groups = (const struct option_group[]){ { NULL, make_rows }, { 0 } },
	.operands = operands,
	.size = sizeof(struct arguments),
	.defaults = &(const struct arguments){ .rules = { .vmpl = RULES_UNSET,
							  .minimum_svn = RULES_UNSET } },
	.run = make,
};

static bool read_in(const char *given, const char *directory, const char *name,
		    struct file_bytes *bytes)
{
	struct host_error error;
	char path[FILE_PATH_MAX];

	if (given)
		return cmd_read_file(given, RECORD_SIZE_MAX, bytes);
	if (file_path(path, directory, name, &error))
		return cmd_read_file(path, RECORD_SIZE_MAX, bytes);
	cmd_file_error(directory, "%s", error.text);
	return false;
}

static enum cmd_status judge(const struct arguments *a, const struct file_bytes *record,
			     const struct file_bytes *answer)
{
	char wrong[SOCLE_ERROR_SIZE];
	bool right;

	if (!socle_challenge_open(record->data, record->size, answer->data, answer->size, &right,
				  wrong))
		return cmd_error("challenge: challenge.json: %s", wrong);
	if (!a->quiet)
		puts(right ? "right: the TPM has both keys" : "wrong: it is not the secret");
	if (fflush(stdout) != 0)
		return cmd_error("challenge: cannot write the verdict");
	return right ? CMD_OK : (enum cmd_status)SOCLE_REFUSED_BINDING;
}

static enum cmd_status open_answer(void *arguments)
{
	const struct arguments *a = arguments;
	struct file_bytes record = { 0 }, answer = { 0 };
	enum cmd_status status = CMD_MISUSE;

	if (folder_paths_ok(&a->paths) && read_in(NULL, a->paths.mine, "challenge.json", &record) &&
	    read_in(a->answer, a->paths.directory, "answer.bin", &answer))
		status = judge(a, &record, &answer);
	if (record.data)
		explicit_bzero(record.data, record.size);
	file_free(&record);
	file_free(&answer);
	return status;
}

static const struct option_row open_rows[] = {
	OPTION(struct arguments, paths.mine, "mine", FOLDER, "DIR",
	       "your own folder, with the challenge.json that `socle challenge make` left in it",
	       .required = true),
	OPTION(struct arguments, answer, "answer", FILE, "FILE",
	       "what the guest's TPM gave back, if it is not DIRECTORY's answer.bin"),
	OPTION(struct arguments, quiet, "quiet", FLAG, NULL, "write nothing but errors",
	       .letter = 'q'),
	{ 0 },
};

static const struct option_status open_statuses[] = {
	{ CMD_OK, "the answer is right" },
	{ CMD_MISUSE, "misuse or unreadable file" },
	{ SOCLE_REFUSED_BINDING, "the answer is wrong" },
	{ 0 },
};

static const struct command challenge_open = {
	.name = "open",
	.summary = "say whether an answer is right",
	.about =
		"Compares the answer of a guest with the secret that it was sent, in constant "
		"time. "
		"That it is right says nothing yet of what the key signed: `socle verify` with the "
		"same folders looks at that, and at the answer again.",
	.groups = (const struct option_group[]){ { NULL, open_rows }, { 0 } },
	.operands = operands,
	.statuses = open_statuses,
	.size = sizeof(struct arguments),
	.run = open_answer,
};

const struct command cmd_challenge = {
	.name = "challenge",
	.summary = "have a guest prove which keys its TPM has",
	.commands = (const struct command *const[]){ &challenge_make, &challenge_open, NULL },
};
