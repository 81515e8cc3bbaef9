/* SPDX-License-Identifier: MIT */
/*
 * The guest's start on the model: what is the guest's before its first instruction, and with what
 * it begins. Reasons of die() are those of base/die.h, offsets of a VMSA those of APM volume 2,
 * table B-4.
 *
 *	0 .. 8 MiB	RAM; 64 KiB at 1 MiB loaded
 *	10 .. 16 MiB	RAM; 12 KiB at 10 MiB and 4 KiB loaded; Socle's region 12 .. 13 MiB
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/arch/arch.h"
#include "monitor/arch/model/model.h"
#include "monitor/base/die.h"
#include "monitor/base/direct.h"
#include "monitor/boot/preempt.h"
#include "monitor/boot/start.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/mem/guest_pages.h"
#include "monitor/mem/map.h"
#include "monitor/vcpu/registry.h"
#include "monitor/vcpu/secrets.h"

#define MIB 0x100000ull
#define REGION (12 * MIB)
#define REGION_SIZE (1 * MIB)
#define POOL (REGION + 0x1000)
#define POOL_PAGES 80u
#define OUR_CPUID (REGION + 0x80000)
#define OUR_SECRETS (REGION + 0x81000)
#define LOADED (1 * MIB)
#define LOADED_SIZE 0x10000ull
#define LOADED_2 (10 * MIB + 0x1000)
#define LOADED_2_SIZE 0x3000ull
#define GUEST_SECRETS (LOADED + 0x2000)
#define GUEST_CPUID (LOADED + 0x3000)
#define GUEST_CAA (6 * MIB) /* in memory that the file does not load */
#define TABLES (LOADED + 0x8000)
#define C_BIT (1ull << 47)
#define ALL_RIGHTS 0xfu
#define CPUS 3u

static const struct socle_params good = {
	.region = { REGION, REGION_SIZE },
	.cpuid_page = OUR_CPUID,
	.secrets_page = OUR_SECRETS,
	.cpu_count = CPUS,
	.guest_cpuid_page = GUEST_CPUID,
	.guest_secrets_page = GUEST_SECRETS,
	.guest_caa = GUEST_CAA,
	.guest = { .rip = 0x1001234,
		   .rsp = 0x10ff00,
		   .rsi = 0x5678,
		   .cr3 = TABLES,
		   .page_tables = { TABLES, 0x2000 },
		   .gdt_base = 0x1400,
		   .gdt_limit = 31,
		   .cs_selector = 0x10,
		   .ds_selector = 0x18 },
	.ram_count = 2,
	.loaded_count = 2,
	.ram = { { 0, 8 * MIB }, { 10 * MIB, 6 * MIB } },
	.loaded = { { LOADED, LOADED_SIZE }, { LOADED_2, LOADED_2_SIZE } },
};

static struct socle_params params;
static struct socle_range grown;
static struct page_owner owner;
static enum die_reason reason;
static bool host_refuses;
static gpa_t started; /* the VMSA that the host was told of */
static unsigned int validations[2], adjustments, trials;

void *direct_ptr(gpa_t at)
{
	return model_memory(at);
}

/* Of the processor, in the page that the AMD-SP checked. */
struct cpuid_result cpuid_query(uint32_t leaf, uint32_t subleaf)
{
	assert_int_equal(leaf, 1);
	assert_int_equal(subleaf, 0);
	return (struct cpuid_result){ .eax = 0x800f12 };
}

uint64_t map_c_bit(void)
{
	return C_BIT;
}

_Noreturn void die(enum die_reason why, const char *text)
{
	reason = why;
	mock_assert(0, text, __FILE__, __LINE__);
	abort();
}

/* Before there is a VMSA of the guest's, in a page that is its own already. */
void preempt_try(gpa_t page, struct page_owner *of)
{
	assert_int_equal(page.raw, GUEST_CAA);
	assert_int_equal(guest_pages_state(page), GUEST_PAGE_VALID);
	assert_ptr_equal(of, &owner);
	assert_int_equal(started.raw, 0);
	trials++;
}

