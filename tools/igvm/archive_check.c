/* SPDX-License-Identifier: MIT */
#include "tools/igvm/archive_check.h"

#include <stdlib.h>
#include <string.h>

#include "core/image/services_conf.h"
#include "core/tpm/profile.h"

#define FOLDER "profile/"
#define SUFFIX ".conf"

/* What files are parsed into; too large for a stack. */
struct parsed {
	struct profile profile;
	struct conf conf;
};

static const struct archive_writer_file *find_file(const struct archive_writer *archive,
						   const char *name)
{
	for (size_t i = 0; i < archive->count; i++) {
		if (strcmp(archive->files[i].name, name) == 0)
			return &archive->files[i];
	}
	return NULL;
}

/* ---- Profiles ---- */

static bool is_profile(const char *name)
{
	size_t length = strlen(name), suffix = strlen(SUFFIX);

	return strncmp(name, FOLDER, strlen(FOLDER)) == 0 && length > suffix &&
	       strcmp(name + length - suffix, SUFFIX) == 0;
}

static bool check_profile(const struct archive_writer_file *file, struct profile *profile,
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

static bool check_profiles(const struct archive_writer *archive, struct profile *profile,
			   struct host_error *error)
{
	for (size_t i = 0; i < archive->count; i++) {
		if (is_profile(archive->files[i].name) &&
		    !check_profile(&archive->files[i], profile, error))
			return false;
	}
	return true;
}

/* ---- services.conf ---- */

/* The file that a line names, or NULL. */
static const struct archive_writer_file *find_named(const struct archive_writer *archive,
						    const char *name, unsigned int line,
						    struct host_error *error)
{
	const struct archive_writer_file *file = find_file(archive, name);

	if (!file)
		host_fail(error, CONF_FILE ":%u: the archive has no file %s", line, name);
	return file;
}

static bool check_grant(const struct archive_writer *archive, const struct conf_service *service,
			const struct conf_grant *grant, struct profile *profile,
			struct host_error *error)
{
	const struct archive_writer_file *file;

	if (grant->kind != GRANT_FILE)
		return true;
	file = find_named(archive, grant->path, grant->line, error);
	if (!file)
		return false;
	return service->role != SERVICE_VTPM || grant->fd != VTPM_FD_PROFILE ||
	       check_profile(file, profile, error);
}

/* It would end at its start. */
static bool check_has_profile(const struct conf_service *service, struct host_error *error)
{
	for (unsigned int i = 0; i < service->grant_count; i++) {
		if (service->grants[i].kind == GRANT_FILE &&
		    service->grants[i].fd == VTPM_FD_PROFILE)
			return true;
	}
	return host_fail(error, CONF_FILE ":%u: the vtpm has no profile: it lacks grant %u file",
			 service->line, VTPM_FD_PROFILE);
}

static bool check_service(const struct archive_writer *archive, const struct conf_service *service,
			  struct profile *profile, struct host_error *error)
{
	if (!find_named(archive, service->exec, service->exec_line, error))
		return false;
	for (unsigned int i = 0; i < service->grant_count; i++) {
		if (!check_grant(archive, service, &service->grants[i], profile, error))
			return false;
	}
	return service->role != SERVICE_VTPM || check_has_profile(service, error);
}

static bool parse_conf(const struct archive_writer *archive, struct conf *conf,
		       struct host_error *error)
{
	const struct archive_writer_file *file = find_file(archive, CONF_FILE);
	struct conf_error reason;

	if (!file)
		return host_fail(error, CONF_FILE ": the archive has no such file");
	return conf_parse(conf, (const char *)file->bytes.data, file->bytes.size, &reason) ||
	       host_fail(error, CONF_FILE ":%u: %s", reason.line, reason.text);
}

static bool check_conf(const struct archive_writer *archive, struct parsed *parsed,
		       struct host_error *error)
{
	if (!parse_conf(archive, &parsed->conf, error))
		return false;
	for (unsigned int i = 0; i < parsed->conf.count; i++) {
		if (!check_service(archive, &parsed->conf.services[i], &parsed->profile, error))
			return false;
	}
	return true;
}

bool archive_check(const struct archive_writer *archive, struct host_error *error)
{
	struct parsed *parsed = malloc(sizeof(*parsed));
	bool ok = parsed || host_fail(error, "out of memory");

	ok = ok && check_profiles(archive, &parsed->profile, error) &&
	     check_conf(archive, parsed, error);
	free(parsed);
	return ok;
}
