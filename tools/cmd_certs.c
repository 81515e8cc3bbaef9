/* SPDX-License-Identifier: MIT */
/*
 * `socle certs fetch`: the certificates above a report, and AMD's revocation list, out of a cache
 * or from AMD.
 */
#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/evidence/host/amd_certificates.h"
#include "core/evidence/host/report_input.h"
#include "tools/certs/fetch.h"
#include "tools/certs/kds.h"
#include "tools/cmd.h"
#include "tools/options.h"

#define URL_MAX 1024u
#define CACHE_FOLDER "socle/kds"

struct arguments {
	const char *report, *output, *cache, *server, *authorities, *root;
	enum report_product product; /* REPORT_PRODUCT_UNKNOWN: as the report says */
	uint32_t seconds;
	bool crl, offline, refresh, quiet;
};

/* What one run works with. */
struct job {
	const struct arguments *arguments;
	char cache[FILE_PATH_MAX];
	struct kds_wanted wanted;
	struct kds_trust trust;
	struct kds_found found;
};

static bool say(const struct job *job, enum kds_item item, const char *where)
{
	if (!job->arguments->quiet)
		fprintf(stderr, "socle: certs: %s: %s\n", kds_item_name(item), where);
	return true;
}

/* One folder and all above it, for the user alone where it is new. */
static bool make_folder(const char *path)
{
	char part[FILE_PATH_MAX];
	struct stat info;

	for (const char *end = strchr(path + 1, '/');; end = strchr(end + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", end ? (int)(end - path) : (int)strlen(path),
			 path);
		if (mkdir(part, 0700) != 0 && (errno != EEXIST || stat(part, &info) != 0)) {
			cmd_file_error(part, "%s", strerror(errno));
			return false;
		}
		if (!end)
			return true;
	}
}

/*
 * --cache, or where the XDG base directory specification has caches: relative paths there mean
 * nothing.
 */
static bool find_cache(const struct arguments *a, char path[FILE_PATH_MAX])
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int length;

	if (a->cache)
		length = snprintf(path, FILE_PATH_MAX, "%s", a->cache);
	else if (xdg && xdg[0] == '/')
		length = snprintf(path, FILE_PATH_MAX, "%s/" CACHE_FOLDER, xdg);
	else if (home && home[0] == '/')
		length = snprintf(path, FILE_PATH_MAX, "%s/.cache/" CACHE_FOLDER, home);
	else
		return cmd_error("certs: neither XDG_CACHE_HOME nor HOME says where a cache is: "
				 "give --cache DIR") == CMD_OK;
	if (length <= 0 || length >= FILE_PATH_MAX) {
		cmd_error("certs: the cache's name is empty or too long");
		return false;
	}
	return a->offline || make_folder(path);
}

static bool cache_path(const struct job *job, enum kds_item item, char path[FILE_PATH_MAX])
{
	char name[KDS_PATH_MAX];
	struct host_error error;

	kds_file_name(&job->wanted, item, name);
	if (file_path(path, job->cache, name, &error))
		return true;
	cmd_error("certs: %s", error.text);
	return false;
}

static const char *take(struct job *job, enum kds_item item, const void *data, size_t size)
{
	return kds_take(&job->found, &job->wanted, item, &job->trust, data, size);
}

static const char *built_in(const char *prefix, const char *product)
{
	for (size_t i = 0; i < AMD_CERTIFICATES; i++) {
		const char *name = amd_certificates[i].name;
		size_t length = strlen(prefix);

		if (strncmp(name, prefix, length) == 0 && strcmp(name + length, product) == 0)
			return amd_certificates[i].pem;
	}
	return NULL;
}

/* AMD's chains that came with this program. False where there is none for the product. */
static bool take_built_in(struct job *job)
{
	const char *product = report_product_name(job->wanted.product);
	const char *ark = built_in("ARK-", product);
	const char *issuer = built_in(job->wanted.key == REPORT_KEY_VLEK ? "SEV-VLEK-" : "SEV-",
				      product);
	char *both = NULL;
	bool ok;

	if (job->trust.own || !ark || !issuer || asprintf(&both, "%s%s", issuer, ark) < 0)
		return false;
	ok = !take(job, KDS_CHAIN, both, strlen(both));
	free(both);
	return ok && say(job, KDS_CHAIN, "built in");
}

/*
 * What the cache has is judged as what is fetched is. *why: what was wrong with it, if it was
 * there.
 */
static bool take_cached(struct job *job, enum kds_item item, const char *path, const char **why)
{
	struct host_error error;
	struct file_bytes bytes;

	*why = NULL;
	if (job->arguments->refresh || !file_read(path, kds_item_size_max(item), &bytes, &error))
		return false;
	*why = take(job, item, bytes.data, bytes.size);
	file_free(&bytes);
	return !*why && say(job, item, "from the cache");
}

