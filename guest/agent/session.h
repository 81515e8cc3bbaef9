/* SPDX-License-Identifier: MIT */
/* The agent's side of an attestation: what each frame of the host makes it do. */
#ifndef SOCLE_GUEST_AGENT_SESSION_H
#define SOCLE_GUEST_AGENT_SESSION_H

#include "guest/agent/channel.h"

struct session {
	struct channel *channel;
	const char *script; /* runs tpm2-tools: guest/initramfs/attest.sh */
	const char *folder; /* where evidence is gathered; exists, and nobody else writes there */
	const char *tsm;    /* TSM_ROOT, or a stand-in in tests; */
	const char *svsm;   /* so SVSM_ROOT, */
	const char *tpm;    /* and TPM_DEVICE */
};

/*
 * Says hello and serves the host until it says goodbye. A step that fails is reported to the host,
 * and the session goes on. Returns 0 after CHANNEL_BYE, -errno when the line fails.
 */
int session_serve(const struct session *session);

#endif
