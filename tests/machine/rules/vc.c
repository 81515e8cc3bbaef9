/* SPDX-License-Identifier: MIT */
/*
 * #VC by instruction and by mode of the CPU. Automatic exits and those that a host may choose: APM
 * volume 2, 15.35.4 and 15.35.5, which instruction checks which intercept: table 15-7, exit codes:
 * appendix C. Ports and CPUID are intercepted whatever the host chooses (15.36.12). What the host
 * may choose not to intercept ends as the instruction ends by itself. Each instruction is followed
 * by UD2, which says that it was executed.
 */
#include "tests/machine/rules/families.h"

#include "tests/machine/rules/vc_asm.h"

#define SECTION "APM volume 2, 15.35.5, table 15-7 and appendix C"
#define AUTOMATIC "APM volume 2, table 15-33"
#define ALWAYS "APM volume 2, 15.36.12 and appendix C"

/* Outcomes that are right, besides #VC with the instruction's exit code. */
#define OR_DONE (1ull << 0)
#define OR_UD (1ull << 1) /* a CPU may lack it, or a bit of CR4 forbids it */
#define OR_GP (1ull << 2)
#define NOT_VC (1ull << 3)
#define OR_TRAP (1ull << 4) /* the vector of the encoding, behind the instruction */

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
	INS,
	OUTS,
	REP_INS,
	REP_OUTS,
	IN_OTHER,
	OUT_OTHER,
	RDMSR_GHCB,
	RDMSR_SEV_STATUS,
	PAUSE,
	PUSHF,
	POPF,
	INT_N,
	ICEBP,
	RSM,
	INVLPG,
	INVPCID,
	MCOMMIT,
	MONITORX,
	MWAITX,
	SLDT,
	STR,
	LLDT,
	SMSW,
	LMSW,
	CLTS,
	CR0_READ,
	CR2_READ,
	CR3_READ,
	CR4_READ,
	CR8_READ,
	CR0_WRITE,
	CR2_WRITE,
	CR3_WRITE,
	CR4_WRITE,
	CR8_WRITE,
	DR0_READ,
	DR6_READ,
	DR0_WRITE,
	DR6_WRITE,
	SGDT,
	SIDT,
	LGDT,
	LIDT,
	INSTRUCTIONS,
};

/*
 * What RAX holds at the instruction; a control register's own value changes nothing when it is
 * written.
 */
enum source { LITERAL, FROM_CR0, FROM_CR3, FROM_CR4 };

struct encoding {
	uint8_t bytes[12];
	uint8_t length;
	uint16_t exit_code;
	uint32_t rcx, rax;
	enum source source;
	uint8_t trap;	     /* its vector, where it raises a trap */
	uint8_t before;	     /* bytes of another instruction before it */
	uint16_t other_code; /* of a second intercept that it may check */
};

#define UD2 0x0f, 0x0b

