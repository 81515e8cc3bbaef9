/* SPDX-License-Identifier: MIT */
#include "core/image/firmware.h"

#include <string.h>

#include "core/base/bytes.h"

#define END_4G (1ull << 32)

/* The table ends that far before the end of the file, which is where the reset vector is. */
#define TABLE_END 32u
/* At the end of each entry: bytes of all of it, and its GUID. */
#define ENTRY_TAIL (sizeof(uint16_t) + sizeof(struct abi_guid))

/* "ASEV", size of header and sections, version, number of sections. */
#define METADATA_SIGNATURE 0x56455341u
#define METADATA_HEADER 16u
#define METADATA_VERSION 1u
#define METADATA_SECTION 12u

/* 96b582de-1fb2-45f7-baea-a366c55a082d: the table's own entry, whose size is the table's */
static const struct abi_guid guid_table = { { 0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45, 0xba,
					      0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d } };
/* dc886566-984a-4798-a75e-5585a7bf67cc: u32, how far before the file's end the metadata are */
static const struct abi_guid guid_metadata = { { 0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98, 0x47,
						 0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc } };
/* 00f771de-1a7e-4fcb-890e-68c77e2fb44e: u32, where the other vCPUs start */
static const struct abi_guid guid_ap_start = { { 0xde, 0x71, 0xf7, 0x00, 0x7e, 0x1a, 0xcb, 0x4f,
						 0x89, 0x0e, 0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e } };

/*
 * 7255371f-3a3b-4b04-927b-1da6efa8d454: u32 and u32, address and size of the table of kernel hashes
 */
static const struct abi_guid guid_hashes = { { 0x1f, 0x37, 0x55, 0x72, 0x3b, 0x3a, 0x04, 0x4b, 0x92,
					       0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54 } };

/* 784fa70e-3176-4677-8a20-04b68699e374: u32, how far before the file's end the IGVM metadata are */
static const struct abi_guid guid_igvm = { { 0x0e, 0xa7, 0x4f, 0x78, 0x76, 0x31, 0x77, 0x46, 0x8a,
					     0x20, 0x04, 0xb6, 0x86, 0x99, 0xe3, 0x74 } };

/*
 * "IGVM"; header and sections as the SEV metadata have them. An area, and what lies at which offset
 * in it.
 */
#define IGVM_SIGNATURE 0x4d564749u
#define IGVM_SECTION_AREA 0x100u
#define IGVM_SECTION_MAP 0x101u
#define IGVM_SECTION_COUNT 0x102u
#define IGVM_SECTIONS_MAX 16u
#define MAP_ENTRY_SIZE 24u

struct open_run {
	struct firmware *firmware;
	struct firmware_error *error;
	bool has_metadata, has_ap_start, has_hashes, has_igvm;
	uint32_t metadata, igvm; /* how far before the end of the file */
	uint32_t hashes[2];
};

static bool refuse(const struct open_run *run, uint64_t offset, const char *what)
{
	*run->error = (struct firmware_error){ .what = what, .offset = offset };
	return false;
}

/* An entry that is so many 32-bit numbers, and there once. */
static bool take_numbers(const struct open_run *run, size_t offset, size_t size, bool *seen,
			 uint32_t *numbers, unsigned int count)
{
	struct bytes_reader r = bytes_reader_init(run->firmware->data + offset, size);

	if (*seen)
		return refuse(run, offset, "an entry of the table of GUIDs is there twice");
	*seen = true;
	for (unsigned int i = 0; i < count; i++)
		numbers[i] = bytes_le32(&r);
	return bytes_complete(&r) ||
	       refuse(run, offset, "an entry of the table of GUIDs has the wrong size");
}

/* One entry: size bytes of data at offset, and its GUID. Others than these are for others. */
static bool take_entry(struct open_run *run, size_t offset, size_t size, const uint8_t *guid)
{
	if (memcmp(guid, &guid_metadata, sizeof(guid_metadata)) == 0)
		return take_numbers(run, offset, size, &run->has_metadata, &run->metadata, 1);
	if (memcmp(guid, &guid_ap_start, sizeof(guid_ap_start)) == 0)
		return take_numbers(run, offset, size, &run->has_ap_start, &run->firmware->ap_start,
				    1);
	if (memcmp(guid, &guid_igvm, sizeof(guid_igvm)) == 0)
		return take_numbers(run, offset, size, &run->has_igvm, &run->igvm, 1);
	if (memcmp(guid, &guid_hashes, sizeof(guid_hashes)) == 0)
		return take_numbers(run, offset, size, &run->has_hashes, run->hashes, 2);
	return true;
}

static uint16_t entry_size(const uint8_t *data, size_t end)
{
	return (uint16_t)(data[end - ENTRY_TAIL] | data[end - ENTRY_TAIL + 1] << 8);
}

