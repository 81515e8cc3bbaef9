/* SPDX-License-Identifier: MIT */
/*
 * What the test guests share: start, output, exceptions, the GHCB, and a vCPU at VMPL2. Each test
 * is a program of its own that proves one rule of the specifications at VMPL0 of the machine,
 * without Socle, and says so line by line:
 *
 *	ok RULE
 *	not ok RULE: GOT, want WANTED
 *
 * What is wanted is written down from the specifications, and never computed by code that the
 * machine uses too.
 */
#ifndef SOCLE_TESTS_MACHINE_GUEST_H
#define SOCLE_TESTS_MACHINE_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/machine/guest/exits.h"
#include "tests/machine/guest/traps.h"

/* RAM that is not loaded at launch: a test validates what it uses of it. */
#define TEST_PAGE 0x1000000ull

/* The test itself; when it returns, the guest ends. */
void test_main(void);

/* Says whether got is what the specification wants. */
void check(const char *rule, uint64_t got, uint64_t want);

/* Writes text as it is, without a result. */
void say(const char *text);

/* Not ordered against what is done before it. */
static inline uint64_t tsc_read(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/*
 * How long a test waits for what it judges, in the TSC's time while it runs. The computer beneath
 * may have other work, and then the TSC goes on where neither guest nor host do: whatever passes
 * between two looks counts as a step at most.
 */
struct patience {
	uint64_t left, seen;
};

#define PATIENCE_STEP 1000000u /* longer than an exit takes */

static inline struct patience patience_of(uint64_t ticks)
{
	return (struct patience){ .left = ticks, .seen = tsc_read() };
}

/* Whether there is some left, at each look. */
static inline bool patience_lasts(struct patience *p)
{
	uint64_t now = tsc_read(), passed = now - p->seen;

	if (passed > PATIENCE_STEP)
		passed = PATIENCE_STEP;
	p->seen = now;
	p->left -= passed < p->left ? passed : p->left;
	return p->left != 0;
}

/* The GHCB page, registered and shared by guest_start(). */
extern volatile struct ghcb *ghcb;

/* A vCPU at VMPL2, on the same CPU. */

/*
 * Makes one that starts at entry, with the image granted to it. Its VMSA, for the test to change.
 */
struct snp_vmsa *level2_create(void (*entry)(void));

/* Marks its VMSA page as such and makes the host know it. */
void level2_start(void);

/* Runs it until it asks for VMPL0 again; the answer of the MSR protocol. */
uint64_t level2_run(void);

/* At VMPL2: asks for VMPL0. Returns when it runs VMPL2 again. */
void level2_return(void);

/* The gPA of its VMSA. */
uint64_t level2_vmsa(void);

/* Another CPU, at VMPL0, id 1 or 2. It has no GHCB, and its exceptions are this one's. */
void cpu_start(unsigned int id, void (*entry)(void));
void second_cpu_start(void (*entry)(void)); /* id 1 */
uint64_t second_cpu_vmsa(void);

extern char image_start[], image_end[];

#endif
