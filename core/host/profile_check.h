/* SPDX-License-Identifier: MIT */
/* Whether the vTPM profiles in an archive are ones that the vtpm service would take. */
#ifndef SOCLE_CORE_HOST_PROFILE_CHECK_H
#define SOCLE_CORE_HOST_PROFILE_CHECK_H

#include "core/host/archive_writer.h"

/*
 * Parses every file profile/NAME.conf. On failure the error has file, line and reason: a wrong
 * profile must not cost a launch to be found.
 */
bool profile_check_archive(const struct archive_writer *archive, struct host_error *error);

#endif
