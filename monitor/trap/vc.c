/* SPDX-License-Identifier: MIT */
/*
 * #VC of ring 3. Ring 0 executes nothing that raises it: what it wants of the host it asks for by
 * GHCB exits, and CPUID it reads from the page that the AMD-SP checked.
 */
#include "abi/snp.h"
#include "monitor/arch/hw/cpuid.h"
#include "monitor/trap/trap.h"

#define CPUID_LENGTH 2u

/* The instruction itself must say CPUID: the exit code is the host's word. */
static bool is_cpuid(const struct trap_frame *frame)
{
	uint8_t code[CPUID_LENGTH];

	return space_read(cpu_this()->user->space, code, (va_t){ frame->rip }, sizeof(code)) &&
	       code[0] == 0x0f && code[1] == 0xa2;
}

bool vc_handle(struct trap_frame *frame)
{
	if (frame->error != SVM_EXIT_CPUID || !is_cpuid(frame))
		return false;

	struct cpuid_result result = cpuid_for_service((uint32_t)frame->rax, (uint32_t)frame->rcx,
						       cpu_this()->index);

	frame->rax = result.eax;
	frame->rbx = result.ebx;
	frame->rcx = result.ecx;
	frame->rdx = result.edx;
	frame->rip += CPUID_LENGTH;
	return true;
}
