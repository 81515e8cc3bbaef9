/* SPDX-License-Identifier: MIT */
/*
 * The RTC's alarm as a power management event: RTC_STS and RTC_EN of PM1 (ACPI specification,
 * 4.8.2.4; Intel ICH9 data sheet, PM1_STS and PM1_EN). As in ICH9 any assertion of IRQ 8 sets
 * RTC_STS, whatever IOAPIC and 8259s make of it, and while RTC_EN is set, too, SCI is asserted.
 * QEMU sets RTC_STS where it wakes from S3 alone.
 */
#ifndef SOCLE_MACHINE_HV_EVENT_ALARM_H
#define SOCLE_MACHINE_HV_EVENT_ALARM_H

#include <stdbool.h>
#include <stdint.h>

#define ALARM_PIN 8u	     /* of the IOAPIC: the RTC's IRQ 8, an edge */
#define ALARM_SCI_PIN 9u     /* as QEMU's MADT and FADT have it */
#define ALARM_BIT (1u << 10) /* RTC_STS in PM1_STS, RTC_EN in PM1_EN */

struct vcpu;

/*
 * IRQ 8 was asserted, and v took the interrupt. While RTC_STS is set, another one changes nothing,
 * and nobody has to tell of it.
 */
void alarm_interrupt(struct vcpu *v);

/* RTC_STS, where PM1_STS has it. */
uint16_t alarm_status(void);

/* v has written 1 to bits of PM1_STS, which clears them, and PM1_EN is now enable. */
void alarm_write(struct vcpu *v, uint16_t cleared, uint16_t enable);

#endif
