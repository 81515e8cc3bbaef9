/* SPDX-License-Identifier: MIT */
/* Makes a TPM as its profile says; all of it is over before the first guest instruction. */
#ifndef SOCLE_SERVICES_VTPM_MANUFACTURE_H
#define SOCLE_SERVICES_VTPM_MANUFACTURE_H

#include "services/vtpm/certificates.h"
#include "services/vtpm/vtpm.h"

/*
 * Manufactures a TPM with a fresh seed by the profile of vtpm, which is zeros but for that and for
 * attested: PCR banks, the keys of the profile, persistent handles, certificates from the host's
 * CA, NV objects; starts it with TPM2_Startup(CLEAR); and gives the platform hierarchy an
 * authorization that nobody knows, if the profile says so: from then on no guest can replace the
 * endorsement seed. False, with a line in the log, when the profile cannot be kept to.
 */
bool manufacture(struct vtpm *vtpm);

/*
 * The same vTPM from a state that was kept (state.h), powered on; TPM2_Startup is the client's.
 * With a volatile state, if its size is not 0, it goes on where it was. False, with a line in the
 * log, when a state is of no use.
 */
bool manufacture_resume(struct vtpm *vtpm, const uint8_t *state, size_t size,
			const struct tpm_state *volatile_state);

/*
 * Puts certificates that were had later into the NV objects that the profile has for them, in place
 * of those that are there; what is empty changes nothing. The TPM has just been started by
 * TPM2_Startup(CLEAR) and the platform hierarchy is still open. False, with a line in the log.
 */
bool manufacture_certify(struct vtpm *vtpm, const struct certificates *certificates);

#endif
