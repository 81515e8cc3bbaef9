/* SPDX-License-Identifier: MIT */
/* The types of variable headers, and what their contents must be. */
#include <string.h>

#include "core/base/bytes.h"
#include "core/image/igvm_check.h"

#define PAGE_FLAGS_KNOWN (IGVM_PAGE_FLAG_2MB | IGVM_PAGE_FLAG_UNMEASURED | IGVM_PAGE_FLAG_SHARED)
#define ID_KEY_ALGORITHMS 1u /* of those, ECDSA P-384 with SHA-384 alone is defined */

static bool refuse_format(const struct igvm_check *c, const char *what)
{
	return igvm_refuse(c->error, IGVM_ERR_FORMAT, c->at, "%s", what);
}

static bool check_address(const struct igvm_check *c, uint64_t gpa, uint64_t size,
			  uint64_t alignment)
{
	if (gpa % alignment != 0)
		return igvm_refuse(c->error, IGVM_ERR_FORMAT, c->at, "gPA 0x%llx is unaligned",
				   (unsigned long long)gpa);
	if (!bytes_range_ok(gpa, size, IGVM_ADDRESS_LIMIT))
		return igvm_refuse(c->error, IGVM_ERR_FORMAT, c->at,
				   "gPA 0x%llx and what follows it is not a physical address",
				   (unsigned long long)gpa);
	return true;
}

/* Whole pages, at least one. */
static bool check_range(const struct igvm_check *c, const char *name, uint64_t gpa, uint64_t size)
{
	if (size == 0 || size % ABI_PAGE_SIZE != 0)
		return igvm_refuse(c->error, IGVM_ERR_FORMAT, c->at,
				   "%s of %llu bytes is not whole pages", name,
				   (unsigned long long)size);
	return check_address(c, gpa, size, ABI_PAGE_SIZE);
}

/* File data lie behind the headers. */
static bool check_file_data(const struct igvm_check *c, uint32_t offset, uint64_t size)
{
	if (offset < igvm_headers_end(c->file) || !bytes_range_ok(offset, size, c->file->size))
		return igvm_refuse(c->error, IGVM_ERR_TRUNCATED, c->at,
				   "file data at 0x%x, %llu bytes, are outside the data section",
				   offset, (unsigned long long)size);
	return true;
}

static bool check_platform_fields(const struct igvm_check *c,
				  const struct igvm_supported_platform *p)
{
	if (!igvm_platform_name(p->platform_type))
		return igvm_refuse(c->error, IGVM_ERR_UNKNOWN, c->at, "unknown platform type %u",
				   p->platform_type);
	if (p->platform_version != 1 || (p->highest_vtl != 0 && p->highest_vtl != 2))
		return igvm_refuse(c->error, IGVM_ERR_FORMAT, c->at,
				   "platform version %u, highest VTL %u are not known",
				   p->platform_version, p->highest_vtl);
	if (p->compatibility_mask == 0 ||
	    (p->compatibility_mask & (p->compatibility_mask - 1)) != 0)
		return igvm_refuse(c->error, IGVM_ERR_FORMAT, c->at,
				   "compatibility mask 0x%x is not one bit", p->compatibility_mask);
	if (c->masks & p->compatibility_mask)
		return igvm_refuse(c->error, IGVM_ERR_CONTRADICTION, c->at,
				   "a second SUPPORTED_PLATFORM with compatibility mask 0x%x",
				   p->compatibility_mask);
	return true;
}

static bool check_platform(struct igvm_check *c, const void *content, bool counts)
{
	struct igvm_supported_platform p;

	(void)counts;
	memcpy(&p, content, sizeof(p));
	if (!check_platform_fields(c, &p))
		return false;
	c->masks |= p.compatibility_mask;
	c->file->platforms |= 1u << p.platform_type;
	if (p.platform_type != IGVM_PLATFORM_SEV_SNP)
		return true;
	if (p.shared_gpa_boundary != 0) {
		c->vtom = p.shared_gpa_boundary;
		return true;
	}
	if (c->chosen)
		return igvm_refuse(c->error, IGVM_ERR_CONTRADICTION, c->at,
				   "a second SUPPORTED_PLATFORM for SEV-SNP");
	c->file->platform = p;
	c->chosen = true;
	return true;
}