/* From the table's end down to its start; each entry says how long it is. */
static bool read_table(struct open_run *run)
{
	const uint8_t *data = run->firmware->data;
	size_t end = run->firmware->size - TABLE_END, start;

	if (memcmp(data + end - sizeof(guid_table), &guid_table, sizeof(guid_table)) != 0)
		return refuse(run, end - sizeof(guid_table), "there is no table of GUIDs");
	if (entry_size(data, end) < ENTRY_TAIL || entry_size(data, end) > end)
		return refuse(run, end - ENTRY_TAIL, "the table of GUIDs lies outside the file");
	start = end - entry_size(data, end);
	end -= ENTRY_TAIL;
	while (end > start) {
		size_t size;

		if (end - start < ENTRY_TAIL)
			return refuse(run, start, "the table of GUIDs ends within an entry");
		size = entry_size(data, end);
		if (size < ENTRY_TAIL || size > end - start)
			return refuse(run, end - ENTRY_TAIL,
				      "an entry of the table of GUIDs lies outside the table");
		if (!take_entry(run, end - size, size - ENTRY_TAIL,
				data + end - sizeof(struct abi_guid)))
			return false;
		end -= size;
	}
	return true;
}

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

static bool is_single_page(uint32_t type)
{
	return type == FIRMWARE_SECRETS || type == FIRMWARE_CPUID || type == FIRMWARE_KERNEL_HASHES;
}

/* A section that was added last, beside those before it. */
static bool check_section(const struct open_run *run, uint64_t at)
{
	const struct firmware *f = run->firmware;
	const struct firmware_section *s = &f->sections[f->section_count - 1];

	if (firmware_page_type(s->type) == PSP_PAGE_TYPE_NONE)
		return refuse(run, at, "a section is of no known type");
	if (s->size == 0 || s->gpa % ABI_PAGE_SIZE || s->size % ABI_PAGE_SIZE)
		return refuse(run, at, "a section is not of whole pages");
	if (is_single_page(s->type) && s->size != ABI_PAGE_SIZE)
		return refuse(run, at, "a section that has to be one page is not");
	if (s->gpa + (uint64_t)s->size > END_4G)
		return refuse(run, at, "a section lies beyond 4 GiB");
	if (overlap(s->gpa, s->size, f->gpa, f->size))
		return refuse(run, at, "a section overlaps the firmware itself");
	for (const struct firmware_section *other = f->sections; other < s; other++) {
		if (overlap(s->gpa, s->size, other->gpa, other->size))
			return refuse(run, at, "a section overlaps another one");
		if (is_single_page(s->type) && other->type == s->type)
			return refuse(run, at, "a section that can be there once is there twice");
	}
	return true;
}

static bool read_sections(struct open_run *run, struct bytes_reader *r, uint64_t at, uint32_t count)
{
	struct firmware *f = run->firmware;

	for (; f->section_count < count; at += METADATA_SECTION) {
		struct firmware_section *s = &f->sections[f->section_count++];

		s->gpa = bytes_le32(r);
		s->size = bytes_le32(r);
		s->type = bytes_le32(r);
		if (r->bad)
			return refuse(run, at, "the SEV metadata are cut off");
		if (!check_section(run, at))
			return false;
	}
	return true;
}

static bool read_metadata(struct open_run *run)
{
	struct firmware *f = run->firmware;
	size_t at = f->size - run->metadata;
	struct bytes_reader r = bytes_reader_init(f->data + at, run->metadata);
	uint32_t signature = bytes_le32(&r), length = bytes_le32(&r), version = bytes_le32(&r);
	uint32_t count = bytes_le32(&r);

	if (r.bad || signature != METADATA_SIGNATURE)
		return refuse(run, at, "there are no SEV metadata where the table of GUIDs says");
	if (version != METADATA_VERSION)
		return refuse(run, at, "the SEV metadata are of another version than 1");
	if (count > FIRMWARE_SECTIONS_MAX)
		return refuse(run, at, "the SEV metadata have too many sections");
	if (length != METADATA_HEADER + count * METADATA_SECTION)
		return refuse(run, at, "the SEV metadata have another size than their sections");
	return read_sections(run, &r, at + METADATA_HEADER, count);
}

/* Firmware without a section for it may name a table all the same: no SNP guest has it. */
static bool read_hash_table(struct open_run *run)
{
	struct firmware *f = run->firmware;
	const struct firmware_section *s = firmware_section(f, FIRMWARE_KERNEL_HASHES);
	uint32_t gpa = run->hashes[0], size = run->hashes[1];

	if (!s || gpa == 0)
		return true;
	f->hash_table = gpa;
	return (gpa >= s->gpa && bytes_range_ok(gpa - s->gpa, size, s->size) &&
		size >= KERNEL_HASHES_SIZE) ||
	       refuse(run, f->size - TABLE_END,
		      "the table of kernel hashes does not fit its section");
}

/* The sections of the IGVM metadata, by their type; those that are not there are empty. */
struct igvm_sections {
	struct firmware_section area, map, count;
};

