/* SPDX-License-Identifier: MIT */
#include "tools/verify/folder.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/hex.h"
#include "core/evidence/limits.h"
#include "tools/cmd.h"

/* A path that is too long is the directory's own, which is no file to read: never another's. */
static const char *join(const char *directory, const char *name, char path[FILE_PATH_MAX])
{
	if (snprintf(path, FILE_PATH_MAX, "%s/%s", directory, name) >= FILE_PATH_MAX)
		return directory;
	return path;
}

static bool has_file(const struct folder_paths *paths, const char *name)
{
	char path[FILE_PATH_MAX];

	return access(join(paths->directory, name, path), F_OK) == 0;
}

/* Whether the relying party's own folder has this file. */
static bool is_mine(const struct folder_paths *paths, const char *name)
{
	char path[FILE_PATH_MAX];

	return paths->mine && access(join(paths->mine, name, path), F_OK) == 0;
}

/* Whether a folder is another one, or lies in it; both are absolute and without links. */
static bool lies_in(const char *folder, const char *other)
{
	size_t length = strlen(other);

	return strncmp(folder, other, length) == 0 &&
	       (folder[length] == '\0' || folder[length] == '/' || other[length - 1] == '/');
}

static bool find_folder(const char *path, char real[PATH_MAX])
{
	if (realpath(path, real))
		return true;
	cmd_file_error(path, "%s", strerror(errno));
	return false;
}

/*
 * A folder that the guest could have written is not the relying party's, even if it is named as
 * such. Files that are named one by one are taken wherever they lie: who names one has decided.
 */
bool folder_paths_ok(const struct folder_paths *paths)
{
	char mine[PATH_MAX], directory[PATH_MAX];

	if (!paths->mine)
		return true;
	if (!find_folder(paths->mine, mine) || !find_folder(paths->directory, directory))
		return false;
	if (!lies_in(mine, directory))
		return true;
	cmd_file_error(paths->mine, "it lies in %s, which is the guest's", paths->directory);
	return false;
}

/* The file of this name in the guest's folder, or of the name that the kernel has for it. */
static const char *kernel_path(const char *directory, const char *name, const char *kernels,
			       char path[FILE_PATH_MAX])
{
	if (access(join(directory, name, path), F_OK) != 0 &&
	    access(join(directory, kernels, path), F_OK) == 0)
		return join(directory, kernels, path);
	return join(directory, name, path);
}

/*
 * Reads a file and adds it as a part; a report may be standard input. False after a line on stderr.
 */
static bool add_file(struct socle_evidence *evidence, enum socle_part part, const char *path)
{
	char wrong[SOCLE_ERROR_SIZE];
	struct file_bytes bytes;
	bool ok;

	if (!(part == SOCLE_REPORT ? cmd_read_input(path, EVIDENCE_REPORT_SIZE_MAX, &bytes)
				   : cmd_read_file(path,
						   part == SOCLE_EVENT_LOG ? EVIDENCE_LOG_SIZE_MAX
									   : EVIDENCE_PART_SIZE_MAX,
						   &bytes)))
		return false;
	ok = socle_evidence_add(evidence, part, bytes.data, bytes.size, wrong);
	file_free(&bytes);
	if (!ok)
		cmd_file_error(path, "%s", wrong);
	return ok;
}

/* From the guest's folder. */
static bool add(struct socle_evidence *evidence, enum socle_part part,
		const struct folder_paths *paths, const char *name)
{
	char path[FILE_PATH_MAX];

	return add_file(evidence, part, join(paths->directory, name, path));
}

/* As add(), but a file that is not there is none. */
static bool add_optional(struct socle_evidence *evidence, enum socle_part part,
			 const struct folder_paths *paths, const char *name)
{
	return !has_file(paths, name) || add(evidence, part, paths, name);
}

static bool add_kernels(struct socle_evidence *evidence, enum socle_part part,
			const struct folder_paths *paths, const char *name, const char *kernels)
{
	char path[FILE_PATH_MAX];

	return add_file(evidence, part, kernel_path(paths->directory, name, kernels, path));
}

static bool add_report(struct socle_evidence *evidence, const struct folder_paths *paths)
{
	return paths->report ? add_file(evidence, SOCLE_REPORT, paths->report)
			     : add_kernels(evidence, SOCLE_REPORT, paths, "report.bin", "outblob");
}

/*
 * What only the relying party can know: the file that was named, or the one in its folder. False
 * after a line on stderr, also when it gave neither.
 */
