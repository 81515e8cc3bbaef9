/* SPDX-License-Identifier: MIT */
/* Why the machine stopped: for the user, for scripts, and for timeline.json. */
#ifndef SOCLE_MACHINE_HOST_STOP_H
#define SOCLE_MACHINE_HOST_STOP_H

#include <jansson.h>

#include "machine/host/run.h"
#include "machine/mailbox.h"

#define STOP_MESSAGE_SIZE 384

struct stop {
	enum run_status status;
	const char *reason; /* one word for scripts */
	char message[STOP_MESSAGE_SIZE];
	json_t *detail; /* an object, or NULL */
};

/*
 * From what the hypervisor left in the mailbox, which is a reason other than NONE. last_debug is
 * what VMPL0 said last on its debug console, if anything: why it asks to be terminated.
 */
void stop_from_mailbox(struct stop *stop, const struct mailbox *mailbox, const char *last_debug);

/* QEMU ended without a reason of the hypervisor's. wait_status as of waitpid(). */
void stop_qemu_died(struct stop *stop, int wait_status, const char *last_output);

/* After a reset, because of that. */
void stop_not_restarted(struct stop *stop, const char *why);

void stop_timeout(struct stop *stop, uint64_t timeout_ns);
void stop_interrupted(struct stop *stop, int signal);
void stop_left(struct stop *stop); /* by the key for it */

/* The object "stop" of timeline.json; a new reference. */
json_t *stop_json(const struct stop *stop);

void stop_free(struct stop *stop);

#endif
