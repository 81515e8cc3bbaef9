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

#endif
