/* SPDX-License-Identifier: MIT */
/* The subcommands of `socle igvm`, and what they share. */
#ifndef SOCLE_TOOLS_IGVM_IGVM_H
#define SOCLE_TOOLS_IGVM_IGVM_H

#include "core/base/host/file.h"
#include "core/image/host/digest.h"
#include "core/image/igvm.h"

extern const struct command igvm_build, igvm_show, igvm_measure, igvm_check; /* tools/options.h */

/*
 * Reads and checks a file. Reports what is wrong with it and returns false; else the caller ends
 * with file_free().
 */
bool igvm_load(const char *path, struct file_bytes *bytes, struct igvm_file *file);

/* The launch digest of a file. False when OpenSSL fails, which is reported. */
bool igvm_digest(const char *path, const struct igvm_file *file, struct launch_digest *digest);

#endif
