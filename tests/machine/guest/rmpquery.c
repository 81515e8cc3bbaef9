/* SPDX-License-Identifier: MIT */
/*
 * RMPQUERY (APM volume 3): the rights of a level, the VMSA bit and the size of an entry; #VC 404h
 * where the page is not validated, #GP at CPL 3.
 */
#include "tests/machine/guest/guest.h"

#define HUGE_PAGE 0x1200000ull

static struct {
	uint64_t eax, rcx, rdx;
} answer;

static volatile uint64_t faults, fault_error;

static void skip(struct trap_frame *frame)
{
	faults++;
	fault_error = frame->vector << 32 | frame->error;
	frame->rip += 4;
}

static void query(uint64_t page, uint64_t rdx)
{
	uint64_t rax = page, rcx = ~0ull;

	__asm__ volatile(".byte 0xf3, 0x0f, 0x01, 0xfd" : "+a"(rax), "+c"(rcx), "+d"(rdx) : : "cc");
	answer.eax = (uint32_t)rax;
	answer.rcx = rcx;
	answer.rdx = rdx;
}

static void expect(const char *rule, uint64_t rdx, uint64_t size)
{
	check(rule, answer.eax << 32 | answer.rdx, rdx);
	check("  its size", answer.rcx, size);
}

void test_main(void)
{
	(void)pvalidate(TEST_PAGE, 0, 1);
	query(TEST_PAGE, 2);
	expect("a new page, VMPL2: no rights", 0x00002, 0);
	(void)rmpadjust(TEST_PAGE, 0, 0x302);
	query(TEST_PAGE, 2);
	expect("read and write for VMPL2", 0x00302, 0);
	query(TEST_PAGE, 3);
	expect("and VMPL3: no rights", 0x00003, 0);
	query(TEST_PAGE, 0);
	expect("VMPL0 has all", 0x00f00, 0);
	(void)rmpadjust(TEST_PAGE, 0, 0x10002);
	query(TEST_PAGE, 2);
	expect("the page as a VMSA", 0x10002, 0);
	(void)pvalidate(HUGE_PAGE, 1, 1);
	query(HUGE_PAGE, 1);
	expect("a page of 2 MiB", 0x00001, 1);
	query(HUGE_PAGE + 0x5000, 1);
	expect("  and from within", 0x00001, 1);
	query(TEST_PAGE, 4);
	check("VMPL 4: FAIL_INPUT", answer.eax, 1);
	trap_handler = skip;
	(void)pvalidate(TEST_PAGE, 0, 0);
	query(TEST_PAGE, 2);
	check("a page that is not validated: #VC 404h", fault_error, 29ull << 32 | 0x404);
}
