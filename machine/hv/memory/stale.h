/* SPDX-License-Identifier: MIT */
/*
 * Rights that a VMPL lost and a CPU still has. PVALIDATE and RMPADJUST invalidate no TLB (APM
 * volume 3 has nothing of the kind), so a CPU may go on with the translation that it had. This is
 * the worst case of that: each CPU that ran at a VMPL keeps each right that the VMPL had, as if it
 * had touched every page, until its translations must be gone:
 *
 *	- CR0.PG, CR4.PGE, CR4.PAE or CR4.PSE changes there, at that VMPL (APM volume 2, 5.5.3);
 *	- INVLPGB, of everything that the VM has, then TLBSYNC on the CPU of the INVLPGB (volume 3);
 *	- the host flushes by TLB_CONTROL (volume 2, 15.16.1);
 *	- the host updates the RMP entry of the page (RMPUPDATE, volume 2, 15.36.5).
 *
 * MOV to CR3, INVLPG and a switch of the VMPL end nothing; nor does a flush by another VMPL, nor
 * what the hypervisor flushes for its own sake (tlb_control in vmsa.c, tlb.h).
 *
 * The rights are kept as copies of leaf tables, which a view of its own for that vCPU and VMPL
 * links to. There is a bounded number: when they are used up the oldest goes, and its rights with
 * it. Hardware may drop a translation at any time, too. All of this is under the big lock.
 */
#ifndef SOCLE_MACHINE_HV_MEMORY_STALE_H
#define SOCLE_MACHINE_HV_MEMORY_STALE_H

#include <stdbool.h>
#include <stdint.h>

struct npt_view;

/* Before vmpl loses a right to that page by an instruction: npt_rights() still has it. */
void stale_keep(unsigned int vmpl, uint64_t page);

/*
 * vmpl has these rights (NPT_MAY_*) now. keep: by an instruction, so CPUs have what is new at once
 * and keep the others; else by the host, and nobody keeps any other.
 */
void stale_change(unsigned int vmpl, uint64_t page, uint8_t rights, bool keep);

/*
 * After any of these, and when a page is used for something else: writes the leaf entries. True:
 * one of them lost something, and the caller waits until it is out of use (tlb_shootdown()).
 */
bool stale_set_leaves(uint64_t page);

/* npt_view_part_uses() for the leaf entries kept here. */
void stale_part_uses(void);

/* Ends copies around count pages from page that keep nothing any more. */
void stale_settle(uint64_t page, uint64_t count);

/* Whether that vCPU has rights at that VMPL that are lost. */
bool stale_exists(unsigned int vcpu, unsigned int vmpl);

/* The view with them, which stays good; NULL where there are none. */
const struct npt_view *stale_view(unsigned int vcpu, unsigned int vmpl);

/* NPT_MAY_* that it has or keeps; 0 where it keeps nothing around that page. */
uint8_t stale_rights(unsigned int vcpu, unsigned int vmpl, uint64_t page);

/* The translations of that vCPU at that VMPL are flushed. */
void stale_flush(unsigned int vcpu, unsigned int vmpl);

/*
 * INVLPGB on vCPU by: what is kept now ends with the next stale_synchronize(by), which is TLBSYNC.
 * What is lost in between is kept.
 */
void stale_broadcast(unsigned int by);
void stale_synchronize(unsigned int by);

#endif
