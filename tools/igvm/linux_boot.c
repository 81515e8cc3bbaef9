/* SPDX-License-Identifier: MIT */
#include "tools/igvm/linux_boot.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/image/acpi.h"

/* The setup header of a bzImage, and the same bytes in boot_params (boot.rst, zero-page.rst). */
#define HDR_START 0x1f1u
#define HDR_BOOT_FLAG 0x1feu
#define HDR_JUMP 0x201u /* its operand ends the header: HDR_MAGIC + operand */
#define HDR_MAGIC 0x202u
#define HDR_VERSION 0x206u
#define HDR_TYPE_OF_LOADER 0x210u
#define HDR_LOADFLAGS 0x211u
#define HDR_CODE32_START 0x214u
#define HDR_RAMDISK_IMAGE 0x218u
#define HDR_RAMDISK_SIZE 0x21cu
#define HDR_CMD_LINE_PTR 0x228u
#define HDR_INITRD_ADDR_MAX 0x22cu
#define HDR_KERNEL_ALIGNMENT 0x230u
#define HDR_RELOCATABLE 0x234u
#define HDR_XLOADFLAGS 0x236u
#define HDR_CMDLINE_SIZE 0x238u
#define HDR_SETUP_DATA 0x250u
#define HDR_PREF_ADDRESS 0x258u
#define HDR_INIT_SIZE 0x260u
#define HDR_END 0x268u /* of the fields that are used here */
#define HDR_SIZE_MAX 0x290u

#define MAGIC "HdrS"
#define BOOT_FLAG 0xaa55u
#define VERSION_MIN 0x020cu /* xloadflags */
#define XLF_KERNEL_64 1u
#define LOADED_HIGH 1u
#define LOADER_UNDEFINED 0xffu
#define ENTRY_64 0x200u

#define PARAMS_ACPI_RSDP 0x70u
#define PARAMS_E820_COUNT 0x1e8u
#define PARAMS_E820 0x2d0u

#define E820_RAM 1u
#define E820_RESERVED 2u
#define E820_ACPI 3u
#define E820_NVS 4u
#define E820_MAX 16u

struct e820_entry {
	uint64_t address, size;
	uint32_t type;
} __attribute__((packed));
ABI_SIZE(struct e820_entry, 20);

#define SETUP_CC_BLOB 7u

/* Linux: struct cc_setup_data, which points to the blob. */
struct cc_setup_data {
	uint64_t next;
	uint32_t type, length;
	uint32_t blob;
} __attribute__((packed));
ABI_SIZE(struct cc_setup_data, 20);

/*
 * The blob follows in the page of the setup data and counts as part of it: a kernel reserves what
 * the header's length says, and reads the blob again late in its boot.
 */
#define CC_BLOB_OFFSET 64u
#define CC_SETUP_LENGTH \
	(CC_BLOB_OFFSET + sizeof(struct guest_boot_cc_blob) - offsetof(struct cc_setup_data, blob))

/*
 * The boot area, one piece from 1 MiB up: out of the way of every kernel. The guest's own pages
 * first, RAM that it may reuse; then what its memory map marks.
 */
enum area_page {
	AREA_TABLES = 0,
	AREA_DESCRIPTORS = AREA_TABLES + GUEST_BOOT_TABLES,
	AREA_BOOT_PARAMS,
	AREA_CMDLINE,
	AREA_CC, /* setup data: Linux reads it as RAM, with C-bit, and keeps the page itself */
	AREA_RAM_END,
	AREA_ACPI = AREA_RAM_END,
	AREA_NVS,
	AREA_CPUID, /* from here on: reserved */
	AREA_SECRETS,
	AREA_CAA,
	AREA_VMSA,
	AREA_PAGES,
};

struct kernel {
	const uint8_t *header; /* the file's first page and more */
	size_t header_end;
	const uint8_t *payload; /* what is loaded */
	size_t payload_size;
	uint64_t pref_address;
	uint32_t init_size, alignment, initrd_max, cmdline_max;
	bool relocatable;
};

