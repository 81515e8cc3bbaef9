/* SPDX-License-Identifier: MIT */
/*
 * Guest code that one vCPU writes while another runs it.
 *
 * QEMU executes translations of guest code. When a page is written it drops what it has of it, but
 * not in one step with what its other threads do: another vCPU that translates these bytes at that
 * moment may read the old ones and keep the result, for QEMU 7.2 takes the page's lock only after
 * translating, and every version drops the translations before it writes. No serializing
 * instruction and no flush of a TLB takes such a translation away again: Linux, which patches
 * itself as it starts, dies of a breakpoint that was removed long ago.
 *
 * So from when a second vCPU enters the guest no page is open to both: the nested page tables let
 * it be written or executed, and when it goes from one to the other every vCPU leaves the guest. A
 * translation is then made of bytes that nobody writes. Only a page that one instruction must both
 * write and be executed from is left to QEMU, for a millisecond or so.
 *
 * This part decides and touches nothing; run/nested_fault.c asks it.
 */
#ifndef SOCLE_MACHINE_HV_MEMORY_CODE_USE_H
#define SOCLE_MACHINE_HV_MEMORY_CODE_USE_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/mailbox.h"

enum code_use {
	CODE_WRITTEN, /* open to writes, as every page is at first */
	CODE_EXECUTED,
	CODE_BOTH,
};

/*
 * For how many ticks of clock_now() a vCPU keeps what it was given: several tens of microseconds,
 * so that it gets to use it before another one takes it away.
 */
#define CODE_GRACE 100000u

/* How long a page is open to both before the next fault of any vCPU closes it. */
#define CODE_BOTH_TICKS 3000000u
#define CODE_BOTH_MAX 8u /* such pages at a time: one more closes the oldest */

/* A write (not fetch) or a fetch that a vCPU could not do. */
struct code_fault {
	unsigned int vcpu;
	uint64_t page, rip;
	bool fetch;
	uint64_t now; /* ticks */
};

/* What was decided before; all zero at first. */
struct code_history {
	struct code_fault last[MACHINE_CPUS_MAX]; /* of each vCPU */
	bool given;
	unsigned int given_to;
	uint64_t given_at;
	struct {
		uint64_t page, since;
	} both[CODE_BOTH_MAX]; /* the oldest first */
	unsigned int both_count;
};

/*
 * What a page that is used as *use has to become for that fault: changes *use. False when the
 * vCPU has to wait: it tries again, by the same fault. Before, code_close() has no page to name.
 */
bool code_decide(struct code_history *history, const struct code_fault *fault, enum code_use *use);

/*
 * Names a page that code_decide() opened to both and that is to be CODE_EXECUTED again. False when
 * there is none.
 */
bool code_close(struct code_history *history, uint64_t now, uint64_t *page);

#endif