static const struct encoding encodings[INSTRUCTIONS] __attribute__((aligned(16))) = {
	[CPUID] = { .bytes = { 0x0f, 0xa2, UD2 }, .length = 2, .exit_code = 0x72 },
	[IN_BYTE] = { .bytes = { 0xec, UD2 }, .length = 1, .exit_code = 0x7b },
	[IN_IMMEDIATE] = { .bytes = { 0xe4, 0x80, UD2 }, .length = 2, .exit_code = 0x7b },
	[IN_WORD] = { .bytes = { 0xed, UD2 }, .length = 1, .exit_code = 0x7b },
	[OUT_BYTE] = { .bytes = { 0xee, UD2 }, .length = 1, .exit_code = 0x7b },
	[OUT_IMMEDIATE] = { .bytes = { 0xe6, 0x80, UD2 }, .length = 2, .exit_code = 0x7b },
	[OUT_WORD] = { .bytes = { 0xef, UD2 }, .length = 1, .exit_code = 0x7b },
	[RDMSR] = { .bytes = { 0x0f, 0x32, UD2 }, .length = 2, .exit_code = 0x7c, .rcx = 0x1b },
	[WRMSR] = { .bytes = { 0x0f, 0x30, UD2 }, .length = 2, .exit_code = 0x7c, .rcx = 0x1b },
	[VMMCALL] = { .bytes = { 0x0f, 0x01, 0xd9, UD2 }, .length = 3, .exit_code = 0x81 },
	[RDTSC] = { .bytes = { 0x0f, 0x31, UD2 }, .length = 2, .exit_code = 0x6e },
	[RDTSCP] = { .bytes = { 0x0f, 0x01, 0xf9, UD2 }, .length = 3, .exit_code = 0x87 },
	[RDPMC] = { .bytes = { 0x0f, 0x33, UD2 }, .length = 2, .exit_code = 0x6f },
	[WBINVD] = { .bytes = { 0x0f, 0x09, UD2 }, .length = 2, .exit_code = 0x89 },
	[WBNOINVD] = { .bytes = { 0xf3, 0x0f, 0x09, UD2 }, .length = 3, .exit_code = 0x89 },
	[INVD] = { .bytes = { 0x0f, 0x08, UD2 }, .length = 2, .exit_code = 0x76 },
	[MONITOR] = { .bytes = { 0x0f, 0x01, 0xc8, UD2 },
		      .length = 3,
		      .exit_code = 0x8a,
		      .rax = (uint32_t)RULE_SCRATCH },
	[MWAIT] = { .bytes = { 0x0f, 0x01, 0xc9, UD2 }, .length = 3, .exit_code = 0x8b },
	[XSETBV] = { .bytes = { 0x0f, 0x01, 0xd1, UD2 }, .length = 3, .exit_code = 0x8d, .rax = 1 },
	[RDPRU] = { .bytes = { 0x0f, 0x01, 0xfd, UD2 }, .length = 3, .exit_code = 0x8e },
	[DR7_READ] = { .bytes = { 0x0f, 0x21, 0xf8, UD2 }, .length = 3, .exit_code = 0x27 },
	[DR7_WRITE] = { .bytes = { 0x0f, 0x23, 0xf8, UD2 },
			.length = 3,
			.exit_code = 0x37,
			.rax = 0x400 },
	[VMRUN] = { .bytes = { 0x0f, 0x01, 0xd8, UD2 }, .length = 3, .exit_code = 0x80 },
	[VMLOAD] = { .bytes = { 0x0f, 0x01, 0xda, UD2 }, .length = 3, .exit_code = 0x82 },
	[VMSAVE] = { .bytes = { 0x0f, 0x01, 0xdb, UD2 }, .length = 3, .exit_code = 0x83 },
	[STGI] = { .bytes = { 0x0f, 0x01, 0xdc, UD2 }, .length = 3, .exit_code = 0x84 },
	[CLGI] = { .bytes = { 0x0f, 0x01, 0xdd, UD2 }, .length = 3, .exit_code = 0x85 },
	[SKINIT] = { .bytes = { 0x0f, 0x01, 0xde, UD2 }, .length = 3, .exit_code = 0x86 },
	[INVLPGA] = { .bytes = { 0x0f, 0x01, 0xdf, UD2 }, .length = 3, .exit_code = 0x7a },
	[INS] = { .bytes = { 0x6c, UD2 }, .length = 1, .exit_code = 0x7b, .rcx = 1 },
	[OUTS] = { .bytes = { 0x6e, UD2 }, .length = 1, .exit_code = 0x7b, .rcx = 1 },
	[REP_INS] = { .bytes = { 0xf3, 0x6c, UD2 }, .length = 2, .exit_code = 0x7b, .rcx = 1 },
	[REP_OUTS] = { .bytes = { 0xf3, 0x6e, UD2 }, .length = 2, .exit_code = 0x7b, .rcx = 1 },
	/* 16 bits, and 32 in 16-bit code. */
	[IN_OTHER] = { .bytes = { 0x66, 0xed, UD2 }, .length = 2, .exit_code = 0x7b },
	[OUT_OTHER] = { .bytes = { 0x66, 0xef, UD2 }, .length = 2, .exit_code = 0x7b },
	[RDMSR_GHCB] = { .bytes = { 0x0f, 0x32, UD2 },
			 .length = 2,
			 .exit_code = 0x7c,
			 .rcx = SNP_MSR_GHCB },
	[RDMSR_SEV_STATUS] = { .bytes = { 0x0f, 0x32, UD2 },
			       .length = 2,
			       .exit_code = 0x7c,
			       .rcx = SNP_MSR_SEV_STATUS },
	[PAUSE] = { .bytes = { 0xf3, 0x90, UD2 }, .length = 2, .exit_code = 0x77 },
	[PUSHF] = { .bytes = { 0x9c, UD2 }, .length = 1, .exit_code = 0x70 },
	[POPF] = { .bytes = { 0x9c, 0x9d, UD2 }, .length = 2, .exit_code = 0x71, .before = 1 },
	[INT_N] = { .bytes = { 0xcd, 0x03, UD2 }, .length = 2, .exit_code = 0x75, .trap = 3 },
	[ICEBP] = { .bytes = { 0xf1, UD2 }, .length = 1, .exit_code = 0x88, .trap = 1 },
	[RSM] = { .bytes = { 0x0f, 0xaa, UD2 }, .length = 2, .exit_code = 0x73 },
	[INVLPG] = { .bytes = { 0x0f, 0x01, 0x38, UD2 },
		     .length = 3,
		     .exit_code = 0x79,
		     .rax = (uint32_t)RULE_SCRATCH },
	[INVPCID] = { .bytes = { 0x66, 0x0f, 0x38, 0x82, 0x00, UD2 },
		      .length = 5,
		      .exit_code = 0xa2,
		      .rax = (uint32_t)RULE_SCRATCH },
	[MCOMMIT] = { .bytes = { 0xf3, 0x0f, 0x01, 0xfa, UD2 }, .length = 4, .exit_code = 0xa3 },
	[MONITORX] = { .bytes = { 0x0f, 0x01, 0xfa, UD2 },
		       .length = 3,
		       .exit_code = 0x8a,
		       .rax = (uint32_t)RULE_SCRATCH },
	[MWAITX] = { .bytes = { 0x0f, 0x01, 0xfb, UD2 }, .length = 3, .exit_code = 0x8b },
	[SLDT] = { .bytes = { 0x0f, 0x00, 0xc0, UD2 }, .length = 3, .exit_code = 0x68 },
	[STR] = { .bytes = { 0x0f, 0x00, 0xc8, UD2 }, .length = 3, .exit_code = 0x69 },
	[LLDT] = { .bytes = { 0x0f, 0x00, 0xd0, UD2 }, .length = 3, .exit_code = 0x6c },
	[SMSW] = { .bytes = { 0x0f, 0x01, 0xe0, UD2 }, .length = 3, .exit_code = 0x00 },
	[LMSW] = { .bytes = { 0x0f, 0x01, 0xf0, UD2 },
		   .length = 3,
		   .exit_code = 0x10,
		   .source = FROM_CR0,
		   .other_code = 0x65 },
	[CLTS] = { .bytes = { 0x0f, 0x06, UD2 }, .length = 2, .exit_code = 0x10 },
	[CR0_READ] = { .bytes = { 0x0f, 0x20, 0xc0, UD2 }, .length = 3, .exit_code = 0x00 },
	[CR2_READ] = { .bytes = { 0x0f, 0x20, 0xd0, UD2 }, .length = 3, .exit_code = 0x02 },
	[CR3_READ] = { .bytes = { 0x0f, 0x20, 0xd8, UD2 }, .length = 3, .exit_code = 0x03 },
	[CR4_READ] = { .bytes = { 0x0f, 0x20, 0xe0, UD2 }, .length = 3, .exit_code = 0x04 },
	[CR8_READ] = { .bytes = { 0x44, 0x0f, 0x20, 0xc0, UD2 }, .length = 4, .exit_code = 0x08 },
	[CR0_WRITE] = { .bytes = { 0x0f, 0x22, 0xc0, UD2 },
			.length = 3,
			.exit_code = 0x10,
			.source = FROM_CR0,
			.other_code = 0x65 },
	[CR2_WRITE] = { .bytes = { 0x0f, 0x22, 0xd0, UD2 }, .length = 3, .exit_code = 0x12 },
	[CR3_WRITE] = { .bytes = { 0x0f, 0x22, 0xd8, UD2 },
			.length = 3,
			.exit_code = 0x13,
			.source = FROM_CR3 },
	[CR4_WRITE] = { .bytes = { 0x0f, 0x22, 0xe0, UD2 },
			.length = 3,
			.exit_code = 0x14,
			.source = FROM_CR4 },
	[CR8_WRITE] = { .bytes = { 0x44, 0x0f, 0x22, 0xc0, UD2 }, .length = 4, .exit_code = 0x18 },
	[DR0_READ] = { .bytes = { 0x0f, 0x21, 0xc0, UD2 }, .length = 3, .exit_code = 0x20 },
	[DR6_READ] = { .bytes = { 0x0f, 0x21, 0xf0, UD2 }, .length = 3, .exit_code = 0x26 },
	[DR0_WRITE] = { .bytes = { 0x0f, 0x23, 0xc0, UD2 }, .length = 3, .exit_code = 0x30 },
	[DR6_WRITE] = { .bytes = { 0x0f, 0x23, 0xf0, UD2 },
			.length = 3,
			.exit_code = 0x36,
			.rax = 0xffff0ff0 },
	/* Of what RAX points to: tables() has put it there. */
	[SGDT] = { .bytes = { 0x0f, 0x01, 0x00, UD2 },
		   .length = 3,
		   .exit_code = 0x67,
		   .rax = (uint32_t)RULE_SCRATCH },
	[SIDT] = { .bytes = { 0x0f, 0x01, 0x08, UD2 },
		   .length = 3,
		   .exit_code = 0x66,
		   .rax = (uint32_t)RULE_SCRATCH },
	[LGDT] = { .bytes = { 0x0f, 0x01, 0x10, UD2 },
		   .length = 3,
		   .exit_code = 0x6b,
		   .rax = (uint32_t)RULE_SCRATCH },
	[LIDT] = { .bytes = { 0x0f, 0x01, 0x18, UD2 },
		   .length = 3,
		   .exit_code = 0x6a,
		   .rax = (uint32_t)RULE_SCRATCH },
};

