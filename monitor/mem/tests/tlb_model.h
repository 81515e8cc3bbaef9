/* SPDX-License-Identifier: MIT */
/*
 * The worst TLB that APM volume 2, 5.5, permits: every translation that was ever used stays, with
 * its rights and its dirty bit, and so does every table that was met on the way, until
 *	INVLPG		of an address within the page, whatever its size, global or not; with
 *			EFER.TCE clear all tables are forgotten then (5.5.3)
 *	MOV CR3		all that is not global, and all tables
 *	CR4.PGE		when it changes, everything
 * It stands behind arch.h; what MOV CR3 does, a test says.
 */
#ifndef SOCLE_MONITOR_MEM_TESTS_TLB_MODEL_H
#define SOCLE_MONITOR_MEM_TESTS_TLB_MODEL_H

#include <stdbool.h>
#include <stdint.h>

/* What an access wants beside reading. */
#define TLB_WRITE (1u << 0)
#define TLB_EXECUTE (1u << 1)
#define TLB_USER (1u << 2) /* from ring 3 */

/* Empty, and CR3 is this: the root with the C-bit's mask. */
void tlb_model_reset(uint64_t cr3, uint64_t c_bit);

void tlb_model_load_cr3(uint64_t cr3);

/*
 * One access, CR0.WP and EFER.NXE set, no SMEP and no SMAP. True when it is made: *physical is
 * where, with the C-bit's mask if the page is used as a private one. False: a page fault.
 */
bool tlb_model_access(uint64_t va, unsigned int wants, uint64_t *physical);

#endif
