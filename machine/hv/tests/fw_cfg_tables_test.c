/* SPDX-License-Identifier: MIT */
/*
 * What the machine's fw_cfg changes in QEMU's directory and tables. Layouts: QEMU,
 * docs/specs/fw_cfg and hw/acpi/bios-linker-loader.c; ACPI 6.5, 5.2.12 and 5.2.16; SMBIOS
 * (DSP0134), 7.5.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "machine/hv/device/fw_cfg_tables.h"

static void put(uint8_t *at, uint64_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get(const uint8_t *at, unsigned int bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < bytes; i++)
		value |= (uint64_t)at[i] << 8 * i;
	return value;
}

#define FILES 3u

/* Three files: sizes 0x100, 0x200 and 0x300, keys 0x20 to 0x22. */
static void make_directory(uint8_t *at)
{
	static const char *const names[FILES] = { "etc/one", "opt/own/two", "etc/three" };

	memset(at, 0, 4 + FILES * 64);
	at[3] = FILES;
	for (unsigned int i = 0; i < FILES; i++) {
		at[4 + 64 * i + 2] = (uint8_t)(i + 1);
		at[4 + 64 * i + 5] = (uint8_t)(0x20 + i);
		strcpy((char *)at + 4 + 64 * i + 8, names[i]);
	}
}

static void test_directory(void **state)
{
	uint8_t directory[4 + 64 * FILES];
	struct fw_cfg_file file;

	(void)state;
	make_directory(directory);
	assert_true(fw_cfg_find(directory, sizeof(directory), "opt/own/two", &file));
	assert_int_equal(file.key, 0x21);
	assert_int_equal(file.size, 0x200);
	assert_false(fw_cfg_find(directory, sizeof(directory), "opt/own", &file));
	assert_false(fw_cfg_find(directory, sizeof(directory), "opt/own/two2", &file));
	fw_cfg_hide(directory, sizeof(directory), "opt/own/");
	assert_int_equal(directory[3], 2);
	assert_false(fw_cfg_find(directory, sizeof(directory), "opt/own/two", &file));
	assert_true(fw_cfg_find(directory, sizeof(directory), "etc/three", &file));
	assert_int_equal(file.key, 0x22);
	for (unsigned int i = 0; i < 64; i++)
		assert_int_equal(directory[4 + 128 + i], 0);
	fw_cfg_hide(directory, sizeof(directory), "etc/");
	assert_int_equal(directory[3], 0);
	fw_cfg_hide(directory, sizeof(directory), "etc/");
	assert_int_equal(directory[3], 0);
}

/* More entries than there is room for, down to no room at all. */
static void test_short_directory(void **state)
{
	(void)state;
	for (size_t size = 0; size < 4 + 64 * FILES; size++) {
		uint8_t full[4 + 64 * FILES], *part = malloc(size + !size);
		struct fw_cfg_file file;

		assert_non_null(part);
		make_directory(full);
		full[0] = 0xff;
		memcpy(part, full, size);
		assert_int_equal(fw_cfg_find(part, size, "etc/one", &file), size >= 4 + 64);
		assert_false(fw_cfg_find(part, size, "etc/three", &file));
		fw_cfg_hide(part, size, "etc/one");
		assert_false(fw_cfg_find(part, size, "etc/one", &file));
		free(part);
	}
}

#define MADT_AT 16u
#define MADT_LENGTH (44u + 3 * 8 + 12 + 2 * 16)
#define SRAT_AT 200u
#define SRAT_LENGTH (48u + 2 * 16 + 2 * 40 + 24)

struct acpi {
	uint8_t tables[512];
	uint8_t loader[4 * 128];
};

static void put_checksum(uint8_t *command, const char *file, uint32_t start, uint32_t length)
{
	put(command, 3, 4);
	strcpy((char *)command + 4, file);
	put(command + 64, start, 4);
	put(command + 68, length, 4);
}

static void make_acpi(struct acpi *a)
{
	uint8_t *madt = a->tables + MADT_AT, *srat = a->tables + SRAT_AT;

	memset(a, 0, sizeof(*a));
	memset(a->tables, 0xee, sizeof(a->tables));
	memcpy(madt, "APIC", 4);
	put(madt + 4, MADT_LENGTH, 4);
	for (unsigned int i = 0; i < 3; i++) /* processor, id and flags */
		memcpy(madt + 44 + 8 * i, (uint8_t[]){ 0, 8, (uint8_t)i, (uint8_t)i, 1, 0, 0, 0 },
		       8);
	memcpy(madt + 68, (uint8_t[]){ 1, 12, 2, 0 }, 4); /* IOAPIC */
	memcpy(madt + 80, (uint8_t[]){ 9, 16, 0, 0, 1, 0, 0, 0 }, 8);
	memcpy(madt + 96, (uint8_t[]){ 9, 16, 0, 0, 2, 0, 0, 0 }, 8);
	memcpy(srat, "SRAT", 4);
	put(srat + 4, SRAT_LENGTH, 4);
	memcpy(srat + 48, (uint8_t[]){ 0, 16, 0, 1 }, 4);
	memcpy(srat + 64, (uint8_t[]){ 0, 16, 0, 2 }, 4);
	memcpy(srat + 80, (uint8_t[]){ 1, 40 }, 2);
	put(srat + 80 + 28, 1, 4); /* enabled */
	memcpy(srat + 120, (uint8_t[]){ 1, 40 }, 2);
	put(srat + 120 + 28, 3, 4); /* and hot-pluggable */
	memcpy(srat + 160, (uint8_t[]){ 2, 24, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0 }, 12);
	put(a->loader, 1, 4); /* allocate */
	put_checksum(a->loader + 128, "etc/acpi/tables", MADT_AT, MADT_LENGTH);
	put_checksum(a->loader + 256, "etc/acpi/tables", SRAT_AT, SRAT_LENGTH);
	put_checksum(a->loader + 384, "etc/acpi/rsdp", 0, 20);
}

