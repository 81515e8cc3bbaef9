/* SPDX-License-Identifier: MIT */
#include "machine/hv/base/trap.h"

#include "machine/hv/base/cpu.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"

#define TRAP_VECTORS 256u
#define TRAP_STUB_SIZE 16u
#define TRAP_CODE_SELECTOR 0x18u
#define TRAP_FIRST_INTERRUPT 32u
/* Vectors of an 8259 whose own are 0 on, as they are until it is initialized, and while it is. */
#define PIC_LINES 8u
#define PIC_COMMAND 0x20u
#define PIC_SECOND_COMMAND 0xa0u
#define PIC_EOI 0x20u
/*
 * QEMU delivers an interrupt, and finds none when it asks for its vector: it takes the -1 for one,
 * which is beyond the IDT (cpu_get_pic_interrupt(), do_interrupt64()). No processor gives this
 * error code, which has 16 bits.
 */
#define ERROR_OF_NO_INTERRUPT ((uint64_t)(-1 * 16 + 2))

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

extern const char trap_stubs[], trap_idle_start[], trap_idle_end[], trap_window_end[];
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

static bool within(uint64_t rip, const char *start, const char *end)
{
	return rip >= (uint64_t)start && rip <= (uint64_t)end;
}

/*
 * Where interrupts are let in, by instructions that raise nothing, an exception's vector is an
 * interrupt's: the guest owns the 8259s, and gives them theirs.
 */
static bool is_interrupt(const struct trap_frame *frame)
{
	if (frame->vector >= TRAP_FIRST_INTERRUPT)
		return true;
	return frame->vector != X86_VECTOR_NMI &&
	       (within(frame->rip, trap_idle_start, trap_idle_end) ||
		within(frame->rip, (const char *)trap_window, trap_window_end));
}

static bool is_no_interrupt(const struct trap_frame *frame)
{
	return frame->vector == X86_VECTOR_GP && frame->error == ERROR_OF_NO_INTERRUPT;
}

/*
 * QEMU's 8259s interrupt between ICW1 and ICW2, too, by vectors from 0 on. Real ones have no
 * requests then (8259A data sheet): such an interrupt is ended, and is nobody's.
 */
static void end_uninitialized(void)
{
	port_out(PIC_SECOND_COMMAND, 1, PIC_EOI);
	port_out(PIC_COMMAND, 1, PIC_EOI);
}

static void take(const struct trap_frame *frame)
{
	if (frame->vector == X86_VECTOR_NMI || is_no_interrupt(frame))
		return;
	if (frame->vector < PIC_LINES)
		end_uninitialized();
	else
		cpu_self()->taken[frame->vector / 64] |= 1ull << (frame->vector % 64);
}

/* Called by the stubs of trap.S. */
void trap_handle(struct trap_frame *frame)
{
	bool idling = frame->rip >= (uint64_t)trap_idle_start &&
		      frame->rip < (uint64_t)trap_idle_end;

	if (frame->vector != X86_VECTOR_NMI && !is_interrupt(frame))
		hv_panic("exception %lu error %lx at %lx in the hypervisor, rsp %lx", frame->vector,
			 frame->error, frame->rip, frame->rsp);
	take(frame);
	/* Work has come: an NMI between the check for work and HLT must not put us to sleep. */
	if (idling)
		frame->rip = (uint64_t)trap_idle_end;
}