/* The guest is ready when the host hears of it. */
bool arch_start_vcpu(uint32_t apic_id, unsigned int vmpl, gpa_t vmsa, uint64_t sev_features)
{
	assert_int_equal(apic_id, 0);
	assert_int_equal(vmpl, 2);
	assert_int_equal(sev_features, MODEL_SEV_FEATURES);
	assert_true(rmp_is_vmsa(model_rmp(), vmsa.raw / 0x1000));
	assert_int_equal(guest_pages_state(gpa(params.guest_caa)), GUEST_PAGE_CALLING);
	started = vmsa;
	return !host_refuses;
}

static bool count(void *context, const struct model_event *event)
{
	(void)context;
	if (event->op == MODEL_PVALIDATE)
		validations[event->size == 2 * MIB]++;
	else if (event->op == MODEL_RMPADJUST)
		adjustments++;
	return true;
}

static void launch_pages(uint64_t at, uint64_t size)
{
	for (uint64_t page = at; page < at + size; page += 0x1000)
		assert_int_equal(rmp_launch_page(model_rmp(), page / 0x1000, false), 0);
}

static int start(void **state)
{
	static bool pool;

	(void)state;
	model_reset();
	model_set_hook(count, NULL);
	launch_pages(REGION, REGION_SIZE);
	launch_pages(LOADED, LOADED_SIZE);
	launch_pages(LOADED_2, LOADED_2_SIZE);
	memset(model_memory(gpa(LOADED)), 0x3c, LOADED_SIZE);
	memset(model_memory(gpa(LOADED_2)), 0x3c, LOADED_2_SIZE);
	memset(model_memory(gpa(OUR_CPUID)), 0x1d, 0x1000);
	memset(model_memory(gpa(OUR_SECRETS)), 0x5e, 0x1000);
	params = good;
	grown = (struct socle_range){ 0 };
	secrets_init(&params);
	if (!pool && (!page_alloc_init(gpa(POOL), POOL_PAGES) ||
		      !page_owner_init(&owner, "launch", POOL_PAGES, false)))
		return -1;
	pool = true;
	owner.limit = POOL_PAGES;
	reason = 0;
	started = gpa(0);
	host_refuses = false;
	adjustments = trials = 0;
	memset(validations, 0, sizeof(validations));
	return 0;
}

static void launch(void)
{
	boot_take_memory(&params, &owner);
	boot_launch_guest(&params, &grown, &owner);
}

/* That the launch ends in die() with this reason. */
static void dies(enum die_reason why)
{
	expect_assert_failure(launch());
	assert_int_equal(reason, why);
	assert_int_equal(started.raw, 0);
}

static bool in(uint64_t page, uint64_t at, uint64_t size)
{
	return page >= at && page - at < size;
}

static bool all_are(uint64_t page, uint8_t value, size_t size)
{
	const uint8_t *bytes = model_memory(gpa(page));

	while (size && bytes[size - 1] == value)
		size--;
	return !size;
}

static void all_ram_is_ready_for_the_guest(void **state)
{
	(void)state;
	launch();
	for (uint64_t page = 0; page < MODEL_SIZE; page += 0x1000) {
		bool loaded = in(page, LOADED, LOADED_SIZE) || in(page, LOADED_2, LOADED_2_SIZE);

		if (in(page, 8 * MIB, 2 * MIB) || in(page, REGION, REGION_SIZE)) {
			assert_int_equal(guest_pages_state(gpa(page)), GUEST_PAGE_TAKEN);
			for (unsigned int vmpl = 1; vmpl < 4; vmpl++) {
				for (unsigned int right = 1; right < 0x10; right <<= 1)
					assert_false(model_allows(gpa(page), vmpl, right));
			}
			continue;
		}
		assert_int_equal(guest_pages_state(gpa(page)),
				 page == GUEST_CAA ? GUEST_PAGE_CALLING : GUEST_PAGE_VALID);
		assert_true(model_allows(gpa(page), 2, ALL_RIGHTS));
		if (!loaded)
			assert_true(all_are(page, 0, 0x1000));
	}
	assert_true(all_are(LOADED, 0x3c, 0x2000));
	assert_true(all_are(LOADED + 0x4000, 0x3c, 0x4000));
	assert_true(all_are(LOADED_2, 0x3c, LOADED_2_SIZE));
}

