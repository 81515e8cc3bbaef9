/* SPDX-License-Identifier: MIT */
#include "core/host/plain_image.h"

#include <stdlib.h>
#include <string.h>

#include "core/host/elf_image.h"
#include "core/vmsa.h"

#define PAGE_MASK (ABI_PAGE_SIZE - 1ull)
#define IMAGE_MAX (256ull << 20) /* between the first and the last byte of a bare program */

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

/* Adds the pages that a segment touches, each once, with the bytes of all segments in it. */
static bool add_program(const struct elf_image *image, struct igvm_writer *writer,
			struct host_error *error)
{
	struct socle_range span = { 0 };
	uint8_t *bytes, *used;

	if (!image_span(image, &span, error))
		return false;
	bytes = calloc(1, span.size);
	used = calloc(1, span.size / ABI_PAGE_SIZE);
	for (unsigned int i = 0; bytes && used && i < image->count; i++) {
		const struct elf_image_segment *s = &image->segments[i];
		uint64_t at = s->physical - span.gpa;

		memcpy(bytes + at, s->data, s->file_size);
		for (uint64_t page = at & ~PAGE_MASK; page < at + s->memory_size;
		     page += ABI_PAGE_SIZE)
			used[page / ABI_PAGE_SIZE] = 1;
	}
	for (uint64_t at = 0; bytes && used && at < span.size; at += ABI_PAGE_SIZE) {
		if (used[at / ABI_PAGE_SIZE])
			igvm_writer_page(writer, span.gpa + at, IGVM_PAGE_TYPE_NORMAL, bytes + at);
	}
	free(used);
	free(bytes);
	return (bytes && used) || host_fail(error, "out of memory");
}

static bool page_address(uint64_t gpa, const char *name, struct host_error *error)
{
	if (gpa & PAGE_MASK)
		return host_fail(error, "the %s page 0x%llx is not a multiple of 4 KiB", name,
				 (unsigned long long)gpa);
	return true;
}

bool bare_image_build(const struct bare_image_options *options, struct igvm_writer *writer,
		      struct host_error *error)
{
	struct elf_image image;
	struct snp_vmsa vmsa;

	if (!page_address(options->cpuid_page, "CPUID", error) ||
	    !page_address(options->secrets_page, "secrets", error) ||
	    !page_address(options->vmsa_page, "VMSA", error))
		return false;
	if (!elf_image_read(&options->elf, &image, error) || !add_program(&image, writer, error))
		return false;
	if (options->cpuid_page)
		igvm_writer_page(writer, options->cpuid_page, IGVM_PAGE_TYPE_CPUID_DATA, NULL);
	if (options->secrets_page)
		igvm_writer_page(writer, options->secrets_page, IGVM_PAGE_TYPE_SECRETS, NULL);
	vmsa_protected_mode(&vmsa, (uint32_t)image.entry, options->sev_features);
	igvm_writer_vp(writer, options->vmsa_page, &vmsa);
	return true;
}

static void mark(uint8_t *loaded, const struct igvm_writer *writer, uint64_t memory)
{
	for (size_t i = 0; i < writer->count; i++) {
		const struct igvm_writer_item *item = &writer->items[i];

		for (uint64_t at = item->gpa; at < item->gpa + item->size && at < memory;
		     at += ABI_PAGE_SIZE)
			loaded[at / ABI_PAGE_SIZE] = 1;
	}
}

/* True when a whole large page starts here and nothing of it is loaded. */
static bool large_page_free(const uint8_t *loaded, uint64_t gpa, uint64_t end)
{
	static const uint8_t none[ABI_PAGE_SIZE_2M / ABI_PAGE_SIZE];

	return gpa % ABI_PAGE_SIZE_2M == 0 && end - gpa >= ABI_PAGE_SIZE_2M &&
	       memcmp(loaded + gpa / ABI_PAGE_SIZE, none, sizeof(none)) == 0;
}

static void add_zeros(struct igvm_writer *writer, const uint8_t *loaded, uint64_t gpa, uint64_t end)
{
	while (gpa < end) {
		if (large_page_free(loaded, gpa, end)) {
			igvm_writer_zero_2m(writer, gpa);
			gpa += ABI_PAGE_SIZE_2M;
			continue;
		}
		if (!loaded[gpa / ABI_PAGE_SIZE])
			igvm_writer_page(writer, gpa, IGVM_PAGE_TYPE_NORMAL, NULL);
		gpa += ABI_PAGE_SIZE;
	}
}

bool plain_linux_build(const struct plain_linux_options *options, struct igvm_writer *writer,
		       struct host_error *error)
{
	struct memory_plan plan;
	struct linux_boot boot;
	struct snp_vmsa vmsa;
	uint8_t *loaded;

	memory_plan_init(&plan, options->memory);
	if (!page_address(options->vmsa_page, "VMSA", error) ||
	    !linux_boot_build(&options->linux_boot, &plan, writer, &boot, error))
		return false;
	igvm_writer_page(writer, boot.cpuid_page, IGVM_PAGE_TYPE_CPUID_DATA, NULL);
	igvm_writer_page(writer, boot.secrets_page, IGVM_PAGE_TYPE_SECRETS, NULL);
	vmsa_long_mode(&vmsa, &boot.entry, options->sev_features);
	igvm_writer_vp(writer, options->vmsa_page ? options->vmsa_page : boot.vmsa_page, &vmsa);
	loaded = calloc(1, options->memory / ABI_PAGE_SIZE);
	if (!loaded)
		return host_fail(error, "out of memory");
	mark(loaded, writer, options->memory);
	for (int i = 0; i < 2; i++)
		add_zeros(writer, loaded, plan.ram[i].gpa, plan.ram[i].gpa + plan.ram[i].size);
	free(loaded);
	return true;
}
