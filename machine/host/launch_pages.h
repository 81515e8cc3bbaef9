/* SPDX-License-Identifier: MIT */
/* What the launches of an IGVM file (launch.h) and of firmware (firmware_launch.h) share. */
#ifndef SOCLE_MACHINE_HOST_LAUNCH_PAGES_H
#define SOCLE_MACHINE_HOST_LAUNCH_PAGES_H

#include "machine/host/launch.h"

/* Whether [gpa, gpa + size) is one piece of so much RAM, of the flash, or of the extra memory. */
bool launch_in_ram(uint64_t gpa, uint64_t size, uint64_t ram_size);
bool launch_in_flash(uint64_t gpa, uint64_t size);
bool launch_in_extra(uint64_t gpa, uint64_t size);

/* Whether any of it is where a PC has video memory, whatever RAM lies underneath. */
bool launch_in_video_memory(uint64_t gpa, uint64_t size);

/* The bytes of [gpa, gpa + size), of which one of the first three is true. */
uint8_t *launch_place(const struct machine_memory *memory, uint64_t gpa, uint64_t size);

/* Adds pages to the initial RMP; neighbours of one kind share an entry. */
bool launch_add_pages(struct mailbox *mailbox, struct mailbox_pages pages,
		      struct host_error *error);

/*
 * SNP_LAUNCH_START: the mailbox's constants that every launch has, while no vCPU has a VMSA, and
 * into psp what the AMD-SP knows of a guest before its pages.
 */
void launch_begin(const struct launch_machine *machine, const struct machine_memory *memory,
		  struct psp *psp);

#endif
