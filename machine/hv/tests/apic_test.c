/* SPDX-License-Identifier: MIT */
/* The emulated local APIC against the APM, volume 2, chapter 16. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "machine/hv/event/apic.h"

static struct apic enabled(void)
{
	struct apic a;
	struct apic_effects e = { 0 };

	apic_reset(&a, 1, false, false);
	apic_write(&a, APIC_REG_SVR, 0x1ff, 0, &e);
	return a;
}

static void test_reset(void **state)
{
	struct apic a;

	(void)state;
	apic_reset(&a, 3, true, false);
	assert_int_equal(a.base, 0xfee00900);
	assert_int_equal(apic_read(&a, APIC_REG_ID, 0), 0x03000000);
	assert_int_equal(apic_read(&a, APIC_REG_VERSION, 0), 0x00050014);
	assert_int_equal(apic_read(&a, APIC_REG_SVR, 0), 0xff);
	assert_int_equal(apic_read(&a, APIC_REG_DFR, 0), 0xffffffff);
	assert_int_equal(apic_read(&a, APIC_REG_LVT_TIMER, 0), 0x10000);
	apic_accept(&a, 0x40, false);
	assert_int_equal(apic_pending(&a), -1);
}

static void test_priorities(void **state)
{
	struct apic a = enabled();
	struct apic_effects e = { 0 };

	(void)state;
	apic_accept(&a, 0x41, false);
	apic_accept(&a, 0x83, false);
	assert_int_equal(apic_pending(&a), 0x83);
	apic_acknowledge(&a, 0x83);
	assert_int_equal(apic_read(&a, APIC_REG_PPR, 0), 0x80);
	assert_int_equal(apic_pending(&a), -1);
	apic_accept(&a, 0x8f, false); /* same class as the one in service */
	assert_int_equal(apic_pending(&a), -1);
	apic_accept(&a, 0x90, false);
	assert_int_equal(apic_pending(&a), 0x90);
	apic_acknowledge(&a, 0x90);
	apic_write(&a, APIC_REG_EOI, 0, 0, &e);
	assert_int_equal(apic_read(&a, APIC_REG_PPR, 0), 0x80);
	apic_write(&a, APIC_REG_EOI, 0, 0, &e);
	assert_int_equal(apic_pending(&a), 0x8f);
	apic_write(&a, APIC_REG_TPR, 0x80, 0, &e);
	assert_int_equal(apic_pending(&a), -1);
	assert_int_equal(apic_read(&a, APIC_REG_PPR, 0), 0x80);
	apic_write(&a, APIC_REG_TPR, 0x7f, 0, &e);
	assert_int_equal(apic_pending(&a), 0x8f);
	assert_false(e.eoi);
}

/* When KVM lets a guest end an interrupt in memory: apic_sync_pv_eoi_to_guest() in its lapic.c. */
static void test_end_without_effect(void **state)
{
	struct apic a = enabled();
	struct apic_effects e = { 0 };

	(void)state;
	assert_false(apic_ends_without_effect(&a)); /* nothing is in service */
	assert_false(apic_serves_edge(&a));
	apic_accept(&a, 0x61, false);
	assert_false(apic_ends_without_effect(&a));
	apic_acknowledge(&a, 0x61);
	assert_true(apic_ends_without_effect(&a));
	apic_accept(&a, 0x41, false); /* waits for the end */
	assert_false(apic_ends_without_effect(&a));
	assert_true(apic_serves_edge(&a));
	apic_write(&a, APIC_REG_EOI, 0, 0, &e);
	apic_acknowledge(&a, 0x41);
	assert_true(apic_ends_without_effect(&a));
	apic_accept(&a, 0x71, true); /* level: a device waits for the end */
	apic_acknowledge(&a, 0x71);
	assert_false(apic_ends_without_effect(&a));
	assert_false(apic_serves_edge(&a));
	apic_write(&a, APIC_REG_EOI, 0, 0, &e);
	assert_true(apic_ends_without_effect(&a));
}

