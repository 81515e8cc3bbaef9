/* SPDX-License-Identifier: MIT */
/*
 * What a hostile host can say of memory and vCPUs (abi/params.h, IGVM's MEMORY_MAP, ACPI's MADT):
 * each lie is refused by its name, and what is accepted is made of whole, ascending pieces apart
 * from Socle and the firmware. Types of entries are igvm_defs' (0 memory, 1 reserved, 2 persistent,
 * 3 protectable).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/boot/host_memory.h"

#define MIB 0x100000ull
#define GIB 0x40000000ull
#define LIMIT (1ull << 46)
#define REGION 0xfd000000ull
#define FLASH 0xffc00000ull

struct entry {
	uint64_t first, pages;
	uint16_t type, flags;
	uint32_t reserved;
};

static uint8_t pages[0x3000];
static struct entry *const map = (struct entry *)(pages + 0x1000);
static uint8_t *const madt = pages + 0x2000;
static struct socle_params params;
static uint64_t limit;

static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

static void vcpus(uint32_t count)
{
	put32(pages, count);
}

static void range(unsigned int index, uint64_t at, uint64_t size, uint16_t type)
{
	map[index] = (struct entry){ .first = at / 4096, .pages = size / 4096, .type = type };
}

static void begin_madt(void)
{
	memset(madt, 0, 0x1000);
	memcpy(madt, "APIC", 4);
	put32(madt + 4, 44);
}

static uint8_t *add_entry(uint8_t type, uint8_t size)
{
	uint32_t length;
	uint8_t *at;

	memcpy(&length, madt + 4, sizeof(length));
	at = madt + length;
	at[0] = type;
	at[1] = size;
	put32(madt + 4, length + size);
	return at;
}

static void add_apic(uint8_t id, bool enabled)
{
	uint8_t *at = add_entry(0, 8);

	at[2] = at[3] = id;
	put32(at + 4, enabled);
}

static void add_x2apic(uint32_t id, bool enabled)
{
	uint8_t *at = add_entry(9, 16);

	put32(at + 4, id);
	put32(at + 8, enabled);
	put32(at + 12, id);
}

/* A q35 with 3 GiB of RAM and two vCPUs, and what else stands in QEMU's MADT. */
static int start(void **state)
{
	(void)state;
	memset(pages, 0, sizeof(pages));
	limit = LIMIT;
	params = (struct socle_params){
		.region = { REGION, 16 * MIB },
		.firmware = { FLASH, 4 * MIB },
		.ram_count = 1,
		.ram = { { REGION, 16 * MIB } },
		.loaded_count = 2,
		.loaded = { { 8 * MIB, 0x30000 }, { FLASH, 4 * MIB } },
	};
	vcpus(2);
	range(0, 0, 2 * GIB, 0);
	range(1, 0xe0000000, 256 * MIB, 1);
	range(2, 4 * GIB, GIB, 0);
	begin_madt();
	add_apic(0, true);
	add_apic(1, true);
	add_entry(1, 12); /* IOAPIC */
	add_entry(4, 6);
	return 0;
}

static void refused(const char *why)
{
	const char *wrong = host_memory_read(&params, pages, limit);

	assert_non_null(wrong);
	assert_non_null(strstr(wrong, why));
	start(NULL);
}

static void accepted(void)
{
	assert_null(host_memory_read(&params, pages, limit));
}

static void a_range_is(unsigned int index, uint64_t at, uint64_t size)
{
	assert_int_equal(params.ram[index].gpa, at);
	assert_int_equal(params.ram[index].size, size);
}

static void ram_is_in_order_with_socle_and_firmware(void **state)
{
	(void)state;
	accepted();
	assert_int_equal(params.cpu_count, 2);
	assert_int_equal(params.ram_count, 4);
	a_range_is(0, 0, 2 * GIB);
	a_range_is(1, REGION, 16 * MIB);
	a_range_is(2, FLASH, 4 * MIB);
	a_range_is(3, 4 * GIB, GIB);
}

static void pieces_that_touch_are_one(void **state)
{
	(void)state;
	memset(map, 0, 0x1000);
	for (unsigned int i = 0; i < 100; i++)
		range(i, i * MIB, MIB, 0);
	accepted();
	assert_int_equal(params.ram_count, 3);
	a_range_is(0, 0, 100 * MIB);
}

static void only_memory_is_ram(void **state)
{
	(void)state;
	range(3, 6 * GIB, GIB, 2);
	range(4, 7 * GIB, GIB, 3);
	range(5, 8 * GIB, GIB, 0x5555);
	range(1, REGION, 16 * MIB, 1); /* reserved, where Socle is: true */
	accepted();
	assert_int_equal(params.ram_count, 4);
}

static void a_map_that_means_two_things_is_refused(void **state)
{
	(void)state;
	range(1, GIB, 2 * GIB, 0);
	refused("overlaps itself");
	range(1, 2 * GIB - 4096, 4096, 1); /* of any type */
	refused("overlaps itself");
	range(2, 0, MIB, 0);
	refused("not sorted");
	range(1, 0, 2 * GIB, 0); /* the same twice */
	refused("overlaps itself");
}

static void what_wraps_or_cannot_be_addressed_is_refused(void **state)
{
	(void)state;
	map[2] = (struct entry){ .first = 4 * GIB / 4096, .pages = UINT64_MAX };
	refused("beyond what can be addressed");
	map[2] = (struct entry){ .first = UINT64_MAX, .pages = 2 };
	refused("beyond what can be addressed");
	map[2] = (struct entry){ .first = 1ull << 52, .pages = 1 }; /* wraps in bytes */
	refused("beyond what can be addressed");
	map[2] = (struct entry){ .first = LIMIT / 4096, .pages = 1 };
	refused("beyond what can be addressed");
	limit = 4 * GIB + GIB - 4096; /* the C-bit would be part of an address */
	refused("beyond what can be addressed");
	limit = 4 * GIB + GIB;
	accepted();
}

