/* SPDX-License-Identifier: MIT */
/*
 * #VC: vector 29, the error code is the exit code, RIP is at the instruction (APM volume 2,
 * 15.35.5; exit codes: appendix C). The same from ring 0 and from ring 3.
 */
#include "tests/machine/guest/guest.h"

static volatile struct {
	uint64_t count, vector, error, rip, cs;
} seen;

extern char vc_cpuid[], vc_out[], vc_in[], vc_rdmsr[], vc_vmmcall[], vc_user[], vc_user_vmmcall[];
extern char vc_user_entry[];
void vc_run_cpuid(void);
void vc_run_out(void);
void vc_run_in(void);
void vc_run_rdmsr(void);
void vc_run_vmmcall(void);

static uint8_t user_stack[4096] __attribute__((aligned(16)));
static uint64_t skip;

static void note(struct trap_frame *frame)
{
	seen.count++;
	seen.vector = frame->vector;
	seen.error = frame->error;
	seen.rip = frame->rip;
	seen.cs = frame->cs;
	frame->rip += skip;
}

static void expect(const char *rule, const char *rip_rule, void (*run)(void), const char *at,
		   uint64_t length, uint64_t error)
{
	seen.count = 0;
	skip = length;
	run();
	check(rule, seen.error, error);
	check(rip_rule, seen.rip, (uint64_t)at);
	check("  once, vector 29", seen.count << 8 | seen.vector, 0x11d);
	check("  CS of ring 0", seen.cs, 0x08);
}

static void note_and_leave(struct trap_frame *frame)
{
	note(frame);
	user_leave(frame);
}

static void expect_user(const char *rule, const char *at, uint64_t error)
{
	seen.count = 0;
	skip = 0;
	trap_handler = note_and_leave;
	user_run((uint64_t)at, (uint64_t)user_stack + sizeof(user_stack));
	trap_handler = note;
	check(rule, seen.error, error);
	check("  RIP at the instruction", seen.rip, (uint64_t)at);
	check("  once, vector 29", seen.count << 8 | seen.vector, 0x11d);
	check("  CS of ring 3", seen.cs, 0x23);
}

static uint64_t not_validated_read(void)
{
	return *(volatile uint64_t *)private_view(TEST_PAGE);
}

/* The handler validates the page, and the access is done again. */
static void validate_it(struct trap_frame *frame)
{
	seen.count++;
	seen.error = frame->error;
	(void)pvalidate(TEST_PAGE, 0, 1);
}

void test_main(void)
{
	trap_handler = note;
	expect("CPUID: 0x72", "  RIP at CPUID", vc_run_cpuid, vc_cpuid, 2, 0x72);
	expect("OUT: 0x7b", "  RIP at OUT", vc_run_out, vc_out, 1, 0x7b);
	expect("IN: 0x7b", "  RIP at IN", vc_run_in, vc_in, 1, 0x7b);
	expect("RDMSR: 0x7c", "  RIP at RDMSR", vc_run_rdmsr, vc_rdmsr, 2, 0x7c);
	expect("VMMCALL: 0x81", "  RIP at VMMCALL", vc_run_vmmcall, vc_vmmcall, 3, 0x81);
	expect_user("CPUID in ring 3: 0x72", vc_user, 0x72);
	expect_user("VMMCALL in ring 3: 0x81", vc_user_vmmcall, 0x81);

	seen.count = 0;
	check("page state change to private", page_make_private(TEST_PAGE), 0x015);
	trap_handler = validate_it;
	(void)not_validated_read();
	check("access to a page that is not validated: 0x404 (15.36.10)", seen.error, 0x404);
	check("  and goes on when it is", seen.count, 1);
	trap_handler = NULL;
}
