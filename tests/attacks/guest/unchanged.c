/* SPDX-License-Identifier: MIT */
/*
 * Events of VMPL0 come while the guest's level runs, and it goes on as if they had not: registers,
 * exceptions and interrupts of its own that are on their way.
 */
#include "tests/attacks/guest/attack.h"

#define X2APIC_EOI 0x80bu
#define X2APIC_LVT_TIMER 0x832u
#define X2APIC_INITIAL 0x838u
#define X2APIC_DIVIDE 0x83eu
#define DIVIDE_BY_1 0xbu
#define VECTOR 31u /* within the table of exceptions */
#define REGISTERS 13u
#define LOOKS 50u
#define TURNS 400000u /* of the loop between two looks: about a millisecond in emulation */
#define OPENINGS 100000u
#define CPUIDS 3000u
#define INTERRUPTS 300u
#define SOON 30000u		/* 30 us of the timer */
#define PATIENCE 40000000000ull /* of the TSC: more than any busy computer takes */

static volatile uint64_t interrupts, vcs;
static void (*usual_handler)(struct trap_frame *frame);

static void take(struct trap_frame *frame)
{
	uint64_t ghcb_msr;

	if (frame->vector == VECTOR) {
		ghcb_msr = msr_read(SNP_MSR_GHCB);
		interrupts++;
		expect("end of interrupt", ghcb_msr_write(X2APIC_EOI, 0), true);
		msr_write(SNP_MSR_GHCB, ghcb_msr);
		return;
	}
	if (frame->vector == 29 && frame->error == 0x72) { /* CPUID, two bytes */
		vcs++;
		frame->rax = ~frame->rax;
		frame->rip += 2;
		return;
	}
	usual_handler(frame);
}

static void begin(void)
{
	usual_handler = trap_handler;
	trap_handler = take;
	interrupts = vcs = 0;
	cpu_apic_on();
	expect("divide by 1", ghcb_msr_write(X2APIC_DIVIDE, DIVIDE_BY_1), true);
	expect("timer: once", ghcb_msr_write(X2APIC_LVT_TIMER, VECTOR), true);
}

static void end(void)
{
	expect("timer off", ghcb_msr_write(X2APIC_INITIAL, 0), true);
	trap_handler = usual_handler;
}

/* All but RSP, RAX, which says where they are, and RCX, which counts; RFLAGS with CF and DF set. */
static void count_down(uint64_t registers[REGISTERS], uint64_t *rflags)
{
	uint64_t turns = TURNS;

	__asm__ volatile("pushq %%rbp\n\t"
			 "pushq %%rax\n\t"
			 "pushq %%rdx\n\t"
			 "movq 0(%%rax), %%rbx\n\t"
			 "movq 8(%%rax), %%rdx\n\t"
			 "movq 16(%%rax), %%rsi\n\t"
			 "movq 24(%%rax), %%rdi\n\t"
			 "movq 32(%%rax), %%rbp\n\t"
			 "movq 40(%%rax), %%r8\n\t"
			 "movq 48(%%rax), %%r9\n\t"
			 "movq 56(%%rax), %%r10\n\t"
			 "movq 64(%%rax), %%r11\n\t"
			 "movq 72(%%rax), %%r12\n\t"
			 "movq 80(%%rax), %%r13\n\t"
			 "movq 88(%%rax), %%r14\n\t"
			 "movq 96(%%rax), %%r15\n\t"
			 "stc\n\t"
			 "std\n\t"
			 "1: leaq -1(%%rcx), %%rcx\n\t" /* leaves RFLAGS alone */
			 "jrcxz 2f\n\t"
			 "jmp 1b\n\t"
			 "2: pushfq\n\t"
			 "cld\n\t"
			 "movq %%rax, %%rcx\n\t"
			 "movq 16(%%rsp), %%rax\n\t" /* what RAX was */
			 "xorq %%rax, %%rcx\n\t"     /* 0 if it still is */
			 "movq %%rbx, 0(%%rax)\n\t"
			 "movq %%rdx, 8(%%rax)\n\t"
			 "movq %%rsi, 16(%%rax)\n\t"
			 "movq %%rdi, 24(%%rax)\n\t"
			 "movq %%rbp, 32(%%rax)\n\t"
			 "movq %%r8, 40(%%rax)\n\t"
			 "movq %%r9, 48(%%rax)\n\t"
			 "movq %%r10, 56(%%rax)\n\t"
			 "movq %%r11, 64(%%rax)\n\t"
			 "movq %%r12, 72(%%rax)\n\t"
			 "movq %%r13, 80(%%rax)\n\t"
			 "movq %%r14, 88(%%rax)\n\t"
			 "movq %%r15, 96(%%rax)\n\t"
			 "popq %%rbx\n\t"
			 "popq %%rdx\n\t"
			 "popq %%rax\n\t"
			 "popq %%rbp\n\t"
			 "movq %%rbx, (%%rdx)\n\t"
			 : "+c"(turns)
			 : "a"(registers), "d"(rflags)
			 : "rbx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
			   "r15", "memory", "cc");
	expect("RAX", turns, 0);
}

static void registers(void)
{
	uint64_t got[REGISTERS], want[REGISTERS], rflags = 0;

	for (unsigned int i = 0; i < LOOKS; i++) {
		for (unsigned int n = 0; n < REGISTERS; n++)
			got[n] = want[n] = 0x9e3779b97f4a7c15ull * (i * REGISTERS + n + 1);
		count_down(got, &rflags);
		for (unsigned int n = 0; n < REGISTERS; n++)
			expect("a register", got[n], want[n]);
		expect("CF and DF", rflags & 0x401, 0x401);
	}
}

/* APM volume 2, 15.35.5. */
static void vc(void)
{
	uint32_t eax;

	begin();
	for (unsigned int i = 0; i < CPUIDS; i++) {
		eax = i;
		__asm__ volatile("cpuid"
				 : "+a"(eax), "+c"((uint32_t){ 0 })
				 :
				 : "rbx", "rdx", "memory");
		expect("the handler's answer", eax, (uint32_t)~i);
	}
	expect("each CPUID was one #VC", vcs, CPUIDS);
	end();
}

/* Each is armed when the last has come: none is lost, and none comes twice. */
static void own_interrupts(void)
{
	begin();
	for (unsigned int i = 0; i < INTERRUPTS; i++) {
		uint64_t start = cpu_tsc();

		expect("timer: count", ghcb_msr_write(X2APIC_INITIAL, SOON), true);
		while (interrupts == i && cpu_tsc() - start < PATIENCE)
			__asm__ volatile("sti; nop; nop; cli" : : : "memory");
		expect("one interrupt", interrupts, i + 1);
	}
	for (unsigned int i = 0; i < OPENINGS; i++)
		__asm__ volatile("sti; nop; nop; cli" : : : "memory");
	expect("and no more", interrupts, INTERRUPTS);
	end();
}

const struct rule rules[] = {
	{ "registers stay", "APM 2, 15.36.7", registers, 1 },
	{ "#VC comes once", "APM 2, 15.35.5", vc, 1 },
	{ "interrupts come once", "APM 2, 15.20", own_interrupts, 1 },
	{ NULL, NULL, NULL, 0 },
};
