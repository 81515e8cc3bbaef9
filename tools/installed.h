/* SPDX-License-Identifier: MIT */
/* Finds what was built or installed together with the `socle` command. */
#ifndef SOCLE_TOOLS_INSTALLED_H
#define SOCLE_TOOLS_INSTALLED_H

#include <stddef.h>

/*
 * The first of places, each relative to the folder of this program, that can be read; to be freed.
 * NULL when there is none.
 */
char *installed_find(const char *const *places, size_t count);

#endif
