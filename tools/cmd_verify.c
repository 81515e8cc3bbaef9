/* SPDX-License-Identifier: MIT */
/* `socle verify`: decides, offline, whether gathered evidence is to be trusted. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "abi/tpm.h"
#include "core/base/hex.h"
#include "core/base/number.h"
#include "tools/cmd.h"
#include "tools/options.h"
#include "tools/verify/checks.h"
#include "tools/verify/policy.h"

#define PCR_COUNT 24u
#define VMPL_MAX 3u

struct options {
	struct evidence_paths paths;
	struct policy policy;
	const char *image;
	bool json, quiet;
	bool judged; /* the verdict was written, or could not be */
};

static const struct pcr_bank {
	const char *name;
	uint16_t bank;
	size_t size;
} pcr_banks[] = {
	{ "sha256:", TPM_ALG_SHA256, 32 },
	{ "sha384:", TPM_ALG_SHA384, 48 },
};

static const struct pcr_bank *find_bank(const char *text)
{
	for (size_t i = 0; i < sizeof(pcr_banks) / sizeof(pcr_banks[0]); i++) {
		if (strncmp(text, pcr_banks[i].name, strlen(pcr_banks[i].name)) == 0)
			return &pcr_banks[i];
	}
	return NULL;
}

/* BANK:N=HEX, for one more PCR of the policy. */
static const char *read_pcr(void *to, char *text)
{
	static const char wants[] = "BANK:N=HEX, each PCR of a bank once";
	struct policy *policy = to;
	struct expected_pcr *expected = &policy->pcrs[policy->pcr_count];
	const struct pcr_bank *bank = find_bank(text);
	const char *value = strchr(text, '=');
	uint64_t pcr;

	if (policy->pcr_count == CHECK_PCRS_MAX || !bank || !value)
		return wants;
	text += strlen(bank->name);
	if (value < text ||
	    !number_read(text, (size_t)(value - text), NUMBER_DECIMAL, 0, PCR_COUNT - 1, &pcr))
		return wants;
	*expected = (struct expected_pcr){ .bank = bank->bank,
					   .pcr = (unsigned int)pcr,
					   .size = bank->size };
	if (!hex_read(value + 1, expected->value, expected->size))
		return wants;
	policy->pcr_count++;
	return NULL;
}

static const char *read_cert_chain(void *to, char *path)
{
	struct evidence_paths *paths = to;

	paths->ark = paths->ask = paths->asvk = path;
	return NULL;
}

