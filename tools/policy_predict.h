/* SPDX-License-Identifier: MIT */
/*
 * What a boot will measure, from the files that it starts with: `socle policy make` without
 * evidence.
 */
#ifndef SOCLE_TOOLS_POLICY_PREDICT_H
#define SOCLE_TOOLS_POLICY_PREDICT_H

#include <jansson.h>
#include <stdbool.h>

struct predict_files {
	const char *image;	      /* the IGVM file; NULL: the policy says nothing of it */
	const char *firmware;	      /* the flash that OVMF is in; NULL: it is not said */
	const char *firmware_version; /* as it measures it; NULL: it is found in the flash */
	const char *kernel, *initrd,
		*command_line; /* the firmware is given them, QEMU's -kernel and so on */
	const char *uki;       /* or it starts this unified kernel */
	const char *loader;    /* which starts it in turn; NULL: the firmware does */
	bool no_secure_boot;   /* the firmware has no keys */
};

/* Whether there is anything to predict. */
bool predict_wanted(const struct predict_files *files);

/* A policy with boot rules, and with values of PCRs; NULL after a line on stderr. */
json_t *predict_policy(const struct predict_files *files);

#endif
