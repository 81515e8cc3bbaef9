/* SPDX-License-Identifier: MIT */
/*
 * Shared pages. The order is that of GHCB specification 56421, 2.3.1 and APM volume 2, 15.36.6: a
 * page is invalidated first, then the host makes it shared, then it is used without C-bit.
 */
#include "monitor/mem/tests/fake_memory.h"

#include <stdlib.h>
#include <string.h>

#include "monitor/arch/arch.h"
#include "monitor/base/direct.h"
#include "monitor/ghcb/ghcb.h"

#define FIRST (FAKE_BASE + 0x5000)
#define PAGES 8u

/* What a page went through. */
enum step {
	PRIVATE,
	INVALID,
	SHARED,
	NAMED,
};

static struct page_owner owner;
static enum step steps[PAGES];
static struct cpu *cpu;
static unsigned int calls;
static unsigned int failing; /* the call that fails, counted from 1; 0 none */
static bool unchanged;
static bool same_bytes; /* both sides see the same: the C-bit does nothing */
static uint64_t registered, doorbell;

static bool next_works(void)
{
	return ++calls != failing;
}

static enum step *step_of(gpa_t page)
{
	assert_in_range(page.raw, FIRST, FIRST + PAGES * 0x1000 - 1);
	assert_int_equal(page.raw % 0x1000, 0);
	return &steps[(page.raw - FIRST) / 0x1000];
}

static void advance(gpa_t page, enum step from, enum step to)
{
	assert_int_equal(*step_of(page), from);
	*step_of(page) = to;
}

uint32_t arch_pvalidate(gpa_t page, enum arch_page_size size, bool validate, bool *changed)
{
	assert_int_equal(size, 0);
	assert_false(validate);
	*changed = !unchanged;
	if (!next_works())
		return 6;
	advance(page, PRIVATE, INVALID);
	return 0;
}

bool ghcb_page_state(gpa_t page, bool private_page)
{
	assert_false(private_page);
	if (!next_works())
		return false;
	advance(page, INVALID, SHARED);
	if (!same_bytes)
		memset(direct_ptr(page), 0xa5, 0x1000); /* whatever the host puts there */
	return true;
}

bool map_direct_shared(gpa_t page, bool shared)
{
	assert_true(shared);
	if (!next_works())
		return false;
	advance(page, SHARED, NAMED);
	return true;
}

bool ghcb_register(gpa_t page)
{
	registered = page.raw;
	return next_works();
}

bool ghcb_set_doorbell(gpa_t page)
{
	/* An exit needs the GHCB. */
	assert_ptr_equal(cpu->ghcb, direct_ptr(cpu->ghcb_page));
	assert_int_equal(registered, cpu->ghcb_page.raw);
	doorbell = page.raw;
	return next_works();
}

static int start_pages(void **state)
{
	(void)state;
	return !page_alloc_init(gpa(FIRST), PAGES) || !page_owner_init(&owner, "shared", 6, false);
}

static int start(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < PAGES; i++) {
		if (page_owned(&owner, gpa(FIRST + i * 0x1000)))
			page_free(&owner, gpa(FIRST + i * 0x1000));
	}
	memset(steps, 0, sizeof(steps));
	cpu = fake_cpu_block();
	fake_cpu_reset(cpu);
	calls = failing = 0;
	unchanged = same_bytes = false;
	registered = doorbell = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(cpu);
	return 0;
}

static bool zeroed(uint64_t page)
{
	static const uint8_t zeros[0x1000];

	return memcmp(direct_ptr(gpa(page)), zeros, 0x1000) == 0;
}

static void each_page_of_a_span_is_shared(void **state)
{
	gpa_t first, one;

	(void)state;
	assert_true(ghcb_share(&owner, 3, &first));
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(*step_of(gpa(first.raw + i * 0x1000)), NAMED);
		assert_true(zeroed(first.raw + i * 0x1000));
	}
	assert_true(ghcb_share(&owner, 1, &one));
	assert_int_equal(*step_of(one), NAMED);
	assert_true(one.raw < first.raw || one.raw >= first.raw + 0x3000);
	assert_int_equal(owner.used, 4);
	assert_false(ghcb_share(&owner, 3, &first)); /* no memory */
	assert_int_equal(calls, 12);
}

