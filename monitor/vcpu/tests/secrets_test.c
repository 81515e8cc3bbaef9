/* SPDX-License-Identifier: MIT */
/*
 * The message keys: who has which of them when. The page's layout is that of 56860
 * (SNP_LAUNCH_UPDATE), the fields for the guest those of 58019 table 1; offsets are literals.
 */
#include "monitor/mem/tests/fake_memory.h"

#include <string.h>

#include "monitor/base/direct.h"
#include "monitor/vcpu/secrets.h"

#define PAGE FAKE_BASE
#define BEFORE_GUEST_PAGE (FAKE_BASE + 0x3000)
#define GUEST_PAGE (FAKE_BASE + 0x4000)
#define VMPCK(n) (0x20 + 0x20 * (n))
#define TSC_FACTOR 0x160

static const struct socle_params params = {
	.region = { 0x30000000, 0x1000000 },
	.secrets_page = PAGE,
	.guest_caa = 0x7654000,
};

static uint8_t *at(uint64_t address)
{
	return direct_ptr(gpa(address));
}

static bool all_are(const uint8_t *bytes, uint8_t value, size_t size)
{
	while (size && bytes[size - 1] == value)
		size--;
	return !size;
}

/* As the AMD-SP leaves it: key n is full of 0x10 + n, everything else of 0x77. */
static int launch(void **state)
{
	(void)state;
	fake_memory_fill(0x77);
	for (unsigned int n = 0; n < 4; n++)
		memset(at(PAGE) + VMPCK(n), (int)(0x10 + n), 0x20);
	secrets_init(&params);
	return 0;
}

static struct snp_secrets *given(void)
{
	struct snp_secrets *page = direct_ptr(gpa(GUEST_PAGE));

	secrets_give_guest(&params, page);
	return page;
}

static void keys_leave_the_page_whole(void **state)
{
	(void)state;
	assert_true(all_are(at(PAGE), 0, 0x1000));
	assert_true(all_are(at(PAGE + 0x1000), 0x77, 0x1000));
	assert_true(all_are(secrets_vmpck0(), 0x10, 0x20));
}

static void guest_gets_the_keys_of_its_level_and_below(void **state)
{
	const uint8_t *page = (const uint8_t *)given();

	(void)state;
	assert_true(all_are(page + VMPCK(0), 0, 0x20));
	assert_true(all_are(page + VMPCK(1), 0, 0x20));
	assert_true(all_are(page + VMPCK(2), 0x12, 0x20));
	assert_true(all_are(page + VMPCK(3), 0x13, 0x20));
}

static void guest_is_told_of_the_svsm(void **state)
{
	const uint8_t *page = (const uint8_t *)given();
	static const uint8_t svsm[] = {
		0, 0,	 0,    0x30, 0, 0, 0, 0, /* 0x140: base */
		0, 0,	 0,    1,    0, 0, 0, 0, /* 0x148: size */
		0, 0x40, 0x65, 7,    0, 0, 0, 0, /* 0x150: calling area */
		1, 0,	 0,    0,		 /* 0x158: highest version of the core protocol */
		2,				 /* 0x15c: VMPL of the guest */
	};

	(void)state;
	assert_memory_equal(page + 0x140, svsm, sizeof(svsm));
	/* What is not for the SVSM is the AMD-SP's word. */
	assert_true(all_are(page, 0x77, 0x20));
	assert_true(all_are(page + 0xa0, 0x77, 0x140 - 0xa0));
	assert_true(all_are(page + TSC_FACTOR, 0x77, 0x1000 - TSC_FACTOR));
	assert_true(all_are(at(BEFORE_GUEST_PAGE), 0x77, 0x1000));
	assert_true(all_are(at(GUEST_PAGE + 0x1000), 0x77, 0x1000));
}

/* What the guest was given once is not here to be given, or to leak, again. */
static void only_the_key_of_level_0_stays(void **state)
{
	const uint8_t *page;

	(void)state;
	(void)given();
	assert_true(all_are(secrets_vmpck0(), 0x10, 0x20));
	page = (const uint8_t *)given();
	for (unsigned int n = 0; n < 4; n++)
		assert_true(all_are(page + VMPCK(n), 0, 0x20));
	/* The monitor's copy is laid out as the page: the other three stand behind it. */
	assert_true(all_are(secrets_vmpck0() + 0x20, 0, 3 * 0x20));
	assert_true(all_are(page + 0xa0, 0x77, 0x140 - 0xa0));
	assert_true(all_are(secrets_vmpck0(), 0x10, 0x20));
}

static void wiping_leaves_nothing(void **state)
{
	const uint8_t *page;

	(void)state;
	secrets_wipe();
	assert_true(all_are(secrets_vmpck0(), 0, 0x20));
	page = (const uint8_t *)given();
	assert_true(all_are(page, 0, 0x140));
	assert_true(all_are(page + TSC_FACTOR, 0, 0x1000 - TSC_FACTOR));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(keys_leave_the_page_whole, launch),
		cmocka_unit_test_setup(guest_gets_the_keys_of_its_level_and_below, launch),
		cmocka_unit_test_setup(guest_is_told_of_the_svsm, launch),
		cmocka_unit_test_setup(only_the_key_of_level_0_stays, launch),
		cmocka_unit_test_setup(wiping_leaves_nothing, launch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
