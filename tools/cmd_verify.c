/* SPDX-License-Identifier: MIT */
/*
 * `socle verify`: decides, offline, whether gathered evidence is to be trusted. The decision is the
 * library's (tools/libverify/socle-verify.h); this reads files and writes what it said.
 */
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/cmd.h"
#include "tools/options.h"
#include "tools/verify/ear.h"
#include "tools/verify/rules.h"

#define VMPL_MAX 3u

struct options {
	struct folder_paths paths;
	struct rules rules;
	const char *image;
	bool json, quiet, explain;
	const char *ear, *ear_key;
	enum ear_profile ear_profile;
	bool judged; /* the verdict was written, or could not be */
};

static const char *read_cert_chain(void *to, char *path)
{
	struct folder_paths *paths = to;

	paths->ark = paths->ask = paths->asvk = path;
	return NULL;
}

static const struct option_row option_rows[] = {
	OPTION(struct options, rules.file, "policy", FILE, "FILE",
	       "what you demand (docs/policy.md); each option that is given, too, comes before its "
	       "rule"),
	OPTION(struct options, paths.mine, "mine", FOLDER, "DIR",
	       "your own folder, with as much of this as you have: nonce.bin, challenge.json, "
	       "measurement.hex, ark.pem"),
	OPTION(struct options, paths.nonce, "nonce", FILE, "FILE",
	       "the 64 bytes that the guest had to answer"),
	OPTION(struct options, paths.challenge, "challenge", FILE, "FILE",
	       "your record of the challenge that you sent it, if you did"),
	OPTION(struct options, image, "image", FILE, "FILE",
	       "the report must measure this IGVM file"),
	OPTION(struct options, rules.measurement, "measurement", READ, "HEX",
	       "or have this measurement", .read = option_read_measurement),
	OPTION(struct options, rules.emulated, "trust-emulated", FLAG, NULL,
	       "accept the root of an emulated machine that you have: ark.pem in your folder, or "
	       "--ark"),
	OPTION(struct options, rules.look_at, "report-only", SET, NULL,
	       "look at the report and its certificates alone",
	       .set = RULES_LOOK_AT(FOLDER_REPORT)),
	OPTION(struct options, rules.look_at, "keys-only", SET, NULL,
	       "and at the manifest: which keys it attests, without a quote",
	       .set = RULES_LOOK_AT(FOLDER_KEYS)),
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
	OPTION(struct options, rules.crls, "crl", READ, "FILE",
	       "a revocation list of AMD's (of each: product, VCEKs and VLEKs): no certificate may "
	       "be revoked",
	       .repeats = true, .read = option_read_crl_file),
	OPTION(struct options, rules.at, "at", READ, "TIME",
	       "judge certificates and lists at this time, YYYY-MM-DD[THH:MM:SSZ], not now",
	       .read = rules_read_time),
	OPTION(struct options, rules.csp_ids, "csp-id", READ, "ID",
	       "the report must be by the VLEK of this cloud; of several, one will do, as with the "
	       "next six",
	       .repeats = true, .read = rules_read_csp),
	OPTION(struct options, rules.chip_ids, "chip-id", READ, "HEX", "be of this chip",
	       .repeats = true, .read = rules_read_chip),
	OPTION(struct options, rules.host_data, "host-data", READ, "HEX", "have this HOST_DATA",
	       .repeats = true, .read = rules_read_host_data),
	OPTION(struct options, rules.id_keys, "id-key-digest", READ, "HEX",
	       "be of an image with an ID block that this key signed", .repeats = true,
	       .read = rules_read_digest),
	OPTION(struct options, rules.author_keys, "author-key-digest", READ, "HEX",
	       "whose key this author's signed", .repeats = true, .read = rules_read_digest),
	OPTION(struct options, rules.family_ids, "family-id", READ, "HEX", "of this family",
	       .repeats = true, .read = rules_read_id),
	OPTION(struct options, rules.image_ids, "image-id", READ, "HEX", "with this image id",
	       .repeats = true, .read = rules_read_id),
	OPTION(struct options, rules.minimum_svn, "minimum-svn", NUMBER, "N",
	       "the least security version of the image to accept", .most = UINT32_MAX),
	OPTION(struct options, rules.masked_chip, "allow-masked-chip", FLAG, NULL,
	       "accept a report that does not say which chip it is of"),
	OPTION(struct options, rules.unknown_version, "allow-unknown-version", FLAG, NULL,
	       "accept a later version of the report than 5"),
	OPTION(struct options, rules.vmpl, "vmpl", NUMBER, "N",
	       "with --report-only: the report must be of this VMPL, not of 0", .most = VMPL_MAX),
	OPTION(struct options, paths.ek_certificate, "ek-cert", FILE, "FILE",
	       "a certificate that must be for an EK of the manifest; with --ca"),
	OPTION(struct options, paths.ca, "ca", FILE, "FILE",
	       "the authorities that may have issued it"),
	OPTION(struct options, paths.event_log, "eventlog", FILE, "FILE",
	       "the log of the boot, which has to replay to the quoted PCRs; without it "
	       "eventlog.bin "
	       "of DIRECTORY, if it is there"),
	OPTION(struct options, rules.minimum_tcb, "minimum-tcb", READ,
	       "FMC,BOOTLOADER,TEE,SNP,MICROCODE", "the least TCB to accept, each 0 to 255",
	       .read = option_read_tcb),
	OPTION(struct options, rules, "pcr", READ, "BANK:N=HEX",
	       "PCR N of this bank (sha256, sha384, sha512) must have this value", .repeats = true,
	       .read = rules_read_pcr),
	OPTION(struct options, explain, "explain", FLAG, NULL,
	       "say for each check what the evidence has there"),
	OPTION(struct options, json, "json", FLAG, NULL,
	       "write the verdict as JSON (docs/verdict.schema.json), one object also where there "
	       "is none"),
	OPTION(struct options, ear, "ear", FILE, "FILE",
	       "write the verdict to this file, too, as an attestation result that others read "
	       "(EAR, a signed JSON web token); with --ear-key"),
	OPTION(struct options, ear_key, "ear-key", FILE, "FILE",
	       "the private key that signs it, in PEM: on P-256 or P-384, or Ed25519"),
	OPTION(struct options, ear_profile, "ear-profile", CHOICE, "PROFILE",
	       "how its claims are called: as Veraison has it, or as the IETF's draft 04",
	       OPTION_WORDS(ear_profile_words)),
	OPTION(struct options, quiet, "quiet", FLAG, NULL, "write nothing but errors",
	       .letter = 'q'),
	{ 0 },
};

