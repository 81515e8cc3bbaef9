/* SPDX-License-Identifier: MIT */
/* The subcommands of `socle igvm`, and what they share. */
#ifndef SOCLE_TOOLS_IGVM_IGVM_H
#define SOCLE_TOOLS_IGVM_IGVM_H

#include "abi/psp.h"
#include "core/host/file.h"
#include "core/igvm.h"

#define IGVM_DIGEST_HEX_SIZE (2 * PSP_MEASUREMENT_SIZE + 1)

int igvm_build(int argc, char **argv);
int igvm_show(int argc, char **argv);
int igvm_measure(int argc, char **argv);

/*
 * Reads and checks a file. Reports what is wrong with it and returns false; else the caller ends
 * with file_free().
 */
bool igvm_load(const char *path, struct file_bytes *bytes, struct igvm_file *file);

/*
 * Reports the option that getopt_long() refused with ? or :, which was told to be quiet. Returns
 * CMD_MISUSE.
 */
int igvm_bad_option(const char *command, int argc, char **argv);

/* The launch digest of a file as lower-case hex. False when OpenSSL fails, which is reported. */
bool igvm_digest_hex(const char *path, const struct igvm_file *file, char *hex);

#endif
