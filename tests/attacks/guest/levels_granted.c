/* SPDX-License-Identifier: MIT */
/*
 * A second level to which the image grants the vTPM and attestation (58019, sections 7 and 8): it
 * has what these write in its own pages, and in none of the first level's.
 */
#include <string.h>

#include "tests/attacks/guest/lower.h"

#define VTPM_QUERY 0x200000000ull
#define VTPM_CMD 0x200000001ull
#define ATTEST_SINGLE 0x100000001ull

static uint64_t own, of_the_first;
static struct svsm_regs answer;

static void start(void)
{
	expect("it is made and starts", lower_start(page_new(), page_new()), true);
}

static uint64_t versions(uint64_t protocol)
{
	answer = (struct svsm_regs){ .rax = CORE_QUERY_PROTOCOL, .rcx = protocol << 32 | 1 };
	expect("the question is answered", svsm_call_regs(&answer, 1), true);
	return answer.rcx;
}

static void ask_for_protocols(void)
{
	expect("attestation, 1 and 2", versions(1), 0x200000001);
	expect("vTPM, 1", versions(2), 0x100000001);
	expect("no APIC", versions(3), 0);
	answer = (struct svsm_regs){ .rax = VTPM_QUERY };
	expect("the vTPM's query", svsm_call_regs(&answer, 1) && answer.rax == 0, true);
	expect("TPM_SEND_COMMAND", answer.rcx, 0x100);
}

static void offered(void)
{
	start();
	lower_run(ask_for_protocols);
}

/* TPM2_GetRandom of 8 bytes: TPM 2.0 Library part 3, section 16.1; 58019, table 16 before it. */
static void put_command(uint64_t at)
{
	static const uint8_t request[] = { 8, 0, 0, 0,	0, 12, 0, 0,	0, 0x80, 1,
					   0, 0, 0, 12, 0, 0,  1, 0x7b, 0, 8 };

	memcpy((void *)at, request, sizeof(request));
}

static void command(void)
{
	put_command(own);
	expect("in its own page", svsm_call(VTPM_CMD, own, 0, 0), 0);
	expect("size of the response", *(volatile uint32_t *)own, 20);
	expect("in the first level's", svsm_call(VTPM_CMD, of_the_first, 0, 0), 0x80000003);
	expect("across both", svsm_call(VTPM_CMD, own + 8, 0, 0), 0x80000003);
}

static void commands(void)
{
	own = page_new();
	of_the_first = own + 0x1000;
	expect("pages in a row", page_new(), of_the_first);
	lower_give(own, RIGHTS_USE);
	put_command(of_the_first);
	lower_run(command);
	expect("nothing is written", *(volatile uint32_t *)of_the_first, 8);
	lower_give(of_the_first, RIGHT_READ);
	lower_run(command);
	expect("nothing is written", *(volatile uint32_t *)of_the_first, 8);
	lower_give(own, 0);
	lower_give(of_the_first, 0);
}

/* In one page: the block, the nonce at 0x100, the report at 0x200; the manifest in another. */
static void attest(void)
{
	static const struct abi_guid vtpm = SVSM_GUID_VTPM;
	struct svsm_attest_op *op = (struct svsm_attest_op *)own;
	struct svsm_loc *const buffers[] = { &op->report, &op->nonce, &op->manifest };

	op->report = (struct svsm_loc){ .gpa = own + 0x200, .size = 0xe00 };
	op->nonce = (struct svsm_loc){ .gpa = own + 0x100, .size = 64 };
	op->manifest = (struct svsm_loc){ .gpa = own + 0x1000, .size = 0x1000 };
	op->service = vtpm;
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t good = buffers[i]->gpa;

		buffers[i]->gpa = of_the_first;
		expect("a buffer of the first level's",
		       svsm_call(ATTEST_SINGLE, (uint64_t)op, 0, 0), 0x80000003);
		buffers[i]->gpa = good;
	}
	expect("no report was written", *(volatile uint64_t *)(own + 0x200), 0);
	expect("its block in the first level's", svsm_call(ATTEST_SINGLE, of_the_first, 0, 0),
	       0x80000003);
	expect("its own", svsm_call(ATTEST_SINGLE, (uint64_t)op, 0, 0), 0);
	expect("VMPL of the report", *(volatile uint32_t *)(own + 0x200 + 0x30), 0);
}

static void reports(void)
{
	own = page_new();
	expect("pages in a row", page_new(), own + 0x1000);
	of_the_first = page_new();
	page_fill(of_the_first);
	lower_give(own, RIGHTS_USE);
	lower_give(own + 0x1000, RIGHTS_USE);
	lower_run(attest);
	expect("the page is what it was", page_filled(of_the_first), true);
	lower_give(own, 0);
	lower_give(own + 0x1000, 0);
}

const struct rule rules[] = {
	{ "the protocols that the image grants", "58019 6.7", offered, 1 },
	{ "vTPM commands in pages of both", "58019 8.2", commands, 1 },
	{ "reports into pages of both", "58019 7", reports, 1 },
	{ "the first level deletes it", "58019 6.4", lower_end, 1 },
	{ NULL, NULL, NULL, 0 },
};
