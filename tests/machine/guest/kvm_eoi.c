/* SPDX-License-Identifier: MIT */
/*
 * The end of an interrupt that KVM takes from memory: Linux, Documentation/virt/kvm/x86/msr.rst,
 * MSR_KVM_PV_EOI_EN, and where that says nothing, KVM itself (kvm_lapic_set_pv_eoi() and
 * apic_sync_pv_eoi_to_guest() in arch/x86/kvm/lapic.c). The byte is looked at while the interrupt
 * is in service, and an interrupt of the same vector comes only if the one before has ended. Where
 * another one waits for the end KVM offers nothing, and this machine does as long as IF is clear:
 * by the document a guest looks at the byte, and does not know what it will find.
 */
#include "tests/machine/guest/guest.h"

#define APIC_BASE 0x1bu
#define X2APIC_EOI 0x80bu
#define X2APIC_SVR 0x80fu
#define X2APIC_ISR0 0x810u
#define X2APIC_SELF_IPI 0x83fu
#define PV_EOI 0x4b564d04u
#define ENABLED 1ull
#define HIGH \
	31u /* both in one priority class, within the table of exceptions, without error code */
#define LOW 24u
#define PLACE (TEST_PAGE + 0x40)
#define NO_RAM 0x4000000000ull

static volatile uint8_t *byte;
static volatile uint64_t taken, last, seen, seen_behind, in_service;
static volatile bool in_memory, look, send_low, open_before_end;
static volatile uint64_t taken_before_end;

static uint64_t read(uint32_t msr)
{
	uint64_t value = ~0ull;

	(void)ghcb_msr_read(msr, &value);
	return value;
}

static void handle(struct trap_frame *frame)
{
	taken++;
	last = frame->vector;
	seen = *byte;
	if (send_low && frame->vector == HIGH) {
		(void)ghcb_msr_write(X2APIC_SELF_IPI, LOW);
		seen_behind = *byte;
	}
	if (open_before_end && frame->vector == HIGH) {
		__asm__ volatile("sti; nop; nop; cli" : : : "memory");
		taken_before_end = taken;
		seen_behind = *byte;
	}
	/* An exit of any kind: the host takes the offer back and makes it again. */
	if (look)
		in_service = read(X2APIC_ISR0);
	if (in_memory && (*byte & 1))
		*byte = 0;
	else
		(void)ghcb_msr_write(X2APIC_EOI, 0);
}

static void send(uint32_t vector)
{
	taken = 0;
	(void)ghcb_msr_write(X2APIC_SELF_IPI, vector);
	__asm__ volatile("sti; nop; cli" : : : "memory");
}

/* What the MSR takes; a #GP leaves it as it was. */
static void addresses(void)
{
	check("MSR: 0 after the start", read(PV_EOI), 0);
	check("MSR: a place", ghcb_msr_write(PV_EOI, PLACE | ENABLED), 1);
	check("  reads as it was written", read(PV_EOI), PLACE | ENABLED);
	check("  bit 1 is reserved: #GP", ghcb_msr_write(PV_EOI, (PLACE + 2) | ENABLED), 0);
	check("  and where it is not enabled, too", ghcb_msr_write(PV_EOI, PLACE + 2), 0);
	check("  no RAM: #GP", ghcb_msr_write(PV_EOI, NO_RAM | ENABLED), 0);
	check("  with the C-bit: #GP", ghcb_msr_write(PV_EOI, 1ull << 47 | PLACE | ENABLED), 0);
	check("  and it is as it was", read(PV_EOI), PLACE | ENABLED);
	check("  no RAM, and not enabled", ghcb_msr_write(PV_EOI, NO_RAM), 1);
}

static void ends(void)
{
	(void)ghcb_msr_write(PV_EOI, PLACE | ENABLED);
	in_memory = true;
	send(HIGH);
	check("an interrupt with the offer", seen, 1);
	check("  ended by memory: ISR", read(X2APIC_ISR0), 0);
	send(HIGH);
	check("  so the next one comes", taken, 1);
	look = true;
	send(HIGH);
	check("an exit meanwhile: it is in service", in_service, 1ull << HIGH);
	send(HIGH);
	check("  and ends by memory afterwards", taken, 1);
	look = false;
	in_memory = false;
	send(HIGH);
	check("ended by the register in spite of the offer: ISR", read(X2APIC_ISR0), 0);
	check("  the offer is over", *byte, 0);
	send(HIGH);
	check("  and the next one comes", taken, 1);
}

static void refusals(void)
{
	in_memory = send_low = true;
	send(HIGH);
	check("another one waits: an offer, as IF is clear", seen_behind, 1);
	check("  both came", taken, 2);
	check("  the waiting one last", last, LOW);
	check("  and it has ended, too", read(X2APIC_ISR0), 0);
	in_memory = false;
	send(HIGH);
	check("the same, ended by the register: both came", taken, 2);
	check("  and both have ended", read(X2APIC_ISR0), 0);
	in_memory = open_before_end = true;
	send(HIGH);
	check("IF is set before the end: no offer any more", seen_behind, 0);
	check("  and the waiting one does not come", taken_before_end, 1);
	check("  but behind the end", taken, 2);
	check("  the waiting one last", last, LOW);
	send_low = open_before_end = false;
	(void)ghcb_msr_write(PV_EOI, PLACE);
	send(HIGH);
	check("not enabled: no offer", seen, 0);
	(void)page_make_private(TEST_PAGE + 0x1000);
	(void)ghcb_msr_write(PV_EOI, (TEST_PAGE + 0x1000) | ENABLED);
	send(HIGH);
	check("a private place: no offer", seen, 0);
	check("  and nothing is lost", taken, 1);
	check("  the register ends it", read(X2APIC_ISR0), 0);
}

void test_main(void)
{
	uint64_t base = 0;

	trap_handler = handle;
	byte = (volatile uint8_t *)shared_view(PLACE);
	(void)page_make_shared(TEST_PAGE);
	*byte = 0;
	check("APIC_BASE", ghcb_msr_read(APIC_BASE, &base), 1);
	check("x2APIC", ghcb_msr_write(APIC_BASE, base | 3 << 10), 1);
	check("the APIC is on", ghcb_msr_write(X2APIC_SVR, 0x1ff), 1);
	addresses();
	ends();
	refusals();
}
