/* SPDX-License-Identifier: MIT */
/*
 * One executable for all services, so that they share libcrypto: Socle's 16 MiB could not hold it
 * twice. argv[0] says which service to be: under the monitor it is the name in services.conf; under
 * Linux an argument may say it instead.
 */
#include <stddef.h>
#include <string.h>

#include "services/main.h"

static const struct {
	const char *name;
	enum serve_end (*main)(void);
} services[] = {
	{ "ahead", ahead_main },
	{ "attest", attest_main },
	{ "twin", twin_main },
	{ "vtpm", vtpm_main },
};

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int main(int argc, char **argv)
{
	const char *name;

	if (argc < 1)
		return SERVE_UNKNOWN;
	name = argc > 1 ? argv[1] : last_part(argv[0]);
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		if (strcmp(services[i].name, name) == 0)
			return services[i].main();
	}
	return SERVE_UNKNOWN;
}
