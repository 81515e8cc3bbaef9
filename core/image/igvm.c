/* SPDX-License-Identifier: MIT */
#include "core/image/igvm.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/crc32.h"
#include "core/base/printf.h"
#include "core/image/igvm_check.h"

#define PADDED(length) (((uint64_t)(length) + 7) & ~7ull)

struct text {
	char *at;
	size_t left;
};

static void put_text(void *context, char c)
{
	struct text *text = context;

	if (text->left > 1) {
		*text->at++ = c;
		text->left--;
	}
}

void igvm_refuse_list(struct igvm_error *error, enum igvm_error_code code, uint64_t offset,
		      const char *fmt, va_list args)
{
	struct text text = { error->text, sizeof(error->text) };

	error->code = code;
	error->offset = offset;
	printf_write(put_text, &text, fmt, args);
	*text.at = '\0';
}

bool igvm_refuse(struct igvm_error *error, enum igvm_error_code code, uint64_t offset,
		 const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	igvm_refuse_list(error, code, offset, fmt, args);
	va_end(args);
	return false;
}

size_t igvm_fixed_size(const struct igvm_file *file)
{
	return file->header.format_version == IGVM_FORMAT_V1 ? sizeof(struct igvm_fixed_header)
							     : sizeof(struct igvm_fixed_header_v2);
}

uint64_t igvm_headers_end(const struct igvm_file *file)
{
	return (uint64_t)file->header.variable_header_offset + file->header.variable_header_size;
}

uint32_t igvm_page_size(const struct igvm_page_data *page)
{
	return page->flags & IGVM_PAGE_FLAG_2MB ? ABI_PAGE_SIZE_2M : ABI_PAGE_SIZE;
}

/* The CRC of fixed and variable headers, with the checksum field taken as 0. */
static uint32_t headers_crc(const struct igvm_file *file)
{
	struct igvm_fixed_header_v2 header = { 0 };
	uint32_t crc;

	memcpy(&header, file->data, igvm_fixed_size(file));
	header.v1.checksum = 0;
	crc = core_crc32(0, &header, igvm_fixed_size(file));
	return core_crc32(crc, file->data + file->header.variable_header_offset,
			  file->header.variable_header_size);
}

/* What version 2 has more. */
static bool check_version_2(const struct igvm_file *file, struct igvm_error *error)
{
	struct bytes_reader r = bytes_reader_init(file->data, file->size);
	struct igvm_fixed_header_v2 h;

	if (!bytes_copy(&r, &h, sizeof(h)))
		return igvm_refuse(error, IGVM_ERR_TRUNCATED, file->size,
				   "the file ends within the fixed header");
	if (h.architecture != IGVM_ARCHITECTURE_X64)
		return igvm_refuse(error, IGVM_ERR_UNSUPPORTED,
				   offsetof(struct igvm_fixed_header_v2, architecture),
				   "architecture %u is not x86-64", h.architecture);
	if (h.page_size != ABI_PAGE_SIZE)
		return igvm_refuse(error, IGVM_ERR_UNSUPPORTED,
				   offsetof(struct igvm_fixed_header_v2, page_size),
				   "pages of %u bytes are not supported", h.page_size);
	return true;
}

static bool check_version(const struct igvm_file *file, struct igvm_error *error)
{
	const struct igvm_fixed_header *h = &file->header;

	if (h->magic != IGVM_MAGIC)
		return igvm_refuse(error, IGVM_ERR_MAGIC, offsetof(struct igvm_fixed_header, magic),
				   "not an IGVM file");
	if (h->format_version != IGVM_FORMAT_V1 && h->format_version != IGVM_FORMAT_V2)
		return igvm_refuse(error, IGVM_ERR_MAGIC,
				   offsetof(struct igvm_fixed_header, format_version),
				   "format version %u is not supported", h->format_version);
	return h->format_version == IGVM_FORMAT_V1 || check_version_2(file, error);
}

