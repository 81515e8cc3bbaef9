/* SPDX-License-Identifier: MIT */
/*
 * What Socle takes of the guest's RAM, and that it is enough, from 256 MiB and one vCPU to 64 GiB
 * and 64 vCPUs: docs/budget.md. What a size needs is counted here from what takes it: two bits for
 * each page of addresses (guest_pages.h), a page table for each GiB of RAM and for its part of one
 * (APM volume 2, 5.3.3: 512 entries of 2 MiB), and for each vCPU a state, a stack of 32 KiB, one of
 * 4 KiB, a VMSA that may cost two pages, a GHCB and a doorbell page, and a page table for 32 of
 * them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/arch/model/model.h"
#include "monitor/boot/growth.h"
#include "monitor/boot/host_memory.h"
#include "monitor/mem/guest_pages.h"

#define MIB 0x100000ull
#define GIB 0x40000000ull
#define PAGE 0x1000ull
#define REGION 0xfd000000ull
#define FLASH 0xffc00000ull
#define CPU_PAGES 14u

static struct socle_params params;
static uint8_t words[0x3000];
static unsigned int entries;

static void piece(uint64_t at, uint64_t size, uint16_t type)
{
	uint64_t two[] = { at / PAGE, size / PAGE };
	uint8_t *to = words + 0x1000 + 24ull * entries++;

	memcpy(to, two, sizeof(two));
	memcpy(to + 16, &type, sizeof(type));
}

static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

/* A q35 as QEMU has it: 2 GiB below the hole, the rest from 4 GiB on; the vCPUs as x2APICs. */
static void host_says(uint64_t ram, uint32_t cpus)
{
	uint8_t *madt = words + 0x2000;

	memset(words, 0, sizeof(words));
	entries = 0;
	put32(words, cpus);
	piece(0, 0xa0000, 0);
	piece(0xa0000, 0x20000, 1);
	piece(0xc0000, (ram < 2 * GIB ? ram : 2 * GIB) - 0xc0000, 0);
	if (ram > 2 * GIB)
		piece(4 * GIB, ram - 2 * GIB, 0);
	memcpy(madt, "APIC", 4);
	put32(madt + 4, 44 + 16 * cpus);
	for (uint32_t i = 0; i < cpus; i++) {
		uint8_t *entry = madt + 44 + 16ull * i;

		entry[0] = 9;
		entry[1] = 16;
		put32(entry + 4, i);
		put32(entry + 8, 1);
	}
	params = (struct socle_params){
		.region = { REGION, 16 * MIB },
		.firmware = { FLASH, 4 * MIB },
		.loaded_count = 2,
		.loaded = { { 0x800000, 0x10000 }, { FLASH, 4 * MIB } },
	};
	assert_null(host_memory_read(&params, words, 1ull << 46));
}

static uint64_t needed(void)
{
	uint64_t tables = 0;

	for (uint32_t i = 0; i < params.ram_count; i++)
		tables += (params.ram[i].size + 2 * GIB - 1) / GIB;
	return guest_pages_memory(&params) + tables * PAGE + params.cpu_count * CPU_PAGES * PAGE +
	       params.cpu_count / 32 * PAGE;
}

/* What the region is made for, and no more: 16 GiB and 8 vCPUs take nothing. */
static uint64_t in_region(void)
{
	host_says(16 * GIB, 8);
	assert_int_equal(growth_size(&params), 0);
	return needed();
}

static void every_size_has_its_memory(void **state)
{
	static const uint64_t sizes[] = { 256 * MIB, GIB,      2 * GIB,	 3 * GIB,  16 * GIB,
					  17 * GIB,  24 * GIB, 33 * GIB, 48 * GIB, 64 * GIB };
	const uint64_t enough = in_region();

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (uint32_t cpus = 1; cpus <= 64; cpus++) {
			uint64_t gib = (sizes[i] + GIB - 1) / GIB, size;

			host_says(sizes[i], cpus);
			size = growth_size(&params);
			assert_int_equal(size, 96 * 1024 *
						       ((gib > 16 ? gib - 16 : 0) +
							(cpus > 8 ? cpus - 8 : 0)));
			assert_true(needed() <= enough + size ||
				    (sizes[i] <= 16 * GIB && cpus <= 8));
		}
	}
	/* All of it, for the table: bytes of states, then of both together. */
	host_says(64 * GIB, 64);
	assert_int_equal(guest_pages_memory(&params), 66 * GIB / PAGE / 4);
	assert_int_equal(growth_size(&params), 9984 * 1024);
}

/*
 * Beyond 64 GiB nothing more is taken; then the services' memory says how much there is room for.
 */
static void it_has_an_end(void **state)
{
	(void)state;
	host_says(65 * GIB, 64);
	assert_int_equal(growth_size(&params), 9984 * 1024);
	host_says(1024 * GIB, 1);
	assert_int_equal(growth_size(&params), 48 * 96 * 1024);
}

static void it_is_cut_off_the_last_piece(void **state)
{
	struct socle_range taken;

	(void)state;
	host_says(24 * GIB, 8);
	assert_null(growth_cut(&params, 0xc0000, &taken));
	assert_int_equal(taken.gpa, 26 * GIB - 0xc0000);
	assert_int_equal(taken.size, 0xc0000);
	assert_int_equal(params.ram[params.ram_count - 1].size, 22 * GIB - 0xc0000);
	/*
	 * It is the guest's no more: neither in a piece of RAM, nor behind all of them by chance.
	 */
	assert_int_equal(guest_pages_memory(&params), (26 * GIB - 0xc0000) / PAGE / 4);
}

/* Never of Socle, the firmware, or what was loaded; a piece that it would use up stays. */
static void what_others_have_is_not_taken(void **state)
{
	struct socle_range taken;

	(void)state;
	host_says(512 * MIB, 12);
	assert_null(growth_cut(&params, 0x60000, &taken));
	assert_int_equal(taken.gpa, 512 * MIB - 0x60000);
	host_says(512 * MIB, 12);
	params.loaded[0] = (struct socle_range){ 512 * MIB - 0x2000, 0x1000 };
	assert_null(growth_cut(&params, 0x60000, &taken));
	assert_int_equal(taken.gpa, 0xa0000 - 0x60000);
	host_says(512 * MIB, 12);
	params.loaded[0] = (struct socle_range){ 512 * MIB - 0x2000, 0x1000 };
	assert_non_null(growth_cut(&params, 0xa0000, &taken));
	params.loaded[0] = (struct socle_range){ 512 * MIB - 0x62000, 0x2000 };
	assert_null(growth_cut(&params, 0x60000, &taken));
	assert_int_equal(taken.gpa, 512 * MIB - 0x60000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_has_its_memory),
		cmocka_unit_test(it_has_an_end),
		cmocka_unit_test(it_is_cut_off_the_last_piece),
		cmocka_unit_test(what_others_have_is_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
