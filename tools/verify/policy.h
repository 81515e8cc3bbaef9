/* SPDX-License-Identifier: MIT */
/* How command lines state a policy (checks.h): what `socle verify` and `socle ca` share. */
#ifndef SOCLE_TOOLS_VERIFY_POLICY_H
#define SOCLE_TOOLS_VERIFY_POLICY_H

#include "tools/verify/checks.h"

/*
 * Readers for tables of options (tools/options.h): each stores what text says, and returns NULL, or
 * what it wants instead.
 */

/* FMC,BOOTLOADER,TEE,SNP,MICROCODE, each 0 to 255, into a struct report_tcb. */
const char *policy_read_tcb(void *tcb, char *text);

/* A measurement in hexadecimal, into a struct policy. */
const char *policy_read_measurement(void *to, char *text);

/* Seconds since 1970, more than 0, of YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ, into a time_t. */
const char *policy_read_time(void *at, char *text);

/* The measurement of an IGVM file; false after a line on stderr that names it. */
bool policy_measure_image(const char *path, uint8_t measurement[PSP_MEASUREMENT_SIZE]);

/* One more file of revocation lists, for a struct policy; NULL, or what is wanted (options.h). */
const char *policy_read_crl_file(void *to, char *path);

/* Reads these files; false after a line on stderr that names the one that cannot be used. */
bool policy_load_crls(struct policy *policy);

/* Frees what policy_load_crls() read. */
void policy_free(struct policy *policy);

#endif