static const char *verdict_text(const struct socle_verdict *verdict)
{
	if (socle_verdict_status(verdict) != SOCLE_TRUSTED)
		return "refused";
	return socle_verdict_emulated(verdict) ? "trusted (emulated)" : "trusted";
}

static void print_checks(const struct socle_verdict *verdict, bool explain)
{
	const char *name, *error, *found;

	for (size_t i = 0; (name = socle_verdict_check(verdict, i, NULL, &error, &found)); i++) {
		printf("  %-4s  %-18s  %s\n", error ? "FAIL" : "ok", name, error ? error : "");
		if (explain && found)
			printf("        %-18s  found: %s\n", "", found);
	}
}

/* Claims are shown to who asks for all there is. */
static void print_boot(const struct socle_verdict *verdict, bool explain)
{
	static const char *const names[] = {
		[SOCLE_PROVED] = "proved", [SOCLE_NAMED] = "named", [SOCLE_CLAIMED] = "claimed"
	};
	enum socle_standing standing;
	const char *words;
	unsigned int pcr;

	for (size_t i = 0; (words = socle_verdict_boot(verdict, i, &pcr, &standing)); i++) {
		if (explain || standing != SOCLE_CLAIMED)
			printf("  boot  PCR %-2u  %-7s  %s\n", pcr, names[standing], words);
	}
}

