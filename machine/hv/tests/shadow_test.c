/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "machine/hv/plane/shadow.h"

#define STI_NEXT 0x1001u

static struct shadow fresh(void)
{
	struct shadow s;

	shadow_reset(&s);
	return s;
}

static void test_without(void **state)
{
	struct shadow s = fresh();

	(void)state;
	assert_false(shadow_holds(&s));
	shadow_see(&s, STI_NEXT, false);
	assert_false(shadow_holds(&s));
}

/* QEMU tells of it once, and not at the next exit at the same RIP. */
static void test_until_rip_moves(void **state)
{
	struct shadow s = fresh();

	(void)state;
	shadow_see(&s, STI_NEXT, true);
	assert_true(shadow_holds(&s));
	shadow_see(&s, STI_NEXT, false);
	assert_true(shadow_holds(&s));
	shadow_see(&s, STI_NEXT + 1, false);
	assert_false(shadow_holds(&s));
	/* Nor when the guest comes there again. */
	shadow_see(&s, STI_NEXT, false);
	assert_false(shadow_holds(&s));
}

/* The exit that told of it had nothing to be injected; the one behind it has. */
static void test_nothing_waited_when_it_was_told(void **state)
{
	struct shadow s = fresh();

	(void)state;
	shadow_see(&s, STI_NEXT, true);
	shadow_see(&s, STI_NEXT, false);
	assert_true(shadow_holds(&s));
}

static void test_not_for_ever(void **state)
{
	struct shadow s = fresh();
	unsigned int held = 0;

	(void)state;
	for (shadow_see(&s, STI_NEXT, true); shadow_holds(&s); shadow_see(&s, STI_NEXT, false))
		held++;
	assert_int_equal(held, 8);
	/* Somewhere else it has all of it again. */
	shadow_see(&s, STI_NEXT + 1, true);
	assert_true(shadow_holds(&s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_until_rip_moves),
		cmocka_unit_test(test_nothing_waited_when_it_was_told),
		cmocka_unit_test(test_not_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
