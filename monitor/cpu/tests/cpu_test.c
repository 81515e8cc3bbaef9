/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's block and what its CPU is made to be. Places are those of base/cpu_layout.h, descriptors
 * and registers literals of APM volume 2: 4.7 and 4.8 (descriptors), 12.2.5 (TSS), 3.1 (CR0, CR4,
 * EFER).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/cpu/cpu.h"
#include "monitor/cpu/cpuid.h"

#define KERNEL_CR3 0x800012345000ull
#define MEMORY 0x5000000ull
#define SMEP (1u << 7)	  /* CPUID 7 EBX */
#define SMAP (1u << 20)	  /* CPUID 7 EBX */
#define UMIP (1u << 2)	  /* CPUID 7 ECX */
#define CR4_ALWAYS 0x6a0u /* PAE, PGE, OSFXSR, OSXMMEXCPT */

static struct page_owner owner;
static struct cpu *cpu;
static struct cpuid_result features;
static unsigned int pages, mappings, fail_page, fail_mapping; /* the nth fails, from 1 */
static uint64_t mapped[32];

bool page_alloc(struct page_owner *from, gpa_t *page)
{
	assert_ptr_equal(from, &owner);
	*page = gpa(MEMORY + 0x1000 * pages);
	return ++pages != fail_page;
}

bool map_kernel_page(va_t va, gpa_t page, unsigned int rights)
{
	/* Each page that was taken is mapped, once, to be read and written. */
	assert_int_equal(page.raw, MEMORY + 0x1000 * mappings);
	assert_int_equal(rights, 3);
	assert_true(mappings < 32);
	mapped[mappings++] = va.raw;
	return mappings != fail_mapping;
}

uint64_t map_kernel_cr3(void)
{
	return KERNEL_CR3;
}

struct cpuid_result cpuid_query(uint32_t leaf, uint32_t subleaf)
{
	assert_int_equal(leaf, 7);
	assert_int_equal(subleaf, 0);
	return features;
}

static int start(void **state)
{
	(void)state;
	cpu = fake_cpu_block();
	fake_cpu_reset(cpu);
	fake_cpu.others[2] = cpu;
	features = (struct cpuid_result){ 0 };
	pages = mappings = fail_page = fail_mapping = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(cpu);
	return 0;
}

static uint64_t in_block(uint64_t offset)
{
	return (uint64_t)(uintptr_t)cpu + offset;
}

static void a_block_has_its_pages_and_guards_between_them(void **state)
{
	static const unsigned int wanted[] = { 0, 2, 3, 4, 5, 6, 7, 8, 9, 11 };
	uint64_t seen = 0, expected = 0;

	(void)state;
	assert_true(cpu_create(2, &owner));
	assert_int_equal(mappings, 10);
	for (unsigned int i = 0; i < 10; i++) {
		uint64_t page = (mapped[i] - 0xffffffffc0020000) / 0x1000;

		assert_int_equal(mapped[i] % 0x1000, 0);
		assert_true(page < 16);
		seen |= 1ull << page;
		expected |= 1ull << wanted[i];
	}
	assert_int_equal(seen, expected);
}

static void a_block_knows_its_stacks(void **state)
{
	(void)state;
	assert_true(cpu_create(2, &owner));
	assert_int_equal(cpu->index, 2);
	assert_int_equal(cpu->tss.rsp[0], in_block(0xa000));
	assert_int_equal(cpu->tss.ist[0], in_block(0xc000));
	for (unsigned int ist = 2; ist <= 7; ist++)
		assert_int_equal(cpu->tss.ist[ist - 1], 0);
	assert_int_equal(cpu->tss.io_map, 104); /* behind the TSS: ring 3 has no port */
	assert_int_equal(cpu->cr3, KERNEL_CR3);
}

static void descriptors_are_flat(void **state)
{
	uint64_t tss;

	(void)state;
	assert_true(cpu_create(2, &owner));
	tss = (uint64_t)(uintptr_t)&cpu->tss;
	assert_int_equal(cpu->gdt[0], 0);
	assert_int_equal(cpu->gdt[1], 0x00af9b000000ffff); /* 08: code, L, DPL 0 */
	assert_int_equal(cpu->gdt[2], 0x00cf93000000ffff); /* 10: data, DPL 0 */
	assert_int_equal(cpu->gdt[3], 0x00cff3000000ffff); /* 18: data, DPL 3 */
	assert_int_equal(cpu->gdt[4], 0x00affb000000ffff); /* 20: code, L, DPL 3 */
	/*
	 * 28: limit 15:0, base 39:16, available 64-bit TSS, DPL 0, present; base 63:56, then high.
	 */
	assert_int_equal(cpu->gdt[5] & 0xffff, 103);
	assert_int_equal(cpu->gdt[5] >> 16 & 0xffffff, tss & 0xffffff);
	assert_int_equal(cpu->gdt[5] >> 40 & 0xffff, 0x0089);
	assert_int_equal(cpu->gdt[5] >> 56, tss >> 24 & 0xff);
	assert_int_equal(cpu->gdt[6], tss >> 32);
}