static bool read_igvm_sections(const struct open_run *run, struct igvm_sections *sections)
{
	const struct firmware *f = run->firmware;
	size_t at = f->size - run->igvm;
	struct bytes_reader r = bytes_reader_init(f->data + at, run->igvm);
	uint32_t signature = bytes_le32(&r), length = bytes_le32(&r), version = bytes_le32(&r);
	uint32_t count = bytes_le32(&r);

	if (r.bad || signature != IGVM_SIGNATURE || version != METADATA_VERSION ||
	    count > IGVM_SECTIONS_MAX || length != METADATA_HEADER + count * METADATA_SECTION)
		return refuse(run, at, "there are no IGVM metadata where the table of GUIDs says");
	for (uint32_t i = 0; i < count; i++) {
		struct firmware_section s = { .gpa = bytes_le32(&r), .size = bytes_le32(&r) };

		s.type = bytes_le32(&r);
		if (s.type == IGVM_SECTION_AREA)
			sections->area = s;
		else if (s.type == IGVM_SECTION_MAP)
			sections->map = s;
		else if (s.type == IGVM_SECTION_COUNT)
			sections->count = s;
	}
	return !r.bad || refuse(run, at, "the IGVM metadata are cut off");
}

/* Whether it lies in the area, all of which is memory that the launch loads. */
static bool in_area(const struct firmware *f, const struct firmware_section *area,
		    const struct firmware_section *part)
{
	if (!bytes_range_ok(part->gpa, part->size, area->size))
		return false;
	for (uint32_t i = 0; i < f->section_count; i++) {
		const struct firmware_section *s = &f->sections[i];

		if (s->type == FIRMWARE_MEMORY && area->gpa >= s->gpa &&
		    bytes_range_ok(area->gpa - s->gpa, area->size, s->size))
			return true;
	}
	return false;
}

static bool read_igvm(struct open_run *run)
{
	struct firmware *f = run->firmware;
	struct igvm_sections s = { 0 };

	if (!run->has_igvm)
		return true;
	if (run->igvm > f->size)
		return refuse(run, f->size - TABLE_END, "the IGVM metadata lie outside the file");
	if (!read_igvm_sections(run, &s))
		return false;
	if (!s.map.size && !s.count.size)
		return true;
	if (s.area.gpa % ABI_PAGE_SIZE || s.area.size != ABI_PAGE_SIZE ||
	    (s.map.size && (s.map.size % MAP_ENTRY_SIZE || !in_area(f, &s.area, &s.map))) ||
	    (s.count.size && (s.count.size < sizeof(uint32_t) || !in_area(f, &s.area, &s.count))))
		return refuse(run, f->size - run->igvm,
			      "the IGVM metadata name what does not fit their area, or no memory");
	f->map = s.map.size ? s.area.gpa + s.map.gpa : 0;
	f->map_size = s.map.size;
	f->count = s.count.size ? s.area.gpa + s.count.gpa : 0;
	return true;
}

static bool read_all(struct open_run *run)
{
	const struct firmware *f = run->firmware;

	if (f->size == 0 || f->size % FIRMWARE_SIZE_MULTIPLE || f->size > FIRMWARE_SIZE_MAX)
		return refuse(run, 0, "firmware is a multiple of 64 KiB, up to 16 MiB");
	if (!read_table(run))
		return false;
	if (!run->has_metadata)
		return refuse(run, f->size - TABLE_END,
			      "it has no SEV metadata, and cannot be an SNP guest's");
	if (!run->has_ap_start)
		return refuse(run, f->size - TABLE_END,
			      "it does not say where the other vCPUs start");
	if (run->metadata > f->size)
		return refuse(run, f->size - TABLE_END, "the SEV metadata lie outside the file");
	if (!read_metadata(run))
		return false;
	if (!firmware_section(f, FIRMWARE_SECRETS) || !firmware_section(f, FIRMWARE_CPUID))
		return refuse(run, f->size - run->metadata,
			      "the SEV metadata have no section for secrets or CPUID");
	return read_hash_table(run) && read_igvm(run);
}

bool firmware_open(struct firmware *firmware, const void *data, size_t size,
		   struct firmware_error *error)
{
	struct open_run run = { .firmware = firmware, .error = error };

	*firmware = (struct firmware){ .data = data, .size = size, .gpa = END_4G - size };
	return read_all(&run);
}

enum psp_page_type firmware_page_type(uint32_t section_type)
{
	switch (section_type) {
	case FIRMWARE_SECRETS:
		return PSP_PAGE_TYPE_SECRETS;
	case FIRMWARE_CPUID:
		return PSP_PAGE_TYPE_CPUID;
	case FIRMWARE_MEMORY:
	case FIRMWARE_CALLING_AREA:
	case FIRMWARE_KERNEL_HASHES:
		return PSP_PAGE_TYPE_ZERO;
	default:
		return PSP_PAGE_TYPE_NONE;
	}
}

const struct firmware_section *firmware_section(const struct firmware *firmware, uint32_t type)
{
	for (uint32_t i = 0; i < firmware->section_count; i++) {
		if (firmware->sections[i].type == type)
			return &firmware->sections[i];
	}
	return NULL;
}
