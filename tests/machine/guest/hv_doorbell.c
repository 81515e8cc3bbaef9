/* SPDX-License-Identifier: MIT */
/*
 * Restricted injection: the host may only raise #HV, vector 28, and says why in the doorbell page
 * (APM volume 2, 15.36.16; GHCB specification, section 5). Here its own timer is the reason.
 */
#include "tests/machine/guest/guest.h"

#define TIMER_VECTOR 0x41u
#define PATIENCE 2000000000u

static uint8_t doorbell_page[4096] __attribute__((aligned(4096)));

static volatile struct {
	uint64_t count, vector, cs, rip, event;
} seen;

static volatile uint16_t *pending_event(void)
{
	return shared_view((uint64_t)doorbell_page);
}

static void note(struct trap_frame *frame)
{
	seen.vector = frame->vector;
	seen.cs = frame->cs;
	seen.rip = frame->rip;
	seen.event = __atomic_exchange_n(pending_event(), 0, __ATOMIC_SEQ_CST);
	seen.count++;
}

static struct ghcb_answer doorbell(uint64_t request, uint64_t gpa)
{
	return ghcb_exit(0x80000014, request, gpa);
}

static void register_doorbell(void)
{
	uint64_t gpa = (uint64_t)doorbell_page;
	struct ghcb_answer answer;

	answer = doorbell(1, gpa);
	check("a private page is no doorbell page", answer.result, 2);
	check("PVALIDATE gives a page up", pvalidate(gpa, 0, 0).eax, 0);
	check("which becomes shared", page_make_shared(gpa), 0x015);
	for (size_t i = 0; i < 4096; i++)
		((volatile uint8_t *)pending_event())[i] = 0;
	answer = doorbell(1, gpa);
	check("set the doorbell page (GHCB, #HV doorbell page): SW_EXITINFO1", answer.result, 0);
	answer = doorbell(2, 0);
	check("query the doorbell page", answer.info_2, gpa);
}

static void start_timer(uint32_t ticks)
{
	uint64_t base = 0;

	check("read the APIC's base", ghcb_msr_read(0x1b, &base), 1);
	check("x2APIC mode", ghcb_msr_write(0x1b, base | 0xc00), 1);
	check("APIC on", ghcb_msr_write(0x80f, 0x1ff), 1);
	check("divide by 1", ghcb_msr_write(0x83e, 0xb), 1);
	check("timer: one shot", ghcb_msr_write(0x832, TIMER_VECTOR), 1);
	check("timer: count", ghcb_msr_write(0x838, ticks), 1);
}

void test_main(void)
{
	trap_handler = note;
	register_doorbell();
	start_timer(20000000);
	__asm__ volatile("sti");
	for (uint64_t i = 0; i < PATIENCE && seen.count == 0; i++)
		__asm__ volatile("pause");
	__asm__ volatile("cli");
	check("#HV came, once", seen.count, 1);
	check("vector", seen.vector, 28);
	check("CS of ring 0", seen.cs, 0x08);
	check("RIP in the test",
	      seen.rip >= (uint64_t)image_start && seen.rip < (uint64_t)image_end, 1);
	check("PendingEvent: the timer's vector", seen.event & 0xff, 0x41);
	check("PendingEvent: neither NMI nor #MC", seen.event & 0x300, 0);
	check("PendingEvent: NoFurtherSignal", seen.event & 0x8000, 0x8000);
	check("end of interrupt", ghcb_msr_write(0x80b, 0), 1);
	check("clear the doorbell page", doorbell(3, 0).result, 0);
	trap_handler = NULL;
}
