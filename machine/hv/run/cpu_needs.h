/* SPDX-License-Identifier: MIT */
/*
 * What the hypervisor needs of a processor, which is QEMU's by version and model, or KVM's: held
 * against CPUID before anything is started.
 */
#ifndef SOCLE_MACHINE_HV_RUN_CPU_NEEDS_H
#define SOCLE_MACHINE_HV_RUN_CPU_NEEDS_H

#include "machine/hv/base/x86.h"

/* A field of a leaf's register that has to be at least so much. */
struct cpu_need {
	uint32_t leaf;
	uint8_t reg; /* 0: EAX to 3: EDX */
	uint32_t mask, least;
	char name[8]; /* for people, with its end */
	/*
	 * The version of QEMU from which on its software emulation of our model has it, as struct
	 * mailbox has versions; 0: nothing that the machine can run on may lack it.
	 */
	uint32_t since;
};

/*
 * The first need of that version, in the table's order, that is not met by what cpuid says of a
 * leaf; NULL when all are.
 */
const struct cpu_need *cpu_needs_unmet(struct x86_cpuid (*cpuid)(uint32_t leaf), uint32_t version);

/*
 * Ends the machine with MAILBOX_STOP_CPU_LACKS where this processor does not meet one of that
 * version.
 */
void cpu_needs_check(uint32_t version);

#endif
