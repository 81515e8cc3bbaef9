/* SPDX-License-Identifier: MIT */
#include "core/host/profile_check.h"

#include <stdlib.h>
#include <string.h>

#include "core/profile.h"

#define FOLDER "profile/"
#define SUFFIX ".conf"

static bool is_profile(const char *name)
{
	size_t length = strlen(name), suffix = strlen(SUFFIX);

	return strncmp(name, FOLDER, strlen(FOLDER)) == 0 && length > suffix &&
	       strcmp(name + length - suffix, SUFFIX) == 0;
}

static bool check(const struct archive_writer_file *file, struct profile *profile,
		  struct host_error *error)
{
	struct profile_error reason;

	/* The service reads into a buffer that a file of this size fills. */
	if (file->bytes.size >= PROFILE_SIZE_MAX)
		return host_fail(error, "%s: it is too large for a profile", file->name);
	if (profile_parse(profile, (const char *)file->bytes.data, file->bytes.size, &reason))
		return true;
	if (reason.line == 0)
		return host_fail(error, "%s: %s", file->name, reason.reason);
	return host_fail(error, "%s:%u: %s", file->name, reason.line, reason.reason);
}

bool profile_check_archive(const struct archive_writer *archive, struct host_error *error)
{
	struct profile *profile = malloc(sizeof(*profile));
	bool ok = profile || host_fail(error, "out of memory");

	for (size_t i = 0; ok && i < archive->count; i++) {
		if (is_profile(archive->files[i].name))
			ok = check(&archive->files[i], profile, error);
	}
	free(profile);
	return ok;
}
