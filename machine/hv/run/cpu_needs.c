/* SPDX-License-Identifier: MIT */
#include "machine/hv/run/cpu_needs.h"

#include <stddef.h>
#include <string.h>

#include "machine/hv/base/log.h"

enum { EAX, EBX, ECX, EDX };

/* APM volume 3, appendix E. */
static const struct cpu_need needs[] = {
	{ 0x80000001, EDX, 1u << 29, 1u << 29, "LM" },
	{ 0x80000001, EDX, 1u << 20, 1u << 20, "NX" },
	{ 0x80000001, ECX, 1u << 2, 1u << 2, "SVM" },
	{ 0x8000000a, EDX, 1u << 0, 1u << 0, "NPT" },
	{ 0x80000008, EAX, 0xff, 48, "48 bits" }, /* of physical addresses: the C-bit is 47 */
};

static uint32_t register_of(const struct x86_cpuid *r, uint8_t reg)
{
	const uint32_t values[] = { r->eax, r->ebx, r->ecx, r->edx };

	return values[reg];
}

const struct cpu_need *cpu_needs_unmet(struct x86_cpuid (*cpuid)(uint32_t leaf))
{
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		const struct cpu_need *need = &needs[i];
		const struct x86_cpuid r = cpuid(need->leaf & 0x80000000);
		/* A leaf beyond the last one says what another says. */
		const struct x86_cpuid there = r.eax >= need->leaf ? cpuid(need->leaf)
								   : (struct x86_cpuid){ 0 };

		if ((register_of(&there, need->reg) & need->mask) < need->least)
			return need;
	}
	return NULL;
}

static struct x86_cpuid this_cpu(uint32_t leaf)
{
	return x86_cpuid(leaf, 0);
}

void cpu_needs_check(void)
{
	const struct cpu_need *unmet = cpu_needs_unmet(this_cpu);
	uint64_t name = 0;

	if (unmet == NULL)
		return;
	memcpy(&name, unmet->name, sizeof(name));
	hv_stop(MAILBOX_STOP_CPU_LACKS, unmet->leaf, unmet->reg, unmet->mask, name);
}
