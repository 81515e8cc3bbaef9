/* SPDX-License-Identifier: MIT */
/*
 * Reader of firmware that says by itself how an SNP guest is launched with it, as OVMF does. A
 * table of GUIDs, read from its end, lies before the last 32 bytes; an entry of it leads to the SEV
 * metadata, a list of sections of guest memory (edk2, OvmfPkg/ResetVector: Ia16/ResetVectorVtf0.asm
 * and X64/OvmfSevMetadata.asm). Another entry may lead to the IGVM metadata
 * (X64/IgvmMetadata.nasm.inc), for what it reads of its memory's size. The file is untrusted:
 * firmware_open() checks all of it.
 */
#ifndef SOCLE_CORE_IMAGE_FIRMWARE_H
#define SOCLE_CORE_IMAGE_FIRMWARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/psp.h"

#define FIRMWARE_SIZE_MULTIPLE (64u << 10) /* of a ROM image (QEMU, x86_bios_rom_init()) */
#define FIRMWARE_SIZE_MAX (16u << 20)
#define FIRMWARE_SECTIONS_MAX 32u

/* A table of kernel hashes with its padding (host/kernel_hashes.h). */
#define KERNEL_HASHES_SIZE 176u

/* Kinds of sections. */
enum firmware_section_type {
	FIRMWARE_MEMORY = 1, /* RAM that it takes for validated when it starts */
	FIRMWARE_SECRETS = 2,
	FIRMWARE_CPUID = 3,
	FIRMWARE_CALLING_AREA = 4, /* of an SVSM, if there is one */
	FIRMWARE_KERNEL_HASHES = 0x10,
};

/* A section of guest memory: whole pages below 4 GiB, apart from all others and from the image. */
struct firmware_section {
	uint32_t gpa, size;
	uint32_t type; /* enum firmware_section_type */
};

/* Opened firmware. The bytes stay the caller's, who keeps them unchanged while this is in use. */
struct firmware {
	const uint8_t *data;
	size_t size;
	uint64_t gpa;	   /* of the first byte: the last one is at 4 GiB - 1 */
	uint32_t ap_start; /* linear address at which all vCPUs but the first start, in real mode */
	/*
	 * Where in its section the table of kernel hashes belongs, for KERNEL_HASHES_SIZE bytes; 0:
	 * nowhere.
	 */
	uint32_t hash_table;
	/*
	 * Where it looks for what an SVSM tells it of memory and vCPUs, pages of a FIRMWARE_MEMORY
	 * section: a list of struct igvm_memory_map_entry, which one of no pages ends, of map_size
	 * bytes, and a 32-bit number; 0: nowhere.
	 */
	uint32_t map, map_size, count;
	uint32_t section_count;
	struct firmware_section sections[FIRMWARE_SECTIONS_MAX]; /* in the file's order */
};

struct firmware_error {
	const char *what; /* one line, no full stop */
	uint64_t offset;  /* in the file */
};

/* Checks the whole file. False, and *error says why, when any of it is not as it must be. */
bool firmware_open(struct firmware *firmware, const void *data, size_t size,
		   struct firmware_error *error);

/*
 * As what a section's pages are launched (QEMU, snp_metadata_desc_to_page_type()): that of kernel
 * hashes where the launch has none.
 */
enum psp_page_type firmware_page_type(uint32_t section_type);

/* Of this type, the first section; NULL when there is none. */
const struct firmware_section *firmware_section(const struct firmware *firmware, uint32_t type);

#endif
