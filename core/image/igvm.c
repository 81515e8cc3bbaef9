/* SPDX-License-Identifier: MIT */
#include "core/image/igvm.h"

#include <stdarg.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/crc32.h"
#include "core/base/printf.h"

#define ADDRESS_LIMIT (1ull << 52) /* physical addresses of x86-64 */
#define VP_MAX 64u
#define PAGE_FLAGS_KNOWN (IGVM_PAGE_FLAG_2MB | IGVM_PAGE_FLAG_UNMEASURED | IGVM_PAGE_FLAG_SHARED)
#define PADDED(length) (((uint64_t)(length) + 7) & ~7ull)

/* The sections in which the variable headers must come. */
enum section {
	SECTION_PLATFORM,
	SECTION_INITIALIZATION,
	SECTION_DIRECTIVE,
};

/* What igvm_open() knows while it goes through the variable headers. */
struct check {
	struct igvm_file *file;
	struct igvm_error *error;
	uint64_t at; /* file offset of the current variable header */
	enum section section;
	bool has_platform;
	uint64_t vp_seen; /* bit n: VP_CONTEXT of index n */
};

struct type_info {
	uint32_t type;
	uint32_t length; /* of the content; 0: this reader does not take it */
	const char *name;
};

static const struct type_info types[] = {
	{ IGVM_TYPE_SUPPORTED_PLATFORM, sizeof(struct igvm_supported_platform),
	  "SUPPORTED_PLATFORM" },
	{ IGVM_TYPE_GUEST_POLICY, sizeof(struct igvm_guest_policy), "GUEST_POLICY" },
	{ 0x102, 0, "RELOCATABLE_REGION" },
	{ 0x103, 0, "PAGE_TABLE_RELOCATION_REGION" },
	{ 0x104, 0, "CORIM_DOCUMENT" },
	{ 0x105, 0, "CORIM_SIGNATURE" },
	{ 0x106, 0, "CCA_POLICY" },
	{ IGVM_TYPE_PARAMETER_AREA, 0, "PARAMETER_AREA" },
	{ IGVM_TYPE_PAGE_DATA, sizeof(struct igvm_page_data), "PAGE_DATA" },
	{ IGVM_TYPE_PARAMETER_INSERT, 0, "PARAMETER_INSERT" },
	{ IGVM_TYPE_VP_CONTEXT, sizeof(struct igvm_vp_context), "VP_CONTEXT" },
	{ IGVM_TYPE_REQUIRED_MEMORY, sizeof(struct igvm_required_memory), "REQUIRED_MEMORY" },
	{ IGVM_TYPE_VP_COUNT_PARAMETER, 0, "VP_COUNT_PARAMETER" },
	{ 0x308, 0, "SRAT" },
	{ 0x309, 0, "MADT" },
	{ 0x30a, 0, "MMIO_RANGES" },
	{ IGVM_TYPE_SNP_ID_BLOCK, 0, "SNP_ID_BLOCK" },
	{ IGVM_TYPE_MEMORY_MAP, 0, "MEMORY_MAP" },
	{ 0x30d, 0, "ERROR_RANGE" },
	{ 0x30e, 0, "COMMAND_LINE" },
	{ 0x30f, 0, "SLIT" },
	{ 0x310, 0, "PPTT" },
	{ 0x311, 0, "VBS_MEASUREMENT" },
	{ 0x312, 0, "DEVICE_TREE" },
	{ 0x313, 0, "ENVIRONMENT_INFO_PARAMETER" },
};

static const struct type_info *find_type(uint32_t type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (types[i].type == type)
			return &types[i];
	}
	return NULL;
}

uint64_t igvm_directive_gpa(const struct igvm_directive *directive)
{
	switch (directive->type) {
	case IGVM_TYPE_VP_CONTEXT:
		return directive->vp_context.gpa;
	case IGVM_TYPE_REQUIRED_MEMORY:
		return directive->required_memory.gpa;
	default:
		return directive->page.gpa;
	}
}