/* 2, 4 and 6 MiB, and 14 MiB; in the other aligned pieces something is loaded, or Socle. */
static void large_pages_are_validated_at_once(void **state)
{
	(void)state;
	launch();
	assert_int_equal(validations[1], 4);
	assert_int_equal(validations[0], (4 * MIB - LOADED_SIZE - LOADED_2_SIZE + MIB) / 0x1000);
}

static void a_host_with_small_pages_has_them_validated(void **state)
{
	(void)state;
	for (uint64_t page = 4 * MIB; page < 6 * MIB; page += 0x1000)
		model_host_assign(gpa(page), 1);
	launch();
	assert_int_equal(validations[1], 4);
	assert_int_equal(validations[0],
			 (4 * MIB - LOADED_SIZE - LOADED_2_SIZE + MIB + 2 * MIB) / 0x1000);
	for (uint64_t page = 4 * MIB; page < 6 * MIB; page += 0x1000) {
		assert_true(model_allows(gpa(page), 2, ALL_RIGHTS));
		assert_true(all_are(page, 0, 0x1000));
	}
}

/* RAM that ends within 2 MiB, and the last whole piece before its end. */
static void ram_need_not_end_on_a_large_page(void **state)
{
	(void)state;
	params.ram[0].size = 6 * MIB + 0x1000;
	params.ram[1].size = 6 * MIB - 0x1000;
	launch();
	assert_int_equal(guest_pages_state(gpa(6 * MIB)), GUEST_PAGE_CALLING);
	assert_int_equal(guest_pages_state(gpa(6 * MIB + 0x1000)), GUEST_PAGE_TAKEN);
	assert_int_equal(guest_pages_state(gpa(16 * MIB - 0x2000)), GUEST_PAGE_VALID);
	assert_int_equal(guest_pages_state(gpa(16 * MIB - 0x1000)), GUEST_PAGE_TAKEN);
	assert_false(model_allows(gpa(16 * MIB - 0x1000), 2, 1));
	assert_int_equal(validations[1], 2);
}

static void the_guests_pages_are_filled(void **state)
{
	const uint8_t *secrets = model_memory(gpa(GUEST_SECRETS));

	(void)state;
	launch();
	assert_true(all_are(GUEST_CPUID, 0x1d, 0x1000));
	/* Key 0 and 1 are not the guest's, 2 and 3 are; region and calling area are told. */
	assert_true(all_are(GUEST_SECRETS + 0x20, 0, 0x40));
	assert_true(all_are(GUEST_SECRETS + 0x60, 0x5e, 0x40));
	assert_memory_equal(secrets + 0x140, &(uint64_t){ REGION }, 8);
	assert_memory_equal(secrets + 0x150, &(uint64_t){ GUEST_CAA }, 8);
	assert_true(all_are(OUR_SECRETS, 0, 0x1000));
}

/* The calling area is zero also where the file had loaded something. */
static void the_calling_area_starts_empty(void **state)
{
	(void)state;
	params.guest_caa = LOADED + 0x5000;
	launch();
	assert_true(all_are(LOADED + 0x5000, 0, 0x1000));
	assert_true(all_are(LOADED + 0x6000, 0x3c, 0x1000));
	assert_true(all_are(LOADED + 0x4000, 0x3c, 0x1000));
	assert_int_equal(guest_pages_state(gpa(LOADED + 0x5000)), GUEST_PAGE_CALLING);
}

static void present_entries_get_the_c_bit(void **state)
{
	uint64_t *table = (uint64_t *)model_memory(gpa(TABLES));

	(void)state;
	memset(table, 0, 0x3000);
	table[0] = 0x101003;
	table[511] = 0x8000000000200083;
	table[5] = 0x555000; /* not present: nothing is said about it */
	table[512 + 511] = 0x300001;
	table[1024] = 0x400003; /* behind the tables */
	launch();
	assert_int_equal(table[0], 0x101003 | C_BIT);
	assert_int_equal(table[511], 0x8000000000200083 | C_BIT);
	assert_int_equal(table[5], 0x555000);
	assert_int_equal(table[512 + 511], 0x300001 | C_BIT);
	assert_int_equal(table[1024], 0x400003);
	assert_int_equal(table[1], 0);
}

