/* SPDX-License-Identifier: MIT */
/*
 * The rules of the reverse map table in plain C: what the host does to it (RMPUPDATE, PSMASH),
 * what a guest does (PVALIDATE, RMPADJUST), and what an access is allowed. APM volume 2, section
 * 15.36; volume 3 for the instructions. One entry for each 4 KiB of guest memory. No locks: the
 * caller serializes.
 */
#ifndef SOCLE_CORE_SNP_RMP_H
#define SOCLE_CORE_SNP_RMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/snp.h"

#define RMP_ASSIGNED (1u << 0)
#define RMP_VALIDATED (1u << 1)
#define RMP_VMSA (1u << 2)
#define RMP_IMMUTABLE (1u << 3)
#define RMP_SIZE_2M (1u << 4)	  /* part of a 2 MiB entry: set in all 512 or in none */
#define RMP_VMSA_IN_USE (1u << 5) /* a vCPU runs on this VMSA right now */

/* Permissions: SNP_RMPADJUST_* shifted down by this. */
#define RMP_PERM_SHIFT 8
#define RMP_PERM_READ 0x1u
#define RMP_PERM_WRITE 0x2u
#define RMP_PERM_EXEC_USER 0x4u
#define RMP_PERM_EXEC_SUPER 0x8u
#define RMP_PERM_ALL 0xfu

#define RMP_PAGES_2M 512u

struct rmp_entry {
	uint8_t flags;
	uint8_t perms[SNP_VMPL_COUNT];
	uint8_t reserved[3];
};
ABI_SIZE(struct rmp_entry, 8);

struct rmp {
	struct rmp_entry *entries;
	uint64_t count; /* guest pages 0..count-1 */
};

/* How an instruction or an access ends. */
enum rmp_status {
	RMP_DONE,	   /* instruction: eax holds the result; access: allowed */
	RMP_NOT_RAM,	   /* no entry for that page */
	RMP_NOT_ASSIGNED,  /* nested page fault: the host has to assign the page */
	RMP_NEEDS_SMASH,   /* nested page fault: 4 KiB operation on a 2 MiB entry */
	RMP_NOT_VALIDATED, /* #VC: page not validated */
	RMP_NO_PERMISSION, /* nested page fault: VMPL permission */
	RMP_IS_VMSA, /* nested page fault: a VMSA page, not for reading, by a VMPL other than 0 */
};

struct rmp_outcome {
	enum rmp_status status;
	uint32_t eax;	/* SNP_RESULT_*, with RMP_DONE */
	bool unchanged; /* CF of PVALIDATE, with RMP_DONE and SNP_RESULT_OK */
};

/*
 * RMPUPDATE by the host: assigns the page, not validated, all rights with VMPL0 and none with the
 * others. 2 MiB: page is a multiple of 512. SNP_RESULT_OK; FAIL_INPUT outside the table or
 * misaligned; FAIL_PERMISSION for an immutable page or a VMSA in use; FAIL_OVERLAP when a 4 KiB
 * request hits a 2 MiB entry, or a 2 MiB request hits assigned 4 KiB entries.
 */
uint32_t rmp_assign(struct rmp *rmp, uint64_t page, unsigned int size);

/* RMPUPDATE by the host that takes the page away from the guest. Results as for rmp_assign(). */
uint32_t rmp_unassign(struct rmp *rmp, uint64_t page, unsigned int size);

/* PSMASH by the host: makes the 2 MiB entry around page 512 entries of 4 KiB. */
uint32_t rmp_smash(struct rmp *rmp, uint64_t page);

/* A page of the launch (SNP_LAUNCH_UPDATE): assigned, validated, 4 KiB; vmsa for the VMSA. */
uint32_t rmp_launch_page(struct rmp *rmp, uint64_t page, bool vmsa);

/* The same of 2 MiB, in one entry; page is a multiple of 512. */
uint32_t rmp_launch_large(struct rmp *rmp, uint64_t page);

/* PVALIDATE at VMPL0, CPL 0. */
struct rmp_outcome rmp_pvalidate(struct rmp *rmp, uint64_t page, unsigned int size, bool validate);

/*
 * RMPADJUST at CPL 0 of vmpl; rdx is the operand as in APM volume 3. The VMSA bit counts at VMPL0
 * only. It cannot be set for a 2 MiB page. Any RMPADJUST of a VMSA in use is FAIL_INUSE and changes
 * nothing, even by the vCPU that runs on it (APM volume 2, section 15.36.12).
 */
struct rmp_outcome rmp_adjust(struct rmp *rmp, unsigned int vmpl, uint64_t page, unsigned int size,
			      uint64_t rdx);

struct rmp_answer {
	unsigned int size; /* SNP_PAGE_* of the entry */
	uint64_t rdx;	   /* as RMPADJUST has it: level, rights, VMSA */
};

/*
 * RMPQUERY at CPL 0 of vmpl: what the entry says of the level that rdx names, of which vmpl may be
 * told when it is no less privileged. *answer with SNP_RESULT_OK alone.
 */
struct rmp_outcome rmp_query(const struct rmp *rmp, unsigned int vmpl, uint64_t page, uint64_t rdx,
			     struct rmp_answer *answer);

/* Whether vmpl may make a private access with all rights in perms (RMP_PERM_*). */
enum rmp_status rmp_access(const struct rmp *rmp, uint64_t page, unsigned int vmpl,
			   unsigned int perms);

/* Whether page may be the VMSA of a vCPU: assigned, validated, 4 KiB, VMSA. */
bool rmp_is_vmsa(const struct rmp *rmp, uint64_t page);

#endif
