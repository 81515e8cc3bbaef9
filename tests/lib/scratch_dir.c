/* SPDX-License-Identifier: MIT */
#define _XOPEN_SOURCE 700 /* nftw() */
#include "tests/lib/scratch_dir.h"

#include <assert.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

static char path[256];

const char *scratch_dir_make(void)
{
	const char *tmp = getenv("TMPDIR");
	char *made;

	snprintf(path, sizeof(path), "%s/socle-test-XXXXXX", tmp ? tmp : P_tmpdir);
	made = mkdtemp(path);
	assert(made);
	return made;
}

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(name);
}

void scratch_dir_remove(void)
{
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
