/* SPDX-License-Identifier: MIT */
/*
 * The launch digest of an SNP guest: what the AMD-SP reports as MEASUREMENT. For each page of the
 * launch, in order, the digest becomes SHA-384 of a PAGE_INFO (abi/psp.h; SNP firmware ABI,
 * SNP_LAUNCH_UPDATE) that holds the digest so far. The image builder, `socle igvm measure`, the
 * machine's AMD-SP and `socle verify` all use this.
 */
#ifndef SOCLE_CORE_IMAGE_HOST_DIGEST_H
#define SOCLE_CORE_IMAGE_HOST_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/psp.h"
#include "abi/snp.h"
#include "core/image/firmware.h"
#include "core/image/host/kernel_hashes.h"
#include "core/image/igvm.h"

struct launch_digest {
	uint8_t value[PSP_MEASUREMENT_SIZE];
};

/* The digest of an empty launch: zeros. */
void launch_digest_init(struct launch_digest *digest);

/*
 * Adds one 4 KiB page at gpa. The contents count for NORMAL and VMSA
 * pages only; NULL is a page of zeros. False when OpenSSL fails.
 */
bool launch_digest_page(struct launch_digest *digest, enum psp_page_type type, uint64_t gpa,
			const void *contents);

/* Adds what a directive launches, as 4 KiB pages. False when OpenSSL fails. */
bool launch_digest_directive(struct launch_digest *digest, const struct igvm_directive *directive);

/* The digest of a whole file. False when OpenSSL fails. */
bool launch_digest_file(const struct igvm_file *file, struct launch_digest *digest);

/* The vCPUs that QEMU and KVM launch firmware with: a VMSA each, at IGVM_HELD_VMSA_GPA. */
struct launch_vcpus {
	uint32_t count;
	uint32_t signature; /* EAX of CPUID leaf 1 */
	uint64_t sev_features;
};

/* The VMSA of one of them: the first starts at the reset vector. */
void launch_firmware_vmsa(const struct firmware *firmware, const struct launch_vcpus *vcpus,
			  uint32_t index, struct snp_vmsa *vmsa);

/*
 * The digest of firmware in the order of QEMU's launch: the image, the sections as the metadata
 * have them, the VMSAs (target/i386/sev.c, sev_snp_launch_finish()). hashes is the page of kernel
 * hashes; NULL: it is launched as zeros. False when OpenSSL fails.
 */
bool launch_digest_firmware(const struct firmware *firmware, const struct launch_vcpus *vcpus,
			    const uint8_t *hashes, struct launch_digest *digest);

/* The page of kernel hashes of such firmware, whose hash_table is not 0. */
void launch_firmware_hashes(const struct firmware *firmware, const struct kernel_hashes *hashes,
			    uint8_t page[ABI_PAGE_SIZE]);

#endif
