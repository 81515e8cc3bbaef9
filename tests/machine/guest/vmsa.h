/* SPDX-License-Identifier: MIT */
/* VMSAs of test guests, and the way to a vCPU that runs on one. */
#ifndef SOCLE_TESTS_MACHINE_VMSA_H
#define SOCLE_TESTS_MACHINE_VMSA_H

#include <stdint.h>

#include "abi/snp.h"

/* The state of this CPU but for entry, stack and VMPL. */
void vmsa_fill(struct snp_vmsa *vmsa, uint8_t vmpl, void (*entry)(void), const uint8_t *stack_top);

/* AP creation (GHCB specification, "SNP AP Creation"); SW_EXITINFO1 of the answer. */
uint32_t vmsa_start(uint64_t apic_id, uint64_t vmpl, uint64_t vmsa);

#endif
