/* SPDX-License-Identifier: MIT */
/*
 * PVALIDATE says when a page was in the wanted state already: EAX = 0 and CF = 1 (APM volume 3,
 * PVALIDATE). A guest that minds the flag cannot be given a page twice.
 */
#include "tests/machine/guest/guest.h"

static void expect(const char *eax_rule, const char *carry_rule, uint32_t validate, bool carry)
{
	struct pvalidate_result r = pvalidate(TEST_PAGE, 0, validate);

	check(eax_rule, r.eax, 0);
	check(carry_rule, r.carry, carry);
}

void test_main(void)
{
	check("page state change to private", page_make_private(TEST_PAGE), 0x015);
	expect("first validation: EAX", "first validation: CF", 1, false);
	expect("second validation: EAX", "second validation: CF", 1, true);
	expect("first invalidation: EAX", "first invalidation: CF", 0, false);
	expect("second invalidation: EAX", "second invalidation: CF", 0, true);
	expect("validation again: EAX", "validation again: CF", 1, false);
}
