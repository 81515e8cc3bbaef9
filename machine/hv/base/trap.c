/* SPDX-License-Identifier: MIT */
#include "machine/hv/base/trap.h"

#include "machine/hv/base/cpu.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"

#define TRAP_VECTORS 256u
#define TRAP_STUB_SIZE 16u
#define TRAP_CODE_SELECTOR 0x18u
#define TRAP_FIRST_INTERRUPT 32u

struct trap_gate {
	uint16_t offset_0, selector;
	uint8_t ist, type;
	uint16_t offset_16;
	uint32_t offset_32, reserved;
};
ABI_SIZE(struct trap_gate, 16);

struct trap_frame {
	uint64_t rbp, r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

extern const char trap_stubs[], trap_idle_start[], trap_idle_end[];
void trap_handle(struct trap_frame *frame);

static struct trap_gate gates[TRAP_VECTORS] __attribute__((aligned(16)));

void trap_init(void)
{
	for (unsigned int i = 0; i < TRAP_VECTORS; i++) {
		uint64_t stub = (uint64_t)trap_stubs + (uint64_t)i * TRAP_STUB_SIZE;

		gates[i] = (struct trap_gate){
			.offset_0 = (uint16_t)stub,
			.selector = TRAP_CODE_SELECTOR,
			.type = 0x8e,
			.offset_16 = (uint16_t)(stub >> 16),
			.offset_32 = (uint32_t)(stub >> 32),
		};
	}
}

void trap_load(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr = { sizeof(gates) - 1, (uint64_t)gates };

	__asm__ volatile("lidt %0; clgi" : : "m"(idtr) : "memory");
}

/* Called by the stubs of trap.S. */
void trap_handle(struct trap_frame *frame)
{
	struct cpu *cpu = cpu_self();
	bool idling = frame->rip >= (uint64_t)trap_idle_start &&
		      frame->rip < (uint64_t)trap_idle_end;

	if (frame->vector != X86_VECTOR_NMI && frame->vector < TRAP_FIRST_INTERRUPT)
		hv_panic("exception %lu error %lx at %lx in the hypervisor, rsp %lx", frame->vector,
			 frame->error, frame->rip, frame->rsp);
	if (frame->vector != X86_VECTOR_NMI)
		cpu->taken[frame->vector / 64] |= 1ull << (frame->vector % 64);
	/* Work has come: an NMI between the check for work and HLT must not put us to sleep. */
	if (idling)
		frame->rip = (uint64_t)trap_idle_end;
}
