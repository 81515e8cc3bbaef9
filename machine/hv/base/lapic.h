/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of the physical CPU that runs this. Its registers and modes are those of an
 * emulated one, too (APM volume 2, chapter 16).
 */
#ifndef SOCLE_MACHINE_HV_BASE_LAPIC_H
#define SOCLE_MACHINE_HV_BASE_LAPIC_H

#include <stdint.h>

#define APIC_MMIO_BASE 0xfee00000ull

/* Register offsets of the MMIO page; MSR 0x800 + offset / 16 in x2APIC mode. */
#define APIC_REG_ID 0x020u
#define APIC_REG_VERSION 0x030u
#define APIC_REG_TPR 0x080u
#define APIC_REG_APR 0x090u
#define APIC_REG_PPR 0x0a0u
#define APIC_REG_EOI 0x0b0u
#define APIC_REG_RRR 0x0c0u
#define APIC_REG_LDR 0x0d0u
#define APIC_REG_DFR 0x0e0u
#define APIC_REG_SVR 0x0f0u
#define APIC_REG_ISR 0x100u
#define APIC_REG_TMR 0x180u
#define APIC_REG_IRR 0x200u
#define APIC_REG_ESR 0x280u
#define APIC_REG_ICR 0x300u
#define APIC_REG_ICR2 0x310u
#define APIC_REG_LVT_TIMER 0x320u
#define APIC_REG_LVT_LINT0 0x350u
#define APIC_REG_LVT_LINT1 0x360u
#define APIC_REG_LVT_ERROR 0x370u
#define APIC_REG_TIMER_INITIAL 0x380u
#define APIC_REG_TIMER_CURRENT 0x390u
#define APIC_REG_TIMER_DIVIDE 0x3e0u
#define APIC_REG_SELF_IPI 0x3f0u /* x2APIC only */

#define APIC_LVT_MASKED (1u << 16)
#define APIC_LVT_TIMER_PERIODIC (1u << 17)
#define APIC_LVT_MODE_SHIFT 8
#define APIC_SVR_ENABLE (1u << 8)

enum apic_mode { /* delivery modes of LVT, ICR and IOAPIC entries */
		 APIC_MODE_FIXED = 0,
		 APIC_MODE_LOWEST = 1,
		 APIC_MODE_SMI = 2,
		 APIC_MODE_NMI = 4,
		 APIC_MODE_INIT = 5,
		 APIC_MODE_STARTUP = 6,
		 APIC_MODE_EXTINT = 7,
};

/* Physical vectors of the hypervisor. IOAPIC pins are below (event/pins.h); all others are MSIs. */
#define LAPIC_VECTOR_TIMER 0xfeu
#define LAPIC_VECTOR_SPURIOUS 0xffu

static inline uint32_t lapic_read(uint32_t reg)
{
	return *(volatile uint32_t *)(APIC_MMIO_BASE + reg);
}

static inline void lapic_write(uint32_t reg, uint32_t value)
{
	*(volatile uint32_t *)(APIC_MMIO_BASE + reg) = value;
}

/* Enables it, with the timer set up and everything else masked. Once on each CPU. */
void lapic_init(void);

/* Measures the timer against clock_now(). Once, before any of the following. */
void lapic_calibrate(void);

/*
 * The rate of clock_now() in kHz, from a longer measurement: to about 20 in a million. Once, before
 * the timer is used.
 */
uint64_t lapic_clock_khz(void);

/* How long a tick of clock_now() is, as a fixed-point number with 32 bits behind the point. */
uint64_t lapic_nanoseconds_per_clock(void);

/* Microseconds as ticks of clock_now(). */
uint64_t lapic_clocks(uint64_t us);

/*
 * LAPIC_VECTOR_TIMER comes after that many ticks of clock_now() or a little later; if that is far
 * away, possibly earlier. Replaces what was set before.
 */
void lapic_timer_start(uint64_t clocks);
void lapic_timer_stop(void);

/* Sends what the lower half of an ICR says to the CPU with that APIC id. */
void lapic_send(uint32_t cpu, uint32_t icr_low);

#endif
