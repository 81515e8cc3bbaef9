/* SPDX-License-Identifier: MIT */
/*
 * 8259s that are being initialized: between ICW1 and ICW2 they have no vectors, and their mask is
 * clear (Intel, 8259A data sheet, "Initialization Command Words"). An interrupt of the timer that
 * comes just then is lost, and neither the guest nor its host takes it for an exception; once they
 * have their vectors the timer interrupts by them.
 */
#include "tests/machine/guest/guest.h"

/* Of the first 8259: in the test's table, and without error codes as far as they come here. */
#define VECTORS 24u
#define EXTINT 0x700u
#define PERIOD 1193u	     /* of the timer, about a millisecond */
#define A_WHILE 100000000ull /* of the TSC, many of these */
#define PATIENCE 8000000000ull

static volatile uint64_t by_timer, others;

static void note(struct trap_frame *frame)
{
	by_timer += frame->vector == VECTORS;
	others += frame->vector != VECTORS;
}

/* With exits all the while, at which the host looks at its interrupts. */
static void wait(uint64_t most)
{
	struct patience p = patience_of(most);

	__asm__ volatile("sti");
	while (by_timer == 0 && patience_lasts(&p))
		(void)ghcb_in8(0x61);
	__asm__ volatile("cli");
}

void test_main(void)
{
	trap_handler = note;
	check("the local APIC takes the 8259s' interrupts",
	      ghcb_msr_write(0x1b, 0xfee00d00) && ghcb_msr_write(0x80f, 0x1ff) &&
		      ghcb_msr_write(0x835, EXTINT),
	      1);
	ghcb_out8(0x43, 0x34);
	ghcb_out8(0x40, PERIOD & 0xff);
	ghcb_out8(0x40, PERIOD >> 8);
	ghcb_out8(0x20, 0x11);
	wait(A_WHILE);
	check("8259s without vectors interrupt nobody", by_timer + others, 0);
	ghcb_out8(0x21, VECTORS);
	ghcb_out8(0x21, 4);
	ghcb_out8(0x21, 1);
	ghcb_out8(0x21, 0xfe);
	wait(PATIENCE);
	ghcb_out8(0x21, 0xff);
	check("and with them by these", by_timer > 0, 1);
	check("and by no other", others, 0);
	trap_handler = NULL;
}
