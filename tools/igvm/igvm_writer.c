/* SPDX-License-Identifier: MIT */
#include "tools/igvm/igvm_writer.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/crc32.h"
#include "core/image/igvm.h"

#define COMPATIBILITY_MASK 1u
#define PADDED(length) (((length) + 7u) & ~7u)

void igvm_writer_free(struct igvm_writer *writer)
{
	for (size_t i = 0; i < writer->count; i++)
		free(writer->items[i].data);
	free(writer->items);
	*writer = (struct igvm_writer){ 0 };
}

static bool make_room(struct igvm_writer *writer)
{
	size_t capacity = writer->capacity ? 2 * writer->capacity : 1024;
	struct igvm_writer_item *items;

	if (writer->count < writer->capacity)
		return true;
	items = realloc(writer->items, capacity * sizeof(*items));
	if (!items)
		return false;
	writer->items = items;
	writer->capacity = capacity;
	return true;
}

/* Adds item with a copy of one page of contents; pages of zeros need none in the file. */
static void add(struct igvm_writer *writer, struct igvm_writer_item item, const void *contents)
{
	if (contents &&
	    (item.type == IGVM_TYPE_VP_CONTEXT || !bytes_are_zero(contents, ABI_PAGE_SIZE))) {
		item.data = malloc(ABI_PAGE_SIZE);
		if (item.data)
			memcpy(item.data, contents, ABI_PAGE_SIZE);
		else
			writer->out_of_memory = true;
	}
	if (writer->out_of_memory || !make_room(writer)) {
		writer->out_of_memory = true;
		free(item.data);
		return;
	}
	writer->items[writer->count++] = item;
}

void igvm_writer_page(struct igvm_writer *writer, uint64_t gpa, uint16_t data_type,
		      const void *contents)
{
	add(writer,
	    (struct igvm_writer_item){ .type = IGVM_TYPE_PAGE_DATA,
				       .size = ABI_PAGE_SIZE,
				       .gpa = gpa,
				       .data_type = data_type },
	    contents);
}

void igvm_writer_zero_2m(struct igvm_writer *writer, uint64_t gpa)
{
	add(writer,
	    (struct igvm_writer_item){ .type = IGVM_TYPE_PAGE_DATA,
				       .size = ABI_PAGE_SIZE_2M,
				       .gpa = gpa,
				       .flags = IGVM_PAGE_FLAG_2MB },
	    NULL);
}

void igvm_writer_bytes(struct igvm_writer *writer, uint64_t gpa, const void *data, size_t size)
{
	const uint8_t *from = data;
	uint8_t page[ABI_PAGE_SIZE];

	for (size_t at = 0; at < size; at += ABI_PAGE_SIZE) {
		size_t length = size - at < ABI_PAGE_SIZE ? size - at : ABI_PAGE_SIZE;

		memcpy(page, from + at, length);
		memset(page + length, 0, ABI_PAGE_SIZE - length);
		igvm_writer_page(writer, gpa + at, IGVM_PAGE_TYPE_NORMAL, page);
	}
}

bool igvm_writer_vmsa_is_held(const struct igvm_writer *writer)
{
	return writer->host && writer->host->vmsa_place == HOST_VMSA_HELD_BY_HOST;
}

void igvm_writer_vp(struct igvm_writer *writer, uint64_t gpa, const struct snp_vmsa *vmsa)
{
	struct snp_vmsa own = *vmsa;

	if (igvm_writer_vmsa_is_held(writer)) {
		gpa = IGVM_HELD_VMSA_GPA;
		own.x87_ftw = 0;
	}
	add(writer,
	    (struct igvm_writer_item){
		    .type = IGVM_TYPE_VP_CONTEXT, .size = ABI_PAGE_SIZE, .gpa = gpa },
	    &own);
}

void igvm_writer_required(struct igvm_writer *writer, struct socle_range range)
{
	add(writer,
	    (struct igvm_writer_item){ .type = IGVM_TYPE_REQUIRED_MEMORY,
				       .size = (uint32_t)range.size,
				       .gpa = range.gpa },
	    NULL);
}

void igvm_writer_parameter(struct igvm_writer *writer, uint64_t gpa, uint32_t size, uint32_t type)
{
	const uint32_t types[] = { IGVM_TYPE_PARAMETER_AREA, type, IGVM_TYPE_PARAMETER_INSERT };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		add(writer,
		    (struct igvm_writer_item){
			    .type = types[i], .size = size, .gpa = gpa, .area = writer->areas },
		    NULL);
	writer->areas++;
}

/* Classes of directives, in the order of the file: KVM wants VP contexts last. */
enum { CLASS_AREA, CLASS_PARAMETER, CLASS_REQUIRED, CLASS_PAGE, CLASS_VP };

