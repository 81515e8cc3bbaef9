/* SPDX-License-Identifier: MIT */
/*
 * RMPADJUST changes rights of less privileged levels only, and gives none that the caller lacks:
 * FAIL_PERMISSION = 2 (APM volume 3, RMPADJUST). PVALIDATE is for VMPL0: #GP (APM volume 3).
 */
#include "tests/machine/guest/guest.h"

static struct {
	uint32_t to_level1, to_own_level, to_level0, write_it_lacks, read_it_has;
	uint64_t pvalidate_vector, pvalidate_error;
} seen;

static void note_and_skip(struct trap_frame *frame)
{
	seen.pvalidate_vector = frame->vector;
	seen.pvalidate_error = frame->error;
	frame->rip += 4; /* PVALIDATE */
}

static void at_level2(void)
{
	seen.to_level1 = rmpadjust(TEST_PAGE, 0, 0x101);
	seen.to_own_level = rmpadjust(TEST_PAGE, 0, 0x102);
	seen.to_level0 = rmpadjust(TEST_PAGE, 0, 0x100);
	seen.write_it_lacks = rmpadjust(TEST_PAGE, 0, 0x303);
	seen.read_it_has = rmpadjust(TEST_PAGE, 0, 0x103);
	trap_handler = note_and_skip;
	(void)pvalidate(TEST_PAGE, 0, 1);
	trap_handler = NULL;
	for (;;)
		level2_return();
}

void test_main(void)
{
	check("page state change to private", page_make_private(TEST_PAGE), 0x015);
	check("PVALIDATE", pvalidate(TEST_PAGE, 0, 1).eax, 0);
	check("VMPL0 lets VMPL2 read", rmpadjust(TEST_PAGE, 0, 0x102), 0);
	check("VMPL0 changes its own rights", rmpadjust(TEST_PAGE, 0, 0xf00), 2);
	level2_create(at_level2);
	level2_start();
	check("run VMPL2 and come back (GHCB 2.3.1)", level2_run(), 0x017);
	check("VMPL2 changes rights of VMPL1", seen.to_level1, 2);
	check("VMPL2 changes its own rights", seen.to_own_level, 2);
	check("VMPL2 changes rights of VMPL0", seen.to_level0, 2);
	check("VMPL2 lets VMPL3 write where it may not", seen.write_it_lacks, 2);
	check("VMPL2 lets VMPL3 read where it may", seen.read_it_has, 0);
	check("PVALIDATE at VMPL2: #GP", seen.pvalidate_vector, 13);
	check("PVALIDATE at VMPL2: error code", seen.pvalidate_error, 0);
}