static bool check_fixed_header(struct igvm_file *file, struct igvm_error *error)
{
	struct bytes_reader r = bytes_reader_init(file->data, file->size);
	struct igvm_fixed_header *h = &file->header;

	if (!bytes_copy(&r, h, sizeof(*h)))
		return igvm_refuse(error, IGVM_ERR_TRUNCATED, file->size,
				   "the file ends within the fixed header");
	if (!check_version(file, error))
		return false;
	if (h->total_file_size != file->size)
		return igvm_refuse(error, IGVM_ERR_TRUNCATED,
				   offsetof(struct igvm_fixed_header, total_file_size),
				   "the header says %u bytes, the file has %llu",
				   h->total_file_size, (unsigned long long)file->size);
	if (h->variable_header_offset < igvm_fixed_size(file) || h->variable_header_offset % 8)
		return igvm_refuse(error, IGVM_ERR_FORMAT,
				   offsetof(struct igvm_fixed_header, variable_header_offset),
				   "variable headers at 0x%x lie in the fixed one or are unaligned",
				   h->variable_header_offset);
	if (h->variable_header_size % 8 != 0 ||
	    !bytes_range_ok(h->variable_header_offset, h->variable_header_size, file->size))
		return igvm_refuse(error, IGVM_ERR_TRUNCATED,
				   offsetof(struct igvm_fixed_header, variable_header_size),
				   "%u bytes of variable headers are unaligned or leave the file",
				   h->variable_header_size);
	if (headers_crc(file) != h->checksum)
		return igvm_refuse(error, IGVM_ERR_CHECKSUM,
				   offsetof(struct igvm_fixed_header, checksum),
				   "checksum is 0x%08x, the headers' is 0x%08x", h->checksum,
				   headers_crc(file));
	return true;
}

/* Why there is nothing for this reader in the file, whose platforms were all seen. */
static bool refuse_platforms(const struct igvm_check *c)
{
	uint64_t at = c->file->header.variable_header_offset;
	const uint32_t platforms = c->file->platforms;

	if (platforms == 0)
		return igvm_refuse(c->error, IGVM_ERR_CONTRADICTION, at, "no SUPPORTED_PLATFORM");
	if (c->vtom != 0)
		return igvm_refuse(
			c->error, IGVM_ERR_UNSUPPORTED, at,
			"SEV-SNP is there with vTOM (0x%llx) only, which is not supported",
			(unsigned long long)c->vtom);
	return igvm_refuse(c->error, IGVM_ERR_UNSUPPORTED, at,
			   "no platform SEV-SNP; the first one that is there: %s",
			   igvm_platform_name((uint32_t)__builtin_ctz(platforms)));
}

/* Sections come in order, and the platforms before everything that refers to them. */
static bool check_section(struct igvm_check *c, uint32_t type)
{
	enum igvm_section section = IGVM_SECTION_DIRECTIVE;

	if (type <= 0x100)
		section = IGVM_SECTION_PLATFORM;
	else if (type <= 0x200)
		section = IGVM_SECTION_INITIALIZATION;
	if (section < c->section)
		return igvm_refuse(c->error, IGVM_ERR_FORMAT, c->at,
				   "%s comes after a later section's headers",
				   igvm_type_name(type));
	if (section != IGVM_SECTION_PLATFORM && !c->chosen)
		return refuse_platforms(c);
	c->section = section;
	return true;
}

/* Whether a header's mask has the bit of the chosen platform. */
static bool header_counts(const struct igvm_file *file, const struct igvm_type *row,
			  const uint8_t *content)
{
	uint32_t mask;

	if (row->mask == IGVM_NO_MASK)
		return true;
	memcpy(&mask, content + row->mask, sizeof(mask));
	return (mask & file->platform.compatibility_mask) != 0;
}