static int class_of(const struct igvm_writer_item *item)
{
	switch (item->type) {
	case IGVM_TYPE_PARAMETER_AREA:
		return CLASS_AREA;
	case IGVM_TYPE_REQUIRED_MEMORY:
		return CLASS_REQUIRED;
	case IGVM_TYPE_PAGE_DATA:
	case IGVM_TYPE_PARAMETER_INSERT:
		return CLASS_PAGE;
	case IGVM_TYPE_VP_CONTEXT:
		return CLASS_VP;
	default:
		return CLASS_PARAMETER;
	}
}

/* Within a class, by address. */
static int compare_items(const void *a, const void *b)
{
	const struct igvm_writer_item *x = a, *y = b;
	int x_class = class_of(x), y_class = class_of(y);

	if (x_class != y_class)
		return x_class - y_class;
	return x->gpa < y->gpa ? -1 : x->gpa > y->gpa;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct socle_range *x = a, *y = b;

	return x->gpa < y->gpa ? -1 : x->gpa > y->gpa;
}

/* Merges sorted ranges that touch; false when more than max remain. */
static bool merge(const struct socle_range *sorted, size_t sorted_count, struct socle_range *ranges,
		  uint32_t max, uint32_t *count)
{
	*count = 0;
	for (size_t i = 0; i < sorted_count; i++) {
		struct socle_range *last = *count ? &ranges[*count - 1] : NULL;

		if (last && last->gpa + last->size == sorted[i].gpa) {
			last->size += sorted[i].size;
			continue;
		}
		if (*count == max)
			return false;
		ranges[(*count)++] = sorted[i];
	}
	return true;
}

bool igvm_writer_ranges(const struct igvm_writer *writer, struct socle_range *ranges, uint32_t max,
			uint32_t *count)
{
	struct socle_range *sorted = calloc(writer->count + 1, sizeof(*sorted));
	size_t sorted_count = 0;
	bool ok;

	if (!sorted)
		return false;
	for (size_t i = 0; i < writer->count; i++) {
		const struct igvm_writer_item *item = &writer->items[i];

		if (class_of(item) >= CLASS_PAGE)
			sorted[sorted_count++] = (struct socle_range){ item->gpa, item->size };
	}
	qsort(sorted, sorted_count, sizeof(*sorted), compare_ranges);
	ok = merge(sorted, sorted_count, ranges, max, count);
	free(sorted);
	return ok;
}

static void swap_items(struct igvm_writer *writer, size_t i, size_t j)
{
	struct igvm_writer_item item = writer->items[i];

	writer->items[i] = writer->items[j];
	writer->items[j] = item;
}

/* The same seed gives the same order: splitmix64 drives the shuffle. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* Parameters stay before all that another order is for: their areas have to be known first. */
static void put_in_order(struct igvm_writer *writer, const struct igvm_writer_options *options)
{
	size_t first = 2 * (size_t)writer->areas, count = writer->count - first;
	uint64_t state = options->seed;

	qsort(writer->items, writer->count, sizeof(writer->items[0]), compare_items);
	if (options->order == IGVM_ORDER_REVERSE) {
		for (size_t i = 0; i < count / 2; i++)
			swap_items(writer, first + i, writer->count - 1 - i);
	}
	if (options->order == IGVM_ORDER_SHUFFLE) {
		for (size_t i = count; i > 1; i--)
			swap_items(writer, first + i - 1, first + next_random(&state) % i);
	}
}

/* The file as it is written: sizes are known before, so nothing can overflow. */
struct output {
	uint8_t *data;
	size_t headers;	 /* where the next variable header goes */
	size_t contents; /* where the next page goes */
};

static void put_header(struct output *out, uint32_t type, const void *content, uint32_t length)
{
	struct igvm_variable_header header = { .type = type, .length = length };

	memcpy(out->data + out->headers, &header, sizeof(header));
	memcpy(out->data + out->headers + sizeof(header), content, length);
	out->headers += sizeof(header) + PADDED(length);
}

static uint32_t put_contents(struct output *out, const struct igvm_writer_item *item)
{
	uint32_t offset = (uint32_t)out->contents;

	if (!item->data)
		return 0;
	memcpy(out->data + out->contents, item->data, ABI_PAGE_SIZE);
	out->contents += ABI_PAGE_SIZE;
	return offset;
}