const char *igvm_type_name(uint32_t type)
{
	const struct type_info *info = find_type(type);

	return info ? info->name : NULL;
}

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

/* Fills in the error and returns false. */
__attribute__((format(printf, 4, 5))) static bool
refuse(struct igvm_error *error, enum igvm_error_code code, uint64_t offset, const char *fmt, ...)
{
	struct text text = { error->text, sizeof(error->text) };
	va_list args;

	error->code = code;
	error->offset = offset;
	va_start(args, fmt);
	printf_write(put_text, &text, fmt, args);
	va_end(args);
	*text.at = '\0';
	return false;
}

/* The CRC of fixed and variable headers, with the checksum field taken as 0. */
static uint32_t headers_crc(const struct igvm_file *file)
{
	struct igvm_fixed_header header = file->header;
	uint32_t crc;

	header.checksum = 0;
	crc = core_crc32(0, &header, sizeof(header));
	return core_crc32(crc, file->data + header.variable_header_offset,
			  header.variable_header_size);
}

static bool check_fixed_header(struct igvm_file *file, struct igvm_error *error)
{
	struct bytes_reader r = bytes_reader_init(file->data, file->size);
	struct igvm_fixed_header *h = &file->header;

	if (!bytes_copy(&r, h, sizeof(*h)))
		return refuse(error, IGVM_ERR_TRUNCATED, file->size,
			      "the file ends within the fixed header");
	if (h->magic != IGVM_MAGIC)
		return refuse(error, IGVM_ERR_MAGIC, offsetof(struct igvm_fixed_header, magic),
			      "not an IGVM file");
	if (h->format_version != IGVM_FORMAT_V1)
		return refuse(error, IGVM_ERR_MAGIC,
			      offsetof(struct igvm_fixed_header, format_version),
			      "format version %u is not supported", h->format_version);
	if (h->total_file_size != file->size)
		return refuse(error, IGVM_ERR_TRUNCATED,
			      offsetof(struct igvm_fixed_header, total_file_size),
			      "the header says %u bytes, the file has %llu", h->total_file_size,
			      (unsigned long long)file->size);
	if (h->variable_header_offset != sizeof(*h))
		return refuse(error, IGVM_ERR_FORMAT,
			      offsetof(struct igvm_fixed_header, variable_header_offset),
			      "variable headers at 0x%x do not follow the fixed header",
			      h->variable_header_offset);
	if (h->variable_header_size % 8 != 0 ||
	    !bytes_range_ok(sizeof(*h), h->variable_header_size, file->size))
		return refuse(error, IGVM_ERR_TRUNCATED,
			      offsetof(struct igvm_fixed_header, variable_header_size),
			      "%u bytes of variable headers are unaligned or leave the file",
			      h->variable_header_size);
	if (headers_crc(file) != h->checksum)
		return refuse(error, IGVM_ERR_CHECKSUM,
			      offsetof(struct igvm_fixed_header, checksum),
			      "checksum is 0x%08x, the headers' is 0x%08x", h->checksum,
			      headers_crc(file));
	return true;
}

static bool check_mask(const struct check *c, uint32_t mask)
{
	if (mask != c->file->platform.compatibility_mask)
		return refuse(c->error, IGVM_ERR_CONTRADICTION, c->at,
			      "compatibility mask 0x%x names no supported platform", mask);
	return true;
}

static bool check_platform(struct check *c, const struct igvm_supported_platform *platform)
{
	if (platform->platform_type != IGVM_PLATFORM_SEV_SNP)
		return refuse(c->error, IGVM_ERR_UNSUPPORTED, c->at,
			      "platform type %u is not SEV-SNP", platform->platform_type);
	if (c->has_platform)
		return refuse(c->error, IGVM_ERR_CONTRADICTION, c->at,
			      "a second SUPPORTED_PLATFORM");
	if (platform->platform_version != 1 || platform->highest_vtl > 2)
		return refuse(c->error, IGVM_ERR_FORMAT, c->at,
			      "platform version %u, highest VTL %u are not known",
			      platform->platform_version, platform->highest_vtl);
	if (platform->compatibility_mask == 0 ||
	    (platform->compatibility_mask & (platform->compatibility_mask - 1)) != 0)
		return refuse(c->error, IGVM_ERR_FORMAT, c->at,
			      "compatibility mask 0x%x is not one bit",
			      platform->compatibility_mask);
	if (platform->shared_gpa_boundary != 0)
		return refuse(c->error, IGVM_ERR_UNSUPPORTED, c->at,
			      "a shared GPA boundary (vTOM) is not supported");
	c->file->platform = *platform;
	c->has_platform = true;
	return true;
}

