/* SPDX-License-Identifier: MIT */
#include "tools/igvm/bare_program.h"

#include <stdlib.h>
#include <string.h>

#include "tools/igvm/elf_image.h"

#define PAGE_MASK (ABI_PAGE_SIZE - 1ull)
#define IMAGE_MAX \
	(4ull << 30) /* between the first and the last byte; what is between costs nothing */

/* What a guest has beside its program, in one piece. */
enum area_page {
	AREA_TABLES = 0,
	AREA_DESCRIPTORS = AREA_TABLES + GUEST_BOOT_TABLES,
	AREA_BLOB,
	AREA_CPUID,
	AREA_SECRETS,
	AREA_CAA,
	AREA_PAGES,
};

/* The pages from the first to the last segment. */
static bool image_span(const struct elf_image *image, struct socle_range *span,
		       struct host_error *error)
{
	uint64_t start = UINT64_MAX, end = 0;

	for (unsigned int i = 0; i < image->count; i++) {
		const struct elf_image_segment *s = &image->segments[i];

		if (s->physical > UINT32_MAX || s->memory_size > UINT32_MAX)
			return host_fail(error, "segment %u is not below 4 GiB", i);
		if (s->physical < start)
			start = s->physical;
		if (s->physical + s->memory_size > end)
			end = s->physical + s->memory_size;
	}
	start &= ~PAGE_MASK;
	end = (end + PAGE_MASK) & ~PAGE_MASK;
	if (end - start > IMAGE_MAX || image->entry < start || image->entry >= end)
		return host_fail(error,
				 "the segments are too far apart, or the entry point "
				 "0x%llx is in none",
				 (unsigned long long)image->entry);
	*span = (struct socle_range){ start, end - start };
	return true;
}

/* The bytes of all segments in the pages that one touches. */
static bool add_pages(const struct elf_image *image, const struct socle_range *span,
		      struct igvm_writer *writer, struct host_error *error)
{
	uint8_t *bytes = calloc(1, span->size);
	uint8_t *used = calloc(1, span->size / ABI_PAGE_SIZE);

	for (unsigned int i = 0; bytes && used && i < image->count; i++) {
		const struct elf_image_segment *s = &image->segments[i];
		uint64_t at = s->physical - span->gpa;

		memcpy(bytes + at, s->data, s->file_size);
		for (uint64_t page = at & ~PAGE_MASK; page < at + s->memory_size;
		     page += ABI_PAGE_SIZE)
			used[page / ABI_PAGE_SIZE] = 1;
	}
	for (uint64_t at = 0; bytes && used && at < span->size; at += ABI_PAGE_SIZE) {
		if (used[at / ABI_PAGE_SIZE])
			igvm_writer_page(writer, span->gpa + at, IGVM_PAGE_TYPE_NORMAL, bytes + at);
	}
	free(used);
	free(bytes);
	return (bytes && used) || host_fail(error, "out of memory");
}

bool bare_program_add(const struct file_bytes *elf, struct igvm_writer *writer,
		      struct bare_program *program, struct host_error *error)
{
	struct elf_image image;

	*program = (struct bare_program){ 0 };
	if (!elf_image_read(elf, &image, error) || !image_span(&image, &program->span, error))
		return false;
	program->entry = image.entry;
	return add_pages(&image, &program->span, writer, error);
}

bool bare_guest_build(const struct file_bytes *elf, struct memory_plan *plan,
		      struct igvm_writer *writer, struct guest_boot *boot, struct host_error *error)
{
	struct guest_boot_cc_blob blob;
	struct bare_program program;
	uint64_t area;

	*boot = (struct guest_boot){ 0 };
	if (!bare_program_add(elf, writer, &program, error))
		return false;
	if (!memory_plan_take(plan, program.span.gpa, program.span.size))
		return host_fail(error, "the program's pages at 0x%llx are not free RAM",
				 (unsigned long long)program.span.gpa);
	area = memory_plan_lowest(plan, AREA_PAGES * ABI_PAGE_SIZE, ABI_PAGE_SIZE,
				  MEMORY_HIGH_START);
	if (area == 0)
		return host_fail(error, "no room for the boot data");
	if (!guest_boot_tables(boot, writer, area + AREA_TABLES * ABI_PAGE_SIZE, 0, error))
		return false;
	guest_boot_descriptors(boot, writer, area + AREA_DESCRIPTORS * ABI_PAGE_SIZE);
	boot->cpuid_page = area + AREA_CPUID * ABI_PAGE_SIZE;
	boot->secrets_page = area + AREA_SECRETS * ABI_PAGE_SIZE;
	boot->caa_page = area + AREA_CAA * ABI_PAGE_SIZE;
	boot->entry.rip = program.entry;
	boot->entry.rsi = area + AREA_BLOB * ABI_PAGE_SIZE;
	blob = guest_boot_cc_blob(boot->secrets_page, boot->cpuid_page);
	igvm_writer_bytes(writer, boot->entry.rsi, &blob, sizeof(blob));
	return true;
}
