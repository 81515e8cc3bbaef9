/* SPDX-License-Identifier: MIT */
/*
 * A device's interrupts belong to a plane (`--device-plane 2 --device-plane 4=0 --device-plane
 * 10=3`): the timer at pin 2 to VMPL2, COM1 at pin 4 to VMPL0, and pin 10 to VMPL3, which never is.
 * Nobody else can route them, and they wait for their plane (QEMU's branch for KVM's planes,
 * -machine device-plane; docs/planes.md).
 */
#include "tests/machine/guest/devices.h"
#include "tests/machine/guest/guest.h"

#define VECTOR 31u
#define ENTRY(pin) (0x10u + 2 * (pin))
#define MASKED 0x10000u
#define PIN_TIMER 2u
#define PIN_COM1 4u
#define PIN_NONE 10u
#define COM1 0x3f8u
#define TIMER_COUNTER 0x40
#define TIMER_COMMAND 0x43
#define TURNS 3000000u
#define STEPS_MAX 100u

static void (*volatile step)(void);
static volatile bool done, lower;
static volatile uint64_t received[2]; /* by VMPL0, by VMPL2 */
static volatile uint64_t result;

static void note(struct trap_frame *frame)
{
	if (frame->vector != VECTOR)
		trap_unhandled(frame);
	received[lower]++;
	ghcb_out8(COM1 + 1, 0);
	(void)ghcb_msr_write(0x80b, 0);
}

static void apic_on(void)
{
	(void)ghcb_msr_write(0x1b, 0xfee00d00);
	(void)ghcb_msr_write(0x80f, 0x1ff);
}

static void route(unsigned int pin, uint32_t entry)
{
	ioapic_write(ENTRY(pin) + 1, 0);
	ioapic_write(ENTRY(pin), entry);
	result = ioapic_read(ENTRY(pin));
}

static void let_in(void)
{
	for (unsigned int i = 0; i < TURNS && received[lower] == 0; i++)
		__asm__ volatile("sti; nop; nop; cli" : : : "memory");
}

static void start_timer(void)
{
	ghcb_out8(TIMER_COMMAND, 0x30); /* counter 0, both bytes, mode 0: it goes off once */
	ghcb_out8(TIMER_COUNTER, 0xff);
	ghcb_out8(TIMER_COUNTER, 0x03);
}

static void route_timer(void)
{
	route(PIN_TIMER, VECTOR);
}

static void route_com1(void)
{
	route(PIN_COM1, VECTOR);
}

static void route_none(void)
{
	route(PIN_NONE, VECTOR);
}

static void mask_com1(void)
{
	route(PIN_COM1, MASKED | VECTOR);
}

static void start_com1(void)
{
	ghcb_out8(COM1 + 1, 2); /* transmitter empty: at once */
	let_in();
}

static void at_level2(void)
{
	(void)ghcb_msr_call(0x012 | ghcb_gpa());
	apic_on();
	for (;;) {
		if (step)
			step();
		done = true;
		level2_return();
	}
}

static void at_vmpl2(void (*what)(void))
{
	step = what;
	done = false;
	lower = true;
	for (unsigned int i = 0; i < STEPS_MAX && !done; i++)
		(void)level2_run();
	lower = false;
	check("  VMPL2 comes to its end", done, 1);
}

void test_main(void)
{
	trap_handler = note;
	level2_create(at_level2);
	level2_start();
	apic_on();

	route_timer();
	check("VMPL0 cannot route the timer", result, MASKED);
	at_vmpl2(route_timer);
	check("VMPL2 can", result, VECTOR);
	route(PIN_TIMER, MASKED);
	check("VMPL0 cannot mask it", result, VECTOR);
	start_timer();
	let_in();
	check("it goes off while VMPL0 runs: not to VMPL0", received[0], 0);
	check("  nor to VMPL2 before it runs", received[1], 0);
	at_vmpl2(let_in);
	check("  but when it does", received[1], 1);
	at_vmpl2(let_in);
	check("  once", received[1], 1);

	at_vmpl2(route_com1);
	check("VMPL2 cannot route COM1", result, MASKED);
	route_com1();
	check("VMPL0 can", result, VECTOR);
	at_vmpl2(mask_com1);
	check("VMPL2 cannot mask it", result, VECTOR);
	received[1] = 0;
	at_vmpl2(start_com1);
	check("an interrupt of it while VMPL2 runs: not to VMPL2", received[1], 0);
	let_in();
	check("  but to VMPL0", received[0], 1);

	route_none();
	check("nobody routes what is VMPL3's", result, MASKED);
	at_vmpl2(route_none);
	check("  VMPL2 neither", result, MASKED);
	trap_handler = NULL;
}