static void print_text(const struct socle_verdict *verdict, bool explain)
{
	const char *binding;
	size_t i = 0;

	print_checks(verdict, explain);
	print_boot(verdict, explain);
	for (; (binding = socle_verdict_binding(verdict, i)); i++)
		printf("%s%s", i ? ", " : "binding: ", binding);
	printf("%sverdict: %s\n", i ? "\n" : "", verdict_text(verdict));
}

static bool print_json(const struct socle_verdict *verdict, bool explain)
{
	char *text = socle_verdict_json(verdict, explain);
	bool ok = text && fputs(text, stdout) != EOF && putchar('\n') != EOF;

	socle_text_free(text);
	return ok;
}

/* A verdict that cannot be written must not look like one that was. */
static bool print(const struct options *o, const struct socle_verdict *verdict)
{
	if (o->json && !print_json(verdict, o->explain))
		return false;
	if (!o->json && !o->quiet)
		print_text(verdict, o->explain);
	return fflush(stdout) == 0 && !ferror(stdout);
}

static void print_json_error(void)
{
	json_t *root = json_pack("{s:i, s:s, s:i, s:o, s:[], s:[]}", "format", 1, "verdict",
				 "error", "status", CMD_MISUSE, "error", cmd_last_error_json(),
				 "bindings", "checks");

	if (root && json_dumpf(root, stdout, JSON_INDENT(2)) == 0)
		putchar('\n');
	json_decref(root);
	fflush(stdout);
}

/* With --json there is exactly one object, even when arguments are wrong. */
static void refused(int argc, char **argv)
{
	if (cmd_asks_json(argc, argv))
		print_json_error();
}

/* The nonce of the file that the evidence's was read from; false after a line on stderr. */
static bool read_nonce(const struct options *o, struct file_bytes *nonce)
{
	char path[FILE_PATH_MAX];
	struct host_error error;

	*nonce = (struct file_bytes){ 0 };
	if (o->paths.nonce)
		return cmd_read_file(o->paths.nonce, EAR_NONCE_MAX, nonce);
	if (file_path(path, o->paths.mine, "nonce.bin", &error))
		return cmd_read_file(path, EAR_NONCE_MAX, nonce);
	cmd_file_error(o->paths.mine, "%s", error.text);
	return false;
}

static bool write_token(const struct options *o, const char *token)
{
	struct host_error error;

	if (!token)
		cmd_file_error(o->ear, "the attestation result cannot be made");
	else if (file_write(o->ear, token, strlen(token), &error))
		return true;
	else
		cmd_file_error(o->ear, "%s", error.text);
	return false;
}

/* A report alone answers no nonce that was looked at. */
static bool write_ear(const struct options *o, const struct ear_key *key, enum folder_depth depth,
		      const struct socle_verdict *verdict)
{
	struct ear_about about = { .profile = o->ear_profile, .at = time(NULL) };
	struct file_bytes nonce = { 0 };
	char *token;
	bool ok;

	if (depth != FOLDER_REPORT && !read_nonce(o, &nonce))
		return false;
	about.nonce = nonce.data;
	about.nonce_size = nonce.size;
	token = ear_sign(key, verdict, &about);
	ok = write_token(o, token);
	free(token);
	file_free(&nonce);
	return ok;
}

static enum cmd_status judge(struct options *o, const struct socle_evidence *evidence,
			     const struct socle_policy *policy, const struct ear_key *key,
			     enum folder_depth depth)
{
	char wrong[SOCLE_ERROR_SIZE];
	struct socle_verdict *verdict = socle_verify(evidence, policy, wrong);
	enum cmd_status status;

