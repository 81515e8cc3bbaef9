/* SPDX-License-Identifier: MIT */
/*
 * Frames (abi/frame.h) between the guest's agent (socle-guest) and the host over the guest's second
 * serial port. Neither side trusts the other with more than liveness.
 */
#ifndef SOCLE_ABI_CHANNEL_H
#define SOCLE_ABI_CHANNEL_H

#include "abi/frame.h"

#define CHANNEL_MAGIC 0x31464353u /* "SCF1" */
#define CHANNEL_PAYLOAD_MAX (64u << 10)

enum channel_type {
	CHANNEL_HELLO = 1,     /* guest: "key=value" lines about the guest */
	CHANNEL_NONCE = 2,     /* host: 64 bytes */
	CHANNEL_FILE = 3,      /* both: name, NUL, content */
	CHANNEL_DONE = 4,      /* guest: all files of this step were sent */
	CHANNEL_CHALLENGE = 5, /* host: credential to activate, in tpm2-tools' file format */
	CHANNEL_ERROR = 6,     /* guest: one line that names the step that failed */
	CHANNEL_BYE = 7,       /* host: nothing more is wanted, power off */
	/*
	 * host: 64 bytes of nonce, then the name of a key of the vTPM's profile, without NUL. It
	 * may be followed by '@' and the NV index of its template, for a key whose template the
	 * manifest does not tell. The guest attests this key by a selector and quotes with it, both
	 * over the nonce, and sends what came of it as files ak/..., then CHANNEL_DONE.
	 */
	CHANNEL_KEY = 8,
	/*
	 * host: the certificate of its authority, PEM. The guest verifies the certificates that it
	 * has read from its TPM with it, and sends CHANNEL_DONE.
	 */
	CHANNEL_AUTHORITY = 9,
};

#endif