static bool check_policy(struct igvm_check *c, const void *content, bool counts)
{
	struct igvm_guest_policy policy;

	memcpy(&policy, content, sizeof(policy));
	if (policy.reserved != 0)
		return refuse_format(c, "reserved field of GUEST_POLICY is not 0");
	if (!counts)
		return true;
	if (c->file->has_policy)
		return igvm_refuse(c->error, IGVM_ERR_CONTRADICTION, c->at,
				   "a second GUEST_POLICY");
	c->file->policy = policy.policy;
	c->file->has_policy = true;
	return true;
}

static bool check_relocatable(struct igvm_check *c, const void *content, bool counts)
{
	struct igvm_relocatable_region r;

	(void)counts;
	memcpy(&r, content, sizeof(r));
	if (r.flags & ~IGVM_RELOCATABLE_FLAGS_KNOWN)
		return igvm_refuse(c->error, IGVM_ERR_UNKNOWN, c->at,
				   "unknown flags 0x%x of RELOCATABLE_REGION", r.flags);
	if (r.alignment == 0 || r.alignment % ABI_PAGE_SIZE != 0)
		return refuse_format(c, "alignment of RELOCATABLE_REGION is not whole pages");
	if (r.gpa % r.alignment || r.minimum_gpa % r.alignment || r.maximum_gpa % r.alignment)
		return refuse_format(c, "an address of RELOCATABLE_REGION is unaligned");
	return check_range(c, "RELOCATABLE_REGION", r.gpa, r.size);
}

static bool check_page_tables(struct igvm_check *c, const void *content, bool counts)
{
	struct igvm_page_table_relocation t;

	memcpy(&t, content, sizeof(t));
	if (t.reserved != 0)
		return refuse_format(c, "reserved field of PAGE_TABLE_RELOCATION_REGION is not 0");
	if (t.used_size > t.size || t.used_size % ABI_PAGE_SIZE != 0)
		return refuse_format(c, "PAGE_TABLE_RELOCATION_REGION uses more than it has");
	if (counts && c->has_page_tables)
		return igvm_refuse(c->error, IGVM_ERR_CONTRADICTION, c->at,
				   "a second PAGE_TABLE_RELOCATION_REGION");
	c->has_page_tables |= counts;
	return check_range(c, "PAGE_TABLE_RELOCATION_REGION", t.gpa, t.size);
}

static bool check_corim(struct igvm_check *c, const void *content, bool counts)
{
	struct igvm_corim corim;

	(void)counts;
	memcpy(&corim, content, sizeof(corim));
	if (corim.reserved != 0)
		return refuse_format(c, "reserved field of CoRIM data is not 0");
	return check_file_data(c, corim.file_offset, corim.size);
}

static bool check_cca_policy(struct igvm_check *c, const void *content, bool counts)
{
	struct igvm_cca_policy policy;

	memcpy(&policy, content, sizeof(policy));
	if (counts)
		return igvm_refuse(c->error, IGVM_ERR_CONTRADICTION, c->at,
				   "CCA_POLICY for the platform SEV-SNP");
	if (policy.reserved_04 != 0 ||
	    !bytes_are_zero(policy.reserved_1a, sizeof(policy.reserved_1a)))
		return refuse_format(c, "reserved field of CCA_POLICY is not 0");
	if (policy.required_zeros & policy.required_ones)
		return refuse_format(c, "CCA_POLICY wants bits that are both 0 and 1");
	return true;
}

static bool check_version(struct igvm_check *c, const void *content, bool counts)
{
	(void)content;
	(void)counts;
	if (c->has_version)
		return igvm_refuse(c->error, IGVM_ERR_CONTRADICTION, c->at,
				   "a second VERSION_STRING");
	c->has_version = true;
	return true;
}

static bool check_area(struct igvm_check *c, const void *content, bool counts)
{
	struct igvm_parameter_area area;

	(void)counts;
	memcpy(&area, content, sizeof(area));
	if (!check_range(c, "PARAMETER_AREA", 0, area.number_of_bytes))
		return false;
	if (area.number_of_bytes > IGVM_AREA_SIZE_MAX)
		return igvm_refuse(c->error, IGVM_ERR_UNSUPPORTED, c->at,
				   "PARAMETER_AREA of more than %u bytes", IGVM_AREA_SIZE_MAX);
	if (igvm_find_area(c->file, area.index))
		return igvm_refuse(c->error, IGVM_ERR_CONTRADICTION, c->at,
				   "a second PARAMETER_AREA %u", area.index);
	if (c->file->area_count == IGVM_AREAS_MAX)
		return igvm_refuse(c->error, IGVM_ERR_UNSUPPORTED, c->at,
				   "more than %u PARAMETER_AREAs", IGVM_AREAS_MAX);
	if (area.file_offset != 0 && !check_file_data(c, area.file_offset, area.number_of_bytes))
		return false;
	c->file->areas[c->file->area_count++] = (struct igvm_area){
		.index = area.index,
		.size = (uint32_t)area.number_of_bytes,
		.data = area.file_offset ? c->file->data + area.file_offset : NULL,
	};
	return true;
}