static void test_level_eoi(void **state)
{
	struct apic a = enabled();
	struct apic_effects e = { 0 };

	(void)state;
	apic_accept(&a, 0x51, true);
	assert_int_equal(apic_read(&a, APIC_REG_TMR + 0x20, 0), 1u << 0x11);
	assert_int_equal(apic_read(&a, APIC_REG_IRR + 0x20, 0), 1u << 0x11);
	apic_acknowledge(&a, 0x51);
	assert_int_equal(apic_read(&a, APIC_REG_IRR + 0x20, 0), 0);
	assert_int_equal(apic_read(&a, APIC_REG_ISR + 0x20, 0), 1u << 0x11);
	apic_write(&a, APIC_REG_EOI, 0, 0, &e);
	assert_true(e.eoi);
	assert_int_equal(e.eoi_vector, 0x51);
	e = (struct apic_effects){ 0 };
	apic_write(&a, APIC_REG_EOI, 0, 0, &e); /* nothing in service */
	assert_false(e.eoi);
}

static void test_timer_one_shot(void **state)
{
	struct apic a = enabled();
	struct apic_effects e = { 0 };

	(void)state;
	apic_write(&a, APIC_REG_LVT_TIMER, 0xec, 0, &e);
	apic_write(&a, APIC_REG_TIMER_DIVIDE, 3, 0, &e); /* by 16 */
	apic_write(&a, APIC_REG_TIMER_INITIAL, 100, 1000, &e);
	assert_true(e.timer);
	assert_int_equal(a.timer_deadline, 1000 + 1600);
	assert_int_equal(apic_read(&a, APIC_REG_TIMER_CURRENT, 1000), 100);
	assert_int_equal(apic_read(&a, APIC_REG_TIMER_CURRENT, 1800), 50);
	apic_timer_advance(&a, 2599);
	assert_int_equal(apic_pending(&a), -1);
	apic_timer_advance(&a, 2600);
	assert_int_equal(apic_pending(&a), 0xec);
	assert_int_equal(a.timer_deadline, 0);
	assert_int_equal(apic_read(&a, APIC_REG_TIMER_CURRENT, 9999), 0);
}

static void test_timer_periodic(void **state)
{
	struct apic a = enabled();
	struct apic_effects e = { 0 };

	(void)state;
	apic_write(&a, APIC_REG_LVT_TIMER, 0x20000 | 0x30, 0, &e);
	apic_write(&a, APIC_REG_TIMER_DIVIDE, 0xb, 0, &e); /* by 1 */
	apic_write(&a, APIC_REG_TIMER_INITIAL, 10, 100, &e);
	apic_timer_advance(&a, 110);
	assert_int_equal(apic_pending(&a), 0x30);
	assert_int_equal(a.timer_deadline, 120);
	apic_acknowledge(&a, 0x30);
	apic_timer_advance(&a, 147); /* three periods at once are one interrupt */
	assert_int_equal(a.timer_deadline, 150);
	assert_int_equal(apic_read(&a, APIC_REG_IRR + 0x10, 147), 1u << 0x10);
	apic_write(&a, APIC_REG_TIMER_INITIAL, 0, 148, &e);
	assert_int_equal(a.timer_deadline, 0);
}

static void test_timer_masked(void **state)
{
	struct apic a = enabled();
	struct apic_effects e = { 0 };

	(void)state;
	apic_write(&a, APIC_REG_TIMER_DIVIDE, 0xb, 0, &e);
	apic_write(&a, APIC_REG_TIMER_INITIAL, 10, 0, &e);
	apic_timer_advance(&a, 20);
	assert_int_equal(apic_pending(&a), -1);
	assert_int_equal(a.timer_deadline, 0);
}

