/* SPDX-License-Identifier: MIT */
#include "tools/verify/evidence.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/hex.h"
#include "core/evidence/host/amd_certificates.h"
#include "core/evidence/host/cert_table.h"
#include "core/evidence/host/ek_certificate.h"
#include "tools/cmd.h"

#define FILE_SIZE_MAX (64u << 10)

/* A path that is too long is the directory's own, which is no file to read: never another's. */
static const char *join(const char *directory, const char *name, char path[FILE_PATH_MAX])
{
	if (snprintf(path, FILE_PATH_MAX, "%s/%s", directory, name) >= FILE_PATH_MAX)
		return directory;
	return path;
}

static bool has_file(const struct evidence_paths *paths, const char *name)
{
	char path[FILE_PATH_MAX];

	return access(join(paths->directory, name, path), F_OK) == 0;
}

/* Whether the relying party's own folder has this file. */
static bool is_mine(const struct evidence_paths *paths, const char *name)
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

/* What the guest could have written is not the relying party's, whatever a command line says. */
bool evidence_paths_ok(const struct evidence_paths *paths)
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

static bool load_blob(const struct evidence_paths *paths, const char *name, struct file_bytes *blob)
{
	char path[FILE_PATH_MAX];

	return cmd_read_file(join(paths->directory, name, path), FILE_SIZE_MAX, blob);
}

/* The file of this name in the guest's folder, or of the name that the kernel has for it. */
static const char *kernel_path(const char *directory, const char *name, const char *kernels,
			       char path[FILE_PATH_MAX])
{
	if (access(join(directory, name, path), F_OK) == 0 ||
	    access(join(directory, kernels, path), F_OK) != 0)
		join(directory, name, path);
	return path;
}

/* As load_blob(), but a file that is not there is an empty one. */
static bool load_optional(const struct evidence_paths *paths, const char *name,
			  struct file_bytes *blob)
{
	return !has_file(paths, name) || load_blob(paths, name, blob);
}

bool evidence_read_report(const char *path, struct report_input *input)
{
	struct host_error error;
	struct file_bytes blob;
	const char *wrong = error.text;

	if (strcmp(path, "-") == 0 ? file_read_stdin(REPORT_INPUT_MAX, &blob, &error)
				   : file_read(path, REPORT_INPUT_MAX, &blob, &error))
		wrong = report_input_read(input, blob.data, blob.size);
	file_free(&blob);
	if (wrong)
		cmd_file_error(path, "%s", wrong);
	return !wrong;
}

/* Whether what stands behind a report is a table; of use or not, nothing else may be there. */
static const char *behind_error(const struct report_input *input)
{
	struct amd_chain chain = { .key = report_signing_key(&input->report) };
	const char *error = NULL;

	if (input->table.size)
		error = cert_table_read(&chain, chain.key, input->table.data, input->table.size);
	amd_chain_free(&chain);
	return error;
}

/* In whatever form it is; a table behind it is the host's. */
static bool load_report(const struct evidence_paths *paths, struct evidence *e)
{
	char buffer[FILE_PATH_MAX];
	const char *path = paths->report
				   ? paths->report
				   : kernel_path(paths->directory, "report.bin", "outblob", buffer);
	struct report_input input;
	const char *wrong;

	if (!evidence_read_report(path, &input))
		return false;
	e->report = input.report;
	e->report_table = input.table;
	wrong = behind_error(&input);
	if (wrong)
		cmd_file_error(path, "%s", wrong);
	return !wrong;
}

X509 *evidence_load_certificate(const char *path)
{
	X509 *certificate;
	struct file_bytes blob;

	if (!cmd_read_file(path, FILE_SIZE_MAX, &blob))
		return NULL;
	certificate = amd_chain_read_certificate(blob.data, blob.size);
	if (!certificate)
		cmd_file_error(path, "no certificate in PEM or DER");
	file_free(&blob);
	return certificate;
}

