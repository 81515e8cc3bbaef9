/* SPDX-License-Identifier: MIT */
/*
 * Images without Socle, at VMPL0: a small program that starts in 32-bit mode, and a Linux kernel
 * as its own master. With them the machine is tested for itself.
 */
#ifndef SOCLE_TOOLS_IGVM_PLAIN_IMAGE_H
#define SOCLE_TOOLS_IGVM_PLAIN_IMAGE_H

#include "tools/igvm/igvm_writer.h"
#include "tools/igvm/linux_boot.h"

struct bare_image_options {
	struct file_bytes elf;		   /* its segments go to their physical addresses */
	uint64_t cpuid_page, secrets_page; /* 0: none */
	uint64_t vmsa_page;
	uint64_t sev_features;
};

/* Adds the program and its VMSA, 32-bit protected mode at the entry point. */
bool bare_image_build(const struct bare_image_options *options, struct igvm_writer *writer,
		      struct host_error *error);

struct plain_linux_options {
	struct linux_boot_options linux_boot; /* with its C-bit, without a reserved range */
	uint64_t memory;
	uint64_t vmsa_page; /* 0: where there is room */
	uint64_t sev_features;
};

/* Adds the kernel, and all other RAM as zeros, so that all of it is validated at launch. */
bool plain_linux_build(const struct plain_linux_options *options, struct igvm_writer *writer,
		       struct host_error *error);

#endif
