/* SPDX-License-Identifier: MIT */
#include "tests/machine/guest/translations.h"

#include "tests/machine/guest/traps.h"

static void end_store(struct trap_frame *frame)
{
	frame->rax = frame->vector << 16 | frame->error;
	frame->rip += 3;
}

void translations_start(void)
{
	trap_handler = end_store;
}

uint64_t try_store(uint64_t gpa)
{
	uint64_t raised = 0;

	__asm__ volatile(".byte 0x48, 0x89, 0x37" /* mov %rsi, (%rdi) */
			 : "+a"(raised)
			 : "D"(gpa), "S"(gpa)
			 : "memory");
	return raised;
}

void change_cr4(uint64_t bits)
{
	uint64_t cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4 ^ bits) : "memory");
}

void reload_cr3(void)
{
	uint64_t cr3;

	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	__asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
}

void invlpg(uint64_t address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}
