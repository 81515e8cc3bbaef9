/* SPDX-License-Identifier: MIT */
/*
 * CR8 is the task priority of the local APIC, also while an interrupt waits for it or for RFLAGS.IF
 * (APM volume 2, 15.21.2 and 16.6.4; MOV CRn in volume 3: #GP where a reserved bit is set). QEMU
 * 7.2 aborts at such a write when it has a virtual interrupt to deliver (docs/machine-limits.md).
 */
#include "tests/machine/guest/guest.h"

#define APIC_BASE 0x1bu
#define X2APIC_EOI 0x80bu
#define X2APIC_SVR 0x80fu
#define X2APIC_SELF_IPI 0x83fu
#define VECTOR 31u /* priority class 1, and within the table of exceptions */

static volatile uint64_t taken, faults;

static void handle(struct trap_frame *frame)
{
	if (frame->vector == VECTOR) {
		taken++;
		(void)ghcb_msr_write(X2APIC_EOI, 0);
		return;
	}
	faults += frame->vector;
	frame->rip += 4; /* MOV to CR8 */
}

static void cr8_write(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr8" : : "a"(value) : "memory");
}

static uint64_t cr8_read(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr8, %0" : "=r"(value));
	return value;
}

static void interrupts(bool on)
{
	if (on)
		__asm__ volatile("sti; nop" : : : "memory");
	else
		__asm__ volatile("cli" : : : "memory");
}

static void send(void)
{
	(void)ghcb_msr_write(X2APIC_SELF_IPI, VECTOR);
}

void test_main(void)
{
	uint64_t base = 0;

	trap_handler = handle;
	check("APIC_BASE", ghcb_msr_read(APIC_BASE, &base), 1);
	check("x2APIC", ghcb_msr_write(APIC_BASE, base | 3 << 10), 1);
	check("the APIC is on", ghcb_msr_write(X2APIC_SVR, 0x1ff), 1);
	send();
	cr8_write(5);
	check("CR8 while an interrupt waits for IF", cr8_read(), 5);
	cr8_write(0);
	check("  it waits", taken, 0);
	interrupts(true);
	check("  and comes", taken, 1);
	interrupts(false);
	cr8_write(2);
	interrupts(true);
	send();
	check("an interrupt of class 1 waits for CR8", taken, 1);
	check("  CR8 by the way", cr8_read(), 2);
	cr8_write(1);
	check("  CR8 1: it waits", taken, 1);
	cr8_write(15);
	check("  CR8 15", cr8_read(), 15);
	cr8_write(16);
	check("  CR8 16: #GP", faults, 13);
	check("  and CR8 is what it was", cr8_read(), 15);
	cr8_write(0);
	check("  CR8 0: it comes", taken, 2);
	cr8_write(16);
	check("CR8 16 while nothing waits: #GP", faults, 26);
	interrupts(false);
}