static bool check_policy(struct check *c, const struct igvm_guest_policy *policy)
{
	if (!check_mask(c, policy->compatibility_mask))
		return false;
	if (policy->reserved != 0)
		return refuse(c->error, IGVM_ERR_FORMAT, c->at,
			      "reserved field of GUEST_POLICY is not 0");
	if (c->file->has_policy)
		return refuse(c->error, IGVM_ERR_CONTRADICTION, c->at, "a second GUEST_POLICY");
	c->file->policy = policy->policy;
	c->file->has_policy = true;
	return true;
}

static bool check_memory(const struct check *c, uint64_t gpa, uint64_t size, uint64_t alignment)
{
	if (gpa % alignment != 0)
		return refuse(c->error, IGVM_ERR_FORMAT, c->at, "gPA 0x%llx is unaligned",
			      (unsigned long long)gpa);
	if (!bytes_range_ok(gpa, size, ADDRESS_LIMIT))
		return refuse(c->error, IGVM_ERR_FORMAT, c->at,
			      "gPA 0x%llx is not a physical address", (unsigned long long)gpa);
	return true;
}

/* File data lies behind the headers. */
static bool check_file_data(const struct check *c, uint32_t offset, uint32_t size)
{
	const struct igvm_file *file = c->file;

	if (offset < sizeof(file->header) + file->header.variable_header_size ||
	    !bytes_range_ok(offset, size, file->size))
		return refuse(c->error, IGVM_ERR_TRUNCATED, c->at,
			      "file data at 0x%x, %u bytes, are outside the data section", offset,
			      size);
	return true;
}

static bool check_page_kind(const struct check *c, const struct igvm_page_data *page)
{
	if (page->flags & ~PAGE_FLAGS_KNOWN)
		return refuse(c->error, IGVM_ERR_UNKNOWN, c->at, "unknown page flags 0x%x",
			      page->flags);
	if (page->data_type > IGVM_PAGE_TYPE_CPUID_XF)
		return refuse(c->error, IGVM_ERR_UNKNOWN, c->at, "unknown page data type %u",
			      page->data_type);
	if (page->data_type == IGVM_PAGE_TYPE_CPUID_XF)
		return refuse(c->error, IGVM_ERR_UNSUPPORTED, c->at,
			      "page data type CPUID_XF is not supported");
	if (page->reserved != 0)
		return refuse(c->error, IGVM_ERR_FORMAT, c->at,
			      "reserved field of PAGE_DATA is not 0");
	if (page->data_type == IGVM_PAGE_TYPE_NORMAL)
		return true;
	if (page->flags & (IGVM_PAGE_FLAG_2MB | IGVM_PAGE_FLAG_SHARED))
		return refuse(c->error, IGVM_ERR_CONTRADICTION, c->at,
			      "a secrets or CPUID page cannot be shared or large");
	if (page->file_offset != 0)
		return refuse(c->error, IGVM_ERR_UNSUPPORTED, c->at,
			      "contents for a secrets or CPUID page are not supported");
	return true;
}

static uint32_t page_size(const struct igvm_page_data *page)
{
	return page->flags & IGVM_PAGE_FLAG_2MB ? ABI_PAGE_SIZE_2M : ABI_PAGE_SIZE;
}

