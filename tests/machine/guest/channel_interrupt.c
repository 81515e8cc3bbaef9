/* SPDX-License-Identifier: MIT */
/*
 * The serial port of VMPL0 has an interrupt that is no other port's: pin 5 of the IOAPIC, by an
 * edge, for the level that has programmed the pin (82093AA, redirection entries). What is there
 * when the port's own enable bit is set makes an edge like what comes later (PC16550D, interrupt
 * enable and modem control registers; in its loopback mode the port receives what it sends).
 */
#include "tests/machine/guest/devices.h"
#include "tests/machine/guest/guest.h"

#define COM3 0x3e8
#define VECTOR 27u
#define PIN_ENTRY (0x10u + 2 * 5)
#define ENTRY_MASKED (1u << 16)
#define PATIENCE 4000000000ull /* of the TSC, a second and more */

static volatile uint64_t taken;

static void note(struct trap_frame *frame)
{
	if (frame->vector != VECTOR)
		trap_unhandled(frame);
	taken++;
	(void)ghcb_msr_write(0x80b, 0);
}

/* How many come in that time; where some are wanted, until they are there. */
static uint64_t interrupts(uint64_t wanted)
{
	struct patience p = patience_of(PATIENCE / (wanted ? 1 : 8));

	taken = 0;
	while (taken < (wanted ? wanted : 1) && patience_lasts(&p))
		__asm__ volatile("sti; nop; cli; pause" : : : "memory");
	return taken;
}

static uint64_t enable(uint8_t what, uint64_t wanted)
{
	uint64_t got;

	ghcb_out8(COM3 + 1, what);
	got = interrupts(wanted);
	ghcb_out8(COM3 + 1, 0);
	return got;
}

/* What the interrupt identification register says in its four lowest bits, once that is wanted. */
static uint8_t identity(uint8_t wanted)
{
	uint8_t id = ghcb_in8(COM3 + 2) & 0x0f;
	struct patience p = patience_of(PATIENCE);

	while (id != wanted && patience_lasts(&p))
		id = ghcb_in8(COM3 + 2) & 0x0f;
	return id;
}

/*
 * With a trigger of 14 bytes (FIFO control, 7:6): fewer are told of after a pause, as Ch; none, as
 * 1.
 */
static void told_by_the_identity(void)
{
	ghcb_out8(COM3 + 2, 0xc7);
	ghcb_out8(COM3 + 1, 0x01);
	check("no data to tell of", identity(0x01), 0x01);
	for (uint8_t i = 0; i < 3; i++)
		ghcb_out8(COM3, 'a' + i);
	check("fewer than the trigger, after a pause", identity(0x0c), 0x0c);
	check("  the first of them", ghcb_in8(COM3), 'a');
	check("  and another pause", identity(0x0c), 0x0c);
	ghcb_out8(COM3 + 1, 0);
}

void test_main(void)
{
	trap_handler = note;
	check("APIC on", ghcb_msr_write(0x1b, 0xfee00d00) && ghcb_msr_write(0x80f, 0x1ff), 1);
	ioapic_write(PIN_ENTRY + 1, 0);
	ghcb_out8(COM3 + 3, 0x03);
	ghcb_out8(COM3 + 1, 0);
	ghcb_out8(COM3 + 2, 0x07);
	ghcb_out8(COM3 + 4, 0x10); /* loopback */
	ioapic_write(PIN_ENTRY, VECTOR);
	check("without data there is no interrupt for it", enable(0x01, 0), 0);
	ghcb_out8(COM3, 'x');
	check("data that came before", enable(0x01, 1), 1);
	check("  and it raises no second one", interrupts(0), 0);
	check("  is there", ghcb_in8(COM3), 'x');
	check("an empty transmitter", enable(0x02, 1), 1);
	ioapic_write(PIN_ENTRY, VECTOR | ENTRY_MASKED);
	check("nothing comes by a masked pin", enable(0x02, 0), 0);
	ioapic_write(PIN_ENTRY, VECTOR);
	ghcb_out8(COM3 + 1, 0x01);
	check("data that has not come yet", interrupts(0), 0);
	ghcb_out8(COM3, 'y');
	check("data that comes", interrupts(1), 1);
	ghcb_out8(COM3 + 1, 0);
	told_by_the_identity();
	trap_handler = NULL;
}
