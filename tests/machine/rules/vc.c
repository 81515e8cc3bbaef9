/* SPDX-License-Identifier: MIT */
/*
 * #VC by instruction and by mode of the CPU. Automatic exits and those that a host may choose:
 * APM volume 2, 15.35.4 and 15.35.5, exit codes: appendix C. What the host may choose not to
 * intercept ends as the instruction ends by itself. Each instruction is followed by UD2, which
 * says that it was executed.
 */
#include "tests/machine/rules/families.h"

#include "tests/machine/rules/vc_asm.h"

#define SECTION "APM volume 2, 15.35.5 and appendix C"

/* Outcomes that are right, besides #VC with the instruction's exit code. */
#define OR_DONE (1ull << 0)
#define OR_UD (1ull << 1) /* a CPU may lack it, or a bit of CR4 forbids it */
#define OR_GP (1ull << 2)
#define NOT_VC (1ull << 3)

enum instruction {
	CPUID,
	IN_BYTE,
	IN_IMMEDIATE,
	IN_WORD,
	OUT_BYTE,
	OUT_IMMEDIATE,
	OUT_WORD,
	RDMSR,
	WRMSR,
	VMMCALL,
	RDTSC,
	RDTSCP,
	RDPMC,
	WBINVD,
	WBNOINVD,
	INVD,
	MONITOR,
	MWAIT,
	XSETBV,
	RDPRU,
	DR7_READ,
	DR7_WRITE,
	VMRUN,
	VMLOAD,
	VMSAVE,
	STGI,
	CLGI,
	SKINIT,
	INVLPGA,
	INSTRUCTIONS,
};

struct encoding {
	uint8_t bytes[12];
	uint8_t length;
	uint16_t exit_code;
	uint32_t rcx, rax;
};

#define UD2 0x0f, 0x0b

static const struct encoding encodings[INSTRUCTIONS] __attribute__((aligned(16))) = {
	[CPUID] = { { 0x0f, 0xa2, UD2 }, 2, 0x72, 0, 0 },
	[IN_BYTE] = { { 0xec, UD2 }, 1, 0x7b, 0, 0 },
	[IN_IMMEDIATE] = { { 0xe4, 0x80, UD2 }, 2, 0x7b, 0, 0 },
	[IN_WORD] = { { 0xed, UD2 }, 1, 0x7b, 0, 0 },
	[OUT_BYTE] = { { 0xee, UD2 }, 1, 0x7b, 0, 0 },
	[OUT_IMMEDIATE] = { { 0xe6, 0x80, UD2 }, 2, 0x7b, 0, 0 },
	[OUT_WORD] = { { 0xef, UD2 }, 1, 0x7b, 0, 0 },
	[RDMSR] = { { 0x0f, 0x32, UD2 }, 2, 0x7c, 0x1b, 0 },
	[WRMSR] = { { 0x0f, 0x30, UD2 }, 2, 0x7c, 0x1b, 0 },
	[VMMCALL] = { { 0x0f, 0x01, 0xd9, UD2 }, 3, 0x81, 0, 0 },
	[RDTSC] = { { 0x0f, 0x31, UD2 }, 2, 0x6e, 0, 0 },
	[RDTSCP] = { { 0x0f, 0x01, 0xf9, UD2 }, 3, 0x87, 0, 0 },
	[RDPMC] = { { 0x0f, 0x33, UD2 }, 2, 0x6f, 0, 0 },
	[WBINVD] = { { 0x0f, 0x09, UD2 }, 2, 0x89, 0, 0 },
	[WBNOINVD] = { { 0xf3, 0x0f, 0x09, UD2 }, 3, 0x89, 0, 0 },
	[INVD] = { { 0x0f, 0x08, UD2 }, 2, 0x76, 0, 0 },
	[MONITOR] = { { 0x0f, 0x01, 0xc8, UD2 }, 3, 0x8a, 0, (uint32_t)RULE_SCRATCH },
	[MWAIT] = { { 0x0f, 0x01, 0xc9, UD2 }, 3, 0x8b, 0, 0 },
	[XSETBV] = { { 0x0f, 0x01, 0xd1, UD2 }, 3, 0x8d, 0, 1 },
	[RDPRU] = { { 0x0f, 0x01, 0xfd, UD2 }, 3, 0x8e, 0, 0 },
	[DR7_READ] = { { 0x0f, 0x21, 0xf8, UD2 }, 3, 0x27, 0, 0 },
	[DR7_WRITE] = { { 0x0f, 0x23, 0xf8, UD2 }, 3, 0x37, 0, 0x400 },
	[VMRUN] = { { 0x0f, 0x01, 0xd8, UD2 }, 3, 0x80, 0, 0 },
	[VMLOAD] = { { 0x0f, 0x01, 0xda, UD2 }, 3, 0x82, 0, 0 },
	[VMSAVE] = { { 0x0f, 0x01, 0xdb, UD2 }, 3, 0x83, 0, 0 },
	[STGI] = { { 0x0f, 0x01, 0xdc, UD2 }, 3, 0x84, 0, 0 },
	[CLGI] = { { 0x0f, 0x01, 0xdd, UD2 }, 3, 0x85, 0, 0 },
	[SKINIT] = { { 0x0f, 0x01, 0xde, UD2 }, 3, 0x86, 0, 0 },
	[INVLPGA] = { { 0x0f, 0x01, 0xdf, UD2 }, 3, 0x7a, 0, 0 },
};

