/* SPDX-License-Identifier: MIT */
/*
 * The guest's APIC against APM volume 2, chapter 16, and 58019, APIC protocol. What QEMU's own APIC
 * does is held against it by tests/apic.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/apic/apic.h"

static struct apic started(uint32_t id)
{
	struct apic a;

	apic_reset(&a, id);
	return a;
}

static uint64_t reg(const struct apic *a, uint64_t number)
{
	uint64_t value = 0;

	assert_true(apic_read(a, number, &value));
	return value;
}

static struct apic_effects write_reg(struct apic *a, uint64_t number, uint64_t value)
{
	struct apic_effects e;

	assert_true(apic_write(a, number, value, &e));
	return e;
}

/* A write that is refused changes nothing and asks for nothing. */
static void assert_refused(struct apic *a, uint64_t number, uint64_t value)
{
	struct apic before = *a;
	struct apic_effects e;

	assert_false(apic_write(a, number, value, &e));
	assert_memory_equal(a, &before, sizeof(before));
	assert_false(e.sent);
	assert_false(e.host_eoi);
}

static void test_reset(void **state)
{
	struct apic a = started(0x21);

	(void)state;
	assert_int_equal(reg(&a, 0x802), 0x21);
	assert_int_equal(reg(&a, 0x80d), 0x20002); /* 16.13: cluster 2, its second */
	assert_int_equal(reg(&a, 0x808), 0);
	assert_int_equal(reg(&a, 0x80a), 0);
	assert_int_equal(reg(&a, 0x830), 0);
	for (uint64_t number = 0x810; number <= 0x827; number++)
		assert_int_equal(reg(&a, number), 0);
	assert_int_equal(apic_pending(&a), -1);
	assert_int_equal(apic_next(&a), -1);
}

/* 58019: these registers and no others; 80B and 83F are written only. */
static void test_registers_that_are_there(void **state)
{
	struct apic a = started(1);
	uint64_t value;

	(void)state;
	for (uint64_t number = 0; number < 0x1000; number++) {
		bool there = number == 0x802 || number == 0x808 || number == 0x80a ||
			     number == 0x80d || (number >= 0x810 && number <= 0x827) ||
			     number == 0x830;
		bool writable = number == 0x808 || number == 0x80b;

		assert_int_equal(apic_read(&a, number, &value), there);
		if (writable)
			write_reg(&a, number, 0);
		else
			assert_refused(&a, number, 0); /* the ICR and 83F for their vector, 0 */
	}
	assert_false(apic_read(&a, 0x100000802ull, &value));
	assert_refused(&a, 0x100000808ull, 0);
	assert_false(apic_read(&a, UINT64_MAX, &value));
}

static void test_reserved_bits(void **state)
{
	struct apic a = started(1);

	(void)state;
	assert_refused(&a, 0x808, 0x100);
	assert_refused(&a, 0x808, 1ull << 63);
	assert_refused(&a, 0x80b, 1);
	assert_refused(&a, 0x80b, 1ull << 32);
	assert_refused(&a, 0x83f, 0x140);
	for (unsigned int bit = 11; bit < 32; bit++) {
		uint64_t value = 1ull << bit | 0x40;

		switch (bit) {
		case 11: /* destination mode */
		case 14: /* level, trigger mode: of no meaning to a fixed one */
		case 15:
		case 18: /* shorthand */
		case 19:
			write_reg(&a, 0x830, value);
			assert_int_equal(reg(&a, 0x830), value);
			break;
		default:
			assert_refused(&a, 0x830, value);
		}
	}
	for (uint64_t mode = 0; mode < 8; mode++) {
		if (mode == 0 || mode == 4)
			write_reg(&a, 0x830, mode << 8 | 0x40);
		else
			assert_refused(&a, 0x830, mode << 8 | 0x40);
	}
}

