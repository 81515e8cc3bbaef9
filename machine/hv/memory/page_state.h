/* SPDX-License-Identifier: MIT */
/*
 * Page states: on which side a page of guest RAM is, shared or private, by the host's choice. Which
 * side it chose last is the page's attribute.
 */
#ifndef SOCLE_MACHINE_HV_MEMORY_PAGE_STATE_H
#define SOCLE_MACHINE_HV_MEMORY_PAGE_STATE_H

#include <stdbool.h>
#include <stdint.h>

/* Once, on the boot CPU, after guest_init(): every page is private by attribute. */
void page_state_init(void);

/*
 * The host's page state change: private assigns the page in the RMP (not validated), shared takes
 * it away. huge: one 2 MiB page, gpa aligned to it. Remembers the choice as the page's attribute,
 * fixes the nested page tables and, where rights shrink, waits for every other vCPU to leave the
 * guest. False: not RAM, misaligned, or a page that the host must not touch (VMSA, immutable).
 */
bool page_state_change(uint64_t gpa, bool huge, bool make_private);

/*
 * A guest's access meets a page of the other side. A host like KVM tells its VMM, which changes the
 * state of that 4 KiB page, and lets the guest try again (Linux, kvm_mmu_faultin_pfn(); QEMU,
 * kvm_convert_memory()). Another ends the VM, which is a host's right.
 *
 * That plane has made a private access to the page of gpa, which is RAM and not assigned. True: it
 * is now, and not validated, 2 MiB at once where all of that is unassigned and private by
 * attribute; the access comes again. False: the VM has to end.
 */
bool page_state_make_private(unsigned int vcpu, unsigned int vmpl, uint64_t gpa);

/* A shared access to an assigned page. True: it is shared now. False: the VM has to end. */
bool page_state_make_shared(unsigned int vcpu, unsigned int vmpl, uint64_t gpa);

#endif
