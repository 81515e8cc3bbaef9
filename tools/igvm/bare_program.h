/* SPDX-License-Identifier: MIT */
/*
 * A small program that brings its own everything: its segments lie at their physical addresses.
 * At VMPL0 it is an image of its own (plain_image.h), beneath that it is the guest of Socle.
 */
#ifndef SOCLE_TOOLS_IGVM_BARE_PROGRAM_H
#define SOCLE_TOOLS_IGVM_BARE_PROGRAM_H

#include "tools/igvm/guest_boot.h"
#include "tools/igvm/memory_plan.h"

struct bare_program {
	uint64_t entry;
	struct socle_range span; /* the pages from the first to the last segment */
};

/* Adds the pages that a segment of the program touches, each once. */
bool bare_program_add(const struct file_bytes *elf, struct igvm_writer *writer,
		      struct bare_program *program, struct host_error *error);

/*
 * Adds the program as a guest that is entered in 64-bit mode at its entry point, and tells where
 * things are. RSI is the address of a struct guest_boot_cc_blob. All that is not the program's own
 * lies at the lowest free places from 1 MiB up, out of the span between its segments.
 */
bool bare_guest_build(const struct file_bytes *elf, struct memory_plan *plan,
		      struct igvm_writer *writer, struct guest_boot *boot,
		      struct host_error *error);

#endif