static void the_first_vcpu_is_as_the_block_says(void **state)
{
	const struct snp_vmsa *vmsa;

	(void)state;
	launch();
	assert_true(in(started.raw, POOL, POOL_PAGES * 0x1000));
	vmsa = (const struct snp_vmsa *)model_memory(started);
	assert_int_equal(vmsa->vmpl, 2);
	assert_int_equal(vmsa->exit_code, UINT64_MAX); /* VMEXIT_INVALID: nobody has left it */
	assert_int_equal(vmsa->cr3, TABLES | C_BIT);
	assert_int_equal(vmsa->rip, 0x1001234);
	assert_int_equal(vmsa->rsp, 0x10ff00);
	assert_int_equal(vmsa->rsi, 0x5678);
	assert_int_equal(vmsa->cs.selector, 0x10);
	assert_int_equal(vmsa->ds.selector, 0x18);
	assert_int_equal(vmsa->gdtr.base, 0x1400);
	assert_int_equal(vmsa->gdtr.limit, 31);
	assert_int_equal(vmsa->sev_features, MODEL_SEV_FEATURES);
	assert_int_equal(vmsa->efer & 0x1000, 0x1000);
	for (unsigned int vmpl = 1; vmpl < 4; vmpl++)
		assert_false(model_allows(started, vmpl, 1));
}

/*
 * Firmware: only what is loaded is the guest's already, all other RAM it validates itself. The VMSA
 * is the measured one, a page of the region, but for what is not known before.
 */
static void firmware_validates_its_ram_itself(void **state)
{
	struct snp_vmsa *measured = (struct snp_vmsa *)model_memory(gpa(REGION + 0x90000));
	const struct snp_vmsa *vmsa;

	(void)state;
	memset(measured, 0, sizeof(*measured));
	measured->rip = 0xfff0;
	measured->cs = (struct snp_segment){ 0xf000, 0x9b, 0xffff, 0xffff0000 };
	measured->rdx = 0x55;
	params.guest.rip = 0;
	params.guest.page_tables.size = 0;
	params.firmware = (struct socle_range){ LOADED_2, LOADED_2_SIZE };
	params.guest_vmsa = REGION + 0x90000;
	params.guest_caa = LOADED + 0x1000;
	launch();
	assert_int_equal(validations[0] + validations[1], 0);
	assert_int_equal(guest_pages_state(gpa(LOADED_2)), GUEST_PAGE_VALID);
	assert_true(model_allows(gpa(LOADED_2), 2, ALL_RIGHTS));
	assert_int_equal(guest_pages_state(gpa(0)), GUEST_PAGE_INVALID);
	assert_false(model_allows(gpa(0), 2, 1));
	vmsa = (const struct snp_vmsa *)model_memory(started);
	assert_int_equal(vmsa->rip, 0xfff0);
	assert_int_equal(vmsa->cs.base, 0xffff0000);
	assert_int_equal(vmsa->rdx, 0x800f12);
	assert_int_equal(vmsa->vmpl, 2);
	assert_int_equal(vmsa->exit_code, UINT64_MAX);
	assert_int_equal(vmsa->sev_features, MODEL_SEV_FEATURES);
	assert_int_equal(vmsa->efer, 0x1000);
	assert_int_equal(vmsa->cr3, 0);
}

struct map_entry {
	uint64_t first, pages;
	uint16_t type, flags;
	uint32_t reserved;
};

static void with_sizes_to_tell(unsigned int entries)
{
	params.guest.rip = 0;
	params.guest.page_tables.size = 0;
	params.firmware = (struct socle_range){ 0xf00000, 0x100000 };
	params.guest_vmsa = REGION + 0x90000;
	params.guest_caa = LOADED + 0x1000;
	params.guest_map = LOADED + 0x4000;
	params.guest_count = LOADED + 0x4000 + 24ull * entries;
	params.guest_map_entries = entries;
	params.ram_count = 5;
	params.ram[0] = (struct socle_range){ 0, 0xa0000 };
	params.ram[1] = (struct socle_range){ 0xc0000, 8 * MIB - 0xc0000 };
	params.ram[2] = (struct socle_range){ 10 * MIB, 2 * MIB };
	params.ram[3] = (struct socle_range){ REGION, REGION_SIZE };
	params.ram[4] = params.firmware;
}

