/* SPDX-License-Identifier: MIT */
/* How command lines state what a report has to be: what `socle verify` and `socle ca` share. */
#ifndef SOCLE_TOOLS_POLICY_OPTIONS_H
#define SOCLE_TOOLS_POLICY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTION_MEASUREMENT_SIZE 48u
#define OPTION_CRL_FILES_MAX 16u

struct option_measurement {
	bool given;
	uint8_t value[OPTION_MEASUREMENT_SIZE];
	char name[128];	   /* of an image: what to call it in a policy */
	char firmware[65]; /* of an image: the SHA-256 of its firmware; empty: it has none */
};

/* The parts of a TCB, in the order of struct report_tcb. */
struct option_tcb {
	bool given;
	uint8_t fmc, bootloader, tee, snp, microcode;
};

/* Files of revocation lists. */
struct option_files {
	const char *paths[OPTION_CRL_FILES_MAX];
	size_t count;
};

/*
 * Readers for tables of options (tools/options.h): each stores what text says, and returns NULL, or
 * what it wants instead.
 */

/* FMC,BOOTLOADER,TEE,SNP,MICROCODE, each 0 to 255, into a struct option_tcb. */
const char *option_read_tcb(void *tcb, char *text);

/* A measurement in hexadecimal, into a struct option_measurement. */
const char *option_read_measurement(void *measurement, char *text);

/* One more file of revocation lists, for a struct option_files. */
const char *option_read_crl_file(void *files, char *path);

/*
 * The measurement of an IGVM file, and which firmware it has, if any; false after a line on stderr
 * that names the file.
 */
bool option_measure_image(const char *path, struct option_measurement *measurement);

#endif
