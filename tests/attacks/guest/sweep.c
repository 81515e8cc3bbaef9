/* SPDX-License-Identifier: MIT */
/*
 * An event of VMPL0 at each instruction from one call to the next: in VMPL2 on its way to the call,
 * in VMPL0, and in VMPL2 behind it (`socle run --event-sweep`, under QEMU's -icount;
 * ../sweep_test.py). The call is answered once, its five registers are the answer's, the others
 * stay, and what is the guest's own on the way comes once: an interrupt in the shadow of STI, a
 * #VC.
 */
#include "tests/attacks/guest/attack.h"

#define X2APIC_EOI 0x80bu
#define X2APIC_SELF_IPI 0x83fu
#define VECTOR 31u	  /* within the table of exceptions */
#define CPUID_ERROR 0x72u /* #VC of CPUID */
#define CF_DF 0x401u
#define CORE_VERSIONS 0x100000001ull
#define ANSWERED 5u
#define RFLAGS_IF 0x200u
#define AGAINS_MAX 3u

/* In the order of sweep_asm.S. */
struct sweep_regs {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rflags;
};

typedef void sweep_function(struct sweep_regs *regs, uint8_t *call_pending);
sweep_function sweep_call, sweep_call_sti, sweep_call_cpuid;
extern const char sweep_call_sti_behind[];

static volatile uint64_t interrupts, agains, vcs, elsewhere;
static void (*usual_handler)(struct trap_frame *frame);

static void take(struct trap_frame *frame)
{
	uint64_t ghcb_msr;

	/*
	 * QEMU may deliver what EVENTINJ injected once more before the handler's first instruction
	 * (docs/machine-limits.md). No processor, and no other fault, interrupts what has IF clear.
	 */
	if (frame->vector == VECTOR && !(frame->rflags & RFLAGS_IF)) {
		agains++;
		return;
	}
	if (frame->vector == VECTOR) {
		ghcb_msr = msr_read(SNP_MSR_GHCB);
		interrupts++;
		elsewhere += frame->rip != (uint64_t)sweep_call_sti_behind;
		expect("end of interrupt", ghcb_msr_write(X2APIC_EOI, 0), true);
		msr_write(SNP_MSR_GHCB, ghcb_msr);
		return;
	}
	if (frame->vector == 29 && frame->error == CPUID_ERROR) {
		vcs++;
		frame->rip += 2;
		return;
	}
	usual_handler(frame);
}

static void begin(void)
{
	usual_handler = trap_handler;
	trap_handler = take;
	interrupts = agains = vcs = elsewhere = 0;
	cpu_apic_on();
}

/* One call, and what is left of the registers. */
static void one(sweep_function *call, unsigned int round)
{
	uint8_t *pending = &((struct svsm_caa *)cpu_this()->caa)->call_pending;
	uint64_t pattern = 0x9e3779b97f4a7c15ull * (round + 1);
	struct sweep_regs regs = {
		CORE_QUERY_PROTOCOL,
		~pattern,
		1,
		pattern,
		pattern + 1,
		pattern + 2,
		pattern + 3,
		pattern + 4,
		pattern + 5,
		pattern + 6,
		pattern + 7,
		pattern + 8,
		pattern + 9,
		pattern + 10,
		pattern + 11,
		0,
	};

	call(&regs, pending);
	expect("the call was taken", __atomic_exchange_n(pending, 0, __ATOMIC_SEQ_CST), 0);
	expect("RAX, the result", regs.rax, 0);
	expect("RCX, the answer", regs.rcx, CORE_VERSIONS);
	expect("RDX", regs.rdx, pattern);
	expect("R8", regs.r8, pattern + 4);
	expect("R9", regs.r9, pattern + 5);
	expect("RBX", regs.rbx, ~pattern);
	expect("RSI", regs.rsi, pattern + 1);
	expect("RDI", regs.rdi, pattern + 2);
	expect("RBP", regs.rbp, pattern + 3);
	expect("R10", regs.r10, pattern + 6);
	expect("R11", regs.r11, pattern + 7);
	expect("R12", regs.r12, pattern + 8);
	expect("R13", regs.r13, pattern + 9);
	expect("R14", regs.r14, pattern + 10);
	expect("R15", regs.r15, pattern + 11);
	expect("CF and DF", regs.rflags & CF_DF, CF_DF);
}

static void calls(void)
{
	begin();
	for (unsigned int i = 0; i < ROUNDS; i++)
		one(sweep_call, i);
	trap_handler = usual_handler;
}

/*
 * Which waits for IF, and for the end of the shadow: it comes once, behind VMGEXIT (APM volume 2,
 * 15.21.5).
 */
static void own_interrupts(void)
{
	begin();
	for (unsigned int i = 0; i < ROUNDS; i++) {
		expect("an interrupt of its own", ghcb_msr_write(X2APIC_SELF_IPI, VECTOR), true);
		expect("  has to wait", interrupts, i);
		one(sweep_call_sti, i);
		expect("  and came once", interrupts, i + 1);
	}
	expect("hardly any again, by QEMU", agains <= AGAINS_MAX, true);
	note("%lu of %u interrupts elsewhere than behind VMGEXIT, %lu again by QEMU", elsewhere,
	     ROUNDS, agains);
	trap_handler = usual_handler;
}

static void own_vcs(void)
{
	begin();
	for (unsigned int i = 0; i < ROUNDS; i++) {
		one(sweep_call_cpuid, i);
		expect("#VC", vcs, 2 * (i + 1));
	}
	trap_handler = usual_handler;
}

const struct rule rules[] = {
	{ "calls", "58019 4", calls, 1 },
	{ "calls with an interrupt that waits", "APM 2, 15.21.5", own_interrupts, 1 },
	{ "calls between two #VC", "APM 2, 15.35.5", own_vcs, 1 },
	{ NULL, NULL, NULL, 0 },
};