static uint64_t area_bit(const struct igvm_check *c, const struct igvm_area *area)
{
	return 1ull << (area - c->file->areas);
}

/* An area that was declared and not put into the guest yet. */
static const struct igvm_area *open_area(struct igvm_check *c, uint32_t index)
{
	const struct igvm_area *area = igvm_find_area(c->file, index);

	if (area && !(c->areas_inserted & area_bit(c, area)))
		return area;
	igvm_refuse(c->error, IGVM_ERR_CONTRADICTION, c->at,
		    area ? "PARAMETER_AREA %u is in the guest already"
			 : "no PARAMETER_AREA %u before it",
		    index);
	return NULL;
}

static bool check_insert(struct igvm_check *c, const void *content, bool counts)
{
	struct igvm_parameter_insert insert;
	const struct igvm_area *area;

	memcpy(&insert, content, sizeof(insert));
	area = open_area(c, insert.area_index);
	if (!area || !check_address(c, insert.gpa, area->size, ABI_PAGE_SIZE))
		return false;
	c->areas_inserted |= area_bit(c, area);
	if (counts)
		c->file->page_count += area->size / ABI_PAGE_SIZE;
	return true;
}

static bool check_parameter(struct igvm_check *c, const void *content, bool counts)
{
	const struct igvm_area *area;
	struct igvm_parameter parameter;

	(void)counts;
	memcpy(&parameter, content, sizeof(parameter));
	area = open_area(c, parameter.area_index);
	if (!area)
		return false;
	if (parameter.byte_offset >= area->size)
		return igvm_refuse(c->error, IGVM_ERR_FORMAT, c->at,
				   "byte offset %u is outside PARAMETER_AREA %u of %u bytes",
				   parameter.byte_offset, parameter.area_index, area->size);
	return true;
}

static bool check_page_kind(const struct igvm_check *c, const struct igvm_page_data *page)
{
	if (page->flags & ~PAGE_FLAGS_KNOWN)
		return igvm_refuse(c->error, IGVM_ERR_UNKNOWN, c->at, "unknown page flags 0x%x",
				   page->flags);
	if (page->data_type > IGVM_PAGE_TYPE_CPUID_XF)
		return igvm_refuse(c->error, IGVM_ERR_UNKNOWN, c->at, "unknown page data type %u",
				   page->data_type);
	if (page->reserved != 0)
		return refuse_format(c, "reserved field of PAGE_DATA is not 0");
	if (page->data_type != IGVM_PAGE_TYPE_NORMAL &&
	    page->flags & (IGVM_PAGE_FLAG_2MB | IGVM_PAGE_FLAG_SHARED))
		return igvm_refuse(c->error, IGVM_ERR_CONTRADICTION, c->at,
				   "a secrets or CPUID page cannot be shared or large");
	return true;
}

static bool check_page(struct igvm_check *c, const void *content, bool counts)
{
	struct igvm_page_data page;
	uint32_t size;

	memcpy(&page, content, sizeof(page));
	size = igvm_page_size(&page);
	if (!check_page_kind(c, &page) || !check_address(c, page.gpa, size, size))
		return false;
	if (page.file_offset != 0 && !check_file_data(c, page.file_offset, size))
		return false;
	if (counts && !(page.flags & IGVM_PAGE_FLAG_SHARED))
		c->file->page_count += size / ABI_PAGE_SIZE;
	return true;
}

