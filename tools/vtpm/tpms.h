/* SPDX-License-Identifier: MIT */
/*
 * Where libtpms comes from. Only `socle vtpm` needs it, and every other command would wait for it
 * at its start, `socle verify` for a twentieth of its time: so the dynamic program loads it, and
 * its functions are called through pointers (tpms_loaded.c). A static program has it within
 * (tpms_linked.c).
 */
#ifndef SOCLE_TOOLS_VTPM_TPMS_H
#define SOCLE_TOOLS_VTPM_TPMS_H

#include <stdbool.h>

#include "core/base/host/file.h"

/* Before anything of libtpms's is called, once. False with a line that says what is missing. */
bool tpms_load(struct host_error *error);

#endif
