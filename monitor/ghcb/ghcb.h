/* SPDX-License-Identifier: MIT */
/*
 * VMGEXIT: what arch/hw asks of the host (GHCB specification 56421); all others do by the hooks of
 * arch.h, some of which are defined here. Each vCPU has a GHCB page
 * of its own, so nothing here needs a lock; nothing here may be called from an exception handler,
 * which could find the page in use. Every answer of the host is read once and checked. A host that
 * answers nonsense gets its request counted as refused.
 */
#ifndef SOCLE_MONITOR_GHCB_GHCB_H
#define SOCLE_MONITOR_GHCB_GHCB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/ghcb.h"
#include "monitor/cpu/cpu.h"
#include "monitor/mem/alloc.h"

/* ---- The MSR protocol (2.3): works before there is a page. msr.c ---- */

/* Asks for the page to become shared or private. False when refused. */
bool ghcb_page_state(gpa_t page, bool private_page);

/* Registers the page as this vCPU's GHCB. False when refused. */
bool ghcb_register(gpa_t page);

/* Asks for the end of the VM, again and again if need be. */
_Noreturn void ghcb_terminate(uint8_t set, uint8_t code);

/* ---- Shared pages. page.c ---- */

/*
 * Allocates count pages in a row and makes them shared: PVALIDATE off, page state change, C=0 in
 * the direct map, zeroed. False: no memory or the host refused; pages that are half-way are never
 * used again.
 */
bool ghcb_share(struct page_owner *owner, size_t count, gpa_t *first);

/* ---- Exits with the page (4). exits.c ---- */

bool ghcb_io_read8(uint16_t port, uint8_t *value);
bool ghcb_io_write8(uint16_t port, uint8_t value);

/* REP OUTSB of up to GHCB_SHARED_BUFFER_SIZE bytes. */
bool ghcb_io_write_string(uint16_t port, const void *from, size_t size);

/* REP INSB of as many; what to gets is the host's word. */
bool ghcb_io_read_string(uint16_t port, void *to, size_t size);

bool ghcb_mmio_write32(uint64_t address, uint32_t value);

/*
 * Has that pin of the PC's IOAPIC (82093AA; at FEC0_0000h) interrupt the vCPU of that index at
 * VMPL0, by an edge and that vector; with vector 0 it interrupts nobody. ioapic.c
 */
bool ghcb_ioapic_pin(unsigned int pin, unsigned int cpu, uint8_t vector);

bool ghcb_msr_read(uint32_t msr, uint64_t *value);
bool ghcb_msr_write(uint32_t msr, uint64_t value);

/* Tells the host this vCPU's doorbell page. */
bool ghcb_set_doorbell(gpa_t page);

/*
 * Alternate injection and IPIs. Each is false when the host refused: an IPI by an x2APIC's ICR; the
 * vector that tells of less privileged VMPLs; the end of a level-triggered interrupt, and of
 * alternate injection, of a VMPL.
 */
bool ghcb_send_ipi(uint64_t icr);
bool ghcb_configure_int_inj(uint8_t vector);
bool ghcb_specific_eoi(unsigned int vmpl, uint8_t vector);
bool ghcb_disable_alt_inj(unsigned int vmpl, uint8_t tpr, bool shadow, bool interrupts);

/* A guest request; pages are shared. certificates.raw 0: none. Returns SW_EXITINFO2. */
uint64_t ghcb_guest_request(gpa_t request, gpa_t response, gpa_t certificates, uint64_t *pages);

#endif
