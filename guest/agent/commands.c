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

/* The options that have a value. */
enum value {
	KEY,
	TEMPLATE,
	NV,
	VERSION,
	NONCE,
	FOLDER,
	PCRS,
	DEVICE,
	SVSM,
	TSM,
	VALUES,
};

/* What both commands may be told. */
struct options {
	const char *values[VALUES]; /* NULL: the option was not given */
	uint32_t nv, manifest_version;
	bool help;
};

static const struct option attest_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "key", required_argument, NULL, KEY },
	{ "template", required_argument, NULL, TEMPLATE },
	{ "nv", required_argument, NULL, NV },
	{ "manifest-version", required_argument, NULL, VERSION },
	{ "nonce", required_argument, NULL, NONCE },
	{ "svsm", required_argument, NULL, SVSM },
	{ "tsm", required_argument, NULL, TSM },
	{ NULL, 0, NULL, 0 },
};

static const struct option quote_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "key", required_argument, NULL, KEY },
	{ "template", required_argument, NULL, TEMPLATE },
	{ "nv", required_argument, NULL, NV },
	{ "nonce", required_argument, NULL, NONCE },
	{ "pcrs", required_argument, NULL, PCRS },
	{ "tpm", required_argument, NULL, DEVICE },
	{ NULL, 0, NULL, 0 },
};

/* Decimal, or hexadecimal after 0x; all of the text. What was not given is left as it is. */
static bool parse_number(const char *text, uint32_t *number)
{
	uint64_t value = *number;

	if (text && !number_read(text, strlen(text), NUMBER_PREFIXED, 0, UINT32_MAX, &value))
		return false;
	*number = (uint32_t)value;
	return true;
}

/* False for an option that asks for help, is unknown or has no value that it could have. */
static bool take_options(struct options *o, int argc, char **argv, const struct option *known)
{
	int id;

	*o = (struct options){
		.values = { [DEVICE] = TPM_DEVICE, [SVSM] = SVSM_ROOT, [TSM] = TSM_ROOT }
	};
	while ((id = getopt_long(argc, argv, "ho:", known, NULL)) != -1) {
		o->help = id == 'h';
		if (id == 'o')
			id = FOLDER;
		if (id >= VALUES)
			return false;
		o->values[id] = optarg;
	}
	return parse_number(o->values[NV], &o->nv) &&
	       (!o->values[NV] || (o->nv & TPM_HT_MASK) == TPM_HT_NV_INDEX) &&
	       parse_number(o->values[VERSION], &o->manifest_version) && optind == argc &&
	       o->values[NONCE] && o->values[FOLDER];
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
	int ways = (o->values[KEY] != NULL) + (o->values[TEMPLATE] != NULL) +
		   (o->values[NV] != NULL);

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

	if (o->values[KEY])
		return svsm_select_key(wish, o->values[KEY], problem);
	if (o->nv)
		svsm_select_nv(wish, o->nv);
	if (!o->values[TEMPLATE])
		return true;
	return read_template(o->values[TEMPLATE], template, sizeof(template), &size, problem) &&
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
	struct svsm_roots roots;
	bool ok;

	if (!take_options(&o, argc, argv, attest_options))
		return usage(&o, attest_usage);
	roots = (struct svsm_roots){ .svsm = o.values[SVSM], .tsm = o.values[TSM] };
	wish.manifest_version = o.manifest_version;
	ok = names_one(&o, &problem) && parse_nonce(o.values[NONCE], wish.nonce, &problem) &&
	     select_key(&o, &wish, &problem) &&
	     svsm_fit(&roots, o.values[VERSION] != NULL, &wish, &problem) &&
	     make_folder(o.values[FOLDER], &problem) &&
	     svsm_attest_to(&roots, &wish, o.values[FOLDER], &problem);
	if (ok && wish.key && !wish.selector_size)
		fprintf(stderr, "socle-guest: attest: no %s: %s by %s, manifest version %u\n",
			roots.svsm, o.values[KEY], roots.tsm, wish.manifest_version);
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
	if (!parse_nonce(o->values[NONCE], wish->nonce, problem))
		return false;
	wish->nv = o->nv;
	wish->pcrs = (struct tpm_selection){ .bank = TPM_ALG_SHA256, .mask = QUOTE_PCRS };
	if (o->values[PCRS] && !parse_pcrs(o->values[PCRS], &wish->pcrs.mask, problem))
		return false;
	if (o->values[KEY]) {
		wish->key = svsm_key_id(o->values[KEY], problem);
		if (!wish->key)
			return false;
	}
	if (!o->values[TEMPLATE])
		return true;
	wish->template = template;
	return read_template(o->values[TEMPLATE], template, SELECTOR_TEMPLATE_MAX,
			     &wish->template_size, problem);
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
	ok = (!(o.values[TEMPLATE] && o.nv) ||
	      problem_set(&problem, "--template and --nv exclude each other")) &&
	     fill_quote(&o, &wish, template, &problem) &&
	     quote_on(o.values[DEVICE], &wish, o.values[FOLDER], &problem);
	return end("quote", ok, &problem);
}