static EVP_PKEY *read_pem_key(const struct file_bytes *blob)
{
	BIO *bio = BIO_new_mem_buf(blob->data, (int)blob->size);
	EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, "") : NULL; /* never asks */

	BIO_free(bio);
	return key;
}

static EVP_PKEY *load_key(const struct evidence_paths *paths, const char *name)
{
	char buffer[FILE_PATH_MAX];
	const char *path = join(paths->directory, name, buffer);
	struct file_bytes blob;
	EVP_PKEY *key;

	if (!cmd_read_file(path, FILE_SIZE_MAX, &blob))
		return NULL;
	key = read_pem_key(&blob);
	if (!key)
		cmd_file_error(path, "no public key in PEM");
	file_free(&blob);
	return key;
}

/* Makes a TPM2B_PUBLIC the TPMT_PUBLIC in it. False unless it is one of them by its form. */
static bool strip_public(struct file_bytes *blob)
{
	struct bytes_reader r = bytes_reader_init(blob->data, blob->size);
	struct wire_public area;
	size_t size;
	const uint8_t *inner = wire_take_sized(&r, &size);

	if (inner && bytes_complete(&r)) {
		memmove(blob->data, inner, size);
		blob->size = size;
	}
	return blob->size <= TPM_PUBLIC_AREA_MAX &&
	       wire_read_public(&area, blob->data, blob->size) == WIRE_OK;
}

/* The AK comes as a key, or as the public area that tpm2-tools write unless they are told. */
static bool load_ak(const struct evidence_paths *paths, struct evidence *e)
{
	char buffer[FILE_PATH_MAX];
	const char *path = join(paths->directory, "ak.pub", buffer);

	if (!cmd_read_file(path, FILE_SIZE_MAX, &e->ak_area))
		return false;
	e->ak = read_pem_key(&e->ak_area);
	if (!e->ak && strip_public(&e->ak_area))
		return true;
	if (!e->ak)
		cmd_file_error(path, "no public key in PEM, and no public area of a TPM");
	file_free(&e->ak_area);
	return e->ak;
}

static bool json_hex(const json_t *object, const char *name, uint8_t *bytes, size_t capacity,
		     size_t *size)
{
	const char *text = json_string_value(json_object_get(object, name));

	*size = text ? strlen(text) / 2 : 0;
	return *size > 0 && *size <= capacity && hex_read(text, bytes, *size);
}

/*
 * Where something is that only the relying party can know: the file that was named, or the one in
 * its folder. NULL after a line on stderr when it gave neither.
 */
static const char *own_path(const struct evidence_paths *paths, const char *given, const char *name,
			    const char *option, char path[FILE_PATH_MAX])
{
	if (given)
		return given;
	if (paths->mine)
		return join(paths->mine, name, path);
	cmd_file_error(name,
		       "it has to be yours, not the guest's: give %s FILE, or --mine DIR with it",
		       option);
	return NULL;
}

static bool load_challenge(const struct evidence_paths *paths, struct evidence *evidence)
{
	char buffer[FILE_PATH_MAX];
	const char *path = own_path(paths, paths->challenge, "challenge.json", "--challenge",
				    buffer);
	json_error_t error;
	struct file_bytes blob;
	json_t *root;
	bool ok;

	if (!path || !cmd_read_file(path, FILE_SIZE_MAX, &blob))
		return false;
	root = json_loadb((const char *)blob.data, blob.size, JSON_REJECT_DUPLICATES, &error);
	file_free(&blob);
	if (!root) {
		cmd_file_error(path, "%s, line %d", error.text, error.line);
		return false;
	}
	ok = json_hex(root, "ek_name", evidence->challenge_ek.bytes, TPM_NAME_MAX,
		      &evidence->challenge_ek.size) &&
	     json_hex(root, "ak_name", evidence->challenge_ak.bytes, TPM_NAME_MAX,
		      &evidence->challenge_ak.size) &&
	     json_hex(root, "secret", evidence->secret, EVIDENCE_SECRET_MAX,
		      &evidence->secret_size);
	if (!ok)
		cmd_file_error(path, "ek_name, ak_name or secret is missing or not hexadecimal");
	json_decref(root);
	return ok;
}