/* Only what has been judged gets into the cache. */
static bool fetch(struct job *job, enum kds_item item, const char *path)
{
	const struct arguments *a = job->arguments;
	const struct fetch_limits limits = { a->authorities, a->seconds };
	char url[URL_MAX], where[KDS_PATH_MAX];
	struct host_error error;
	struct file_bytes bytes;
	const char *wrong;
	bool ok;

	kds_path(&job->wanted, item, where);
	if (snprintf(url, sizeof(url), "%s%s", a->server, where) >= (int)sizeof(url))
		return cmd_error("certs: the server's address is too long") == CMD_OK;
	if (!fetch_get(url, &limits, kds_item_size_max(item), &bytes, &error)) {
		cmd_file_error(url, "%s", error.text);
		return false;
	}
	wrong = take(job, item, bytes.data, bytes.size);
	ok = !wrong && file_write(path, bytes.data, bytes.size, &error);
	file_free(&bytes);
	if (wrong)
		cmd_file_error(url, "%s: %s", kds_item_name(item), wrong);
	else if (!ok)
		cmd_file_error(path, "%s", error.text);
	return ok && say(job, item, url);
}

static bool get(struct job *job, enum kds_item item)
{
	char path[FILE_PATH_MAX];
	const char *why;

	if (item == KDS_CHAIN && take_built_in(job))
		return true;
	if (!cache_path(job, item, path))
		return false;
	if (take_cached(job, item, path, &why))
		return true;
	if (!job->arguments->offline)
		return fetch(job, item, path);
	cmd_file_error(path, "%s", why ? why : "it is not in the cache, and nothing is fetched");
	return false;
}

static bool write_pem(const char *directory, const char *name, X509 *certificate, X509_CRL *crl)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct host_error error;
	char path[FILE_PATH_MAX];
	const void *text = NULL;
	long size = 0;
	bool ok = bio && (certificate ? PEM_write_bio_X509(bio, certificate)
				      : PEM_write_bio_X509_CRL(bio, crl)) == 1;

	if (ok)
		size = BIO_get_mem_data(bio, (void *)&text);
	else
		host_fail(&error, "OpenSSL cannot write it");
	ok = ok && file_path(path, directory, name, &error) &&
	     file_write(path, text, (size_t)size, &error);
	BIO_free(bio);
	if (!ok)
		cmd_file_error(directory, "%s: %s", name, error.text);
	return ok;
}

/* All of it, when there is all of it, under the names that `socle verify` knows. */
static bool write_all(const struct job *job)
{
	const struct kds_found *f = &job->found;
	const char *directory = job->arguments->output;
	bool vlek = job->wanted.key == REPORT_KEY_VLEK;

	return make_folder(directory) && write_pem(directory, "ark.pem", f->chain.ark, NULL) &&
	       write_pem(directory, vlek ? "asvk.pem" : "ask.pem", f->chain.issuer, NULL) &&
	       (!f->chain.signer || write_pem(directory, "vcek.pem", f->chain.signer, NULL)) &&
	       (!f->crl || write_pem(directory, "crl.pem", NULL, f->crl));
}

static enum cmd_status get_all(struct job *job)
{
	bool vlek = job->wanted.key == REPORT_KEY_VLEK;

	if (!get(job, KDS_CHAIN) || (!vlek && !get(job, KDS_SIGNER)) ||
	    (job->arguments->crl && !get(job, KDS_CRL)) || !write_all(job))
		return CMD_MISUSE;
	if (vlek && !job->arguments->quiet)
		fprintf(stderr, "socle: certs: vlek.pem: AMD gives VLEKs to clouds alone: it is in "
				"the host's table, certs.bin\n");
	return CMD_OK;
}

/* What to look for, out of the report; false after a line on stderr. */
static bool want(struct job *job, const struct psp_report *report)
{
	const struct arguments *a = job->arguments;
	static const uint8_t masked[PSP_CHIP_ID_SIZE];
	enum report_product said = report->version >= 3
					   ? report_product_of_cpu(report->cpuid_family,
								   report->cpuid_model)
					   : REPORT_PRODUCT_UNKNOWN;
	enum report_product product = said == REPORT_PRODUCT_UNKNOWN ? a->product : said;
	const char *wrong = NULL;

	job->wanted = (struct kds_wanted){ .product = product,
					   .key = report_signing_key(report),
					   .chip_id = report->chip_id,
					   .tcb = report_tcb(report->reported_tcb, product) };
	if (job->wanted.key != REPORT_KEY_VCEK && job->wanted.key != REPORT_KEY_VLEK)
		wrong = "the report names neither a VCEK nor a VLEK as its key";
	else if (product == REPORT_PRODUCT_UNKNOWN)
		wrong = "the report does not say of which product it is: give --product";
	else if (a->product != REPORT_PRODUCT_UNKNOWN && a->product != product)
		wrong = "the report is of another product than --product";
	else if (job->wanted.key == REPORT_KEY_VCEK &&
		 memcmp(report->chip_id, masked, sizeof(masked)) == 0)
		wrong = "the host masks the chip: CHIP_ID is zero, and says whose VCEK it is";
	if (wrong)
		cmd_file_error(a->report, "%s", wrong);
	return !wrong;
}

