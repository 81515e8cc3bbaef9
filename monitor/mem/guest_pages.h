/* SPDX-License-Identifier: MIT */
/*
 * What each 4 KiB page of RAM is to the guest: two bits for each page, under the lock
 * "guest pages". It is what keeps the guest out of Socle's region, makes sure that nothing is
 * validated twice, and gives each page one role at a time.
 *
 * Whoever changes a page takes it first (guest_pages_take), which makes every other taker and
 * copier fail, works on it without a lock, and then gives it its new state (guest_pages_set).
 *
 * The states are what Socle did, and only that: the host may put another page behind an address at
 * any time. For each address at most one page is ever validated, and none while its state is
 * GUEST_PAGE_INVALID; so whatever else the host shows there faults.
 */
#ifndef SOCLE_MONITOR_MEM_GUEST_PAGES_H
#define SOCLE_MONITOR_MEM_GUEST_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/params.h"
#include "monitor/arch/arch.h"
#include "monitor/base/addr.h"

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

/*
 * The same of valid pages for who runs at vmpl and has to have the rights use on them,
 * SNP_RMPADJUST_*. He is asked before they are taken, so that no level makes another's calls fail
 * by naming the other's pages; and once more afterwards, when nobody but the guest changes them.
 * *found is GUEST_PAGE_TAKEN for pages that are not vmpl's.
 */
bool guest_pages_take_for(unsigned int vmpl, gpa_t page, enum arch_page_size size, uint64_t use,
			  enum guest_page_state *found);

/* Gives count taken pages their new state. Only who took them may. Takes the lock. */
void guest_pages_set(gpa_t page, uint64_t count, enum guest_page_state to);

/*
 * A page of which it is not sure whether the page that PVALIDATE changed is the one that was meant
 * stays GUEST_PAGE_TAKEN: it was exchanged between two steps, and another page of that address may
 * be validated still. Nobody gets it any more.
 */

/*
 * Validates taken pages, which were GUEST_PAGE_INVALID, for the guest: PVALIDATE, zero, grant, in
 * that order (58019, SVSM_CORE_PVALIDATE), and gives them their state. *changed is PVALIDATE's
 * answer; pages that were valid before are not touched unless ignore_unchanged, and stay
 * GUEST_PAGE_INVALID. A failure undoes it, page by page if need be. Returns SNP_RESULT_* or
 * ARCH_RESULT_FAULT.
 */
uint32_t guest_pages_validate(gpa_t page, enum arch_page_size size, bool ignore_unchanged,
			      bool *changed);

/*
 * Empties taken pages that are valid, and makes them GUEST_PAGE_VALID: revoke, zero, grant, and
 * give vmpl, if it is a less privileged level, the rights that it had. They are revoked first
 * because that makes sure that none is a VMSA. A failure may leave some as they were, and gives all
 * levels their rights again. Returns SNP_RESULT_* or ARCH_RESULT_FAULT.
 */
uint32_t guest_pages_prepare(gpa_t page, enum arch_page_size size, unsigned int vmpl);

/*
 * Takes taken pages, which were GUEST_PAGE_VALID, away from the guest: revoke, then PVALIDATE, and
 * gives them their state. The caller calls arch_flush_guest_tlb() afterwards. A failure leaves them
 * validated and gives all levels their rights again. Returns SNP_RESULT_* or ARCH_RESULT_FAULT;
 * with SNP_RESULT_OK and *changed false nobody has the pages any more.
 */
uint32_t guest_pages_invalidate(gpa_t page, enum arch_page_size size, bool *changed);

/*
 * Gives the guest's first level all rights on the page, which becomes a normal page if it was a
 * VMSA. The rights of other levels stay what they are: they are the first level's to give. Returns
 * SNP_RESULT_* or ARCH_RESULT_FAULT.
 */
uint32_t guest_pages_grant(gpa_t page, enum arch_page_size size);

/*
 * SNP_RMPADJUST_* of vmpl on pages that are the guest's: all for its first level, and for a less
 * privileged one what the RMP says. None where the RMP's entry is of less than size, or is a
 * VMSA's, or cannot be asked. Who has taken a page knows that only the guest itself changes them.
 */
uint64_t guest_pages_rights(gpa_t page, enum arch_page_size size, unsigned int vmpl);

/* SNP_RMPADJUST_* by level; 0 for those that are not less privileged than the guest's first. */
struct guest_page_rights {
	uint64_t of[SNP_VMPL_COUNT];
};

/*
 * Takes every right of the guest's levels away; *kept is what each less privileged one had, as
 * guest_pages_rights(), of those that were reached. The caller flushes. Returns as
 * guest_pages_grant().
 */
uint32_t guest_pages_revoke(gpa_t page, enum arch_page_size size, struct guest_page_rights *kept);

/*
 * guest_pages_grant(), and each less privileged level gets what was kept. Pages of 2 MiB that have
 * fallen apart meanwhile get it each. Returns as guest_pages_grant().
 */
uint32_t guest_pages_give_back(gpa_t page, enum arch_page_size size,
			       const struct guest_page_rights *kept);

/*
 * Copies size bytes from or to guest memory while the lock is held, so that the page cannot change
 * its role meanwhile, for who runs at vmpl. [at, at + size) lies within one page. False when the
 * page is not valid guest memory, or not for vmpl to read or write, or the access faulted.
 */
bool guest_pages_copy_in(unsigned int vmpl, void *to, gpa_t at, size_t size);
bool guest_pages_copy_out(unsigned int vmpl, gpa_t at, const void *from, size_t size);

#endif