static void a_vcpu_without_memory_is_none(void **state)
{
	(void)state;
	for (fail_page = 1; fail_page <= 10; fail_page++) {
		pages = mappings = 0;
		assert_false(cpu_create(2, &owner));
		assert_int_equal(pages, fail_page);
	}
	fail_page = 0;
	for (fail_mapping = 1; fail_mapping <= 10; fail_mapping++) {
		pages = mappings = 0;
		assert_false(cpu_create(2, &owner));
		assert_int_equal(mappings, fail_mapping);
	}
}

static void there_are_only_so_many_vcpus(void **state)
{
	(void)state;
	assert_false(cpu_create(MONITOR_CPUS_MAX, &owner));
	assert_false(cpu_create(MONITOR_CPUS_MAX + 1, &owner));
	assert_int_equal(pages, 0);
}

static void the_cpu_gets_its_tables(void **state)
{
	(void)state;
	cpu_load(cpu);
	assert_int_equal(fake_cpu.gdt.base, (uint64_t)(uintptr_t)cpu->gdt);
	assert_int_equal(fake_cpu.gdt.limit, 55);
}

static uint64_t cr4_with(uint32_t ebx, uint32_t ecx)
{
	features = (struct cpuid_result){ .ebx = ebx, .ecx = ecx };
	cpu_load(cpu);
	return fake_cpu.cr4;
}

static void protections_are_switched_on(void **state)
{
	(void)state;
	/* SMEP is bit 20 of CR4, SMAP 21, UMIP 11; all that the CPU has is used. */
	assert_int_equal(cr4_with(SMEP | SMAP, UMIP), CR4_ALWAYS | 0x300800);
	assert_int_equal(cr4_with(UINT32_MAX, UINT32_MAX), CR4_ALWAYS | 0x300800);
	/* PE, MP, ET, NE, WP, PG. */
	assert_int_equal(fake_cpu.cr0, 0x80010033);
}

static void what_the_cpu_lacks_is_not_switched_on(void **state)
{
	(void)state;
	assert_int_equal(cr4_with(SMEP, 0), CR4_ALWAYS | 0x100000);
	assert_int_equal(cr4_with(SMAP, 0), CR4_ALWAYS | 0x200000);
	assert_int_equal(cr4_with(0, UMIP), CR4_ALWAYS | 0x800);
	assert_int_equal(cr4_with(~(SMEP | SMAP), ~UMIP), CR4_ALWAYS);
}

/*
 * So no instruction leads into ring 0 on ring 3's stack pointer: SYSCALL is #UD without EFER.SCE.
 */
static void syscall_is_undefined(void **state)
{
	(void)state;
	cpu_write_msr(0xc0000080, 0x1501);
	cpu_write_msr(0xc0000101, 0x77);
	cpu_load(cpu);
	assert_int_equal(cpu_read_msr(0xc0000080), 0x1d00); /* EFER: NXE more, SCE less */
	assert_int_equal(cpu_read_msr(0xc0000101), 0);	    /* GS is ring 3's */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_block_has_its_pages_and_guards_between_them,
						start, end),
		cmocka_unit_test_setup_teardown(a_block_knows_its_stacks, start, end),
		cmocka_unit_test_setup_teardown(descriptors_are_flat, start, end),
		cmocka_unit_test_setup_teardown(a_vcpu_without_memory_is_none, start, end),
		cmocka_unit_test_setup_teardown(there_are_only_so_many_vcpus, start, end),
		cmocka_unit_test_setup_teardown(the_cpu_gets_its_tables, start, end),
		cmocka_unit_test_setup_teardown(protections_are_switched_on, start, end),
		cmocka_unit_test_setup_teardown(what_the_cpu_lacks_is_not_switched_on, start, end),
		cmocka_unit_test_setup_teardown(syscall_is_undefined, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
