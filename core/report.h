/* SPDX-License-Identifier: MIT */
/* The attestation report, read strictly (abi/psp.h; SNP firmware ABI, ATTESTATION_REPORT). */
#ifndef SOCLE_CORE_REPORT_H
#define SOCLE_CORE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/psp.h"

#define REPORT_VERSION_MAX 5u

/* Which of the two layouts a TCB_VERSION has. */
enum report_tcb_layout {
	REPORT_TCB_MILAN, /* Milan, Genoa and their variants */
	REPORT_TCB_TURIN, /* Turin and later: with the FMC */
};

struct report_tcb {
	uint8_t fmc; /* 0 in the Milan layout */
	uint8_t bootloader;
	uint8_t tee;
	uint8_t snp;
	uint8_t microcode;
};

/* The key that signed, KEY_INFO bits 4:2. */
enum report_signing_key {
	REPORT_KEY_VCEK = 0,
	REPORT_KEY_VLEK = 1,
	REPORT_KEY_NONE = 7,
};

/* Copies a report of exactly sizeof(struct psp_report) bytes; false for any other size. */
bool report_read(struct psp_report *report, const void *data, size_t size);

/*
 * What of the report contradicts its own version: an unknown version, or a reserved byte that is
 * not zero. NULL when nothing does.
 */
const char *report_format_error(const struct psp_report *report);

/* What of the guest policy a relying party must not accept, or NULL: debugging, migration. */
const char *report_policy_error(const struct psp_report *report);

enum report_signing_key report_signing_key(const struct psp_report *report);

struct report_tcb report_tcb(uint64_t raw, enum report_tcb_layout layout);

/* True when every component of a is at least that of b. */
bool report_tcb_at_least(struct report_tcb a, struct report_tcb b);

#endif
