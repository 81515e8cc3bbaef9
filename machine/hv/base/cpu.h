/* SPDX-License-Identifier: MIT */
/* The physical CPUs that run the guest's vCPUs: vCPU i runs on CPU i and nowhere else. */
#ifndef SOCLE_MACHINE_HV_BASE_CPU_H
#define SOCLE_MACHINE_HV_BASE_CPU_H

#include <stdbool.h>

#include "machine/mailbox.h"

struct cpu {
	unsigned int id;	/* index; its own APIC id is MACHINE_BOOT_CPUS higher */
	uint64_t taken[4];	/* vectors that arrived and were not routed yet, as bits */
	volatile bool in_guest; /* between unlock for VMRUN and #VMEXIT */
	volatile bool online;
};

/* How many there are. Once, on the boot CPU, before any other of these. */
void cpu_set_count(unsigned int count);
unsigned int cpu_count(void);

struct cpu *cpu_at(unsigned int id);

/* The CPU that runs this; NULL on the boot CPU, which runs no vCPU. */
struct cpu *cpu_self(void);

/* The APIC id of a CPU. */
static inline uint32_t cpu_apic_id(unsigned int id)
{
	return MACHINE_BOOT_CPUS + id;
}

/* Starts a CPU in rom.S and waits until it is online. */
void cpu_start(unsigned int id);

/* Makes another CPU leave the guest, or wake up, by an NMI; nothing for the own one. */
void cpu_kick(unsigned int id);

/* The own CPU leaves the guest again as soon as it has entered it and taken what is injected. */
void cpu_leave_soon(unsigned int id);

/*
 * Makes another CPU leave the guest and waits for that; nothing for the own one. It cannot come
 * back before the lock is free.
 */
void cpu_drive_out(unsigned int id);

#endif
