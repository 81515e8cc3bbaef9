/* SPDX-License-Identifier: MIT */
#include "monitor/trap/trap.h"

/*
 * The bytes are read by the page tables of the service, for RIP may be anything. No instruction is
 * looked for behind a prefix: there the CPU stopped at the prefix.
 */
bool trap_at_opcode(const struct trap_frame *frame, uint8_t second)
{
	uint8_t code[OPCODE_LENGTH];

	return space_read(cpu_this()->user->space, code, (va_t){ frame->rip }, sizeof(code)) &&
	       code[0] == 0x0f && code[1] == second;
}
