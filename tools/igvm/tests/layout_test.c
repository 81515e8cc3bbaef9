/* SPDX-License-Identifier: MIT */
/* The image builders: places, page tables, the archive, ACPI tables, and whole images. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/image/acpi.h"
#include "core/image/archive.h"
#include "core/image/firmware.h"
#include "core/image/igvm.h"
#include "tools/igvm/archive_writer.h"
#include "tools/igvm/memory_plan.h"
#include "tools/igvm/page_tables.h"
#include "tools/igvm/socle_image.h"

#define MEMORY (128ull << 20)
#define REGION (MEMORY - SOCLE_REGION_SIZE)

static void test_memory_plan(void **state)
{
	struct memory_plan plan;

	(void)state;
	memory_plan_init(&plan, MEMORY);
	assert_false(memory_plan_take(&plan, 0xa0000, 0x1000));
	assert_false(memory_plan_take(&plan, 0x9f000, 0x2000));
	assert_false(memory_plan_take(&plan, MEMORY - 0x1000, 0x2000));
	assert_false(memory_plan_take(&plan, 0xfffffffffffff000, 0x2000));
	assert_true(memory_plan_take(&plan, 0x200000, 0x1000));
	assert_false(memory_plan_take(&plan, 0x1ff000, 0x2000));
	assert_int_equal(memory_plan_lowest(&plan, 0x100000, 0x1000, 0), 0x100000);
	assert_int_equal(memory_plan_lowest(&plan, 1, 0x1000, 0), 0x201000);
	assert_int_equal(memory_plan_lowest(&plan, MEMORY, 0x1000, 0), 0);
	assert_int_equal(memory_plan_highest(&plan, 0x1001, UINT64_MAX), MEMORY - 0x2000);
	assert_int_equal(memory_plan_highest(&plan, 0x1000, UINT64_MAX), MEMORY - 0x3000);
	/* Below 0x202800 all from 1 MiB up is taken; the next page up is not. */
	assert_int_equal(memory_plan_highest(&plan, 0x1000, 0x2027ff), 0);
	assert_int_equal(memory_plan_highest(&plan, 0x1000, 0x203000), 0x202000);
}

/* A PC of 5 GiB: the rest of its RAM is behind the devices. */
static void test_memory_plan_above_4g(void **state)
{
	struct memory_plan plan;

	(void)state;
	memory_plan_init(&plan, 5ull << 30);
	assert_int_equal(plan.ram_count, 3);
	assert_int_equal(plan.ram[1].gpa + plan.ram[1].size, 0x80000000);
	assert_int_equal(plan.ram[2].gpa, 0x100000000);
	assert_int_equal(plan.ram[2].size, 0xc0000000);
	assert_false(memory_plan_take(&plan, 0x7ffff000, 0x2000));
	assert_false(memory_plan_take(&plan, 0x80000000, 0x1000));
	assert_false(memory_plan_take(&plan, 0xfffff000, 0x1000));
	assert_true(memory_plan_take(&plan, 0x100000000, 0x1000));
	assert_true(memory_plan_take(&plan, 0x1bffff000, 0x1000));
	assert_false(memory_plan_take(&plan, 0x1c0000000, 0x1000));
	assert_int_equal(memory_plan_highest(&plan, 0x1000, UINT64_MAX), 0x7ffff000);
	memory_plan_init(&plan, 2ull << 30);
	assert_int_equal(plan.ram_count, 2);
}

static void test_memory_plan_full(void **state)
{
	struct memory_plan plan;

	(void)state;
	memory_plan_init(&plan, MEMORY);
	assert_true(memory_plan_take(&plan, 0x100000, MEMORY - 0x100000));
	assert_int_equal(memory_plan_lowest(&plan, 1, 0x1000, 0), 0);
	assert_int_equal(memory_plan_highest(&plan, 1, UINT64_MAX), 0);
}

static void test_page_tables(void **state)
{
	struct page_tables t;

	(void)state;
	page_tables_init(&t, 0x10000, 1ull << 47);
	page_tables_map(&t, 0xffff800000200000, 0x200000, PTE_LARGE | PTE_WRITE | PTE_NO_EXECUTE);
	page_tables_map(&t, 0xffffffff80001000, 0x5000, 0);
	/* root; PDPT and PD of the first, PDPT, PD and PT of the second */
	assert_int_equal(t.pages, 6);
	assert_int_equal(t.entries[256], 0x0000800000011023);
	assert_int_equal(t.entries[1 * 512 + 0], 0x0000800000012023);
	assert_int_equal(t.entries[2 * 512 + 1], 0x80008000002000e3);
	assert_int_equal(t.entries[511], 0x0000800000013023);
	assert_int_equal(t.entries[3 * 512 + 510], 0x0000800000014023);
	assert_int_equal(t.entries[4 * 512 + 0], 0x0000800000015023);
	assert_int_equal(t.entries[5 * 512 + 1], 0x0000800000005021);
	assert_int_equal(t.entries[5 * 512 + 2], 0);
	assert_int_equal(t.entries[0], 0);
	page_tables_free(&t);
}

static char scratch[] = P_tmpdir "/socle-layout-XXXXXX";

static void write_scratch(const char *name, const void *data, size_t size, mode_t mode)
{
	struct host_error error;
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", scratch, name);
	assert_true(file_write(path, data, size, &error));
	assert_int_equal(chmod(path, mode), 0);
}

static void remove_scratch(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", scratch, name);
	remove(path);
}

static void make_tree(void)
{
	static const uint8_t big[5000] = { 1, 2, 3 };
	char path[256];

	assert_non_null(mkdtemp(scratch));
	snprintf(path, sizeof(path), "%s/services", scratch);
	assert_int_equal(mkdir(path, 0700), 0);
	write_scratch("services/vtpm", big, sizeof(big), 0700);
	write_scratch("services.conf", "x\n", 2, 0600);
	write_scratch("empty", "", 0, 0600);
}