static bool check_page(struct check *c, const struct igvm_page_data *page)
{
	uint32_t size = page_size(page);

	if (!check_mask(c, page->compatibility_mask) || !check_page_kind(c, page) ||
	    !check_memory(c, page->gpa, size, size))
		return false;
	if (page->file_offset != 0 && !check_file_data(c, page->file_offset, size))
		return false;
	c->file->page_count += size / ABI_PAGE_SIZE;
	return true;
}

static bool check_vp_context(struct check *c, const struct igvm_vp_context *vp)
{
	if (!check_mask(c, vp->compatibility_mask) ||
	    !check_memory(c, vp->gpa, ABI_PAGE_SIZE, ABI_PAGE_SIZE) ||
	    !check_file_data(c, vp->file_offset, ABI_PAGE_SIZE))
		return false;
	if (vp->reserved != 0)
		return refuse(c->error, IGVM_ERR_FORMAT, c->at,
			      "reserved field of VP_CONTEXT is not 0");
	if (vp->vp_index >= VP_MAX)
		return refuse(c->error, IGVM_ERR_UNSUPPORTED, c->at, "VP index %u is not supported",
			      vp->vp_index);
	if (c->vp_seen & 1ull << vp->vp_index)
		return refuse(c->error, IGVM_ERR_CONTRADICTION, c->at,
			      "a second VP_CONTEXT with index %u", vp->vp_index);
	c->vp_seen |= 1ull << vp->vp_index;
	c->file->vp_count++;
	c->file->page_count++;
	return true;
}

static bool check_required_memory(struct check *c, const struct igvm_required_memory *required)
{
	if (!check_mask(c, required->compatibility_mask) ||
	    !check_memory(c, required->gpa, required->number_of_bytes, ABI_PAGE_SIZE))
		return false;
	if (required->number_of_bytes == 0 || required->number_of_bytes % ABI_PAGE_SIZE != 0)
		return refuse(c->error, IGVM_ERR_FORMAT, c->at,
			      "REQUIRED_MEMORY of %u bytes is not whole pages",
			      required->number_of_bytes);
	if (required->flags != 0 || required->reserved != 0)
		return refuse(c->error, IGVM_ERR_UNSUPPORTED, c->at,
			      "flags 0x%x of REQUIRED_MEMORY are not supported", required->flags);
	return true;
}

/* Checks the content of a header whose type and length are right. */
static bool check_content(struct check *c, uint32_t type, const uint8_t *content)
{
	union {
		struct igvm_supported_platform platform;
		struct igvm_guest_policy policy;
		struct igvm_page_data page;
		struct igvm_vp_context vp_context;
		struct igvm_required_memory required_memory;
	} as;

	memcpy(&as, content, find_type(type)->length);
	switch (type) {
	case IGVM_TYPE_SUPPORTED_PLATFORM:
		return check_platform(c, &as.platform);
	case IGVM_TYPE_GUEST_POLICY:
		return check_policy(c, &as.policy);
	case IGVM_TYPE_PAGE_DATA:
		c->file->directive_count++;
		return check_page(c, &as.page);
	case IGVM_TYPE_VP_CONTEXT:
		c->file->directive_count++;
		return check_vp_context(c, &as.vp_context);
	default:
		c->file->directive_count++;
		return check_required_memory(c, &as.required_memory);
	}
}

/* Sections come in order, and the platform before everything that refers to it. */
static bool check_section(struct check *c, uint32_t type)
{
	enum section section = SECTION_DIRECTIVE;

	if (type <= 0x100)
		section = SECTION_PLATFORM;
	else if (type <= 0x200)
		section = SECTION_INITIALIZATION;
	if (section < c->section)
		return refuse(c->error, IGVM_ERR_FORMAT, c->at,
			      "%s comes after a later section's headers", igvm_type_name(type));
	if (section != SECTION_PLATFORM && !c->has_platform)
		return refuse(c->error, IGVM_ERR_CONTRADICTION, c->at,
			      "no SUPPORTED_PLATFORM before %s", igvm_type_name(type));
	c->section = section;
	return true;
}