/*
 * IGVM's memory map: RAM (0) in one piece over a PC's video memory, Socle as reserved (1), no
 * firmware.
 */
static void firmware_is_told_its_sizes(void **state)
{
	const struct map_entry *map = (const struct map_entry *)model_memory(gpa(LOADED + 0x4000));

	(void)state;
	with_sizes_to_tell(8);
	launch();
	assert_int_equal(map[0].first, 0);
	assert_int_equal(map[0].pages, 8 * MIB / 0x1000);
	assert_int_equal(map[0].type, 0);
	assert_int_equal(map[1].first, 10 * MIB / 0x1000);
	assert_int_equal(map[1].pages, 2 * MIB / 0x1000);
	assert_int_equal(map[2].first, REGION / 0x1000);
	assert_int_equal(map[2].pages, REGION_SIZE / 0x1000);
	assert_int_equal(map[2].type, 1);
	assert_int_equal(map[3].pages, 0);
	assert_memory_equal(&map[8], &(uint32_t){ CPUS }, 4);
}

/*
 * What Socle takes off the end of a piece is reserved behind it; off the first too, over the video
 * memory.
 */
static void firmware_is_told_what_is_taken(void **state)
{
	const struct map_entry *map = (const struct map_entry *)model_memory(gpa(LOADED + 0x4000));

	(void)state;
	with_sizes_to_tell(8);
	params.ram[2].size = 2 * MIB - 0x18000;
	grown = (struct socle_range){ 12 * MIB - 0x18000, 0x18000 };
	launch();
	assert_int_equal(map[1].pages, (2 * MIB - 0x18000) / 0x1000);
	assert_int_equal(map[2].first, (12 * MIB - 0x18000) / 0x1000);
	assert_int_equal(map[2].pages, 0x18);
	assert_int_equal(map[2].type, 1);
	assert_int_equal(map[3].first, REGION / 0x1000);
	assert_int_equal(map[4].pages, 0);
	start(state);
	with_sizes_to_tell(8);
	params.ram[1].size -= 0x18000;
	grown = (struct socle_range){ 8 * MIB - 0x18000, 0x18000 };
	launch();
	assert_int_equal(map[0].pages, (8 * MIB - 0x18000) / 0x1000);
	assert_int_equal(map[1].first, (8 * MIB - 0x18000) / 0x1000);
	assert_int_equal(map[1].type, 1);
	assert_int_equal(map[2].first, 10 * MIB / 0x1000);
	/* Firmware that cannot be told would use it. */
	start(state);
	with_sizes_to_tell(4);
	params.ram[2].size = 2 * MIB - 0x18000;
	grown = (struct socle_range){ 12 * MIB - 0x18000, 0x18000 };
	dies(DIE_MEMORY);
}

/* Three entries, and one that ends them. */
static void a_map_that_has_no_room_is_not_begun(void **state)
{
	(void)state;
	with_sizes_to_tell(3);
	launch();
	assert_true(all_are(LOADED + 0x4000, 0x3c, 3 * 24));
	assert_memory_equal(model_memory(gpa(LOADED + 0x4000 + 3 * 24)), &(uint32_t){ CPUS }, 4);
	assert_true(all_are(LOADED + 0x4000 + 3 * 24 + 4, 0x3c, 0x1000 - 3 * 24 - 4));
	start(state);
	with_sizes_to_tell(4);
	launch();
	assert_true(all_are(LOADED + 0x4000 + 3 * 24 + 8, 0, 8));
}

/* abi/params.h: each has a place of its own, and 0 is none. */
static void the_count_is_told_without_a_map(void **state)
{
	(void)state;
	with_sizes_to_tell(4);
	params.guest_map = 0;
	launch();
	assert_true(all_are(LOADED + 0x4000, 0x3c, 4 * 24));
	assert_memory_equal(model_memory(gpa(LOADED + 0x4000 + 4 * 24)), &(uint32_t){ CPUS }, 4);
	start(state);
	with_sizes_to_tell(8);
	params.guest_count = 0;
	launch();
	assert_true(all_are(LOADED + 0x4000 + 4 * 24, 0x3c, 0x1000 - 4 * 24));
	start(state);
	with_sizes_to_tell(8);
	params.guest_map = params.guest_count = 0;
	launch();
	assert_true(all_are(LOADED + 0x4000, 0x3c, 0x1000));
}

