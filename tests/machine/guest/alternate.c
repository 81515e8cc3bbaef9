/* SPDX-License-Identifier: MIT */
/*
 * What the host has for a level with alternate injection (GHCB specification, "#HV doorbell page",
 * extended interrupts): it stands in the level's descriptor of VMPL0's doorbell page, and VMPL0
 * gets the vector that it configured. One alone stands in the status, more in IRR; a
 * level-triggered one stays in the status until it is taken, and comes again after its specific EOI
 * while its line is high. What a VMSA asks for that cannot be is refused, and machine.log says why
 * (run.py).
 */
#include "tests/machine/guest/alternate.h"

#define NMI (1u << 8)
#define LEVEL (1u << 10)
#define MULTIPLE (1u << 14)
#define PIN_COM1 4u
#define LEVEL_VECTOR 0x61u
#define COM1 0x3f8u

static volatile uint64_t hv_count;
static volatile uint16_t hv_events;
static uint64_t seen[4];

static volatile struct ghcb_doorbell_vmpl *descriptor(void)
{
	return &alternate_doorbell()->vmpl[1];
}

static void note(struct trap_frame *frame)
{
	if (frame->vector != 28)
		trap_unhandled(frame);
	hv_count++;
	hv_events |= __atomic_exchange_n((volatile uint16_t *)alternate_doorbell(), 0,
					 __ATOMIC_SEQ_CST);
}

/* At level 2: an IPI to itself, by the host. */
static void send(uint64_t icr)
{
	(void)ghcb_msr_write(0x830, 0x40000 | icr);
}

static void send_one(void)
{
	send(0x41);
}

static void send_two(void)
{
	send(0x52);
	send(0x41);
}

static void send_31(void)
{
	send(31);
}

static void send_31_and_more(void)
{
	send(0x41);
	send(31);
}

static void send_nmi(void)
{
	send(0x400);
}

static void send_exception(void)
{
	send(0x1e);
}

static void mmio_write(uint64_t gpa, uint32_t value)
{
	*(volatile uint32_t *)ghcb->shared_buffer = value;
	ghcb->sw_scratch = ghcb_gpa() + 0x800;
	ghcb_set_valid(0x3a8);
	(void)ghcb_exit(0x80000002, gpa, 4);
}

/* At level 2: the pin of COM1, level-triggered, and an interrupt that the port has at once. */
static void start_device(void)
{
	mmio_write(0xfec00000, 0x10 + 2 * PIN_COM1 + 1);
	mmio_write(0xfec00010, 0);
	mmio_write(0xfec00000, 0x10 + 2 * PIN_COM1);
	mmio_write(0xfec00010, 1 << 15 | LEVEL_VECTOR);
	ghcb_out8(COM1 + 1, 2); /* transmitter empty */
}

static void stop_device(void)
{
	ghcb_out8(COM1 + 1, 0);
}

static uint32_t take(void)
{
	alternate_doorbell()->per_vmpl_events = 0;
	return __atomic_exchange_n(&descriptor()->status, 0, __ATOMIC_SEQ_CST);
}

static uint64_t end_of_interrupt(void)
{
	hv_events = 0;
	return ghcb_msr_write(0x80b, 0);
}

static uint64_t specific_eoi(uint64_t vector)
{
	return ghcb_exit(0x8000001d, 2 << 16 | vector, 0).result;
}

static void edges(void)
{
	alternate_step(send_one);
	check("one interrupt: #HV", hv_count, 1);
	check("  by the configured vector", hv_events & 0xff, ALTERNATE_VECTOR);
	check("  an event of VMPL2", alternate_doorbell()->per_vmpl_events, 2);
	check("  its descriptor", take(), 0x41);
	check("  end of interrupt", end_of_interrupt(), 1);
	alternate_step(send_two);
	check("two: #HV for both", hv_events & 0xff, ALTERNATE_VECTOR);
	check("  both are in IRR", take(), MULTIPLE);
	check("  one", descriptor()->irr[1], 1u << 18 | 1u << 1);
	descriptor()->irr[1] = 0;
	(void)end_of_interrupt();
	alternate_step(send_31);
	check("vector 31 alone", take(), 31);
	(void)end_of_interrupt();
	alternate_step(send_31_and_more);
	check("vector 31 and another", take(), MULTIPLE | 1u << 31);
	check("  which is in IRR", descriptor()->irr[1], 1u << 1);
	descriptor()->irr[1] = 0;
	(void)end_of_interrupt();
	alternate_step(send_nmi);
	check("an NMI", take(), NMI);
	(void)end_of_interrupt();
	alternate_step(send_exception);
	check("a vector that no descriptor has a place for", take(), 0);
	(void)end_of_interrupt();
}