static bool load_nonce(const struct evidence_paths *paths, struct evidence *evidence)
{
	char buffer[FILE_PATH_MAX];
	const char *path = own_path(paths, paths->nonce, "nonce.bin", "--nonce", buffer);
	struct file_bytes blob;
	bool ok;

	if (!path || !cmd_read_file(path, FILE_SIZE_MAX, &blob))
		return false;
	ok = blob.size == sizeof(evidence->nonce);
	if (ok)
		memcpy(evidence->nonce, blob.data, blob.size);
	else
		cmd_file_error(path, "%zu bytes, where a nonce has %zu", blob.size,
			       sizeof(evidence->nonce));
	file_free(&blob);
	return ok;
}

/* Where one of the report's certificates is read from. */
static const char *certificate_path(const struct evidence_paths *paths, const char *given,
				    const char *name, char path[FILE_PATH_MAX])
{
	const char *directory = paths->certificates ? paths->certificates : paths->directory;

	return given ? given : join(directory, name, path);
}

/* A certificate of the chain: the file that it is in, if any, and where it belongs. */
struct chain_member {
	const char *given, *name;
	X509 **place, *spare; /* spare: the one of the table */
};

#define CHAIN_MEMBERS 3u /* in the order of enum amd_chain_place */

static X509 *load_chain_member(const struct evidence_paths *paths,
			       const struct chain_member *member, enum amd_chain_place place,
			       enum report_signing_key key)
{
	char buffer[FILE_PATH_MAX];
	const char *path = certificate_path(paths, member->given, member->name, buffer);
	X509 *certificate;
	struct file_bytes blob;

	if (!cmd_read_file(path, FILE_SIZE_MAX, &blob))
		return NULL;
	certificate = amd_chain_pick_certificate(blob.data, blob.size, place, key);
	if (!certificate)
		cmd_file_error(path, "no certificate in PEM or DER that can be the %s",
			       member->name);
	file_free(&blob);
	return certificate;
}

static void chain_members(const struct evidence_paths *paths, struct amd_chain *chain,
			  const struct amd_chain *table, struct chain_member members[CHAIN_MEMBERS])
{
	bool vlek = chain->key == REPORT_KEY_VLEK;

	members[0] = (struct chain_member){ paths->ark, "ark.pem", &chain->ark, table->ark };
	members[1] = (struct chain_member){ vlek ? paths->asvk : paths->ask,
					    vlek ? "asvk.pem" : "ask.pem", &chain->issuer,
					    table->issuer };
	members[2] = (struct chain_member){ vlek ? paths->vlek : paths->vcek,
					    vlek ? "vlek.pem" : "vcek.pem", &chain->signer,
					    table->signer };
}

bool evidence_load_chain(const struct evidence_paths *paths, struct amd_chain *chain)
{
	static const struct amd_chain none;
	struct chain_member members[CHAIN_MEMBERS];

	*chain = (struct amd_chain){ .key = REPORT_KEY_VCEK };
	chain_members(paths, chain, &none, members);
	for (size_t i = 0; i < CHAIN_MEMBERS; i++) {
		*members[i].place = load_chain_member(paths, &members[i], (enum amd_chain_place)i,
						      chain->key);
		if (!*members[i].place)
			return false;
	}
	return true;
}

/* A file that was named, or that is there, is the one to use, whatever the table has. */
static bool wants_table(const struct evidence_paths *paths, const char *given, const char *name)
{
	char path[FILE_PATH_MAX];

	return !given && access(certificate_path(paths, NULL, name, path), F_OK) != 0;
}

