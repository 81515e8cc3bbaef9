/* SPDX-License-Identifier: MIT */
#include "tools/ca/certify.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/bytes.h"
#include "core/tpm/wire.h"

#define NAME_SIZE 64
#define ENDING ".pub"
#define KEY_MAX 1100u /* of a TPM2B_PUBLIC with the longest area */

/* What was found in the folder; the manifest's keys are in files[]. */
struct keys {
	char names[VTPM_MANIFEST_KEYS_MAX][NAME_SIZE];
	struct file_bytes files[VTPM_MANIFEST_KEYS_MAX];
	struct vtpm_manifest manifest;
};

/* The key of a TPM2B_PUBLIC. NULL, or what is wrong. */
static const char *read_sized(struct vtpm_manifest_key *key, const struct file_bytes *file)
{
	struct bytes_reader r = bytes_reader_init(file->data, file->size);
	size_t size;
	const uint8_t *area = wire_take_sized(&r, &size);

	if (!bytes_complete(&r))
		return "it is no TPM2B_PUBLIC";
	return vtpm_manifest_read_key(key, area, size);
}

/* The length of a key's name before the ending; 0 for another file. */
static size_t key_name(const char *file)
{
	size_t length = strlen(file), ending = strlen(ENDING);

	if (length <= ending || strcmp(file + length - ending, ENDING) != 0)
		return 0;
	return length - ending;
}

static bool take_file(struct keys *keys, const char *folder, const char *file,
		      struct host_error *error)
{
	size_t index = keys->manifest.count, length = key_name(file);
	struct host_error reason;
	char path[FILE_PATH_MAX];
	const char *wrong;

	if (!file_path(path, folder, file, error))
		return false;
	if (length >= NAME_SIZE)
		return host_fail(error, "%s: the name is too long", path);
	if (strncmp(file, CA_CERTIFY_PLATFORM ENDING, sizeof(CA_CERTIFY_PLATFORM ENDING)) == 0)
		return host_fail(error, "%s: that is the name of the platform's certificate", path);
	if (index == VTPM_MANIFEST_KEYS_MAX)
		return host_fail(error, "%s: there are more than %u keys", folder,
				 VTPM_MANIFEST_KEYS_MAX);
	if (!file_read(path, KEY_MAX, &keys->files[index], &reason))
		return host_fail(error, "%s: %s", path, reason.text);
	memcpy(keys->names[index], file, length);
	wrong = read_sized(&keys->manifest.keys[index], &keys->files[index]);
	keys->manifest.count++;
	return !wrong || host_fail(error, "%s: %s", path, wrong);
}

static int is_key(const struct dirent *entry)
{
	return key_name(entry->d_name) > 0;
}

/* In the order of their names, so that serial numbers are. */
static bool read_folder(struct keys *keys, const char *folder, struct host_error *error)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, is_key, alphasort);
	bool ok = count > 0;

	if (count < 0)
		return host_fail(error, "%s: %s", folder, strerror(errno));
	if (count == 0)
		host_fail(error, "%s: there is no NAME%s", folder, ENDING);
	for (int i = 0; i < count; i++) {
		ok = ok && take_file(keys, folder, entries[i]->d_name, error);
		free(entries[i]);
	}
	free(entries);
	return ok;
}

static bool write_one(const char *folder, const char *name, const struct file_bytes *der,
		      struct host_error *error)
{
	struct host_error reason;
	char path[FILE_PATH_MAX], file[NAME_SIZE + sizeof(".der")];

	snprintf(file, sizeof(file), "%s.der", name);
	if (!file_path(path, folder, file, error))
		return false;
	return file_write(path, der->data, der->size, &reason) ||
	       host_fail(error, "%s: %s", path, reason.text);
}

static bool write_all(const char *folder, const struct keys *keys, const struct ca_issued *issued,
		      struct host_error *error)
{
	if (mkdir(folder, 0755) != 0 && errno != EEXIST)
		return host_fail(error, "%s: %s", folder, strerror(errno));
	for (size_t i = 0; i < issued->count; i++) {
		const char *name = i < keys->manifest.count ? keys->names[i] : CA_CERTIFY_PLATFORM;

		if (!write_one(folder, name, &issued->certificates[i], error))
			return false;
	}
	return true;
}

/* Which key of the manifest gets the platform's certificate; its count for none. */
static bool find_platform_key(const struct keys *keys, const struct ca_certify_order *order,
			      size_t *index, struct host_error *error)
{
	*index = keys->manifest.count;
	if (!order->platform_key)
		return true;
	for (size_t i = 0; i < keys->manifest.count; i++) {
		if (strcmp(keys->names[i], order->platform_key) == 0)
			*index = i;
	}
	if (*index == keys->manifest.count || keys->manifest.keys[*index].info.signing)
		return host_fail(error, "%s: there is no endorsement key %s%s", order->keys,
				 order->platform_key, ENDING);
	return true;
}

static bool certify(const struct ca_authority *ca, const struct ca_policy *policy,
		    const struct ca_certify_order *order, struct keys *keys,
		    struct host_error *error)
{
	struct ca_issued issued;
	size_t platform_key;
	bool ok;

	if (!read_folder(keys, order->keys, error) ||
	    !find_platform_key(keys, order, &platform_key, error) ||
	    !ca_issue(ca, policy, &keys->manifest, &issued, error))
		return false;
	ok = platform_key == keys->manifest.count ||
	     ca_issue_platform(ca, policy, &keys->manifest.keys[platform_key], &order->platform,
			       &issued, error);
	ok = ok && write_all(order->output, keys, &issued, error);
	ca_issued_free(&issued);
	return ok;
}

bool ca_certify(const struct ca_authority *ca, const struct ca_policy *policy,
		const struct ca_certify_order *order, struct host_error *error)
{
	struct keys *keys = calloc(1, sizeof(*keys));
	bool ok = keys ? certify(ca, policy, order, keys, error)
		       : host_fail(error, "out of memory");

	for (size_t i = 0; keys && i < keys->manifest.count; i++)
		file_free(&keys->files[i]);
	free(keys);
	return ok;
}
