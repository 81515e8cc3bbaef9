/* SPDX-License-Identifier: MIT */
/*
 * What a guest without firmware has at its first instruction in 64-bit mode (abi/params.h, struct
 * socle_guest_entry), whatever its program is: page tables, GDT, a stack, and the pages that
 * somebody fills at launch.
 */
#ifndef SOCLE_TOOLS_IGVM_GUEST_BOOT_H
#define SOCLE_TOOLS_IGVM_GUEST_BOOT_H

#include "abi/params.h"
#include "tools/igvm/igvm_writer.h"

/* Where everything went. Pages that somebody fills at launch are taken, but not loaded. */
struct guest_boot {
	struct socle_guest_entry entry;
	uint64_t cpuid_page, secrets_page;
	uint64_t caa_page;  /* also free for another use when there is no SVSM */
	uint64_t vmsa_page; /* reserved in the guest's map, for a VMSA at VMPL0; 0: none */
};

/* 4 GiB in pages of 2 MiB: a root, a PDPT, four page directories. */
#define GUEST_BOOT_TABLES 6u

/*
 * Adds tables that map the first 4 GiB to themselves, at gpa, and enters the guest with them. c_bit
 * is a mask for all present entries, 0 when somebody else sets it.
 */
bool guest_boot_tables(struct guest_boot *boot, struct igvm_writer *writer, uint64_t gpa,
		       uint64_t c_bit, struct host_error *error);

/* Adds a page at gpa with a GDT of flat segments; the rest of it is the first stack. */
void guest_boot_descriptors(struct guest_boot *boot, struct igvm_writer *writer, uint64_t gpa);

/* Linux: struct cc_blob_sev_info, which tells a guest where its CPUID and secrets pages are. */
struct guest_boot_cc_blob {
	uint32_t magic;
	uint16_t version, reserved_06;
	uint64_t secrets;
	uint32_t secrets_size, reserved_14;
	uint64_t cpuid;
	uint32_t cpuid_size, reserved_24;
};
ABI_SIZE(struct guest_boot_cc_blob, 40);

struct guest_boot_cc_blob guest_boot_cc_blob(uint64_t secrets_page, uint64_t cpuid_page);

#endif