/* The host's table, as the guest passed it on: a file of it, or what is behind the report. */
static bool load_table(const struct evidence_paths *paths, const struct file_bytes *behind_report,
		       struct amd_chain *chain)
{
	const char *directory = paths->certificates ? paths->certificates : paths->directory;
	char buffer[FILE_PATH_MAX];
	const char *path = kernel_path(directory, "certs.bin", "auxblob", buffer);
	bool there = access(path, F_OK) == 0;
	struct file_bytes blob = *behind_report;
	const char *wrong = NULL;

	if (there && !cmd_read_file(path, FILE_SIZE_MAX, &blob))
		return false;
	/* Nothing at all, as the kernel has it where the host gave none. */
	if (blob.size)
		wrong = cert_table_read(chain, chain->key, blob.data, blob.size);
	if (wrong)
		cmd_file_error(there ? path : "the table behind the report", "%s", wrong);
	if (there)
		file_free(&blob);
	return !wrong;
}

/* Without a file, one of the table takes its place; without either, one that AMD publishes, if it fits. */
static bool fill_chain(const struct evidence_paths *paths, const struct chain_member *members,
		       struct amd_chain *chain)
{
	for (size_t i = 0; i < CHAIN_MEMBERS; i++) {
		const struct chain_member *m = &members[i];

		if (!wants_table(paths, m->given, m->name))
			*m->place = load_chain_member(paths, m, (enum amd_chain_place)i,
						      chain->key);
		else if (m->spare && X509_up_ref(m->spare) == 1)
			*m->place = m->spare;
		else
			continue;
		if (!*m->place)
			return false;
	}
	amd_certificates_fill(chain);
	for (size_t i = 0; i < CHAIN_MEMBERS; i++) {
		const struct chain_member *m = &members[i];

		/* It is not there, and this says so. */
		if (!*m->place && !load_chain_member(paths, m, (enum amd_chain_place)i, chain->key))
			return false;
	}
	return true;
}

/* The relying party's own root comes before any that came with the evidence. */
static bool load_certificates(struct evidence *e, const struct evidence_paths *given)
{
	struct evidence_paths with_root = *given;
	const struct evidence_paths *paths = &with_root;
	char root[FILE_PATH_MAX];
	enum report_signing_key key = report_signing_key(&e->report) == REPORT_KEY_VLEK
					      ? REPORT_KEY_VLEK
					      : REPORT_KEY_VCEK;
	struct amd_chain table = { .key = key };
	struct chain_member members[CHAIN_MEMBERS];
	bool wanted = false, ok = true;

	if (!given->ark && is_mine(given, "ark.pem"))
		with_root.ark = join(given->mine, "ark.pem", root);
	e->root_from_guest = !with_root.ark;
	e->chain.key = key;
	chain_members(paths, &e->chain, &table, members);
	for (size_t i = 0; i < CHAIN_MEMBERS; i++)
		wanted = wanted || wants_table(paths, members[i].given, members[i].name);
	if (wanted)
		ok = load_table(paths, &e->report_table, &table);
	chain_members(paths, &e->chain, &table, members);
	ok = ok && fill_chain(paths, members, &e->chain);
	amd_chain_free(&table);
	return ok;
}

static bool load_ca(struct evidence *e, const char *path)
{
	struct file_bytes blob;

	if (!cmd_read_file(path, FILE_SIZE_MAX, &blob))
		return false;
	e->ca = ek_certificate_read_ca(blob.data, blob.size);
	if (!e->ca)
		cmd_file_error(path, "no certificate in PEM or DER");
	file_free(&blob);
	return e->ca;
}

static bool load_ek_certificate(struct evidence *e, const struct evidence_paths *paths)
{
	if (!paths->ek_certificate)
		return true;
	e->ek_certificate = evidence_load_certificate(paths->ek_certificate);
	return e->ek_certificate && load_ca(e, paths->ca);
}

