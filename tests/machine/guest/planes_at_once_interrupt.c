/* SPDX-License-Identifier: MIT */
/*
 * A host that runs VMPL0 while VMPL2 of the same vCPU has not exited, at an interrupt of its own
 * (`--fault planes-at-once-interrupt`). VMPL2 only counts, and asks for nothing; VMPL0 waits for it
 * by run-VMPL, and then by HLT, which a host may end at any time. Its timer makes the host's
 * interrupt; the event itself does not wake VMPL0, whose RFLAGS.IF is 0. That the VMSA is in use:
 * APM volume 2, 15.36.12.
 */
#include "tests/machine/guest/guest.h"

#define VMSA_BIT 0x10000ull
#define PERIODIC_TIMER 0x20041u /* vector 0x41 */
#define TICKS 1000000u
#define TRIES 100u

static volatile uint64_t count;

static void counts(void)
{
	for (;;)
		count++;
}

/* The page keeps what VMPL0 wrote: nothing was stored there. */
static void mark(void)
{
	*(volatile uint64_t *)(level2_vmsa() + 0x3c0) = 77; /* EXITCODE */
}

static uint64_t marked(void)
{
	return *(volatile uint64_t *)(level2_vmsa() + 0x3c0);
}

void test_main(void)
{
	uint64_t answer = 0, before, after, code;
	uint32_t adjust;

	check("APIC on", ghcb_msr_write(0x1b, 0xfee00d00) && ghcb_msr_write(0x80f, 0x1ff), 1);
	check("timer: divide by 1", ghcb_msr_write(0x83e, 0xb), 1);
	check("timer: periodic", ghcb_msr_write(0x832, PERIODIC_TIMER), 1);
	check("timer: count", ghcb_msr_write(0x838, TICKS), 1);
	level2_create(counts);
	level2_start();
	mark();
	/* On a slow machine the interrupt may come before its first instruction. */
	for (unsigned int i = 0; i < TRIES && count == 0; i++)
		answer = level2_run();
	adjust = rmpadjust(level2_vmsa(), 0, VMSA_BIT | 2);
	code = marked();
	before = count;
	check("VMPL0 runs while VMPL2 does", answer, 0x017);
	check("  in use: FAIL_INUSE", adjust, 3);
	check("  its VMSA is not stored", code, 77);
	check("  it has counted", before != 0, 1);

	before = after = count;
	for (unsigned int i = 0; i < TRIES && after == before; i++) {
		__asm__ volatile("hlt" : : : "memory");
		after = count;
	}
	adjust = rmpadjust(level2_vmsa(), 0, VMSA_BIT | 2);
	code = marked();
	check("HLT of VMPL0 ends while VMPL2 runs: it counts on", after > before, 1);
	check("  in use: FAIL_INUSE", adjust, 3);
	check("  its VMSA is not stored", code, 77);
}