static bool add_own(struct socle_evidence *evidence, enum socle_part part,
		    const struct folder_paths *paths, const char *given, const char *name,
		    const char *option)
{
	char path[FILE_PATH_MAX];

	if (given)
		return add_file(evidence, part, given);
	if (paths->mine)
		return add_file(evidence, part, join(paths->mine, name, path));
	cmd_file_error(name,
		       "it has to be yours, not the guest's: give %s FILE, or --mine DIR "
		       "with it",
		       option);
	return false;
}

/* A certificate of the chain: the file that it is in, if any, and where it belongs. */
struct chain_member {
	enum socle_part part;
	const char *given, *name;
};

#define CHAIN_MEMBERS 3u

static void chain_members(const struct folder_paths *paths, bool vlek,
			  struct chain_member members[CHAIN_MEMBERS])
{
	members[0] = (struct chain_member){ SOCLE_CERT_ARK, NULL, "ark.pem" };
	members[1] = (struct chain_member){ SOCLE_CERT_ISSUER, vlek ? paths->asvk : paths->ask,
					    vlek ? "asvk.pem" : "ask.pem" };
	members[2] = (struct chain_member){ SOCLE_CERT_SIGNER, vlek ? paths->vlek : paths->vcek,
					    vlek ? "vlek.pem" : "vcek.pem" };
}

static const char *certificate_folder(const struct folder_paths *paths)
{
	return paths->certificates ? paths->certificates : paths->directory;
}

static bool add_member(struct socle_evidence *evidence, const struct folder_paths *paths,
		       const struct chain_member *member)
{
	char path[FILE_PATH_MAX];

	return add_file(evidence, member->part,
			member->given ? member->given
				      : join(certificate_folder(paths), member->name, path));
}

/* A file that was named, or that is there, is the one to use, whatever the table has. */
static bool is_file(const struct folder_paths *paths, const struct chain_member *member)
{
	char path[FILE_PATH_MAX];

	return member->given ||
	       access(join(certificate_folder(paths), member->name, path), F_OK) == 0;
}

/* The relying party's own root comes before any that came with the evidence. */
static bool add_own_root(struct socle_evidence *evidence, const struct folder_paths *paths)
{
	char path[FILE_PATH_MAX];

	if (paths->ark)
		return add_file(evidence, SOCLE_OWN_ROOT, paths->ark);
	return !is_mine(paths, "ark.pem") ||
	       add_file(evidence, SOCLE_OWN_ROOT, join(paths->mine, "ark.pem", path));
}

/*
 * The host's table, as the guest passed it on, in a file: it counts before one behind the report.
 */
static bool add_table(struct socle_evidence *evidence, const struct folder_paths *paths)
{
	char buffer[FILE_PATH_MAX];
	const char *path = kernel_path(certificate_folder(paths), "certs.bin", "auxblob", buffer);

	return access(path, F_OK) != 0 || add_file(evidence, SOCLE_CERT_TABLE, path);
}

/*
 * Without a file, one of the table takes its place; without either, one that AMD publishes, if it
 * fits.
 */
static bool add_certificates(struct socle_evidence *evidence, const struct folder_paths *paths)
{
	const char *key = socle_evidence_key(evidence);
	struct chain_member members[CHAIN_MEMBERS];
	bool wants_table = false;

	chain_members(paths, key && strcmp(key, "vlek") == 0, members);
	if (!add_own_root(evidence, paths))
		return false;
	for (size_t i = 0; i < CHAIN_MEMBERS; i++) {
		if (members[i].part == SOCLE_CERT_ARK &&
		    socle_evidence_has(evidence, SOCLE_OWN_ROOT))
			continue;
		if (!is_file(paths, &members[i]))
			wants_table = true;
		else if (!add_member(evidence, paths, &members[i]))
			return false;
	}
	if (wants_table && !add_table(evidence, paths))
		return false;
	for (size_t i = 0; i < CHAIN_MEMBERS; i++) {
		/* It is not there, and this says so. */
		if (!socle_evidence_has(evidence, members[i].part) &&
		    !add_member(evidence, paths, &members[i]))
			return false;
	}
	return true;
}

static bool add_ek_certificate(struct socle_evidence *evidence, const struct folder_paths *paths)
{
	return !paths->ek_certificate ||
	       (add_file(evidence, SOCLE_EK_CERTIFICATE, paths->ek_certificate) &&
		add_file(evidence, SOCLE_OWN_CA, paths->ca));
}

