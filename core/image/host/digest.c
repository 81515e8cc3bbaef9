/* SPDX-License-Identifier: MIT */
#include "core/image/host/digest.h"

#include <openssl/evp.h>
#include <string.h>

#include "abi/snp.h"

static const uint8_t zero_page[ABI_PAGE_SIZE];

static bool sha384(const void *data, size_t size, uint8_t out[PSP_MEASUREMENT_SIZE])
{
	return EVP_Digest(data, size, out, NULL, EVP_sha384(), NULL) == 1;
}

/* Scale and offset of the TSC are the AMD-SP's, and count as 0 (SNP_LAUNCH_UPDATE). */
static bool sha384_of_vmsa(const void *contents, uint8_t out[PSP_MEASUREMENT_SIZE])
{
	struct snp_vmsa vmsa = { 0 };

	if (contents)
		memcpy(&vmsa, contents, sizeof(vmsa));
	vmsa.tsc_scale = 0;
	vmsa.tsc_offset = 0;
	return sha384(&vmsa, sizeof(vmsa), out);
}

void launch_digest_init(struct launch_digest *digest)
{
	memset(digest, 0, sizeof(*digest));
}

bool launch_digest_page(struct launch_digest *digest, enum psp_page_type type, uint64_t gpa,
			const void *contents)
{
	struct psp_page_info info = {
		.length = sizeof(info),
		.page_type = (uint8_t)type,
		.gpa = gpa,
	};

	memcpy(info.digest_cur, digest->value, sizeof(info.digest_cur));
	if (type == PSP_PAGE_TYPE_VMSA && !sha384_of_vmsa(contents, info.contents))
		return false;
	if (type == PSP_PAGE_TYPE_NORMAL &&
	    !sha384(contents ? contents : zero_page, ABI_PAGE_SIZE, info.contents))
		return false;
	return sha384(&info, sizeof(info), digest->value);
}

bool launch_digest_directive(struct launch_digest *digest, const struct igvm_directive *directive)
{
	uint64_t gpa = igvm_directive_gpa(directive);

	if (directive->page_type == PSP_PAGE_TYPE_NONE)
		return true;
	for (uint64_t at = 0; at < directive->size; at += ABI_PAGE_SIZE) {
		const uint8_t *contents = directive->data ? directive->data + at : NULL;

		if (!launch_digest_page(digest, directive->page_type, gpa + at, contents))
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