static bool load_manifest(const struct evidence_paths *paths, struct file_bytes *manifest)
{
	char path[FILE_PATH_MAX];

	return cmd_read_file(kernel_path(paths->directory, "manifest.bin", "manifestblob", path),
			     FILE_SIZE_MAX, manifest);
}

static bool load_keys(struct evidence *e, const struct evidence_paths *paths)
{
	return load_nonce(paths, e) && load_manifest(paths, &e->manifest) &&
	       load_optional(paths, "selector.bin", &e->selector) &&
	       load_optional(paths, "context.bin", &e->context) && load_ek_certificate(e, paths);
}

static bool load_challenged(struct evidence *e, const struct evidence_paths *paths)
{
	e->challenged = true;
	e->ek = load_key(paths, "ek.pub");
	return e->ek && load_ak(paths, e) && load_challenge(paths, e) &&
	       load_blob(paths, "answer.bin", &e->answer) &&
	       load_blob(paths, "quote.msg", &e->quote) &&
	       load_blob(paths, "quote.sig", &e->quote_signature) &&
	       load_blob(paths, "quote.pcrs", &e->quote_pcrs);
}

static bool load_attested(struct evidence *e, const struct evidence_paths *paths)
{
	/* The manifest says which keys there are; the files need not repeat it. */
	if (has_file(paths, "ek.pub") && !(e->ek = load_key(paths, "ek.pub")))
		return false;
	return (!has_file(paths, "ak.pub") || load_ak(paths, e)) &&
	       load_blob(paths, "quote.msg", &e->quote) &&
	       load_blob(paths, "quote.sig", &e->quote_signature) &&
	       load_optional(paths, "quote.pcrs", &e->quote_pcrs);
}

bool evidence_load(struct evidence *evidence, const struct evidence_paths *paths,
		   enum evidence_depth depth)
{
	struct evidence *e = evidence;

	*e = (struct evidence){ 0 };
	if (!load_report(paths, e) || !load_certificates(e, paths))
		return false;
	if (depth == EVIDENCE_REPORT)
		return true;
	if (!load_keys(e, paths))
		return false;
	if (depth == EVIDENCE_KEYS)
		return true;
	/* Whether it made a challenge is the relying party's word. */
	return paths->challenge || is_mine(paths, "challenge.json") ? load_challenged(e, paths)
								    : load_attested(e, paths);
}

bool evidence_has_measurement(const struct evidence_paths *paths)
{
	return is_mine(paths, "measurement.hex");
}

bool evidence_load_measurement(const struct evidence_paths *paths,
			       uint8_t measurement[PSP_MEASUREMENT_SIZE])
{
	char buffer[FILE_PATH_MAX];
	const char *path = join(paths->mine, "measurement.hex", buffer);
	char text[2 * PSP_MEASUREMENT_SIZE + 2];
	struct file_bytes blob;
	bool ok;

	if (!cmd_read_file(path, FILE_SIZE_MAX, &blob))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)strnlen((const char *)blob.data, blob.size),
		 (const char *)blob.data);
	text[strcspn(text, "\n")] = '\0';
	ok = hex_read(text, measurement, PSP_MEASUREMENT_SIZE);
	if (!ok)
		cmd_file_error(path, "no measurement: %u hexadecimal digits are wanted",
			       2 * PSP_MEASUREMENT_SIZE);
	file_free(&blob);
	return ok;
}

void evidence_free(struct evidence *evidence)
{
	amd_chain_free(&evidence->chain);
	EVP_PKEY_free(evidence->ek);
	EVP_PKEY_free(evidence->ak);
	X509_free(evidence->ek_certificate);
	sk_X509_pop_free(evidence->ca, X509_free);
	file_free(&evidence->report_table);
	file_free(&evidence->ak_area);
	file_free(&evidence->manifest);
	file_free(&evidence->selector);
	file_free(&evidence->context);
	file_free(&evidence->answer);
	file_free(&evidence->quote);
	file_free(&evidence->quote_signature);
	file_free(&evidence->quote_pcrs);
}
