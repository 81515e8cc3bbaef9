/* SPDX-License-Identifier: MIT */
/*
 * Checked reading of ELF64 program headers for x86-64 (System V ABI, chapter 5; AMD64 supplement).
 * The file is untrusted: elf_open() checks the header and every program header once, so that what
 * elf_segment() tells can be used without further checks of ranges and sums.
 */
#ifndef SOCLE_CORE_IMAGE_ELF_H
#define SOCLE_CORE_IMAGE_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_TYPE_EXEC 2u
#define ELF_TYPE_DYN 3u

#define ELF_SEGMENT_LOAD 1u
#define ELF_SEGMENT_DYNAMIC 2u
#define ELF_SEGMENT_INTERP 3u
#define ELF_SEGMENT_TLS 7u
#define ELF_SEGMENT_GNU_STACK 0x6474e551u

#define ELF_FLAG_EXEC (1u << 0)
#define ELF_FLAG_WRITE (1u << 1)
#define ELF_FLAG_READ (1u << 2)

#define ELF_SEGMENTS_MAX 32u
#define ELF_SEGMENT_SIZE 56u /* of a program header in the file */

enum elf_result {
	ELF_OK,
	ELF_TRUNCATED,	 /* the header or the program headers are not all there */
	ELF_NOT_ELF64,	 /* magic, class, byte order or version */
	ELF_BAD_MACHINE, /* not x86-64 */
	ELF_BAD_TYPE,	 /* neither ET_EXEC nor ET_DYN */
	ELF_BAD_HEADERS, /* size of a program header, or none or more than ELF_SEGMENTS_MAX */
	ELF_BAD_SEGMENT, /* a range leaves the file or wraps; larger in the file than in memory;
			    alignment not a power of two, or address and offset disagree on it */
	ELF_BAD_ORDER,	 /* loaded segments overlap or do not ascend */
};

struct elf_file {
	const uint8_t *data; /* the whole file; the caller keeps it */
	size_t size;
	uint16_t type; /* ELF_TYPE_* */
	uint16_t segment_count;
	uint64_t entry;
	uint64_t headers_offset; /* of the first program header */
};

struct elf_segment {
	uint32_t type;	/* ELF_SEGMENT_* or any other */
	uint32_t flags; /* ELF_FLAG_* */
	uint64_t offset;
	uint64_t address; /* virtual */
	uint64_t physical;
	uint64_t file_size;
	uint64_t memory_size; /* not less than file_size for ELF_SEGMENT_LOAD and _TLS */
	uint64_t alignment;   /* a power of two, or 0 */
};

/*
 * Opens the size bytes at data. On ELF_OK, for every segment but GNU_STACK: offset + file_size lies
 * in the file, and address + memory_size does not wrap; for ELF_SEGMENT_LOAD: ascending, disjoint.
 */
enum elf_result elf_open(struct elf_file *elf, const void *data, size_t size);

/* Program header number index of an opened file; index < segment_count. */
struct elf_segment elf_segment(const struct elf_file *elf, unsigned int index);

/* The segment's bytes in the file. */
const uint8_t *elf_segment_data(const struct elf_file *elf, const struct elf_segment *segment);

/* A few words for a message. */
const char *elf_result_text(enum elf_result result);

#endif
