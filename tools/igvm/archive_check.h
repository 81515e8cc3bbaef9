/* SPDX-License-Identifier: MIT */
/* Whether the monitor and the vtpm service would take what an archive tells them. */
#ifndef SOCLE_TOOLS_IGVM_ARCHIVE_CHECK_H
#define SOCLE_TOOLS_IGVM_ARCHIVE_CHECK_H

#include "tools/igvm/archive_writer.h"

/*
 * Parses services.conf, which must be there; looks for every file that it names; and parses every
 * vTPM profile: the files profile/NAME.conf and what the vtpm is granted as its profile, wherever
 * it lies; it must be granted one. On failure the error has file, line and reason: a mistake must
 * not cost a launch to be found.
 */
bool archive_check(const struct archive_writer *archive, struct host_error *error);

#endif
