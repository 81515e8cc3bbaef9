/* SPDX-License-Identifier: MIT */
/*
 * The one executable of all services. Its own name says which one it is: under the monitor that of
 * services.conf. Under Linux an argument may say it.
 * They share libcrypto, and its pages in the archive, of which Socle's 16 MiB could not hold two.
 */
#include <stddef.h>
#include <string.h>

#include "services/main.h"

static const struct {
	const char *name;
	int (*main)(void);
} services[] = {
	{ "attest", attest_main },
	{ "oracle", oracle_main },
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
		return 2;
	name = argc > 1 ? argv[1] : last_part(argv[0]);
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		if (strcmp(services[i].name, name) == 0)
			return services[i].main();
	}
	return 2;
}