/* Where RAM ends at the video memory, what follows may be Socle: that is no RAM behind the hole. */
static void socle_behind_the_hole_is_reserved(void **state)
{
	const struct map_entry *map = (const struct map_entry *)model_memory(gpa(LOADED + 0x4000));

	(void)state;
	with_sizes_to_tell(8);
	params.region = (struct socle_range){ 0xc0000, 0x40000 };
	params.ram[1] = params.region;
	params.ram[2] = (struct socle_range){ 1 * MIB, 7 * MIB };
	params.ram[3] = (struct socle_range){ 10 * MIB, 3 * MIB };
	launch();
	assert_int_equal(map[0].first, 0);
	assert_int_equal(map[0].pages, 0xa0);
	assert_int_equal(map[0].type, 0);
	assert_int_equal(map[1].first, 0xc0);
	assert_int_equal(map[1].pages, 0x40);
	assert_int_equal(map[1].type, 1);
	assert_int_equal(map[2].first, 0x100);
	assert_int_equal(map[2].pages, 0x700);
}

/* What is skipped has no entry that another range could be added to. */
static void firmware_before_the_hole_is_no_ram(void **state)
{
	const struct map_entry *map = (const struct map_entry *)model_memory(gpa(LOADED + 0x4000));

	(void)state;
	with_sizes_to_tell(8);
	params.firmware = params.ram[0];
	params.ram_count = 4;
	launch();
	assert_int_equal(map[0].first, 0xc0);
	assert_int_equal(map[0].pages, 0x740);
	assert_int_equal(map[0].type, 0);
	assert_int_equal(map[1].first, 10 * MIB / 0x1000);
}

/* abi/params.h: a flag of the image, and nothing but that. */
static void the_host_is_tried_when_the_block_says_so(void **state)
{
	launch();
	assert_int_equal(trials, 0);
	start(state);
	params.features = 1 << 2;
	launch();
	assert_int_equal(trials, 1);
	assert_int_not_equal(started.raw, 0);
}

static void the_registry_knows_the_first_vcpu(void **state)
{
	struct registry_vcpu vcpu;

	(void)state;
	launch();
	assert_true(registry_enter(0, 2, &vcpu));
	registry_leave(0, 2);
	assert_int_equal(vcpu.vmsa.raw, started.raw);
	assert_int_equal(vcpu.caa.raw, GUEST_CAA);
	assert_false(registry_enter(1, 2, &vcpu));
	assert_true(registry_is_vmsa(started));
}

static void memory_for_states_and_vmsa_is_needed(void **state)
{
	(void)state;
	owner.limit = owner.used;
	dies(6);
	owner.limit = owner.used + 1;
	dies(6);
}

static void a_page_that_cannot_be_validated_ends_the_start(void **state)
{
	(void)state;
	model_fail_with(MODEL_PVALIDATE, 1, 1); /* a small one */
	dies(4);
	model_fail_with(MODEL_PVALIDATE, (MIB + MIB - LOADED_SIZE) / 0x1000 + 1, 1); /* a large */
	dies(4);
}

/* It was valid already: the host shows one page at two addresses. */
static void a_small_page_that_is_valid_already_ends_the_start(void **state)
{
	(void)state;
	launch_pages(0x7000, 0x1000);
	dies(4);
}

static void a_large_page_that_is_valid_already_ends_the_start(void **state)
{
	struct rmp_outcome out;

	(void)state;
	model_host_assign(gpa(2 * MIB), 512);
	out = rmp_pvalidate(model_rmp(), 2 * MIB / 0x1000, SNP_PAGE_2M, true);
	assert_int_equal(out.status, RMP_DONE);
	assert_int_equal(out.eax, 0);
	dies(4);
}

static void a_loaded_page_that_cannot_be_granted_ends_the_start(void **state)
{
	(void)state;
	model_host_unassign(gpa(LOADED + 0xf000), 1); /* gone since the launch */
	dies(4);
}

