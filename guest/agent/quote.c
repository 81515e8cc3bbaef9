/* SPDX-License-Identifier: MIT */
#include "guest/agent/quote.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/evidence/limits.h"
#include "core/evidence/vtpm_manifest.h"
#include "core/tpm/profile.h"
#include "core/tpm/wire.h"
#include "guest/agent/file.h"

#define MANIFEST_MAX (16u << 10)
/* How often a PCR may change between the reading and the quote. */
#define ATTEMPTS 8

/* ---- Files in the formats of tpm2-tools ---- */

/* A DER INTEGER of an unsigned big-endian number that starts at *from. */
static size_t put_integer(uint8_t *to, const uint8_t *from, size_t size)
{
	size_t pad;

	while (size > 1 && from[0] == 0) {
		from++;
		size--;
	}
	pad = size > 0 && from[0] & 0x80 ? 1 : 0;
	to[0] = 0x02;
	to[1] = (uint8_t)(size + pad);
	to[2] = 0;
	memcpy(to + 2 + pad, from, size);
	return 2 + pad + size;
}

static size_t put_ecdsa(uint8_t *plain, size_t capacity, struct bytes_reader *r)
{
	uint8_t body[2 * (3 + 66)];
	size_t size, header, r_size, s_size;
	const uint8_t *r_data = wire_take_sized(r, &r_size);
	const uint8_t *s_data = wire_take_sized(r, &s_size);

	if (!bytes_complete(r) || !r_size || !s_size || r_size > 66 || s_size > 66)
		return 0;
	size = put_integer(body, r_data, r_size);
	size += put_integer(body + size, s_data, s_size);
	header = size < 0x80 ? 2 : 3;
	if (header + size > capacity)
		return 0;
	plain[0] = 0x30;
	plain[1] = header == 2 ? (uint8_t)size : 0x81;
	if (header == 3)
		plain[2] = (uint8_t)size;
	memcpy(plain + header, body, size);
	return header + size;
}

size_t quote_plain_signature(const struct tpm_blob *signature, uint8_t *plain, size_t capacity)
{
	struct bytes_reader r = bytes_reader_init(signature->data, signature->size);
	uint16_t scheme = bytes_be16(&r);
	const uint8_t *number;
	size_t size;

	bytes_be16(&r); /* hash */
	if (scheme == TPM_ALG_ECDSA)
		return put_ecdsa(plain, capacity, &r);
	if (scheme != TPM_ALG_RSASSA && scheme != TPM_ALG_RSAPSS)
		return 0;
	number = wire_take_sized(&r, &size);
	if (!bytes_complete(&r) || size > capacity)
		return 0;
	memcpy(plain, number, size);
	return size;
}

/* The structures of tpm2-tss in memory, which tpm2-tools writes as they are. */
struct file_selection {
	uint32_t count;
	struct {
		uint16_t bank;
		uint8_t size;
		uint8_t bits[4];
		uint8_t padding;
	} banks[16];
};
ABI_SIZE(struct file_selection, 132);

struct file_digests {
	uint32_t count;
	struct {
		uint16_t size;
		uint8_t data[64];
	} digests[8];
};
ABI_SIZE(struct file_digests, 532);

struct pcr_file {
	struct file_selection selection;
	uint32_t lists;
	struct file_digests digests[TPM_PCR_COUNT / 8];
};

/* Returns its size. */
static size_t fill_pcr_file(struct pcr_file *file, const struct tpm_selection *selection,
			    const struct tpm_pcrs *pcrs)
{
	memset(file, 0, sizeof(*file));
	file->selection.count = 1;
	file->selection.banks[0].bank = selection->bank;
	file->selection.banks[0].size = 3;
	for (unsigned int i = 0; i < 3; i++)
		file->selection.banks[0].bits[i] = (uint8_t)(selection->mask >> (8 * i));
	file->lists = (uint32_t)(pcrs->count + 7) / 8;
	for (size_t i = 0; i < pcrs->count; i++) {
		struct file_digests *list = &file->digests[i / 8];

		list->digests[i % 8].size = pcrs->digests[i].size;
		memcpy(list->digests[i % 8].data, pcrs->digests[i].data, pcrs->digests[i].size);
		list->count++;
	}
	return offsetof(struct pcr_file, digests) + file->lists * sizeof(struct file_digests);
}

