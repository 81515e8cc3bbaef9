/* SPDX-License-Identifier: MIT */
/*
 * The loadable segments of an executable as they lie in memory: ELF64 by core/image/elf, and ELF32
 * for small test guests that start in 32-bit mode.
 */
#ifndef SOCLE_TOOLS_IGVM_ELF_IMAGE_H
#define SOCLE_TOOLS_IGVM_ELF_IMAGE_H

#include "core/base/host/error.h"
#include "core/base/host/file.h"
#include "core/image/elf.h"

struct elf_image_segment {
	uint64_t address, physical; /* virtual and physical start */
	uint64_t memory_size;
	uint64_t file_size;
	const uint8_t *data; /* in the file */
	uint32_t flags;	     /* ELF_FLAG_* */
};

struct elf_image {
	uint64_t entry;
	unsigned int count;
	struct elf_image_segment segments[ELF_SEGMENTS_MAX]; /* ascending, disjoint, not empty */
};

/* Reads the headers of an executable; the file's bytes stay in use. */
bool elf_image_read(const struct file_bytes *file, struct elf_image *image,
		    struct host_error *error);

#endif
