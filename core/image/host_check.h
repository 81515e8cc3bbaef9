/* SPDX-License-Identifier: MIT */
/*
 * Whether the loader of a host takes an IGVM file: by the table of hosts (host_model.h), and for
 * KVM by what QEMU's loader and its parser do with one (backends/igvm.c, target/i386/sev.c, the
 * igvm crate), and what igvmmeasure's --check-kvm wants so that KVM measures what the file says.
 */
#ifndef SOCLE_CORE_IMAGE_HOST_CHECK_H
#define SOCLE_CORE_IMAGE_HOST_CHECK_H

#include "core/image/host_model.h"
#include "core/image/igvm.h"

/*
 * False, and *error says which header of the file the host's loader does not take, and why. What
 * only the machine can tell, such as how much RAM there is, is not looked at.
 */
bool host_check(const struct host_model *host, const struct igvm_file *file,
		struct igvm_error *error);

#endif
