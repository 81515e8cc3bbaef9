/* SPDX-License-Identifier: MIT */
/*
 * The launch of a guest: loads an IGVM file into the machine's memory, as a VMM and the AMD-SP do
 * together with SNP_LAUNCH_START, SNP_LAUNCH_UPDATE and SNP_LAUNCH_FINISH.
 */
#ifndef SOCLE_MACHINE_HOST_LAUNCH_H
#define SOCLE_MACHINE_HOST_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/host/error.h"
#include "core/image/host_model.h"
#include "core/image/igvm.h"
#include "machine/host/psp.h"
#include "machine/mailbox.h"

/* The machine's memory, as this process maps it. */
struct machine_memory {
	uint8_t *guest_ram; /* of a size that is a multiple of 4 KiB */
	uint64_t guest_ram_size;
	struct mailbox *mailbox;
};

/*
 * Checks what igvm_open() cannot know: that the firmware takes the policy, that the host's loader
 * takes all directives, that all pages lie in guest_ram_size bytes of RAM, and that there is one
 * VMSA, which says VMPL 0 and asks for no feature that the host lacks. Writes nothing.
 */
bool launch_check(const struct igvm_file *file, const struct host_model *host,
		  uint64_t guest_ram_size, struct host_error *error);

/*
 * Launches a file that launch_check() has passed: pages into guest RAM, which is zero before, the
 * initial RMP and the mailbox's other constants into the mailbox, policy and measurement into
 * psp->launch. False only when OpenSSL fails or the file has too many separate ranges.
 */
bool launch_load(const struct igvm_file *file, const struct machine_memory *memory,
		 unsigned int cpu_count, struct psp *psp, struct host_error *error);

#endif
