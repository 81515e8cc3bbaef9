/* SPDX-License-Identifier: MIT */
/*
 * VMGEXIT: what the monitor asks of the host (GHCB specification 56421). Each vCPU has a GHCB page
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

/* Checks that the host speaks version 2 of the protocol, or ends the VM. */
void ghcb_negotiate(void);

/* Bits of GHCB_HV_FEATURE_*; 0 when the answer is none. */
uint64_t ghcb_hv_features(void);

/* Asks for the page to become shared or private. False when refused. */
bool ghcb_page_state(gpa_t page, bool private_page);

/* Registers the page as this vCPU's GHCB. False when refused. */
bool ghcb_register(gpa_t page);

/* Asks for the end of the VM, again and again if need be. */
_Noreturn void ghcb_terminate(uint8_t set, uint8_t code);

/* ---- Shared pages. page.c ---- */

/*
 * Allocates a page and makes it shared: PVALIDATE off, page state change, C=0 in the direct map,
 * zeroed. False: no memory or the host refused; a page that is half-way is never used again.
 */
bool ghcb_share_page(struct page_owner *owner, gpa_t *page);

/* As ghcb_share_page(), for count pages in a row. */
bool ghcb_share_span(struct page_owner *owner, size_t count, gpa_t *first);

/* Gives this vCPU its GHCB and its doorbell page. False when the host refused. */
bool ghcb_init_cpu(struct cpu *cpu, struct page_owner *owner);

/* ---- Exits with the page (4). exits.c ---- */

/* Before ring 3 runs: a VMGEXIT of its own finds no exit to ask for. */
void ghcb_close(struct cpu *cpu);

bool ghcb_io_read8(uint16_t port, uint8_t *value);
bool ghcb_io_write8(uint16_t port, uint8_t value);

/* REP OUTSB of up to GHCB_SHARED_BUFFER_SIZE bytes. */
bool ghcb_io_write_string(uint16_t port, const void *from, size_t size);

bool ghcb_msr_read(uint32_t msr, uint64_t *value);
bool ghcb_msr_write(uint32_t msr, uint64_t value);

/* Starts or registers the VMSA at page for that APIC id and VMPL (4.1.11). */
bool ghcb_ap_create(uint32_t apic_id, unsigned int vmpl, gpa_t vmsa, uint64_t sev_features);

/* Tells the host this vCPU's doorbell page. */
bool ghcb_set_doorbell(gpa_t page);

enum ghcb_run {
	GHCB_RUN_RETURNED, /* this VMPL runs again */
	GHCB_RUN_EVENT,	   /* not left at all: an event is pending (trap/wait.h) */
	GHCB_RUN_REFUSED,
};

/* Runs vmpl on this vCPU until the host has a reason to run us. */
enum ghcb_run ghcb_run_vmpl(unsigned int vmpl);

/* A guest request; pages are shared. certificates.raw 0: none. Returns SW_EXITINFO2. */
uint64_t ghcb_guest_request(gpa_t request, gpa_t response, gpa_t certificates, uint64_t *pages);

#endif
