/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as an IGVM file, with the sizes and the checksum of the fixed header put right, so that
 * what is behind them gets looked at. What the reader takes must be as its header promises, for
 * each loader.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/crc32.h"
#include "core/image/host_check.h"
#include "core/image/igvm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool holds)
{
	if (!holds)
		abort();
}

/* Makes total size and checksum right where they are the only thing wrong. */
static void seal(uint8_t *file, size_t size)
{
	struct igvm_fixed_header h;
	struct igvm_fixed_header_v2 fixed = { 0 };
	size_t fixed_size = sizeof(h);
	uint32_t crc;

	if (size < sizeof(fixed))
		return;
	memcpy(&h, file, sizeof(h));
	if (h.format_version == IGVM_FORMAT_V2)
		fixed_size = sizeof(fixed);
	h.total_file_size = (uint32_t)size;
	h.checksum = 0;
	memcpy(file, &h, sizeof(h));
	if (h.variable_header_offset > size ||
	    h.variable_header_size > size - h.variable_header_offset)
		return;
	memcpy(&fixed, file, fixed_size);
	crc = core_crc32(0, &fixed, fixed_size);
	h.checksum = core_crc32(crc, file + h.variable_header_offset, h.variable_header_size);
	memcpy(file, &h, sizeof(h));
}

static bool is_bounded(const struct igvm_directive *d)
{
	return d->type != IGVM_TYPE_RELOCATABLE_REGION &&
	       d->type != IGVM_TYPE_PAGE_TABLE_RELOCATION;
}

static void look_at(const struct igvm_file *file, const struct igvm_directive *d)
{
	volatile uint8_t sum = 0; /* the sanitizer checks the reads */
	uint64_t bytes = d->type == IGVM_TYPE_PARAMETER_AREA ? d->area.number_of_bytes : d->size;
	uint64_t gpa = igvm_directive_gpa(d);

	need(igvm_type_name(d->type) != NULL);
	need(d->header_offset < file->size);
	need(gpa % ABI_PAGE_SIZE == 0 && d->size % ABI_PAGE_SIZE == 0);
	need(gpa < 1ull << 52 && gpa + d->size <= 1ull << 52);
	need(!is_bounded(d) || d->size <= UINT32_MAX);
	for (uint64_t at = 0; d->data && at < bytes; at += 511)
		sum = (uint8_t)(sum + d->data[at]);
	if (d->data)
		sum = (uint8_t)(sum + d->data[bytes - 1]);
}

static uint64_t pages_of(const struct igvm_directive *d)
{
	return d->page_type == PSP_PAGE_TYPE_NONE ? 0 : d->size / ABI_PAGE_SIZE;
}

static void look_at_all(const struct igvm_file *file)
{
	uint32_t directives = 0, vps = 0;
	struct igvm_cursor cursor = { 0 };
	struct igvm_directive d;
	struct igvm_error error;
	struct igvm_header header;
	uint64_t pages = 0;

	for (; igvm_next(file, &cursor, &d); directives++) {
		look_at(file, &d);
		pages += pages_of(&d);
		vps += d.type == IGVM_TYPE_VP_CONTEXT;
	}
	need(directives == file->directive_count && vps == file->vp_count);
	need(pages == file->page_count);
	cursor = (struct igvm_cursor){ 0 };
	while (igvm_next_header(file, &cursor, &header))
		need(header.content != NULL);
	for (size_t i = 0; i < HOST_MODELS; i++) {
		error.text[0] = '\0';
		if (!host_check(&host_models[i], file, &error))
			need(error.text[0] != '\0' && error.offset < file->size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct igvm_file file;
	struct igvm_error error;

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	seal(copy, size);
	if (igvm_open(&file, copy, size, &error))
		look_at_all(&file);
	else
		need(error.code != IGVM_OK && error.text[0] != '\0');
	free(copy);
	return 0;
}
