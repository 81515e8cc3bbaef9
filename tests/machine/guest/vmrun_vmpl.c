/* SPDX-License-Identifier: MIT */
/*
 * VMRUN takes VMPL and SEV_FEATURES from the VMSA as it is then (APM volume 2, 15.36.7 and table
 * B-4: 0xca and 0x3b0), whatever level the host was asked to run. Rights by level: volume 3,
 * PVALIDATE (#GP but for VMPL0) and RMPADJUST (FAIL_PERMISSION = 2). SEV_STATUS shows the features
 * at bit 2 and up (volume 2, 15.34.10).
 */
#include "tests/machine/guest/guest.h"

#define SEV_STATUS 0xc0010131u
#define LEVEL1_PAGE (TEST_PAGE + 0x1000)
#define DEBUG_SWAP (1ull << 5)
#define EFER_SVME (1ull << 12)
/* 0, 3 to 7, 9 and 15: docs/hosts.md, strict. */
#define HOST_FEATURES 0x82f9ull
#define VTOM (1ull << 1)

static struct {
	uint64_t vector;
	uint32_t to_level1, to_level2;
	uint64_t status, read;
} seen;

static uint64_t read_from;

static void note_and_skip(struct trap_frame *frame)
{
	seen.vector = frame->vector;
	frame->rip += 4; /* PVALIDATE */
}

static void at_plane2(void)
{
	for (;;) {
		trap_handler = note_and_skip;
		seen.vector = 0;
		(void)pvalidate(TEST_PAGE, 0, 1);
		trap_handler = NULL;
		seen.to_level1 = rmpadjust(TEST_PAGE, 0, 0x101);
		seen.to_level2 = rmpadjust(TEST_PAGE, 0, 0x102);
		seen.status = msr_read(SEV_STATUS);
		seen.read = read_from ? *(volatile uint64_t *)read_from : 0;
		level2_return();
	}
}

static void run_as(const char *rule, struct snp_vmsa *vmsa, uint8_t vmpl)
{
	vmsa->vmpl = vmpl;
	check(rule, level2_run(), 0x017);
}

static void prepare(uint64_t page, uint64_t rights)
{
	check("page state change to private", page_make_private(page), 0x015);
	check("  PVALIDATE", pvalidate(page, 0, 1).eax, 0);
	*(volatile uint64_t *)page = page;
	check("  RMPADJUST", rmpadjust(page, 0, rights), 0);
}

/* How many of the features that this host lacks VMRUN takes, one at a time. */
static unsigned int taken(struct snp_vmsa *vmsa)
{
	unsigned int count = 0;

	for (unsigned int bit = 0; bit < 64; bit++) {
		if (HOST_FEATURES >> bit & 1)
			continue;
		vmsa->sev_features = 1 | 1ull << bit;
		count += level2_run() == 0x017;
	}
	vmsa->sev_features = 1;
	return count;
}

void test_main(void)
{
	struct snp_vmsa *vmsa;

	prepare(TEST_PAGE, 0x101); /* VMPL1 may read, VMPL2 may nothing */
	prepare(LEVEL1_PAGE, 0x101);
	vmsa = level2_create(at_plane2);
	for (uint64_t at = (uint64_t)image_start; at < (uint64_t)image_end; at += 4096) {
		if (at != ghcb_gpa() && at != level2_vmsa())
			(void)rmpadjust(at, 0, 0xf01);
	}
	level2_start();

	run_as("VMPL 2 in the VMSA", vmsa, 2);
	check("  PVALIDATE: #GP", seen.vector, 13);
	check("  RMPADJUST for VMPL1", seen.to_level1, 2);
	check("  RMPADJUST for VMPL2", seen.to_level2, 2);
	check("  SEV_STATUS", seen.status, 0x7);

	read_from = LEVEL1_PAGE;
	run_as("VMPL 1 in the VMSA, by the same call", vmsa, 1);
	check("  PVALIDATE: #GP", seen.vector, 13);
	check("  RMPADJUST for VMPL1", seen.to_level1, 2);
	check("  RMPADJUST for VMPL2", seen.to_level2, 0);
	check("  it reads what VMPL1 may", seen.read, LEVEL1_PAGE);

	read_from = TEST_PAGE;
	check("RMPADJUST takes the page from VMPL1", rmpadjust(TEST_PAGE, 0, 0x001), 0);
	run_as("VMPL 0 in the VMSA, by the same call", vmsa, 0);
	check("  PVALIDATE: nothing raised", seen.vector, 0);
	check("  RMPADJUST for VMPL1", seen.to_level1, 0);
	check("  RMPADJUST for VMPL2", seen.to_level2, 0);
	check("  it reads what VMPL0 may", seen.read, TEST_PAGE);

	vmsa->vmpl = 4;
	check("VMPL 4 in the VMSA: VMRUN fails", level2_run() != 0x017, 1);
	vmsa->vmpl = 0;
	vmsa->sev_features = 1 | DEBUG_SWAP;
	check("more features in the VMSA", level2_run(), 0x017);
	check("  SEV_STATUS", seen.status, 0x7 | DEBUG_SWAP << 2);
	vmsa->sev_features = 1 | VTOM;
	check("features that the CPU lacks: VMRUN fails", level2_run() != 0x017, 1);
	vmsa->sev_features = DEBUG_SWAP;
	check("no SNP in the features: VMRUN fails", level2_run() != 0x017, 1);
	check("each feature that the host lacks: VMRUN fails", taken(vmsa), 0);
	vmsa->efer &= ~EFER_SVME;
	check("EFER.SVME clear: VMRUN fails", level2_run() != 0x017, 1);
	vmsa->efer |= EFER_SVME;
	run_as("VMPL 2 again", vmsa, 2);
	check("  PVALIDATE: #GP", seen.vector, 13);
}
