/* SPDX-License-Identifier: MIT */
/*
 * Guest memory: the RMP is the truth, nested page tables are a cache of it. There is one shared
 * view, and one private view for each VMPL. A page's bytes look scrambled from the side that it
 * is not on. Guest-physical addresses may carry the C-bit or not: it is ignored here.
 */
#ifndef SOCLE_MACHINE_HV_MEMORY_NPT_H
#define SOCLE_MACHINE_HV_MEMORY_NPT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/snp/rmp.h"
#include "machine/hv/memory/code_use.h"
#include "machine/mailbox.h"

#define HV_C_BIT (1ull << MACHINE_C_BIT)

enum guest_side {
	GUEST_SHARED,  /* not assigned in the RMP: what the host may touch */
	GUEST_PRIVATE, /* assigned: only what plays the CPU may touch it */
};

/* Sets up RMP and nested page tables from the mailbox, once, on the boot CPU. */
void npt_init(void);

/* True when the page of gpa is guest RAM, so neither device memory nor a hole. */
bool npt_is_ram(uint64_t gpa);

/* The RMP entry of a page, NULL outside RAM. */
struct rmp_entry *npt_rmp(uint64_t gpa);
struct rmp *npt_rmp_table(void);

/*
 * The bytes [gpa, gpa + size), which must lie in one page that is on that side; NULL otherwise.
 * The pointer is good while the big lock is held; other vCPUs may write the bytes meanwhile.
 */
void *guest_ptr(uint64_t gpa, size_t size, enum guest_side side);

/* Writes to shared pages. False, and possibly a part written, when one of them is not shared. */
bool guest_write_shared(uint64_t gpa, const void *from, size_t size);

/*
 * The host's page state change: private assigns the page in the RMP (not validated), shared takes
 * it away. huge: one 2 MiB page, gpa aligned to it. Remembers the choice as the page's attribute,
 * fixes the nested page tables and, where rights shrink, waits for every other vCPU to leave the
 * guest. False: not RAM, misaligned, or a page that the host must not touch (VMSA, immutable).
 */
bool npt_page_state(uint64_t gpa, bool huge, bool make_private);

/*
 * The host's reaction to a private access to an unassigned page: assigns it, 2 MiB at once where
 * all of that is unassigned and private by attribute. False when the attribute says shared.
 */
bool npt_assign_on_fault(uint64_t gpa);

/*
 * Brings the page-table entries of count 4 KiB pages in line with the RMP, after an instruction of a
 * guest. CPUs may keep the rights that it took away: stale.h.
 */
void npt_sync(uint64_t gpa, uint64_t count);

/*
 * What a page of guest RAM is open to, in all views and as far as the RMP permits. One that stops
 * being open to something waits for every other vCPU to leave the guest.
 */
enum code_use npt_use(uint64_t gpa);
void npt_set_use(uint64_t gpa, enum code_use use);

/* Waits until no other vCPU can use an older translation. */
void npt_shootdown(void);

#define NPT_NO_GENERATION (~0ull)

/* Grows whenever translations lost rights: a vCPU that enters flushes when it saw another one. */
uint64_t npt_generation(void);

/*
 * Shows a private page in the shared view until the next npt_sync() of it: for fetches and, with
 * table, for page-table walks, which are private on hardware whatever the C-bit says, as far as
 * its use permits. The caller makes sure that nobody learns what he may not.
 */
void npt_expose(uint64_t gpa, bool table);

/* Root for a vCPU at a VMPL: paging says whether CR0.PG and CR4.PAE are on (else all is private). */
uint64_t npt_root(unsigned int vcpu, unsigned int vmpl, bool paging);

/*
 * Whether that vCPU at that VMPL may make a private access with all rights in perms (RMP_PERM_*):
 * by the RMP, or by a right that it lost and still has (stale.h).
 */
enum rmp_status npt_access(unsigned int vcpu, unsigned int vmpl, uint64_t gpa, unsigned int perms);

#endif