static void put_item(struct output *out, const struct igvm_writer_item *item)
{
	struct igvm_page_data page = { .gpa = item->gpa,
				       .compatibility_mask = COMPATIBILITY_MASK,
				       .flags = item->flags,
				       .data_type = item->data_type };
	struct igvm_vp_context vp = { .gpa = item->gpa, .compatibility_mask = COMPATIBILITY_MASK };
	struct igvm_required_memory required = { .gpa = item->gpa,
						 .compatibility_mask = COMPATIBILITY_MASK,
						 .number_of_bytes = item->size };
	struct igvm_parameter_area area = { .number_of_bytes = item->size, .index = item->area };
	struct igvm_parameter_insert insert = { .gpa = item->gpa,
						.compatibility_mask = COMPATIBILITY_MASK,
						.area_index = item->area };
	struct igvm_parameter parameter = { .area_index = item->area };

	switch (item->type) {
	case IGVM_TYPE_PAGE_DATA:
		page.file_offset = put_contents(out, item);
		put_header(out, item->type, &page, sizeof(page));
		break;
	case IGVM_TYPE_VP_CONTEXT:
		vp.file_offset = put_contents(out, item);
		put_header(out, item->type, &vp, sizeof(vp));
		break;
	case IGVM_TYPE_REQUIRED_MEMORY:
		put_header(out, item->type, &required, sizeof(required));
		break;
	case IGVM_TYPE_PARAMETER_AREA:
		put_header(out, item->type, &area, sizeof(area));
		break;
	case IGVM_TYPE_PARAMETER_INSERT:
		put_header(out, item->type, &insert, sizeof(insert));
		break;
	default:
		put_header(out, item->type, &parameter, sizeof(parameter));
		break;
	}
}

static void put_platform(struct output *out, uint64_t policy)
{
	struct igvm_supported_platform platform = { .compatibility_mask = COMPATIBILITY_MASK,
						    .highest_vtl = 2,
						    .platform_type = IGVM_PLATFORM_SEV_SNP,
						    .platform_version = 1 };
	struct igvm_guest_policy guest_policy = { .policy = policy,
						  .compatibility_mask = COMPATIBILITY_MASK };

	put_header(out, IGVM_TYPE_SUPPORTED_PLATFORM, &platform, sizeof(platform));
	put_header(out, IGVM_TYPE_GUEST_POLICY, &guest_policy, sizeof(guest_policy));
}

static uint32_t content_length(uint32_t type)
{
	switch (type) {
	case IGVM_TYPE_PAGE_DATA:
		return sizeof(struct igvm_page_data);
	case IGVM_TYPE_VP_CONTEXT:
		return sizeof(struct igvm_vp_context);
	case IGVM_TYPE_REQUIRED_MEMORY:
		return sizeof(struct igvm_required_memory);
	case IGVM_TYPE_PARAMETER_AREA:
		return sizeof(struct igvm_parameter_area);
	case IGVM_TYPE_PARAMETER_INSERT:
		return sizeof(struct igvm_parameter_insert);
	default:
		return sizeof(struct igvm_parameter);
	}
}

/* Sizes of the variable headers and of the pages' contents. */
static void measure(const struct igvm_writer *writer, uint64_t *headers, uint64_t *contents)
{
	const uint64_t header = sizeof(struct igvm_variable_header);

	*headers = header + sizeof(struct igvm_supported_platform) + header +
		   sizeof(struct igvm_guest_policy);
	*contents = 0;
	for (size_t i = 0; i < writer->count; i++) {
		*headers += header + PADDED(content_length(writer->items[i].type));
		if (writer->items[i].data)
			*contents += ABI_PAGE_SIZE;
	}
}

static void put_fixed_header(struct output *out, uint64_t headers, size_t total)
{
	struct igvm_fixed_header fixed = { .magic = IGVM_MAGIC,
					   .format_version = IGVM_FORMAT_V1,
					   .variable_header_offset = sizeof(fixed),
					   .variable_header_size = (uint32_t)headers,
					   .total_file_size = (uint32_t)total };

	memcpy(out->data, &fixed, sizeof(fixed));
	fixed.checksum = core_crc32(0, out->data, sizeof(fixed) + headers);
	memcpy(out->data, &fixed, sizeof(fixed));
}

bool igvm_writer_finish(struct igvm_writer *writer, const struct igvm_writer_options *options,
			struct file_bytes *file, struct host_error *error)
{
	uint64_t headers, contents, start, total;
	struct output out = { .headers = sizeof(struct igvm_fixed_header) };

	if (writer->out_of_memory)
		return host_fail(error, "out of memory");
	measure(writer, &headers, &contents);
	/* Contents start on a page of the file, which makes it pleasant to look at and to map. */
	start = (sizeof(struct igvm_fixed_header) + headers + ABI_PAGE_SIZE - 1) &
		~(uint64_t)(ABI_PAGE_SIZE - 1);
	total = start + contents;
	if (total > UINT32_MAX)
		return host_fail(error, "an IGVM file of %llu bytes is beyond the format's 4 GiB",
				 (unsigned long long)total);
	out.data = calloc(1, total);
	if (!out.data)
		return host_fail(error, "out of memory");
	out.contents = start;
	put_in_order(writer, options);
	put_platform(&out, options->policy);
	for (size_t i = 0; i < writer->count; i++)
		put_item(&out, &writer->items[i]);
	put_fixed_header(&out, headers, total);
	*file = (struct file_bytes){ out.data, total };
	return true;
}