static void test_vectors(void **state)
{
	struct apic a = started(1);

	(void)state;
	for (uint64_t vector = 0; vector < 31; vector++) {
		assert_refused(&a, 0x830, vector);
		assert_refused(&a, 0x83f, vector);
	}
	for (uint64_t vector = 31; vector < 256; vector++) {
		assert_int_equal(write_reg(&a, 0x830, vector).ipi.vector, vector);
		write_reg(&a, 0x83f, vector);
		assert_true(reg(&a, 0x820 + vector / 32) >> vector % 32 & 1);
	}
	write_reg(&a, 0x830, 0x400); /* the vector of an NMI is nothing */
}

/* APM volume 2, 16.6.4. */
static void test_priorities(void **state)
{
	struct apic a = started(1);

	(void)state;
	write_reg(&a, 0x83f, 0x41);
	write_reg(&a, 0x83f, 0x83);
	assert_int_equal(apic_pending(&a), 0x83);
	apic_take(&a, 0x83);
	assert_int_equal(reg(&a, 0x824), 0);
	assert_int_equal(reg(&a, 0x814), 8);
	assert_int_equal(reg(&a, 0x80a), 0x80);
	assert_int_equal(apic_pending(&a), -1);
	write_reg(&a, 0x83f, 0x8f); /* the class of the one in service */
	assert_int_equal(apic_pending(&a), -1);
	assert_int_equal(apic_next(&a), -1);
	write_reg(&a, 0x83f, 0x90);
	assert_int_equal(apic_pending(&a), 0x90);
	write_reg(&a, 0x808, 0x95);
	assert_int_equal(reg(&a, 0x80a), 0x95);
	assert_int_equal(apic_pending(&a), -1);
	assert_int_equal(apic_next(&a), 0x90);
	write_reg(&a, 0x808, 0x85); /* equal classes: the TPR's lower bits show */
	assert_int_equal(reg(&a, 0x80a), 0x85);
	apic_take(&a, 0x90);
	assert_int_equal(reg(&a, 0x80a), 0x90);
	write_reg(&a, 0x80b, 0);
	write_reg(&a, 0x80b, 0);
	assert_int_equal(reg(&a, 0x814), 0);
	assert_int_equal(apic_next(&a), 0x8f);
	assert_int_equal(apic_pending(&a), -1);
	write_reg(&a, 0x808, 0x7f);
	assert_int_equal(apic_pending(&a), 0x8f);
}

static void test_class_of_the_cpu(void **state)
{
	struct apic a = started(1);

	(void)state;
	write_reg(&a, 0x808, 0x57);
	apic_set_class(&a, 5); /* CR8 as it was: the lower half stays */
	assert_int_equal(reg(&a, 0x808), 0x57);
	apic_set_class(&a, 6);
	assert_int_equal(reg(&a, 0x808), 0x60);
	apic_set_class(&a, 0xf);
	write_reg(&a, 0x83f, 0xff);
	assert_int_equal(apic_pending(&a), -1);
	assert_int_equal(apic_next(&a), 0xff);
}

static void test_eoi_without_interrupt(void **state)
{
	struct apic a = started(1), before;

	(void)state;
	write_reg(&a, 0x83f, 0x41);
	before = a;
	assert_false(write_reg(&a, 0x80b, 0).host_eoi);
	assert_memory_equal(&a, &before, sizeof(a));
}

static void test_host_vectors(void **state)
{
	struct apic a = started(1);

	(void)state;
	for (unsigned int vector = 0; vector < 256; vector++)
		assert_false(apic_host_interrupt(&a, (uint8_t)vector, false));
	assert_true(apic_configure_vector(&a, 0x151));
	for (unsigned int vector = 0; vector < 256; vector++)
		assert_int_equal(apic_host_interrupt(&a, (uint8_t)vector, false), vector == 0x51);
	assert_int_equal(apic_pending(&a), 0x51);
	assert_true(apic_configure_vector(&a, 0x51));
	assert_false(apic_host_interrupt(&a, 0x51, true));
	assert_int_equal(apic_pending(&a), 0x51); /* what waits stays */
	assert_int_equal(reg(&a, 0x81a), 0);
	assert_true(apic_configure_vector(&a, 0x300));
	for (unsigned int vector = 0; vector < 256; vector++)
		assert_int_equal(apic_host_interrupt(&a, (uint8_t)vector, false), vector >= 31);
	assert_true(apic_configure_vector(&a, 0x200));
	for (unsigned int vector = 0; vector < 256; vector++)
		assert_false(apic_host_interrupt(&a, (uint8_t)vector, false));
}

