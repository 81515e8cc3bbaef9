/* SPDX-License-Identifier: MIT */
#include "guest/agent/commands.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "abi/tpm.h"
#include "core/base/hex.h"
#include "core/base/number.h"
#include "core/tpm/profile.h"
#include "core/tpm/selector.h"
#include "guest/agent/file.h"
#include "guest/agent/quote.h"
#include "guest/agent/svsm.h"

/* What both commands may be told. */
struct options {
	const char *key, *template, *nonce, *folder, *device, *pcrs;
	uint32_t nv, manifest_version;
	bool version_given, help;
	struct svsm_roots roots;
};

enum option_id {
	OPTION_HELP = 'h',
	OPTION_KEY = 'k',
	OPTION_TEMPLATE = 't',
	OPTION_NV = 'i',
	OPTION_VERSION = 'm',
	OPTION_NONCE = 'n',
	OPTION_FOLDER = 'o',
	OPTION_PCRS = 'p',
	OPTION_DEVICE = 'd',
	OPTION_SVSM = 's',
	OPTION_TSM = 'c',
};

static const struct option attest_options[] = {
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "key", required_argument, NULL, OPTION_KEY },
	{ "template", required_argument, NULL, OPTION_TEMPLATE },
	{ "nv", required_argument, NULL, OPTION_NV },
	{ "manifest-version", required_argument, NULL, OPTION_VERSION },
	{ "nonce", required_argument, NULL, OPTION_NONCE },
	{ "svsm", required_argument, NULL, OPTION_SVSM },
	{ "tsm", required_argument, NULL, OPTION_TSM },
	{ NULL, 0, NULL, 0 },
};

static const struct option quote_options[] = {
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "key", required_argument, NULL, OPTION_KEY },
	{ "template", required_argument, NULL, OPTION_TEMPLATE },
	{ "nv", required_argument, NULL, OPTION_NV },
	{ "nonce", required_argument, NULL, OPTION_NONCE },
	{ "pcrs", required_argument, NULL, OPTION_PCRS },
	{ "tpm", required_argument, NULL, OPTION_DEVICE },
	{ NULL, 0, NULL, 0 },
};

/* Decimal, or hexadecimal after 0x; all of the text. */
static bool parse_number(const char *text, uint32_t *number)
{
	uint64_t value;

	if (!number_read(text, strlen(text), NUMBER_PREFIXED, 0, UINT32_MAX, &value))
		return false;
	*number = (uint32_t)value;
	return true;
}

/* False for an option that asks for help, is unknown or has no value that it could have. */
static bool take_option(struct options *o, int id, const char *value)
{
	switch (id) {
	case OPTION_HELP:
		o->help = true;
		return false;
	case OPTION_KEY:
		o->key = value;
		return true;
	case OPTION_TEMPLATE:
		o->template = value;
		return true;
	case OPTION_NV:
		return parse_number(value, &o->nv) && (o->nv & TPM_HT_MASK) == TPM_HT_NV_INDEX;
	case OPTION_VERSION:
		o->version_given = true;
		return parse_number(value, &o->manifest_version);
	case OPTION_NONCE:
		o->nonce = value;
		return true;
	case OPTION_FOLDER:
		o->folder = value;
		return true;
	case OPTION_PCRS:
		o->pcrs = value;
		return true;
	case OPTION_DEVICE:
		o->device = value;
		return true;
	case OPTION_SVSM:
		o->roots.svsm = value;
		return true;
	case OPTION_TSM:
		o->roots.tsm = value;
		return true;
	default:
		return false;
	}
}

static bool take_options(struct options *o, int argc, char **argv, const struct option *known)
{
	int id;

	*o = (struct options){
		.device = TPM_DEVICE,
		.roots = { .svsm = SVSM_ROOT, .tsm = TSM_ROOT },
	};
	while ((id = getopt_long(argc, argv, "ho:", known, NULL)) != -1) {
		if (!take_option(o, id, optarg))
			return false;
	}
	return optind == argc && o->nonce && o->folder;
}

static bool parse_nonce(const char *text, uint8_t nonce[SVSM_NONCE_SIZE], struct problem *problem)
{
	return hex_read(text, nonce, SVSM_NONCE_SIZE) ||
	       problem_set(problem, "the nonce is not %u hexadecimal digits", 2 * SVSM_NONCE_SIZE);
}

static bool read_template(const char *path, uint8_t *template, size_t capacity, size_t *size,
			  struct problem *problem)
{
	ssize_t got = file_read(path, template, capacity);

	if (got < 0)
		return problem_set(problem, "%s: %s", path, strerror((int)-got));
	*size = (size_t)got;
	return true;
}

static bool make_folder(const char *folder, struct problem *problem)
{
	if (mkdir(folder, 0700) == 0 || errno == EEXIST)
		return true;
	return problem_set(problem, "%s: %s", folder, strerror(errno));
}

/* At most one way to name a key. */
static bool names_one(const struct options *o, struct problem *problem)
{
	int ways = (o->key != NULL) + (o->template != NULL) + (o->nv != 0);

	return ways <= 1 || problem_set(problem, "--key, --template and --nv exclude each other");
}

