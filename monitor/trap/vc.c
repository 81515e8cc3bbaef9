/* SPDX-License-Identifier: MIT */
/*
 * #VC of ring 3. Ring 0 executes nothing that raises it: what it wants of the host it asks for by
 * GHCB exits, and CPUID it reads from the page that the AMD-SP checked.
 */
#include "abi/snp.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/trap/trap.h"

#define OPCODE_CPUID 0xa2u /* behind 0F */

bool vc_handle(struct trap_frame *frame)
{
	/* The instruction itself must say CPUID: the exit code is the host's word. */
	if (frame->error != SVM_EXIT_CPUID || !trap_at_opcode(frame, OPCODE_CPUID))
		return false;

	struct cpuid_result result = cpuid_for_service((uint32_t)frame->rax, (uint32_t)frame->rcx,
						       cpu_this()->index);

	frame->rax = result.eax;
	frame->rbx = result.ebx;
	frame->rcx = result.ecx;
	frame->rdx = result.edx;
	frame->rip += OPCODE_LENGTH;
	return true;
}
