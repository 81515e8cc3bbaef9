/* SPDX-License-Identifier: MIT */
#include "tools/vtpm/provision.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "services/vtpm/certificate.h"

static bool write_key(struct vtpm *vtpm, size_t index, const char *folder, struct host_error *error)
{
	const char *name = profile_key_name(vtpm->profile->keys[index].id);
	const struct cache_entry *key = vtpm_profile_key(vtpm, index);
	uint8_t sized[2 + TPM_PUBLIC_MAX];
	struct host_error reason;
	char path[FILE_PATH_MAX], file[NAME_MAX];

	if (!key)
		return host_fail(error, "%s was not made since the seed changed", name);
	sized[0] = (uint8_t)(key->public_size >> 8);
	sized[1] = (uint8_t)key->public_size;
	memcpy(sized + 2, key->public_area, key->public_size);
	snprintf(file, sizeof(file), "%s" PROVISION_PUBLIC, name);
	if (!file_path(path, folder, file, error))
		return false;
	return file_write(path, sized, 2 + key->public_size, &reason) ||
	       host_fail(error, "%s: %s", path, reason.text);
}

static bool write_keys(struct vtpm *vtpm, const char *folder, struct host_error *error)
{
	if (mkdir(folder, 0777) != 0 && errno != EEXIST)
		return host_fail(error, "%s: %s", folder, strerror(errno));
	for (size_t i = 0; i < vtpm->profile->key_count; i++) {
		if (!write_key(vtpm, i, folder, error))
			return false;
	}
	return true;
}

bool provision_write_keys(struct vtpm_device *device, const char *folder, struct host_error *error)
{
	bool ok = vtpm_device_power_on(device, error) && write_keys(&device->vtpm, folder, error);

	vtpm_device_power_off(device, false);
	return ok;
}

/* The files of certificates, and where each is in them. */
struct folder {
	struct file_bytes files[PROFILE_KEYS_MAX + 1];
	size_t count, placed;
	struct certificates certificates;
};

static const char *judge_key(struct vtpm *vtpm, size_t index, const struct file_bytes *der)
{
	const struct cache_entry *key = vtpm_profile_key(vtpm, index);

	if (!key)
		return "its key was not made since the seed changed";
	return certificate_check(der->data, der->size, key->public_area, key->public_size,
				 vtpm->profile->keys[index].role);
}

/* A certificate of the platform names it by an endorsement key of its TPM. */
static const char *judge_platform(struct vtpm *vtpm, const struct file_bytes *der)
{
	for (size_t i = 0; i < vtpm->profile->key_count; i++) {
		if (vtpm->profile->keys[i].role == PROFILE_ROLE_EK && !judge_key(vtpm, i, der))
			return NULL;
	}
	return "it is for no endorsement key of this TPM";
}

static bool has_place(const struct profile *profile, enum profile_content content, size_t key)
{
	for (size_t i = 0; i < profile->nv_count; i++) {
		if (profile->nv[i].content == content && profile->nv[i].key == key)
			return true;
	}
	return false;
}

static size_t find_key(const struct profile *profile, const char *name, size_t length)
{
	const uint32_t id = profile_key_id(name, length);
	size_t index = 0;

	while (index < profile->key_count && profile->keys[index].id != id)
		index++;
	return index < profile->key_count ? index : PROFILE_NO_KEY;
}

/* Judges a certificate by its name and puts it where it belongs. NULL, or what is wrong. */
static const char *place(struct vtpm *vtpm, struct folder *folder, const char *name, size_t length,
			 const struct file_bytes *der)
{
	bool platform = length == strlen(PROVISION_PLATFORM) &&
			memcmp(name, PROVISION_PLATFORM, length) == 0;
	size_t key = platform ? PROFILE_NO_KEY : find_key(vtpm->profile, name, length);
	const char *wrong;

	if (!platform && key == PROFILE_NO_KEY)
		return "the profile has no key of this name";
	wrong = platform ? judge_platform(vtpm, der) : judge_key(vtpm, key, der);
	if (wrong)
		return wrong;
	if (!has_place(vtpm->profile,
		       platform ? PROFILE_CONTENT_PLATFORM : PROFILE_CONTENT_CERTIFICATE, key))
		return NULL;
	folder->placed++;
	if (platform) {
		folder->certificates.platform.data = der->data;
		folder->certificates.platform.size = der->size;
		return NULL;
	}
	if (folder->certificates.der[key].size)
		return "there is another one for this key";
	folder->certificates.der[key].data = der->data;
	folder->certificates.der[key].size = der->size;
	return NULL;
}

/* The length of a certificate's name before its ending; 0 for another file. */
static size_t certificate_name(const char *file)
{
	size_t length = strlen(file), ending = strlen(PROVISION_CERTIFICATE);

	if (length <= ending || strcmp(file + length - ending, PROVISION_CERTIFICATE) != 0)
		return 0;
	return length - ending;
}

static bool take_file(struct vtpm *vtpm, struct folder *folder, const char *where, const char *file,
		      struct host_error *error)
{
	struct file_bytes *der = &folder->files[folder->count];
	size_t length = certificate_name(file);
	struct host_error reason;
	char path[FILE_PATH_MAX];
	const char *wrong;

	if (!length)
		return true;
	if (!file_path(path, where, file, error))
		return false;
	if (folder->count == sizeof(folder->files) / sizeof(folder->files[0]))
		return host_fail(error, "%s: there are more certificates than keys", where);
	if (!file_read(path, PROFILE_NV_SIZE_MAX, der, &reason))
		return host_fail(error, "%s: %s", path, reason.text);
	folder->count++;
	wrong = place(vtpm, folder, file, length, der);
	return !wrong || host_fail(error, "%s: %s", path, wrong);
}

static bool read_folder(struct vtpm *vtpm, struct folder *folder, const char *where,
			struct host_error *error)
{
	DIR *directory = opendir(where);
	const struct dirent *entry;
	bool ok = true;

	if (!directory)
		return host_fail(error, "%s: %s", where, strerror(errno));
	while (ok && (entry = readdir(directory)))
		ok = take_file(vtpm, folder, where, entry->d_name, error);
	closedir(directory);
	return ok && (folder->placed ||
		      host_fail(error, "%s: the profile has no NV index for a NAME%s there", where,
				PROVISION_CERTIFICATE));
}

bool provision_certify(struct vtpm_device *device, const char *folder, struct host_error *error)
{
	struct folder *read = calloc(1, sizeof(*read));
	bool ok = read || host_fail(error, "out of memory");

	ok = ok && vtpm_device_power_on(device, error) &&
	     read_folder(&device->vtpm, read, folder, error) &&
	     vtpm_device_certify(device, &read->certificates, error);
	vtpm_device_power_off(device, false);
	for (size_t i = 0; read && i < read->count; i++)
		file_free(&read->files[i]);
	free(read);
	return ok;
}
