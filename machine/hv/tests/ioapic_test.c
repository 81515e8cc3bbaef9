/* SPDX-License-Identifier: MIT */
/* The guest's view of the IOAPIC (82093AA data sheet, with the EOI register of ICH9). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "machine/hv/event/ioapic.h"

static uint32_t get(struct ioapic *io, uint32_t index)
{
	io->index = index;
	return ioapic_read(io);
}

static int set(struct ioapic *io, uint32_t index, uint32_t value, unsigned int vmpl)
{
	io->index = index;
	return ioapic_write(io, value, vmpl);
}

static void test_registers(void **state)
{
	struct ioapic io;

	(void)state;
	ioapic_reset(&io);
	assert_int_equal(get(&io, 1), 0x00170020);
	assert_int_equal(get(&io, 0x10), 0x00010000);
	assert_int_equal(get(&io, 0x3f), 0);
	assert_int_equal(get(&io, 0x40), 0);
	assert_int_equal(set(&io, 0, 0xffffffff, 0), -1);
	assert_int_equal(get(&io, 0), 0x0f000000);
	assert_int_equal(set(&io, 1, 0, 0), -1);
	assert_int_equal(set(&io, 0x40, 0, 0), -1);
	assert_int_equal(set(&io, 0xff, 0, 0), -1);
}

static void test_entry(void **state)
{
	struct ioapic io;

	(void)state;
	ioapic_reset(&io);
	assert_int_equal(set(&io, 0x19, 0xffffffff, 2), 4);
	assert_int_equal(get(&io, 0x19), 0xff000000);
	assert_int_equal(set(&io, 0x18, 0x00000024, 2), 4);
	assert_int_equal(get(&io, 0x18), 0x24);
	assert_int_equal(io.pins[4].vmpl, 2);
	assert_true(ioapic_pin_open(&io.pins[4]));
	set(&io, 0x18, 0x00005024, 2); /* delivery status and remote IRR are not the guest's */
	assert_int_equal(get(&io, 0x18), 0x24);
}

static void test_open(void **state)
{
	struct ioapic io;

	(void)state;
	ioapic_reset(&io);
	set(&io, 0x22, 0x0000a031, 0); /* level, low */
	assert_true(ioapic_pin_open(&io.pins[9]));
	io.pins[9].in_service = true;
	assert_false(ioapic_pin_open(&io.pins[9]));
	assert_int_equal(get(&io, 0x22), 0x0000e031);
	set(&io, 0x22, 0x00002031, 0); /* made edge-triggered: forgets */
	assert_true(ioapic_pin_open(&io.pins[9]));
	set(&io, 0x22, 0x00012031, 0);
	assert_false(ioapic_pin_open(&io.pins[9]));
	set(&io, 0x22, 0x00000200, 0); /* SMI */
	assert_false(ioapic_pin_open(&io.pins[9]));
	set(&io, 0x22, 0x00000500, 0); /* INIT */
	assert_false(ioapic_pin_open(&io.pins[9]));
	set(&io, 0x22, 0x00000700, 0); /* ExtINT */
	assert_false(ioapic_pin_open(&io.pins[9]));
}

/* A level interrupts again and again until its line is let go (82093AA, 3.2.4, trigger mode). */
static void test_line(void **state)
{
	struct ioapic io;

	(void)state;
	ioapic_reset(&io);
	assert_false(ioapic_set_line(&io, 9, true)); /* masked */
	set(&io, 0x22, 0x00008031, 0);
	assert_true(ioapic_pin_due(&io.pins[9]));
	assert_true(ioapic_set_line(&io, 9, true));
	io.pins[9].in_service = true;
	assert_false(ioapic_pin_due(&io.pins[9]));
	assert_false(ioapic_set_line(&io, 9, true));
	io.pins[9].in_service = false;
	assert_true(ioapic_pin_due(&io.pins[9]));
	assert_false(ioapic_pin_due(&io.pins[8]));
	set(&io, 0x22, 0x00018031, 0);
	assert_false(ioapic_pin_due(&io.pins[9]));
	set(&io, 0x22, 0x00008031, 0);
	assert_false(ioapic_set_line(&io, 9, false));
	assert_false(ioapic_pin_due(&io.pins[9]));
}

/* An edge interrupts when the line rises, and not where the pin is masked just then. */
static void test_edge(void **state)
{
	struct ioapic io;

	(void)state;
	ioapic_reset(&io);
	set(&io, 0x22, 0x00000031, 0);
	assert_true(ioapic_set_line(&io, 9, true));
	assert_false(ioapic_set_line(&io, 9, true));
	assert_false(ioapic_pin_due(&io.pins[9]));
	assert_false(ioapic_set_line(&io, 9, false));
	set(&io, 0x22, 0x00010031, 0);
	assert_false(ioapic_set_line(&io, 9, true));
	set(&io, 0x22, 0x00000031, 0);
	assert_false(ioapic_set_line(&io, 9, true));
	assert_false(ioapic_set_line(&io, 9, false));
	assert_true(ioapic_set_line(&io, 9, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers), cmocka_unit_test(test_entry),
		cmocka_unit_test(test_open),	  cmocka_unit_test(test_line),
		cmocka_unit_test(test_edge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