static void patch(struct acpi *a)
{
	fw_cfg_patch_acpi(a->tables, sizeof(a->tables), a->loader, sizeof(a->loader), 2);
}

static void test_acpi(void **state)
{
	const uint8_t *madt, *srat;
	struct acpi a;

	(void)state;
	make_acpi(&a);
	patch(&a);
	madt = a.tables + MADT_AT;
	srat = a.tables + SRAT_AT;
	/* Processor 2 is gone, and its x2APIC. */
	assert_int_equal(get(madt + 4, 4), MADT_LENGTH - 8 - 16);
	assert_int_equal(get(a.loader + 128 + 68, 4), MADT_LENGTH - 8 - 16);
	assert_int_equal(madt[44 + 3], 0);
	assert_int_equal(madt[52 + 3], 1);
	assert_int_equal(madt[60], 1);
	assert_int_equal(madt[72], 9);
	assert_int_equal(madt[72 + 4], 1);
	for (unsigned int i = MADT_LENGTH - 24; i < MADT_LENGTH; i++)
		assert_int_equal(madt[i], 0);
	assert_int_equal(madt[MADT_LENGTH], 0xee);
	/* So are processor 2 here, and memory that may come. */
	assert_int_equal(get(srat + 4, 4), 48 + 16 + 40);
	assert_int_equal(get(a.loader + 256 + 68, 4), 48 + 16 + 40);
	assert_int_equal(srat[48 + 3], 1);
	assert_int_equal(get(srat + 64 + 28, 4), 1);
	/* The other commands are as they were. */
	assert_int_equal(get(a.loader, 4), 1);
	assert_int_equal(get(a.loader + 384 + 68, 4), 20);
}

/* What makes no sense stays as it is. */
static void test_broken_acpi(void **state)
{
	struct acpi a, before;

	(void)state;
	make_acpi(&a);
	a.tables[MADT_AT + 44 + 1] = 1; /* an entry's length */
	a.tables[SRAT_AT + 120 + 1] = 255;
	before = a;
	patch(&a);
	assert_int_equal(get(a.tables + MADT_AT + 4, 4), MADT_LENGTH);
	assert_int_equal(get(a.tables + SRAT_AT + 4, 4), SRAT_LENGTH);
	assert_memory_equal(a.loader, before.loader, sizeof(a.loader));
	make_acpi(&a);
	put(a.loader + 128 + 64, sizeof(a.tables) - MADT_LENGTH + 1, 4);
	put(a.loader + 256 + 68, 0xffffffff, 4);
	before = a;
	patch(&a);
	assert_memory_equal(&a, &before, sizeof(a));
	make_acpi(&a);
	strcpy((char *)a.loader + 128 + 4, "etc/acpi/table");
	put(a.loader + 256, 2, 4);
	before = a;
	patch(&a);
	assert_memory_equal(&a, &before, sizeof(a));
}

static void test_smbios(void **state)
{
	uint8_t tables[2 * 64], before[sizeof(tables)];

	(void)state;
	memset(tables, 0x11, sizeof(tables));
	memcpy(tables, (uint8_t[]){ 1, 8, 0, 0, 1, 1, 1, 1, 'a', 0, 'b', 0, 0 }, 13);
	memcpy(tables + 13, (uint8_t[]){ 4, 0x30 }, 2);
	memset(tables + 13 + 0x30, 0, 2);
	memcpy(tables + 13 + 0x32, (uint8_t[]){ 127, 4, 0, 0, 0, 0 }, 6);
	fw_cfg_patch_smbios(tables, sizeof(tables), 2);
	for (unsigned int at = 0x23; at <= 0x25; at++)
		assert_int_equal(tables[13 + at], 2);
	for (unsigned int at = 0x2a; at <= 0x2e; at += 2)
		assert_int_equal(get(tables + 13 + at, 2), 2);
	assert_int_equal(tables[13 + 0x22], 0x11);
	assert_int_equal(tables[13 + 0x26], 0x11);
	assert_int_equal(tables[12], 0);
	/*
	 * A structure of the older kind, that has bytes alone; one that is cut; one that never
	 * ends.
	 */
	tables[13 + 1] = 0x28;
	tables[13 + 0x28] = tables[13 + 0x29] = 0;
	fw_cfg_patch_smbios(tables, sizeof(tables), 3);
	assert_int_equal(tables[13 + 0x25], 3);
	assert_int_equal(get(tables + 13 + 0x2a, 2), 2);
	memcpy(before, tables, sizeof(tables));
	for (size_t size = 0; size < 13 + 0x28; size++)
		fw_cfg_patch_smbios(tables, size, 4);
	assert_memory_equal(tables, before, sizeof(tables));
	tables[1] = 3;
	fw_cfg_patch_smbios(tables, sizeof(tables), 4);
	assert_int_equal(tables[13 + 0x25], 3);
}

