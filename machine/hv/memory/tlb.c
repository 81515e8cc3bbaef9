/* SPDX-License-Identifier: MIT */
#include "machine/hv/memory/tlb.h"

#include "machine/hv/base/cpu.h"
#include "machine/hv/base/x86.h"

#define NO_GENERATION (~0ull)

static struct {
	uint64_t entered; /* the generation at its last VMRUN */
	uint32_t ran_at;  /* VMPLs, as bits */
} vcpus[MACHINE_CPUS_MAX];

static uint64_t generation; /* grows when translations lose rights */

void tlb_shootdown(void)
{
	generation++;
	x86_fence();
	for (unsigned int i = 0; i < cpu_count(); i++)
		cpu_drive_out(i);
}

void tlb_drop(unsigned int vcpu)
{
	cpu_drive_out(vcpu);
	vcpus[vcpu].entered = NO_GENERATION;
}

bool tlb_enter(unsigned int vcpu, unsigned int vmpl)
{
	bool flush = vcpus[vcpu].entered != generation;

	vcpus[vcpu].entered = generation;
	vcpus[vcpu].ran_at |= 1u << vmpl;
	return flush;
}

bool tlb_ran_at(unsigned int vcpu, unsigned int vmpl)
{
	return vcpus[vcpu].ran_at >> vmpl & 1;
}

void tlb_flushed(unsigned int vcpu, unsigned int vmpl)
{
	vcpus[vcpu].ran_at &= ~(1u << vmpl);
}
