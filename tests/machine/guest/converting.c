/* SPDX-License-Identifier: MIT */
/*
 * A host that converts: an access to the other side of a page makes it one of that side, and what
 * became private is not validated, so that #VC 0x404 follows at that instruction (APM volume 2,
 * 15.36.10; RMPUPDATE of volume 3 clears Validated). Which accesses a host converts at, and that
 * it does so 4 KiB at a time: Linux 6.11, kvm_mmu_faultin_pfn(); QEMU 9.1, kvm_convert_memory().
 */
#include "tests/machine/guest/guest.h"

#define HUGE_PAGE 0x1200000ull
#define WHOLE_PAGE 0x1400000ull
#define TABLE_PAGE (TEST_PAGE + 0x1000)
#define VC_NOT_VALIDATED 0x404

extern char load_word[], load_word_user[];
uint64_t load_word_at(uint64_t at);		 /* a load; load_word is its address */
void store_word_at(uint64_t at, uint64_t value); /* the same for a store, at store_word */
extern char store_word[];
void call_at(uint64_t at);
void load_on_stack(uint64_t at, uint64_t rsp); /* a load with that stack pointer */
extern char load_on_stack_end[], gdt_tss[];
extern uint64_t load_on_stack_rsp;
extern char pml4[];

static uint8_t user_stack[4096] __attribute__((aligned(16)));

static volatile struct {
	uint64_t count, vector, error, rip, cs;
} seen;

static void note(struct trap_frame *frame)
{
	seen.count++;
	seen.vector = frame->vector;
	seen.error = frame->error;
	seen.rip = frame->rip;
	seen.cs = frame->cs;
}

/* The handler validates the page, and the instruction is done again. */
static void validate_it(struct trap_frame *frame)
{
	note(frame);
	(void)pvalidate(TEST_PAGE, 0, 1);
}

/* Both RMPADJUST and the load are as long. */
static void skip_four(struct trap_frame *frame)
{
	note(frame);
	frame->rip += 4;
}

static void leave(struct trap_frame *frame)
{
	note(frame);
	user_leave(frame);
}

static void expect_vc(const char *rule, uint64_t rip)
{
	check(rule, seen.error, VC_NOT_VALIDATED);
	check("  once, vector 29", seen.count << 8 | seen.vector, 0x11d);
	check("  RIP at the instruction", seen.rip, rip);
	seen.count = 0;
}

/* Validated by the guest, and shared behind its back: what its tables say is stale. */
static void share_validated(void)
{
	(void)page_make_private(TEST_PAGE);
	(void)pvalidate(TEST_PAGE, 0, 1);
	*(volatile uint64_t *)private_view(TEST_PAGE) = 0xc3; /* RET */
	(void)page_make_shared(TEST_PAGE);
	seen.count = 0;
}

static void data_accesses(void)
{
	trap_handler = validate_it;
	share_validated();
	(void)load_word_at(TEST_PAGE);
	expect_vc("private read of a shared page: 0x404", (uint64_t)load_word);
	share_validated();
	store_word_at(TEST_PAGE, 7);
	expect_vc("private write to a shared page: 0x404", (uint64_t)store_word);
	check("  and the write is done when it is validated", load_word_at(TEST_PAGE), 7);
	share_validated();
	call_at(TEST_PAGE);
	expect_vc("fetch from a shared page: 0x404", TEST_PAGE);

	trap_handler = leave;
	share_validated();
	user_run((uint64_t)load_word_user, (uint64_t)user_stack + sizeof(user_stack));
	expect_vc("private read in ring 3: 0x404", (uint64_t)load_word_user);
	check("  CS of ring 3", seen.cs, 0x23);
}

static void shared_accesses(void)
{
	trap_handler = validate_it;
	(void)page_make_private(TEST_PAGE);
	(void)pvalidate(TEST_PAGE, 0, 1);
	seen.count = 0;
	(void)load_word_at((uint64_t)shared_view(TEST_PAGE));
	check("shared read of a private page: no exception", seen.count, 0);
	store_word_at((uint64_t)shared_view(TEST_PAGE), 9);
	check("  and a page to write to", load_word_at((uint64_t)shared_view(TEST_PAGE)), 9);
	(void)load_word_at(TEST_PAGE);
	expect_vc("  which is private no more: 0x404", (uint64_t)load_word);
}

static void instructions(void)
{
	struct pvalidate_result r;

	trap_handler = skip_four;
	share_validated();
	(void)rmpadjust(TEST_PAGE, 0, 0x102);
	check("RMPADJUST of a shared page: 0x404", seen.error, VC_NOT_VALIDATED);
	check("  once, vector 29", seen.count << 8 | seen.vector, 0x11d);
	share_validated();
	r = pvalidate(TEST_PAGE, 0, 1);
	check("PVALIDATE of a shared page: done", (uint64_t)r.carry << 32 | r.eax, 0);
	share_validated();
	r = pvalidate(TEST_PAGE, 0, 0);
	check("PVALIDATE that takes it back: no change", (uint64_t)r.carry << 32 | r.eax,
	      1ull << 32);
	(void)page_make_shared(HUGE_PAGE);
	check("PVALIDATE of 2 MiB, 4 KiB of which are shared: FAIL_SIZEMISMATCH",
	      pvalidate(HUGE_PAGE, 1, 1).eax, 6);
	check("  no exceptions", seen.count, 0);
}