static bool add_keys(struct socle_evidence *evidence, const struct folder_paths *paths)
{
	return add_own(evidence, SOCLE_OWN_NONCE, paths, paths->nonce, "nonce.bin", "--nonce") &&
	       add_kernels(evidence, SOCLE_MANIFEST, paths, "manifest.bin", "manifestblob") &&
	       add_optional(evidence, SOCLE_SELECTOR, paths, "selector.bin") &&
	       add_optional(evidence, SOCLE_CONTEXT, paths, "context.bin") &&
	       add_ek_certificate(evidence, paths);
}

static bool add_challenged(struct socle_evidence *evidence, const struct folder_paths *paths)
{
	return add(evidence, SOCLE_EK, paths, "ek.pub") &&
	       add(evidence, SOCLE_AK, paths, "ak.pub") &&
	       add_own(evidence, SOCLE_OWN_CHALLENGE, paths, paths->challenge, "challenge.json",
		       "--challenge") &&
	       add(evidence, SOCLE_ANSWER, paths, "answer.bin") &&
	       add(evidence, SOCLE_QUOTE, paths, "quote.msg") &&
	       add(evidence, SOCLE_QUOTE_SIGNATURE, paths, "quote.sig") &&
	       add(evidence, SOCLE_QUOTE_PCRS, paths, "quote.pcrs");
}

/* The manifest says which keys there are; the files need not repeat it. */
static bool add_attested(struct socle_evidence *evidence, const struct folder_paths *paths)
{
	return add_optional(evidence, SOCLE_EK, paths, "ek.pub") &&
	       add_optional(evidence, SOCLE_AK, paths, "ak.pub") &&
	       add(evidence, SOCLE_QUOTE, paths, "quote.msg") &&
	       add(evidence, SOCLE_QUOTE_SIGNATURE, paths, "quote.sig") &&
	       add_optional(evidence, SOCLE_QUOTE_PCRS, paths, "quote.pcrs");
}

static bool add_event_log(struct socle_evidence *evidence, const struct folder_paths *paths)
{
	return paths->event_log ? add_file(evidence, SOCLE_EVENT_LOG, paths->event_log)
				: add_optional(evidence, SOCLE_EVENT_LOG, paths, "eventlog.bin");
}

static bool add_all(struct socle_evidence *evidence, const struct folder_paths *paths,
		    enum folder_depth depth)
{
	if (!add_report(evidence, paths) || !add_certificates(evidence, paths))
		return false;
	if (depth == FOLDER_REPORT)
		return true;
	if (!add_keys(evidence, paths))
		return false;
	if (depth == FOLDER_KEYS)
		return true;
	if (!add_event_log(evidence, paths))
		return false;
	/* Whether it made a challenge is the relying party's word. */
	return paths->challenge || is_mine(paths, "challenge.json")
		       ? add_challenged(evidence, paths)
		       : add_attested(evidence, paths);
}

struct socle_evidence *folder_load(const struct folder_paths *paths, enum folder_depth depth)
{
	struct socle_evidence *evidence = socle_evidence_new();

	if (!evidence)
		cmd_file_error(paths->directory, "out of memory");
	else if (add_all(evidence, paths, depth))
		return evidence;
	socle_evidence_free(evidence);
	return NULL;
}

struct socle_evidence *folder_load_unchallenged(const struct folder_paths *paths)
{
	struct socle_evidence *evidence = folder_load(paths, FOLDER_KEYS);

	if (evidence && add_optional(evidence, SOCLE_EK, paths, "ek.pub") &&
	    add(evidence, SOCLE_AK, paths, "ak.pub"))
		return evidence;
	socle_evidence_free(evidence);
	return NULL;
}

bool folder_has_measurement(const struct folder_paths *paths)
{
	return is_mine(paths, "measurement.hex");
}

bool folder_load_measurement(const struct folder_paths *paths,
			     uint8_t measurement[FOLDER_MEASUREMENT_SIZE])
{
	char buffer[FILE_PATH_MAX], text[2 * FOLDER_MEASUREMENT_SIZE + 2];
	const char *path = join(paths->mine, "measurement.hex", buffer);
	struct file_bytes bytes;
	bool ok;

	if (!cmd_read_file(path, EVIDENCE_PART_SIZE_MAX, &bytes))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)strnlen((const char *)bytes.data, bytes.size),
		 (const char *)bytes.data);
	text[strcspn(text, "\n")] = '\0';
	ok = hex_read(text, measurement, FOLDER_MEASUREMENT_SIZE);
	if (!ok)
		cmd_file_error(path, "no measurement: %u hexadecimal digits are wanted",
			       2 * FOLDER_MEASUREMENT_SIZE);
	file_free(&bytes);
	return ok;
}
