/* SPDX-License-Identifier: MIT */
#include "core/image/host/digest.h"

#include <openssl/evp.h>
#include <string.h>

static const uint8_t zero_page[ABI_PAGE_SIZE];

static bool sha384(const void *data, size_t size, uint8_t out[PSP_MEASUREMENT_SIZE])
{
	return EVP_Digest(data, size, out, NULL, EVP_sha384(), NULL) == 1;
}

void launch_digest_init(struct launch_digest *digest)
{
	memset(digest, 0, sizeof(*digest));
}

bool launch_digest_page(struct launch_digest *digest, uint8_t page_type, uint64_t gpa,
			const void *contents)
{
	struct psp_page_info info = {
		.length = sizeof(info),
		.page_type = page_type,
		.gpa = gpa,
	};

	memcpy(info.digest_cur, digest->value, sizeof(info.digest_cur));
	if (page_type == PSP_PAGE_TYPE_NORMAL || page_type == PSP_PAGE_TYPE_VMSA) {
		if (!sha384(contents ? contents : zero_page, ABI_PAGE_SIZE, info.contents))
			return false;
	}
	return sha384(&info, sizeof(info), digest->value);
}

static uint8_t page_data_type(const struct igvm_page_data *page)
{
	if (page->flags & IGVM_PAGE_FLAG_SHARED)
		return 0;
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

uint8_t launch_digest_page_type(const struct igvm_directive *directive)
{
	if (directive->type == IGVM_TYPE_VP_CONTEXT)
		return PSP_PAGE_TYPE_VMSA;
	if (directive->type == IGVM_TYPE_PAGE_DATA)
		return page_data_type(&directive->page);
	return 0;
}

bool launch_digest_directive(struct launch_digest *digest, const struct igvm_directive *directive)
{
	uint8_t type = launch_digest_page_type(directive);
	uint64_t gpa = igvm_directive_gpa(directive);

	if (type == 0)
		return true;
	for (uint32_t at = 0; at < directive->size; at += ABI_PAGE_SIZE) {
		const uint8_t *contents = directive->data ? directive->data + at : NULL;

		if (!launch_digest_page(digest, type, gpa + at, contents))
			return false;
	}
	return true;
}

bool launch_digest_file(const struct igvm_file *file, struct launch_digest *digest)
{
	struct igvm_cursor cursor = { 0 };
	struct igvm_directive directive;

	launch_digest_init(digest);
	while (igvm_next(file, &cursor, &directive)) {
		if (!launch_digest_directive(digest, &directive))
			return false;
	}
	return true;
}
