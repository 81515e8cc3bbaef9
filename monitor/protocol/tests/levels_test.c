/* SPDX-License-Identifier: MIT */
/*
 * A second level of the guest: VMPL3 beneath VMPL2, by the calls of each (58019, sections 6 to 8)
 * and the rights that RMPADJUST gives (APM volume 3). Result codes are literals of 58019, tables 5
 * to 7.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "abi/params.h"
#include "monitor/apic/guest.h"
#include "monitor/arch/model/tests/world.h"
#include "monitor/base/levels.h"
#include "monitor/mem/guest_pages.h"
#include "monitor/vcpu/registry.h"

#define VMSA (WORLD_SMALL + 0x10000) /* VMPL3 of CPU 0 */
#define CAA (WORLD_SMALL + 0x11000)
#define UPPER_VMSA (WORLD_SMALL + 0x20000) /* VMPL2 of CPU 1 */
#define UPPER_CAA (WORLD_SMALL + 0x21000)
#define UPPER (WORLD_SMALL + 0x30000) /* a page of VMPL2's alone */
#define LIST (WORLD_SMALL + 0x40000)  /* shared by both */
#define PAGE (WORLD_SMALL + 0x41000)  /* the page of a test */
#define PAGE2 (WORLD_SMALL + 0x42000)
#define OFFSET_VMPL 0xca
#define OFFSET_FEATURES 0x3b0

#define VALIDATE 4ull
#define IGNORE_CF 8ull
#define LARGE 1ull

static int setup(void **state)
{
	(void)state;
	assert_true(levels_init(2, 0));
	world_start();
	world_create(1, UPPER_VMSA, UPPER_CAA);
	world_create_lower(0, VMSA, CAA);
	world_share(LIST);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	guest_apic_init(0);
	arch_guest_alternate(false);
	return !levels_init(2, 0);
}

static uint64_t lower(uint64_t rax, uint64_t rcx, uint64_t rdx, uint64_t r8)
{
	return world_level_call(3, 0, rax, rcx, rdx, r8).rax;
}

static uint64_t lower_pvalidate(uint64_t entry)
{
	world_put_list(LIST, 1, 0, &entry);
	return lower(CORE(SVSM_CORE_PVALIDATE), LIST, 0, 0);
}

static uint64_t lower_create(uint64_t vmsa, uint64_t caa, uint64_t apic_id)
{
	return lower(CORE(SVSM_CORE_CREATE_VCPU), vmsa, caa, apic_id);
}

/* What VMPL3 may do on a page, RMP_PERM_*. */
static unsigned int lower_rights(uint64_t page)
{
	return model_rmp()->entries[page / ABI_PAGE_SIZE].perms[3];
}

/* The page is as VMPL2 has made it: its own, and VMPL3's by these rights. */
static void assert_untouched(uint64_t page, unsigned int perms)
{
	assert_int_equal(guest_pages_state(gpa(page)), GUEST_PAGE_VALID);
	assert_true(world_guest_owns(page));
	assert_int_equal(lower_rights(page), perms);
	assert_int_equal(*model_memory(gpa(page)), 0x77);
}

static void fill(uint64_t page, unsigned int perms)
{
	memset(model_memory(gpa(page)), 0x77, ABI_PAGE_SIZE);
	world_share_as(page, perms);
}

/* ---- CREATE_VCPU ---- */

/* Its own APIC id and another one; neither knows of the other level's vCPU. */
static void the_first_makes_a_second(void **state)
{
	struct registry_vcpu vcpu;

	(void)state;
	assert_true(registry_enter(0, 3, &vcpu));
	assert_int_equal(vcpu.vmsa.raw, VMSA);
	assert_int_equal(vcpu.caa.raw, CAA);
	registry_leave(0, 3);
	assert_true(registry_enter(0, 2, &vcpu));
	assert_int_equal(vcpu.vmsa.raw, WORLD_BOOT_VMSA);
	registry_leave(0, 2);
	assert_false(registry_enter(1, 3, &vcpu));
	world_create_lower(1, PAGE, PAGE2);
	assert_true(registry_enter(1, 2, &vcpu));
	assert_int_equal(vcpu.vmsa.raw, UPPER_VMSA);
	registry_leave(1, 2);
	/* VMPL2 reads it, as Linux does with its VMSAs; VMPL3 does not. */
	assert_true(rmp_is_vmsa(model_rmp(), VMSA / ABI_PAGE_SIZE));
	assert_true(world_guest_reads(VMSA));
	assert_int_equal(guest_pages_state(gpa(VMSA)), GUEST_PAGE_TAKEN);
}

