/* SPDX-License-Identifier: MIT */
/* The lives of vCPUs: SVSM_CORE_CREATE_VCPU and DELETE_VCPU (58019, sections 6.3 and 6.4). */
#ifndef SOCLE_TESTS_ATTACKS_LIVES_H
#define SOCLE_TESTS_ATTACKS_LIVES_H

#include "tests/attacks/guest/attack.h"

/* The calls, on this CPU; RAX. */
uint64_t vcpu_create(uint64_t vmsa, uint64_t caa, uint64_t apic_id);
uint64_t vcpu_delete(uint64_t vmsa);

/* A page that looks like a VMSA for CPU id. */
uint64_t vcpu_vmsa_new(unsigned int id);

/* Stops CPU id, deletes it, and makes it anew of the same pages. */
void vcpu_replace(unsigned int id);

/*
 * Linux brings a CPU back with a new VMSA and the calling area that it had, starts it, and deletes
 * the old VMSA afterwards (arch/x86/coco/sev/core.c, wakeup_cpu_via_vmgexit()). Returns the page of
 * the old one, which is a plain page again.
 */
uint64_t vcpu_come_back(unsigned int id, uint64_t new);

/* A CPU's job: waits for INIT and SIPI, where Linux parks a CPU that goes offline. */
void vcpu_park(void);

#endif
