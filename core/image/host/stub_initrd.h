/* SPDX-License-Identifier: MIT */
/*
 * The first file system that systemd's stub hands to the kernel of a unified image, and that the
 * kernel's EFI stub measures: sections of the image, some of them as archives of one file each.
 */
#ifndef SOCLE_CORE_IMAGE_HOST_STUB_INITRD_H
#define SOCLE_CORE_IMAGE_HOST_STUB_INITRD_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/image/host/pe_image.h"

/* Which stub: from systemd 257 on .profile and .osrel are among them. */
enum stub_initrd_age { STUB_INITRD_257, STUB_INITRD_BEFORE_257 };

enum stub_initrd_result {
	STUB_INITRD_DIGEST,
	STUB_INITRD_NONE,  /* the kernel gets none */
	STUB_INITRD_ERROR, /* OpenSSL fails */
};

/*
 * The hash of it by this function. What lies beside the image in the EFI system partition
 * (credentials, extensions) and is joined, too, is not part of it.
 */
enum stub_initrd_result stub_initrd_digest(const struct pe_image *image, enum stub_initrd_age age,
					   const EVP_MD *md, uint8_t *digest);

#endif
