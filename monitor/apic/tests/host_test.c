/* SPDX-License-Identifier: MIT */
/*
 * The descriptor of a VMPL in the #HV doorbell page (GHCB specification), with hosts that keep to
 * it and others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/apic/host.h"

#define MULTIPLE (1u << 14)
#define LEVEL (1u << 10)

static struct apic open_to_all(void)
{
	struct apic a;

	apic_reset(&a, 0);
	assert_true(apic_configure_vector(&a, 0x300));
	return a;
}

static void test_one(void **state)
{
	struct apic a = open_to_all();
	struct ghcb_doorbell_vmpl d = { .status = 0x45 };

	(void)state;
	apic_host_collect(&a, &d);
	assert_int_equal(d.status, 0);
	assert_int_equal(apic_pending(&a), 0x45);
	assert_int_equal(a.tmr[2], 0);
	a.irr[2] = 0;
	apic_host_collect(&a, &d); /* taken once */
	assert_int_equal(apic_pending(&a), -1);
	d.status = 31; /* it may stand alone, too */
	apic_host_collect(&a, &d);
	assert_int_equal(apic_pending(&a), 31);
}

static void test_multiple(void **state)
{
	struct apic a = open_to_all();
	/* With several, what the vector field holds is left over, unless it is level-sensitive. */
	struct ghcb_doorbell_vmpl d = { .status = 0x77 | MULTIPLE | 1u << 31,
					.irr = { 1, 0, 0, 0, 0, 0, 1u << 31 } };

	(void)state;
	apic_host_collect(&a, &d);
	assert_int_equal(d.status, 0);
	assert_int_equal(d.irr[0] | d.irr[6], 0);
	assert_int_equal(a.irr[0], 1u << 31);
	assert_int_equal(a.irr[1], 1);
	assert_int_equal(a.irr[3], 0);
	assert_int_equal(a.irr[7], 1u << 31);
}

static void test_level(void **state)
{
	struct apic a = open_to_all();
	struct ghcb_doorbell_vmpl d = { .status = 0x51 | LEVEL | MULTIPLE, .irr = { 4 } };

	(void)state;
	apic_host_collect(&a, &d);
	assert_int_equal(a.irr[2], 1u << 0x11);
	assert_int_equal(a.tmr[2], 1u << 0x11);
	assert_int_equal(a.host_level[2], 1u << 0x11);
	assert_int_equal(a.irr[1], 4);
	assert_int_equal(a.tmr[1], 0);
}

/* Without MULTIPLE nothing says that irr is the host's last word. */
static void test_irr_unannounced(void **state)
{
	struct apic a = open_to_all();
	struct ghcb_doorbell_vmpl d = { .status = 1u << 31, .irr = { 1, 2, 3, 4, 5, 6, 7 } };

	(void)state;
	apic_host_collect(&a, &d);
	assert_int_equal(apic_pending(&a), -1);
	assert_int_equal(d.irr[6], 7);
}

/* Exceptions, int 0x80, NMI and machine check of a host's own making. */
static void test_hostile(void **state)
{
	struct apic a, empty;
	struct ghcb_doorbell_vmpl d;

	(void)state;
	apic_reset(&a, 0);
	assert_true(apic_configure_vector(&a, 0x151));
	empty = a;
	memset(&d, 0xff, sizeof(d));
	d.irr[1] &= ~(1u << 0x11);
	apic_host_collect(&a, &d);
	assert_memory_equal(&a, &empty, sizeof(a));
	for (uint32_t vector = 0; vector < 31; vector++) {
		d.status = vector;
		apic_host_collect(&a, &d);
		d.status = vector | LEVEL;
		apic_host_collect(&a, &d);
	}
	d.status = 0x80;
	apic_host_collect(&a, &d);
	assert_memory_equal(&a, &empty, sizeof(a));
	assert_true(apic_configure_vector(&a, 0x300));
	for (uint32_t vector = 0; vector < 31; vector++) {
		d.status = vector;
		apic_host_collect(&a, &d);
	}
	assert_int_equal(apic_pending(&a), -1);
	assert_false(a.nmi);
}

static void test_hand_over(void **state)
{
	struct apic a = open_to_all();
	struct ghcb_doorbell_vmpl d = { .status = 0x61 };
	const struct apic_ipi nmi = { .nmi = true };

	(void)state;
	apic_host_interrupt(&a, 31, false);
	apic_host_interrupt(&a, 0x45, false);
	apic_host_interrupt(&a, 0xf7, true);
	apic_take(&a, 0xf7);
	apic_request(&a, &nmi);
	apic_host_hand_over(&a, &d);
	assert_int_equal(d.status & ~0xffu, MULTIPLE | 1u << 8 | 1u << 31);
	assert_int_equal(d.irr[0], 0);
	assert_int_equal(d.irr[1], 1u << 5);
	assert_int_equal(d.irr[2], 2); /* what the host had raised meanwhile */
	assert_int_equal(d.irr[6], 0);
	assert_int_equal(d.isr[7], 1u << 0x17);
	assert_int_equal(d.isr[0], 0);
	d = (struct ghcb_doorbell_vmpl){ .status = 0x61 | LEVEL };
	apic_reset(&a, 0);
	apic_host_hand_over(&a, &d); /* level-sensitive: it stays where it is */
	assert_int_equal(d.status, 0x61 | LEVEL | MULTIPLE);
	assert_int_equal(d.irr[2], 0);
	d = (struct ghcb_doorbell_vmpl){ .status = 31 };
	apic_host_hand_over(&a, &d);
	assert_int_equal(d.status, 31 | MULTIPLE | 1u << 31);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one),	cmocka_unit_test(test_multiple),
		cmocka_unit_test(test_level),	cmocka_unit_test(test_irr_unannounced),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_hand_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
