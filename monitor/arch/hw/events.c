/* SPDX-License-Identifier: MIT */
#include "abi/ghcb.h"
#include "monitor/arch/arch.h"
#include "monitor/arch/hw/timer.h"
#include "monitor/cpu/cpu.h"
#include "monitor/cpu/wait.h"
#include "monitor/lock/lock.h"

/* Events taken in one turn, so that a host cannot keep us here with ever new ones. */
#define EVENTS_MAX 64u

/*
 * Takes what the doorbell page says now and leaves it empty, in one step: the host writes it too.
 */
static uint8_t take_vector(struct ghcb_doorbell *doorbell)
{
	uint16_t word = __atomic_exchange_n((uint16_t *)(void *)doorbell, 0, __ATOMIC_ACQ_REL);

	/* NMI and machine check are flags in the upper byte; neither means anything here. */
	return (uint8_t)word;
}

bool arch_poll_events(struct cpu *cpu)
{
	/* In one step: #HV may come in the middle of it. */
	uint32_t signals = __atomic_exchange_n(&cpu->signals, 0, __ATOMIC_RELAXED);

	if (!cpu->doorbell_set)
		return false;

	/*
	 * Also what came without #HV: the host signals nothing further before it is taken. At least
	 * one end of interrupt for each signal: a vector that somebody erased from the page, which
	 * the guest can write, is in service with the host all the same.
	 */
	for (unsigned int i = 0; i < EVENTS_MAX; i++) {
		uint8_t vector = take_vector(cpu->doorbell);

		if (!vector && i >= signals)
			return i != 0;
		if (vector == TIMER_VECTOR)
			cpu->tick = true;
		timer_end_of_interrupt();
	}
	return true;
}

/* By the clock, for a vector may be old, or the guest's; where that stands still, by the second. */
bool arch_sleep(uint64_t ns)
{
	struct cpu *cpu = cpu_this();
	uint64_t start = arch_now_ns();

	if (lock_any_held())
		return false;
	arch_poll_events(cpu); /* what came before */
	arch_timer_arm(cpu, start + ns, ns);
	if (!cpu->timer_deadline)
		return false;
	for (unsigned int ticks = 0; ticks < 2 && arch_now_ns() - start < ns;) {
		cpu->tick = false;
		wait_event(cpu);
		arch_poll_events(cpu);
		ticks += cpu->tick && arch_now_ns() == start;
	}
	arch_timer_stop(cpu);
	return true;
}