static void a_page_that_is_not_the_guests_ends_the_start(void **state)
{
	uint64_t *const pages[] = { &params.guest_cpuid_page, &params.guest_secrets_page,
				    &params.guest_caa, &params.guest.page_tables.gpa };
	static const uint64_t wrong[] = { REGION + 0x5000, 8 * MIB, GUEST_CPUID + 8, 16 * MIB };

	(void)state;
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		for (size_t j = 0; j < sizeof(wrong) / sizeof(wrong[0]); j++) {
			start(state);
			*pages[i] = wrong[j];
			dies(2);
		}
	}
}

/* Two bits for each page below the end of RAM: 64 MiB take a page, and a byte more another one. */
static void the_states_take_what_they_need(void **state)
{
	uint32_t used = owner.used;

	(void)state;
	params.ram[1].size = 54 * MIB;
	dies(4); /* there is no such memory here */
	assert_int_equal(owner.used - used, 1);
	assert_int_equal(start(state), 0);
	params.ram[1].size = 54 * MIB + 0x1000;
	dies(4);
	assert_int_equal(owner.used - used, 3);
}

static void a_guest_of_too_many_vcpus_ends_the_start(void **state)
{
	(void)state;
	params.cpu_count = MONITOR_CPUS_MAX + 1;
	dies(2);
}

static void ranges_that_contradict_themselves_end_the_start(void **state)
{
	(void)state;
	params.region.gpa = 9 * MIB; /* no RAM */
	dies(6);
}

/* The RMPADJUST that makes it is the last of all. */
static void a_vmsa_that_cannot_be_made_ends_the_start(void **state)
{
	unsigned int last;

	launch();
	last = adjustments;
	assert_int_equal(start(state), 0);
	model_fail_with(MODEL_RMPADJUST, last, 3);
	dies(4);
}

static void a_host_that_refuses_the_vcpu_ends_the_start(void **state)
{
	(void)state;
	host_refuses = true;
	expect_assert_failure(launch());
	assert_int_equal(reason, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(all_ram_is_ready_for_the_guest, start),
		cmocka_unit_test_setup(large_pages_are_validated_at_once, start),
		cmocka_unit_test_setup(a_host_with_small_pages_has_them_validated, start),
		cmocka_unit_test_setup(ram_need_not_end_on_a_large_page, start),
		cmocka_unit_test_setup(the_guests_pages_are_filled, start),
		cmocka_unit_test_setup(the_calling_area_starts_empty, start),
		cmocka_unit_test_setup(present_entries_get_the_c_bit, start),
		cmocka_unit_test_setup(the_first_vcpu_is_as_the_block_says, start),
		cmocka_unit_test_setup(firmware_validates_its_ram_itself, start),
		cmocka_unit_test_setup(firmware_is_told_its_sizes, start),
		cmocka_unit_test_setup(firmware_is_told_what_is_taken, start),
		cmocka_unit_test_setup(a_map_that_has_no_room_is_not_begun, start),
		cmocka_unit_test_setup(the_count_is_told_without_a_map, start),
		cmocka_unit_test_setup(socle_behind_the_hole_is_reserved, start),
		cmocka_unit_test_setup(firmware_before_the_hole_is_no_ram, start),
		cmocka_unit_test_setup(the_host_is_tried_when_the_block_says_so, start),
		cmocka_unit_test_setup(the_registry_knows_the_first_vcpu, start),
		cmocka_unit_test_setup(memory_for_states_and_vmsa_is_needed, start),
		cmocka_unit_test_setup(a_page_that_cannot_be_validated_ends_the_start, start),
		cmocka_unit_test_setup(a_small_page_that_is_valid_already_ends_the_start, start),
		cmocka_unit_test_setup(a_large_page_that_is_valid_already_ends_the_start, start),
		cmocka_unit_test_setup(a_loaded_page_that_cannot_be_granted_ends_the_start, start),
		cmocka_unit_test_setup(a_page_that_is_not_the_guests_ends_the_start, start),
		cmocka_unit_test_setup(the_states_take_what_they_need, start),
		cmocka_unit_test_setup(a_guest_of_too_many_vcpus_ends_the_start, start),
		cmocka_unit_test_setup(ranges_that_contradict_themselves_end_the_start, start),
		cmocka_unit_test_setup(a_vmsa_that_cannot_be_made_ends_the_start, start),
		cmocka_unit_test_setup(a_host_that_refuses_the_vcpu_ends_the_start, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
