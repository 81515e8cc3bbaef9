/* SPDX-License-Identifier: MIT */
/*
 * Rules by which a VM ends: an access that a level has no right to is the host's nested page fault,
 * which no guest survives (APM volume 2, 15.36.10); terminations; a triple fault; a state that
 * VMRUN does not take. Which of them an image has is ENDING, its place in the table.
 */
#include "tests/machine/rules/families.h"

#define ACCESS "APM volume 2, 15.36.7 and 15.36.10"
#define READ 0x100ull
#define WRITE 0x200ull
#define VMSA_BIT (1ull << 16)
#define UD2 0x0b0f

enum { WRITES, FETCHES, READS };

struct access {
	unsigned int vmpl, kind;
};

static uint64_t do_access(uint64_t arg)
{
	const struct access *a = (const struct access *)arg;
	volatile uint64_t *word = (volatile uint64_t *)RULE_PAGE;

	if (a->kind == WRITES)
		*word = 1;
	else if (a->kind == READS)
		return *word;
	else
		((void (*)(void))RULE_PAGE)();
	return 0;
}

/* The page has these rights for that level, and one that is lacking is used. */
static uint64_t lacks(unsigned int vmpl, uint64_t rights, unsigned int kind)
{
	static struct access a;
	uint64_t bad = page_renew(RULE_PAGE) | rule_pvalidate(RULE_PAGE, 0, 1);

	*(volatile uint64_t *)RULE_PAGE = UD2;
	bad |= rmpadjust(RULE_PAGE, 0, rights | vmpl);
	a = (struct access){ vmpl, kind };
	return bad | act(0, vmpl, do_access, (uint64_t)&a);
}

static uint64_t write_without_right(const struct rule_case *c)
{
	(void)c;
	return lacks(3, READ, WRITES);
}

static uint64_t read_without_right(const struct rule_case *c)
{
	(void)c;
	return lacks(1, 0, READS);
}

static uint64_t fetch_without_right(const struct rule_case *c)
{
	(void)c;
	return lacks(2, READ | WRITE, FETCHES);
}

static uint64_t write_of_vmsa(const struct rule_case *c)
{
	static struct access a = { 1, WRITES };

	(void)c;
	(void)page_renew(RULE_PAGE);
	(void)rule_pvalidate(RULE_PAGE, 0, 1);
	(void)rmpadjust(RULE_PAGE, 0, VMSA_BIT | 0xf00 | 1);
	return act(0, 1, do_access, (uint64_t)&a);
}

static uint64_t terminate_by_msr(const struct rule_case *c)
{
	(void)c;
	return ghcb_msr_call(0x100 | 3ull << 12 | 7ull << 16);
}

static uint64_t terminate_by_exit(const struct rule_case *c)
{
	(void)c;
	return ghcb_exit(0x8000fffe, 5ull << 4 | 4, 0).result; /* set 4, code 5 */
}

static uint64_t triple_fault(const struct rule_case *c)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none = { 0, 0 };

	(void)c;
	__asm__ volatile("lidt %0; ud2" : : "m"(none));
	return 0;
}

/* CR0.PG without CR0.PE (APM volume 2, 15.5.1, "Canonicalization and Consistency Checks"). */
static uint64_t refused_state(const struct rule_case *c)
{
	(void)c;
	actor_fill_vmsa(0, 1);
	actor_vmsa(0, 1)->cr0 = 0x80000030;
	return actor_run_level(1);
}

/* CPUID in real mode: there is no gate that could take the error code of #VC. */
static uint64_t real_mode(const struct rule_case *c)
{
	struct snp_vmsa *vmsa = actor_vmsa(0, 1);
	struct snp_segment data = { 0, 0x93, 0xffff, RULE_PAGE };

	(void)c;
	(void)page_renew(RULE_PAGE);
	(void)rule_pvalidate(RULE_PAGE, 0, 1);
	*(volatile uint32_t *)RULE_PAGE = 0x0b0fa20f; /* CPUID, UD2 */
	(void)rmpadjust(RULE_PAGE, 0, 0xf01);
	actor_fill_vmsa(0, 1);
	vmsa->cs = (struct snp_segment){ 0xf000, 0x9b, 0xffff, RULE_PAGE };
	vmsa->ds = vmsa->es = vmsa->fs = vmsa->gs = vmsa->ss = data;
	vmsa->idtr = (struct snp_segment){ 0, 0, 0x3ff, RULE_PAGE + 0x800 };
	vmsa->efer = 0x1000;
	vmsa->cr0 = 0x30;
	vmsa->cr3 = vmsa->cr4 = 0;
	vmsa->rip = 0;
	vmsa->rsp = 0x700;
	return actor_run_level(1);
}

/* The levels are those that act. */
static const struct rule endings[] = {
	{ "VMPL3 writes what it may only read", ACCESS, RULE_CPU, LEVEL(3), 1, 0,
	  write_without_right, 0, 0 },
	{ "VMPL1 reads what it has no right to", ACCESS, RULE_CPU, LEVEL(1), 1, 0,
	  read_without_right, 0, 0 },
	{ "VMPL2 executes what it may only read and write", ACCESS, RULE_CPU, LEVEL(2), 1, 0,
	  fetch_without_right, 0, 0 },
	{ "VMPL1 writes a VMSA", "APM volume 2, 15.36.7", RULE_CPU, LEVEL(1), 1, 0, write_of_vmsa,
	  0, 0 },
	{ "termination by the MSR protocol", "GHCB specification, 2.3.1", RULE_HOST, 0, 1, 0,
	  terminate_by_msr, 0, 0 },
	{ "termination by the GHCB page", "GHCB specification, Termination Request", RULE_HOST, 0,
	  1, 0, terminate_by_exit, 0, 0 },
	{ "triple fault", "APM volume 2, 8.2.9", RULE_CPU, 0, 1, 0, triple_fault, 0, 0 },
	{ "VMRUN of CR0.PG without CR0.PE", "APM volume 2, 15.5.1", RULE_CPU, LEVEL(1), 1, 0,
	  refused_state, 0, 0 },
	{ "CPUID in real mode", "APM volume 2, 15.35.5", RULE_CPU, LEVEL(1), 1, 0, real_mode, 0,
	  0 },
};

const struct rule_family *const rule_families[] = { NULL };

const struct rule *const rule_ending = &endings[ENDING];