static void remove_tree(void)
{
	remove_scratch("services/vtpm");
	remove_scratch("services.conf");
	remove_scratch("empty");
	remove_scratch("link");
	remove_scratch("services");
	rmdir(scratch);
}

static void assert_entry(struct archive *archive, const uint8_t *base, const char *name,
			 uint32_t mode, size_t size)
{
	struct archive_entry entry;

	assert_int_equal(archive_next(archive, &entry), ARCHIVE_ENTRY);
	assert_string_equal(entry.name, name);
	assert_int_equal(entry.mode, mode);
	assert_int_equal(entry.size, size);
	assert_int_equal((entry.data - base) % 4096, 0);
}

static void test_archive(void **state)
{
	struct archive_writer one = { 0 }, two = { 0 };
	struct file_bytes a, b;
	struct host_error error;
	struct archive archive;
	struct archive_entry entry;
	char path[256];

	(void)state;
	make_tree();
	assert_true(archive_writer_add_tree(&one, scratch, &error));
	assert_true(archive_writer_finish(&one, &a, &error));
	archive = archive_init(a.data, a.size);
	assert_entry(&archive, a.data, "empty", 0100444, 0);
	assert_entry(&archive, a.data, "services.conf", 0100444, 2);
	assert_entry(&archive, a.data, "services/vtpm", 0100555, 5000);
	assert_int_equal(archive_next(&archive, &entry), ARCHIVE_END);

	/* The same files, added one by one and the other way round, give the same bytes. */
	snprintf(path, sizeof(path), "%s/services/vtpm", scratch);
	assert_true(archive_writer_add(&two, "services/vtpm", path, &error));
	snprintf(path, sizeof(path), "%s/services.conf", scratch);
	assert_true(archive_writer_add(&two, "services.conf", path, &error));
	snprintf(path, sizeof(path), "%s/empty", scratch);
	assert_true(archive_writer_add(&two, "empty", path, &error));
	assert_true(archive_writer_finish(&two, &b, &error));
	assert_int_equal(a.size, b.size);
	assert_memory_equal(a.data, b.data, a.size);
	file_free(&b);

	assert_true(archive_writer_add(&two, "empty", path, &error));
	assert_false(archive_writer_finish(&two, &b, &error));
	assert_false(archive_writer_add(&two, "/abs", path, &error));
	assert_false(archive_writer_add(&two, "", path, &error));
	assert_false(archive_writer_add(&two, "TRAILER!!!", path, &error));
	snprintf(path, sizeof(path), "%s/link", scratch);
	assert_int_equal(symlink("empty", path), 0);
	archive_writer_free(&two);
	assert_false(archive_writer_add_tree(&two, scratch, &error));
	file_free(&a);
	archive_writer_free(&one);
	archive_writer_free(&two);
	remove_tree();
}

static uint8_t sum(const uint8_t *bytes, size_t size)
{
	uint8_t total = 0;

	for (size_t i = 0; i < size; i++)
		total = (uint8_t)(total + bytes[i]);
	return total;
}

static uint64_t load(const uint8_t *at, unsigned int bytes)
{
	uint64_t value = 0;

	for (unsigned int i = bytes; i > 0; i--)
		value = value << 8 | at[i - 1];
	return value;
}

/*
 * ACPI specification, 5.2.12: the local APICs' address and "there are 8259s"; then, behind the
 * vCPUs, the IOAPIC, IRQ 0 at its pin 2, IRQ 9 level-triggered and active high, and NMI at LINT1 of
 * every vCPU.
 */
static void assert_madt(const uint8_t *madt, uint32_t cpus)
{
	static const uint8_t head[] = { 0, 0, 0xe0, 0xfe, 1, 0, 0, 0 };
	static const uint8_t tail[] = { 1,  12, 0, 0, 0,   0, 0xc0, 0xfe, 0,	0, 0,  0, 2,
					10, 0,	0, 2, 0,   0, 0,    0,	  0,	2, 10, 0, 9,
					9,  0,	0, 0, 0xd, 0, 4,    6,	  0xff, 0, 0,  1 };
	const uint8_t *at = madt + 44;

	assert_int_equal(madt[8], 5);
	assert_memory_equal(madt + 36, head, sizeof(head));
	for (uint8_t i = 0; i < cpus; i++, at += 8) {
		const uint8_t lapic[] = { 0, 8, i, i, 1, 0, 0, 0 };

		assert_memory_equal(at, lapic, sizeof(lapic));
	}
	assert_memory_equal(at, tail, sizeof(tail));
	assert_int_equal(load(madt + 4, 4), 44 + 8 * cpus + sizeof(tail));
}

static bool has(const uint8_t *data, size_t size, const uint8_t *part, size_t length)
{
	for (size_t i = 0; i + length <= size; i++)
		if (memcmp(data + i, part, length) == 0)
			return true;
	return false;
}

/*
 * The PCI host bridge, by its names, and two of its interrupts, where a Linux finds them by QEMU's
 * own tables (q35): INTA of device 3 at GSI 23, of device 4 at 20. The whole of it is judged by
 * Linux, which has its disk and network by it (tests/guest/disk_test.py --by image), and was by
 * ACPICA's iasl.
 */
