/* SPDX-License-Identifier: MIT */
/*
 * A level without the right to write does not write: the access is a nested page fault, and this
 * machine stops there (APM volume 2, 15.36.7 and 15.36.10). The runner looks at level and address
 * of the stop.
 */
#include "tests/machine/guest/guest.h"

#define MARK 0x6d61726bull

static uint64_t seen;

static void at_level2(void)
{
	volatile uint64_t *word = private_view(TEST_PAGE + 8);

	seen = *word;
	level2_return();
	*word = 0;
	for (;;)
		level2_return();
}

void test_main(void)
{
	check("page state change to private", page_make_private(TEST_PAGE), 0x015);
	check("PVALIDATE", pvalidate(TEST_PAGE, 0, 1).eax, 0);
	*(volatile uint64_t *)private_view(TEST_PAGE + 8) = MARK;
	check("VMPL2 may read, not write", rmpadjust(TEST_PAGE, 0, 0x102), 0);
	level2_create(at_level2);
	level2_start();
	check("run VMPL2", level2_run(), 0x017);
	check("VMPL2 reads", seen, 0x6d61726b);
	say("VMPL2 writes now");
	(void)level2_run();
	check("VMPL2 wrote without the right to", 1, 0);
}