static void level_triggered(void)
{
	alternate_step(start_device);
	alternate_step(send_one);
	check("level-triggered, and an edge", take(), LEVEL_VECTOR | LEVEL | MULTIPLE);
	check("  which is in IRR", descriptor()->irr[1], 1u << 1);
	descriptor()->irr[1] = 0;
	(void)end_of_interrupt();
	alternate_step(NULL);
	check("not again before its end", take(), 0);
	check("specific EOI", specific_eoi(LEVEL_VECTOR), 0);
	alternate_step(NULL);
	check("the line is high: again", take(), LEVEL_VECTOR | LEVEL);
	(void)end_of_interrupt();
	alternate_step(stop_device);
	check("specific EOI once more", specific_eoi(LEVEL_VECTOR), 0);
	alternate_step(NULL);
	check("the line is low: nothing", take(), 0);
}

static void refusals(struct snp_vmsa *vmsa)
{
	static const struct {
		const char *rule;
		uint64_t features, vintr, event;
	} bad[] = {
		{ "restricted and alternate injection: VMRUN fails", 0x19, 0x200, 0 },
		{ "BUSY: VMRUN fails", 0x11, 1ull << 63 | 0x200, 0 },
		{ "EVENTINJ of type 1: VMRUN fails", 0x11, 0x200, 0x80000141 },
		{ "an exception above 31: VMRUN fails", 0x11, 0x200, 0x80000341 },
		{ "an exception 2: VMRUN fails", 0x11, 0x200, 0x80000302 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		vmsa->sev_features = bad[i].features;
		vmsa->vintr_ctrl = bad[i].vintr;
		vmsa->event_inj = bad[i].event;
		check(bad[i].rule, level2_run() != 0x017, 1);
	}
	vmsa->sev_features = ALTERNATE_FEATURES;
	vmsa->vintr_ctrl = 0x200;
	vmsa->event_inj = 0;
}

static void read_registers(void)
{
	(void)ghcb_msr_read(0x822, &seen[0]);
	(void)ghcb_msr_read(0x811, &seen[1]);
	(void)ghcb_msr_read(0x808, &seen[2]);
	(void)ghcb_msr_read(0x820, &seen[3]);
}

/* The APIC goes to the host, with what the descriptor has. */
static void hand_over(struct snp_vmsa *vmsa)
{
	descriptor()->status = MULTIPLE | 1u << 31;
	descriptor()->irr[1] = 1u << 1;
	descriptor()->isr[1] = 1u << 21;
	check("disable alternate injection", ghcb_exit(0x8000001c, 2 << 16 | 0x25 << 8, 0).result,
	      0);
	check("  the descriptor is empty", descriptor()->status | descriptor()->irr[1], 0);
	vmsa->sev_features = 1;
	vmsa->vintr_ctrl = 2;
	alternate_step(read_registers);
	check("  IRR", seen[0], 1u << 1);
	check("  IRR, vector 31", seen[3], 1u << 31);
	check("  ISR", seen[1], 1u << 21);
	check("  TPR", seen[2], 0x25);
	alternate_step(send_one);
	check("  VMPL0 is not told any more", take(), 0);
}

void test_main(void)
{
	struct snp_vmsa *vmsa;

	trap_handler = note;
	vmsa = alternate_start();
	edges();
	level_triggered();
	refusals(vmsa);
	hand_over(vmsa);
	trap_handler = NULL;
}
