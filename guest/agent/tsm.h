/* SPDX-License-Identifier: MIT */
/* Attestation reports from the kernel, through configfs (Documentation/ABI configfs-tsm). */
#ifndef SOCLE_GUEST_AGENT_TSM_H
#define SOCLE_GUEST_AGENT_TSM_H

#include <stddef.h>
#include <stdint.h>

#define TSM_ROOT "/sys/kernel/config/tsm/report"
#define TSM_NONCE_SIZE 64u
#define TSM_BLOB_MAX (32u << 10)

struct tsm_blob {
	size_t size;
	uint8_t data[TSM_BLOB_MAX];
};

struct tsm_report {
	struct tsm_blob report;
	struct tsm_blob manifest; /* empty without an SVSM */
	struct tsm_blob certificates;
	const char *failed; /* the attribute that a failure came from */
};

/*
 * A report from the SVSM at VMPL0 over this nonce and the vTPM's manifest, version 0: its
 * REPORT_DATA is SHA-512(nonce | manifest). root is TSM_ROOT but in tests. 0, or -errno.
 */
int tsm_report_vtpm(const char *root, const uint8_t nonce[TSM_NONCE_SIZE], struct tsm_report *out);

/* A report for the kernel itself, at its own VMPL, with these REPORT_DATA. 0, or -errno. */
int tsm_report_kernel(const char *root, const uint8_t data[TSM_NONCE_SIZE], struct tsm_report *out);

#endif
