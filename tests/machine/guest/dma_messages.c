/* SPDX-License-Identifier: MIT */
/*
 * A device's messages (MSI-X; PCI Local Bus specification 3.0, 6.8.2) go to the vCPU whose APIC id
 * their address names, with the vector in their data (APM volume 2, 16.11), and the guest reads its
 * table as it wrote it.
 */
#include "tests/machine/guest/devices.h"
#include "tests/machine/guest/guest.h"
#include "tests/machine/guest/virtio.h"

#define RINGS TEST_PAGE
#define DATA (TEST_PAGE + 0x2000)
#define VECTOR 27u
#define MSR 0x7cull
#define LOGICAL 4u
#define TABLE 0xc0010000u
#define PATIENCE 8000000000ull /* of the TSC, some seconds */

extern char stack_top[];

static uint8_t second_ghcb[4096] __attribute__((aligned(4096)));
static volatile uint64_t received[2];
static volatile bool second_is_ready;

static volatile struct ghcb *ghcb_of(unsigned int cpu)
{
	return cpu == 0 ? ghcb : shared_view((uint64_t)second_ghcb);
}

/* A whole exit of that CPU, each by its own GHCB. */
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

	if (frame->vector != VECTOR)
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

static uint64_t now(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return low | (uint64_t)high << 32;
}

/* Who gets the message of an answer: bit 0 the first vCPU, bit 1 the second. */
static uint64_t targets(uint64_t address, uint64_t expected)
{
	uint64_t start, got = 0;

	(void)virtio_start();
	virtio_set_message(address, VECTOR);
	received[0] = received[1] = 0;
	virtio_ask(VIRTIO_READ, 1, DATA, 512);
	start = now();
	while ((got != expected || expected == 0) &&
	       now() - start < PATIENCE / (expected ? 1 : 8)) {
		__asm__ volatile("sti; nop; cli; pause" : : : "memory");
		got = (uint64_t)(received[0] != 0) | (uint64_t)(received[1] != 0) << 1;
	}
	return got;
}

void test_main(void)
{
	trap_handler = note;
	(void)pvalidate((uint64_t)second_ghcb, 0, 0);
	(void)page_make_shared((uint64_t)second_ghcb);
	for (size_t i = 0; i < 4096; i++)
		((volatile uint8_t *)shared_view((uint64_t)second_ghcb))[i] = 0;
	start_apic(0);
	second_cpu_start(second_cpu);
	while (!second_is_ready)
		__asm__ volatile("pause");
	(void)page_make_shared(DATA);
	virtio_place(RINGS);
	check("to id 0", targets(0xfee00000, 1), 1);
	check("to id 1", targets(0xfee01000, 2), 2);
	check("the table reads as it was written", memory_read(TABLE, 8), 0xfee01000);
	check("  also its data", memory_read(TABLE + 8, 4), VECTOR);
	check("to id 2, which nobody has", targets(0xfee02000, 0), 0);
	check("to all", targets(0xfeeff000, 3), 3);
	check("to the logical id of the second", targets(0xfee02000 | LOGICAL, 2), 2);
	check("to the logical ids of both", targets(0xfee03000 | LOGICAL, 3), 3);
	trap_handler = NULL;
}
