/* SPDX-License-Identifier: MIT */
/* Which CPUs may have translations from before a change of the nested page tables. */
#ifndef SOCLE_MACHINE_HV_MEMORY_TLB_H
#define SOCLE_MACHINE_HV_MEMORY_TLB_H

#include <stdbool.h>

/* Translations have lost rights: waits until no other vCPU can use an older one. */
void tlb_shootdown(void);

/* The same for one vCPU, whose translations are flushed when it enters the guest again. */
void tlb_drop(unsigned int vcpu);

/* That vCPU enters the guest at a VMPL. True: the CPU must flush as it does so. */
bool tlb_enter(unsigned int vcpu, unsigned int vmpl);

/* Whether it did since the guest, or the host, last flushed its translations at that VMPL. */
bool tlb_ran_at(unsigned int vcpu, unsigned int vmpl);
void tlb_flushed(unsigned int vcpu, unsigned int vmpl);

#endif
