/* SPDX-License-Identifier: MIT */
#include "machine/hv/run/cpu_needs.h"

#include <stddef.h>
#include <string.h>

#include "machine/hv/base/log.h"

enum { EAX, EBX, ECX, EDX };

#define QEMU_ALL 0u
#define QEMU_7_2 (7u << 8 | 2)
#define QEMU_10_0 (10u << 8 | 0)

#define BIT(leaf, reg, bit, name, since)                         \
	{                                                        \
		leaf, reg, 1u << (bit), 1u << (bit), name, since \
	}

/* APM volume 3, appendix E, which has the names, too. */
static const struct cpu_need needs[] = {
	/* The machine cannot be without these, whatever it runs on. */
	BIT(0x80000001, EDX, 29, "LM", QEMU_ALL),
	BIT(0x80000001, EDX, 20, "NX", QEMU_ALL),
	BIT(0x80000001, ECX, 2, "SVM", QEMU_ALL),
	BIT(0x8000000a, EDX, 0, "NPT", QEMU_ALL),
	{ 0x80000008, EAX, 0xff, 48, "48 bits",
	  QEMU_ALL }, /* of physical addresses: the C-bit is 47 */
	BIT(1, EDX, 3, "PSE", QEMU_ALL),
	BIT(1, EDX, 4, "TSC", QEMU_ALL),
	BIT(1, EDX, 5, "MSR", QEMU_ALL),
	BIT(1, EDX, 6, "PAE", QEMU_ALL),
	BIT(1, EDX, 9, "APIC", QEMU_ALL),
	BIT(1, EDX, 13, "PGE", QEMU_ALL),
	BIT(1, EDX, 16, "PAT", QEMU_ALL),
	BIT(1, EDX, 24, "FXSR", QEMU_ALL),
	/* Without these no 64-bit system starts (the processor supplement of the System V ABI). */
	BIT(1, EDX, 0, "FPU", QEMU_ALL),
	BIT(1, EDX, 8, "CMPXCH8", QEMU_ALL),
	BIT(1, EDX, 15, "CMOV", QEMU_ALL),
	BIT(1, EDX, 25, "SSE", QEMU_ALL),
	BIT(1, EDX, 26, "SSE2", QEMU_ALL),
	BIT(0x80000001, EDX, 11, "SYSCALL", QEMU_ALL),
	/* What QEMU gives the guests of its model, and images and their guests then count on. */
	BIT(1, ECX, 0, "SSE3", QEMU_7_2),
	BIT(1, ECX, 1, "PCLMUL", QEMU_7_2),
	BIT(1, ECX, 9, "SSSE3", QEMU_7_2),
	BIT(1, ECX, 12, "FMA", QEMU_7_2),
	BIT(1, ECX, 13, "CX16", QEMU_7_2),
	BIT(1, ECX, 19, "SSE41", QEMU_7_2),
	BIT(1, ECX, 20, "SSE42", QEMU_7_2),
	BIT(1, ECX, 22, "MOVBE", QEMU_7_2),
	BIT(1, ECX, 23, "POPCNT", QEMU_7_2),
	BIT(1, ECX, 25, "AES", QEMU_7_2),
	BIT(1, ECX, 26, "XSAVE", QEMU_7_2),
	BIT(1, ECX, 28, "AVX", QEMU_7_2),
	BIT(1, ECX, 29, "F16C", QEMU_7_2),
	BIT(1, ECX, 30, "RDRAND", QEMU_7_2),
	BIT(7, EBX, 0, "FSGSBAS", QEMU_7_2),
	BIT(7, EBX, 3, "BMI1", QEMU_7_2),
	BIT(7, EBX, 5, "AVX2", QEMU_7_2),
	BIT(7, EBX, 7, "SMEP", QEMU_7_2),
	BIT(7, EBX, 8, "BMI2", QEMU_7_2),
	BIT(7, EBX, 19, "ADX", QEMU_7_2),
	BIT(7, EBX, 20, "SMAP", QEMU_7_2),
	BIT(7, EBX, 23, "CLFLOPT", QEMU_7_2),
	BIT(7, EBX, 24, "CLWB", QEMU_7_2),
	BIT(7, ECX, 2, "UMIP", QEMU_7_2),
	BIT(0x80000001, ECX, 0, "LAHF", QEMU_7_2),
	BIT(0x80000001, ECX, 5, "ABM", QEMU_7_2),
	BIT(0x80000001, ECX, 6, "SSE4A", QEMU_7_2),
	BIT(0x80000001, EDX, 26, "1GBPAGE", QEMU_7_2),
	BIT(0x80000001, EDX, 27, "RDTSCP", QEMU_7_2),
	/* These came with a version that has to have them. */
	BIT(7, EBX, 18, "RDSEED", QEMU_10_0),
	BIT(7, EBX, 29, "SHA", QEMU_10_0),
	BIT(7, ECX, 22, "RDPID", QEMU_10_0),
	BIT(7, EDX, 4, "FSRM", QEMU_10_0),
	BIT(0x80000001, ECX, 8, "PREFTCH", QEMU_10_0),
	BIT(0x80000008, EBX, 9, "WBNOINV", QEMU_10_0),
};

static uint32_t register_of(const struct x86_cpuid *r, uint8_t reg)
{
	const uint32_t values[] = { r->eax, r->ebx, r->ecx, r->edx };

	return values[reg];
}

const struct cpu_need *cpu_needs_unmet(struct x86_cpuid (*cpuid)(uint32_t leaf), uint32_t version)
{
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		const struct cpu_need *need = &needs[i];
		struct x86_cpuid r, there = { 0 };

		if (need->since > version)
			continue;
		/* A leaf beyond the last one says what another says. */
		r = cpuid(need->leaf & 0x80000000);
		if (r.eax >= need->leaf)
			there = cpuid(need->leaf);
		if ((register_of(&there, need->reg) & need->mask) < need->least)
			return need;
	}
	return NULL;
}

static struct x86_cpuid this_cpu(uint32_t leaf)
{
	return x86_cpuid(leaf, 0);
}

void cpu_needs_check(uint32_t version)
{
	const struct cpu_need *unmet = cpu_needs_unmet(this_cpu, version);
	uint64_t name = 0;

	if (unmet == NULL)
		return;
	memcpy(&name, unmet->name, sizeof(name));
	hv_stop(MAILBOX_STOP_CPU_LACKS, unmet->leaf, unmet->reg | (uint64_t)unmet->since << 32,
		unmet->mask, name);
}
