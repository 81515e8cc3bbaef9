/* SPDX-License-Identifier: MIT */
/* `socle verify`: decides, offline, whether gathered evidence is to be trusted. */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "abi/tpm.h"
#include "core/base/hex.h"
#include "core/base/number.h"
#include "tools/cmd.h"
#include "tools/verify/checks.h"
#include "tools/verify/policy.h"

#define PCR_COUNT 24u

enum option_id {
	OPT_ALLOW_MASKED_CHIP = 256,
	OPT_ALLOW_UNKNOWN_VERSION,
	OPT_ARK,
	OPT_ASK,
	OPT_ASVK,
	OPT_AT,
	OPT_CA,
	OPT_CERTS,
	OPT_CERT_CHAIN,
	OPT_CSP_ID,
	OPT_EK_CERT,
	OPT_IMAGE,
	OPT_JSON,
	OPT_KEYS_ONLY,
	OPT_MEASUREMENT,
	OPT_MINIMUM_TCB,
	OPT_PCR,
	OPT_REPORT,
	OPT_REPORT_ONLY,
	OPT_TRUST_EMULATED,
	OPT_VCEK,
	OPT_VLEK,
	OPT_VMPL,
};

static const struct option long_options[] = {
	{ "allow-masked-chip", no_argument, NULL, OPT_ALLOW_MASKED_CHIP },
	{ "allow-unknown-version", no_argument, NULL, OPT_ALLOW_UNKNOWN_VERSION },
	{ "ark", required_argument, NULL, OPT_ARK },
	{ "ask", required_argument, NULL, OPT_ASK },
	{ "asvk", required_argument, NULL, OPT_ASVK },
	{ "at", required_argument, NULL, OPT_AT },
	{ "ca", required_argument, NULL, OPT_CA },
	{ "cert-chain", required_argument, NULL, OPT_CERT_CHAIN },
	{ "certs", required_argument, NULL, OPT_CERTS },
	{ "csp-id", required_argument, NULL, OPT_CSP_ID },
	{ "ek-cert", required_argument, NULL, OPT_EK_CERT },
	{ "help", no_argument, NULL, 'h' },
	{ "image", required_argument, NULL, OPT_IMAGE },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "keys-only", no_argument, NULL, OPT_KEYS_ONLY },
	{ "measurement", required_argument, NULL, OPT_MEASUREMENT },
	{ "minimum-tcb", required_argument, NULL, OPT_MINIMUM_TCB },
	{ "pcr", required_argument, NULL, OPT_PCR },
	{ "quiet", no_argument, NULL, 'q' },
	{ "report", required_argument, NULL, OPT_REPORT },
	{ "report-only", no_argument, NULL, OPT_REPORT_ONLY },
	{ "trust-emulated", no_argument, NULL, OPT_TRUST_EMULATED },
	{ "vcek", required_argument, NULL, OPT_VCEK },
	{ "vlek", required_argument, NULL, OPT_VLEK },
	{ "vmpl", required_argument, NULL, OPT_VMPL },
	{ 0 },
};

static const char usage[] =
	"usage: socle verify [OPTION]... DIRECTORY\n"
	"\n"
	"Decides whether the evidence in DIRECTORY is to be trusted. Needs no network.\n"
	"\n"
	"  --image FILE          the report must measure this IGVM file\n"
	"  --measurement HEX     or have this measurement (default: DIRECTORY/measurement.hex)\n"
	"  --trust-emulated      accept the root of an emulated machine: yours, in ark.pem or\n"
	"                        --ark, not the guest's in certs.bin\n"
	"  --report-only         look at the report and its certificates alone\n"
	"  --keys-only           and at the manifest: which keys it attests, without a quote\n"
	"  --certs DIR           read ark.pem, ask.pem, vcek.pem (of a report by a VLEK: ark.pem,\n"
	"                        asvk.pem, vlek.pem), or certs.bin for those that are missing,\n"
	"                        from there\n"
	"  --report, --ark, --ask, --vcek, --asvk, --vlek FILE\n"
	"                        read these instead of DIRECTORY's\n"
	"  --cert-chain FILE     AMD's cert_chain, in any order: read ARK and ASK (or ASVK) from "
	"it\n"
	"  --at TIME             judge certificates at this time, YYYY-MM-DD[THH:MM:SSZ], not now\n"
	"  --csp-id ID           the report must be by the VLEK of this cloud\n"
	"  --allow-masked-chip   accept a report that does not say which chip it is of\n"
	"  --allow-unknown-version\n"
	"                        accept a later version of the report than 5\n"
	"  --vmpl N              with --report-only: the report must be of this VMPL (0)\n"
	"  --ek-cert FILE --ca FILE\n"
	"                        a certificate that must be for an EK of the manifest, and the\n"
	"                        authorities that may have issued it\n"
	"  --minimum-tcb FMC,BOOTLOADER,TEE,SNP,MICROCODE\n"
	"                        the least TCB to accept, each 0 to 255\n"
	"  --pcr BANK:N=HEX      PCR N of this bank (sha256, sha384) must have this value\n"
	"  --json                write the verdict as JSON (docs/verdict.schema.json), one object\n"
	"                        also where there is none\n"
	"  -q, --quiet           write nothing but errors\n"
	"\n"
	"Exit status: 0 trusted, 1 misuse or unreadable file, 2 signature or chain, 3 report\n"
	"content, 4 measurement, 5 binding of nonce, context, manifest and keys, 6 quote.\n";

