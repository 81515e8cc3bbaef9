/* SPDX-License-Identifier: MIT */
#include "monitor/base/cpu_ops.h"
#include "monitor/trap/trap.h"
#include "monitor/trap/user_asm.h"

#define IDT_VECTORS 32u
#define STUB_SIZE 16u
#define GATE_INTERRUPT 0x8eu /* present, DPL 0: ring 3 raises none of them by INT n */

struct idt_gate {
	uint16_t offset_low, selector;
	uint8_t ist, attributes;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};
ABI_SIZE(struct idt_gate, 16);

/* A page of its own, for it becomes read-only. Vectors that are not there give #GP. */
static struct idt_gate idt[ABI_PAGE_SIZE / sizeof(struct idt_gate)]
	__attribute__((aligned(ABI_PAGE_SIZE)));

/* #DF and #MC: nothing returns from them, and the stack in use may be what broke. */
static uint8_t ist_of(unsigned int vector)
{
	return vector == VECTOR_DF || vector == VECTOR_MC ? CPU_IST_FATAL : 0;
}

void trap_init_idt(void)
{
	for (unsigned int i = 0; i < IDT_VECTORS; i++) {
		uint64_t stub = (uint64_t)(uintptr_t)trap_stubs + i * STUB_SIZE;

		idt[i] = (struct idt_gate){
			.offset_low = (uint16_t)stub,
			.selector = SELECTOR_KERNEL_CS,
			.ist = ist_of(i),
			.attributes = GATE_INTERRUPT,
			.offset_middle = (uint16_t)(stub >> 16),
			.offset_high = (uint32_t)(stub >> 32),
		};
	}
}

bool trap_seal_idt(void)
{
	return map_kernel_protect((va_t){ (uint64_t)(uintptr_t)idt }, 1, MAP_READ);
}

void trap_load_idt(void)
{
	const struct cpu_table table = {
		.limit = IDT_VECTORS * sizeof(struct idt_gate) - 1,
		.base = (uint64_t)(uintptr_t)idt,
	};

	cpu_load_idt(&table);
}
