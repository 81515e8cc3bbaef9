/* SPDX-License-Identifier: MIT */
#include "machine/hv/base/lapic.h"

#include "machine/hv/base/x86.h"

#define DIVIDE_BY_1 0xbu
#define ICR_PENDING 0x1000u
#define ICR_DESTINATION_SHIFT 24
#define CALIBRATION_TICKS 5000000u
#define MEASURE_TICKS 50000000u
#define MEASURE_LOOKS 16u
#define TICKS_PER_MICROSECOND 1000u /* QEMU's and KVM's local APICs count nanoseconds */
/* In ticks: no guest's timer starves the machine, and none fires before its time. */
#define TIMER_MIN 20000u
#define TIMER_LATE 2000u

static uint64_t ticks_per_clock; /* timer ticks for each tick of clock_now(), 32.32 */

void lapic_init(void)
{
	lapic_write(APIC_REG_SVR, APIC_SVR_ENABLE | LAPIC_VECTOR_SPURIOUS);
	lapic_write(APIC_REG_TPR, 0);
	lapic_write(APIC_REG_LVT_LINT0, APIC_LVT_MASKED);
	lapic_write(APIC_REG_LVT_LINT1, APIC_LVT_MASKED);
	lapic_write(APIC_REG_LVT_ERROR, APIC_LVT_MASKED);
	lapic_write(APIC_REG_TIMER_DIVIDE, DIVIDE_BY_1);
	lapic_write(APIC_REG_LVT_TIMER, LAPIC_VECTOR_TIMER);
}

/* Both clocks at one moment. */
struct moment {
	uint64_t clock;
	uint32_t count; /* of the timer, which counts down */
};

/* Of several looks, the one that took the least time: this CPU may be kept waiting in any. */
static struct moment look(void)
{
	struct moment best = { 0 };
	uint64_t best_took = ~0ull;

	for (unsigned int i = 0; i < MEASURE_LOOKS; i++) {
		uint64_t before = clock_now();
		uint32_t count = lapic_read(APIC_REG_TIMER_CURRENT);
		uint64_t took = clock_now() - before;

		if (took >= best_took)
			continue;
		best_took = took;
		best = (struct moment){ before + took / 2, count };
	}
	return best;
}

/* Ticks of the timer for each of clock_now(), 32.32 bits, over so many. */
static uint64_t measure(uint32_t ticks)
{
	struct moment start, end;

	lapic_write(APIC_REG_TIMER_INITIAL, 0xffffffff);
	start = look();
	while (start.count - lapic_read(APIC_REG_TIMER_CURRENT) < ticks)
		x86_pause();
	end = look();
	lapic_timer_stop();
	return ((uint64_t)(start.count - end.count) << 32) / (end.clock - start.clock);
}

/* Their ratio is what matters, not their rates. */
void lapic_calibrate(void)
{
	ticks_per_clock = measure(CALIBRATION_TICKS);
}

uint64_t lapic_clock_khz(void)
{
	return (1000ull * TICKS_PER_MICROSECOND << 32) / measure(MEASURE_TICKS);
}

uint64_t lapic_nanoseconds_per_clock(void)
{
	return ticks_per_clock;
}

uint64_t lapic_clocks(uint64_t us)
{
	return (us * TICKS_PER_MICROSECOND << 32) / ticks_per_clock;
}

void lapic_timer_start(uint64_t clocks)
{
	unsigned __int128 ticks = (unsigned __int128)clocks * ticks_per_clock >> 32;

	ticks += TIMER_LATE + (ticks >> 10); /* the two clocks are not that exact to each other */
	if (ticks < TIMER_MIN)
		ticks = TIMER_MIN;
	if (ticks > 0xffffffff)
		ticks = 0xffffffff; /* fires early and is set again */
	lapic_write(APIC_REG_TIMER_INITIAL, (uint32_t)ticks);
}

void lapic_timer_stop(void)
{
	lapic_write(APIC_REG_TIMER_INITIAL, 0);
}

void lapic_send(uint32_t cpu, uint32_t icr_low)
{
	while (lapic_read(APIC_REG_ICR) & ICR_PENDING)
		x86_pause();
	lapic_write(APIC_REG_ICR2, cpu << ICR_DESTINATION_SHIFT);
	lapic_write(APIC_REG_ICR, icr_low);
}
