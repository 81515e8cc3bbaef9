/* SPDX-License-Identifier: MIT */
/*
 * The second kind of failure: our own bug, a promise that the hardware broke, or a start without
 * what it must not go on without. Nothing that a guest does comes here.
 */
#ifndef SOCLE_MONITOR_BASE_DIE_H
#define SOCLE_MONITOR_BASE_DIE_H

#include <stdbool.h>
#include <stdint.h>

/* Reason codes of the GHCB termination request, in the set of Socle. */
enum die_reason {
	DIE_BUG = 1,	   /* an assertion of ours failed */
	DIE_PARAMS = 2,	   /* the parameter block or the archive contradicts itself */
	DIE_EXCEPTION = 3, /* an exception in ring 0 that nothing expects */
	DIE_RMP = 4,	   /* PVALIDATE or RMPADJUST of our own memory failed */
	DIE_HOST =
		5, /* the host broke the GHCB protocol, or its parameters contradict themselves */
	DIE_MEMORY = 6,	       /* no memory while starting */
	DIE_UNSUPPORTED = 7,   /* the CPU or the host lacks what we cannot do without */
	DIE_SERVICE = 8,       /* a service could not be loaded while starting */
	DIE_NOT_VALIDATED = 9, /* the host took a private page of ours away */
	DIE_REQUIRED = 10,     /* a service that services.conf requires did not get ready */
};

/* What die() does first, in this order. */
enum die_step {
	DIE_WIPE_KEYS,
	DIE_LEAVE_SERVICE, /* before its page tables are wiped with the rest */
	DIE_WIPE_RANGES,
	DIE_WIPE_PAGES,
	DIE_STEPS,
};

/*
 * What die() needs of the parts above this one, which all use it: nothing else in the monitor calls
 * upward. Each may be called in any lock state. boot/hooks.c
 */
struct die_hooks {
	void (*steps[DIE_STEPS])(void);
	unsigned int (*cpu_index)(void);
	void (*log)(const char *what, const char *why);
	void (*terminate)(uint32_t reason) __attribute__((noreturn));
};
extern const struct die_hooks die_hooks;

/*
 * Wipes the keys, every page of secret owners and all other memory that is registered as secret,
 * writes why to the log and asks the host to end the VM. Never returns, also when the host does not
 * comply. Any lock state, here and elsewhere: it takes none and waits for nobody. Several vCPUs may
 * die at once, and one may die of dying.
 */
_Noreturn void die(enum die_reason reason, const char *why);

/* die(DIE_BUG) unless true. For our own mistakes only, never for what guest or host say. */
static inline void assert_own(bool holds, const char *what)
{
	if (!holds)
		die(DIE_BUG, what);
}

#endif
