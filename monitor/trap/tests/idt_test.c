/* SPDX-License-Identifier: MIT */
/* The IDT: gates are those of APM volume 2, 4.8.4, vectors those of table 8-1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/trap/trap.h"
#include "monitor/trap/user_asm.h"

#define STUB 16u

/* What entry.S has. */
const char trap_stubs[32 * STUB] = { 0 };

static uint64_t sealed;
static bool seal_works;

bool map_kernel_protect(va_t va, size_t pages, unsigned int rights)
{
	sealed = va.raw;
	assert_int_equal(pages, 1);
	assert_int_equal(rights, 1); /* to be read */
	return seal_works;
}

static int start(void **state)
{
	(void)state;
	fake_cpu_reset(NULL);
	trap_init_idt();
	trap_load_idt();
	return 0;
}

static void get_gate(unsigned int vector, uint8_t *gate)
{
	memcpy(gate, (const uint8_t *)(uintptr_t)fake_cpu.idt.base + 16 * vector, 16);
}

static uint64_t offset_of(const uint8_t *gate)
{
	uint64_t offset = 0;

	for (unsigned int i = 8; i-- > 0;)
		offset = offset << 8 | gate[i < 2 ? i : i + 4];
	return offset;
}

/* #DF and #MC, from which nothing comes back. Whatever may come twice has none of its own. */
static unsigned int stack_of(unsigned int vector)
{
	return vector == 8 || vector == 18;
}

static void every_exception_has_its_gate(void **state)
{
	uint8_t gate[16];

	(void)state;
	assert_int_equal(fake_cpu.idt.limit, 32 * 16 - 1);
	for (unsigned int vector = 0; vector < 32; vector++) {
		get_gate(vector, gate);
		assert_int_equal(offset_of(gate), (uint64_t)(uintptr_t)trap_stubs + STUB * vector);
		assert_int_equal(gate[2] | gate[3] << 8, 0x08);
		assert_int_equal(gate[4], stack_of(vector));
		/* Present, DPL 0, interrupt gate: ring 3 cannot raise it, and none nests. */
		assert_int_equal(gate[5], 0x8e);
		assert_memory_equal(gate + 12, "\0\0\0\0", 4);
	}
}

/* The table is a page of its own, so that sealing it seals nothing else. */
static void the_table_is_sealed(void **state)
{
	static const uint8_t nothing[16];
	uint8_t gate[16];

	(void)state;
	seal_works = true;
	assert_true(trap_seal_idt());
	assert_int_equal(sealed, fake_cpu.idt.base);
	assert_int_equal(sealed % 0x1000, 0);
	for (unsigned int vector = 32; vector < 256; vector++) {
		get_gate(vector, gate);
		assert_memory_equal(gate, nothing, 16);
	}
	seal_works = false;
	assert_false(trap_seal_idt());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_exception_has_its_gate, start),
		cmocka_unit_test_setup(the_table_is_sealed, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