static void test_configure_vector_refused(void **state)
{
	struct apic a = started(1), before = a;

	(void)state;
	for (uint64_t vector = 0; vector < 31; vector++) {
		assert_false(apic_configure_vector(&a, vector));
		assert_false(apic_configure_vector(&a, vector | 0x100));
	}
	for (unsigned int bit = 10; bit < 64; bit++) {
		assert_false(apic_configure_vector(&a, 1ull << bit | 0x140));
		assert_false(apic_configure_vector(&a, 1ull << bit | 0x300));
	}
	assert_memory_equal(&a, &before, sizeof(a));
	assert_true(apic_configure_vector(&a, 0x11f)); /* 31 is the first */
	assert_true(apic_host_interrupt(&a, 31, false));
}

static void test_level_from_the_host(void **state)
{
	struct apic a = started(1);
	struct apic_effects e;

	(void)state;
	assert_true(apic_configure_vector(&a, 0x300));
	assert_true(apic_host_interrupt(&a, 0x51, true));
	assert_int_equal(reg(&a, 0x81a), 1u << 0x11);
	apic_take(&a, 0x51);
	e = write_reg(&a, 0x80b, 0);
	assert_true(e.host_eoi);
	assert_int_equal(e.host_vector, 0x51);
	assert_false(write_reg(&a, 0x80b, 0).host_eoi);
	apic_host_interrupt(&a, 0x51, false); /* an edge one has no end that the host waits for */
	assert_int_equal(reg(&a, 0x81a), 0);
	apic_take(&a, 0x51);
	assert_false(write_reg(&a, 0x80b, 0).host_eoi);
}

/* The end of an IPI is not the end of the host's interrupt with the same vector. */
static void test_level_behind_an_ipi(void **state)
{
	struct apic a = started(1);

	(void)state;
	assert_true(apic_configure_vector(&a, 0x300));
	write_reg(&a, 0x83f, 0x51);
	apic_take(&a, 0x51);
	assert_true(apic_host_interrupt(&a, 0x51, true));
	assert_false(write_reg(&a, 0x80b, 0).host_eoi);
	assert_int_equal(apic_pending(&a), 0x51);
	apic_take(&a, 0x51);
	write_reg(&a, 0x83f, 0x51); /* and an IPI that comes meanwhile takes nothing from it */
	assert_true(write_reg(&a, 0x80b, 0).host_eoi);
	apic_take(&a, 0x51);
	assert_false(write_reg(&a, 0x80b, 0).host_eoi);
}

static void test_untake(void **state)
{
	struct apic a = started(1), before;

	(void)state;
	assert_true(apic_configure_vector(&a, 0x300));
	write_reg(&a, 0x83f, 0x42);
	apic_take(&a, 0x42);
	assert_true(apic_host_interrupt(&a, 0x51, true));
	before = a;
	apic_take(&a, 0x51);
	apic_untake(&a, 0x51);
	assert_memory_equal(&a, &before, sizeof(a));
	apic_take(&a, 0x51);
	assert_true(write_reg(&a, 0x80b, 0).host_eoi);
}

static struct apic_ipi ipi_of(uint64_t icr)
{
	struct apic a = started(3);
	struct apic_effects e = write_reg(&a, 0x830, icr);

	assert_true(e.sent);
	return e.ipi;
}

/* The vCPUs 0 to 63 that an IPI of vCPU 3 reaches. */
static uint64_t reached(uint64_t icr)
{
	struct apic_ipi ipi = ipi_of(icr);
	uint64_t set = 0;

	for (uint32_t to = 0; to < 64; to++)
		set |= (uint64_t)apic_reaches(&ipi, 3, to) << to;
	return set;
}