struct options {
	struct evidence_paths paths;
	struct policy policy;
	const char *image;
	bool json, quiet;
	bool judged; /* the verdict was written, or could not be */
};

#define VMPL_MAX 3u

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

/* BANK:N=HEX */
static bool parse_pcr(const char *text, struct policy *policy)
{
	struct expected_pcr *expected = &policy->pcrs[policy->pcr_count];
	const struct pcr_bank *bank = find_bank(text);
	const char *value = strchr(text, '=');
	uint64_t pcr;

	if (policy->pcr_count == CHECK_PCRS_MAX || !bank || !value)
		return false;
	text += strlen(bank->name);
	if (value < text ||
	    !number_read(text, (size_t)(value - text), NUMBER_DECIMAL, 0, PCR_COUNT - 1, &pcr))
		return false;
	*expected = (struct expected_pcr){ .bank = bank->bank,
					   .pcr = (unsigned int)pcr,
					   .size = bank->size };
	if (!hex_read(value + 1, expected->value, expected->size))
		return false;
	policy->pcr_count++;
	return true;
}

/* The options that say where a part of the evidence is; false when id is none of them. */
static bool take_path(struct evidence_paths *paths, int id)
{
	switch (id) {
	case OPT_ARK:
		paths->ark = optarg;
		return true;
	case OPT_ASK:
		paths->ask = optarg;
		return true;
	case OPT_ASVK:
		paths->asvk = optarg;
		return true;
	case OPT_CA:
		paths->ca = optarg;
		return true;
	case OPT_CERT_CHAIN:
		paths->ark = paths->ask = paths->asvk = optarg;
		return true;
	case OPT_CERTS:
		paths->certificates = optarg;
		return true;
	case OPT_EK_CERT:
		paths->ek_certificate = optarg;
		return true;
	case OPT_REPORT:
		paths->report = optarg;
		return true;
	case OPT_VCEK:
		paths->vcek = optarg;
		return true;
	case OPT_VLEK:
		paths->vlek = optarg;
		return true;
	default:
		return false;
	}
}

static int take_vmpl(struct policy *policy)
{
	uint64_t vmpl;

	if (!cmd_number(optarg, 0, VMPL_MAX, &vmpl))
		return cmd_error("--vmpl wants a number, 0 to %u", VMPL_MAX);
	policy->vmpl = (uint32_t)vmpl;
	return CMD_OK;
}

static int take_option(int id, struct options *o)
{
	if (take_path(&o->paths, id))
		return CMD_OK;
	switch (id) {
	case OPT_ALLOW_MASKED_CHIP:
		o->policy.allow_masked_chip = true;
		break;
	case OPT_ALLOW_UNKNOWN_VERSION:
		o->policy.allow_unknown_version = true;
		break;
	case OPT_AT:
		if (!policy_parse_time(optarg, &o->policy.at))
			return cmd_error("--at wants YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ, not "
					 "\"%s\"",
					 optarg);
		break;
	case OPT_CSP_ID:
		o->policy.csp_id = optarg;
		break;
	case OPT_IMAGE:
		o->image = optarg;
		break;
	case OPT_JSON:
		o->json = true;
		break;
	case OPT_MEASUREMENT:
		o->policy.has_measurement = true;
		if (!hex_read(optarg, o->policy.measurement, PSP_MEASUREMENT_SIZE))
			return cmd_error("--measurement wants %u hexadecimal digits",
					 2 * PSP_MEASUREMENT_SIZE);
		break;
	case OPT_MINIMUM_TCB:
		if (!policy_parse_tcb(optarg, &o->policy.minimum_tcb))
			return cmd_error("--minimum-tcb wants five numbers, 0 to 255");
		break;
	case OPT_PCR:
		if (!parse_pcr(optarg, &o->policy))
			return cmd_error("--pcr wants BANK:N=HEX, not \"%s\"", optarg);
		break;
	case OPT_KEYS_ONLY:
		o->policy.depth = EVIDENCE_KEYS;
		break;
	case OPT_REPORT_ONLY:
		o->policy.depth = EVIDENCE_REPORT;
		break;
	case OPT_TRUST_EMULATED:
		o->policy.trust_emulated = true;
		break;
	case OPT_VMPL:
		return take_vmpl(&o->policy);
	case 'q':
		o->quiet = true;
		break;
	}
	return CMD_OK;
}