/* One build in progress. */
struct builder {
	const struct linux_boot_options *options;
	struct memory_plan *plan;
	struct igvm_writer *writer;
	struct guest_boot *boot;
	struct kernel kernel;
	uint64_t area; /* gPA of the boot area */
	uint64_t kernel_at, initrd_at;
};

static uint32_t read32(const uint8_t *at)
{
	struct bytes_reader r = bytes_reader_init(at, 4);

	return bytes_le32(&r);
}

static uint16_t read16(const uint8_t *at)
{
	struct bytes_reader r = bytes_reader_init(at, 2);

	return bytes_le16(&r);
}

static void write32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

static void write64(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, sizeof(value));
}

static uint64_t area_page(const struct builder *b, enum area_page page)
{
	return b->area + (uint64_t)page * ABI_PAGE_SIZE;
}

static bool check_header(const struct file_bytes *file, struct host_error *error)
{
	const uint8_t *h = file->data;

	if (file->size < HDR_END || read16(h + HDR_BOOT_FLAG) != BOOT_FLAG ||
	    memcmp(h + HDR_MAGIC, MAGIC, 4) != 0)
		return host_fail(error, "not a bzImage");
	if (read16(h + HDR_VERSION) < VERSION_MIN)
		return host_fail(error, "boot protocol 0x%04x is older than 2.12",
				 read16(h + HDR_VERSION));
	if (!(read16(h + HDR_XLOADFLAGS) & XLF_KERNEL_64) || !(h[HDR_LOADFLAGS] & LOADED_HIGH))
		return host_fail(error, "the kernel has no 64-bit entry point");
	return true;
}

static bool read_kernel(const struct file_bytes *file, struct kernel *k, struct host_error *error)
{
	const uint8_t *h = file->data;
	size_t setup;

	if (!check_header(file, error))
		return false;
	setup = ((h[HDR_START] ? h[HDR_START] : 4u) + 1u) * 512u;
	*k = (struct kernel){
		.header = h,
		.header_end = HDR_MAGIC + h[HDR_JUMP],
		.pref_address = (uint64_t)read32(h + HDR_PREF_ADDRESS + 4) << 32 |
				read32(h + HDR_PREF_ADDRESS),
		.init_size = read32(h + HDR_INIT_SIZE),
		.alignment = read32(h + HDR_KERNEL_ALIGNMENT),
		.initrd_max = read32(h + HDR_INITRD_ADDR_MAX),
		.cmdline_max = read32(h + HDR_CMDLINE_SIZE),
		.relocatable = h[HDR_RELOCATABLE] != 0,
	};
	if (k->header_end < HDR_END || k->header_end > HDR_SIZE_MAX || setup >= file->size)
		return host_fail(error, "the bzImage's setup header is broken");
	k->payload = h + setup;
	k->payload_size = file->size - setup;
	if (k->init_size < k->payload_size || k->pref_address % ABI_PAGE_SIZE != 0 ||
	    k->pref_address < MEMORY_HIGH_START || k->pref_address > UINT32_MAX ||
	    k->alignment < ABI_PAGE_SIZE || (k->alignment & (k->alignment - 1)) != 0 ||
	    k->payload_size <= ENTRY_64)
		return host_fail(error, "the bzImage's sizes or addresses are broken");
	return true;
}

/* The kernel goes where it wants to be, or above if that is taken and it can be moved. */
static bool place_kernel(struct builder *b, struct host_error *error)
{
	const struct kernel *k = &b->kernel;
	uint64_t size = (k->init_size + ABI_PAGE_SIZE - 1ull) & ~(ABI_PAGE_SIZE - 1ull);

	if (memory_plan_take(b->plan, k->pref_address, size))
		b->kernel_at = k->pref_address;
	else if (k->relocatable)
		b->kernel_at = memory_plan_lowest(b->plan, size, k->alignment, k->pref_address);
	if (b->kernel_at == 0)
		return host_fail(error, "no room for the kernel's %llu KiB at 0x%llx",
				 (unsigned long long)size >> 10,
				 (unsigned long long)k->pref_address);
	return true;
}

