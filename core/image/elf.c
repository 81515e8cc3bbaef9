/* SPDX-License-Identifier: MIT */
#include "core/image/elf.h"

#include <string.h>

#include "core/base/bytes.h"

#define ELF_CLASS_64 2u
#define ELF_DATA_LITTLE 1u
#define ELF_VERSION 1u
#define ELF_MACHINE_X86_64 62u

static enum elf_result check_ident(const uint8_t ident[16])
{
	static const uint8_t want[7] = { 0x7f,	     'E', 'L', 'F', ELF_CLASS_64, ELF_DATA_LITTLE,
					 ELF_VERSION };

	return memcmp(ident, want, sizeof(want)) == 0 ? ELF_OK : ELF_NOT_ELF64;
}

/* Fields of the ELF header in file order, the unused ones skipped. */
static enum elf_result read_header(struct elf_file *elf)
{
	struct bytes_reader r = bytes_reader_init(elf->data, elf->size);
	uint8_t ident[16];
	uint16_t machine, segment_size;
	uint32_t version;

	bytes_copy(&r, ident, sizeof(ident));
	elf->type = bytes_le16(&r);
	machine = bytes_le16(&r);
	version = bytes_le32(&r);
	elf->entry = bytes_le64(&r);
	elf->headers_offset = bytes_le64(&r);
	bytes_take(&r, 8 + 4 + 2); /* section headers, flags, size of this header */
	segment_size = bytes_le16(&r);
	elf->segment_count = bytes_le16(&r);
	bytes_take(&r, 2 + 2 + 2); /* section headers */
	if (r.bad)
		return ELF_TRUNCATED;
	if (check_ident(ident) != ELF_OK || version != ELF_VERSION)
		return ELF_NOT_ELF64;
	if (machine != ELF_MACHINE_X86_64)
		return ELF_BAD_MACHINE;
	if (elf->type != ELF_TYPE_EXEC && elf->type != ELF_TYPE_DYN)
		return ELF_BAD_TYPE;
	if (segment_size != ELF_SEGMENT_SIZE || elf->segment_count == 0 ||
	    elf->segment_count > ELF_SEGMENTS_MAX)
		return ELF_BAD_HEADERS;
	if (!bytes_range_ok(elf->headers_offset, (uint64_t)elf->segment_count * ELF_SEGMENT_SIZE,
			    elf->size))
		return ELF_TRUNCATED;
	return ELF_OK;
}

static bool segment_ok(const struct elf_file *elf, const struct elf_segment *s)
{
	bool in_memory = s->type == ELF_SEGMENT_LOAD || s->type == ELF_SEGMENT_TLS;
	uint64_t end;

	/* GNU_STACK carries only flags; linkers leave odd numbers in its other fields. */
	if (s->type == ELF_SEGMENT_GNU_STACK)
		return true;
	if (!bytes_range_ok(s->offset, s->file_size, elf->size) ||
	    __builtin_add_overflow(s->address, s->memory_size, &end))
		return false;
	if (in_memory && s->memory_size < s->file_size)
		return false;
	if (s->alignment & (s->alignment - 1))
		return false;
	return s->type != ELF_SEGMENT_LOAD || s->alignment <= 1 ||
	       ((s->address ^ s->offset) & (s->alignment - 1)) == 0;
}

static enum elf_result check_segments(const struct elf_file *elf)
{
	uint64_t end = 0;

	for (unsigned int i = 0; i < elf->segment_count; i++) {
		struct elf_segment s = elf_segment(elf, i);

		if (!segment_ok(elf, &s))
			return ELF_BAD_SEGMENT;
		if (s.type != ELF_SEGMENT_LOAD)
			continue;
		if (s.address < end)
			return ELF_BAD_ORDER;
		end = s.address + s.memory_size;
	}
	return ELF_OK;
}

enum elf_result elf_open(struct elf_file *elf, const void *data, size_t size)
{
	enum elf_result result;

	*elf = (struct elf_file){ .data = data, .size = size };
	result = read_header(elf);
	return result == ELF_OK ? check_segments(elf) : result;
}

struct elf_segment elf_segment(const struct elf_file *elf, unsigned int index)
{
	uint64_t at = elf->headers_offset + (uint64_t)index * ELF_SEGMENT_SIZE;
	struct bytes_reader r = bytes_reader_init(elf->data + at, ELF_SEGMENT_SIZE);
	struct elf_segment s = { 0 };

	s.type = bytes_le32(&r);
	s.flags = bytes_le32(&r);
	s.offset = bytes_le64(&r);
	s.address = bytes_le64(&r);
	s.physical = bytes_le64(&r);
	s.file_size = bytes_le64(&r);
	s.memory_size = bytes_le64(&r);
	s.alignment = bytes_le64(&r);
	return s;
}

const uint8_t *elf_segment_data(const struct elf_file *elf, const struct elf_segment *segment)
{
	return elf->data + segment->offset;
}

const char *elf_result_text(enum elf_result result)
{
	static const char *const text[] = {
		[ELF_OK] = "no error",
		[ELF_TRUNCATED] = "the file is shorter than its headers",
		[ELF_NOT_ELF64] = "not a little-endian ELF64 file",
		[ELF_BAD_MACHINE] = "not for x86-64",
		[ELF_BAD_TYPE] = "not an executable",
		[ELF_BAD_HEADERS] = "program headers of the wrong size or number",
		[ELF_BAD_SEGMENT] = "a segment's ranges make no sense",
		[ELF_BAD_ORDER] = "loaded segments overlap or do not ascend",
	};

	return text[result];
}