/* 0 for an outcome that is right, otherwise the outcome. rip is relative to the instruction. */
static uint64_t judge(const struct encoding *e, uint64_t allowed, uint64_t outcome, uint64_t rip)
{
	bool done = outcome == RAISED_UD && rip == e->length;

	if (allowed & ~NOT_VC)
		rule_outcome(done ? 0 : outcome);
	if (done)
		return allowed & OR_DONE ? 0 : 0xd09eull;
	if (rip != 0)
		return outcome ^ rip;
	if (outcome == RAISED_VC(e->exit_code) && !(allowed & NOT_VC))
		return 0;
	if ((outcome == RAISED_UD && (allowed & OR_UD)) ||
	    (outcome == RAISED_GP && (allowed & OR_GP)))
		return 0;
	return outcome;
}

static const struct encoding *encoding_of(const struct rule_case *c)
{
	return &encodings[c->rule->arg & 0xff];
}

static uint64_t allowed_of(const struct rule_case *c)
{
	return c->rule->arg >> 8;
}

/* The variant is the selector of the code segment. */
static struct vc_jump jump_to(const struct encoding *e, uint64_t selector)
{
	uint64_t at = (uint64_t)e->bytes;

	if (selector == VC_SELECTOR_16)
		at -= (uint64_t)encodings;
	return (struct vc_jump){ at, selector, e->rax, e->rcx, 0x80 };
}

static uint64_t execute(uint64_t arg)
{
	vc_execute((const struct vc_jump *)arg);
	return 0;
}

struct attempt {
	struct vc_jump jump;
	uint64_t outcome, rip;
};

static uint64_t try_execute(uint64_t arg)
{
	struct attempt *a = (struct attempt *)arg;

	a->outcome = actor_try(execute, (uint64_t)&a->jump);
	a->rip = actor_raised_rip();
	return 0;
}

static void set_base(uint64_t base)
{
	uint64_t *descriptor = (uint64_t *)(vc_gdt + VC_SELECTOR_16);

	*descriptor = 0x00009b000000ffffull | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
}

static uint64_t raises(const struct rule_case *c)
{
	const struct encoding *e = encoding_of(c);
	static struct attempt a;
	uint64_t done;

	set_base((uint64_t)encodings);
	a = (struct attempt){ .jump = jump_to(e, c->variant) };
	done = act(c->rule->vcpus > 1, c->vmpl, try_execute, (uint64_t)&a);
	return done ? done : judge(e, allowed_of(c), a.outcome, a.rip - a.jump.rip);
}

/* The same in ring 3: #VC comes before or after the check of privilege, by instruction. */
static void (*user_entry)(void);

static uint64_t run_user(uint64_t arg)
{
	struct attempt *a = (struct attempt *)arg;

	a->outcome = actor_try_user(user_entry);
	a->rip = actor_raised_rip();
	return 0;
}

static uint64_t raises_user(const struct rule_case *c)
{
	const struct encoding *e = encoding_of(c);
	static struct attempt a;
	uint64_t done;

	user_entry = (void (*)(void))(uint64_t)e->bytes;
	done = act(0, c->vmpl, run_user, (uint64_t)&a);
	return done ? done : judge(e, allowed_of(c), a.outcome, a.rip - (uint64_t)e->bytes);
}

/*
 * Protected mode without long mode, at VMPL1: a VMSA of its own for each instruction, and an
 * interrupt table of 32-bit gates. The variant is the selector again.
 */
