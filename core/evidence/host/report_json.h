/* SPDX-License-Identifier: MIT */
/*
 * Reports as the crate `sev` writes them in JSON, each field by its name and bytes as lists of
 * numbers: `snpguest display report -o json` alone, and Trustee's evidence of kind "snp" with the
 * certificates; and its evidence of kind "az-snp-vtpm", the blob of Azure's paravisor (as
 * base64url, or in older ones as a list) and the VCEK. Trustee's also within what its key broker is
 * sent ("tee-evidence").
 */
#ifndef SOCLE_CORE_EVIDENCE_HOST_REPORT_JSON_H
#define SOCLE_CORE_EVIDENCE_HOST_REPORT_JSON_H

#include "core/evidence/host/report_input.h"

/* Whether these bytes start as a JSON object does, after blanks. */
bool report_json_is(const void *data, size_t size);

/*
 * Makes the firmware's bytes of it, whose signature then holds or not, and a host's table of the
 * certificates. A field that is missing, twice, or of another size or range than the report's is
 * refused; those that are not known are passed over. NULL, or what is wrong as a constant string.
 */
const char *report_json_read(struct report_input *input, const void *data, size_t size);

#endif