static bool check_header(struct igvm_check *c, const struct igvm_header *header)
{
	const struct igvm_type *row = igvm_type(header->type & ~IGVM_TYPE_IGNORABLE);

	if (!row && header->type & IGVM_TYPE_IGNORABLE)
		return true;
	if (!row)
		return igvm_refuse(c->error, IGVM_ERR_UNKNOWN, c->at, "unknown directive type 0x%x",
				   header->type);
	if (row->length != IGVM_ANY_LENGTH && header->length != row->length)
		return igvm_refuse(c->error, IGVM_ERR_FORMAT, c->at,
				   "%s has %u bytes, it must have %u", row->name, header->length,
				   row->length);
	if (!check_section(c, row->type))
		return false;
	if (row->yielded && header->counts)
		c->file->directive_count++;
	return row->check(c, header->content, header->counts);
}

static bool padding_ok(const uint8_t *content, uint32_t length)
{
	return bytes_are_zero(content + length, PADDED(length) - length);
}

static struct bytes_reader variable_headers(const struct igvm_file *file)
{
	return bytes_reader_init(file->data + file->header.variable_header_offset,
				 file->header.variable_header_size);
}

/* The header at r; its content is NULL when it is not all there. */
static struct igvm_header take_header(const struct igvm_file *file, struct bytes_reader *r)
{
	struct igvm_header header = { .offset = file->header.variable_header_offset + r->pos };
	const struct igvm_type *row;
	struct igvm_variable_header v;

	bytes_copy(r, &v, sizeof(v));
	header.type = v.type;
	header.length = v.length;
	header.content = bytes_take(r, PADDED(v.length));
	row = igvm_type(v.type & ~IGVM_TYPE_IGNORABLE);
	header.counts = row && header.content &&
			(row->length == IGVM_ANY_LENGTH ||
			 (row->length == v.length && header_counts(file, row, header.content)));
	return header;
}

static bool check_variable_headers(struct igvm_check *c)
{
	struct bytes_reader r = variable_headers(c->file);

	while (bytes_left(&r) > 0) {
		struct igvm_header header = take_header(c->file, &r);

		c->at = header.offset;
		if (!header.content)
			return igvm_refuse(c->error, IGVM_ERR_TRUNCATED, c->at,
					   "a variable header of %u bytes leaves its section",
					   header.length);
		if (!padding_ok(header.content, header.length))
			return igvm_refuse(c->error, IGVM_ERR_FORMAT, c->at, "padding is not 0");
		if (!check_header(c, &header))
			return false;
	}
	if (!c->chosen)
		return refuse_platforms(c);
	if (c->vp_seen & (c->vp_seen + 1))
		return igvm_refuse(c->error, IGVM_ERR_CONTRADICTION,
				   c->file->header.variable_header_offset,
				   "VP indices are not 0 to %u", c->file->vp_count - 1);
	return true;
}

bool igvm_open(struct igvm_file *file, const void *data, size_t size, struct igvm_error *error)
{
	struct igvm_check check = { .file = file, .error = error };

	*file = (struct igvm_file){ .data = data, .size = size };
	*error = (struct igvm_error){ .code = IGVM_OK };
	return check_fixed_header(file, error) && check_variable_headers(&check) &&
	       igvm_check_pages(file, error);
}

bool igvm_next_header(const struct igvm_file *file, struct igvm_cursor *cursor,
		      struct igvm_header *header)
{
	struct bytes_reader r = variable_headers(file);

	r.pos = cursor->pos;
	if (bytes_left(&r) == 0)
		return false;
	*header = take_header(file, &r);
	cursor->pos = r.pos;
	return true;
}

static const uint8_t *data_at(const struct igvm_file *file, uint32_t offset)
{
	return offset ? file->data + offset : NULL;
}

