/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of devices go to the vCPU whose APIC id the guest names, not to the processor that QEMU knows by that
 * number: its first one is the machine's own. The timer (8254) at pin 2 of the IOAPIC, as a PC's MADT has it
 * (82093AA, redirection entries; APM volume 2, 16.14, logical ids in x2APIC mode). Messages (MSI) no device sends,
 * however its capability is set: none is master of the bus (PCI Local Bus Specification, command register).
 */
#include "tests/machine/guest/devices.h"
#include "tests/machine/guest/guest.h"

#define VECTOR 27u
#define MSR 0x7cull
#define IOAPIC_INDEX 0xfec00000ull
#define IOAPIC_DATA 0xfec00010ull
#define TIMER_ENTRY 0x14u
#define ENTRY_LOGICAL (1u << 11)
#define ENTRY_MASKED (1u << 16)
#define TIMER_COUNTER 0x40
#define TIMER_COMMAND 0x43
#define PATIENCE 4000000000ull /* of the TSC, a second and more */
#define PCI_COMMAND 0x04u
#define PCI_CAPABILITIES 0x34u
#define CAPABILITY_MSI 5u
#define BUS_MASTER (1u << 2)

extern char stack_top[];

static uint8_t second_ghcb[4096] __attribute__((aligned(4096)));
static volatile uint64_t received[2];
static volatile bool second_is_ready;

static volatile struct ghcb *ghcb_of(unsigned int cpu)
{
	return cpu == 0 ? ghcb : shared_view((uint64_t)second_ghcb);
}

/* A whole exit of that CPU, each by its own GHCB. What is marked valid and not needed does no harm. */
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

static void ioapic_write(uint32_t index, uint32_t value)
{
	memory_write(IOAPIC_INDEX, 4, index);
	memory_write(IOAPIC_DATA, 4, value);
}

/* Who gets the timer's interrupt, which goes off once: bit 0 the first vCPU, bit 1 the second. */
static uint64_t targets(uint32_t destination, uint32_t flags, uint64_t expected)
{
	uint64_t start = tsc_read(), got = 0;

	received[0] = received[1] = 0;
	ioapic_write(TIMER_ENTRY, ENTRY_MASKED);
	ioapic_write(TIMER_ENTRY + 1, destination << 24);
	ghcb_out8(TIMER_COMMAND, 0x30); /* counter 0, both bytes, mode 0 */
	ioapic_write(TIMER_ENTRY, VECTOR | flags);
	ghcb_out8(TIMER_COUNTER, 0xff);
	ghcb_out8(TIMER_COUNTER, 0x03);
	/* Where none is wanted there is no telling when it would have come. */
	while ((got != expected || expected == 0) &&
	       tsc_read() - start < PATIENCE / (expected ? 1 : 8)) {
		__asm__ volatile("sti; nop; cli; pause" : : : "memory");
		got = (uint64_t)(received[0] != 0) | (uint64_t)(received[1] != 0) << 1;
	}
	return got;
}

/* Where its capability is, 0: nowhere. */
static uint32_t msi_capability(void)
{
	uint32_t at = pci_read(PCI_AHCI, PCI_CAPABILITIES) & 0xfc;

	for (unsigned int i = 0; at != 0 && i < 16; i++) {
		uint32_t header = pci_read(PCI_AHCI, at);

		if ((header & 0xff) == CAPABILITY_MSI)
			return at;
		at = header >> 8 & 0xfc;
	}
	return 0;
}

static void check_messages(void)
{
	uint32_t msi = msi_capability();

	check("the disk controller is there", pci_read(PCI_AHCI, 0) & 0xffff, 0x8086);
	check("  and could send messages", msi != 0, 1);
	pci_write(PCI_AHCI, msi + 4, 0xfee01000); /* to id 1 */
	check("their address reads as it was written", pci_read(PCI_AHCI, msi + 4), 0xfee01000);
	pci_write(PCI_AHCI, PCI_COMMAND, pci_read(PCI_AHCI, PCI_COMMAND) | BUS_MASTER);
	check("it does not become a bus master", pci_read(PCI_AHCI, PCI_COMMAND) & BUS_MASTER, 0);
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
	check("to id 0", targets(0, 0, 1), 1);
	check("to id 1", targets(1, 0, 2), 2);
	check("to id 2, which nobody has", targets(2, 0, 0), 0);
	check("to all", targets(0xff, 0, 3), 3);
	check("to the logical id of the first", targets(1, ENTRY_LOGICAL, 1), 1);
	check("to the logical id of the second", targets(2, ENTRY_LOGICAL, 2), 2);
	check("to the logical ids of both", targets(3, ENTRY_LOGICAL, 3), 3);
	check_messages();
	trap_handler = NULL;
}
