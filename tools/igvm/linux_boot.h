/* SPDX-License-Identifier: MIT */
/*
 * A Linux kernel in guest memory, ready to be entered without firmware (Documentation/arch/x86/
 * boot.rst, 64-bit boot protocol) as an SNP guest: kernel, initramfs, command line, boot_params
 * with e820 map and SETUP_CC_BLOB, GDT, page tables, ACPI tables.
 */
#ifndef SOCLE_TOOLS_IGVM_LINUX_BOOT_H
#define SOCLE_TOOLS_IGVM_LINUX_BOOT_H

#include "abi/params.h"
#include "tools/igvm/guest_boot.h"
#include "tools/igvm/memory_plan.h"

struct linux_boot_options {
	struct file_bytes kernel; /* bzImage */
	struct file_bytes initrd; /* size 0: none */
	const char *cmdline;
	uint32_t cpu_count;
	struct socle_range reserved; /* not the guest's at all: Socle's region; size 0: none */
	uint64_t c_bit;		     /* mask for the page tables; 0 when somebody else sets it */
};

/* Finds places in plan, adds the pages to writer, and tells where they are. */
bool linux_boot_build(const struct linux_boot_options *options, struct memory_plan *plan,
		      struct igvm_writer *writer, struct guest_boot *boot,
		      struct host_error *error);

#endif
