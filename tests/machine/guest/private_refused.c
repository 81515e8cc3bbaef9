/* SPDX-License-Identifier: MIT */
/*
 * A host that does not convert ends the VM at a private access to a shared page. The runner looks
 * at the address of the stop.
 */
#include "tests/machine/guest/guest.h"

void test_main(void)
{
	check("page state change to shared", page_make_shared(TEST_PAGE), 0x015);
	*(volatile uint64_t *)private_view(TEST_PAGE + 8) = 1;
	check("the access was done", 1, 0);
}
