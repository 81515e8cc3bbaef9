/* SPDX-License-Identifier: MIT */
/*
 * System calls come as #UD: EFER.SCE is clear (cpu/cpu.c), so that SYSCALL is an undefined
 * instruction (APM volume 3) and enters ring 0 through a gate, which switches stacks by itself.
 * SYSCALL would leave ring 0 on the service's stack pointer for some instructions, and then #HV,
 * which comes when it likes, needed a stack at a fixed place, where two of them overwrite each
 * other.
 */
#include "monitor/trap/trap.h"

#define OPCODE_SYSCALL 0x05u /* behind 0F */
#define RFLAGS_RF (1ull << 16)

bool syscall_take(struct trap_frame *frame)
{
	if (!trap_at_opcode(frame, OPCODE_SYSCALL))
		return false;

	/*
	 * As SYSCALL does: RCX is the next instruction, R11 the flags without RF, which a fault
	 * sets.
	 */
	frame->rip += OPCODE_LENGTH;
	frame->rflags &= ~RFLAGS_RF;
	frame->rcx = frame->rip;
	frame->r11 = frame->rflags;
	return true;
}
