/* SPDX-License-Identifier: MIT */
/*
 * Messages between the vtpm service and the host's certificate authority (`socle ca serve`) over
 * Socle's host channel, before the guest runs; each is a frame (abi/frame.h). Nothing the CA says
 * is believed: a certificate is kept only if it is for the key it was asked for.
 */
#ifndef SOCLE_ABI_CA_H
#define SOCLE_ABI_CA_H

#include "abi/frame.h"

#define CA_MAGIC 0x31414353u /* "SCA1" */
#define CA_PAYLOAD_MAX (32u << 10)

enum ca_type {
	CA_HELLO = 1,	/* service: profile name. The CA answers with CA_NONCE or CA_REFUSED */
	CA_NONCE = 2,	/* CA: 64 bytes */
	CA_REQUEST = 3, /* service: struct ca_request, report, manifest version 1, certificates */
	CA_CERTIFICATES = 4, /* CA: u32 count, then {u32 size, DER} each, in the manifest's order */
	CA_REFUSED = 5,	     /* CA: one line that says why */
};

/*
 * The report is at VMPL 0 with REPORT_DATA = SHA-512(nonce || context || manifest), the context
 * being that of an extended attestation of the vTPM with manifest version 1 and the profile's name
 * as the selector's bytes (abi/svsm.h), tagged CA_CONTEXT_TAG by the attest service.
 */
#define CA_CONTEXT_TAG 0x52414353u /* "SCAR" */
struct ca_request {
	uint32_t report_size;
	uint32_t manifest_size;
	uint32_t certificates_size; /* the host's table, for a CA that has no VCEK of its own */
	uint32_t reserved;
};
ABI_SIZE(struct ca_request, 16);

#endif