static int usage(const struct options *o, const char *text)
{
	FILE *to = o->help ? stdout : stderr;
	const char *name;

	fputs(text, to);
	fputs("NAME is one of", to);
	for (size_t i = 0; (name = profile_key_name_at(i)) != NULL; i++)
		fprintf(to, "%s%s", i % 6 ? " " : "\n\t", name);
	fputs("\n", to);
	return o->help ? 0 : 1;
}

static int end(const char *command, bool ok, const struct problem *problem)
{
	if (!ok)
		fprintf(stderr, "socle-guest: %s: %s\n", command, problem->text);
	return ok ? 0 : 1;
}

/* ---- attest ---- */

static bool select_key(const struct options *o, struct svsm_wish *wish, struct problem *problem)
{
	uint8_t template[SELECTOR_TEMPLATE_MAX];
	size_t size = 0;

	if (o->key)
		return svsm_select_key(wish, o->key, problem);
	if (o->nv)
		svsm_select_nv(wish, o->nv);
	if (!o->template)
		return true;
	return read_template(o->template, template, sizeof(template), &size, problem) &&
	       svsm_select_template(wish, template, size, problem);
}

static const char attest_usage[] =
	"usage: socle-guest attest [--key NAME | --template FILE | --nv INDEX]\n"
	"\t[--manifest-version N] --nonce HEX -o DIR\n"
	"Gets a report of the SVSM over the nonce and a key of the vTPM, and writes it to DIR.\n"
	"Without svsm/attest in the kernel a key comes in a manifest of the stock interface, and\n"
	"a template or an NV index cannot be attested.\n";

int command_attest(int argc, char **argv)
{
	struct svsm_wish wish = { .manifest_version = 0 };
	struct problem problem;
	struct options o;
	bool ok;

	if (!take_options(&o, argc, argv, attest_options))
		return usage(&o, attest_usage);
	wish.manifest_version = o.manifest_version;
	ok = names_one(&o, &problem) && parse_nonce(o.nonce, wish.nonce, &problem) &&
	     select_key(&o, &wish, &problem) &&
	     svsm_fit(&o.roots, o.version_given, &wish, &problem) &&
	     make_folder(o.folder, &problem) && svsm_attest_to(&o.roots, &wish, o.folder, &problem);
	if (ok && wish.key && !wish.selector_size)
		fprintf(stderr, "socle-guest: attest: no %s: %s by %s, manifest version %u\n",
			o.roots.svsm, o.key, o.roots.tsm, wish.manifest_version);
	return end("attest", ok, &problem);
}

/* ---- quote ---- */

/* Numbers below 24, separated by commas. */
static bool parse_pcrs(const char *text, uint32_t *mask, struct problem *problem)
{
	const char *at = text;
	size_t length;
	uint64_t pcr;

	*mask = 0;
	while ((length = number_at(at, strlen(at), NUMBER_DECIMAL, &pcr)) && pcr < TPM_PCR_COUNT) {
		*mask |= 1u << pcr;
		at += length;
		if (*at == '\0')
			return true;
		if (*at++ != ',')
			break;
	}
	return problem_set(problem, "'%s' is no list of PCRs", text);
}

static bool fill_quote(const struct options *o, struct quote_wish *wish, uint8_t *template,
		       struct problem *problem)
{
	if (!parse_nonce(o->nonce, wish->nonce, problem))
		return false;
	wish->nv = o->nv;
	wish->pcrs = (struct tpm_selection){ .bank = TPM_ALG_SHA256, .mask = QUOTE_PCRS };
	if (o->pcrs && !parse_pcrs(o->pcrs, &wish->pcrs.mask, problem))
		return false;
	if (o->key) {
		wish->key = svsm_key_id(o->key, problem);
		if (!wish->key)
			return false;
	}
	if (!o->template)
		return true;
	wish->template = template;
	return read_template(o->template, template, SELECTOR_TEMPLATE_MAX, &wish->template_size,
			     problem);
}

static const char quote_usage[] =
	"usage: socle-guest quote [--key NAME] [--template FILE | --nv INDEX]\n"
	"\t[--pcrs N,N...] [--tpm DEVICE] --nonce HEX -o DIR\n"
	"Quotes PCRs by the key that DIR/manifest.bin attests, the first that signs or --key.\n";

int command_quote(int argc, char **argv)
{
	uint8_t template[SELECTOR_TEMPLATE_MAX];
	struct quote_wish wish = { .key = 0 };
	struct problem problem;
	struct options o;
	bool ok;

	if (!take_options(&o, argc, argv, quote_options))
		return usage(&o, quote_usage);
	ok = (!(o.template && o.nv) ||
	      problem_set(&problem, "--template and --nv exclude each other")) &&
	     fill_quote(&o, &wish, template, &problem) &&
	     quote_on(o.device, &wish, o.folder, &problem);
	return end("quote", ok, &problem);
}
