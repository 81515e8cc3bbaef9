/* SPDX-License-Identifier: MIT */
/* The subcommands of `socle igvm`, and what they share. */
#ifndef SOCLE_TOOLS_IGVM_IGVM_H
#define SOCLE_TOOLS_IGVM_IGVM_H

#include "abi/params.h"
#include "core/base/hex.h"
#include "core/base/host/file.h"
#include "core/image/host/digest.h"
#include "core/image/igvm.h"

extern const struct command igvm_build, igvm_show, igvm_measure, igvm_check; /* tools/options.h */

/*
 * Reads and checks a file. Reports what is wrong with it and returns false; else the caller ends
 * with file_free().
 */
bool igvm_load(const char *path, struct file_bytes *bytes, struct igvm_file *file);

/* Socle's parameter block, the first measured page that is one. False when there is none. */
bool igvm_params(const struct igvm_file *file, struct socle_params *params);

/*
 * The SHA-256 of the firmware that the block names, as the file loads it: that of the firmware's
 * own file. False when there is no memory or OpenSSL fails.
 */
#define IGVM_FIRMWARE_HASH HEX_TEXT_SIZE(32)
bool igvm_firmware(const struct igvm_file *file, const struct socle_params *params,
		   char hash[IGVM_FIRMWARE_HASH]);

/* The launch digest of a file. False when OpenSSL fails, which is reported. */
bool igvm_digest(const char *path, const struct igvm_file *file, struct launch_digest *digest);

#endif