static void test_ipi(void **state)
{
	struct apic a = enabled();
	struct apic_effects e = { 0 };

	(void)state;
	apic_write(&a, APIC_REG_ICR2, 0x02000000, 0, &e);
	assert_false(e.ipi.valid);
	apic_write(&a, APIC_REG_ICR, 0x000040fd, 0, &e);
	assert_true(e.ipi.valid);
	assert_int_equal(e.ipi.mode, APIC_MODE_FIXED);
	assert_int_equal(e.ipi.vector, 0xfd);
	assert_int_equal(e.ipi.destination, 2);
	assert_int_equal(e.ipi.shorthand, APIC_TO_DESTINATION);
	assert_int_equal(apic_read(&a, APIC_REG_ICR2, 0), 0x02000000);
	e = (struct apic_effects){ 0 };
	apic_write(&a, APIC_REG_ICR, 0x000c0400, 0, &e);
	assert_int_equal(e.ipi.mode, APIC_MODE_NMI);
	assert_int_equal(e.ipi.shorthand, APIC_TO_OTHERS);
	e = (struct apic_effects){ 0 };
	apic_write(&a, APIC_REG_ICR, 0x00008500, 0, &e);
	assert_true(e.ipi.deassert);
}

static void test_errors(void **state)
{
	struct apic a = enabled();
	struct apic_effects e = { 0 };

	(void)state;
	apic_write(&a, APIC_REG_LVT_ERROR, 0xfe, 0, &e);
	apic_write(&a, APIC_REG_ICR, 0x0f, 0, &e); /* vector below 16 */
	assert_false(e.ipi.valid);
	assert_int_equal(apic_pending(&a), 0xfe);
	assert_int_equal(apic_read(&a, APIC_REG_ESR, 0), 0); /* until it is written */
	apic_write(&a, APIC_REG_ESR, 0, 0, &e);
	assert_int_equal(apic_read(&a, APIC_REG_ESR, 0), 0x20);
	apic_accept(&a, 0x05, false);
	assert_int_equal(apic_read(&a, 0x3d0, 0), 0);
	apic_write(&a, APIC_REG_ESR, 0, 0, &e);
	assert_int_equal(apic_read(&a, APIC_REG_ESR, 0), 0xc0);
}

static void test_software_disable(void **state)
{
	struct apic a = enabled();
	struct apic_effects e = { 0 };

	(void)state;
	apic_write(&a, APIC_REG_LVT_TIMER, 0xec, 0, &e);
	apic_write(&a, APIC_REG_SVR, 0xff, 0, &e);
	assert_int_equal(apic_read(&a, APIC_REG_LVT_TIMER, 0), 0x100ec);
	apic_write(&a, APIC_REG_LVT_TIMER, 0xec, 0, &e);
	assert_int_equal(apic_read(&a, APIC_REG_LVT_TIMER, 0), 0x100ec);
	apic_accept(&a, 0x40, false);
	assert_int_equal(apic_pending(&a), -1);
}

static void test_destinations(void **state)
{
	struct apic a = enabled();
	struct apic_effects e = { 0 };

	(void)state;
	assert_true(apic_is_destination(&a, 1, false));
	assert_false(apic_is_destination(&a, 2, false));
	assert_true(apic_is_destination(&a, 0xff, false));
	apic_write(&a, APIC_REG_LDR, 0x02000000, 0, &e);
	assert_true(apic_is_destination(&a, 0x03, true));
	assert_false(apic_is_destination(&a, 0x01, true));
	apic_write(&a, APIC_REG_DFR, 0x0fffffff, 0, &e); /* cluster model */
	apic_write(&a, APIC_REG_LDR, 0x12000000, 0, &e);
	assert_true(apic_is_destination(&a, 0x13, true));
	assert_false(apic_is_destination(&a, 0x22, true));
}