static void assert_bridge(const uint8_t *dsdt, size_t size)
{
	static const uint8_t parts[][13] = {
		{ 'P', 'C', 'I', '0', 0x08, '_', 'H', 'I', 'D', 0x0c, 0x41, 0xd0, 0x0a },
		{ 0x12, 0x0c, 4, 0x0c, 0xff, 0xff, 3, 0, 0x0a, 0, 0, 0x0a, 23 },
		{ 0x12, 0x0c, 4, 0x0c, 0xff, 0xff, 4, 0, 0x0a, 0, 0, 0x0a, 20 },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		assert_true(has(dsdt, size, parts[i], sizeof(parts[i])));
}

/* Follows the tables as an operating system does: RSDP, XSDT, FADT and MADT, DSDT and FACS. */
static void test_acpi(void **state)
{
	static uint8_t t[ACPI_TABLES_SIZE];
	const uint64_t gpa = 0x109000;
	const uint8_t *xsdt, *fadt, *madt, *dsdt;

	(void)state;
	for (uint32_t cpus = 1; cpus <= ACPI_CPUS_MAX; cpus++) {
		acpi_build(t, gpa, cpus);
		assert_memory_equal(t, "RSD PTR ", 8);
		assert_int_equal(sum(t, 20), 0);
		assert_int_equal(sum(t, 36), 0);
		xsdt = t + (load(t + 24, 8) - gpa);
		assert_memory_equal(xsdt, "XSDT", 4);
		assert_int_equal(sum(xsdt, load(xsdt + 4, 4)), 0);
		fadt = t + (load(xsdt + 36, 8) - gpa);
		assert_memory_equal(fadt, "FACP", 4);
		assert_int_equal(sum(fadt, load(fadt + 4, 4)), 0);
		/* PM1a event and control, PM timer; SMI command 0; not hardware-reduced (bit 20) */
		assert_int_equal(load(fadt + 56, 4), 0x600);
		assert_int_equal(load(fadt + 64, 4), 0x604);
		assert_int_equal(load(fadt + 76, 4), 0x608);
		assert_int_equal(load(fadt + 46, 2), 9);
		assert_int_equal(load(fadt + 48, 4), 0);
		assert_int_equal(load(fadt + 112, 4) >> 20 & 1, 0);
		dsdt = t + (load(fadt + 140, 8) - gpa);
		assert_memory_equal(dsdt, "DSDT", 4);
		assert_int_equal(load(dsdt + 4, 4), 36 + 12 + 9 + 2 * 46 + 1440);
		assert_int_equal(sum(dsdt, load(dsdt + 4, 4)), 0);
		assert_bridge(dsdt, load(dsdt + 4, 4));
		assert_memory_equal(t + (load(fadt + 36, 4) - gpa), "FACS", 4);
		assert_int_equal(load(fadt + 36, 4) % 64, 0);
		madt = t + (load(xsdt + 44, 8) - gpa);
		assert_memory_equal(madt, "APIC", 4);
		assert_int_equal(sum(madt, load(madt + 4, 4)), 0);
		assert_madt(madt, cpus);
		/* Nothing runs into the FACS, whose page is memory of another type. */
		assert_true(load(t + 24, 8) + load(xsdt + 4, 4) <= gpa + ACPI_FACS_OFFSET);
	}
}

/* A monitor of three segments: text, constants, and data with 8 KiB more of zeros. */
#define TEXT 0x1000u
#define CONSTANTS 0x2000u
#define DATA 0x3000u
#define MONITOR_SIZE 0x4000u

static void set_segment(Elf64_Phdr *p, uint64_t offset, uint32_t flags, uint64_t memory)
{
	*p = (Elf64_Phdr){ .p_type = PT_LOAD,
			   .p_flags = flags,
			   .p_offset = offset,
			   .p_vaddr = SOCLE_VA_IMAGE + offset - TEXT,
			   .p_paddr = offset - TEXT,
			   .p_filesz = 0x1000,
			   .p_memsz = memory,
			   .p_align = 0x1000 };
}

static void make_monitor(uint8_t *elf)
{
	Elf64_Ehdr header = { .e_type = ET_EXEC,
			      .e_machine = EM_X86_64,
			      .e_version = EV_CURRENT,
			      .e_entry = SOCLE_VA_IMAGE,
			      .e_phoff = sizeof(header),
			      .e_ehsize = sizeof(header),
			      .e_phentsize = sizeof(Elf64_Phdr),
			      .e_phnum = 3 };
	Elf64_Phdr segments[3];

	memset(elf, 0, MONITOR_SIZE);
	memcpy(header.e_ident, ELFMAG, SELFMAG);
	header.e_ident[EI_CLASS] = ELFCLASS64;
	header.e_ident[EI_DATA] = ELFDATA2LSB;
	header.e_ident[EI_VERSION] = EV_CURRENT;
	set_segment(&segments[0], TEXT, PF_R | PF_X, 0x1000);
	set_segment(&segments[1], CONSTANTS, PF_R, 0x1000);
	set_segment(&segments[2], DATA, PF_R | PF_W, 0x3000);
	memcpy(elf, &header, sizeof(header));
	memcpy(elf + sizeof(header), segments, sizeof(segments));
	memset(elf + TEXT, 0xf4, 0x1000);
	memset(elf + CONSTANTS, 0x11, 0x1000);
	memset(elf + DATA, 0x22, 0x1000);
}

/* The guest's memory as the file loads it: a flat copy. */
static uint8_t *load_file(const struct file_bytes *bytes, struct snp_vmsa *vmsa)
{
	uint8_t *memory = calloc(1, MEMORY);
	struct igvm_cursor cursor = { 0 };
	struct igvm_directive d;
	struct igvm_error error;
	struct igvm_file file;

	assert_non_null(memory);
	assert_true(igvm_open(&file, bytes->data, bytes->size, &error));
	while (igvm_next(&file, &cursor, &d)) {
		if (d.type == IGVM_TYPE_PAGE_DATA && d.data)
			memcpy(memory + d.page.gpa, d.data, d.size);
		if (d.type == IGVM_TYPE_VP_CONTEXT)
			memcpy(vmsa, d.data, sizeof(*vmsa));
	}
	return memory;
}

/* The leaf entry of a virtual address by a walk through that memory; *size of its page. */
static uint64_t walk(const uint8_t *memory, uint64_t root, uint64_t va, uint64_t *size)
{
	for (int shift = 39;; shift -= 9) {
		uint64_t entry = load(memory + root + (va >> shift & 511) * 8, 8);

		*size = 1ull << shift;
		if (!(entry & PTE_PRESENT) || shift == 12 || (entry & PTE_LARGE))
			return entry;
		/* What a leaf says about rights is the whole truth. */
		assert_true((entry & PTE_WRITE) && !(entry & PTE_NO_EXECUTE));
		root = entry & PTE_ADDRESS;
	}
}

static void assert_image_pages(const uint8_t *memory, const struct socle_params *p)
{
	static const uint64_t expected[5] = { 0, PTE_NO_EXECUTE, PTE_NO_EXECUTE | PTE_WRITE,
					      PTE_NO_EXECUTE | PTE_WRITE,
					      PTE_NO_EXECUTE | PTE_WRITE };
	uint64_t size;

	assert_int_equal(p->image.size, 5 * 4096);
	for (unsigned int i = 0; i < 5; i++) {
		uint64_t entry = walk(memory, p->page_tables.gpa, SOCLE_VA_IMAGE + i * 4096, &size);

		assert_int_equal(entry & PTE_ADDRESS, p->image.gpa + i * 4096);
		assert_int_equal(entry & (PTE_NO_EXECUTE | PTE_WRITE), expected[i]);
		assert_int_equal(size, 4096);
	}
	assert_int_equal(walk(memory, p->page_tables.gpa, SOCLE_VA_IMAGE + 5 * 4096, &size), 0);
	/* The stub, where it runs before there is paging; the next page is not there. */
	assert_int_equal(walk(memory, p->page_tables.gpa, p->image.gpa, &size) &
				 (PTE_ADDRESS | PTE_NO_EXECUTE | PTE_WRITE),
			 p->image.gpa);
	assert_int_equal(walk(memory, p->page_tables.gpa, p->image.gpa + 4096, &size), 0);
}

static bool in_range(const struct socle_range *range, uint64_t gpa)
{
	return gpa >= range->gpa && gpa < range->gpa + range->size;
}

static void assert_direct_map(const uint8_t *memory, const struct socle_params *p, uint64_t params)
{
	for (uint64_t gpa = 0; gpa < MEMORY; gpa += 4096) {
		uint64_t size;
		uint64_t entry = walk(memory, p->page_tables.gpa, SOCLE_VA_DIRECT + gpa, &size);
		bool constant = gpa == params || in_range(&p->archive, gpa) ||
				(gpa >= p->image.gpa && gpa < p->image.gpa + 2 * 4096);

		if (gpa >= 0xa0000 && gpa < 0xc0000) {
			assert_int_equal(entry, 0);
			continue;
		}
		assert_int_equal((entry & PTE_ADDRESS) + (gpa & (size - 1)), gpa);
		assert_true(entry & PTE_NO_EXECUTE);
		assert_int_equal(!(entry & PTE_WRITE), constant);
		assert_int_equal(size,
				 gpa < 0x200000 || in_range(&p->region, gpa) ? 4096 : 0x200000);
	}
}

static void test_socle_image(void **state)
{
	static uint8_t elf[MONITOR_SIZE];
	uint8_t archive[10000];
	struct socle_image_options o = { .monitor = { elf, sizeof(elf) },
					 .archive = { archive, sizeof(archive) },
					 .cmdline = "",
					 .cpu_count = 2,
					 .memory = MEMORY,
					 .host_channel_port = 0x3e8,
					 .preempts = true,
					 .sev_features = 0x9 };
	struct igvm_writer_options options = { .policy = 0x30000 };
	struct igvm_writer writer = { 0 };
	struct socle_params p, in_memory;
	struct file_bytes bytes;
	struct host_error error;
	struct snp_vmsa vmsa;
	uint8_t *memory;

	(void)state;
	make_monitor(elf);
	memset(archive, 0x33, sizeof(archive));
	assert_true(socle_image_build(&o, &writer, &p, &error));
	assert_true(igvm_writer_finish(&writer, &options, &bytes, &error));
	memory = load_file(&bytes, &vmsa);

	assert_int_equal(p.region.gpa, REGION);
	assert_int_equal(p.image.gpa, REGION);
	assert_int_equal(p.archive.size, sizeof(archive));
	assert_int_equal(p.free.gpa + p.free.size, MEMORY);
	assert_int_equal(p.features, SOCLE_FEATURE_HOST_CHANNEL | SOCLE_FEATURE_PREEMPTS);
	assert_int_equal(p.guest.rip, 0);
	assert_memory_equal(memory + p.archive.gpa, archive, sizeof(archive));
	assert_int_equal(memory[REGION + 0xfff], 0xf4);
	assert_int_equal(memory[REGION + 0x2fff], 0x22);
	assert_int_equal(memory[REGION + 0x3000], 0);

	assert_int_equal(vmsa.rip, REGION);
	assert_int_equal(vmsa.rbp, REGION);
	assert_int_equal(vmsa.rsp, 0);
	assert_int_equal(vmsa.sev_features, 0x9);
	assert_int_equal(vmsa.cr0, 0x31);
	assert_int_equal(vmsa.efer, 0x1000);
	assert_int_equal(vmsa.cs.attributes, 0xc9b);
	memcpy(&in_memory, memory + vmsa.rbx, sizeof(in_memory));
	assert_memory_equal(&in_memory, &p, sizeof(p));
	assert_image_pages(memory, &p);
	assert_direct_map(memory, &p, vmsa.rbx);
	free(memory);
	file_free(&bytes);
	igvm_writer_free(&writer);
}

static void assert_socle_refused(const struct socle_image_options *o, const char *text)
{
	struct igvm_writer writer = { 0 };
	struct host_error error;
	struct socle_params p;

	assert_false(socle_image_build(o, &writer, &p, &error));
	assert_non_null(strstr(error.text, text));
	igvm_writer_free(&writer);
}

static void test_socle_image_refusals(void **state)
{
	static uint8_t elf[MONITOR_SIZE], archive[16u << 20];
	struct socle_image_options good = { .monitor = { elf, sizeof(elf) },
					    .archive = { archive, 4096 },
					    .cmdline = "",
					    .cpu_count = 1,
					    .memory = MEMORY };
	struct socle_image_options o = good;
	Elf64_Phdr *segments = (Elf64_Phdr *)(elf + sizeof(Elf64_Ehdr));

	(void)state;
	make_monitor(elf);
	o.archive.size = sizeof(archive);
	assert_socle_refused(&o, "of a region of 16384 KiB");
	o = good;
	o.base = 0x123;
	assert_socle_refused(&o, "multiple of 4 KiB");
	o.base = MEMORY - 0x1000;
	assert_socle_refused(&o, "no 16 MiB of RAM");
	o = good;
	segments[0].p_flags |= PF_W;
	assert_socle_refused(&o, "writable and executable");
	make_monitor(elf);
	segments[0].p_memsz = segments[0].p_filesz = 0x800;
	segments[1].p_vaddr = SOCLE_VA_IMAGE + 0x800;
	segments[1].p_offset = TEXT + 0x800;
	assert_socle_refused(&o, "shares a page");
	make_monitor(elf);
	((Elf64_Ehdr *)elf)->e_entry += 1;
	assert_socle_refused(&o, "entry stub");
	make_monitor(elf);
	o.kernel = (struct file_bytes){ archive, 4096 };
	assert_socle_refused(&o, "not a bzImage");
}

/* A program of one page at 2 MiB, whose second page is zeros. */
#define BARE_SIZE 0x2000u
#define BARE_AT 0x200000u

static void make_bare(uint8_t *elf)
{
	Elf64_Ehdr *header = (Elf64_Ehdr *)elf;
	Elf64_Phdr *segment = (Elf64_Phdr *)(elf + sizeof(*header));

	memset(elf, 0, BARE_SIZE);
	memcpy(header->e_ident, ELFMAG, SELFMAG);
	header->e_ident[EI_CLASS] = ELFCLASS64;
	header->e_ident[EI_DATA] = ELFDATA2LSB;
	header->e_ident[EI_VERSION] = EV_CURRENT;
	header->e_type = ET_EXEC;
	header->e_machine = EM_X86_64;
	header->e_version = EV_CURRENT;
	header->e_entry = BARE_AT + 0x10;
	header->e_phoff = sizeof(*header);
	header->e_ehsize = sizeof(*header);
	header->e_phentsize = sizeof(*segment);
	header->e_phnum = 1;
	*segment = (Elf64_Phdr){ .p_type = PT_LOAD,
				 .p_flags = PF_R | PF_W | PF_X,
				 .p_offset = 0x1000,
				 .p_vaddr = BARE_AT,
				 .p_paddr = BARE_AT,
				 .p_filesz = 0x1000,
				 .p_memsz = 0x2000,
				 .p_align = 0x1000 };
	memset(elf + 0x1000, 0x90, 0x1000);
}

/* Linux, arch/x86/include/asm/sev.h: struct cc_blob_sev_info. */
static void assert_blob(const uint8_t *blob, const struct socle_params *p)
{
	assert_int_equal(load(blob, 4), 0x45444d41);
	assert_int_equal(load(blob + 8, 8), p->guest_secrets_page);
	assert_int_equal(load(blob + 16, 4), 0x1000);
	assert_int_equal(load(blob + 24, 8), p->guest_cpuid_page);
	assert_int_equal(load(blob + 32, 4), 0x1000);
}

static void test_bare_guest(void **state)
{
	static uint8_t monitor[MONITOR_SIZE], elf[BARE_SIZE];
	uint8_t archive[4096] = { 0 };
	struct socle_image_options o = { .monitor = { monitor, sizeof(monitor) },
					 .archive = { archive, sizeof(archive) },
					 .bare_guest = { elf, sizeof(elf) },
					 .cmdline = "",
					 .cpu_count = 4,
					 .memory = MEMORY };
	struct igvm_writer_options options = { .policy = 0x30000 };
	struct igvm_writer writer = { 0 };
	struct socle_params p;
	struct file_bytes bytes;
	struct host_error error;
	struct snp_vmsa vmsa;
	uint8_t *memory;
	uint64_t size;

	(void)state;
	make_monitor(monitor);
	make_bare(elf);
	assert_true(socle_image_build(&o, &writer, &p, &error));
	assert_true(igvm_writer_finish(&writer, &options, &bytes, &error));
	memory = load_file(&bytes, &vmsa);

	assert_int_equal(p.guest.rip, BARE_AT + 0x10);
	assert_int_equal(memory[BARE_AT + 0xfff], 0x90);
	assert_int_equal(memory[BARE_AT + 0x1000], 0);
	/* From 1 MiB up: tables, GDT and stack, the blob, and the pages that the monitor fills. */
	assert_int_equal(p.guest.cr3, 0x100000);
	assert_int_equal(p.guest.page_tables.size, 6 * 4096);
	assert_int_equal(p.guest.gdt_base, 0x106000);
	assert_int_equal(p.guest.rsp, 0x107000);
	assert_int_equal(p.guest.rsi, 0x107000);
	assert_int_equal(p.guest_cpuid_page, 0x108000);
	assert_int_equal(p.guest_secrets_page, 0x109000);
	assert_int_equal(p.guest_caa, 0x10a000);
	assert_blob(memory + p.guest.rsi, &p);
	assert_int_equal(walk(memory, p.guest.cr3, BARE_AT, &size) & PTE_ADDRESS, BARE_AT);
	assert_int_equal(size, 0x200000);
	assert_int_equal(load(memory + p.guest.gdt_base + 0x10, 8), 0x00af9b000000ffff);
	/* Loaded: the area but for what the monitor fills, and the program's two pages. */
	assert_int_equal(p.loaded_count, 2);
	assert_int_equal(p.loaded[0].size, 8 * 4096);
	assert_int_equal(p.loaded[1].gpa, BARE_AT);
	assert_int_equal(p.loaded[1].size, 0x2000);
	free(memory);
	file_free(&bytes);
	igvm_writer_free(&writer);

	o.base = BARE_AT;
	assert_socle_refused(&o, "are not free RAM");
}

/*
 * Firmware of 64 KiB as edk2 lays it out: the table of GUIDs 32 bytes before its end, with SEV
 * metadata (sections: two of memory, secrets, CPUID, a calling area) and where other processors
 * start.
 */
#define FIRMWARE_SIZE 0x10000u
#define FIRMWARE_AT (0x100000000ull - FIRMWARE_SIZE)

static void store(uint8_t *at, unsigned int bytes, uint32_t value)
{
	memcpy(at, &value, bytes);
}

static void make_firmware(uint8_t *firmware, uint32_t sections)
{
	static const uint8_t table[] = { 0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
					 0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d };
	static const uint8_t metadata[] = { 0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98, 0x47,
					    0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc };
	static const uint8_t ap_start[] = { 0xde, 0x71, 0xf7, 0x00, 0x7e, 0x1a, 0xcb, 0x4f,
					    0x89, 0x0e, 0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e };
	const uint32_t words[] = {
		0x56455341, 16 + sections * 12, 1,	sections, 0x800000, 0x9000,
		1,	    0x80a000,		0x3000, 1,	  0x80d000, 0x1000,
		2,	    0x80e000,		0x1000, 3,	  0x80f000, 0x1000,
		4
	};
	uint8_t *end = firmware + FIRMWARE_SIZE - 32;

	memset(firmware, 0xf4, FIRMWARE_SIZE);
	memcpy(end - 16, table, 16);
	store(end - 18, 2, 18 + 22 + 22);
	memcpy(end - 34, metadata, 16);
	store(end - 36, 2, 22);
	store(end - 40, 4, 0x1000); /* so far before the file's end */
	memcpy(end - 56, ap_start, 16);
	store(end - 58, 2, 22);
	store(end - 62, 4, 0x80b004);
	memcpy(firmware + FIRMWARE_SIZE - 0x1000, words, sizeof(words));
}

/*
 * A sixth section, for kernel hashes, and where in it: in the table of GUIDs behind the two that
 * are there.
 */
static void add_hash_table(uint8_t *firmware)
{
	static const uint8_t hashes[] = { 0x1f, 0x37, 0x55, 0x72, 0x3b, 0x3a, 0x04, 0x4b,
					  0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54 };
	const uint32_t section[] = { 0x810000, 0x1000, 0x10 };
	uint8_t *end = firmware + FIRMWARE_SIZE - 32;
	uint8_t *metadata = firmware + FIRMWARE_SIZE - 0x1000;

	store(metadata + 4, 4, 16 + 6 * 12);
	store(metadata + 12, 4, 6);
	memcpy(metadata + 16 + 5 * 12, section, sizeof(section));
	store(end - 18, 2, 18 + 22 + 22 + 26);
	memcpy(end - 78, hashes, 16);
	store(end - 80, 2, 26);
	store(end - 84, 4, 0x400);
	store(end - 88, 4, 0x810c00);
}

static const struct igvm_directive *find_page(const struct file_bytes *bytes, uint64_t gpa)
{
	static struct igvm_directive d;
	struct igvm_cursor cursor = { 0 };
	struct igvm_error error;
	static struct igvm_file file;

	assert_true(igvm_open(&file, bytes->data, bytes->size, &error));
	while (igvm_next(&file, &cursor, &d)) {
		if (d.type == IGVM_TYPE_PAGE_DATA && d.page.gpa == gpa)
			return &d;
	}
	return NULL;
}

/* The parameters that a loader fills, each in an area of its own, which is put to its page. */
static void assert_host_pages(const struct file_bytes *bytes, const struct socle_params *p)
{
	static const uint32_t types[] = { 0x307, 0x30c, 0x309 }; /* VP_COUNT, MEMORY_MAP, MADT */
	struct igvm_cursor cursor = { 0 };
	struct igvm_directive d;
	struct igvm_error error;
	struct igvm_file file;
	uint32_t parameters = 0, inserts = 0;

	assert_true(igvm_open(&file, bytes->data, bytes->size, &error));
	while (igvm_next(&file, &cursor, &d)) {
		if (igvm_is_parameter(d.type)) {
			assert_int_equal(d.type, types[d.parameter.area_index]);
			assert_int_equal(d.parameter.byte_offset, 0);
			parameters++;
		} else if (d.type == IGVM_TYPE_PARAMETER_INSERT) {
			assert_int_equal(d.insert.gpa, p->host.gpa + d.insert.area_index * 4096);
			assert_int_equal(d.size, 4096);
			inserts++;
		}
	}
	assert_int_equal(parameters, 3);
	assert_int_equal(inserts, 3);
	assert_int_equal(p->host.size, 3 * 4096);
}

static void test_firmware_guest(void **state)
{
	static uint8_t elf[MONITOR_SIZE], firmware[FIRMWARE_SIZE];
	uint8_t archive[4096] = { 0x33 };
	struct socle_image_options o = { .monitor = { elf, sizeof(elf) },
					 .archive = { archive, sizeof(archive) },
					 .firmware = { firmware, sizeof(firmware) },
					 .guest_vmpl = SOCLE_GUEST_VMPL_DEFAULT,
					 .cmdline = "",
					 .cpu_count = 2,
					 .memory = MEMORY };
	struct igvm_writer_options options = { .policy = 0x30000 };
	struct igvm_writer writer = { 0 };
	const struct igvm_directive *d;
	struct socle_params p;
	struct file_bytes bytes;
	struct host_error error;
	struct snp_vmsa vmsa;

	(void)state;
	make_monitor(elf);
	make_firmware(firmware, 5);
	assert_true(socle_image_build(&o, &writer, &p, &error));
	assert_true(igvm_writer_finish(&writer, &options, &bytes, &error));

	/* What the host says when it starts is not in the block. */
	assert_int_equal(p.cpu_count, 0);
	assert_int_equal(p.ram_count, 1);
	assert_int_equal(p.ram[0].gpa, 0xfd000000);
	assert_int_equal(p.ram[0].size, 16u << 20);
	assert_int_equal(p.region.gpa, 0xfd000000);
	assert_host_pages(&bytes, &p);

	assert_int_equal(p.firmware.gpa, FIRMWARE_AT);
	assert_int_equal(p.firmware.size, FIRMWARE_SIZE);
	assert_int_equal(p.guest_secrets_page, 0x80d000);
	assert_int_equal(p.guest_cpuid_page, 0x80e000);
	assert_int_equal(p.guest_caa, 0x80f000);
	assert_int_equal(p.loaded_count, 3);
	assert_int_equal(p.loaded[0].gpa, 0x800000);
	assert_int_equal(p.loaded[0].size, 0x9000);
	assert_int_equal(p.loaded[1].size, 0x6000);
	assert_int_equal(p.loaded[2].gpa, FIRMWARE_AT);
	for (uint64_t at = 0; at < FIRMWARE_SIZE; at += 4096) {
		d = find_page(&bytes, FIRMWARE_AT + at);
		assert_non_null(d);
		assert_memory_equal(d->data, firmware + at, 4096);
	}
	assert_null(find_page(&bytes, 0x80f000)->data);
	assert_int_equal(find_page(&bytes, 0x80d000)->page_type, PSP_PAGE_TYPE_NORMAL);
	assert_null(find_page(&bytes, 0x809000)); /* which OVMF shares with the host */

	/* VMPL2's first VMSA: a processor's reset state, at 4 GiB - 16 (APM volume 2, 14.1.3). */
	d = find_page(&bytes, p.guest_vmsa);
	assert_non_null(d->data);
	memcpy(&vmsa, d->data, sizeof(vmsa));
	assert_int_equal(vmsa.vmpl, 2);
	assert_int_equal(vmsa.cs.base + vmsa.rip, 0xfffffff0);
	assert_int_equal(vmsa.cs.selector, 0xf000);
	assert_int_equal(vmsa.cr0 & 0x80000001, 0);
	file_free(&bytes);
	igvm_writer_free(&writer);
}

/*
 * The page of kernel hashes is the one that QEMU launches (core/image/host/kernel_hashes.h), and
 * what firmware without a place for it makes of it is refused.
 */
static void test_kernel_hashes(void **state)
{
	static uint8_t elf[MONITOR_SIZE], firmware[FIRMWARE_SIZE];
	uint8_t archive[4096] = { 0x33 }, table[KERNEL_HASHES_SIZE];
	const struct kernel_hashes hashes = { .kernel = { 1 }, .initrd = { 2 } };
	struct socle_image_options o = { .monitor = { elf, sizeof(elf) },
					 .archive = { archive, sizeof(archive) },
					 .firmware = { firmware, sizeof(firmware) },
					 .guest_vmpl = SOCLE_GUEST_VMPL_DEFAULT,
					 .cmdline = "",
					 .kernel_hashes = &hashes };
	struct igvm_writer_options options = { .policy = 0x30000 };
	struct igvm_writer writer = { 0 };
	struct socle_params p;
	struct file_bytes bytes;
	struct host_error error;

	(void)state;
	make_monitor(elf);
	make_firmware(firmware, 5);
	assert_socle_refused(&o, "no place for a table of kernel hashes");
	add_hash_table(firmware);
	assert_true(socle_image_build(&o, &writer, &p, &error));
	assert_true(igvm_writer_finish(&writer, &options, &bytes, &error));
	kernel_hashes_write(&hashes, table);
	assert_memory_equal(find_page(&bytes, 0x810000)->data + 0xc00, table, sizeof(table));
	assert_int_equal(find_page(&bytes, 0x810000)->page_type, PSP_PAGE_TYPE_NORMAL);
	assert_null(find_page(&bytes, 0x80f000)->data);
	file_free(&bytes);
	igvm_writer_free(&writer);

	/*
	 * Whoever wants none has the page all the same, as zeros: the firmware then starts no
	 * kernel.
	 */
	o.kernel_hashes = NULL;
	memset(&writer, 0, sizeof(writer));
	assert_true(socle_image_build(&o, &writer, &p, &error));
	assert_true(igvm_writer_finish(&writer, &options, &bytes, &error));
	assert_null(find_page(&bytes, 0x810000)->data);
	file_free(&bytes);
	igvm_writer_free(&writer);
}

static void test_firmware_guest_refusals(void **state)
{
	static uint8_t elf[MONITOR_SIZE], firmware[FIRMWARE_SIZE];
	uint8_t archive[4096] = { 0x33 };
	const struct socle_image_options good = { .monitor = { elf, sizeof(elf) },
						  .archive = { archive, sizeof(archive) },
						  .firmware = { firmware, sizeof(firmware) },
						  .cmdline = "" };
	struct socle_image_options o = good;

	(void)state;
	make_monitor(elf);
	make_firmware(firmware, 4);
	assert_socle_refused(&o, "it knows no SVSM");
	make_firmware(firmware, 5);
	o.firmware.size--;
	assert_socle_refused(&o, "multiple of 64 KiB");
	o = good;
	o.base = 0xfd000123;
	assert_socle_refused(&o, "multiple of 4 KiB");
	o.base = 0xff001000;
	assert_socle_refused(&o, "no 16 MiB of memory");
	o.base = 0xff000000;
	assert_socle_refused(&o, "is where Socle is");
	o.base = 0x80a000;
	assert_socle_refused(&o, "a section where Socle is");
}

/* A kernel as boot.rst describes it: one sector of setup code, four pages of payload. */
#define KERNEL_SETUP 1024u
#define KERNEL_SIZE (KERNEL_SETUP + 16384u)

static void make_kernel(uint8_t *kernel)
{
	static const struct {
		unsigned int offset, bytes;
		uint64_t value;
	} fields[] = {
		{ 0x1f1, 1, 1 },	  { 0x1fe, 2, 0xaa55 },	  { 0x200, 2, 0x6aeb },
		{ 0x202, 4, 0x53726448 }, { 0x206, 2, 0x20f },	  { 0x211, 1, 1 },
		{ 0x22c, 4, 0x7fffffff }, { 0x230, 4, 0x200000 }, { 0x234, 1, 1 },
		{ 0x236, 2, 1 },	  { 0x238, 4, 2047 },	  { 0x258, 8, 0x1000000 },
		{ 0x260, 4, 0x400000 },
	};

	memset(kernel, 0x44, KERNEL_SIZE);
	memset(kernel + 0x1f1, 0, KERNEL_SETUP - 0x1f1);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		memcpy(kernel + fields[i].offset, &fields[i].value, fields[i].bytes);
}

/* Builds from a copy on the heap, so that the sanitizer sees every byte beyond the file. */
static bool build_linux(const uint8_t *kernel, size_t size, struct guest_boot *boot)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct linux_boot_options o = { .kernel = { copy, size },
					.initrd = { (uint8_t *)"initrd", 6 },
					.cmdline = "quiet",
					.cpu_count = 1 };
	struct igvm_writer writer = { 0 };
	struct memory_plan plan;
	struct host_error error;
	bool ok;

	memcpy(copy, kernel, size);
	memory_plan_init(&plan, MEMORY);
	ok = linux_boot_build(&o, &plan, &writer, boot, &error);
	for (size_t i = 0; ok && i < writer.count; i++)
		assert_true(writer.items[i].gpa >= 0x100000 && writer.items[i].gpa < MEMORY);
	igvm_writer_free(&writer);
	free(copy);
	return ok;
}