static bool check_vp_context(struct igvm_check *c, const void *content, bool counts)
{
	struct igvm_vp_context vp;

	memcpy(&vp, content, sizeof(vp));
	if (!check_address(c, vp.gpa, ABI_PAGE_SIZE, ABI_PAGE_SIZE))
		return false;
	if (vp.reserved != 0)
		return refuse_format(c, "reserved field of VP_CONTEXT is not 0");
	if (!counts) /* its contents are another platform's */
		return true;
	if (!check_file_data(c, vp.file_offset, ABI_PAGE_SIZE))
		return false;
	if (vp.vp_index >= IGVM_VPS_MAX)
		return igvm_refuse(c->error, IGVM_ERR_UNSUPPORTED, c->at,
				   "VP index %u is not supported", vp.vp_index);
	if (c->vp_seen & 1ull << vp.vp_index)
		return igvm_refuse(c->error, IGVM_ERR_CONTRADICTION, c->at,
				   "a second VP_CONTEXT with index %u", vp.vp_index);
	c->vp_seen |= 1ull << vp.vp_index;
	c->file->vp_count++;
	c->file->page_count++;
	return true;
}

static bool check_required_memory(struct igvm_check *c, const void *content, bool counts)
{
	struct igvm_required_memory required;

	(void)counts;
	memcpy(&required, content, sizeof(required));
	if (required.flags & ~IGVM_REQUIRED_VTL2_PROTECTABLE)
		return igvm_refuse(c->error, IGVM_ERR_UNKNOWN, c->at,
				   "unknown flags 0x%x of REQUIRED_MEMORY", required.flags);
	if (required.reserved != 0)
		return refuse_format(c, "reserved field of REQUIRED_MEMORY is not 0");
	return check_range(c, "REQUIRED_MEMORY", required.gpa, required.number_of_bytes);
}

static bool check_error_range(struct igvm_check *c, const void *content, bool counts)
{
	struct igvm_error_range range;

	(void)counts;
	memcpy(&range, content, sizeof(range));
	if (range.size > IGVM_AREA_SIZE_MAX)
		return igvm_refuse(c->error, IGVM_ERR_UNSUPPORTED, c->at,
				   "ERROR_RANGE of more than %u bytes", IGVM_AREA_SIZE_MAX);
	return check_range(c, "ERROR_RANGE", range.gpa, range.size);
}

static bool author_is_zero(const struct igvm_snp_id_block *block)
{
	return block->author_key_algorithm <= ID_KEY_ALGORITHMS &&
	       bytes_are_zero(&block->author_key_signature, sizeof(block->author_key_signature)) &&
	       bytes_are_zero(&block->author_key, sizeof(block->author_key));
}

/* Whether keys and signatures are good is the AMD-SP's to say. */
static bool check_id_block(struct igvm_check *c, const void *content, bool counts)
{
	struct igvm_snp_id_block block;

	memcpy(&block, content, sizeof(block));
	if (!bytes_are_zero(block.reserved, sizeof(block.reserved)) || block.id_key.reserved != 0 ||
	    block.author_key.reserved != 0)
		return refuse_format(c, "reserved field of SNP_ID_BLOCK is not 0");
	if (block.author_key_enabled > 1)
		return refuse_format(c, "AuthorKeyEnabled of SNP_ID_BLOCK is neither 0 nor 1");
	if (!block.author_key_enabled && !author_is_zero(&block))
		return refuse_format(c, "SNP_ID_BLOCK has an author key that is not enabled");
	if (counts && c->has_id_block)
		return igvm_refuse(c->error, IGVM_ERR_CONTRADICTION, c->at,
				   "a second SNP_ID_BLOCK");
	c->has_id_block |= counts;
	return true;
}

/* Of the isolation by VSM alone: nothing for SEV-SNP. */
static bool check_nothing(struct igvm_check *c, const void *content, bool counts)
{
	(void)c;
	(void)content;
	(void)counts;
	return true;
}

#define ROW(type, structure, yielded, name, check)                                               \
	{                                                                                        \
		type, sizeof(structure), offsetof(structure, compatibility_mask), yielded, name, \
			check                                                                    \
	}
#define PARAMETER(type, name)                                                                  \
	{                                                                                      \
		type, sizeof(struct igvm_parameter), IGVM_NO_MASK, true, name, check_parameter \
	}

