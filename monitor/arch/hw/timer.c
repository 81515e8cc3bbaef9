/* SPDX-License-Identifier: MIT */
#include "monitor/arch/hw/timer.h"

#include "monitor/arch/arch.h"
#include "monitor/base/cpu_ops.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/ghcb/ghcb.h"

#define MSR_APIC_BASE 0x1bu
#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_ENABLE (1ull << 11)
#define MSR_X2APIC_EOI 0x80bu
#define MSR_X2APIC_SVR 0x80fu
#define MSR_X2APIC_LVT_TIMER 0x832u
#define MSR_X2APIC_INITIAL 0x838u
#define MSR_X2APIC_CURRENT 0x839u
#define MSR_X2APIC_DIVIDE 0x83eu
#define SVR_ENABLE 0x100u
#define SVR_SPURIOUS_VECTOR 0xffu
#define LVT_MASKED (1u << 16)
#define LVT_PERIODIC (1u << 17)
#define DIVIDE_BY_1 0xbu

#define NS_PER_S 1000000000ull
#define CPUID_TIMING 0x40000010u /* EAX: TSC kHz, EBX: APIC bus kHz */
#define APIC_KHZ_USUAL 1000000u	 /* hypervisors count nanoseconds */
#define TSC_KHZ_LOWEST 1500000u	 /* no processor with SNP has a slower one */
#define TSC_KHZ_MIN 500000u	 /* CPUID's rate counts only between these two */
#define TSC_KHZ_MAX 10000000u
#define TSC_KHZ_GUESS 3000000u
#define CALIBRATION_TICKS 100000u
#define CALIBRATION_LOOKS 8u /* as long as first and last look together: 1/16 off at most */
#define CALIBRATION_READS 1024u
#define SPINS_MAX (1u << 18) /* some 0.4 ms */

struct clock {
	uint64_t ns_per_tsc;  /* 32.32 fixed point */
	uint64_t tick_per_ns; /* of the APIC timer, 32.32 */
};

static struct clock clock = { .ns_per_tsc = ((NS_PER_S / 1000) << 32) / TSC_KHZ_GUESS };

static uint64_t scale(uint64_t value, uint64_t factor)
{
	return (uint64_t)(((unsigned __int128)value * factor) >> 32);
}

bool arch_timer_init(void)
{
	uint64_t base;

	if (!ghcb_msr_read(MSR_APIC_BASE, &base))
		return false;
	if ((base & APIC_BASE_X2APIC) == 0 &&
	    !ghcb_msr_write(MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_X2APIC))
		return false;
	return ghcb_msr_write(MSR_X2APIC_SVR, SVR_ENABLE | SVR_SPURIOUS_VECTOR) &&
	       ghcb_msr_write(MSR_X2APIC_DIVIDE, DIVIDE_BY_1) &&
	       ghcb_msr_write(MSR_X2APIC_LVT_TIMER, LVT_MASKED | TIMER_VECTOR);
}

/* Without an exit, which is what each look at the timer takes: a little longer each time. */
static void spin(unsigned int turn)
{
	uint32_t spins = turn < 18 ? 1u << turn : SPINS_MAX;

	for (volatile uint32_t i = 0; i < spins; i++)
		;
}

/* What the APIC timer showed, and when: in the middle of the exit that the look takes. */
struct look {
	uint64_t count;
	uint64_t tsc, took;
};

static bool look_at_timer(struct look *look)
{
	uint64_t start = cpu_read_tsc();

	if (!ghcb_msr_read(MSR_X2APIC_CURRENT, &look->count))
		return false;
	look->took = cpu_read_tsc() - start;
	look->tsc = start + look->took / 2;
	return true;
}

/*
 * Lets the APIC timer count and reads how far the TSC went meanwhile: as long as it takes to be
 * exact, which on a busy host is longer, but of looks no more than CALIBRATION_READS: half a second
 * and their exits. False: there is none that counts. In either case it is stopped then.
 */