/* A page that is half-way is the host's or nobody's: it stays with its owner for ever. */
static void a_page_that_is_half_way_is_not_used(void **state)
{
	gpa_t page;

	(void)state;
	for (failing = 1; failing <= 3; failing++) {
		calls = 0;
		assert_false(ghcb_share(&owner, 1, &page));
		assert_int_equal(calls, failing);
		assert_int_equal(owner.used, failing);
	}
	failing = 0;
	unchanged = true; /* it was not valid, so the host has put another page there */
	assert_false(ghcb_share(&owner, 1, &page));
	assert_int_equal(*step_of(page), INVALID);
	assert_int_equal(owner.used, 4);
}

/* A private page is written with a key that the shared side has not (APM volume 2, 15.34.5). */
static void a_c_bit_that_does_nothing_shows(void **state)
{
	gpa_t page;

	(void)state;
	same_bytes = true;
	assert_false(ghcb_share(&owner, 1, &page));
}

static void a_span_fails_with_one_of_its_pages(void **state)
{
	gpa_t first;

	(void)state;
	failing = 5;
	assert_false(ghcb_share(&owner, 2, &first));
	assert_int_equal(calls, 5);
}

/* As the first vCPU does: with what it has. */
static bool starts(void)
{
	bool shared = arch_host_pages(cpu, &owner);

	return arch_host_name_ghcb(cpu) && arch_host_name_doorbell(cpu) && shared;
}

static void a_vcpu_gets_both_its_pages(void **state)
{
	(void)state;
	assert_true(arch_host_pages(cpu, &owner));
	assert_int_equal(calls, 6);
	assert_null(cpu->ghcb); /* the host has to know it before it is used */
	assert_true(arch_host_name_ghcb(cpu));
	assert_int_equal(doorbell, 0); /* not before it is known to have restricted injection */
	assert_true(arch_host_name_doorbell(cpu));
	assert_int_equal(*step_of(cpu->ghcb_page), NAMED);
	assert_int_equal(*step_of(cpu->doorbell_page), NAMED);
	assert_int_not_equal(cpu->ghcb_page.raw, cpu->doorbell_page.raw);
	assert_int_equal(registered, cpu->ghcb_page.raw);
	assert_int_equal(doorbell, cpu->doorbell_page.raw);
	assert_ptr_equal(cpu->ghcb, direct_ptr(cpu->ghcb_page));
	assert_ptr_equal(cpu->doorbell, direct_ptr(cpu->doorbell_page));
	assert_true(cpu->doorbell_set);
}

static void a_vcpu_without_a_ghcb_has_none(void **state)
{
	(void)state;
	failing = 7; /* the registration */
	assert_false(starts());
	assert_null(cpu->ghcb);
	assert_false(cpu->doorbell_set);
	end(state);
	start(state);
	failing = 1;
	assert_false(starts());
	assert_null(cpu->ghcb);
	assert_int_equal(registered, 0);
}

static void a_vcpu_without_a_doorbell_says_so(void **state)
{
	(void)state;
	failing = 4; /* the second page */
	assert_false(starts());
	assert_null(cpu->doorbell);
	assert_int_equal(doorbell, 0);
	assert_ptr_equal(cpu->ghcb, direct_ptr(cpu->ghcb_page)); /* by which it can say so */
	end(state);
	start(state);
	failing = 8; /* telling the host */
	assert_false(starts());
	assert_false(cpu->doorbell_set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_page_of_a_span_is_shared, start, end),
		cmocka_unit_test_setup_teardown(a_page_that_is_half_way_is_not_used, start, end),
		cmocka_unit_test_setup_teardown(a_c_bit_that_does_nothing_shows, start, end),
		cmocka_unit_test_setup_teardown(a_span_fails_with_one_of_its_pages, start, end),
		cmocka_unit_test_setup_teardown(a_vcpu_gets_both_its_pages, start, end),
		cmocka_unit_test_setup_teardown(a_vcpu_without_a_ghcb_has_none, start, end),
		cmocka_unit_test_setup_teardown(a_vcpu_without_a_doorbell_says_so, start, end),
	};

	return cmocka_run_group_tests(tests, start_pages, NULL);
}