static bool place_all(struct builder *b, struct host_error *error)
{
	uint64_t initrd_size = b->options->initrd.size;

	b->area = memory_plan_lowest(b->plan, AREA_PAGES * ABI_PAGE_SIZE, ABI_PAGE_SIZE,
				     MEMORY_HIGH_START);
	if (b->area == 0)
		return host_fail(error, "no room for the boot data");
	if (!place_kernel(b, error))
		return false;
	if (initrd_size == 0)
		return true;
	b->initrd_at = memory_plan_highest(b->plan, initrd_size, b->kernel.initrd_max + 1ull);
	/* An initramfs below the kernel would meet the kernel's own ideas of low memory. */
	if (b->initrd_at < b->kernel_at)
		return host_fail(error, "no room for the initramfs of %llu KiB",
				 (unsigned long long)initrd_size >> 10);
	return true;
}

static void add_cc_blob(struct builder *b)
{
	uint8_t page[ABI_PAGE_SIZE] = { 0 };
	uint64_t at = area_page(b, AREA_CC);
	struct cc_setup_data setup = { .type = SETUP_CC_BLOB,
				       .length = CC_SETUP_LENGTH,
				       .blob = (uint32_t)at + CC_BLOB_OFFSET };
	struct guest_boot_cc_blob blob = guest_boot_cc_blob(area_page(b, AREA_SECRETS),
							    area_page(b, AREA_CPUID));

	memcpy(page, &setup, sizeof(setup));
	memcpy(page + CC_BLOB_OFFSET, &blob, sizeof(blob));
	igvm_writer_page(b->writer, at, IGVM_PAGE_TYPE_NORMAL, page);
}

static void add_acpi(struct builder *b)
{
	uint8_t tables[ACPI_TABLES_SIZE];
	uint64_t at = area_page(b, AREA_ACPI);

	_Static_assert(AREA_NVS - AREA_ACPI == ACPI_FACS_OFFSET / ABI_PAGE_SIZE, "FACS in NVS");
	acpi_build(tables, at, b->options->cpu_count);
	igvm_writer_bytes(b->writer, at, tables, sizeof(tables));
}

struct e820_map {
	struct e820_entry entries[E820_MAX];
	uint8_t count;
};

/* Ends what came before at address and goes on with type. Addresses ascend. */
static void e820_switch(struct e820_map *map, uint64_t address, uint32_t type)
{
	struct e820_entry *last = map->count ? &map->entries[map->count - 1] : NULL;

	if (last)
		last->size = address - last->address;
	if (last && last->size == 0)
		map->count--;
	map->entries[map->count++] = (struct e820_entry){ .address = address, .type = type };
}

/* A hole of another type in RAM. */
static void e820_hole(struct e820_map *map, uint64_t address, uint64_t size, uint32_t type)
{
	e820_switch(map, address, type);
	e820_switch(map, address + size, E820_RAM);
}

static void e820_boot_area(struct e820_map *map, const struct builder *b)
{
	e820_hole(map, area_page(b, AREA_ACPI), ABI_PAGE_SIZE, E820_ACPI);
	e820_hole(map, area_page(b, AREA_NVS), ABI_PAGE_SIZE, E820_NVS);
	e820_hole(map, area_page(b, AREA_CPUID), (AREA_PAGES - AREA_CPUID) * ABI_PAGE_SIZE,
		  E820_RESERVED);
}

static void build_e820(struct e820_map *map, const struct builder *b)
{
	const struct socle_range *reserved = &b->options->reserved;
	const struct socle_range *high = &b->plan->ram[1];

	*map = (struct e820_map){ 0 };
	e820_switch(map, 0, E820_RAM);
	e820_hole(map, MEMORY_LOW_END, MEMORY_HIGH_START - MEMORY_LOW_END, E820_RESERVED);
	if (reserved->size != 0 && reserved->gpa < b->area)
		e820_hole(map, reserved->gpa, reserved->size, E820_RESERVED);
	e820_boot_area(map, b);
	if (reserved->size != 0 && reserved->gpa > b->area)
		e820_hole(map, reserved->gpa, reserved->size, E820_RESERVED);
	e820_switch(map, high->gpa + high->size, E820_RAM);
	map->count--; /* the last one has no memory */
	if (b->plan->ram_count > 2)
		map->entries[map->count++] = (struct e820_entry){ b->plan->ram[2].gpa,
								  b->plan->ram[2].size, E820_RAM };
}

