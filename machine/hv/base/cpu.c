/* SPDX-License-Identifier: MIT */
#include "machine/hv/base/cpu.h"

#include "machine/hv/base/lapic.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/stacks.h"
#include "machine/hv/base/x86.h"

#define ICR_NMI 0x4400u
#define ICR_INIT 0x4500u
#define ICR_STARTUP 0x4600u
#define START_PAGE 0xffu /* rom.S: the alias of the ROM's last page */
#define START_PATIENCE 20000000u
#define START_TRIES 5u
/* In looks. An NMI that arrives while QEMU does a VMRUN with V_IRQ may be lost. */
#define KICK_PATIENCE 1000000u

_Static_assert(HV_CPUS_MAX == MACHINE_BOOT_CPUS + MACHINE_CPUS_MAX, "for entry.S and for C");

extern char hv_stacks[HV_CPUS_MAX][1 << HV_STACK_SHIFT];
char hv_stacks[HV_CPUS_MAX][1 << HV_STACK_SHIFT] __attribute__((aligned(1 << HV_STACK_SHIFT)));

static struct cpu cpus[MACHINE_CPUS_MAX];
static unsigned int cpus_used;

void cpu_set_count(unsigned int count)
{
	if (count == 0 || count > MACHINE_CPUS_MAX)
		hv_panic("%u CPUs", count);
	cpus_used = count;
	for (unsigned int i = 0; i < count; i++)
		cpus[i].id = i;
}

unsigned int cpu_count(void)
{
	return cpus_used;
}

struct cpu *cpu_at(unsigned int id)
{
	return &cpus[id];
}

struct cpu *cpu_self(void)
{
	uint64_t sp, index;

	__asm__("mov %%rsp, %0" : "=r"(sp));
	index = (sp - (uint64_t)hv_stacks) >> HV_STACK_SHIFT;
	return index < MACHINE_BOOT_CPUS ? NULL : &cpus[index - MACHINE_BOOT_CPUS];
}

void cpu_start(unsigned int id)
{
	lapic_send(cpu_apic_id(id), ICR_INIT);
	for (unsigned int i = 0; i < START_TRIES; i++) {
		lapic_send(cpu_apic_id(id), ICR_STARTUP | START_PAGE);
		for (unsigned int n = 0; n < START_PATIENCE; n++) {
			if (cpus[id].online)
				return;
			x86_pause();
		}
	}
	hv_panic("the CPU of vCPU %u does not start", id);
}

void cpu_kick(unsigned int id)
{
	if (&cpus[id] != cpu_self() && cpus[id].online)
		lapic_send(cpu_apic_id(id), ICR_NMI);
}

void cpu_leave_soon(unsigned int id)
{
	/* GIF is 0 until VMRUN sets it, and holds the NMI. */
	lapic_send(cpu_apic_id(id), ICR_NMI);
}

void cpu_drive_out(unsigned int id)
{
	if (&cpus[id] == cpu_self())
		return;
	for (unsigned int looks = 0; cpus[id].in_guest; looks++) {
		if (looks % KICK_PATIENCE == 0)
			cpu_kick(id);
		x86_pause();
	}
}