static void a_map_ends(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 170; i++)
		range(i, 16 * MIB + 2 * i * MIB, MIB, 1);
	range(0, 8 * MIB, MIB, 0);
	refused("has no end");
	range(0, 0, 0, 0); /* of no pages: the end, and nothing before it */
	refused("no RAM");
	range(1, 2 * GIB, 0, 0); /* what is behind an end counts for nothing */
	range(2, 0, 16 * GIB, 0);
	accepted();
	assert_int_equal(params.ram_count, 3);
}

static void ram_in_thousands_of_pieces_is_refused(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 9; i++)
		range(i, 2 * i * 16 * MIB, 16 * MIB, 0);
	refused("too many pieces");
	for (unsigned int i = 0; i < 7; i++) /* no room for Socle and the firmware */
		range(i, 2 * i * 16 * MIB, 16 * MIB, 0);
	refused("too many pieces");
	for (unsigned int i = 0; i < 6; i++)
		range(i, 2 * i * 16 * MIB, 16 * MIB, 0);
	accepted();
	assert_int_equal(params.ram_count, 8);
}

static void ram_is_over_nothing_else(void **state)
{
	(void)state;
	range(1, REGION - MIB, MIB + 4096, 0);
	refused("where Socle is");
	range(1, REGION + 16 * MIB - 4096, 4096, 0);
	refused("where Socle is");
	range(1, FLASH, 4096, 0);
	refused("where the firmware is");
	range(1, 0xfee00000, 4096, 0);
	refused("where the APICs are");
	range(0, 0, 4 * GIB, 0);
	refused("where Socle is");
	range(1, REGION - MIB, MIB, 0); /* up to it */
	accepted();
	a_range_is(1, REGION - MIB, MIB);
	a_range_is(2, REGION, 16 * MIB);
}

static void what_was_loaded_is_ram(void **state)
{
	(void)state;
	range(0, 0, 8 * MIB + 0x2f000, 0);
	refused("lacks RAM that the firmware starts with");
	range(0, 8 * MIB + 4096, GIB, 0);
	refused("lacks RAM that the firmware starts with");
	range(0, 8 * MIB, 0x30000, 0);
	accepted();
}

static void vcpus_have_bounds(void **state)
{
	(void)state;
	vcpus(0);
	refused("1 to 64");
	vcpus(65);
	refused("1 to 64");
	vcpus(UINT32_MAX);
	refused("1 to 64");
	vcpus(64);
	begin_madt();
	for (unsigned int i = 0; i < 64; i++)
		add_x2apic(63 - i, true);
	accepted();
	assert_int_equal(params.cpu_count, 64);
}

static void each_vcpu_has_its_apic_id(void **state)
{
	(void)state;
	add_apic(1, true);
	refused("twice");
	add_x2apic(0, true);
	refused("twice");
	begin_madt();
	add_apic(0, true);
	add_apic(2, true); /* a gap */
	refused("not below the number of vCPUs");
	add_apic(255, true);
	refused("not below the number of vCPUs");
	add_x2apic(UINT32_MAX, true);
	refused("not below the number of vCPUs");
	vcpus(3);
	refused("fewer processors");
	vcpus(1); /* more processors than the host says */
	refused("not below the number of vCPUs");
	add_apic(7, false); /* one that could be plugged in, and is not there */
	add_x2apic(7, false);
	accepted();
}

static void a_broken_madt_is_refused(void **state)
{
	(void)state;
	memcpy(madt, "APIX", 4);
	refused("MADT is none");
	put32(madt + 4, 43);
	refused("MADT is none");
	put32(madt + 4, 0x1001);
	refused("MADT is none");
	put32(madt + 4, UINT32_MAX);
	refused("MADT is none");
	add_entry(5, 2)[1] = 0; /* would never end */
	refused("entry of a wrong size");
	add_entry(5, 1); /* shorter than its own header */
	refused("entry of a wrong size");
	add_entry(0, 8)[1] = 9; /* beyond the table */
	refused("entry of a wrong size");
	begin_madt();
	add_apic(0, true);
	add_entry(0, 7); /* too short to be a processor's */
	refused("fewer processors");
	begin_madt();
	refused("fewer processors");
	put32(madt + 4, 0x1000); /* all of the page, zeros at its end */
	refused("entry of a wrong size");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(ram_is_in_order_with_socle_and_firmware, start),
		cmocka_unit_test_setup(pieces_that_touch_are_one, start),
		cmocka_unit_test_setup(only_memory_is_ram, start),
		cmocka_unit_test_setup(a_map_that_means_two_things_is_refused, start),
		cmocka_unit_test_setup(what_wraps_or_cannot_be_addressed_is_refused, start),
		cmocka_unit_test_setup(a_map_ends, start),
		cmocka_unit_test_setup(ram_in_thousands_of_pieces_is_refused, start),
		cmocka_unit_test_setup(ram_is_over_nothing_else, start),
		cmocka_unit_test_setup(what_was_loaded_is_ram, start),
		cmocka_unit_test_setup(vcpus_have_bounds, start),
		cmocka_unit_test_setup(each_vcpu_has_its_apic_id, start),
		cmocka_unit_test_setup(a_broken_madt_is_refused, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