static bool add_cmdline(struct builder *b, struct host_error *error)
{
	uint8_t page[ABI_PAGE_SIZE] = { 0 };
	size_t length = strlen(b->options->cmdline);

	if (length >= sizeof(page) || length > b->kernel.cmdline_max)
		return host_fail(error, "the command line is too long");
	memcpy(page, b->options->cmdline, length);
	igvm_writer_page(b->writer, area_page(b, AREA_CMDLINE), IGVM_PAGE_TYPE_NORMAL, page);
	return true;
}

static void add_boot_params(struct builder *b)
{
	uint8_t page[ABI_PAGE_SIZE] = { 0 };
	struct e820_map map;

	memcpy(page + HDR_START, b->kernel.header + HDR_START, b->kernel.header_end - HDR_START);
	write64(page + PARAMS_ACPI_RSDP, area_page(b, AREA_ACPI));
	page[HDR_TYPE_OF_LOADER] = LOADER_UNDEFINED;
	write32(page + HDR_CODE32_START, (uint32_t)b->kernel_at);
	write32(page + HDR_RAMDISK_IMAGE, (uint32_t)b->initrd_at);
	write32(page + HDR_RAMDISK_SIZE, (uint32_t)b->options->initrd.size);
	write32(page + HDR_CMD_LINE_PTR, (uint32_t)area_page(b, AREA_CMDLINE));
	write64(page + HDR_SETUP_DATA, area_page(b, AREA_CC));
	build_e820(&map, b);
	page[PARAMS_E820_COUNT] = map.count;
	memcpy(page + PARAMS_E820, map.entries, map.count * sizeof(map.entries[0]));
	igvm_writer_page(b->writer, area_page(b, AREA_BOOT_PARAMS), IGVM_PAGE_TYPE_NORMAL, page);
}

static void tell_places(const struct builder *b)
{
	struct guest_boot *boot = b->boot;

	boot->entry.rip = b->kernel_at + ENTRY_64;
	boot->entry.rsi = area_page(b, AREA_BOOT_PARAMS);
	boot->cpuid_page = area_page(b, AREA_CPUID);
	boot->secrets_page = area_page(b, AREA_SECRETS);
	boot->caa_page = area_page(b, AREA_CAA);
	boot->vmsa_page = area_page(b, AREA_VMSA);
}

bool linux_boot_build(const struct linux_boot_options *options, struct memory_plan *plan,
		      struct igvm_writer *writer, struct guest_boot *boot, struct host_error *error)
{
	struct builder b = { .options = options, .plan = plan, .writer = writer, .boot = boot };

	*boot = (struct guest_boot){ 0 };
	if (options->cpu_count == 0 || options->cpu_count > ACPI_CPUS_MAX)
		return host_fail(error, "%u vCPUs are not supported", options->cpu_count);
	if (!read_kernel(&options->kernel, &b.kernel, error) || !place_all(&b, error) ||
	    !guest_boot_tables(boot, writer, area_page(&b, AREA_TABLES), options->c_bit, error) ||
	    !add_cmdline(&b, error))
		return false;
	guest_boot_descriptors(boot, writer, area_page(&b, AREA_DESCRIPTORS));
	add_boot_params(&b);
	add_acpi(&b);
	add_cc_blob(&b);
	igvm_writer_bytes(writer, b.kernel_at, b.kernel.payload, b.kernel.payload_size);
	igvm_writer_bytes(writer, b.initrd_at, options->initrd.data, options->initrd.size);
	tell_places(&b);
	return true;
}
