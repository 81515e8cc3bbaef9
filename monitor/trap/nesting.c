/* SPDX-License-Identifier: MIT */
/*
 * Whether an exception overwrote the frame of another one. It is found out from the frames that the
 * CPU itself pushed, each at the top of its IST stack, and from where ring 0 was. What a service
 * left in RSP is never asked: in the SYSCALL gap the RIP is judged first.
 */
#include "abi/snp.h"
#include "monitor/trap/trap.h"
#include "monitor/trap/user_asm.h"

/* What the CPU pushes of the code that it interrupts (APM volume 2, 8.9.3). */
struct interrupted {
	uint64_t rip, cs, rflags, rsp, ss;
};

enum cpu_ist trap_ist(unsigned int vector)
{
	switch (vector) {
	case VECTOR_DB:
		return IST_DEBUG;
	case VECTOR_NMI:
		return IST_NMI;
	case VECTOR_DF:
	case VECTOR_MC:
		return IST_FATAL;
	case X86_VECTOR_HV:
		return IST_HV;
	case X86_VECTOR_VC:
		return IST_VC;
	default:
		return IST_NONE;
	}
}

/* True where RSP is the service's, though the code is ring 0's. */
static bool in_syscall_gap(uint64_t rip)
{
	return rip >= (uint64_t)(uintptr_t)trap_syscall &&
	       rip < (uint64_t)(uintptr_t)trap_syscall_stacked;
}

/* The IST stack on which the interrupted code ran, IST_NONE for ring 3 and the run loop's stack. */
static enum cpu_ist stack_of(const struct cpu *cpu, const struct interrupted *code)
{
	if ((code->cs & 3) || in_syscall_gap(code->rip))
		return IST_NONE;
	for (enum cpu_ist ist = IST_HV; ist < IST_COUNT; ist++) {
		if (cpu_on_ist(cpu, ist, code->rsp))
			return ist;
	}
	return IST_NONE;
}

/* What the handler that runs on that stack interrupted. */
static void interrupted_by(const struct cpu *cpu, enum cpu_ist ist, struct interrupted *code)
{
	const uint8_t *top = (const uint8_t *)cpu + CPU_IST_TOP(ist);

	__builtin_memcpy(code, top - sizeof(*code), sizeof(*code));
}

bool trap_overwrites(const struct cpu *cpu, const struct trap_frame *frame)
{
	enum cpu_ist own = trap_ist((unsigned int)frame->vector), on;
	struct interrupted code = { .rip = frame->rip, .cs = frame->cs, .rsp = frame->rsp };

	if (own == IST_NONE)
		return false;
	/* Each stack of the chain is another one, or some frame in it is lost already. */
	for (unsigned int depth = 0; depth < IST_COUNT; depth++) {
		on = stack_of(cpu, &code);
		if (on == IST_NONE || on == own)
			return on == own;
		interrupted_by(cpu, on, &code);
	}
	return true;
}
