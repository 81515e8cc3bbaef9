/* SPDX-License-Identifier: MIT */
/*
 * PVALIDATE and RMPADJUST of 2 MiB on what the RMP has as pages of 4 KiB: FAIL_SIZEMISMATCH = 6
 * (APM volume 3, PVALIDATE and RMPADJUST). A misaligned 2 MiB page: FAIL_INPUT = 1.
 */
#include "tests/machine/guest/guest.h"

#define LARGE_PAGE (TEST_PAGE + 0x400000)

static struct ghcb_answer make_large_page_private(uint64_t gpa)
{
	volatile struct ghcb_psc_header *header = (volatile void *)ghcb->shared_buffer;
	volatile uint64_t *entry = (volatile uint64_t *)(header + 1);

	header->cur_entry = 0;
	header->end_entry = 0;
	header->reserved = 0;
	entry[0] = gpa | 1ull << 52 | 1ull << 56;
	ghcb->sw_scratch = ghcb_gpa() + 0x800;
	ghcb_set_valid(0x3a8);
	return ghcb_exit(0x80000010, 0, 0);
}

void test_main(void)
{
	struct ghcb_answer answer;
	struct pvalidate_result r;

	check("4 KiB made private", page_make_private(TEST_PAGE), 0x015);
	check("PVALIDATE of 2 MiB on 4 KiB", pvalidate(TEST_PAGE, 1, 1).eax, 6);
	check("PVALIDATE of 4 KiB", pvalidate(TEST_PAGE, 0, 1).eax, 0);
	check("RMPADJUST of 2 MiB on 4 KiB", rmpadjust(TEST_PAGE, 1, 0xf02), 6);
	check("RMPADJUST of 4 KiB", rmpadjust(TEST_PAGE, 0, 0xf02), 0);

	answer = make_large_page_private(LARGE_PAGE);
	check("2 MiB made private (GHCB, page state change): SW_EXITINFO1", answer.result, 0);
	check("2 MiB made private (GHCB, page state change): SW_EXITINFO2", answer.info_2, 0);
	r = pvalidate(LARGE_PAGE, 1, 1);
	check("PVALIDATE of 2 MiB: EAX", r.eax, 0);
	check("PVALIDATE of 2 MiB: CF", r.carry, 0);
	check("RMPADJUST of 2 MiB", rmpadjust(LARGE_PAGE, 1, 0xf02), 0);
	check("PVALIDATE of 4 KiB in it, which the host splits", pvalidate(LARGE_PAGE, 0, 0).eax,
	      0);
	check("PVALIDATE of 2 MiB on what is split", pvalidate(LARGE_PAGE, 1, 0).eax, 6);
	check("PVALIDATE, size of 2", pvalidate(TEST_PAGE, 2, 1).eax, 1);
	check("RMPADJUST of VMPL4", rmpadjust(TEST_PAGE, 0, 0xf04), 1);
}
