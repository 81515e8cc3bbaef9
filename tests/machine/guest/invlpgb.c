/* SPDX-License-Identifier: MIT */
/*
 * INVLPGB and TLBSYNC, under each choice of the host (APM volume 3, INVLPGB and TLBSYNC; VMCB 090h
 * bit 7 and 014h bits 0 and 4: volume 2, appendix B). #UD and CPL come before the intercept (volume
 * 2, 15.7). Exit codes 0xa0 and 0xa4: volume 2, appendix C; Linux has the same numbers in its KVM
 * (INTERCEPT_INVLPGB). That the ASID may be any: Linux, "x86/mm: Always set the ASID valid bit".
 */
#include "tests/machine/guest/guest.h"

#define CPUID_PAGE 0x701000ull
#define WHOLE_VM 0x2cull /* ASID, global entries, nested translations */

#define UD 0x60000ull
#define GP 0xd0000ull
#define VC_INVLPGB 0x1d00a0ull
#define VC_TLBSYNC 0x1d00a4ull

static const enum host_choice { ON, HIDDEN, UNDEFINED, INTERCEPTED } choice = HOST_CHOICE;

struct row {
	const char *rule;
	uint64_t rax, ecx, edx;
	uint64_t want[4]; /* by enum host_choice: vector and error code, 0: none */
};

static const struct row rows[] = {
	{ "INVLPGB of the whole VM", WHOLE_VM, 0, 0, { 0, UD, UD, VC_INVLPGB } },
	{ "  seven more pages of 2 MiB", 0x1, 0x80000007, 0, { 0, UD, UD, VC_INVLPGB } },
	{ "  another ASID", WHOLE_VM, 0, 0xffff, { 0, UD, UD, VC_INVLPGB } },
	{ "  eight more pages", 0x1, 8, 0, { GP, UD, UD, GP } },
	{ "  RAX bit 6", WHOLE_VM | 1u << 6, 0, 0, { GP, UD, UD, GP } },
	{ "  RAX bit 11", WHOLE_VM | 1u << 11, 0, 0, { GP, UD, UD, GP } },
	{ "  RAX bit 12", WHOLE_VM | 1u << 12, 0, 0, { 0, UD, UD, VC_INVLPGB } },
	{ "  ECX bit 16", WHOLE_VM, 1u << 16, 0, { GP, UD, UD, GP } },
	{ "  ECX bit 30", WHOLE_VM, 1u << 30, 0, { GP, UD, UD, GP } },
	{ "  EDX bit 27", WHOLE_VM, 0, 1u << 27, { 0, UD, UD, VC_INVLPGB } },
	{ "  EDX bit 28", WHOLE_VM, 0, 1u << 28, { GP, UD, UD, GP } },
	{ "  EDX bit 31", WHOLE_VM, 0, 1u << 31, { GP, UD, UD, GP } },
};

static uint8_t user_stack[4096] __attribute__((aligned(16)));
static volatile uint64_t raised;

static void note_and_skip(struct trap_frame *frame)
{
	raised = frame->vector << 16 | frame->error;
	frame->rip += 3;
}

static void note_and_leave(struct trap_frame *frame)
{
	raised = frame->vector << 16 | frame->error;
	user_leave(frame);
}

static void user_invlpgb(void)
{
	invlpgb(WHOLE_VM, 0, 0);
}

static void expect_user(const char *rule, void (*run)(void))
{
	static const uint64_t want[] = { GP, UD, UD, GP };

	raised = 0;
	trap_handler = note_and_leave;
	user_run((uint64_t)run, (uint64_t)user_stack + sizeof(user_stack) - 8);
	trap_handler = note_and_skip;
	check(rule, raised, want[choice]);
}

/* APM volume 3, appendix E, 8000_0008. */
static void check_cpuid(void)
{
	const struct snp_cpuid_page *page = (const struct snp_cpuid_page *)CPUID_PAGE;
	uint32_t bits = choice == HIDDEN ? 0 : 1, pages = choice == HIDDEN ? 0 : 7;

	for (uint32_t i = 0; i < page->count; i++) {
		if (page->entries[i].eax_in != 0x80000008)
			continue;
		check("CPUID page: INVLPGB, EBX bit 3", page->entries[i].ebx >> 3 & 1, bits);
		check("  nested translations, EBX bit 21", page->entries[i].ebx >> 21 & 1, bits);
		check("  count of pages, EDX 15:0", page->entries[i].edx & 0xffff, pages);
	}
	check("CPUID by the MSR protocol: EBX bit 3",
	      ghcb_msr_call(0x80000008ull << 32 | 1ull << 30 | 0x004) >> (32 + 3) & 1, bits);
}

void test_main(void)
{
	static const uint64_t want_sync[] = { 0, UD, UD, VC_TLBSYNC };

	check_cpuid();
	trap_handler = note_and_skip;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		raised = 0;
		invlpgb(rows[i].rax, rows[i].ecx, rows[i].edx);
		check(rows[i].rule, raised, rows[i].want[choice]);
	}
	raised = 0;
	tlbsync();
	check("TLBSYNC", raised, want_sync[choice]);
	expect_user("INVLPGB in ring 3", user_invlpgb);
	expect_user("TLBSYNC in ring 3", tlbsync);
	trap_handler = NULL;
}
