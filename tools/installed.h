/* SPDX-License-Identifier: MIT */
/* Finds files that were built or installed together with the `socle` command. */
#ifndef SOCLE_TOOLS_INSTALLED_H
#define SOCLE_TOOLS_INSTALLED_H

#include <stddef.h>

/*
 * Returns the first readable one of places, which are relative to the folder of this program, for
 * free(); NULL when there is none.
 */
char *installed_find(const char *const *places, size_t count);

#endif