static void test_linux_boot(void **state)
{
	static uint8_t kernel[KERNEL_SIZE];
	struct guest_boot boot;

	(void)state;
	make_kernel(kernel);
	assert_true(build_linux(kernel, KERNEL_SIZE, &boot));
	assert_int_equal(boot.entry.rip, 0x1000200);
	assert_int_equal(boot.entry.cs_selector, 0x10);
	assert_int_equal(boot.entry.ds_selector, 0x18);
	assert_int_equal(boot.entry.page_tables.gpa, boot.entry.cr3);
	for (size_t size = 0; size <= KERNEL_SETUP + 0x200; size++)
		assert_false(build_linux(kernel, size, &boot));
	/* No byte of the header makes it write elsewhere than into the guest's RAM. */
	for (unsigned int at = 0x1f1; at < 0x268; at++) {
		for (unsigned int value = 0; value < 256; value += 15) {
			make_kernel(kernel);
			kernel[at] = (uint8_t)value;
			if (build_linux(kernel, KERNEL_SIZE, &boot))
				assert_true(boot.entry.rip > 0x100000 && boot.entry.rip < MEMORY);
		}
	}
}

/* A kernel that can be moved makes room for Socle where it wanted to be; another one cannot. */
static void test_linux_boot_moves(void **state)
{
	static uint8_t kernel[KERNEL_SIZE];
	struct linux_boot_options o = { .kernel = { kernel, KERNEL_SIZE },
					.cmdline = "",
					.cpu_count = 1 };
	struct igvm_writer writer = { 0 };
	struct memory_plan plan;
	struct guest_boot boot;
	struct host_error error;

	(void)state;
	make_kernel(kernel);
	memory_plan_init(&plan, MEMORY);
	assert_true(memory_plan_take(&plan, 0x1001000, SOCLE_REGION_SIZE));
	assert_true(linux_boot_build(&o, &plan, &writer, &boot, &error));
	assert_int_equal(boot.entry.rip, 0x2200200);
	igvm_writer_free(&writer);

	kernel[0x234] = 0;
	memory_plan_init(&plan, MEMORY);
	assert_true(memory_plan_take(&plan, 0x1001000, SOCLE_REGION_SIZE));
	assert_false(linux_boot_build(&o, &plan, &writer, &boot, &error));
	assert_non_null(strstr(error.text, "no room for the kernel"));
	igvm_writer_free(&writer);
}