static void test_x2apic(void **state)
{
	struct apic a;
	struct apic_effects e = { 0 };
	uint64_t value;

	(void)state;
	apic_reset(&a, 0x21, false, true);
	assert_true(apic_msr_read(&a, 0x802, 0, &value));
	assert_int_equal(value, 0x21);
	assert_true(apic_msr_read(&a, 0x80d, 0, &value));
	assert_int_equal(value, 0x20002);
	assert_true(apic_is_destination(&a, 0x20002, true));
	assert_false(apic_is_destination(&a, 0x10002, true));
	assert_false(apic_is_destination(&a, 0xff, false));
	assert_true(apic_is_destination(&a, 0xffffffff, false));
	assert_true(apic_msr_write(&a, 0x80f, 0x1ff, 0, &e));
	/* Reserved bits: APM volume 2, 16.13. */
	assert_false(apic_msr_write(&a, 0x830, 0x500100040ull, 0, &e));
	assert_false(apic_msr_write(&a, 0x830, 0x580000040ull, 0, &e));
	assert_false(apic_msr_write(&a, 0x830, 0x500010040ull, 0, &e));
	assert_false(apic_msr_write(&a, 0x830, 0x500020040ull, 0, &e));
	assert_false(apic_msr_write(&a, 0x830, 0x500002040ull, 0, &e));
	assert_false(e.ipi.valid);
	assert_true(apic_msr_write(&a, 0x830, 0x500000040ull, 0, &e));
	assert_true(e.ipi.valid);
	assert_int_equal(e.ipi.destination, 5);
	e = (struct apic_effects){ 0 };
	assert_true(apic_msr_write(&a, 0x83f, 0x41, 0, &e));
	assert_true(e.ipi.valid);
	assert_int_equal(e.ipi.shorthand, APIC_TO_SELF);
	assert_int_equal(e.ipi.vector, 0x41);
}

static void test_x2apic_faults(void **state)
{
	struct apic a = enabled(), b;
	struct apic_effects e = { 0 };
	uint64_t value;

	(void)state;
	assert_false(apic_msr_read(&a, 0x802, 0, &value)); /* xAPIC mode */
	apic_reset(&b, 0, true, true);
	assert_false(apic_msr_read(&b, 0x80b, 0, &value)); /* write-only */
	assert_false(apic_msr_read(&b, 0x80e, 0, &value)); /* no DFR */
	assert_false(apic_msr_read(&b, 0x831, 0, &value));
	assert_false(apic_msr_read(&b, 0x8ff, 0, &value));
	assert_false(apic_msr_write(&b, 0x802, 1, 0, &e)); /* read-only */
	assert_false(apic_msr_write(&b, 0x80d, 1, 0, &e));
	assert_false(apic_msr_write(&b, 0x80b, 1, 0, &e)); /* only 0 */
	assert_false(apic_msr_write(&b, 0x80f, 1ull << 32, 0, &e));
	assert_false(apic_msr_write(&b, 0x83f, 0x100, 0, &e));
	assert_false(e.ipi.valid);
}

static void test_base(void **state)
{
	struct apic a = enabled();

	(void)state;
	assert_false(apic_base_write(&a, 0xfee01800)); /* another address */
	assert_false(apic_base_write(&a, 0xfee00400)); /* x2APIC without enable */
	assert_true(apic_base_write(&a, 0xfee00c00));
	assert_int_equal(a.ldr, 2);
	assert_false(apic_base_write(&a, 0xfee00800)); /* back to xAPIC */
	assert_true(apic_base_write(&a, 0xfee00000));
	assert_int_equal(a.svr, 0xff);
	assert_false(apic_base_write(&a, 0xfee00c00)); /* from off to x2APIC */
	assert_true(apic_base_write(&a, 0xfee00800));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_priorities),
		cmocka_unit_test(test_end_without_effect),
		cmocka_unit_test(test_level_eoi),
		cmocka_unit_test(test_timer_one_shot),
		cmocka_unit_test(test_timer_periodic),
		cmocka_unit_test(test_timer_masked),
		cmocka_unit_test(test_ipi),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_software_disable),
		cmocka_unit_test(test_destinations),
		cmocka_unit_test(test_x2apic),
		cmocka_unit_test(test_x2apic_faults),
		cmocka_unit_test(test_base),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