static const struct option_row option_rows[] = {
	OPTION(struct options, paths.mine, "mine", FOLDER, "DIR",
	       "your own folder, with as much of this as you have: nonce.bin, challenge.json, "
	       "measurement.hex, ark.pem"),
	OPTION(struct options, paths.nonce, "nonce", FILE, "FILE",
	       "the 64 bytes that the guest had to answer"),
	OPTION(struct options, paths.challenge, "challenge", FILE, "FILE",
	       "your record of the challenge that you sent it, if you did"),
	OPTION(struct options, image, "image", FILE, "FILE",
	       "the report must measure this IGVM file"),
	OPTION(struct options, policy, "measurement", READ, "HEX", "or have this measurement",
	       .read = policy_read_measurement),
	OPTION(struct options, policy.trust_emulated, "trust-emulated", FLAG, NULL,
	       "accept the root of an emulated machine that you have: ark.pem in your folder, or "
	       "--ark"),
	OPTION(struct options, policy.depth, "report-only", SET, NULL,
	       "look at the report and its certificates alone", .set = EVIDENCE_REPORT),
	OPTION(struct options, policy.depth, "keys-only", SET, NULL,
	       "and at the manifest: which keys it attests, without a quote", .set = EVIDENCE_KEYS),
	OPTION(struct options, paths.certificates, "certs", FOLDER, "DIR",
	       "read ark.pem, ask.pem, vcek.pem (of a report by a VLEK: ark.pem, asvk.pem, "
	       "vlek.pem), or certs.bin for those that are missing, from there"),
	OPTION(struct options, paths.report, "report", FILE, "FILE",
	       "read this report instead of DIRECTORY's"),
	OPTION(struct options, paths.ark, "ark", FILE, "FILE",
	       "and this certificate of AMD's root"),
	OPTION(struct options, paths.ask, "ask", FILE, "FILE", "of what signs VCEKs"),
	OPTION(struct options, paths.vcek, "vcek", FILE, "FILE", "of the chip"),
	OPTION(struct options, paths.asvk, "asvk", FILE, "FILE", "of what signs VLEKs"),
	OPTION(struct options, paths.vlek, "vlek", FILE, "FILE", "of the cloud"),
	OPTION(struct options, paths, "cert-chain", READ, "FILE",
	       "AMD's cert_chain, in any order: read ARK and ASK (or ASVK) from it",
	       .read = read_cert_chain),
	OPTION(struct options, policy, "crl", READ, "FILE",
	       "a revocation list of AMD's (of each: product, VCEKs and VLEKs): no certificate may "
	       "be revoked",
	       .repeats = true, .read = policy_read_crl_file),
	OPTION(struct options, policy.at, "at", READ, "TIME",
	       "judge certificates and lists at this time, YYYY-MM-DD[THH:MM:SSZ], not now",
	       .read = policy_read_time),
	OPTION(struct options, policy.csp_id, "csp-id", TEXT, "ID",
	       "the report must be by the VLEK of this cloud"),
	OPTION(struct options, policy.allow_masked_chip, "allow-masked-chip", FLAG, NULL,
	       "accept a report that does not say which chip it is of"),
	OPTION(struct options, policy.allow_unknown_version, "allow-unknown-version", FLAG, NULL,
	       "accept a later version of the report than 5"),
	OPTION(struct options, policy.vmpl, "vmpl", NUMBER, "N",
	       "with --report-only: the report must be of this VMPL, not of 0", .most = VMPL_MAX),
	OPTION(struct options, paths.ek_certificate, "ek-cert", FILE, "FILE",
	       "a certificate that must be for an EK of the manifest; with --ca"),
	OPTION(struct options, paths.ca, "ca", FILE, "FILE",
	       "the authorities that may have issued it"),
	OPTION(struct options, policy.minimum_tcb, "minimum-tcb", READ,
	       "FMC,BOOTLOADER,TEE,SNP,MICROCODE", "the least TCB to accept, each 0 to 255",
	       .read = policy_read_tcb),
	OPTION(struct options, policy, "pcr", READ, "BANK:N=HEX",
	       "PCR N of this bank (sha256, sha384) must have this value", .repeats = true,
	       .read = read_pcr),
	OPTION(struct options, json, "json", FLAG, NULL,
	       "write the verdict as JSON (docs/verdict.schema.json), one object also where there "
	       "is none"),
	OPTION(struct options, quiet, "quiet", FLAG, NULL, "write nothing but errors",
	       .letter = 'q'),
	{ 0 },
};

/* The measurement to expect: of an image, a number, or what the relying party's folder says. */
static bool find_measurement(struct options *o)
{
	struct policy *policy = &o->policy;

	if (o->image && policy->has_measurement) {
		cmd_error("--image and --measurement exclude each other");
		return false;
	}
	if (policy->has_measurement)
		return true;
	if (o->image)
		policy->has_measurement = policy_measure_image(o->image, policy->measurement);
	else if (evidence_has_measurement(&o->paths))
		policy->has_measurement = evidence_load_measurement(&o->paths, policy->measurement);
	else if (policy->depth == EVIDENCE_REPORT)
		return true;
	else
		cmd_file_error("measurement.hex",
			       "it has to be yours, not the guest's: give --image FILE, "
			       "--measurement HEX, or --mine DIR with it");
	return policy->has_measurement;
}

static const char *verdict_text(const struct verdict *verdict)
{
	if (verdict->first_failure)
		return "refused";
	return verdict->emulated ? "trusted (emulated)" : "trusted";
}

