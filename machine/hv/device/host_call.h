/* SPDX-License-Identifier: MIT */
/*
 * Requests of the hypervisor to the host process, by the mailbox, which has room for one. The
 * caller waits until there is none, fills in what the request wants, and calls; the big lock is
 * free while the host process works.
 */
#ifndef SOCLE_MACHINE_HV_DEVICE_HOST_CALL_H
#define SOCLE_MACHINE_HV_DEVICE_HOST_CALL_H

#include "machine/mailbox.h"

/*
 * Waits until no request is in the mailbox. The big lock may be free meanwhile: what was looked at
 * before, in guest memory most of all, may have changed.
 */
void host_call_wait(void);

/*
 * Makes a request; the rest of it is in the mailbox, by a caller who waited and has held the big
 * lock since. Returns its result. What the answer put into the mailbox is there while the lock is
 * held.
 */
uint64_t host_call(enum mailbox_request request);

#endif