#define RSDT_AT 16u
#define IVRS_AT 128u

/* RSDT with three tables, of which the second is an IVRS: pointers, then checksums. */
static void make_list(struct acpi *a, uint8_t *loader)
{
	memset(a->tables, 0, sizeof(a->tables));
	memset(loader, 0, 6 * 128);
	memcpy(a->tables + RSDT_AT, "RSDT", 4);
	put(a->tables + RSDT_AT + 4, 36 + 3 * 4, 4);
	memcpy(a->tables + IVRS_AT, "IVRS", 4);
	put(a->tables + IVRS_AT + 4, 104, 4);
	for (unsigned int i = 0; i < 3; i++) {
		uint32_t at = RSDT_AT + 36 + 4 * i;

		put(a->tables + at, (uint32_t[]){ 400, IVRS_AT, 300 }[i], 4);
		put(loader + 128 * i, 2, 4);
		strcpy((char *)loader + 128 * i + 4, "etc/acpi/tables");
		strcpy((char *)loader + 128 * i + 60, "etc/acpi/tables");
		put(loader + 128 * i + 116, at, 4);
		loader[128 * i + 120] = 4;
	}
	put_checksum(loader + 384, "etc/acpi/tables", RSDT_AT, 36 + 3 * 4);
	put_checksum(loader + 512, "etc/acpi/tables", IVRS_AT, 104);
	put_checksum(loader + 640, "etc/acpi/rsdp", 0, 20);
}

static void test_drop(void **state)
{
	uint8_t loader[6 * 128], before[6 * 128];
	struct acpi a;

	(void)state;
	make_list(&a, loader);
	memcpy(before, loader, sizeof(loader));
	fw_cfg_drop_acpi(a.tables, sizeof(a.tables), loader, sizeof(loader), "DMAR");
	assert_memory_equal(loader, before, sizeof(loader));
	fw_cfg_drop_acpi(a.tables, sizeof(a.tables), loader, sizeof(loader), "IVRS");
	assert_int_equal(get(a.tables + RSDT_AT + 4, 4), 36 + 2 * 4);
	assert_int_equal(get(a.tables + RSDT_AT + 36, 4), 400);
	assert_int_equal(get(a.tables + RSDT_AT + 40, 4), 300);
	assert_int_equal(get(a.tables + RSDT_AT + 44, 4), 0);
	assert_int_equal(get(loader, 4), 2);
	assert_int_equal(get(loader + 128, 4), 2);
	assert_int_equal(get(loader + 256, 4), 0); /* the pointer that was the last */
	assert_int_equal(get(loader + 384 + 68, 4), 36 + 2 * 4);
	assert_int_equal(get(loader + 512, 4), 0);
	assert_int_equal(get(loader + 640, 4), 3);
	for (unsigned int i = 0; i < 104; i++)
		assert_int_equal(a.tables[IVRS_AT + i], 0);
}

/* A list that lies outside, and one that says more than there is. */
static void test_drop_wrong(void **state)
{
	uint8_t loader[6 * 128], before[6 * 128];
	struct acpi a;

	(void)state;
	make_list(&a, loader);
	put(loader + 384 + 68, sizeof(a.tables), 4);
	memcpy(before, loader, sizeof(loader));
	fw_cfg_drop_acpi(a.tables, sizeof(a.tables), loader, sizeof(loader), "IVRS");
	assert_memory_equal(loader, before, sizeof(loader));
	make_list(&a, loader);
	for (size_t size = 0; size < sizeof(loader); size += 64) {
		make_list(&a, loader);
		fw_cfg_drop_acpi(a.tables, IVRS_AT + 103, loader, size, "IVRS");
		assert_memory_equal(a.tables + IVRS_AT, "IVRS", 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directory),  cmocka_unit_test(test_short_directory),
		cmocka_unit_test(test_acpi),	   cmocka_unit_test(test_broken_acpi),
		cmocka_unit_test(test_smbios),	   cmocka_unit_test(test_drop),
		cmocka_unit_test(test_drop_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
