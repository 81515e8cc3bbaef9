/* SPDX-License-Identifier: MIT */
/*
 * The state of a vTPM that outlives its process: `socle vtpm serve` keeps it, over a capability of
 * its own (abi/service.h, state_op). The monitor does not grant that, so every launch manufactures
 * a new TPM.
 */
#ifndef SOCLE_SERVICES_VTPM_STATE_H
#define SOCLE_SERVICES_VTPM_STATE_H

#include "services/vtpm/vtpm.h"

enum state_found {
	STATE_NONE,
	STATE_LOADED,  /* the next tpm_power_on() starts from it; templates and keys are in vtpm */
	STATE_WAITING, /* the same, but TPM2_Startup is left to the client */
	STATE_BAD,     /* damaged, or of another profile; the log tells */
};

/* Asks for the state of a vTPM whose profile is set and whose cache is ready. */
enum state_found state_load(struct vtpm *vtpm);

/*
 * Sends the state out, now and whenever the TPM stores it. The TPM enters failure mode when that
 * fails. True also when nobody keeps it.
 */
bool state_keep(struct vtpm *vtpm);

#endif
