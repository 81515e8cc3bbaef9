/* SPDX-License-Identifier: MIT */
/*
 * The twin of the guest's TPM, with the seeds that the vtpm has. It is started and loaded with them
 * while the guest runs: ahead, or when it is first asked for a key, and loaded again when it is
 * asked for a key of other seeds. One caller at a time has the use of it: attest_create.c sees to
 * that. No function here takes or holds a lock but the services' own.
 */
#ifndef SOCLE_MONITOR_PROTOCOL_TWIN_H
#define SOCLE_MONITOR_PROTOCOL_TWIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/service/service.h"

/*
 * A slice of what it takes to load it, before anybody has asked for a key, who goes on with it
 * otherwise. Waits for nobody who uses the vtpm. False: there is nothing to be done, or it has
 * failed, with a line in the log, and is tried again when a key is asked for.
 */
bool twin_prepare(void);

/*
 * Starts the creation of a key by an order of the vtpm's: of the seeds that the vtpm has, known to
 * be of this generation. SVSM_ERR_INCOMPLETE: it goes on with twin_continue(), or ends with
 * twin_abort(), and the order stays where it is until then. SVSM_SUCCESS: *answer is the twin's to
 * TWIN_OP_CREATE, whatever that is, for the caller to free. Another result: there is no answer.
 */
uint32_t twin_start(uint64_t generation, const uint8_t *order, size_t size,
		    struct service_answer *answer);
uint32_t twin_continue(struct service_answer *answer);

/* Gives up what was incomplete. */
void twin_abort(void);

/* The generation of the seeds that the last answer comes from. */
uint64_t twin_generation(void);

#endif