/* ---- The key ---- */

static bool find_key(const struct vtpm_manifest *manifest, uint32_t id,
		     struct vtpm_manifest_key *key, struct problem *problem)
{
	for (size_t i = 0; i < manifest->count; i++) {
		const struct selector_template *info = &manifest->keys[i].info;

		if (info->signing && (!id || profile_key_fits(id, info))) {
			*key = manifest->keys[i];
			return true;
		}
	}
	return problem_set(problem, "manifest.bin: it attests no such signing key");
}

struct key_template {
	size_t size;
	uint8_t data[SELECTOR_TEMPLATE_MAX];
};

/* What an attested key was made from, if its unique field was of zeros, as long as this. */
static bool template_of(const struct vtpm_manifest_key *key, size_t unique, struct key_template *t)
{
	size_t parts = key->info.type == TPM_ALG_ECC ? 2 : 1;
	struct bytes_writer w = bytes_writer_init(t->data, sizeof(t->data));

	bytes_put(&w, key->data, key->info.unique_offset);
	for (size_t i = 0; i < parts; i++) {
		bytes_put_be16(&w, (uint16_t)(unique / parts));
		bytes_put_zeros(&w, unique / parts);
	}
	t->size = w.size;
	return !w.bad;
}

enum made { MADE, MADE_OTHER, MADE_NONE };

/* Makes a key, and flushes it when it is not the attested one. */
static enum made try_template(int fd, const void *template, size_t size,
			      const struct vtpm_manifest_key *key, uint32_t *handle,
			      struct problem *problem)
{
	struct tpm_blob public_area;

	if (!tpm_create_primary(fd, template, size, handle, &public_area, problem))
		return MADE_NONE;
	if (public_area.size == key->size && memcmp(public_area.data, key->data, key->size) == 0)
		return MADE;
	return tpm_flush(fd, *handle, problem) ? MADE_OTHER : MADE_NONE;
}

static enum made try_given(int fd, const struct quote_wish *wish,
			   const struct vtpm_manifest_key *key, uint32_t *handle,
			   struct problem *problem)
{
	struct tpm_blob content;

	if (wish->template)
		return try_template(fd, wish->template, wish->template_size, key, handle, problem);
	if (!tpm_read_nv(fd, wish->nv, &content, problem))
		return MADE_NONE;
	return try_template(fd, content.data, content.size, key, handle, problem);
}

static enum made try_usual(int fd, const struct vtpm_manifest_key *key, uint32_t *handle,
			   struct problem *problem)
{
	const size_t uniques[] = { 0, key->info.unique_size };
	enum made made = MADE_OTHER;
	struct key_template template;

	for (size_t i = 0; made == MADE_OTHER && i < 2; i++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): the reader filled it. */
		if (template_of(key, uniques[i], &template))
			made = try_template(fd, template.data, template.size, key, handle, problem);
	}
	return made;
}

static bool make_key(int fd, const struct quote_wish *wish, const struct vtpm_manifest_key *key,
		     uint32_t *handle, struct problem *problem)
{
	enum made made = wish->template || wish->nv ? try_given(fd, wish, key, handle, problem)
						    : try_usual(fd, key, handle, problem);

	if (made == MADE_OTHER)
		problem_set(problem, "the template makes another key than manifest.bin has");
	return made == MADE;
}

/* ---- The quote ---- */

struct parts {
	struct tpm_pcrs before, after;
	struct tpm_blob message, signature;
	uint8_t plain[TPM_BLOB_MAX];
	size_t plain_size;
	struct pcr_file file;
	size_t file_size;
};

/* A quote of PCR values that are known: none of them changed while it was made. */
static bool quote(int fd, uint32_t handle, const struct quote_wish *wish, struct parts *parts,
		  struct problem *problem)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		if (!tpm_read_pcrs(fd, &wish->pcrs, &parts->before, problem) ||
		    !tpm_quote(fd, handle, wish->nonce, sizeof(wish->nonce), &wish->pcrs,
			       &parts->message, &parts->signature, problem) ||
		    !tpm_read_pcrs(fd, &wish->pcrs, &parts->after, problem))
			return false;
		if (parts->before.counter == parts->after.counter)
			return true;
	}
	return problem_set(problem, "the PCRs do not stand still");
}