/* 0 for an outcome that is right, otherwise the outcome. rip is relative to the instruction. */
static uint64_t judge(const struct encoding *e, uint64_t allowed, uint64_t outcome, uint64_t rip)
{
	bool done = outcome == RAISED_UD && rip == e->length;

	if (allowed & ~NOT_VC)
		rule_outcome(done ? 0 : outcome);
	if (done)
		return allowed & OR_DONE ? 0 : 0xd09eull;
	if ((allowed & OR_TRAP) && outcome == RAISED(e->trap, 0) && rip == e->length)
		return 0;
	if (rip != e->before)
		return outcome ^ rip;
	if (outcome == RAISED_VC(e->exit_code) && !(allowed & NOT_VC))
		return 0;
	if (e->other_code && outcome == RAISED_VC(e->other_code))
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

static uint64_t operand(const struct encoding *e)
{
	uint64_t value = e->rax;

	if (e->source == FROM_CR0)
		__asm__ volatile("mov %%cr0, %0" : "=r"(value));
	else if (e->source == FROM_CR3)
		__asm__ volatile("mov %%cr3, %0" : "=r"(value));
	else if (e->source == FROM_CR4)
		__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	return value;
}

/* The variant is the selector of the code segment. */
static struct vc_jump jump_to(const struct encoding *e, uint64_t selector)
{
	uint64_t at = (uint64_t)e->bytes;

	if (selector == VC_SELECTOR_16)
		at -= (uint64_t)encodings;
	return (struct vc_jump){ at, selector, operand(e), e->rcx, 0x80 };
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

/* Where tables are stored to and loaded from: what is loaded is what was there. */
static uint64_t raises_on_table(const struct rule_case *c)
{
	if ((c->rule->arg & 0xff) == LGDT || (c->rule->arg & 0xff) == SGDT)
		__asm__ volatile("sgdt (%0)" : : "r"(RULE_SCRATCH) : "memory");
	else
		__asm__ volatile("sidt (%0)" : : "r"(RULE_SCRATCH) : "memory");
	return raises(c);
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

/* Without long mode, at VMPL1: a VMSA of its own for each instruction. Registers without paging. */
#define LEGACY_CR0 0x30ull /* ET, NE */
#define CR0_PE 1ull

static uint64_t legacy_operand(const struct encoding *e, uint64_t cr0)
{
	if (e->source == LITERAL)
		return e->rax;
	return e->source == FROM_CR0 ? cr0 : 0;
}

static uint64_t run_legacy(const struct rule_case *c, uint64_t rip)
{
	const struct encoding *e = encoding_of(c);
	struct snp_vmsa *vmsa = actor_vmsa(0, 1);
	uint64_t answer, outcome;

	vmsa->efer = 0x1000;
	vmsa->cr4 = 0;
	vmsa->cr3 = 0;
	vmsa->rip = rip;
	vmsa->rax = legacy_operand(e, vmsa->cr0);
	vmsa->rcx = e->rcx;
	vmsa->rdx = 0x80;
	vc_legacy_clear();
	answer = actor_run_level(1);
	if (!(vmsa->cr0 & CR0_PE))
		vc_real_take();
	outcome = RAISED(vc_legacy_vector, vc_legacy_error);
	actor_fill_vmsa(0, 1); /* for the next one at VMPL1 */
	if (answer != 0x017)
		return ACTOR_DOES_NOT_RUN;
	return judge(e, allowed_of(c), outcome, vc_legacy_eip - rip);
}

/* Protected mode, with an interrupt table of 32-bit gates. The variant is the selector again. */
static uint64_t raises_legacy(const struct rule_case *c)
{
	struct snp_vmsa *vmsa = actor_vmsa(0, 1);

	set_base((uint64_t)encodings);
	vc_legacy_start();
	actor_fill_vmsa(0, 1);
	vmsa->cs = c->variant == VC_SELECTOR_16
			   ? (struct snp_segment){ VC_SELECTOR_16, 0x09b, 0xffff,
						   (uint64_t)encodings }
			   : (struct snp_segment){ VC_SELECTOR_32, 0xc9b, 0xffffffff, 0 };
	vmsa->cr0 = LEGACY_CR0 | CR0_PE;
	vmsa->idtr = (struct snp_segment){ 0, 0, VC_LEGACY_GATES * 8 - 1, (uint64_t)vc_legacy_idt };
	return run_legacy(c, jump_to(encoding_of(c), c->variant).rip);
}

/*
 * Real mode, in a page of its own: the interrupt table, handlers and a stack are below the
 * instruction. What is #VC for certain has no place here: real mode has no gate for its error code.
 */
static uint64_t raises_real(const struct rule_case *c)
{
	const struct encoding *e = encoding_of(c);
	struct snp_vmsa *vmsa = actor_vmsa(0, 1);
	struct snp_segment data = { VC_REAL_PAGE >> 4, 0x93, 0xffff, VC_REAL_PAGE };
	uint64_t bad = page_renew(VC_REAL_PAGE) | rule_pvalidate(VC_REAL_PAGE, 0, 1);

	if (bad != 0)
		return bad;
	vc_real_start(e->bytes, sizeof(e->bytes));
	bad = rmpadjust(VC_REAL_PAGE, 0, 0xf01);
	if (bad != 0)
		return bad;
	actor_fill_vmsa(0, 1);
	vmsa->cs = (struct snp_segment){ VC_REAL_PAGE >> 4, 0x9b, 0xffff, VC_REAL_PAGE };
	vmsa->ds = vmsa->es = vmsa->fs = vmsa->gs = vmsa->ss = data;
	vmsa->idtr = (struct snp_segment){ 0, 0, 0x3ff, VC_REAL_PAGE };
	vmsa->cr0 = LEGACY_CR0;
	vmsa->rsp = VC_REAL_STACK;
	return run_legacy(c, VC_REAL_CODE);
}

#define ALLOW(what) ((what) << 8)

static const struct rule rules[] = {
	{ "CPUID", ALWAYS, RULE_CPU, 0, 1, 0, raises, CPUID, 0 },
	{ "IN of a byte", ALWAYS, RULE_CPU, 0, 1, 0, raises, IN_BYTE, 0 },
	{ "IN of a byte, immediate port", ALWAYS, RULE_CPU, 0, 1, 0, raises, IN_IMMEDIATE, 0 },
	{ "IN of more", ALWAYS, RULE_CPU, 0, 1, 0, raises, IN_WORD, 0 },
	{ "IN with an operand prefix", ALWAYS, RULE_CPU, 0, 1, 0, raises, IN_OTHER, 0 },
	{ "OUT of a byte", ALWAYS, RULE_CPU, 0, 1, 0, raises, OUT_BYTE, 0 },
	{ "OUT of a byte, immediate port", ALWAYS, RULE_CPU, 0, 1, 0, raises, OUT_IMMEDIATE, 0 },
	{ "OUT of more", ALWAYS, RULE_CPU, 0, 1, 0, raises, OUT_WORD, 0 },
	{ "OUT with an operand prefix", ALWAYS, RULE_CPU, 0, 1, 0, raises, OUT_OTHER, 0 },
	{ "INS", ALWAYS, RULE_CPU, 0, 1, 0, raises, INS, 0 },
	{ "OUTS", ALWAYS, RULE_CPU, 0, 1, 0, raises, OUTS, 0 },
	{ "REP INS", ALWAYS, RULE_CPU, 0, 1, 0, raises, REP_INS, 0 },
	{ "REP OUTS", ALWAYS, RULE_CPU, 0, 1, 0, raises, REP_OUTS, 0 },
	{ "RDMSR", SECTION, RULE_CPU, 0, 1, 0, raises, RDMSR, 0 },
	{ "WRMSR", SECTION, RULE_CPU, 0, 1, 0, raises, WRMSR, 0 },
	{ "RDMSR of the GHCB: done", "APM volume 2, 15.35.7", RULE_CPU, 0, 1, 0, raises,
	  RDMSR_GHCB | ALLOW(OR_DONE | NOT_VC), 0 },
	{ "RDMSR of SEV_STATUS: done", "APM volume 2, 15.34.10", RULE_CPU, 0, 1, 0, raises,
	  RDMSR_SEV_STATUS | ALLOW(OR_DONE | NOT_VC), 0 },
	{ "VMMCALL", SECTION, RULE_CPU, 0, 1, 0, raises, VMMCALL, 0 },
	{ "PAUSE: done", AUTOMATIC, RULE_CPU, 0, 1, 0, raises, PAUSE | ALLOW(OR_DONE | NOT_VC), 0 },
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
	{ "MONITORX: done, undefined, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  MONITORX | ALLOW(OR_DONE | OR_UD), 0 },
	{ "MWAITX: done, undefined, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  MWAITX | ALLOW(OR_DONE | OR_UD), 0 },
	{ "MCOMMIT: undefined, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises, MCOMMIT | ALLOW(OR_UD),
	  0 },
	{ "RSM: undefined, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises, RSM | ALLOW(OR_UD), 0 },
	{ "INVLPG: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises, INVLPG | ALLOW(OR_DONE), 0 },
	{ "INVPCID: undefined, refused, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  INVPCID | ALLOW(OR_UD | OR_GP), 0 },
	{ "PUSHF: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises, PUSHF | ALLOW(OR_DONE), 0 },
	{ "POPF: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises, POPF | ALLOW(OR_DONE), 0 },
	{ "SLDT: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises, SLDT | ALLOW(OR_DONE), 0 },
	{ "STR: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises, STR | ALLOW(OR_DONE), 0 },
	{ "LLDT: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises, LLDT | ALLOW(OR_DONE), 0 },
	{ "SMSW: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises, SMSW | ALLOW(OR_DONE), 0 },
	{ "LMSW: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises, LMSW | ALLOW(OR_DONE), 0 },
	{ "CLTS: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises, CLTS | ALLOW(OR_DONE), 0 },
	{ "read of CR0: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  CR0_READ | ALLOW(OR_DONE), 0 },
	{ "read of CR2: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  CR2_READ | ALLOW(OR_DONE), 0 },
	{ "read of CR3: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  CR3_READ | ALLOW(OR_DONE), 0 },
	{ "read of CR4: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  CR4_READ | ALLOW(OR_DONE), 0 },
	{ "write of CR0: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  CR0_WRITE | ALLOW(OR_DONE), 0 },
	{ "write of CR2: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  CR2_WRITE | ALLOW(OR_DONE), 0 },
	{ "write of CR4: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  CR4_WRITE | ALLOW(OR_DONE), 0 },
	{ "read of DR0: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  DR0_READ | ALLOW(OR_DONE), 0 },
	{ "read of DR6: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  DR6_READ | ALLOW(OR_DONE), 0 },
	{ "write of DR0: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  DR0_WRITE | ALLOW(OR_DONE), 0 },
	{ "write of DR6: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  DR6_WRITE | ALLOW(OR_DONE), 0 },
	{ "INT n: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises, INT_N | ALLOW(OR_TRAP), 0 },
	{ "ICEBP: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises, ICEBP | ALLOW(OR_TRAP), 0 },
};

static const struct rule wide_rules[] = {
	{ "read of CR8: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  CR8_READ | ALLOW(OR_DONE), 0 },
	{ "write of CR8: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  CR8_WRITE | ALLOW(OR_DONE), 0 },
	{ "write of CR3: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises,
	  CR3_WRITE | ALLOW(OR_DONE), 0 },
};

static const struct rule table_rules[] = {
	{ "SGDT: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises_on_table, SGDT | ALLOW(OR_DONE),
	  0 },
	{ "SIDT: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises_on_table, SIDT | ALLOW(OR_DONE),
	  0 },
	{ "LGDT: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises_on_table, LGDT | ALLOW(OR_DONE),
	  0 },
	{ "LIDT: done, or #VC", SECTION, RULE_HOST, 0, 1, 0, raises_on_table, LIDT | ALLOW(OR_DONE),
	  0 },
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
	{ "ring 3: IN without the right to: #GP comes first", "APM volume 2, 15.10.2 and 12.2.4",
	  RULE_CPU, LEVELS_ALL, 1, 0, raises_user, IN_BYTE | ALLOW(OR_GP | NOT_VC), 0 },
	{ "ring 3: RDMSR: #GP comes first", "APM volume 2, 15.11", RULE_CPU, LEVELS_ALL, 1, 0,
	  raises_user, RDMSR | ALLOW(OR_GP | NOT_VC), 0 },
};

static const struct rule legacy_rules[] = {
	{ "CPUID", ALWAYS, RULE_CPU, LEVEL(1), 1, 0, raises_legacy, CPUID, 0 },
	{ "IN of a byte", ALWAYS, RULE_CPU, LEVEL(1), 1, 0, raises_legacy, IN_BYTE, 0 },
	{ "IN of a byte, immediate port", ALWAYS, RULE_CPU, LEVEL(1), 1, 0, raises_legacy,
	  IN_IMMEDIATE, 0 },
	{ "IN of more", ALWAYS, RULE_CPU, LEVEL(1), 1, 0, raises_legacy, IN_WORD, 0 },
	{ "IN with an operand prefix", ALWAYS, RULE_CPU, LEVEL(1), 1, 0, raises_legacy, IN_OTHER,
	  0 },
	{ "OUT of a byte", ALWAYS, RULE_CPU, LEVEL(1), 1, 0, raises_legacy, OUT_BYTE, 0 },
	{ "OUT of a byte, immediate port", ALWAYS, RULE_CPU, LEVEL(1), 1, 0, raises_legacy,
	  OUT_IMMEDIATE, 0 },
	{ "OUT of more", ALWAYS, RULE_CPU, LEVEL(1), 1, 0, raises_legacy, OUT_WORD, 0 },
	{ "OUT with an operand prefix", ALWAYS, RULE_CPU, LEVEL(1), 1, 0, raises_legacy, OUT_OTHER,
	  0 },
	{ "INS", ALWAYS, RULE_CPU, LEVEL(1), 1, 0, raises_legacy, INS, 0 },
	{ "OUTS", ALWAYS, RULE_CPU, LEVEL(1), 1, 0, raises_legacy, OUTS, 0 },
	{ "REP INS", ALWAYS, RULE_CPU, LEVEL(1), 1, 0, raises_legacy, REP_INS, 0 },
	{ "REP OUTS", ALWAYS, RULE_CPU, LEVEL(1), 1, 0, raises_legacy, REP_OUTS, 0 },
	{ "RDMSR", SECTION, RULE_CPU, LEVEL(1), 1, 0, raises_legacy, RDMSR, 0 },
	{ "WRMSR", SECTION, RULE_CPU, LEVEL(1), 1, 0, raises_legacy, WRMSR, 0 },
	{ "VMMCALL", SECTION, RULE_CPU, LEVEL(1), 1, 0, raises_legacy, VMMCALL, 0 },
	{ "PAUSE: done", AUTOMATIC, RULE_CPU, LEVEL(1), 1, 0, raises_legacy,
	  PAUSE | ALLOW(OR_DONE | NOT_VC), 0 },
	{ "RDTSC: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  RDTSC | ALLOW(OR_DONE), 0 },
	{ "RDTSCP: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  RDTSCP | ALLOW(OR_DONE | OR_UD), 0 },
	{ "RDPMC: done, refused, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  RDPMC | ALLOW(OR_DONE | OR_GP | OR_UD), 0 },
	{ "WBINVD: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  WBINVD | ALLOW(OR_DONE), 0 },
	{ "WBNOINVD: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  WBNOINVD | ALLOW(OR_DONE), 0 },
	{ "INVD: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  INVD | ALLOW(OR_DONE), 0 },
	{ "MONITOR: done, undefined, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  MONITOR | ALLOW(OR_DONE | OR_UD), 0 },
	{ "MWAIT: done, undefined, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  MWAIT | ALLOW(OR_DONE | OR_UD), 0 },
	{ "XSETBV with CR4.OSXSAVE clear: undefined, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0,
	  raises_legacy, XSETBV | ALLOW(OR_UD), 0 },
	{ "RDPRU: done, undefined, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  RDPRU | ALLOW(OR_DONE | OR_UD), 0 },
	{ "read of DR7: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  DR7_READ | ALLOW(OR_DONE), 0 },
	{ "write of DR7: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  DR7_WRITE | ALLOW(OR_DONE), 0 },
	{ "MONITORX: done, undefined, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  MONITORX | ALLOW(OR_DONE | OR_UD), 0 },
	{ "MWAITX: done, undefined, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  MWAITX | ALLOW(OR_DONE | OR_UD), 0 },
	{ "MCOMMIT: undefined, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  MCOMMIT | ALLOW(OR_UD), 0 },
	{ "RSM: undefined, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  RSM | ALLOW(OR_UD), 0 },
	{ "INVLPG: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  INVLPG | ALLOW(OR_DONE), 0 },
	{ "INVPCID: undefined, refused, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  INVPCID | ALLOW(OR_UD | OR_GP), 0 },
	{ "PUSHF: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  PUSHF | ALLOW(OR_DONE), 0 },
	{ "POPF: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  POPF | ALLOW(OR_DONE), 0 },
	{ "SLDT: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  SLDT | ALLOW(OR_DONE), 0 },
	{ "STR: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  STR | ALLOW(OR_DONE), 0 },
	{ "LLDT: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  LLDT | ALLOW(OR_DONE), 0 },
	{ "SMSW: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  SMSW | ALLOW(OR_DONE), 0 },
	{ "LMSW: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  LMSW | ALLOW(OR_DONE), 0 },
	{ "CLTS: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  CLTS | ALLOW(OR_DONE), 0 },
	{ "read of CR0: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  CR0_READ | ALLOW(OR_DONE), 0 },
	{ "read of CR2: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  CR2_READ | ALLOW(OR_DONE), 0 },
	{ "read of CR3: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  CR3_READ | ALLOW(OR_DONE), 0 },
	{ "read of CR4: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  CR4_READ | ALLOW(OR_DONE), 0 },
	{ "write of CR0: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  CR0_WRITE | ALLOW(OR_DONE), 0 },
	{ "write of CR2: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  CR2_WRITE | ALLOW(OR_DONE), 0 },
	{ "write of CR4: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  CR4_WRITE | ALLOW(OR_DONE), 0 },
	{ "read of DR0: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  DR0_READ | ALLOW(OR_DONE), 0 },
	{ "read of DR6: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  DR6_READ | ALLOW(OR_DONE), 0 },
	{ "write of DR0: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  DR0_WRITE | ALLOW(OR_DONE), 0 },
	{ "write of DR6: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  DR6_WRITE | ALLOW(OR_DONE), 0 },
	{ "write of CR3: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_legacy,
	  CR3_WRITE | ALLOW(OR_DONE), 0 },
};

/* LLDT, SLDT and STR do not exist in real mode. */
static const struct rule real_rules[] = {
	{ "PAUSE: done", AUTOMATIC, RULE_CPU, LEVEL(1), 1, 0, raises_real,
	  PAUSE | ALLOW(OR_DONE | NOT_VC), 0 },
	{ "RDTSC: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  RDTSC | ALLOW(OR_DONE), 0 },
	{ "RDTSCP: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  RDTSCP | ALLOW(OR_DONE | OR_UD), 0 },
	{ "RDPMC: done, refused, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  RDPMC | ALLOW(OR_DONE | OR_GP | OR_UD), 0 },
	{ "WBINVD: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  WBINVD | ALLOW(OR_DONE), 0 },
	{ "WBNOINVD: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  WBNOINVD | ALLOW(OR_DONE), 0 },
	{ "INVD: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  INVD | ALLOW(OR_DONE), 0 },
	{ "MONITOR: done, undefined, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  MONITOR | ALLOW(OR_DONE | OR_UD), 0 },
	{ "MWAIT: done, undefined, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  MWAIT | ALLOW(OR_DONE | OR_UD), 0 },
	{ "XSETBV with CR4.OSXSAVE clear: undefined, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0,
	  raises_real, XSETBV | ALLOW(OR_UD), 0 },
	{ "RDPRU: done, undefined, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  RDPRU | ALLOW(OR_DONE | OR_UD), 0 },
	{ "read of DR7: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  DR7_READ | ALLOW(OR_DONE), 0 },
	{ "write of DR7: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  DR7_WRITE | ALLOW(OR_DONE), 0 },
	{ "MONITORX: done, undefined, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  MONITORX | ALLOW(OR_DONE | OR_UD), 0 },
	{ "MWAITX: done, undefined, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  MWAITX | ALLOW(OR_DONE | OR_UD), 0 },
	{ "MCOMMIT: undefined, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  MCOMMIT | ALLOW(OR_UD), 0 },
	{ "RSM: undefined, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  RSM | ALLOW(OR_UD), 0 },
	{ "INVLPG: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  INVLPG | ALLOW(OR_DONE), 0 },
	{ "INVPCID: undefined, refused, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  INVPCID | ALLOW(OR_UD | OR_GP), 0 },
	{ "PUSHF: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  PUSHF | ALLOW(OR_DONE), 0 },
	{ "POPF: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  POPF | ALLOW(OR_DONE), 0 },
	{ "SLDT: undefined, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  SLDT | ALLOW(OR_UD), 0 },
	{ "STR: undefined, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  STR | ALLOW(OR_UD), 0 },
	{ "LLDT: undefined, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  LLDT | ALLOW(OR_UD), 0 },
	{ "SMSW: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  SMSW | ALLOW(OR_DONE), 0 },
	{ "LMSW: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  LMSW | ALLOW(OR_DONE), 0 },
	{ "CLTS: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  CLTS | ALLOW(OR_DONE), 0 },
	{ "read of CR0: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  CR0_READ | ALLOW(OR_DONE), 0 },
	{ "read of CR2: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  CR2_READ | ALLOW(OR_DONE), 0 },
	{ "read of CR3: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  CR3_READ | ALLOW(OR_DONE), 0 },
	{ "read of CR4: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  CR4_READ | ALLOW(OR_DONE), 0 },
	{ "write of CR0: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  CR0_WRITE | ALLOW(OR_DONE), 0 },
	{ "write of CR2: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  CR2_WRITE | ALLOW(OR_DONE), 0 },
	{ "write of CR4: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  CR4_WRITE | ALLOW(OR_DONE), 0 },
	{ "read of DR0: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  DR0_READ | ALLOW(OR_DONE), 0 },
	{ "read of DR6: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  DR6_READ | ALLOW(OR_DONE), 0 },
	{ "write of DR0: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  DR0_WRITE | ALLOW(OR_DONE), 0 },
	{ "write of DR6: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  DR6_WRITE | ALLOW(OR_DONE), 0 },
	{ "write of CR3: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  CR3_WRITE | ALLOW(OR_DONE), 0 },
	{ "INT n: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  INT_N | ALLOW(OR_TRAP), 0 },
	{ "ICEBP: done, or #VC", SECTION, RULE_HOST, LEVEL(1), 1, 0, raises_real,
	  ICEBP | ALLOW(OR_TRAP), 0 },
};

const struct rule_family vc_64bit = { "#VC in 64-bit code", rules, RULE_COUNT(rules), 0x08, 0 };
const struct rule_family vc_wide = { "#VC in 64-bit code", wide_rules, RULE_COUNT(wide_rules), 0x08,
				     0 };
const struct rule_family vc_tables64 = { "#VC in 64-bit code", table_rules, RULE_COUNT(table_rules),
					 0x08, 0 };
const struct rule_family vc_tables32 = { "#VC in 32-bit code of long mode", table_rules,
					 RULE_COUNT(table_rules), VC_SELECTOR_32, 0 };
const struct rule_family vc_real = { "#VC in real mode", real_rules, RULE_COUNT(real_rules), 0,
				     NEED_LEVELS };
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