/* A shared access to one of the 512 pages of a 2 MiB page (PSMASH, APM volume 3): 4 KiB convert. */
static void part_of_huge_page(void)
{
	trap_handler = skip_four;
	seen.count = 0;
	check("PVALIDATE of 2 MiB that the host assigns at once", pvalidate(WHOLE_PAGE, 1, 1).eax,
	      0);
	store_word_at((uint64_t)shared_view(WHOLE_PAGE + 0x1000), 9);
	(void)load_word_at(WHOLE_PAGE);
	(void)load_word_at(WHOLE_PAGE + 0x2000);
	check("shared write to 4 KiB of it: the others stay validated", seen.count, 0);
	(void)load_word_at(WHOLE_PAGE + 0x1000);
	expect_vc("  and that one does not: 0x404", (uint64_t)load_word);
}

/* A table of the guest's own, for addresses from 512 GiB on, in a page that becomes shared. */
static void walks(void)
{
	uint64_t *table = (uint64_t *)TABLE_PAGE;
	uint64_t *top = (uint64_t *)pml4;

	(void)page_make_private(TABLE_PAGE);
	(void)pvalidate(TABLE_PAGE, 0, 1);
	for (unsigned int i = 0; i < 512; i++)
		table[i] = 0;
	table[0] = *(uint64_t *)(top[0] & 0x7ffffffff000); /* the first GiB, as at address 0 */
	top[1] = (top[0] & ~0x7ffffffff000ull) | TABLE_PAGE;
	check("the table works", load_word_at((1ull << 39) + (uint64_t)top), top[0]);
	(void)page_make_shared(TABLE_PAGE);
	trap_handler = skip_four;
	seen.count = 0;
	(void)load_word_at((1ull << 39) + (uint64_t)top);
	expect_vc("walk through a table in a shared page: 0x404", (uint64_t)load_word);
	(void)page_make_shared(TABLE_PAGE);
	(void)rmpadjust((1ull << 39) + TEST_PAGE, 0, 0x102);
	check("RMPADJUST of an address behind it: 0x404", seen.error, VC_NOT_VALIDATED);
	check("  once, vector 29", seen.count << 8 | seen.vector, 0x11d);
	top[1] = 0;
}

static void come_back(struct trap_frame *frame)
{
	note(frame);
	frame->rip = (uint64_t)load_on_stack_end;
	frame->rsp = load_on_stack_rsp;
}

static void set_double_fault_stack(uint64_t rsp)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr;
	uint64_t *d = (uint64_t *)gdt_tss, tss;

	__asm__ volatile("sidt %0" : "=m"(idtr));
	*(uint8_t *)(idtr.base + 8 * 16 + 4) = 1;
	tss = (d[0] >> 16 & 0xffffff) | (d[0] >> 32 & 0xff000000) | d[1] << 32;
	*(uint32_t *)(tss + 0x24) = (uint32_t)rsp;
	*(uint32_t *)(tss + 0x28) = (uint32_t)(rsp >> 32);
}

/* #VC pushes to a stack that is not validated either (APM volume 2, 8.2.9). */
static void double_fault(void)
{
	set_double_fault_stack((uint64_t)user_stack + sizeof(user_stack));
	trap_handler = come_back;
	share_validated();
	load_on_stack(TEST_PAGE, TEST_PAGE + 0x800);
	check("#VC while #VC is delivered: #DF", seen.count << 8 | seen.vector, 0x108);
	check("  with error code 0", seen.error, 0);
}

/* GHCB specification: the page is shared. KVM reads the shared side, which has nothing in it. */
static void host_accesses(void)
{
	share_validated();
	(void)page_make_private(TEST_PAGE);
	(void)pvalidate(TEST_PAGE, 0, 1);
	*(volatile uint64_t *)private_view(TEST_PAGE + 0x390) = 0x72;
	ghcb_exit_at(TEST_PAGE);
	check("GHCB in a private page: nothing asked, nothing answered",
	      *(volatile uint64_t *)private_view(TEST_PAGE + 0x390), 0x72);
	ghcb_exit_at(0x7fff0000);
	check("GHCB outside RAM: the same", 1, 1);
}

void test_main(void)
{
	data_accesses();
	shared_accesses();
	instructions();
	part_of_huge_page();
	walks();
	double_fault();
	trap_handler = NULL;
	host_accesses();
}
