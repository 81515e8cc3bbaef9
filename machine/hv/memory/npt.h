/* SPDX-License-Identifier: MIT */
/*
 * Nested page tables, a cache of the RMP: one shared view, and one private view for each VMPL. Each
 * shows what the RMP permits there, as far as the use of a page permits it.
 */
#ifndef SOCLE_MACHINE_HV_MEMORY_NPT_H
#define SOCLE_MACHINE_HV_MEMORY_NPT_H

#include "machine/hv/memory/guest.h"
#include "machine/hv/memory/npt_view.h"

/* Sets them up, once, on the boot CPU, after guest_init(). */
void npt_init(void);

/*
 * Brings the page-table entries of count 4 KiB pages in line with the RMP, after an instruction of
 * a guest. CPUs may keep the rights that it took away: stale.h.
 */
void npt_sync(uint64_t gpa, uint64_t count);

/*
 * After the host has changed the RMP: npt_hide() takes count pages out of every view and out of
 * what CPUs keep, and waits for every other vCPU to leave the guest, so that their bytes can
 * change; npt_show() shows them as the RMP has them now.
 */
void npt_hide(uint64_t page, uint64_t count);
void npt_show(uint64_t page, uint64_t count);

/*
 * Changes what a page of guest RAM is open to. When it stops being open to something, waits for
 * every other vCPU to leave the guest.
 */
void npt_set_use(uint64_t gpa, enum code_use use);

/*
 * Before a vCPU enters the guest. While only one ever has, pages are open to writes and fetches at
 * once; when the second one comes this ends (code_use.h), and waits for the first to leave the
 * guest.
 */
void npt_enter(unsigned int vcpu);

/*
 * Root for a vCPU at a VMPL. paging says whether CR0.PG and CR4.PAE are on (else all is private);
 * stale becomes whether the view has rights that were lost (stale.h).
 */
uint64_t npt_root(unsigned int vcpu, unsigned int vmpl, bool paging, bool *stale);

/*
 * Whether that vCPU at that VMPL may make a private access with all rights in perms (RMP_PERM_*):
 * by the RMP, or by a right that it lost and still has (stale.h).
 */
enum rmp_status npt_access(unsigned int vcpu, unsigned int vmpl, uint64_t gpa, unsigned int perms);

#endif
