/* SPDX-License-Identifier: MIT */
/* Attestation reports from the kernel, through configfs (Documentation/ABI configfs-tsm). */
#ifndef SOCLE_GUEST_AGENT_TSM_H
#define SOCLE_GUEST_AGENT_TSM_H

#include <stddef.h>
#include <stdint.h>

#include "guest/agent/configfs.h"

#define TSM_ROOT "/sys/kernel/config/tsm/report"
#define TSM_NONCE_SIZE 64u
#define TSM_BLOB_MAX CONFIGFS_BLOB_MAX

/* The vTPM service of an SVSM, as configfs wants it. */
#define TSM_VTPM_GUID "c476f1eb-0123-45a5-9641-b4e7dde5bfe3"

struct tsm_report {
	struct configfs_blob report;
	struct configfs_blob manifest; /* empty without an SVSM */
	struct configfs_blob certificates;
	const char
		*failed; /* the attribute that a failure came from; "mkdir": the folder's making */
};

/* Reads report, manifest and certificates of an item that the SVSM answered. 0, or -errno. */
int tsm_get_outputs(struct configfs_item *item, struct tsm_report *out);

/*
 * A report from the SVSM at VMPL0 over this nonce and the vTPM's manifest of this version: its
 * REPORT_DATA is SHA-512(nonce | manifest). root is TSM_ROOT but in tests. 0, or -errno.
 */
int tsm_report_vtpm(const char *root, const uint8_t nonce[TSM_NONCE_SIZE],
		    uint32_t manifest_version, struct tsm_report *out);

/* A report for the kernel itself, at its own VMPL, with these REPORT_DATA. 0, or -errno. */
int tsm_report_kernel(const char *root, const uint8_t data[TSM_NONCE_SIZE], struct tsm_report *out);

#endif