static bool put_file(const char *folder, const char *name, const void *data, size_t size,
		     struct problem *problem)
{
	int rc = file_write_in(folder, name, data, size);

	return rc == 0 || problem_set(problem, "%s/%s: %s", folder, name, strerror(-rc));
}

static bool put_files(const char *folder, const struct quote_wish *wish, struct parts *parts,
		      struct problem *problem)
{
	parts->plain_size = quote_plain_signature(&parts->signature, parts->plain,
						  sizeof(parts->plain));
	if (parts->plain_size == 0)
		return problem_set(problem, "TPM2_Quote: a signature of unknown form");
	parts->file_size = fill_pcr_file(&parts->file, &wish->pcrs, &parts->before);
	return put_file(folder, "quote.msg", parts->message.data, parts->message.size, problem) &&
	       put_file(folder, "quote.sig", parts->plain, parts->plain_size, problem) &&
	       put_file(folder, "quote.pcrs", &parts->file, parts->file_size, problem);
}

static bool quote_by(int fd, const struct quote_wish *wish, const struct vtpm_manifest_key *key,
		     const char *folder, struct problem *problem)
{
	struct parts *parts = malloc(sizeof(*parts));
	struct problem ignored;
	uint32_t handle;
	bool ok;

	if (parts == NULL)
		return problem_set(problem, "%s", strerror(ENOMEM));
	ok = make_key(fd, wish, key, &handle, problem);
	if (ok) {
		ok = quote(fd, handle, wish, parts, problem);
		tpm_flush(fd, handle, &ignored);
	}
	ok = ok && put_files(folder, wish, parts, problem);
	free(parts);
	return ok;
}

static ssize_t read_manifest(const char *folder, uint8_t *data, size_t capacity)
{
	char path[FILE_PATH_MAX];
	int rc = file_path(path, folder, "manifest.bin");

	return rc == 0 ? file_read(path, data, capacity) : rc;
}

bool quote_to(int fd, const struct quote_wish *wish, const char *folder, struct problem *problem)
{
	uint8_t data[MANIFEST_MAX];
	struct vtpm_manifest manifest;
	struct vtpm_manifest_key key;
	const char *wrong;
	ssize_t size = read_manifest(folder, data, sizeof(data));

	if (size < 0)
		return problem_set(problem, "manifest.bin: %s", strerror((int)-size));
	wrong = vtpm_manifest_read(&manifest, data, (size_t)size);
	if (wrong)
		return problem_set(problem, "manifest.bin: %s", wrong);
	return find_key(&manifest, wish->key, &key, problem) &&
	       quote_by(fd, wish, &key, folder, problem);
}

int quote_keep_log(const char *device, const char *security, const char *folder)
{
	const char *number = device + strlen(device);
	char from[FILE_PATH_MAX], to[FILE_PATH_MAX];
	uint8_t *log;
	ssize_t size;
	int rc = file_path(to, folder, "eventlog.bin");

	while (number > device && number[-1] >= '0' && number[-1] <= '9')
		number--;
	if (rc != 0 || snprintf(from, sizeof(from), "%s/tpm%s/binary_bios_measurements", security,
				number) >= (int)sizeof(from))
		return -ENAMETOOLONG;
	log = malloc(EVIDENCE_LOG_SIZE_MAX);
	if (log == NULL)
		return -ENOMEM;
	size = file_read(from, log, EVIDENCE_LOG_SIZE_MAX);
	if (size < 0 && size != -ENOENT)
		fprintf(stderr, "socle-guest: %s is left out: %s\n", from, strerror((int)-size));
	if (size > 0)
		rc = file_write(to, log, (size_t)size);
	else if (unlink(to) != 0 && errno != ENOENT)
		rc = -errno;
	free(log);
	return rc;
}

bool quote_on(const char *device, const struct quote_wish *wish, const char *folder,
	      struct problem *problem)
{
	int fd = open(device, O_RDWR | O_CLOEXEC), rc;
	bool ok;

	if (fd < 0)
		return problem_set(problem, "%s: %s", device, strerror(errno));
	ok = quote_to(fd, wish, folder, problem);
	close(fd);
	if (!ok)
		return false;
	rc = quote_keep_log(device, "/sys/kernel/security", folder);
	return rc == 0 || problem_set(problem, "%s/eventlog.bin: %s", folder, strerror(-rc));
}
