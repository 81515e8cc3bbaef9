/* SPDX-License-Identifier: MIT */
/* `socle verify`: decides, offline, whether gathered evidence is to be trusted. */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tools/cmd.h"
#include "tools/verify/checks.h"
#include "tools/verify/policy.h"

enum option_id {
	OPT_ARK = 256,
	OPT_ASK,
	OPT_CA,
	OPT_CERTS,
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
};

static const struct option long_options[] = {
	{ "ark", required_argument, NULL, OPT_ARK },
	{ "ask", required_argument, NULL, OPT_ASK },
	{ "ca", required_argument, NULL, OPT_CA },
	{ "certs", required_argument, NULL, OPT_CERTS },
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
	{ 0 },
};

static const char usage[] =
	"usage: socle verify [OPTION]... DIRECTORY\n"
	"\n"
	"Decides whether the evidence in DIRECTORY is to be trusted. Needs no network.\n"
	"\n"
	"  --image FILE          the report must measure this IGVM file\n"
	"  --measurement HEX     or have this measurement (default: DIRECTORY/measurement.hex)\n"
	"  --trust-emulated      accept the roots of the emulated machine\n"
	"  --report-only         look at the report and its certificates alone\n"
	"  --keys-only           and at the manifest: which keys it attests, without a quote\n"
	"  --certs DIR           read ark.pem, ask.pem and vcek.pem from there\n"
	"  --report, --ark, --ask, --vcek FILE\n"
	"                        read these instead of DIRECTORY's\n"
	"  --ek-cert FILE --ca FILE\n"
	"                        a certificate that must be for an EK of the manifest, and the\n"
	"                        authorities that may have issued it\n"
	"  --minimum-tcb FMC,BOOTLOADER,TEE,SNP,MICROCODE\n"
	"                        the least TCB to accept, each 0 to 255\n"
	"  --pcr BANK:N=HEX      PCR N of this bank (sha256, sha384) must have this value\n"
	"  --json                write the verdict as JSON\n"
	"  -q, --quiet           write nothing but errors\n"
	"\n"
	"Exit status: 0 trusted, 1 misuse or unreadable file, 2 signature or chain, 3 report\n"
	"content, 4 measurement, 5 binding of nonce, context, manifest and keys, 6 quote.\n";

struct options {
	struct evidence_paths paths;
	struct policy policy;
	const char *image;
	bool json, quiet;
};

static bool parse_pcr(const char *text, struct policy *policy)
{
	struct expected_pcr *expected = &policy->pcrs[policy->pcr_count];
	const char *value = strchr(text, '=');
	int used = 0;

	if (policy->pcr_count == CHECK_PCRS_MAX || !value)
		return false;
	*expected = (struct expected_pcr){ .bank = TPM_ALG_SHA256, .size = 32 };
	if (sscanf(text, "sha256:%2u=%n", &expected->pcr, &used) != 1 || !used) {
		expected->bank = TPM_ALG_SHA384;
		expected->size = 48;
		if (sscanf(text, "sha384:%2u=%n", &expected->pcr, &used) != 1 || !used)
			return false;
	}
	if (expected->pcr >= 24 || !evidence_hex(value + 1, expected->value, expected->size))
		return false;
	policy->pcr_count++;
	return true;
}

static int take_option(int id, struct options *o)
{
	switch (id) {
	case OPT_ARK:
		o->paths.ark = optarg;
		break;
	case OPT_ASK:
		o->paths.ask = optarg;
		break;
	case OPT_CA:
		o->paths.ca = optarg;
		break;
	case OPT_CERTS:
		o->paths.certificates = optarg;
		break;
	case OPT_EK_CERT:
		o->paths.ek_certificate = optarg;
		break;
	case OPT_IMAGE:
		o->image = optarg;
		break;
	case OPT_JSON:
		o->json = true;
		break;
	case OPT_MEASUREMENT:
		o->policy.has_measurement = true;
		if (!evidence_hex(optarg, o->policy.measurement, PSP_MEASUREMENT_SIZE))
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
	case OPT_REPORT:
		o->paths.report = optarg;
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
	case OPT_VCEK:
		o->paths.vcek = optarg;
		break;
	case 'q':
		o->quiet = true;
		break;
	default:
		return cmd_error("verify: unknown option or missing value; see "
				 "`socle verify --help`");
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
	const uint8_t *bytes = data;
	char text[2 * 64 + 1];

	for (size_t i = 0; i < size; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return json_string(text);
}

static json_t *json_report(const struct psp_report *report)
{
	return json_pack(
		"{s:i, s:i, s:o, s:o, s:o, s:o, s:o}", "version", (int)report->version, "vmpl",
		(int)report->vmpl, "policy",
		json_sprintf("%016llx", (unsigned long long)report->policy), "reported_tcb",
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

static void print_json(const struct evidence *evidence, const struct verdict *verdict, int status)
{
	json_t *list = json_array();
	json_t *root;

	for (size_t i = 0; i < verdict->count; i++) {
		const struct check_result *r = &verdict->results[i];

		json_array_append_new(list,
				      json_pack("{s:s, s:i, s:s, s:s*}", "name", r->name, "class",
						(int)r->class, "result", r->error ? "fail" : "pass",
						"error", r->error));
	}
	root = json_pack("{s:i, s:s, s:b, s:i, s:s*, s:s*, s:o, s:o, s:o}", "format", 1, "verdict",
			 verdict->first_failure ? "refused" : "trusted", "emulated",
			 verdict->emulated, "status", status, "failed",
			 verdict->first_failure ? verdict->first_failure->name : NULL, "binding",
			 verdict->bindings[0], "bindings", json_bindings(verdict), "report",
			 json_report(&evidence->report), "checks", list);
	json_dumpf(root, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(root);
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
	if (o->json)
		print_json(&evidence, &verdict, status);
	else if (!o->quiet)
		print_text(&verdict);
	evidence_free(&evidence);
	return status;
}

int cmd_verify(int argc, char **argv)
{
	struct options options = { .policy.depth = EVIDENCE_FULL };
	int id, status;

	opterr = 0;
	while ((id = getopt_long(argc, argv, "hq", long_options, NULL)) != -1) {
		if (id == 'h') {
			fputs(usage, stdout);
			return CMD_OK;
		}
		status = take_option(id, &options);
		if (status != CMD_OK)
			return status;
	}
	if (optind + 1 != argc)
		return cmd_error("verify wants one directory; see `socle verify --help`");
	if (!options.paths.ek_certificate != !options.paths.ca)
		return cmd_error("--ek-cert and --ca belong together");
	if (options.paths.ek_certificate && options.policy.depth == EVIDENCE_REPORT)
		return cmd_error("--ek-cert and --report-only exclude each other");
	if (options.policy.pcr_count && options.policy.depth != EVIDENCE_FULL)
		return cmd_error("--pcr needs a quote, which was not to be looked at");
	options.paths.directory = argv[optind];
	return verify(&options);
}