/* Where the expected measurement comes from: an image, a number, or the evidence's own record. */
static bool find_measurement(struct options *o)
{
	if (o->image && o->policy.has_measurement) {
		cmd_error("--image and --measurement exclude each other");
		return false;
	}
	if (o->image)
		o->policy.has_measurement = policy_measure_image(o->image, o->policy.measurement);
	else if (!o->policy.has_measurement && o->policy.depth != EVIDENCE_REPORT)
		o->policy.has_measurement = evidence_load_measurement(&o->paths,
								      o->policy.measurement);
	else
		return true;
	return o->policy.has_measurement;
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

static bool print_json(const struct evidence *evidence, const struct verdict *verdict, int status)
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
			 verdict->emulated, "status", status, "failed",
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

/* A verdict that nobody gets is none. */
static bool print(const struct options *o, const struct evidence *evidence,
		  const struct verdict *verdict, int status)
{
	if (o->json && !print_json(evidence, verdict, status))
		return false;
	if (!o->json && !o->quiet)
		print_text(verdict);
	return fflush(stdout) == 0 && !ferror(stdout);
}

/* Whoever asked for JSON gets one object, whatever went wrong, wherever --json stands. */
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

	if (!error) /* it had bytes that are no UTF-8 */
		error = json_string("the reason is no text: see the standard error");
	root = json_pack("{s:i, s:s, s:i, s:o, s:[], s:[]}", "format", 1, "verdict", "error",
			 "status", CMD_MISUSE, "error", error, "bindings", "checks");
	if (root && json_dumpf(root, stdout, JSON_INDENT(2)) == 0)
		putchar('\n');
	json_decref(root);
	fflush(stdout);
}

static int verify(struct options *o)
{
	struct evidence evidence;
	struct verdict verdict;
	int status;

	if (!find_measurement(o))
		return CMD_MISUSE;
	if (!evidence_load(&evidence, &o->paths, o->policy.depth)) {
		evidence_free(&evidence);
		return CMD_MISUSE;
	}
	checks_run(&evidence, &o->policy, &verdict);
	status = verdict.first_failure ? (int)verdict.first_failure->class : CMD_OK;
	o->judged = true;
	if (!print(o, &evidence, &verdict, status))
		status = cmd_error("verify: cannot write the verdict");
	evidence_free(&evidence);
	return status;
}

static int verify_arguments(int argc, char **argv, struct options *o)
{
	int id, status;

	opterr = 0;
	while ((id = getopt_long(argc, argv, "hq", long_options, NULL)) != -1) {
		if (id == 'h') {
			fputs(usage, stdout);
			return CMD_OK;
		}
		if (id == '?')
			return cmd_bad_option("verify", argc, argv);
		status = take_option(id, o);
		if (status != CMD_OK)
			return status;
	}
	if (optind + 1 != argc)
		return cmd_error("verify wants one directory; see `socle verify --help`");
	if (!o->paths.ek_certificate != !o->paths.ca)
		return cmd_error("--ek-cert and --ca belong together");
	if (o->paths.ek_certificate && o->policy.depth == EVIDENCE_REPORT)
		return cmd_error("--ek-cert and --report-only exclude each other");
	if (o->policy.pcr_count && o->policy.depth != EVIDENCE_FULL)
		return cmd_error("--pcr needs a quote, which was not to be looked at");
	if (o->policy.vmpl && o->policy.depth != EVIDENCE_REPORT)
		return cmd_error(
			"--vmpl needs --report-only: what a manifest says rests on VMPL 0");
	o->paths.directory = argv[optind];
	return verify(o);
}

int cmd_verify(int argc, char **argv)
{
	struct options options = { .policy.depth = EVIDENCE_FULL };
	bool json = asks_json(argc, argv);
	int status = verify_arguments(argc, argv, &options);

	if (status == CMD_MISUSE && json && !options.judged)
		print_json_error();
	return status;
}
