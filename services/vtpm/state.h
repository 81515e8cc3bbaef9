/* SPDX-License-Identifier: MIT */
/*
 * The state of a vTPM that outlives its process, as `socle vtpm serve` keeps it. Under Socle nobody
 * keeps any: every launch manufactures a new TPM.
 */
#ifndef SOCLE_SERVICES_VTPM_STATE_H
#define SOCLE_SERVICES_VTPM_STATE_H

#include "services/vtpm/vtpm.h"

/* Room for the largest state: NV memory full (147 663 bytes), and every key of a profile. */
#define STATE_MAX (192u << 10)

/*
 * Takes a state, of the same profile, into a vTPM that is off, whose profile is set and whose cache
 * is ready: the next tpm_power_on() starts from it. False when it is none, or another profile's.
 */
bool state_read(struct vtpm *vtpm, const uint8_t *state, size_t size);

/*
 * Gives the state to keeper, which outlives the vTPM, now and from now on whenever the TPM stores
 * it. The TPM goes into failure mode when it cannot be stored.
 */
bool state_keep(struct vtpm *vtpm, const struct state_keeper *keeper);

#endif
