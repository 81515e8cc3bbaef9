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
#include "core/image/host/kernel_hashes.h"
#include "core/image/host_model.h"
#include "core/image/igvm.h"
#include "machine/host/launch_properties.h"
#include "machine/host/psp.h"
#include "machine/mailbox.h"

/* The machine's memory, as this process maps it. */
struct machine_memory {
	uint8_t *guest_ram; /* of a size that is a multiple of 4 KiB; its parts follow each other */
	uint64_t guest_ram_size;
	uint8_t *flash; /* MACHINE_FLASH_MAX bytes, which end at gPA 4 GiB */
	uint8_t *extra; /* MACHINE_EXTRA_MAX bytes, from gPA MACHINE_EXTRA_BASE on */
	struct mailbox *mailbox;
};

/* The machine that a file is launched on. */
struct launch_machine {
	const struct host_model *host;
	uint64_t ram_size;
	unsigned int cpu_count;
	bool svsm_disk; /* VMPL0 has a disk */
	bool xsave;	/* the guest is shown XSAVE, also where its file does not ask for it */
	const char *command_line; /* of the parameter COMMAND_LINE */
	bool kernel; /* there is one for the firmware to find, so the file must have firmware */
	/* That firmware is launched with; NULL: none. */
	const struct kernel_hashes *kernel_hashes;
	uint32_t vcpu_signature; /* EAX of CPUID leaf 1, in VMSAs that the host makes */
	struct launch_properties properties;
};

/*
 * Checks what igvm_open() cannot know: that the firmware takes the policy, that the host's loader
 * takes the file (core/image/host_check.h), that all pages lie in RAM, in the flash or in the extra
 * memory, and that the first vCPU has a VMSA, and every VMSA a vCPU and VMPL 0. Writes nothing.
 */
bool launch_check(const struct igvm_file *file, const struct launch_machine *machine,
		  struct host_error *error);

/*
 * Launches a file that launch_check() has passed: pages and parameters into guest RAM, which is
 * zero before, the initial RMP, VMSAs and the mailbox's other constants into the mailbox, policy,
 * measurement and what an ID block says into psp->launch. False when a parameter does not fit, when
 * the AMD-SP refuses the ID block, when the file has too many separate ranges, and when there is no
 * memory or OpenSSL fails.
 */
bool launch_load(const struct igvm_file *file, const struct launch_machine *machine,
		 const struct machine_memory *memory, struct psp *psp, struct host_error *error);

#endif