/*
 * The shuffle draws from splitmix64. Its first five numbers for the seed 1234567, as others publish
 * them: 6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431,
 * 16408922859458223821. Their remainders by 6, 5, 4, 3 and 2 say with whom the last, the one before
 * it and so on change places.
 */
static void test_shuffle(void **state)
{
	static const uint64_t order[] = { 1, 3, 2, 5, 6, 4 };
	const struct igvm_writer_options options = { .order = IGVM_ORDER_SHUFFLE, .seed = 1234567 };
	struct igvm_writer writer = { 0 };
	struct igvm_cursor cursor = { 0 };
	struct igvm_directive d;
	struct host_error error;
	struct igvm_error reason;
	struct file_bytes bytes;
	struct igvm_file file;

	(void)state;
	for (uint64_t page = 1; page <= 6; page++)
		igvm_writer_page(&writer, page * 4096, 0, NULL);
	assert_true(igvm_writer_finish(&writer, &options, &bytes, &error));
	assert_true(igvm_open(&file, bytes.data, bytes.size, &reason));
	for (size_t i = 0; i < 6; i++) {
		assert_true(igvm_next(&file, &cursor, &d));
		assert_int_equal(d.page.gpa, order[i] * 4096);
	}
	assert_false(igvm_next(&file, &cursor, &d));
	file_free(&bytes);
	igvm_writer_free(&writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_plan),
		cmocka_unit_test(test_memory_plan_above_4g),
		cmocka_unit_test(test_memory_plan_full),
		cmocka_unit_test(test_page_tables),
		cmocka_unit_test(test_archive),
		cmocka_unit_test(test_acpi),
		cmocka_unit_test(test_socle_image),
		cmocka_unit_test(test_socle_image_refusals),
		cmocka_unit_test(test_bare_guest),
		cmocka_unit_test(test_firmware_guest),
		cmocka_unit_test(test_firmware_guest_refusals),
		cmocka_unit_test(test_kernel_hashes),
		cmocka_unit_test(test_linux_boot),
		cmocka_unit_test(test_linux_boot_moves),
		cmocka_unit_test(test_shuffle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
