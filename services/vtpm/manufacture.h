/* SPDX-License-Identifier: MIT */
/* Makes a TPM as its profile says, all before the first guest instruction. */
#ifndef SOCLE_SERVICES_VTPM_MANUFACTURE_H
#define SOCLE_SERVICES_VTPM_MANUFACTURE_H

#include "services/vtpm/vtpm.h"

/*
 * Manufactures a TPM with a fresh seed: PCR banks, the keys of the profile, persistent handles,
 * certificates from the host's CA, NV objects; starts it with TPM2_Startup(CLEAR); and, if the
 * profile says so, gives the platform hierarchy an authorization that nobody knows, so that no
 * guest can replace the endorsement seed. False, with a line in the log, when the profile cannot be
 * fulfilled.
 */
bool manufacture(struct vtpm *vtpm, const struct profile *profile);

#endif