/* APM volume 2, 16.5 and 16.13: destinations of an x2APIC. */
static void test_destinations(void **state)
{
	(void)state;
	assert_int_equal(reached(5ull << 32 | 0x40), 1ull << 5);
	assert_int_equal(reached(200ull << 32 | 0x40), 0);
	assert_int_equal(reached(0xffull << 32 | 0x40), 0); /* that was xAPIC's broadcast */
	assert_int_equal(reached(0xffffffffull << 32 | 0x40), UINT64_MAX);
	assert_int_equal(reached(0xffffffffull << 32 | 0x840), UINT64_MAX);
	assert_int_equal(reached(0x0000000bull << 32 | 0x840), 0xb);
	assert_int_equal(reached(0x00020005ull << 32 | 0x840), 5ull << 32);
	assert_int_equal(reached(0x0003ffffull << 32 | 0x840), 0xffffull << 48);
	assert_int_equal(reached(0x00040001ull << 32 | 0x840), 0);
	assert_int_equal(reached(0x00010000ull << 32 | 0x840), 0);
	assert_int_equal(reached(5ull << 32 | 0x40040), 1ull << 3); /* shorthands need none */
	assert_int_equal(reached(5ull << 32 | 0x80040), UINT64_MAX);
	assert_int_equal(reached(5ull << 32 | 0xc0040), UINT64_MAX & ~(1ull << 3));
	assert_int_equal(reached(0xffffffffull << 32 | 0x40840), 1ull << 3);
}

static void test_arrival(void **state)
{
	struct apic a = started(1);
	struct apic_ipi fixed = ipi_of(0x5a), nmi = ipi_of(0x45a);

	(void)state;
	assert_false(fixed.nmi);
	apic_request(&a, &fixed); /* whatever the host may raise: it comes from the guest */
	assert_int_equal(apic_pending(&a), 0x5a);
	assert_false(a.nmi);
	assert_true(nmi.nmi);
	apic_request(&a, &nmi);
	assert_true(a.nmi);
	assert_int_equal(reg(&a, 0x822), 1u << 0x1a);
}

static struct apic serving(uint8_t vector)
{
	struct apic a = started(1);

	write_reg(&a, 0x83f, vector);
	apic_take(&a, vector);
	return a;
}

static void test_lazy_eoi(void **state)
{
	struct apic a = serving(0x41);
	struct apic_effects e;

	(void)state;
	assert_true(apic_offer_lazy(&a));
	apic_end_lazy(&a, 0, &e); /* cleared: it has ended */
	assert_int_equal(reg(&a, 0x812), 0);
	assert_false(e.host_eoi);
	apic_end_lazy(&a, 0, &e);
	assert_false(apic_offer_lazy(&a)); /* none in service */

	a = serving(0x41);
	assert_true(apic_offer_lazy(&a));
	apic_end_lazy(&a, 1, &e); /* not yet, and the offer is over */
	assert_int_equal(reg(&a, 0x812), 2);
	apic_end_lazy(&a, 0, &e);
	assert_int_equal(reg(&a, 0x812), 2);

	assert_true(apic_offer_lazy(&a)); /* the guest ends it by a call, offer or not */
	write_reg(&a, 0x80b, 0);
	assert_int_equal(reg(&a, 0x812), 0);
	write_reg(&a, 0x83f, 0x42);
	apic_take(&a, 0x42);
	apic_end_lazy(&a, 0, &e); /* an old offer ends nothing */
	assert_int_equal(reg(&a, 0x812), 4);
}

