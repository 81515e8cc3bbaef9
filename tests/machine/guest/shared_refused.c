/* SPDX-License-Identifier: MIT */
/*
 * A host that does not convert ends the VM at a shared access to a private page. The runner looks
 * at the address of the stop.
 */
#include "tests/machine/guest/guest.h"

void test_main(void)
{
	check("page state change to private", page_make_private(TEST_PAGE), 0x015);
	check("PVALIDATE", pvalidate(TEST_PAGE, 0, 1).eax, 0);
	*(volatile uint64_t *)shared_view(TEST_PAGE + 8) = 1;
	check("the access was done", 1, 0);
}