/* 58019, 6.3: a VMPL that is no more privileged than the caller's, and not 0. */
static void nobody_makes_a_level_above_his_own(void **state)
{
	static const struct {
		unsigned int by, vmpl;
		uint32_t result;
	} cases[] = {
		{ 2, 0, 0x80000005 }, { 2, 1, 0x80000005 },    { 2, 2, 0 },
		{ 2, 3, 0 },	      { 2, 4, 0x80000005 },    { 3, 0, 0x80000005 },
		{ 3, 1, 0x80000005 }, { 3, 2, 0x80000005 },    { 3, 3, 0 },
		{ 3, 4, 0x80000005 }, { 3, 0x83, 0x80000005 }, { 3, 0xff, 0x80000005 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setup(NULL);
		world_share(PAGE);
		world_share(PAGE2);
		world_put_vmsa_of(PAGE, (uint8_t)cases[i].vmpl);
		if (world_level_call(cases[i].by, 0, CORE(SVSM_CORE_CREATE_VCPU), PAGE, PAGE2, 2)
			    .rax != cases[i].result)
			fail_msg("case %zu", i);
		assert_int_equal(registry_is_vmsa(gpa(PAGE)), cases[i].result == 0);
		if (cases[i].result == 0)
			continue;
		/* Both have it as before. */
		assert_true(world_guest_owns(PAGE));
		assert_int_equal(lower_rights(PAGE), 15);
		assert_int_equal(guest_pages_state(gpa(PAGE)), GUEST_PAGE_VALID);
	}
}

static bool raises_its_level(void *context, const struct model_event *event)
{
	if (event->op == MODEL_EXCHANGE) /* after the first look, before the rights go */
		*model_memory(gpa(PAGE + OFFSET_VMPL)) = *(uint8_t *)context;
	return true;
}

/* The level that the call was judged by is the one that the VMSA has when nobody can write it. */
static void a_level_that_changes_meanwhile(void **state)
{
	(void)state;
	for (uint8_t vmpl = 0; vmpl < 3; vmpl++) {
		world_share(PAGE);
		world_share(PAGE2);
		world_put_vmsa_of(PAGE, 3);
		model_set_hook(raises_its_level, &vmpl);
		assert_int_equal(lower_create(PAGE, PAGE2, 2), 0x80000005);
		model_set_hook(NULL, NULL);
		assert_false(rmp_is_vmsa(model_rmp(), PAGE / ABI_PAGE_SIZE));
	}
}

/* What VMPL3 cannot write is not its own to give, as a VMSA or as a calling area. */
static void a_vcpu_of_pages_that_are_the_others(void **state)
{
	static const unsigned int no_write[] = { 0, 1, 4, 8, 13 };

	(void)state;
	world_share(PAGE2);
	for (size_t i = 0; i < sizeof(no_write) / sizeof(no_write[0]); i++) {
		world_put_vmsa_of(PAGE, 3);
		world_share_as(PAGE, no_write[i]);
		assert_int_equal(lower_create(PAGE, PAGE2, 2), 0x80000003);
		assert_int_equal(guest_pages_state(gpa(PAGE)), GUEST_PAGE_VALID);
		assert_true(world_guest_owns(PAGE));
		world_put_vmsa_of(LIST, 3);
		*model_memory(gpa(PAGE)) = 0x77;
		assert_int_equal(lower_create(LIST, PAGE, 2), 0x80000003);
		assert_untouched(PAGE, no_write[i]);
	}
	assert_int_equal(lower_create(UPPER_VMSA, PAGE2, 2), 0x80000003);
	assert_int_equal(lower_create(WORLD_BOOT_VMSA, PAGE2, 2), 0x80000003);
	assert_int_equal(lower_create(LIST, UPPER_CAA, 1), 0x80000003);
	assert_int_equal(lower_create(LIST, WORLD_BOOT_CAA, 2), 0x80000003);
	assert_false(registry_is_vmsa(gpa(LIST)));
}

/* An area of its own that the first level has taken back is the first's: no byte of it changes. */
static void an_area_that_was_taken_back(void **state)
{
	(void)state;
	world_create_lower(1, PAGE, PAGE2);
	fill(PAGE2, 0);
	world_put_vmsa_of(LIST, 3);
	assert_int_equal(lower_create(LIST, PAGE2, 1), 0x80000003);
	assert_int_equal(*model_memory(gpa(PAGE2)), 0x77);
	world_share_as(PAGE2, 3);
	assert_int_equal(lower_create(LIST, PAGE2, 1), 0);
	assert_int_equal(*model_memory(gpa(PAGE2)), 0);
}

/* It has its share of the places for VMSAs, which ends, and a deleted one gives its place back. */
static void it_leaves_room_for_the_first(void **state)
{
	uint64_t page = WORLD_SMALL + 0x80000, result = 0;
	unsigned int made = 0;

	(void)state;
	world_share(PAGE2);
	for (; page < WORLD_SMALL + MIB; page += ABI_PAGE_SIZE) {
		world_share(page);
		world_put_vmsa_of(page, 3);
		result = lower_create(page, PAGE2, 2);
		if (result)
			break;
		made++;
	}
	assert_int_equal(result, 0x80000006);
	assert_int_equal(made, 64);
	assert_true(world_guest_owns(page));
	assert_int_equal(lower_rights(page), 15);
	world_create(3, PAGE, UPPER);
	assert_int_equal(lower(CORE(SVSM_CORE_DELETE_VCPU), page - ABI_PAGE_SIZE, 0, 0), 0);
	assert_int_equal(lower_create(page, PAGE2, 2), 0);
}

/* The calling area of one level is not that of another, on the same APIC id either. */
static void areas_are_of_a_level(void **state)
{
	(void)state;
	world_put_vmsa_of(PAGE, 3);
	assert_int_equal(world_core(SVSM_CORE_CREATE_VCPU, PAGE, WORLD_BOOT_CAA, 0), 0x80000003);
	assert_int_equal(world_core(SVSM_CORE_CREATE_VCPU, PAGE, UPPER_CAA, 1), 0x80000003);
	world_put_vmsa(PAGE);
	assert_int_equal(world_core(SVSM_CORE_CREATE_VCPU, PAGE, CAA, 1), 0x80000003);
	assert_int_equal(*model_memory(gpa(CAA)), 0);
}

static void the_second_does_not_replace_itself(void **state)
{
	(void)state;
	world_share(PAGE);
	world_put_vmsa_of(PAGE, 3);
	assert_int_equal(lower_create(PAGE, LIST, 0), 0x80000005);
	assert_int_equal(lower_rights(PAGE), 15);
}

/* With alternate injection the first level's VMSAs have it, and no other's. */
static void a_second_level_has_no_apic_of_socles(void **state)
{
	static const uint64_t none = 0x1, alternate = 0x11;

	(void)state;
	arch_guest_alternate(true);
	world_put_vmsa_of(PAGE, 3);
	world_put(PAGE + OFFSET_FEATURES, &alternate, sizeof(alternate));
	assert_int_equal(world_core(SVSM_CORE_CREATE_VCPU, PAGE, PAGE2, 1), 0x80000005);
	world_put(PAGE + OFFSET_FEATURES, &none, sizeof(none));
	assert_int_equal(world_core(SVSM_CORE_CREATE_VCPU, PAGE, PAGE2, 1), 0);
}

/* A creation that is undone leaves each level what it had. */
static void an_undone_creation_gives_both_back(void **state)
{
	(void)state;
	world_share(PAGE2);
	for (unsigned int nth = 1; nth <= 3; nth++) {
		world_share_as(PAGE, 3);
		world_put_vmsa_of(PAGE, 3);
		model_fail_with(MODEL_RMPADJUST, nth, SNP_RESULT_FAIL_PERMISSION);
		assert_int_equal(lower_create(PAGE, PAGE2, 2), 0x80001002);
		assert_true(world_guest_owns(PAGE));
		assert_int_equal(lower_rights(PAGE), 3);
		assert_int_equal(guest_pages_state(gpa(PAGE)), GUEST_PAGE_VALID);
	}
}

/* Whoever made the call, and whichever step of it failed: VMPL3 has what it had. */
static void failures_take_no_right_of_the_second(void **state)
{
	static const uint64_t entries[] = { PAGE, PAGE | VALIDATE | IGNORE_CF };

	(void)state;
	for (unsigned int nth = 1; nth <= 3; nth++) {
		world_share_as(PAGE, 3);
		world_put_vmsa_of(PAGE, 3);
		model_fail_with(MODEL_RMPADJUST, nth, SNP_RESULT_FAIL_PERMISSION);
		assert_int_equal(world_core(SVSM_CORE_CREATE_VCPU, PAGE, PAGE2, 2), 0x80001002);
		assert_int_equal(lower_rights(PAGE), 3);
	}
	for (unsigned int nth = 1; nth <= 4; nth++) {
		fill(PAGE, 3);
		world_put_list(LIST, 1, 0, &entries[nth > 2]);
		model_fail_with(MODEL_RMPADJUST, nth > 2 ? nth - 2 : nth,
				SNP_RESULT_FAIL_PERMISSION);
		assert_int_equal(world_core(SVSM_CORE_PVALIDATE, LIST, 0, 0), 0x80001002);
		assert_untouched(PAGE, 3);
	}
}

/* ---- DELETE_VCPU ---- */

static void the_second_deletes_none_of_the_first(void **state)
{
	(void)state;
	assert_int_equal(lower(CORE(SVSM_CORE_DELETE_VCPU), UPPER_VMSA, 0, 0), 0x80000005);
	assert_int_equal(lower(CORE(SVSM_CORE_DELETE_VCPU), WORLD_BOOT_VMSA, 0, 0), 0x80000005);
	assert_true(rmp_is_vmsa(model_rmp(), UPPER_VMSA / ABI_PAGE_SIZE));
	assert_true(registry_is_vmsa(gpa(UPPER_VMSA)));
	assert_int_equal(guest_pages_state(gpa(UPPER_CAA)), GUEST_PAGE_CALLING);
}

/* GetRandom, 12 bytes, in turns: docs/spec/vtpm-in-turns.md. */
static void put_command(uint64_t at)
{
	static const uint8_t command[] = { 8, 0, 0, 0x80, 0, 12, 0, 0,	  0, 0x80, 1,
					   0, 0, 0, 12,	  0, 0,	 1, 0x7b, 0, 8 };

	world_put(at, command, sizeof(command));
}

/* A refused DELETE_VCPU gives up nothing that the other level has begun. */
static void the_second_ends_no_command_of_the_first(void **state)
{
	struct world_service *vtpm = world_service(SERVICE_VTPM);

	(void)state;
	vtpm->slices = 2;
	vtpm->reply_size = 20;
	put_command(UPPER);
	assert_int_equal(world_call(1, VTPM(SVSM_VTPM_CMD), UPPER, 0, 0).rax, 0x80000000);
	assert_int_equal(lower(CORE(SVSM_CORE_DELETE_VCPU), UPPER_VMSA, 0, 0), 0x80000005);
	assert_int_equal(world_call(1, VTPM(SVSM_VTPM_CMD), UPPER, 0, 0).rax, 0x80000000);
	assert_int_equal(world_call(1, VTPM(SVSM_VTPM_CMD), UPPER, 0, 0).rax, 0);
	assert_int_equal(vtpm->calls, 1);
}

static void the_first_deletes_the_second(void **state)
{
	struct registry_vcpu vcpu;

	(void)state;
	assert_int_equal(world_core(SVSM_CORE_DELETE_VCPU, VMSA, 0, 0), 0);
	assert_false(registry_enter(0, 3, &vcpu));
	assert_true(world_guest_owns(VMSA));
	assert_int_equal(lower_rights(VMSA), 0);
	assert_int_equal(guest_pages_state(gpa(CAA)), GUEST_PAGE_VALID);
	assert_true(registry_enter(0, 2, &vcpu));
	registry_leave(0, 2);
}

/* Whatever VMPL3 might do with the VMSA; and a page of which it keeps a right is nobody's. */
static void a_deleted_ones_page_is_the_firsts_alone(void **state)
{
	struct registry_vcpu vcpu;

	(void)state;
	for (unsigned int fails = 0; fails < 2; fails++) {
		setup(NULL);
		model_rmp()->entries[VMSA / ABI_PAGE_SIZE].perms[3] = 1;
		if (fails)
			model_fail_with(MODEL_RMPADJUST, 2, SNP_RESULT_FAIL_PERMISSION);
		assert_int_equal(world_core(SVSM_CORE_DELETE_VCPU, VMSA, 0, 0),
				 fails ? 0x80000003 : 0);
		assert_int_equal(lower_rights(VMSA), fails ? 1 : 0);
		assert_int_equal(guest_pages_state(gpa(VMSA)),
				 fails ? GUEST_PAGE_TAKEN : GUEST_PAGE_VALID);
		assert_false(registry_enter(0, 3, &vcpu));
	}
}

static void the_second_deletes_itself(void **state)
{
	struct registry_vcpu vcpu;

	(void)state;
	assert_true(world_level_call(3, 0, CORE(SVSM_CORE_DELETE_VCPU), VMSA, 0, 0).caller_deleted);
	assert_false(registry_enter(0, 3, &vcpu));
	assert_true(registry_enter(0, 2, &vcpu));
	registry_leave(0, 2);
}

/* ---- PVALIDATE ---- */

static void pvalidate_reaches_what_it_can_write(void **state)
{
	static const unsigned int no_write[] = { 0, 1, 4, 5, 8, 13 };
	static const uint64_t all[] = { 0, IGNORE_CF, VALIDATE, VALIDATE | IGNORE_CF };

	(void)state;
	for (size_t i = 0; i < sizeof(no_write) / sizeof(no_write[0]); i++) {
		fill(PAGE, no_write[i]);
		for (size_t j = 0; j < sizeof(all) / sizeof(all[0]); j++) {
			assert_int_equal(lower_pvalidate(PAGE | all[j]), 0x80000003);
			assert_untouched(PAGE, no_write[i]);
		}
	}
	fill(PAGE, 3);
	assert_int_equal(lower_pvalidate(PAGE | VALIDATE), 0x80001010);
	assert_untouched(PAGE, 3);
	assert_int_equal(lower_pvalidate(PAGE), 0);
	assert_int_equal(guest_pages_state(gpa(PAGE)), GUEST_PAGE_INVALID);
	assert_true(world_guest_barred(PAGE));
}

/* Emptied, it is what it was to each of them. */
static void an_emptied_page_keeps_its_rights(void **state)
{
	(void)state;
	fill(PAGE, 3);
	assert_int_equal(lower_pvalidate(PAGE | VALIDATE | IGNORE_CF), 0);
	assert_int_equal(*model_memory(gpa(PAGE)), 0);
	assert_int_equal(guest_pages_state(gpa(PAGE)), GUEST_PAGE_VALID);
	assert_true(world_guest_owns(PAGE));
	assert_int_equal(lower_rights(PAGE), 3);
}

/* Nobody could write it: so it is the first level that has it validated. */
static void what_is_not_valid_is_not_the_seconds(void **state)
{
	(void)state;
	assert_int_equal(lower_pvalidate(WORLD_INVALID | VALIDATE), 0x80000003);
	assert_int_equal(lower_pvalidate(WORLD_INVALID | VALIDATE | IGNORE_CF), 0x80000003);
	assert_int_equal(lower_pvalidate(WORLD_INVALID | IGNORE_CF), 0x80000003);
	assert_int_equal(lower_pvalidate(WORLD_INVALID | LARGE | VALIDATE), 0x80000003);
	assert_int_equal(guest_pages_state(gpa(WORLD_INVALID)), GUEST_PAGE_INVALID);
	fill(PAGE, 15);
	assert_int_equal(lower_pvalidate(PAGE), 0);
	assert_int_equal(lower_pvalidate(PAGE | VALIDATE), 0x80000003);
	/* The first has it back, and gives of it what it wants. */
	world_put_list(LIST, 1, 0, &(uint64_t){ PAGE | VALIDATE });
	assert_int_equal(world_core(SVSM_CORE_PVALIDATE, LIST, 0, 0), 0);
	assert_int_equal(lower_rights(PAGE), 0);
	assert_int_equal(lower_pvalidate(PAGE), 0x80000003);
}

static void large_pages(void **state)
{
	struct rmp_outcome out;

	(void)state;
	assert_int_equal(lower_pvalidate(WORLD_LARGE | LARGE), 0x80000003);
	assert_int_equal(lower_pvalidate((WORLD_LARGE + 0x5000) | VALIDATE), 0x80000003);
	out = rmp_adjust(model_rmp(), 2, WORLD_LARGE / ABI_PAGE_SIZE, SNP_PAGE_2M, 0x303);
	assert_int_equal(out.eax, 0);
	assert_int_equal(lower_pvalidate(WORLD_LARGE | LARGE | VALIDATE), 0x80001010);
	assert_int_equal(lower_pvalidate(WORLD_LARGE | LARGE), 0);
	/* 512 small ones, of which it can write the first alone. */
	setup(NULL);
	world_share(WORLD_SMALL);
	assert_int_equal(lower_pvalidate(WORLD_SMALL | LARGE), 0x80000003);
	assert_int_equal(guest_pages_state(gpa(WORLD_SMALL)), GUEST_PAGE_VALID);
}

static bool the_first_takes_it(void *context, const struct model_event *event)
{
	(void)context;
	if (event->op == MODEL_READ && event->at.raw == LIST + 8)
		world_share_as(PAGE, 0);
	return true;
}

/* It is the right at the time that counts, not one at the beginning of the call. */
static void a_right_that_goes_meanwhile(void **state)
{
	(void)state;
	fill(PAGE, 15);
	model_set_hook(the_first_takes_it, NULL);
	assert_int_equal(lower_pvalidate(PAGE), 0x80000003);
	model_set_hook(NULL, NULL);
	assert_untouched(PAGE, 0);
}

/*
 * A page that VMPL3 cannot write is not taken for it, for a moment either: the calls of VMPL2 would
 * fail on it meanwhile.
 */
static bool nobody_has_taken_it(void *context, const struct model_event *event)
{
	unsigned int *seen = context;

	if (event->op != MODEL_RMPQUERY || event->at.raw != PAGE)
		return true;
	/* The sixth is of who copies the level of a new VMSA, and has the lock. */
	if (++*seen != 6)
		assert_int_equal(guest_pages_state(gpa(PAGE)), GUEST_PAGE_VALID);
	return true;
}

static void nothing_is_taken_that_is_not_its_own(void **state)
{
	unsigned int seen = 0;

	(void)state;
	fill(PAGE, 1);
	world_share(PAGE2);
	world_put_vmsa_of(PAGE2, 3);
	model_set_hook(nobody_has_taken_it, &seen);
	assert_int_equal(lower_pvalidate(PAGE), 0x80000003);
	assert_int_equal(lower_pvalidate(PAGE | VALIDATE), 0x80000003);
	assert_int_equal(lower_create(PAGE2, PAGE, 2), 0x80000003);
	assert_int_equal(lower(CORE(SVSM_CORE_REMAP_CA), PAGE, 0, 0), 0x80000003);
	assert_int_equal(seen, 4);
	world_put_vmsa_of(PAGE, 3);
	assert_int_equal(lower_create(PAGE, PAGE2, 2), 0x80000003);
	assert_int_equal(seen, 7);
	model_set_hook(NULL, NULL);
}

/* Nor is one that is not validated: nothing is asked of the RMP, and its state never changes. */
static void nothing_is_asked_of_what_is_not_valid(void **state)
{
	const struct model_event *journal;
	size_t count;

	(void)state;
	for (uint64_t page = WORLD_INVALID; page < WORLD_REGION; page += 4 * MIB) {
		model_journal_clear();
		assert_int_equal(lower_pvalidate(page | VALIDATE), 0x80000003);
		assert_int_equal(lower_pvalidate(page), 0x80000003);
		journal = model_journal(&count);
		for (size_t i = 0; i < count; i++)
			assert_int_not_equal(journal[i].at.raw, page);
	}
}

/* ---- Memory that calls read and write ---- */

static void remap_ca_to_what_it_can_use(void **state)
{
	static const unsigned int no_use[] = { 0, 1, 2, 4, 13, 14 };

	(void)state;
	for (size_t i = 0; i < sizeof(no_use) / sizeof(no_use[0]); i++) {
		fill(PAGE, no_use[i]);
		assert_int_equal(lower(CORE(SVSM_CORE_REMAP_CA), PAGE, 0, 0), 0x80000003);
		assert_untouched(PAGE, no_use[i]);
	}
	assert_int_equal(lower(CORE(SVSM_CORE_REMAP_CA), UPPER_CAA, 0, 0), 0x80000003);
	assert_int_equal(lower(CORE(SVSM_CORE_REMAP_CA), WORLD_BOOT_CAA, 0, 0), 0x80000003);
	assert_int_equal(lower(CORE(SVSM_CORE_REMAP_CA), UPPER_VMSA, 0, 0), 0x80000003);
	fill(PAGE, 3);
	assert_int_equal(lower(CORE(SVSM_CORE_REMAP_CA), PAGE, 0, 0), 0);
	assert_int_equal(guest_pages_state(gpa(CAA)), GUEST_PAGE_VALID);
	assert_int_equal(guest_pages_state(gpa(PAGE)), GUEST_PAGE_CALLING);
}

/*
 * Socle writes for nobody what he could not write himself, and says nothing of what he cannot read.
 */
static void calls_do_not_copy_for_it(void **state)
{
	uint64_t entry = PAGE | VALIDATE;

	(void)state;
	fill(UPPER, 0);
	assert_int_equal(lower(CORE(SVSM_CORE_WITHDRAW_MEM), UPPER, 0, 0), 0x80000003);
	assert_untouched(UPPER, 0);
	fill(UPPER, 1);
	assert_int_equal(lower(CORE(SVSM_CORE_WITHDRAW_MEM), UPPER, 0, 0), 0x80000003);
	assert_untouched(UPPER, 1);
	world_put_list(UPPER, 1, 0, &entry);
	world_share_as(UPPER, 0);
	assert_int_equal(lower(CORE(SVSM_CORE_PVALIDATE), UPPER, 0, 0), 0x80000003);
	assert_int_equal(lower(CORE(SVSM_CORE_DEPOSIT_MEM), UPPER, 0, 0), 0x80000003);
	world_share_as(UPPER, 1);
	assert_int_equal(lower(CORE(SVSM_CORE_DEPOSIT_MEM), UPPER, 0, 0), 0x80000006);
	/* A list that it can read alone is worked on, and its result refused. */
	fill(PAGE, 3);
	assert_int_equal(lower(CORE(SVSM_CORE_PVALIDATE), UPPER, 0, 0), 0x80001010);
	assert_int_equal(*model_memory(gpa(UPPER + 2)), 0);
}

/* ---- Calls ---- */

static uint64_t versions(uint64_t protocol)
{
	struct svsm_call call = world_level_call(3, 0, CORE(SVSM_CORE_QUERY_PROTOCOL),
						 protocol << 32 | 1, 0, 0);

	assert_int_equal(call.rax, 0);
	return call.rcx;
}

/* All calls of services and of the APIC, and what no level has: nothing is asked of anybody. */
static void it_has_the_core_protocol_alone(void **state)
{
	(void)state;
	guest_apic_init(WORLD_CPUS);
	put_command(LIST);
	for (uint64_t protocol = 1; protocol < 5; protocol++) {
		for (uint64_t call = 0; call < 6; call++)
			assert_int_equal(lower(protocol << 32 | call, LIST, 0, 0), 0x80000001);
		assert_int_equal(versions(protocol), 0);
	}
	assert_int_equal(versions(0), 0x100000001);
	assert_int_equal(lower(8, LIST, 0, 0), 0x80000002);
	assert_int_equal(lower(UINT32_MAX, LIST, 0, 0), 0x80000002);
	assert_int_equal(lower(0x80000000ull << 32, LIST, 0, 0), 0x80000001);
	assert_int_equal(lower(UINT64_MAX, LIST, 0, 0), 0x80000001);
	assert_int_equal(world_service(SERVICE_VTPM)->calls, 0);
	assert_int_equal(world_service(SERVICE_ATTEST)->calls, 0);
	/* And the first has them all. */
	assert_int_equal(world_call(0, 3ull << 32, 0, 0, 0).rax, 0);
	assert_int_equal(world_call(0, VTPM(SVSM_VTPM_QUERY), 0, 0, 0).rax, 0);
}

static void the_image_grants_services(void **state)
{
	struct world_service *vtpm = world_service(SERVICE_VTPM);

	(void)state;
	assert_true(levels_init(2, SOCLE_LOWER_VTPM));
	assert_int_equal(versions(2), 0x100000001);
	assert_int_equal(versions(1), 0);
	assert_int_equal(lower(ATTEST(SVSM_ATTEST_SERVICES), LIST, 0, 0), 0x80000001);
	assert_int_equal(lower(VTPM(SVSM_VTPM_QUERY), 0, 0, 0), 0);
	put_command(PAGE);
	*model_memory(gpa(PAGE + 3)) = 0; /* not in turns */
	vtpm->reply_size = 20;
	for (unsigned int perms = 0; perms < 3; perms++) {
		world_share_as(PAGE, perms);
		assert_int_equal(lower(VTPM(SVSM_VTPM_CMD), PAGE, 0, 0), 0x80000003);
	}
	assert_int_equal(vtpm->calls, 0);
	world_share_as(PAGE, 3);
	assert_int_equal(lower(VTPM(SVSM_VTPM_CMD), PAGE, 0, 0), 0);
	assert_true(levels_init(2, SOCLE_LOWER_ATTEST));
	assert_int_equal(versions(1), 0x200000001);
	assert_int_equal(lower(VTPM(SVSM_VTPM_CMD), PAGE, 0, 0), 0x80000001);
	/* 58019, table 11, and no report into pages of the first. */
	memset(model_memory(gpa(PAGE)), 0, ABI_PAGE_SIZE);
	memcpy(model_memory(gpa(PAGE)), &(uint64_t){ UPPER }, 8);
	*model_memory(gpa(PAGE + 9)) = 0x10;
	memcpy(model_memory(gpa(PAGE + 0x10)), &(uint64_t){ PAGE + 0x100 }, 8);
	*model_memory(gpa(PAGE + 0x18)) = 64;
	assert_int_equal(lower(ATTEST(SVSM_ATTEST_SERVICES), PAGE, 0, 0), 0x80000003);
	assert_int_equal(world_service(SERVICE_VTPM)->calls, 1);
	world_share_as(UPPER, 3);
	(void)lower(ATTEST(SVSM_ATTEST_SERVICES), PAGE, 0, 0);
	assert_int_equal(world_service(SERVICE_VTPM)->calls, 2);
}

/*
 * However often the second asks, the first's response waits; the first waits for none of the
 * second's.
 */
static void responses_in_turns_are_of_a_level(void **state)
{
	struct world_service *vtpm = world_service(SERVICE_VTPM);

	(void)state;
	assert_true(levels_init(2, SOCLE_LOWER_VTPM));
	vtpm->slices = 1;
	vtpm->reply_size = 20;
	put_command(UPPER);
	put_command(PAGE);
	world_share(PAGE);
	assert_int_equal(world_call(1, VTPM(SVSM_VTPM_CMD), UPPER, 0, 0).rax, 0x80000000);
	for (unsigned int i = 0; i < 3000; i++)
		assert_int_equal(lower(VTPM(SVSM_VTPM_CMD), PAGE, 0, 0), 0x80000000);
	assert_int_equal(vtpm->calls, 1);
	assert_int_equal(world_call(1, VTPM(SVSM_VTPM_CMD), UPPER, 0, 0).rax, 0);
	/*
	 * The other way round: one turn ends the second's command, and what it came to is in
	 * nobody's way.
	 */
	put_command(UPPER); /* where the response was */
	vtpm->slices = 1;
	assert_int_equal(lower(VTPM(SVSM_VTPM_CMD), PAGE, 0, 0), 0x80000000);
	assert_int_equal(world_call(1, VTPM(SVSM_VTPM_CMD), UPPER, 0, 0).rax, 0x80000000);
	assert_int_equal(vtpm->calls, 2);
	vtpm->slices = 1;
	assert_int_equal(world_call(1, VTPM(SVSM_VTPM_CMD), UPPER, 0, 0).rax, 0x80000000);
	assert_int_equal(vtpm->calls, 3);
	assert_int_equal(world_call(1, VTPM(SVSM_VTPM_CMD), UPPER, 0, 0).rax, 0);
	/* Whose response was dropped is told so, once. */
	assert_int_equal(lower(VTPM(SVSM_VTPM_CMD), PAGE, 0, 0), 0x80001001);
	assert_int_equal(vtpm->calls, 3);
}

/*
 * A page that both can use: the same command of the other level is another one, and gives up
 * nothing.
 */
static void a_shared_page_is_each_levels_own(void **state)
{
	struct world_service *vtpm = world_service(SERVICE_VTPM);

	(void)state;
	assert_true(levels_init(2, SOCLE_LOWER_VTPM));
	vtpm->slices = 1;
	vtpm->reply_size = 20;
	put_command(LIST);
	assert_int_equal(world_call(1, VTPM(SVSM_VTPM_CMD), LIST, 0, 0).rax, 0x80000000);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(lower(VTPM(SVSM_VTPM_CMD), LIST, 0, 0), 0x80000000);
	assert_int_equal(world_call(1, VTPM(SVSM_VTPM_CMD), LIST, 0, 0).rax, 0);
	assert_int_equal(vtpm->calls, 1);
}

static void levels_that_are_none(void **state)
{
	(void)state;
	assert_false(levels_init(0, 0));
	assert_false(levels_init(4, 0));
	assert_false(levels_init(2, 4));
	assert_false(levels_init(2, UINT32_MAX));
	assert_int_equal(guest_vmpl(), 2);
	assert_false(level_lower_may(SOCLE_LOWER_VTPM));
	assert_false(level_is_lower(0));
	assert_false(level_is_lower(1));
	assert_false(level_is_lower(2));
	assert_true(level_is_lower(3));
	assert_false(level_is_lower(4));
}

/* On a processor that has no RMPQUERY, or a page of which it does not tell, there are no rights. */
static void without_an_answer_it_has_no_page(void **state)
{
	(void)state;
	world_share(PAGE);
	for (unsigned int nth = 1; nth <= 3; nth++) {
		model_fail(MODEL_RMPQUERY, nth);
		assert_int_equal(lower_pvalidate(PAGE | VALIDATE), 0x80000003);
	}
	model_fail(MODEL_RMPQUERY, 1);
	assert_int_equal(lower(CORE(SVSM_CORE_REMAP_CA), PAGE, 0, 0), 0x80000003);
	model_fail_with(MODEL_RMPQUERY, 1, SNP_RESULT_FAIL_PERMISSION);
	assert_int_equal(lower(CORE(SVSM_CORE_REMAP_CA), PAGE, 0, 0), 0x80000003);
	model_fail(MODEL_RMPQUERY, 0);
	assert_int_equal(lower(CORE(SVSM_CORE_REMAP_CA), PAGE, 0, 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_makes_a_second),
		TEST(nobody_makes_a_level_above_his_own),
		TEST(a_level_that_changes_meanwhile),
		TEST(a_vcpu_of_pages_that_are_the_others),
		TEST(an_area_that_was_taken_back),
		TEST(it_leaves_room_for_the_first),
		TEST(areas_are_of_a_level),
		TEST(the_second_does_not_replace_itself),
		TEST(a_second_level_has_no_apic_of_socles),
		TEST(an_undone_creation_gives_both_back),
		TEST(failures_take_no_right_of_the_second),
		TEST(the_second_deletes_none_of_the_first),
		TEST(the_second_ends_no_command_of_the_first),
		TEST(the_first_deletes_the_second),
		TEST(a_deleted_ones_page_is_the_firsts_alone),
		TEST(the_second_deletes_itself),
		TEST(pvalidate_reaches_what_it_can_write),
		TEST(an_emptied_page_keeps_its_rights),
		TEST(what_is_not_valid_is_not_the_seconds),
		TEST(large_pages),
		TEST(a_right_that_goes_meanwhile),
		TEST(nothing_is_taken_that_is_not_its_own),
		TEST(nothing_is_asked_of_what_is_not_valid),
		TEST(remap_ca_to_what_it_can_use),
		TEST(calls_do_not_copy_for_it),
		TEST(it_has_the_core_protocol_alone),
		TEST(the_image_grants_services),
		TEST(responses_in_turns_are_of_a_level),
		TEST(a_shared_page_is_each_levels_own),
		TEST(levels_that_are_none),
		TEST(without_an_answer_it_has_no_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
