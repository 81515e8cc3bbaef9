/* SPDX-License-Identifier: MIT */
#include "machine/hv/vmgexit/handlers.h"

#include "machine/hv/plane/cpuid.h"

#define LEAF_XSAVE 0xdu

void nae_cpuid(struct ghcb_call *c)
{
	struct cpuid_machine machine = cpuid_this_machine();
	struct x86_cpuid r;

	/*
	 * Sizes in that leaf depend on XCR0, which a host does not see (GHCB specification, CPUID
	 * event). An XSS would say nothing: there is no component that it could enable.
	 */
	if ((uint32_t)c->rax == LEAF_XSAVE && !(c->fields & GHCB_FIELD_XCR0)) {
		ghcb_error(c, GHCB_ERROR_MISSING_INPUT);
		return;
	}
	machine.xcr0 = c->xcr0;
	r = cpuid_answer((uint32_t)c->rax, (uint32_t)c->rcx, c->v->id, &machine);
	c->rax = r.eax;
	c->rbx = r.ebx;
	c->rcx = r.ecx;
	c->rdx = r.edx;
	c->output = GHCB_FIELD_RAX | GHCB_FIELD_RBX | GHCB_FIELD_RCX | GHCB_FIELD_RDX;
}

uint64_t ghcb_msr_cpuid(struct vcpu *v, uint64_t request)
{
	struct cpuid_machine machine = cpuid_this_machine();
	struct x86_cpuid r = cpuid_answer((uint32_t)(request >> 32), 0, v->id, &machine);
	const uint32_t registers[4] = { r.eax, r.ebx, r.ecx, r.edx };
	unsigned int which = request >> 30 & 3;

	return GHCB_MSR_CPUID_RESP | (uint64_t)which << 30 | (uint64_t)registers[which] << 32;
}
