/* SPDX-License-Identifier: MIT */
/*
 * What each 4 KiB page of RAM is to the guest: two bits for each page, under the lock
 * "guest pages". It is what keeps the guest out of Socle's region, makes sure that nothing is
 * validated twice, and gives each page one role at a time.
 *
 * Whoever changes a page takes it first (guest_pages_take), which makes every other taker and
 * copier fail, works on it without a lock, and then gives it its new state (guest_pages_set).
 */
#ifndef SOCLE_MONITOR_MEM_GUEST_PAGES_H
#define SOCLE_MONITOR_MEM_GUEST_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/params.h"
#include "monitor/arch/arch.h"
#include "monitor/mem/addr.h"

enum guest_page_state {
	GUEST_PAGE_TAKEN,   /* not the guest's: Socle's, no RAM, a VMSA, or being changed */
	GUEST_PAGE_INVALID, /* the guest's, shared or not validated */
	GUEST_PAGE_VALID,   /* the guest's, validated and granted to it */
	GUEST_PAGE_CALLING, /* valid, and the calling area of a vCPU */
};

/* Bytes that the states of all pages below the end of RAM need. */
size_t guest_pages_memory(const struct socle_params *params);

/*
 * Starts the states: RAM that the file loaded is valid, other RAM is not, and everything else,
 * Socle's region first, is taken. memory has guest_pages_memory() bytes and stays in use. False
 * when the ranges of params contradict themselves. Called once, before the guest runs.
 */
bool guest_pages_init(const struct socle_params *params, void *memory, size_t size);

/* State of the page that holds at; GUEST_PAGE_TAKEN outside RAM. Takes the lock. */
enum guest_page_state guest_pages_state(gpa_t at);

/*
 * Takes the count pages from page on when all of them are in state from; none otherwise. False
 * when one is in another state; *found then tells the state of the first such page. Takes the lock.
 */
bool guest_pages_take(gpa_t page, uint64_t count, enum guest_page_state from,
		      enum guest_page_state *found);

/* Gives count taken pages their new state. Only who took them may. Takes the lock. */
void guest_pages_set(gpa_t page, uint64_t count, enum guest_page_state to);

/* A result beside SNP_RESULT_*: the memory itself could not be written. */
#define GUEST_PAGES_FAULT 0x100u

/*
 * Validates the taken pages for the guest: PVALIDATE, zero, grant, in that order (58019,
 * SVSM_CORE_PVALIDATE). *changed is PVALIDATE's answer; pages that were valid before are not
 * touched unless ignore_unchanged. Returns SNP_RESULT_* or GUEST_PAGES_FAULT; a failure leaves the
 * pages not validated.
 */
uint32_t guest_pages_validate(gpa_t page, enum arch_page_size size, bool ignore_unchanged,
			      bool *changed);

/* The second half of it, for taken pages that are valid already: zero, grant. */
uint32_t guest_pages_prepare(gpa_t page, enum arch_page_size size);

/*
 * Takes validated, taken pages away from the guest: revoke, then PVALIDATE. The caller calls
 * arch_flush_guest_tlb() afterwards. A failure leaves them validated.
 */
uint32_t guest_pages_invalidate(gpa_t page, enum arch_page_size size, bool *changed);

/* Takes every right of VMPL1 to VMPL3 away. The caller flushes. Returns SNP_RESULT_*. */
uint32_t guest_pages_revoke(gpa_t page, enum arch_page_size size);

/* Gives VMPL2 all rights on the page, which becomes a normal page if it was a VMSA. */
uint32_t guest_pages_grant(gpa_t page, enum arch_page_size size);

/*
 * Copies size bytes from or to guest memory while the lock is held, so that the page cannot change
 * its role meanwhile. [at, at + size) lies within one page. False when the page is not valid guest
 * memory or the access faulted.
 */
bool guest_pages_copy_in(void *to, gpa_t at, size_t size);
bool guest_pages_copy_out(gpa_t at, const void *from, size_t size);

#endif
