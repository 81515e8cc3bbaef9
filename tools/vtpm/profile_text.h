/* SPDX-License-Identifier: MIT */
/* Whether two texts of a profile (docs/profiles.md) say the same. */
#ifndef SOCLE_TOOLS_VTPM_PROFILE_TEXT_H
#define SOCLE_TOOLS_VTPM_PROFILE_TEXT_H

#include <stddef.h>

#include "core/base/host/error.h"

/*
 * True for the same words in the same order; comments, empty lines and the space between words do
 * not count. Otherwise difference gives the first line that differs, of the new text by its number.
 */
bool profile_text_same(const char *old_text, size_t old_size, const char *new_text, size_t new_size,
		       struct host_error *difference);

#endif