	if (!verdict)
		return cmd_error("verify: %s", wrong);
	status = (enum cmd_status)socle_verdict_status(verdict);
	if (key && !write_ear(o, key, depth, verdict)) {
		socle_verdict_free(verdict);
		return CMD_MISUSE;
	}
	o->judged = true;
	if (!print(o, verdict))
		status = cmd_error("verify: cannot write the verdict");
	socle_verdict_free(verdict);
	return status;
}

static enum cmd_status verify_with(struct options *o, const struct ear_key *key)
{
	struct socle_evidence *evidence;
	struct socle_policy *policy;
	enum folder_depth depth;
	enum cmd_status status = CMD_MISUSE;

	policy = rules_policy(&o->rules, o->image, &o->paths, &depth);
	if (!policy)
		return CMD_MISUSE;
	evidence = folder_load(&o->paths, depth);
	if (evidence)
		status = judge(o, evidence, policy, key, depth);
	socle_evidence_free(evidence);
	socle_policy_free(policy);
	return status;
}

static enum cmd_status verify(struct options *o)
{
	struct ear_key *key = NULL;
	enum cmd_status status;

	if (!folder_paths_ok(&o->paths))
		return CMD_MISUSE;
	if (!o->ear != !o->ear_key)
		return cmd_error("verify: --ear and --ear-key belong together");
	if (o->ear_key)
		key = ear_key_read(o->ear_key);
	if (o->ear_key && !key)
		return CMD_MISUSE;
	status = verify_with(o, key);
	ear_key_free(key);
	return status;
}

/*
 * A verdict needs no cipher, and nothing encrypted is read; none of its words are OpenSSL's.
 * Setting all of that up would take a quarter of its time. The random numbers that blind a
 * verification's points come from a generator by a hash, which is there anyhow.
 */
static bool start_openssl(void)
{
	return OPENSSL_init_crypto(OPENSSL_INIT_NO_ADD_ALL_CIPHERS |
					   OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS,
				   NULL) == 1 &&
	       RAND_set_DRBG_type(NULL, "HASH-DRBG", NULL, NULL, "SHA512") == 1;
}

static enum cmd_status run(void *arguments)
{
	struct options *o = arguments;
	enum cmd_status status = start_openssl() ? verify(o)
						 : cmd_error("verify: OpenSSL does not start");

	if (status == CMD_MISUSE && o->json && !o->judged)
		print_json_error();
	return status;
}

static const struct option_row operands[] = {
	OPTION(struct options, paths.directory, "DIRECTORY", FOLDER, NULL, "the evidence"),
	{ 0 },
};

static const struct option_status statuses[] = {
	{ CMD_OK, "trusted" },
	{ CMD_MISUSE, "misuse or unreadable file" },
	{ SOCLE_REFUSED_CHAIN, "signature or chain" },
	{ SOCLE_REFUSED_REPORT, "report content" },
	{ SOCLE_REFUSED_MEASUREMENT, "measurement" },
	{ SOCLE_REFUSED_BINDING, "binding of nonce, context, manifest and keys" },
	{ SOCLE_REFUSED_QUOTE, "quote" },
	{ SOCLE_REFUSED_BOOT, "event log, and what was booted" },
	{ 0 },
};

const struct command cmd_verify = {
	.name = "verify",
	.summary = "decide whether evidence is to be trusted",
	.commands = (const struct command *const[]){ &cmd_verify_serve, NULL },
	.about =
		"Decides whether the evidence that a guest left in DIRECTORY is to be trusted. "
		"Needs no "
		"network. What it decides by is yours: it comes from these options alone, whatever "
		"lies in DIRECTORY.\n"
		"`socle verify serve` does it for others; a DIRECTORY of that name is ./serve.",
	.groups = (const struct option_group[]){ { NULL, option_rows }, { 0 } },
	.operands = operands,
	.statuses = statuses,
	.size = sizeof(struct options),
	.defaults = &(const struct options){ .rules = { .vmpl = RULES_UNSET,
							.minimum_svn = RULES_UNSET } },
	.run = run,
	.refused = refused,
};