static void test_lazy_eoi_not_offered(void **state)
{
	struct apic a = serving(0x41);
	struct apic_effects e;

	(void)state;
	write_reg(&a, 0x83f, 0x35); /* one waits, which the end would let in */
	assert_false(apic_offer_lazy(&a));

	a = serving(0x41);
	write_reg(&a, 0x83f, 0x51);
	apic_take(&a, 0x51); /* two in service */
	assert_false(apic_offer_lazy(&a));

	a = started(1);
	apic_configure_vector(&a, 0x300);
	apic_host_interrupt(&a, 0x41, true);
	write_reg(&a, 0x83f, 0x41); /* merged with an edge one, and the host waits all the same */
	apic_take(&a, 0x41);
	assert_false(apic_offer_lazy(&a));

	a = serving(0x41);
	assert_true(apic_offer_lazy(&a));
	apic_untake(&a, 0x41);
	apic_end_lazy(&a, 0, &e); /* what the CPU never took has no end */
	assert_int_equal(apic_pending(&a), 0x41);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static unsigned int bits_of(const uint32_t *map)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < APIC_WORDS; i++)
		n += (unsigned int)__builtin_popcount(map[i]);
	return n;
}

static void assert_invariants(const struct apic *a)
{
	for (unsigned int i = 0; i < APIC_WORDS; i++) {
		assert_true((a->isr[i] & 0xffff & ((a->isr[i] & 0xffff) - 1)) == 0);
		assert_true((a->isr[i] >> 16 & ((a->isr[i] >> 16) - 1)) == 0);
		assert_int_equal(a->host_level[i] & ~a->irr[i], 0);
		assert_int_equal(a->host_eoi[i] & ~a->isr[i], 0);
	}
	if (a->lazy) {
		assert_int_equal(bits_of(a->isr), 1);
		assert_int_equal(bits_of(a->host_eoi), 0);
	}
	assert_int_equal(a->irr[0] & 0x7fffffff, 0);
}

/* The invariants of apic.h, and each end of the host's interrupts exactly once. */
static void test_invariants(void **state)
{
	uint64_t seed = 0x9e3779b97f4a7c15ull;
	unsigned int raised = 0, ended = 0;
	struct apic a = started(1);
	struct apic_effects e = { 0 };

	(void)state;
	assert_true(apic_configure_vector(&a, 0x300));
	for (unsigned int i = 0; i < 200000; i++) {
		uint64_t r = next_random(&seed);
		uint8_t vector = (uint8_t)(r >> 8);
		int pending = apic_pending(&a);
		bool waits = a.host_level[vector / 32] >> vector % 32 & 1;

		e.host_eoi = false;
		switch (r % 8) {
		case 0:
			raised += apic_host_interrupt(&a, vector, true) && !waits;
			break;
		case 1:
			apic_host_interrupt(&a, vector, false);
			break;
		case 2:
			apic_write(&a, 0x83f, vector, &e);
			break;
		case 3:
			apic_write(&a, 0x80b, 0, &e);
			break;
		case 4:
			if (pending >= 0)
				apic_take(&a, (uint8_t)pending);
			break;
		case 5:
			if (pending >= 0) {
				apic_take(&a, (uint8_t)pending);
				apic_offer_lazy(&a);
				apic_untake(&a, (uint8_t)pending);
			}
			break;
		case 6:
			apic_end_lazy(&a, r >> 16 & 1, &e);
			apic_offer_lazy(&a);
			break;
		default:
			apic_write(&a, 0x808, vector & 0x3f, &e);
			break;
		}
		ended += e.host_eoi;
		assert_invariants(&a);
	}
	assert_true(ended > 1000);
	assert_int_equal(raised, ended + bits_of(a.host_level) + bits_of(a.host_eoi));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_registers_that_are_there),
		cmocka_unit_test(test_reserved_bits),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_priorities),
		cmocka_unit_test(test_class_of_the_cpu),
		cmocka_unit_test(test_eoi_without_interrupt),
		cmocka_unit_test(test_host_vectors),
		cmocka_unit_test(test_configure_vector_refused),
		cmocka_unit_test(test_level_from_the_host),
		cmocka_unit_test(test_level_behind_an_ipi),
		cmocka_unit_test(test_untake),
		cmocka_unit_test(test_destinations),
		cmocka_unit_test(test_arrival),
		cmocka_unit_test(test_lazy_eoi),
		cmocka_unit_test(test_lazy_eoi_not_offered),
		cmocka_unit_test(test_invariants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