static uint64_t raises_legacy(const struct rule_case *c)
{
	const struct encoding *e = encoding_of(c);
	struct snp_vmsa *vmsa = actor_vmsa(0, 1);
	struct vc_jump jump = jump_to(e, c->variant);
	uint64_t answer, outcome;

	set_base((uint64_t)encodings);
	vc_legacy_start();
	actor_fill_vmsa(0, 1);
	vmsa->cs = c->variant == VC_SELECTOR_16
			   ? (struct snp_segment){ VC_SELECTOR_16, 0x09b, 0xffff,
						   (uint64_t)encodings }
			   : (struct snp_segment){ VC_SELECTOR_32, 0xc9b, 0xffffffff, 0 };
	vmsa->efer = 0x1000;
	vmsa->cr0 = 0x31;
	vmsa->cr4 = 0;
	vmsa->cr3 = 0;
	vmsa->idtr = (struct snp_segment){ 0, 0, VC_LEGACY_GATES * 8 - 1, (uint64_t)vc_legacy_idt };
	vmsa->rip = jump.rip;
	vmsa->rax = e->rax;
	vmsa->rcx = e->rcx;
	vmsa->rdx = 0x80;
	answer = actor_run_level(1);
	outcome = RAISED(vc_legacy_vector, vc_legacy_error);
	actor_fill_vmsa(0, 1); /* for the next one at VMPL1 */
	if (answer != 0x017)
		return ACTOR_DOES_NOT_RUN;
	return judge(e, allowed_of(c), outcome, vc_legacy_eip - jump.rip);
}

#define ALLOW(what) ((what) << 8)

