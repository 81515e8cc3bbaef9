/* SPDX-License-Identifier: MIT */
/*
 * Launch states of a vCPU as SNP VMSAs (abi/snp.h): the architectural reset values (APM volume 2,
 * section 14.1.3), then the mode in which an image wants to start.
 */
#ifndef SOCLE_CORE_SNP_VMSA_H
#define SOCLE_CORE_SNP_VMSA_H

#include "abi/params.h"
#include "abi/snp.h"

/* 32-bit protected mode, flat segments, no paging, interrupts off, at eip. VMPL 0. */
void vmsa_protected_mode(struct snp_vmsa *vmsa, uint32_t eip, uint64_t sev_features);

/* 64-bit mode with paging, interrupts off, as a boot loader enters a kernel. VMPL 0. */
void vmsa_long_mode(struct snp_vmsa *vmsa, const struct socle_guest_entry *entry,
		    uint64_t sev_features);

#endif