static json_t *json_hex_string(const void *data, size_t size)
{
	char text[HEX_TEXT_SIZE(64)];

	hex_write(text, data, size);
	return json_string(text);
}

static json_t *json_policy_bits(uint64_t policy)
{
	json_t *list = json_array();

	for (unsigned int bit = 0; bit < 64; bit++) {
		const char *name = policy >> bit & 1 ? report_policy_bit(bit) : NULL;

		if (name)
			json_array_append_new(list, json_string(name));
	}
	return list;
}

/* What the certificate of the report's key says, as far as it says it. */
static json_t *json_signer(const struct evidence *evidence, const struct amd_signer_info *signer)
{
	bool vlek = evidence->chain.key == REPORT_KEY_VLEK;

	return json_pack("{s:s, s:s*, s:s*}", "kind", vlek ? "vlek" : "vcek", "product",
			 signer->product_name[0] ? signer->product_name : NULL, "csp_id",
			 signer->csp_id[0] ? signer->csp_id : NULL);
}

static json_t *json_report(const struct psp_report *report)
{
	return json_pack(
		"{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "version", (json_int_t)report->version,
		"vmpl", (json_int_t)report->vmpl, "policy",
		json_sprintf("%016llx", (unsigned long long)report->policy), "policy_bits",
		json_policy_bits(report->policy), "reported_tcb",
		json_sprintf("%016llx", (unsigned long long)report->reported_tcb), "measurement",
		json_hex_string(report->measurement, sizeof(report->measurement)), "report_data",
		json_hex_string(report->report_data, sizeof(report->report_data)), "chip_id",
		json_hex_string(report->chip_id, sizeof(report->chip_id)));
}

static json_t *json_bindings(const struct verdict *verdict)
{
	json_t *list = json_array();

	for (size_t i = 0; i < verdict->binding_count; i++)
		json_array_append_new(list, json_string(verdict->bindings[i]));
	return list;
}

static bool print_json(const struct evidence *evidence, const struct verdict *verdict,
		       enum cmd_status status)
{
	json_t *list = json_array();
	json_t *root;
	bool ok;

	for (size_t i = 0; i < verdict->count; i++) {
		const struct check_result *r = &verdict->results[i];

		json_array_append_new(list,
				      json_pack("{s:s, s:i, s:s, s:s*}", "name", r->name, "class",
						(int)r->class, "result", r->error ? "fail" : "pass",
						"error", r->error));
	}
	root = json_pack("{s:i, s:s, s:b, s:i, s:s*, s:s*, s:o, s:o, s:o, s:o}", "format", 1,
			 "verdict", verdict->first_failure ? "refused" : "trusted", "emulated",
			 verdict->emulated, "status", (int)status, "failed",
			 verdict->first_failure ? verdict->first_failure->name : NULL, "binding",
			 verdict->bindings[0], "bindings", json_bindings(verdict), "report",
			 json_report(&evidence->report), "signer",
			 json_signer(evidence, &verdict->signer), "checks", list);
	ok = root && json_dumpf(root, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF;
	json_decref(root);
	return ok;
}

static void print_text(const struct verdict *verdict)
{
	for (size_t i = 0; i < verdict->count; i++) {
		const struct check_result *r = &verdict->results[i];

		printf("  %-4s  %-18s  %s\n", r->error ? "FAIL" : "ok", r->name,
		       r->error ? r->error : "");
	}
	for (size_t i = 0; i < verdict->binding_count; i++)
		printf("%s%s", i ? ", " : "binding: ", verdict->bindings[i]);
	printf("%sverdict: %s\n", verdict->binding_count ? "\n" : "", verdict_text(verdict));
}

/* A verdict that cannot be written must not look like one that was. */
static bool print(const struct options *o, const struct evidence *evidence,
		  const struct verdict *verdict, enum cmd_status status)
{
	if (o->json && !print_json(evidence, verdict, status))
		return false;
	if (!o->json && !o->quiet)
		print_text(verdict);
	return fflush(stdout) == 0 && !ferror(stdout);
}

/* With --json, wherever it stands, there is exactly one object, even when arguments are wrong. */
static bool asks_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--json") == 0)
			return true;
	}
	return false;
}

