/* SPDX-License-Identifier: MIT */
/* The hypervisor's log and its end. Both speak to the host process through the mailbox. */
#ifndef SOCLE_MACHINE_HV_BASE_LOG_H
#define SOCLE_MACHINE_HV_BASE_LOG_H

#include "machine/mailbox.h"

/* The mailbox, in the hypervisor's own RAM. */
static inline struct mailbox *hv_mailbox(void)
{
	return (struct mailbox *)(MACHINE_HV_BASE + MACHINE_MAILBOX_OFFSET);
}

/* Tells the host process that event happened: one byte on the doorbell port. Any lock state. */
void hv_event(enum mailbox_event event);

/*
 * One line of the log, formatted by core/base/printf; the newline is added. Goes to the ring of the
 * mailbox. Any lock state: lines of two CPUs do not mix.
 */
void hv_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Ends the machine: writes stop_reason and stop_arg, rings, and makes QEMU exit. The first caller
 * wins; what stop_arg means is said in machine/mailbox.h.
 */
_Noreturn void hv_stop(enum mailbox_stop reason, uint64_t arg0, uint64_t arg1, uint64_t arg2,
		       uint64_t arg3);

/* The hypervisor's own failure: logs why, then hv_stop(MAILBOX_STOP_HV_ERROR). */
_Noreturn void hv_panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