static const struct rule rules[] = {
	{ "CPUID", SECTION, RULE_CPU, 0, 1, 0, raises, CPUID, 0 },
	{ "IN of a byte", SECTION, RULE_CPU, 0, 1, 0, raises, IN_BYTE, 0 },
	{ "IN of a byte, immediate port", SECTION, RULE_CPU, 0, 1, 0, raises, IN_IMMEDIATE, 0 },
	{ "IN of more", SECTION, RULE_CPU, 0, 1, 0, raises, IN_WORD, 0 },
	{ "OUT of a byte", SECTION, RULE_CPU, 0, 1, 0, raises, OUT_BYTE, 0 },
	{ "OUT of a byte, immediate port", SECTION, RULE_CPU, 0, 1, 0, raises, OUT_IMMEDIATE, 0 },
	{ "OUT of more", SECTION, RULE_CPU, 0, 1, 0, raises, OUT_WORD, 0 },
	{ "RDMSR", SECTION, RULE_CPU, 0, 1, 0, raises, RDMSR, 0 },
	{ "WRMSR", SECTION, RULE_CPU, 0, 1, 0, raises, WRMSR, 0 },
	{ "VMMCALL", SECTION, RULE_CPU, 0, 1, 0, raises, VMMCALL, 0 },
	{ "RDTSC: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises, RDTSC | ALLOW(OR_DONE), 0 },
	{ "RDTSCP: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  RDTSCP | ALLOW(OR_DONE | OR_UD), 0 },
	{ "RDPMC: done, refused, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  RDPMC | ALLOW(OR_DONE | OR_GP | OR_UD), 0 },
	{ "WBINVD: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises, WBINVD | ALLOW(OR_DONE), 0 },
	{ "WBNOINVD: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises, WBNOINVD | ALLOW(OR_DONE),
	  0 },
	{ "INVD: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises, INVD | ALLOW(OR_DONE), 0 },
	{ "MONITOR: done, undefined, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  MONITOR | ALLOW(OR_DONE | OR_UD), 0 },
	{ "MWAIT: done, undefined, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  MWAIT | ALLOW(OR_DONE | OR_UD), 0 },
	{ "XSETBV with CR4.OSXSAVE clear: undefined, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  XSETBV | ALLOW(OR_UD), 0 },
	{ "RDPRU: done, undefined, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  RDPRU | ALLOW(OR_DONE | OR_UD), 0 },
	{ "read of DR7: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  DR7_READ | ALLOW(OR_DONE), 0 },
	{ "write of DR7: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  DR7_WRITE | ALLOW(OR_DONE), 0 },
};

static const struct rule svm_rules[] = {
	{ "VMRUN: undefined, refused, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  VMRUN | ALLOW(OR_UD | OR_GP), 0 },
	{ "VMLOAD: undefined, refused, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  VMLOAD | ALLOW(OR_UD | OR_GP), 0 },
	{ "VMSAVE: undefined, refused, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  VMSAVE | ALLOW(OR_UD | OR_GP), 0 },
	{ "STGI: undefined, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises, STGI | ALLOW(OR_UD), 0 },
	{ "CLGI: undefined, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises, CLGI | ALLOW(OR_UD), 0 },
	{ "SKINIT: undefined, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises, SKINIT | ALLOW(OR_UD),
	  0 },
	{ "INVLPGA: undefined, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises, INVLPGA | ALLOW(OR_UD),
	  0 },
};

static const struct rule level_rules[] = {
	{ "CPUID", SECTION, RULE_CPU, LEVELS_LOWER, 1, 0, raises, CPUID, 0 },
	{ "IN", SECTION, RULE_CPU, LEVELS_LOWER, 1, 0, raises, IN_BYTE, 0 },
	{ "RDMSR", SECTION, RULE_CPU, LEVELS_LOWER, 1, 0, raises, RDMSR, 0 },
	{ "VMMCALL", SECTION, RULE_CPU, LEVELS_LOWER, 1, 0, raises, VMMCALL, 0 },
	{ "the second vCPU: CPUID", SECTION, RULE_CPU, LEVELS_ALL, 2, 0, raises, CPUID, 0 },
	{ "the second vCPU: OUT", SECTION, RULE_CPU, LEVELS_ALL, 2, 0, raises, OUT_BYTE, 0 },
	{ "ring 3: CPUID", SECTION, RULE_CPU, LEVELS_ALL, 1, 0, raises_user, CPUID, 0 },
	{ "ring 3: VMMCALL", SECTION, RULE_CPU, LEVELS_ALL, 1, 0, raises_user, VMMCALL, 0 },
	{ "ring 3: IN without the right to: #GP comes first", "APM volume 2, 15.7 and 12.2.4",
	  RULE_CPU, LEVELS_ALL, 1, 0, raises_user, IN_BYTE | ALLOW(OR_GP | NOT_VC), 0 },
	{ "ring 3: RDMSR: #GP comes first", "APM volume 2, 15.7", RULE_CPU, LEVELS_ALL, 1, 0,
	  raises_user, RDMSR | ALLOW(OR_GP | NOT_VC), 0 },
};

static const struct rule legacy_rules[] = {
	{ "CPUID", SECTION, RULE_CPU, LEVEL(1), 1, 0, raises_legacy, CPUID, 0 },
	{ "IN of a byte", SECTION, RULE_CPU, LEVEL(1), 1, 0, raises_legacy, IN_BYTE, 0 },
	{ "OUT of more", SECTION, RULE_CPU, LEVEL(1), 1, 0, raises_legacy, OUT_WORD, 0 },
	{ "RDMSR", SECTION, RULE_CPU, LEVEL(1), 1, 0, raises_legacy, RDMSR, 0 },
	{ "WRMSR", SECTION, RULE_CPU, LEVEL(1), 1, 0, raises_legacy, WRMSR, 0 },
	{ "VMMCALL", SECTION, RULE_CPU, LEVEL(1), 1, 0, raises_legacy, VMMCALL, 0 },
	{ "RDTSC: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  RDTSC | ALLOW(OR_DONE), 0 },
	{ "WBINVD: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  WBINVD | ALLOW(OR_DONE), 0 },
};

const struct rule_family vc_64bit = { "#VC in 64-bit code", rules, RULE_COUNT(rules), 0x08, 0 };
const struct rule_family vc_svm = { "#VC in 64-bit code", svm_rules, RULE_COUNT(svm_rules), 0x08,
				    0 };
const struct rule_family vc_level = { "#VC by level", level_rules, RULE_COUNT(level_rules), 0x08,
				      0 };
const struct rule_family vc_compat32 = { "#VC in 32-bit code of long mode", rules,
					 RULE_COUNT(rules), VC_SELECTOR_32, 0 };
const struct rule_family vc_compat16 = { "#VC in 16-bit code of long mode", rules,
					 RULE_COUNT(rules), VC_SELECTOR_16, 0 };
const struct rule_family vc_legacy32 = { "#VC in 32-bit protected mode", legacy_rules,
					 RULE_COUNT(legacy_rules), VC_SELECTOR_32, NEED_LEVELS };
const struct rule_family vc_legacy16 = { "#VC in 16-bit protected mode", legacy_rules,
					 RULE_COUNT(legacy_rules), VC_SELECTOR_16, NEED_LEVELS };
