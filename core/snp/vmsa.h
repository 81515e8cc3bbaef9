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

/*
 * Real mode at the linear address eip, the state in which QEMU and KVM launch a vCPU of an SNP
 * guest with firmware. signature is what CPUID says in EAX of leaf 1, which a processor has in EDX
 * after a reset. VMPL 0.
 */
void vmsa_kvm_reset(struct snp_vmsa *vmsa, uint32_t eip, uint32_t signature, uint64_t sev_features);

#endif
