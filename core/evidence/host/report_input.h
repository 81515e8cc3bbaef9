/* SPDX-License-Identifier: MIT */
/*
 * A report in the forms in which tools and clouds hand it out:
 *
 *	the 1184 bytes of the SNP firmware ABI, alone;
 *	these and the host's certificate table behind them (go-sev-guest's "bin", an extended
 *	request); the blob of Azure's paravisor, which has the report 32 bytes after its start
 *	("HCLA"); a protocol buffer of go-sev-guest or go-tpm-tools (report_proto.h);
 *	JSON of snpguest or Trustee (report_json.h);
 *	any of them but JSON as hexadecimal digits, base64 or base64url, with blanks and line ends
 *	anywhere.
 */
#ifndef SOCLE_CORE_EVIDENCE_HOST_REPORT_INPUT_H
#define SOCLE_CORE_EVIDENCE_HOST_REPORT_INPUT_H

#include <stdbool.h>

#include "core/base/host/file.h"
#include "core/evidence/limits.h"
#include "core/snp/report.h"

struct report_input {
	struct psp_report report;
	struct file_bytes
		table; /* the bytes behind the report, cert_table.h; empty where there are none */
	const char *form; /* for people */
};

/*
 * NULL, or what is wrong as a constant string; what has more than EVIDENCE_REPORT_SIZE_MAX bytes is
 * no report in any form. What the report says is not looked at. The caller ends
 * with report_input_free() on success.
 */
const char *report_input_read(struct report_input *input, const void *data, size_t size);

void report_input_free(struct report_input *input);

/* ---- For who finds these forms within another ---- */

/*
 * Decodes in place, by RFC 4648, 4 or 5: one of the two alphabets, the second with padding or
 * without. The number of bytes; 0 when it is neither, or has bits that belong to no byte.
 */
size_t report_input_base64(uint8_t *text, size_t length);

/*
 * The blob of Azure's paravisor: whether it starts as one, and its report. NULL, or what is wrong.
 */
bool report_input_is_hcl(const uint8_t *data, size_t size);
const char *report_input_read_hcl(struct report_input *input, const uint8_t *data, size_t size);

#endif
