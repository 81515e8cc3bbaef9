/* SPDX-License-Identifier: MIT */
/*
 * The RTC's alarm as a power management event: IRQ 8 sets RTC_STS of PM1_STS, also where no
 * interrupt controller lets it through, and with RTC_EN that is SCI, a level at pin 9 of the IOAPIC
 * that lasts until RTC_STS is cleared (ACPI specification, 4.8.2.4; Intel ICH9 data sheet, PM1_STS
 * and PM1_EN; MC146818 data sheet, registers B and C).
 */
#include "tests/machine/guest/devices.h"
#include "tests/machine/guest/guest.h"

#define RTC_VECTOR 27u
#define SCI_VECTOR 28u
#define RTC_ENTRY 0x20u /* pin 8 of the IOAPIC */
#define SCI_ENTRY 0x22u
#define ENTRY_LEVEL (1u << 15)
#define ENTRY_MASKED (1u << 16)
#define PM1_STS 0x600
#define PM1_EN 0x602
#define RTC_BIT 0x400u
#define REGISTER_A 0x0au
#define REGISTER_B 0x0bu
#define REGISTER_C 0x0cu
#define ALARM_ENABLE 0x20u
#define ALARM_FLAG 0x20u
#define PERIODIC_ENABLE 0x40u
#define PERIODIC_FLAG 0x40u
#define RATE 3u /* 8192 in a second */
#define RATE_MASK 0x0fu
#define EVERY 0xc0u	       /* an alarm register that any time matches */
#define PATIENCE 8000000000ull /* of the TSC, some seconds */
#define A_WHILE (PATIENCE / 8)

static volatile uint64_t by_rtc, by_sci;
static volatile bool keeps; /* RTC_STS stays, as with a handler of somebody else's interrupt */

static uint8_t cmos(uint8_t index)
{
	ghcb_out8(0x70, index);
	return ghcb_in8(0x71);
}

static void set_cmos(uint8_t index, uint8_t value)
{
	ghcb_out8(0x70, index);
	ghcb_out8(0x71, value);
}

static void note(struct trap_frame *frame)
{
	by_rtc += frame->vector == RTC_VECTOR;
	by_sci += frame->vector == SCI_VECTOR;
	if (frame->vector == SCI_VECTOR && !keeps)
		port_write(PM1_STS, 2, RTC_BIT);
	keeps = false;
	(void)ghcb_msr_write(0x80b, 0);
}

/* The next second has an alarm, after which there is none. */
static bool alarm(void)
{
	struct patience p = patience_of(PATIENCE);

	for (uint8_t index = 1; index <= 5; index += 2)
		set_cmos(index, EVERY);
	(void)cmos(REGISTER_C);
	set_cmos(REGISTER_B, cmos(REGISTER_B) | ALARM_ENABLE);
	while (!(port_read(PM1_STS, 2) & RTC_BIT) && patience_lasts(&p))
		;
	set_cmos(REGISTER_B, cmos(REGISTER_B) & ~ALARM_ENABLE);
	return cmos(REGISTER_C) & ALARM_FLAG;
}

/* HLT ends by the interrupt: that is what wakes who has suspended to idle. */
static void halt(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

static void look(void)
{
	__asm__ volatile("sti; nop; cli" : : : "memory");
}

/* Until that many have come, or for some seconds. */
static void await(const volatile uint64_t *count, uint64_t wanted)
{
	struct patience p = patience_of(PATIENCE);

	while (*count < wanted && patience_lasts(&p))
		look();
}

static void check_disabled(void)
{
	check("RTC_STS is clear at the start", port_read(PM1_STS, 2) & RTC_BIT, 0);
	check("an alarm comes with IRQ 8 masked everywhere", alarm(), 1);
	check("  and sets RTC_STS", port_read(PM1_STS, 2) & RTC_BIT, RTC_BIT);
	check("  also for 4 bytes", port_read(PM1_STS, 4) & RTC_BIT, RTC_BIT);
	look();
	check("  and without RTC_EN interrupts nobody", by_rtc + by_sci, 0);
	port_write(PM1_STS, 2, 0xffff & ~RTC_BIT);
	check("the other bits do not clear it", port_read(PM1_STS, 2) & RTC_BIT, RTC_BIT);
}

/* IRQ 8 again and again, to nobody: run.py holds the exits against what a host may want with it. */
static void check_many(void)
{
	struct patience p;
	bool came;

	set_cmos(REGISTER_A, (uint8_t)((cmos(REGISTER_A) & ~RATE_MASK) | RATE));
	set_cmos(REGISTER_B, cmos(REGISTER_B) | PERIODIC_ENABLE);
	p = patience_of(A_WHILE);
	while (patience_lasts(&p))
		__asm__ volatile("pause");
	came = cmos(REGISTER_C) & PERIODIC_FLAG;
	set_cmos(REGISTER_B, cmos(REGISTER_B) & ~PERIODIC_ENABLE);
	(void)cmos(REGISTER_C);
	check("the RTC asserts it again and again", came, 1);
	check("  and RTC_STS stays set", port_read(PM1_STS, 2) & RTC_BIT, RTC_BIT);
}

static void check_enabled(void)
{
	struct patience p;

	keeps = true;
	port_write(PM1_EN, 2, RTC_BIT);
	check("RTC_EN reads as it was written", port_read(PM1_EN, 2), RTC_BIT);
	await(&by_sci, 2);
	check("SCI comes for what is set, and again until it is clear", by_sci, 2);
	check("  by 1 it is cleared", port_read(PM1_STS, 2) & RTC_BIT, 0);
	p = patience_of(A_WHILE);
	while (patience_lasts(&p))
		look();
	check("  and then SCI has ended", by_sci, 2);
}

static void check_wake(void)
{
	by_sci = 0;
	(void)cmos(REGISTER_C);
	set_cmos(REGISTER_B, cmos(REGISTER_B) | ALARM_ENABLE);
	halt();
	set_cmos(REGISTER_B, cmos(REGISTER_B) & ~ALARM_ENABLE);
	check("an alarm ends HLT by SCI", by_sci, 1);
	check("  of a masked IRQ 8", by_rtc, 0);

	ioapic_write(RTC_ENTRY, RTC_VECTOR);
	port_write(PM1_EN, 2, 0);
	(void)alarm();
	await(&by_rtc, 1);
	check("IRQ 8 comes where it is let through", by_rtc, 1);
	check("  and without RTC_EN no SCI", by_sci, 1);
	check("  but RTC_STS is set", port_read(PM1_STS, 2) & RTC_BIT, RTC_BIT);
}

void test_main(void)
{
	trap_handler = note;
	check("the APIC", ghcb_msr_write(0x1b, 0xfee00d00) && ghcb_msr_write(0x80f, 0x1ff), 1);
	ioapic_write(RTC_ENTRY, ENTRY_MASKED);
	ioapic_write(SCI_ENTRY + 1, 0);
	ioapic_write(SCI_ENTRY, SCI_VECTOR | ENTRY_LEVEL);
	check_disabled();
	check_many();
	check_enabled();
	check_wake();
	trap_handler = NULL;
}
