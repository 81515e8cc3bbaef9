/* SPDX-License-Identifier: MIT */
/*
 * Reader of PE files, as UEFI starts them (PE format, Microsoft; Authenticode PE image format):
 * their Authenticode hash, which firmware measures and signatures are over, and their sections,
 * which unified kernels consist of. The file is untrusted: pe_image_open() checks all that the rest
 * rests on.
 */
#ifndef SOCLE_CORE_IMAGE_HOST_PE_IMAGE_H
#define SOCLE_CORE_IMAGE_HOST_PE_IMAGE_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/host/error.h"

#define PE_SECTIONS_MAX 96u /* the loader of Windows takes no more */

struct pe_section {
	char name[9];
	size_t at, file_size; /* in the file */
	size_t size;	      /* of what is in it: what pads it in the file is not */
	bool grows;	      /* it is larger in memory, with zeros at its end */
};

/* An opened file. The bytes stay the caller's, who keeps them unchanged while this is in use. */
struct pe_image {
	const uint8_t *data;
	size_t size;
	size_t checksum;	/* where the four bytes of it are, which are not hashed */
	size_t security;	/* and the eight of the entry for signatures; 0: there is none */
	size_t signatures_size; /* at the end of the file */
	size_t header_size;
	struct pe_section sections[PE_SECTIONS_MAX]; /* by their place in the file */
	size_t section_count;
};

/*
 * False, and *error says what is wrong. Sections must neither overlap nor lie beyond the file or in
 * its header.
 */
bool pe_image_open(struct pe_image *image, const void *data, size_t size, struct host_error *error);

/* The Authenticode hash by this function. False when OpenSSL fails. */
bool pe_image_digest(const struct pe_image *image, const EVP_MD *md, uint8_t *digest);

/*
 * The first section of this name, behind another one of it or from the start (NULL); NULL: there is
 * none.
 */
const struct pe_section *pe_image_section(const struct pe_image *image, const char *name,
					  const struct pe_section *behind);

#endif
