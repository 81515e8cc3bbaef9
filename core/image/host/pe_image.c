/* SPDX-License-Identifier: MIT */
#include "core/image/host/pe_image.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"

#define PE_OFFSET 0x3cu
#define FILE_HEADER_SIZE 20u
#define SECTION_HEADER_SIZE 40u
#define MAGIC_PE32 0x10bu
#define MAGIC_PE32_PLUS 0x20bu
#define DIRECTORY_SECURITY 4u

static uint16_t read16(const struct pe_image *image, size_t at)
{
	struct bytes_reader r = bytes_reader_init(image->data + at, 2);

	return bytes_le16(&r);
}

static uint32_t read32(const struct pe_image *image, size_t at)
{
	struct bytes_reader r = bytes_reader_init(image->data + at, 4);

	return bytes_le32(&r);
}

/* The optional header: where what is not hashed stands. */
static const char *take_header(struct pe_image *image, size_t at, size_t size)
{
	bool plus = size >= 2 && read16(image, at) == MAGIC_PE32_PLUS;
	const size_t directories = at + (plus ? 112u : 96u);
	uint32_t count;

	if (size < (plus ? 112u : 96u) || (!plus && read16(image, at) != MAGIC_PE32))
		return "no optional header of a PE file";
	image->checksum = at + 64;
	image->header_size = read32(image, at + 60);
	count = read32(image, directories - 4);
	if (count > (size - (directories - at)) / 8)
		return "more directories than its header has";
	if (image->header_size > image->size || image->header_size < at + size)
		return "a header of a wrong size";
	if (count <= DIRECTORY_SECURITY)
		return NULL;
	image->security = directories + 8u * DIRECTORY_SECURITY;
	image->signatures_size = read32(image, image->security + 4);
	if (image->signatures_size &&
	    (image->signatures_size > image->size - image->header_size ||
	     read32(image, image->security) != image->size - image->signatures_size))
		return "signatures that are not at the end of the file";
	return NULL;
}

static int by_place(const void *a, const void *b)
{
	const struct pe_section *one = a, *other = b;

	return (one->at > other->at) - (one->at < other->at);
}

static const char *take_sections(struct pe_image *image, size_t at, unsigned int count)
{
	const size_t end = image->size - image->signatures_size;
	size_t before = image->header_size;

	if (count > PE_SECTIONS_MAX || at > image->header_size ||
	    count > (image->header_size - at) / SECTION_HEADER_SIZE)
		return "more sections than its header has";
	for (unsigned int i = 0; i < count; i++, at += SECTION_HEADER_SIZE) {
		struct pe_section *s = &image->sections[image->section_count];

		*s = (struct pe_section){ .at = read32(image, at + 20),
					  .file_size = read32(image, at + 16),
					  .size = read32(image, at + 8) };
		memcpy(s->name, image->data + at, 8);
		s->grows = s->size > s->file_size;
		if (s->grows)
			s->size = s->file_size;
		image->section_count += s->file_size != 0;
	}
	qsort(image->sections, image->section_count, sizeof(image->sections[0]), by_place);
	for (size_t i = 0; i < image->section_count; i++) {
		const struct pe_section *s = &image->sections[i];

		if (s->at < before || s->at > end || s->file_size > end - s->at)
			return "a section in the header, in another one or beyond the file";
		before = s->at + s->file_size;
	}
	return NULL;
}

static const char *take(struct pe_image *image)
{
	const char *wrong;
	size_t pe, optional;

	if (image->size < PE_OFFSET + 4 || memcmp(image->data, "MZ", 2) != 0)
		return "no PE file";
	pe = read32(image, PE_OFFSET);
	if (pe > image->size || image->size - pe < 4 + FILE_HEADER_SIZE ||
	    memcmp(image->data + pe, "PE\0", 4) != 0)
		return "no PE file";
	optional = read16(image, pe + 20);
	if (image->size - pe - 4 - FILE_HEADER_SIZE < optional)
		return "a header of a wrong size";
	wrong = take_header(image, pe + 4 + FILE_HEADER_SIZE, optional);
	return wrong ? wrong
		     : take_sections(image, pe + 4 + FILE_HEADER_SIZE + optional,
				     read16(image, pe + 6));
}

bool pe_image_open(struct pe_image *image, const void *data, size_t size, struct host_error *error)
{
	const char *wrong;

	*image = (struct pe_image){ .data = data, .size = size };
	wrong = take(image);
	return !wrong || host_fail(error, "%s", wrong);
}

/* What lies between two places. */
static bool add(EVP_MD_CTX *context, const struct pe_image *image, size_t from, size_t to)
{
	return EVP_DigestUpdate(context, image->data + from, to - from) == 1;
}

static bool add_header(EVP_MD_CTX *context, const struct pe_image *image)
{
	const size_t behind = image->checksum + 4;

	if (!add(context, image, 0, image->checksum))
		return false;
	if (!image->security)
		return add(context, image, behind, image->header_size);
	return add(context, image, behind, image->security) &&
	       add(context, image, image->security + 8, image->header_size);
}

/*
 * What lies behind the sections is hashed by its size, as edk2 and signers do, not by what lies
 * between them.
 */
static bool add_all(EVP_MD_CTX *context, const struct pe_image *image)
{
	const size_t end = image->size - image->signatures_size;
	size_t sum = image->header_size;

	if (!add_header(context, image))
		return false;
	for (size_t i = 0; i < image->section_count; i++) {
		const struct pe_section *s = &image->sections[i];

		if (!add(context, image, s->at, s->at + s->file_size))
			return false;
		sum += s->file_size;
	}
	return sum >= end || add(context, image, sum, end);
}

bool pe_image_digest(const struct pe_image *image, const EVP_MD *md, uint8_t *digest)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool ok = context && EVP_DigestInit_ex(context, md, NULL) == 1 && add_all(context, image) &&
		  EVP_DigestFinal_ex(context, digest, NULL) == 1;

	EVP_MD_CTX_free(context);
	return ok;
}

const struct pe_section *pe_image_section(const struct pe_image *image, const char *name,
					  const struct pe_section *behind)
{
	size_t i = behind ? (size_t)(behind - image->sections) + 1 : 0;

	for (; i < image->section_count; i++) {
		if (strcmp(image->sections[i].name, name) == 0)
			return &image->sections[i];
	}
	return NULL;
}
