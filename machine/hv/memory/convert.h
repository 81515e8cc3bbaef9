/* SPDX-License-Identifier: MIT */
/*
 * What the host does when a guest's access meets a page of the other side. A host like KVM tells
 * its VMM, which changes the state of that 4 KiB page, and lets the guest try again (Linux,
 * kvm_mmu_faultin_pfn(); QEMU, kvm_convert_memory()). Another ends the VM, which is a host's right.
 */
#ifndef SOCLE_MACHINE_HV_MEMORY_CONVERT_H
#define SOCLE_MACHINE_HV_MEMORY_CONVERT_H

#include "machine/hv/plane/vcpu.h"

/*
 * The current plane of v has made a private access to the page of gpa, which is RAM and not
 * assigned. True: it is now, and not validated; the access comes again. False: the VM has to end.
 */
bool convert_to_private(const struct vcpu *v, uint64_t gpa);

/* A shared access to an assigned page. True: it is shared now. False: the VM has to end. */
bool convert_to_shared(const struct vcpu *v, uint64_t gpa);

#endif
