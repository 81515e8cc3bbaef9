/* SPDX-License-Identifier: MIT */
/*
 * Reports as go-sev-guest's protocol buffers have them (proto/sevsnp.proto there): an Attestation,
 * with certificates, or a Report alone; and as go-tpm-tools' (proto/attest.proto there) have the
 * former within them: an Attestation, or an SevSnpSvsmAttestation.
 */
#ifndef SOCLE_CORE_EVIDENCE_HOST_REPORT_PROTO_H
#define SOCLE_CORE_EVIDENCE_HOST_REPORT_PROTO_H

#include "core/evidence/host/report_input.h"

/* Whether these bytes start as such a message does, and as no report of the firmware. */
bool report_proto_is(const void *data, size_t size);

/*
 * Makes the firmware's bytes of it, whose signature then holds or not, and a host's table of the
 * certificates. A message with a field twice, of another size than the report's, or with bytes left
 * over is refused; fields that are not known are passed over. NULL, or what is wrong as a constant
 * string.
 */
const char *report_proto_read(struct report_input *input, const void *data, size_t size);

#endif
