/* SPDX-License-Identifier: MIT */
/*
 * Where liblzma comes from, which `socle policy make --firmware` alone needs: as libtpms does
 * (vtpm/tpms.h).
 */
#ifndef SOCLE_TOOLS_LIBLZMA_H
#define SOCLE_TOOLS_LIBLZMA_H

#include <stdbool.h>

#include "core/base/host/file.h"

/* Before unlzma(), once. False with a line that says what is missing. */
bool liblzma_load(struct host_error *error);

#endif
