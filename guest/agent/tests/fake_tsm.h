/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for the configfs of tsm and of svsm/attest: the test program is linked with
 * --wrap=mkdir and --wrap=rmdir, so that a folder made below fake_tsm_root comes with attributes,
 * as the kernel would give it.
 */
#ifndef SOCLE_GUEST_AGENT_TESTS_FAKE_TSM_H
#define SOCLE_GUEST_AGENT_TESTS_FAKE_TSM_H

#include <stdbool.h>
#include <stddef.h>

struct fake_tsm {
	const char *root;    /* folders below it are reports */
	const char *missing; /* an attribute that this kernel does not have, or NULL */
	size_t outblob_size;
	const void *manifest; /* what manifestblob reads as, or NULL: 314 bytes of no sense */
	size_t manifest_size;
	const char *service_error; /* what it reads as, or NULL: as usual */
	/* What was written, when the last report's folder was removed. */
	char inblob[256], provider[64], guid[64], version[16], level[16];
	char manifest_version[16], selector[1100];
	bool removed;
};

extern struct fake_tsm fake_tsm;

#endif