static void print_json_error(void)
{
	json_t *error = json_string(cmd_last_error());
	json_t *root;

	if (!error) /* it was not UTF-8 */
		error = json_string("the reason is no text: see the standard error");
	root = json_pack("{s:i, s:s, s:i, s:o, s:[], s:[]}", "format", 1, "verdict", "error",
			 "status", CMD_MISUSE, "error", error, "bindings", "checks");
	if (root && json_dumpf(root, stdout, JSON_INDENT(2)) == 0)
		putchar('\n');
	json_decref(root);
	fflush(stdout);
}

static void refused(int argc, char **argv)
{
	if (asks_json(argc, argv))
		print_json_error();
}

/* The evidence; on failure nothing is left to free. */
static bool load(struct options *o, struct evidence *evidence)
{
	if (evidence_load(evidence, &o->paths, o->policy.depth))
		return true;
	evidence_free(evidence);
	return false;
}

static enum cmd_status verify(struct options *o)
{
	struct evidence evidence;
	struct verdict verdict;
	enum cmd_status status;

	if (!evidence_paths_ok(&o->paths) || !find_measurement(o) ||
	    !policy_load_crls(&o->policy) || !load(o, &evidence))
		return CMD_MISUSE;
	checks_run(&evidence, &o->policy, &verdict);
	status = verdict.first_failure ? (enum cmd_status)verdict.first_failure->class : CMD_OK;
	o->judged = true;
	if (!print(o, &evidence, &verdict, status))
		status = cmd_error("verify: cannot write the verdict");
	evidence_free(&evidence);
	return status;
}

/* Options that do not go together. */
static bool check_options(const struct options *o)
{
	const char *wrong = NULL;

	if (!o->paths.ek_certificate != !o->paths.ca)
		wrong = "--ek-cert and --ca belong together";
	else if (o->paths.ek_certificate && o->policy.depth == EVIDENCE_REPORT)
		wrong = "--ek-cert and --report-only exclude each other";
	else if (o->policy.pcr_count && o->policy.depth != EVIDENCE_FULL)
		wrong = "--pcr needs a quote, which was not to be looked at";
	else if (o->policy.vmpl && o->policy.depth != EVIDENCE_REPORT)
		wrong = "--vmpl needs --report-only: what a manifest says rests on VMPL 0";
	if (wrong)
		cmd_error("verify: %s", wrong);
	return !wrong;
}

static enum cmd_status run(void *arguments)
{
	struct options *o = arguments;
	enum cmd_status status = check_options(o) ? verify(o) : CMD_MISUSE;

	if (status == CMD_MISUSE && o->json && !o->judged)
		print_json_error();
	policy_free(&o->policy);
	return status;
}

static const struct option_row operands[] = {
	OPTION(struct options, paths.directory, "DIRECTORY", FOLDER, NULL, "the evidence"),
	{ 0 },
};

static const struct option_status statuses[] = {
	{ CMD_OK, "trusted" },
	{ CMD_MISUSE, "misuse or unreadable file" },
	{ CHECK_CHAIN, "signature or chain" },
	{ CHECK_REPORT, "report content" },
	{ CHECK_MEASUREMENT, "measurement" },
	{ CHECK_BINDING, "binding of nonce, context, manifest and keys" },
	{ CHECK_QUOTE, "quote" },
	{ 0 },
};

const struct command cmd_verify = {
	.name = "verify",
	.summary = "decide whether evidence is to be trusted",
	.about = "Decides whether the evidence that a guest left in DIRECTORY is to be trusted. "
		 "Needs no network. What it decides by is yours: it comes from these options "
		 "alone, whatever "
		 "lies in DIRECTORY.",
	.groups = (const struct option_group[]){ { NULL, option_rows }, { 0 } },
	.operands = operands,
	.statuses = statuses,
	.defaults = &(const struct options){ .policy.depth = EVIDENCE_FULL },
	.size = sizeof(struct options),
	.run = run,
	.refused = refused,
};