static bool check_variable_header(struct check *c, const struct igvm_variable_header *header,
				  const uint8_t *content)
{
	const struct type_info *info = find_type(header->type & ~IGVM_TYPE_IGNORABLE);

	if (!info || info->length == 0) {
		if (header->type & IGVM_TYPE_IGNORABLE)
			return true;
		if (!info)
			return refuse(c->error, IGVM_ERR_UNKNOWN, c->at,
				      "unknown directive type 0x%x", header->type);
		return refuse(c->error, IGVM_ERR_UNSUPPORTED, c->at,
			      "directive %s (0x%x) is not supported", info->name, header->type);
	}
	if (header->type & IGVM_TYPE_IGNORABLE)
		return refuse(c->error, IGVM_ERR_FORMAT, c->at, "%s is marked as ignorable",
			      info->name);
	if (header->length != info->length)
		return refuse(c->error, IGVM_ERR_FORMAT, c->at, "%s has %u bytes, it must have %u",
			      info->name, header->length, info->length);
	return check_section(c, header->type) && check_content(c, header->type, content);
}

static bool padding_ok(const uint8_t *content, uint32_t length)
{
	for (uint64_t i = length; i < PADDED(length); i++) {
		if (content[i] != 0)
			return false;
	}
	return true;
}

static struct bytes_reader variable_headers(const struct igvm_file *file)
{
	return bytes_reader_init(file->data + file->header.variable_header_offset,
				 file->header.variable_header_size);
}

static bool check_variable_headers(struct check *c)
{
	struct bytes_reader r = variable_headers(c->file);

	while (bytes_left(&r) > 0) {
		struct igvm_variable_header header;
		const uint8_t *content;

		c->at = c->file->header.variable_header_offset + r.pos;
		bytes_copy(&r, &header, sizeof(header));
		content = bytes_take(&r, PADDED(header.length));
		if (!content)
			return refuse(c->error, IGVM_ERR_TRUNCATED, c->at,
				      "a variable header of %u bytes leaves its section",
				      header.length);
		if (!padding_ok(content, header.length))
			return refuse(c->error, IGVM_ERR_FORMAT, c->at, "padding is not 0");
		if (!check_variable_header(c, &header, content))
			return false;
	}
	if (!c->has_platform)
		return refuse(c->error, IGVM_ERR_CONTRADICTION, sizeof(c->file->header),
			      "no SUPPORTED_PLATFORM");
	if (c->vp_seen & (c->vp_seen + 1))
		return refuse(c->error, IGVM_ERR_CONTRADICTION, sizeof(c->file->header),
			      "VP indices are not 0 to %u", c->file->vp_count - 1);
	return true;
}

/*
 * No page may be loaded twice. Without a heap: pages are looked at in windows of guest memory,
 * lowest first, each of which fits a bitmap on the stack. The number of windows is bounded, so
 * that a hostile file cannot make the search quadratic.
 */
#define WINDOW_PAGES 32768u
#define WINDOW_SIZE ((uint64_t)WINDOW_PAGES * ABI_PAGE_SIZE)
#define WINDOWS_MAX 1024u

static bool loads_pages(const struct igvm_directive *d, uint64_t *gpa)
{
	if (d->type == IGVM_TYPE_REQUIRED_MEMORY)
		return false;
	*gpa = d->type == IGVM_TYPE_PAGE_DATA ? d->page.gpa : d->vp_context.gpa;
	return true;
}

/* The lowest window at or above from that holds a page; false when there is none. */
static bool find_window(const struct igvm_file *file, uint64_t from, uint64_t *window)
{
	struct igvm_cursor cursor = { 0 };
	struct igvm_directive d;
	uint64_t lowest = ADDRESS_LIMIT, gpa;

	while (igvm_next(file, &cursor, &d)) {
		if (loads_pages(&d, &gpa) && gpa >= from && gpa < lowest)
			lowest = gpa;
	}
	*window = lowest & ~(WINDOW_SIZE - 1);
	return lowest != ADDRESS_LIMIT;
}

