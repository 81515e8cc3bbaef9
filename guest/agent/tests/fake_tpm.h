/* SPDX-License-Identifier: MIT */
/* A TPM device for tests: libtpms in a child process, behind a socket that keeps messages whole. */
#ifndef SOCLE_GUEST_AGENT_TESTS_FAKE_TPM_H
#define SOCLE_GUEST_AGENT_TESTS_FAKE_TPM_H

#include <sys/types.h>

struct fake_tpm {
	int fd;
	pid_t child;
};

/* A new TPM, started up. */
struct fake_tpm fake_tpm_start(void);
void fake_tpm_stop(struct fake_tpm *tpm);

#endif
