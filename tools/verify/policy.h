/* SPDX-License-Identifier: MIT */
/* How command lines state a policy (checks.h): what `socle verify` and `socle ca` share. */
#ifndef SOCLE_TOOLS_VERIFY_POLICY_H
#define SOCLE_TOOLS_VERIFY_POLICY_H

#include "tools/verify/checks.h"

/* FMC,BOOTLOADER,TEE,SNP,MICROCODE, each 0 to 255. */
bool policy_parse_tcb(const char *text, struct report_tcb *tcb);

/* Seconds since 1970, more than 0, of YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ. */
bool policy_parse_time(const char *text, time_t *at);

/* The measurement of an IGVM file; false after a line on stderr that names it. */
bool policy_measure_image(const char *path, uint8_t measurement[PSP_MEASUREMENT_SIZE]);

#endif
