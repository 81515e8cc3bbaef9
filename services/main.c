/* SPDX-License-Identifier: MIT */
/*
 * The one executable of all services: which one it is, argv[0] says. They share libcrypto, and its
 * pages in the archive, of which Socle's 16 MiB could not hold two.
 */
#include <stddef.h>
#include <string.h>

#include "services/main.h"

static const struct {
	const char *name;
	int (*main)(void);
} services[] = {
	{ "attest", attest_main },
	{ "vtpm", vtpm_main },
};

int main(int argc, char **argv)
{
	const char *name = argc > 0 ? strrchr(argv[0], '/') : NULL;

	if (argc < 1)
		return 2;
	name = name ? name + 1 : argv[0];
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		if (strcmp(services[i].name, name) == 0)
			return services[i].main();
	}
	return 2;
}
