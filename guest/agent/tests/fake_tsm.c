/* SPDX-License-Identifier: MIT */
#include "guest/agent/tests/fake_tsm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/agent/file.h"

struct fake_tsm fake_tsm;

int __real_mkdir(const char *path, mode_t mode);
int __real_rmdir(const char *path);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_rmdir(const char *path);

static const char *const attributes[] = {
	"inblob",    "service_provider", "service_guid",      "service_manifest_version",
	"outblob",   "manifestblob",	 "auxblob",	      "privlevel_floor",
	"privlevel", "manifest_version", "manifest_selector", "service_error",
};
#define ATTRIBUTE_COUNT (sizeof(attributes) / sizeof(attributes[0]))

static bool is_report(const char *path)
{
	return fake_tsm.root != NULL && strncmp(path, fake_tsm.root, strlen(fake_tsm.root)) == 0;
}

static void fill(const char *folder, const char *name)
{
	static char bytes[64 << 10];
	char path[512];
	size_t size = 0;

	if (strcmp(name, "outblob") == 0)
		size = fake_tsm.outblob_size;
	else if (strcmp(name, "manifestblob") == 0)
		size = 314;
	else if (strcmp(name, "privlevel_floor") == 0)
		size = 1;
	memset(bytes, name[0], sizeof(bytes));
	if (fake_tsm.service_error && strcmp(name, "service_error") == 0) {
		size = strlen(fake_tsm.service_error);
		memcpy(bytes, fake_tsm.service_error, size);
	}
	if (fake_tsm.manifest && strcmp(name, "manifestblob") == 0) {
		size = fake_tsm.manifest_size;
		memcpy(bytes, fake_tsm.manifest, size);
	}
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (file_write(path, bytes, size) != 0)
		abort();
}

static void take(const char *folder, const char *name, char *to, size_t capacity)
{
	char path[512];
	ssize_t size;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	memset(to, 0, capacity);
	size = file_read(path, to, capacity - 1);
	if (size < 0)
		to[0] = '\0';
}

int __wrap_mkdir(const char *path, mode_t mode)
{
	int rc = __real_mkdir(path, mode);
	size_t i;

	for (i = 0; rc == 0 && is_report(path) && i < ATTRIBUTE_COUNT; i++) {
		if (fake_tsm.missing == NULL || strcmp(attributes[i], fake_tsm.missing) != 0)
			fill(path, attributes[i]);
	}
	return rc;
}

int __wrap_rmdir(const char *path)
{
	char file[512];
	size_t i;

	if (is_report(path)) {
		take(path, "inblob", fake_tsm.inblob, sizeof(fake_tsm.inblob));
		take(path, "service_provider", fake_tsm.provider, sizeof(fake_tsm.provider));
		take(path, "service_guid", fake_tsm.guid, sizeof(fake_tsm.guid));
		take(path, "service_manifest_version", fake_tsm.version, sizeof(fake_tsm.version));
		take(path, "privlevel", fake_tsm.level, sizeof(fake_tsm.level));
		take(path, "manifest_version", fake_tsm.manifest_version,
		     sizeof(fake_tsm.manifest_version));
		take(path, "manifest_selector", fake_tsm.selector, sizeof(fake_tsm.selector));
		fake_tsm.removed = true;
		for (i = 0; i < ATTRIBUTE_COUNT; i++) {
			snprintf(file, sizeof(file), "%s/%s", path, attributes[i]);
			unlink(file);
		}
	}
	return __real_rmdir(path);
}