static const struct igvm_type types[] = {
	{ IGVM_TYPE_SUPPORTED_PLATFORM, sizeof(struct igvm_supported_platform), IGVM_NO_MASK, false,
	  "SUPPORTED_PLATFORM", check_platform },
	ROW(IGVM_TYPE_GUEST_POLICY, struct igvm_guest_policy, false, "GUEST_POLICY", check_policy),
	ROW(IGVM_TYPE_RELOCATABLE_REGION, struct igvm_relocatable_region, true,
	    "RELOCATABLE_REGION", check_relocatable),
	ROW(IGVM_TYPE_PAGE_TABLE_RELOCATION, struct igvm_page_table_relocation, true,
	    "PAGE_TABLE_RELOCATION_REGION", check_page_tables),
	ROW(IGVM_TYPE_CORIM_DOCUMENT, struct igvm_corim, false, "CORIM_DOCUMENT", check_corim),
	ROW(IGVM_TYPE_CORIM_SIGNATURE, struct igvm_corim, false, "CORIM_SIGNATURE", check_corim),
	ROW(IGVM_TYPE_CCA_POLICY, struct igvm_cca_policy, false, "CCA_POLICY", check_cca_policy),
	{ IGVM_TYPE_VERSION_STRING, IGVM_ANY_LENGTH, IGVM_NO_MASK, false, "VERSION_STRING",
	  check_version },
	{ IGVM_TYPE_PARAMETER_AREA, sizeof(struct igvm_parameter_area), IGVM_NO_MASK, true,
	  "PARAMETER_AREA", check_area },
	ROW(IGVM_TYPE_PAGE_DATA, struct igvm_page_data, true, "PAGE_DATA", check_page),
	ROW(IGVM_TYPE_PARAMETER_INSERT, struct igvm_parameter_insert, true, "PARAMETER_INSERT",
	    check_insert),
	ROW(IGVM_TYPE_VP_CONTEXT, struct igvm_vp_context, true, "VP_CONTEXT", check_vp_context),
	ROW(IGVM_TYPE_REQUIRED_MEMORY, struct igvm_required_memory, true, "REQUIRED_MEMORY",
	    check_required_memory),
	PARAMETER(IGVM_TYPE_VP_COUNT_PARAMETER, "VP_COUNT_PARAMETER"),
	PARAMETER(IGVM_TYPE_SRAT, "SRAT"),
	PARAMETER(IGVM_TYPE_MADT, "MADT"),
	PARAMETER(IGVM_TYPE_MMIO_RANGES, "MMIO_RANGES"),
	ROW(IGVM_TYPE_SNP_ID_BLOCK, struct igvm_snp_id_block, true, "SNP_ID_BLOCK", check_id_block),
	PARAMETER(IGVM_TYPE_MEMORY_MAP, "MEMORY_MAP"),
	ROW(IGVM_TYPE_ERROR_RANGE, struct igvm_error_range, true, "ERROR_RANGE", check_error_range),
	PARAMETER(IGVM_TYPE_COMMAND_LINE, "COMMAND_LINE"),
	PARAMETER(IGVM_TYPE_SLIT, "SLIT"),
	PARAMETER(IGVM_TYPE_PPTT, "PPTT"),
	ROW(IGVM_TYPE_VBS_MEASUREMENT, struct igvm_vbs_measurement, false, "VBS_MEASUREMENT",
	    check_nothing),
	PARAMETER(IGVM_TYPE_DEVICE_TREE, "DEVICE_TREE"),
	PARAMETER(IGVM_TYPE_ENVIRONMENT_INFO, "ENVIRONMENT_INFO_PARAMETER"),
};

const struct igvm_type *igvm_type(uint32_t type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (types[i].type == type)
			return &types[i];
	}
	return NULL;
}

bool igvm_is_parameter(uint32_t type)
{
	const struct igvm_type *row = igvm_type(type);

	return row && row->check == check_parameter;
}

const char *igvm_type_name(uint32_t type)
{
	const struct igvm_type *row = igvm_type(type & ~IGVM_TYPE_IGNORABLE);

	return row ? row->name : NULL;
}

const char *igvm_platform_name(uint32_t platform_type)
{
	static const char *const names[] = {
		[IGVM_PLATFORM_NATIVE] = "native",
		[IGVM_PLATFORM_VSM_ISOLATION] = "VSM isolation",
		[IGVM_PLATFORM_SEV_SNP] = "SEV-SNP",
		[IGVM_PLATFORM_TDX] = "TDX",
		[IGVM_PLATFORM_SEV] = "SEV",
		[IGVM_PLATFORM_SEV_ES] = "SEV-ES",
		[IGVM_PLATFORM_CCA] = "CCA",
	};

	return platform_type < sizeof(names) / sizeof(names[0]) ? names[platform_type] : NULL;
}
