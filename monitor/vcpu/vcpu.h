/* SPDX-License-Identifier: MIT */
/* The vCPUs at VMPL0, from their start to the loop in which each of them serves its guest. */
#ifndef SOCLE_MONITOR_VCPU_VCPU_H
#define SOCLE_MONITOR_VCPU_VCPU_H

#include "abi/params.h"
#include "abi/snp.h"
#include "monitor/cpu/cpu.h"
#include "monitor/mem/alloc.h"

/*
 * Starts vCPUs 1..wanted-1 at VMPL0, one after the other, and waits for each without end: a host that
 * accepts to start a vCPU and does not run it holds the VM before its first guest instruction, which
 * it could do anyway, and a slow or paused one only needs its time. A host that refuses is fatal.
 */
void vcpu_start_others(unsigned int wanted, struct page_owner *owner);

/* Serves the guest of this vCPU for ever. start.c ends in it on every vCPU but the first. */
_Noreturn void vcpu_run(void);

/*
 * Prepares the guest and starts its first vCPU at VMPL2: memory validated, zeroed and granted, its
 * pages filled, its VMSA known to the host. After the services are ready.
 */
void vcpu_launch_guest(const struct socle_params *params, struct page_owner *owner);

/* A page that can become a VMSA; core/snp/vmsa.h fills it. False when memory is out. vmsa.c */
bool vmsa_alloc(struct page_owner *owner, gpa_t *page);

/* Makes the filled page a VMSA in the RMP (RMPADJUST). False when the hardware says no. */
bool vmsa_commit(gpa_t page);

#endif