static bool measure(uint64_t *tsc, uint64_t *ticks)
{
	struct look first = { 0 }, now = { 0 };
	bool counts = false, exact = false;
	bool looks = ghcb_msr_write(MSR_X2APIC_INITIAL, UINT32_MAX) && look_at_timer(&first);

	for (unsigned int i = 0; looks && i < CALIBRATION_READS && !(counts && exact); i++) {
		spin(i);
		looks = look_at_timer(&now);
		*tsc = now.tsc - first.tsc;
		*ticks = first.count - now.count;
		counts = now.count < first.count && *ticks >= CALIBRATION_TICKS;
		exact = *tsc >= CALIBRATION_LOOKS * (first.took + now.took);
	}
	return ghcb_msr_write(MSR_X2APIC_INITIAL, 0) && looks && counts;
}

/*
 * What the host does not say in CPUID is guessed: first that the APIC timer counts nanoseconds,
 * and if that makes the TSC absurdly slow, that it counts something faster.
 */
static void guess_rates(uint64_t tsc, uint64_t ticks, uint64_t *tsc_khz, uint64_t *apic_khz)
{
	*apic_khz = APIC_KHZ_USUAL;
	*tsc_khz = tsc * APIC_KHZ_USUAL / ticks;
	if (*tsc_khz >= TSC_KHZ_LOWEST)
		return;
	*tsc_khz = TSC_KHZ_GUESS;
	*apic_khz = tsc ? ticks * TSC_KHZ_GUESS / tsc : APIC_KHZ_USUAL;
}

bool arch_clock_init(void)
{
	struct cpuid_result timing = cpuid_query(CPUID_TIMING, 0);
	uint64_t tsc_khz = timing.eax, apic_khz = timing.ebx, tsc, ticks;

	if (!arch_timer_init() || !measure(&tsc, &ticks))
		return false;
	if (!tsc_khz || !apic_khz)
		guess_rates(tsc, ticks, &tsc_khz, &apic_khz);
	if (tsc_khz < TSC_KHZ_MIN || tsc_khz > TSC_KHZ_MAX)
		tsc_khz = TSC_KHZ_GUESS;

	clock.ns_per_tsc = ((NS_PER_S / 1000) << 32) / tsc_khz;
	clock.tick_per_ns = (apic_khz << 32) / (NS_PER_S / 1000);
	return true;
}

uint64_t clock_advance(struct cpu_clock *own, uint64_t tsc, uint64_t seen_ns)
{
	if (!own->tsc_last)
		own->tsc_base = tsc;
	else if (tsc < own->tsc_last) /* turned back: no time has passed, and none is lost */
		own->tsc_base -= own->tsc_last - tsc;
	own->tsc_last = tsc;

	uint64_t now = own->ahead_ns + scale(tsc - own->tsc_base, clock.ns_per_tsc);

	if (now < seen_ns) {
		own->ahead_ns += seen_ns - now;
		return seen_ns;
	}
	return now;
}

uint64_t arch_now_ns(void)
{
	static uint64_t last;
	uint64_t seen = __atomic_load_n(&last, __ATOMIC_RELAXED);
	uint64_t now = clock_advance(&cpu_this()->clock, cpu_read_tsc(), seen);

	while (now > seen && !__atomic_compare_exchange_n(&last, &seen, now, true, __ATOMIC_RELAXED,
							  __ATOMIC_RELAXED))
		;
	return now > seen ? now : seen;
}

void arch_timer_arm(struct cpu *cpu, uint64_t deadline_ns, uint64_t period_ns)
{
	uint64_t ticks = scale(period_ns, clock.tick_per_ns);

	cpu->timer_deadline = 0;
	if (ticks > UINT32_MAX)
		ticks = UINT32_MAX;
	cpu->timer_period_ns = period_ns;
	if (ghcb_msr_write(MSR_X2APIC_LVT_TIMER, LVT_PERIODIC | TIMER_VECTOR) &&
	    ghcb_msr_write(MSR_X2APIC_INITIAL, ticks ? ticks : 1))
		cpu->timer_deadline = deadline_ns;
}

void arch_timer_stop(struct cpu *cpu)
{
	cpu->timer_deadline = 0;
	cpu->tick = false;
	if (cpu->timer_period_ns && ghcb_msr_write(MSR_X2APIC_INITIAL, 0))
		cpu->timer_period_ns = 0;
}

void timer_end_of_interrupt(void)
{
	/*
	 * Also where NoEoiRequired in the doorbell page says that it is not needed, for the guest
	 * can write that page too: a superfluous EOI does nothing, a missing one would stop all
	 * further events.
	 */
	ghcb_msr_write(MSR_X2APIC_EOI, 0);
}
