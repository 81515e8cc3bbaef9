/* SPDX-License-Identifier: MIT */
/*
 * An SVSM starts firmware as a processor starts after reset (APM volume 2, 14.1.3 and 14.1.5): in
 * real mode at F000:FFF0 with a segment base of FFFF0000h, in memory that the launch has put there.
 * It is private memory like any other (15.36.6).
 */
#include "tests/machine/guest/guest.h"

#define FLASH_PAGE 0xfffff000ull
#define LEVEL2_ALL 0xf02u

extern uint64_t pml4[512];

static void never(void)
{
}

/* The last GiB below 4 GiB, privately at its own addresses. */
static void map_flash(void)
{
	uint64_t *pdpt = (uint64_t *)(pml4[0] & 0x7ffffffff000);
	uint64_t c_bit = pml4[0] & ~0xfffull & ~0x7ffffffff000ull;

	pdpt[3] = 3ull << 30 | c_bit | 0x87;
}

/* State after reset, but for CR0 as the test guest's CPU needs nothing else. */
static void reset_state(struct snp_vmsa *vmsa)
{
	struct snp_segment data = { 0, 0x93, 0xffff, 0 };

	vmsa->es = data;
	vmsa->ss = data;
	vmsa->ds = data;
	vmsa->fs = data;
	vmsa->gs = data;
	vmsa->cs = (struct snp_segment){ 0xf000, 0x9b, 0xffff, 0xffff0000 };
	vmsa->gdtr = (struct snp_segment){ .limit = 0xffff };
	vmsa->idtr = (struct snp_segment){ .limit = 0xffff };
	vmsa->efer = 0x1000; /* SVME, as every VMSA */
	vmsa->cr0 = 0x10;
	vmsa->cr3 = 0;
	vmsa->cr4 = 0;
	vmsa->rip = 0xfff0;
	vmsa->rsp = 0;
}

void test_main(void)
{
	struct snp_vmsa *vmsa;

	map_flash();
	check("the launch loaded the page below 4 GiB", *(volatile uint64_t *)FLASH_PAGE,
	      0x6f20656761702061); /* "a page o" */
	check("it is validated already", pvalidate(FLASH_PAGE, 0, 1).carry, 1);
	check("RMPADJUST grants it to VMPL2", rmpadjust(FLASH_PAGE, 0, LEVEL2_ALL), 0);
	vmsa = level2_create(never);
	reset_state(vmsa);
	level2_start();
	check("VMPL2 runs from the reset vector", level2_run(), 0x017);
	check("  its code: EBX", vmsa->rbx, 0x600df1a5);
	check("  it read its page: ESI", vmsa->rsi, 0x61702061); /* "a pa" */
	check("  in real mode", vmsa->cr0 & 1, 0);
	check("  CS base", vmsa->cs.base, 0xffff0000);
	check("and goes on", level2_run(), 0x017);
	check("  EBX", vmsa->rbx, 0x600df1a6);
}
