/* SPDX-License-Identifier: MIT */
#include "machine/host/tests/make_igvm.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/crc32.h"

#define FILE_MAX (1u << 20)

struct builder {
	uint8_t *data;
	size_t headers; /* end of the variable headers */
	size_t contents;
};

static void add_header(struct builder *b, uint32_t type, const void *content, uint32_t length)
{
	struct igvm_variable_header header = { .type = type, .length = length };

	memcpy(b->data + b->headers, &header, sizeof(header));
	memcpy(b->data + b->headers + sizeof(header), content, length);
	b->headers += sizeof(header) + ((length + 7u) & ~7u);
}

static uint32_t add_contents(struct builder *b, const void *page)
{
	uint32_t at = (uint32_t)b->contents;

	assert(b->contents + ABI_PAGE_SIZE <= FILE_MAX);
	memcpy(b->data + at, page, ABI_PAGE_SIZE);
	b->contents += ABI_PAGE_SIZE;
	return at;
}

static void add_page(struct builder *b, const struct make_page *page)
{
	struct igvm_page_data data = { .gpa = page->gpa,
				       .compatibility_mask = 1,
				       .flags = page->flags,
				       .data_type = page->type };
	uint8_t bytes[ABI_PAGE_SIZE];

	if (page->fill) {
		memset(bytes, page->fill, sizeof(bytes));
		data.file_offset = add_contents(b, bytes);
	}
	add_header(b, IGVM_TYPE_PAGE_DATA, &data, sizeof(data));
}

static void add_all(struct builder *b, const struct make_igvm *make)
{
	struct igvm_supported_platform platform = { .compatibility_mask = 1,
						    .highest_vtl = 2,
						    .platform_type = IGVM_PLATFORM_SEV_SNP,
						    .platform_version = 1 };
	struct igvm_guest_policy policy = { .policy = make->policy, .compatibility_mask = 1 };
	struct igvm_required_memory required = { .gpa = make->required_gpa,
						 .compatibility_mask = 1,
						 .number_of_bytes = 0x10000 };

	add_header(b, IGVM_TYPE_SUPPORTED_PLATFORM, &platform, sizeof(platform));
	add_header(b, IGVM_TYPE_GUEST_POLICY, &policy, sizeof(policy));
	if (make->required_gpa)
		add_header(b, IGVM_TYPE_REQUIRED_MEMORY, &required, sizeof(required));
	for (unsigned int i = 0; i < make->page_count; i++)
		add_page(b, &make->pages[i]);
	for (unsigned int i = 0; i < make->vmsa_count; i++) {
		struct igvm_vp_context vp = { .gpa = make->vmsa_gpa[i],
					      .compatibility_mask = 1,
					      .vp_index = make->vmsa_index[i] };

		vp.file_offset = add_contents(b, &make->vmsa);
		add_header(b, IGVM_TYPE_VP_CONTEXT, &vp, sizeof(vp));
	}
}

void make_igvm_default(struct make_igvm *make)
{
	*make = (struct make_igvm){
		.policy = 0x30000,
		.pages = { { .gpa = 0x1000000, .fill = 0xa5 },
			   { .gpa = 0x1001000 },
			   { .gpa = 0x1002000, .type = IGVM_PAGE_TYPE_SECRETS },
			   { .gpa = 0x1003000, .type = IGVM_PAGE_TYPE_CPUID_DATA } },
		.page_count = 4,
		.vmsa_gpa = { 0x1004000 },
		.vmsa_count = 1,
	};
	make->vmsa.sev_features = 0x9;
	make->vmsa.efer = 0x1000;
	make->vmsa.rip = 0x1000000;
}

uint8_t *make_igvm_build(const struct make_igvm *make, size_t *size)
{
	/* The contents start where no test's headers reach. */
	struct builder b = { .headers = sizeof(struct igvm_fixed_header), .contents = 0x1000 };
	struct igvm_fixed_header header = { .magic = IGVM_MAGIC, .format_version = 1 };
	uint32_t crc;

	b.data = calloc(1, FILE_MAX);
	assert(b.data);
	add_all(&b, make);
	header.variable_header_offset = sizeof(header);
	header.variable_header_size = (uint32_t)(b.headers - sizeof(header));
	header.total_file_size = (uint32_t)b.contents;
	crc = core_crc32(0, &header, sizeof(header));
	header.checksum = core_crc32(crc, b.data + sizeof(header), header.variable_header_size);
	memcpy(b.data, &header, sizeof(header));
	*size = b.contents;
	return b.data;
}