static bool check_window(const struct igvm_file *file, uint64_t window, struct igvm_error *error)
{
	uint64_t seen[WINDOW_PAGES / 64] = { 0 };
	struct igvm_cursor cursor = { 0 };
	struct igvm_directive d;
	uint64_t gpa;

	while (igvm_next(file, &cursor, &d)) {
		if (!loads_pages(&d, &gpa) || gpa < window || gpa - window >= WINDOW_SIZE)
			continue;
		for (uint64_t at = 0; at < d.size; at += ABI_PAGE_SIZE) {
			uint64_t page = (gpa + at - window) / ABI_PAGE_SIZE;

			if (seen[page / 64] & 1ull << page % 64)
				return refuse(error, IGVM_ERR_CONTRADICTION, d.header_offset,
					      "page 0x%llx is loaded twice",
					      (unsigned long long)(gpa + at));
			seen[page / 64] |= 1ull << page % 64;
		}
	}
	return true;
}

static bool check_no_page_twice(const struct igvm_file *file, struct igvm_error *error)
{
	uint64_t window = 0, from = 0;

	for (unsigned int i = 0; find_window(file, from, &window); i++) {
		if (i == WINDOWS_MAX)
			return refuse(error, IGVM_ERR_UNSUPPORTED, sizeof(file->header),
				      "pages are scattered over more than %u ranges of 128 MiB",
				      WINDOWS_MAX);
		if (!check_window(file, window, error))
			return false;
		from = window + WINDOW_SIZE;
	}
	return true;
}

bool igvm_open(struct igvm_file *file, const void *data, size_t size, struct igvm_error *error)
{
	struct check check = { .file = file, .error = error };

	*file = (struct igvm_file){ .data = data, .size = size };
	*error = (struct igvm_error){ .code = IGVM_OK };
	return check_fixed_header(file, error) && check_variable_headers(&check) &&
	       check_no_page_twice(file, error);
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
		return PSP_PAGE_TYPE_CPUID;
	default:
		return page->flags & IGVM_PAGE_FLAG_UNMEASURED ? PSP_PAGE_TYPE_UNMEASURED
							       : PSP_PAGE_TYPE_NORMAL;
	}
}

static void decode(const struct igvm_file *file, struct igvm_directive *d, const uint8_t *content)
{
	switch (d->type) {
	case IGVM_TYPE_PAGE_DATA:
		memcpy(&d->page, content, sizeof(d->page));
		d->page_type = page_type(&d->page);
		d->size = page_size(&d->page);
		d->data = data_at(file, d->page.file_offset);
		break;
	case IGVM_TYPE_VP_CONTEXT:
		memcpy(&d->vp_context, content, sizeof(d->vp_context));
		d->page_type = PSP_PAGE_TYPE_VMSA;
		d->size = ABI_PAGE_SIZE;
		d->data = data_at(file, d->vp_context.file_offset);
		break;
	default:
		memcpy(&d->required_memory, content, sizeof(d->required_memory));
		d->size = d->required_memory.number_of_bytes;
		break;
	}
}

bool igvm_next(const struct igvm_file *file, struct igvm_cursor *cursor,
	       struct igvm_directive *directive)
{
	struct bytes_reader r = variable_headers(file);

	r.pos = cursor->pos;
	while (bytes_left(&r) > 0) {
		size_t at = r.pos;
		struct igvm_variable_header header;
		const uint8_t *content;

		bytes_copy(&r, &header, sizeof(header));
		content = bytes_take(&r, PADDED(header.length));
		cursor->pos = r.pos;
		if (header.type != IGVM_TYPE_PAGE_DATA && header.type != IGVM_TYPE_VP_CONTEXT &&
		    header.type != IGVM_TYPE_REQUIRED_MEMORY)
			continue;
		*directive = (struct igvm_directive){
			.type = header.type,
			.header_offset = file->header.variable_header_offset + at,
		};
		decode(file, directive, content);
		return true;
	}
	return false;
}
