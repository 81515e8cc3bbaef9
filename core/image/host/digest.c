/* SPDX-License-Identifier: MIT */
#include "core/image/host/digest.h"

#include <openssl/evp.h>
#include <string.h>

#include "core/snp/vmsa.h"

#define RESET_VECTOR 0xfffffff0u

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

/* Pages of one type that follow each other; contents NULL: zeros. */
static bool add_pages(struct launch_digest *digest, enum psp_page_type type, uint64_t gpa,
		      uint64_t size, const uint8_t *contents)
{
	for (uint64_t at = 0; at < size; at += ABI_PAGE_SIZE) {
		if (!launch_digest_page(digest, type, gpa + at, contents ? contents + at : NULL))
			return false;
	}
	return true;
}

bool launch_digest_directive(struct launch_digest *digest, const struct igvm_directive *directive)
{
	return directive->page_type == PSP_PAGE_TYPE_NONE ||
	       add_pages(digest, directive->page_type, igvm_directive_gpa(directive),
			 directive->size, directive->data);
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

void launch_firmware_vmsa(const struct firmware *firmware, const struct launch_vcpus *vcpus,
			  uint32_t index, struct snp_vmsa *vmsa)
{
	vmsa_kvm_reset(vmsa, index == 0 ? RESET_VECTOR : firmware->ap_start, vcpus->signature,
		       vcpus->sev_features);
}

void launch_firmware_hashes(const struct firmware *firmware, const struct kernel_hashes *hashes,
			    uint8_t page[ABI_PAGE_SIZE])
{
	memset(page, 0, ABI_PAGE_SIZE);
	kernel_hashes_write(hashes, page + firmware->hash_table % ABI_PAGE_SIZE);
}

static bool add_section(struct launch_digest *digest, const struct firmware_section *s,
			const uint8_t *hashes)
{
	if (s->type == FIRMWARE_KERNEL_HASHES && hashes)
		return add_pages(digest, PSP_PAGE_TYPE_NORMAL, s->gpa, s->size, hashes);
	return add_pages(digest, firmware_page_type(s->type), s->gpa, s->size, NULL);
}

bool launch_digest_firmware(const struct firmware *firmware, const struct launch_vcpus *vcpus,
			    const uint8_t *hashes, struct launch_digest *digest)
{
	bool ok;

	launch_digest_init(digest);
	ok = add_pages(digest, PSP_PAGE_TYPE_NORMAL, firmware->gpa, firmware->size, firmware->data);
	for (uint32_t i = 0; ok && i < firmware->section_count; i++)
		ok = add_section(digest, &firmware->sections[i], hashes);
	for (uint32_t i = 0; ok && i < vcpus->count; i++) {
		struct snp_vmsa vmsa;

		launch_firmware_vmsa(firmware, vcpus, i, &vmsa);
		ok = launch_digest_page(digest, PSP_PAGE_TYPE_VMSA, IGVM_HELD_VMSA_GPA, &vmsa);
	}
	return ok;
}
