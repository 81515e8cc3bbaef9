/* SPDX-License-Identifier: MIT */
#include "tests/machine/guest/receivers.h"

#include "tests/machine/guest/guest.h"

#define MSR 0x7cull
#define PATIENCE 8000000000ull /* of the TSC, some seconds */

extern char stack_top[];

static uint8_t second_ghcb[4096] __attribute__((aligned(4096)));
static volatile uint64_t received[2];
static volatile bool second_is_ready;

static volatile struct ghcb *ghcb_of(unsigned int cpu)
{
	return cpu == 0 ? ghcb : shared_view((uint64_t)second_ghcb);
}

/*
 * A whole exit of that CPU, each by its own GHCB. What is marked valid and not needed does no harm.
 */
static void write_msr(unsigned int cpu, uint32_t msr, uint64_t value)
{
	volatile struct ghcb *g = ghcb_of(cpu);

	g->rcx = msr;
	g->rax = (uint32_t)value;
	g->rdx = value >> 32;
	g->protocol_version = 2;
	g->usage = 0;
	g->sw_exit_code = MSR;
	g->sw_exit_info_1 = 1;
	g->sw_exit_info_2 = 0;
	g->valid_bitmap[7] |= 0x80;  /* RAX */
	g->valid_bitmap[12] |= 0x06; /* RCX, RDX */
	g->valid_bitmap[14] |= 0x1c; /* exit code and its two numbers */
	ghcb_exit_at((uint64_t)g - SHARED_OFFSET);
	for (size_t i = 0; i < sizeof(g->valid_bitmap); i++)
		g->valid_bitmap[i] = 0;
}

static void start_apic(unsigned int cpu)
{
	write_msr(cpu, 0x1b, 0xfee00c00 | (cpu == 0 ? 0x100 : 0));
	write_msr(cpu, 0x80f, 0x1ff);
}

/* It comes outside of exits alone. */
static void note(struct trap_frame *frame)
{
	unsigned int cpu = frame->rsp > (uint64_t)stack_top ||
			   frame->rsp < (uint64_t)stack_top - 0x5000;

	if (frame->vector != RECEIVERS_VECTOR)
		trap_unhandled(frame);
	received[cpu]++;
	write_msr(cpu, 0x80b, 0);
}

static void second_cpu(void)
{
	(void)ghcb_msr_call(0x012 | (uint64_t)second_ghcb);
	start_apic(1);
	second_is_ready = true;
	for (;;)
		__asm__ volatile("sti; nop; cli; pause" : : : "memory");
}

void receivers_start(void)
{
	volatile uint8_t *shared = shared_view((uint64_t)second_ghcb);

	trap_handler = note;
	(void)pvalidate((uint64_t)second_ghcb, 0, 0);
	(void)page_make_shared((uint64_t)second_ghcb);
	for (size_t i = 0; i < sizeof(second_ghcb); i++)
		shared[i] = 0;
	start_apic(0);
	second_cpu_start(second_cpu);
	while (!second_is_ready)
		__asm__ volatile("pause");
}

void receivers_forget(void)
{
	received[0] = received[1] = 0;
}

uint64_t receivers_wait(uint64_t expected)
{
	struct patience p = patience_of(PATIENCE / (expected ? 1 : 8));
	uint64_t got = 0;

	while ((got != expected || expected == 0) && patience_lasts(&p)) {
		__asm__ volatile("sti; nop; cli; pause" : : : "memory");
		got = (uint64_t)(received[0] != 0) | (uint64_t)(received[1] != 0) << 1;
	}
	return got;
}