static enum psp_page_type page_type(const struct igvm_page_data *page)
{
	if (page->flags & IGVM_PAGE_FLAG_SHARED)
		return PSP_PAGE_TYPE_NONE;
	switch (page->data_type) {
	case IGVM_PAGE_TYPE_SECRETS:
		return PSP_PAGE_TYPE_SECRETS;
	case IGVM_PAGE_TYPE_CPUID_DATA:
	case IGVM_PAGE_TYPE_CPUID_XF:
		return PSP_PAGE_TYPE_CPUID;
	default:
		return page->flags & IGVM_PAGE_FLAG_UNMEASURED ? PSP_PAGE_TYPE_UNMEASURED
							       : PSP_PAGE_TYPE_NORMAL;
	}
}

const struct igvm_area *igvm_find_area(const struct igvm_file *file, uint32_t index)
{
	for (uint32_t i = 0; i < file->area_count; i++) {
		if (file->areas[i].index == index)
			return &file->areas[i];
	}
	return NULL;
}

/* Size and first contents of the area, which was declared before it is inserted. */
static void decode_insert(const struct igvm_file *file, struct igvm_directive *d)
{
	const struct igvm_area *area = igvm_find_area(file, d->insert.area_index);

	d->page_type = PSP_PAGE_TYPE_UNMEASURED;
	d->size = area ? area->size : 0;
	d->data = area ? area->data : NULL;
}

static void decode(const struct igvm_file *file, struct igvm_directive *d)
{
	switch (d->type) {
	case IGVM_TYPE_PAGE_DATA:
		d->page_type = page_type(&d->page);
		d->size = igvm_page_size(&d->page);
		d->data = data_at(file, d->page.file_offset);
		break;
	case IGVM_TYPE_VP_CONTEXT:
		d->page_type = PSP_PAGE_TYPE_VMSA;
		d->size = ABI_PAGE_SIZE;
		d->data = data_at(file, d->vp_context.file_offset);
		break;
	case IGVM_TYPE_REQUIRED_MEMORY:
		d->size = d->required_memory.number_of_bytes;
		break;
	case IGVM_TYPE_PARAMETER_AREA:
		d->data = data_at(file, d->area.file_offset);
		break;
	case IGVM_TYPE_PARAMETER_INSERT:
		decode_insert(file, d);
		break;
	case IGVM_TYPE_ERROR_RANGE:
		d->size = d->error_range.size;
		break;
	case IGVM_TYPE_RELOCATABLE_REGION:
		d->size = d->relocatable.size;
		break;
	case IGVM_TYPE_PAGE_TABLE_RELOCATION:
		d->size = d->page_tables.size;
		break;
	default:
		break;
	}
}

uint64_t igvm_directive_gpa(const struct igvm_directive *directive)
{
	switch (directive->type) {
	case IGVM_TYPE_PAGE_DATA:
		return directive->page.gpa;
	case IGVM_TYPE_VP_CONTEXT:
		return directive->vp_context.gpa;
	case IGVM_TYPE_REQUIRED_MEMORY:
		return directive->required_memory.gpa;
	case IGVM_TYPE_PARAMETER_INSERT:
		return directive->insert.gpa;
	case IGVM_TYPE_ERROR_RANGE:
		return directive->error_range.gpa;
	case IGVM_TYPE_RELOCATABLE_REGION:
		return directive->relocatable.gpa;
	case IGVM_TYPE_PAGE_TABLE_RELOCATION:
		return directive->page_tables.gpa;
	default:
		return 0;
	}
}

bool igvm_next(const struct igvm_file *file, struct igvm_cursor *cursor,
	       struct igvm_directive *directive)
{
	struct igvm_header header;

	while (igvm_next_header(file, cursor, &header)) {
		const struct igvm_type *row = igvm_type(header.type & ~IGVM_TYPE_IGNORABLE);

		if (!row || !row->yielded || !header.counts)
			continue;
		*directive = (struct igvm_directive){ .type = row->type,
						      .header_offset = header.offset };
		memcpy(directive->content, header.content, row->length);
		decode(file, directive);
		return true;
	}
	return false;
}