static bool read_root(struct job *job)
{
	struct file_bytes bytes;

	if (!job->arguments->root)
		return true;
	if (!cmd_read_file(job->arguments->root, KDS_CERTIFICATES_SIZE_MAX, &bytes))
		return false;
	job->trust.own = amd_chain_read_certificate(bytes.data, bytes.size);
	file_free(&bytes);
	if (!job->trust.own)
		cmd_file_error(job->arguments->root, "no certificate in PEM or DER");
	return job->trust.own;
}

static enum cmd_status run(void *arguments)
{
	struct job job = { .arguments = arguments, .trust = { .at = time(NULL) } };
	const char *path = job.arguments->report, *wrong;
	enum cmd_status status = CMD_MISUSE;
	struct report_input input;
	struct file_bytes bytes;

	if (strncmp(job.arguments->server, "https://", 8) != 0)
		return cmd_error("certs: --server wants https://HOST, without a slash at its end");
	if (!cmd_read_input(path, EVIDENCE_REPORT_SIZE_MAX, &bytes))
		return CMD_MISUSE;
	wrong = report_input_read(&input, bytes.data, bytes.size);
	file_free(&bytes);
	if (wrong)
		return cmd_file_error(path, "%s", wrong);
	if (want(&job, &input.report) && find_cache(job.arguments, job.cache) && read_root(&job))
		status = get_all(&job);
	kds_free(&job.found);
	X509_free(job.trust.own);
	report_input_free(&input);
	return status;
}

static const char *read_product(void *to, char *text)
{
	enum report_product product = report_product_named(text);

	*(enum report_product *)to = product;
	return product != REPORT_PRODUCT_UNKNOWN && !strchr(text, '-')
		       ? NULL
		       : "Milan, Genoa, Turin or Venice";
}

static const struct option_row option_rows[] = {
	OPTION(struct arguments, output, "output", FOLDER, "DIR",
	       "write ark.pem, ask.pem and vcek.pem there (of a report by a VLEK: ark.pem, "
	       "asvk.pem), for `socle verify --certs DIR`",
	       .letter = 'o', .required = true),
	OPTION(struct arguments, crl, "crl", FLAG, NULL,
	       "and AMD's revocation list, crl.pem, for `socle verify --crl DIR/crl.pem`"),
	OPTION(struct arguments, product, "product", READ, "PRODUCT",
	       "of which product a report is that does not say it (before version 3): Milan, "
	       "Genoa, "
	       "Turin, Venice",
	       .read = read_product),
	OPTION(struct arguments, cache, "cache", FOLDER, "DIR",
	       "keep what was fetched there, not in $XDG_CACHE_HOME/" CACHE_FOLDER
	       " or ~/.cache/" CACHE_FOLDER),
	OPTION(struct arguments, offline, "offline", FLAG, NULL,
	       "fetch nothing: what is neither built in nor in the cache is an error"),
	OPTION(struct arguments, refresh, "refresh", FLAG, NULL,
	       "fetch what the cache has, too, as a newer revocation list"),
	OPTION(struct arguments, seconds, "timeout", NUMBER, "SECONDS",
	       "for each thing that is fetched", .least = 1, .most = 600),
	OPTION(struct arguments, server, "server", TEXT, "URL",
	       "fetch from https://HOST[:PORT][/PATH], as AMD's service has it, and not from "
	       "AMD's: " KDS_URL),
	OPTION(struct arguments, authorities, "tls-ca", FILE, "FILE",
	       "the authorities of the server's own certificate, if not the system's"),
	OPTION(struct arguments, root, "ark", FILE, "FILE",
	       "accept this root of an emulated machine alone, and none of AMD's"),
	OPTION(struct arguments, quiet, "quiet", FLAG, NULL, "write nothing but errors",
	       .letter = 'q'),
	{ 0 },
};

static const struct option_row operands[] = {
	OPTION(struct arguments, report, "REPORT", FILE, NULL,
	       "a report in any form that `socle verify` reads; -: standard input"),
	{ 0 },
};

static const struct command certs_fetch = {
	.name = "fetch",
	.summary = "get the certificates above a report",
	.about =
		"Gets what a report has to be verified by: AMD's chain, which is built in for the "
		"products that are known, the VCEK of its chip and TCB, and with --crl the "
		"revocation list. The cache is looked at first, then AMD's Key Distribution "
		"Service "
		"is asked. Whatever it is from, it is judged before it is kept or written: by whom "
		"it is, for which product, chip and TCB, and whether it is in force. A VLEK cannot "
		"be fetched: AMD gives it to clouds alone.",
	.groups = (const struct option_group[]){ { NULL, option_rows }, { 0 } },
	.operands = operands,
	.size = sizeof(struct arguments),
	.defaults = &(const struct arguments){ .server = KDS_URL,
					       .product = REPORT_PRODUCT_UNKNOWN,
					       .seconds = 30 },
	.run = run,
};

const struct command cmd_certs = {
	.name = "certs",
	.summary = "get AMD's certificates",
	.commands = (const struct command *const[]){ &certs_fetch, NULL },
};
