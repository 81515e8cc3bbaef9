/* SPDX-License-Identifier: MIT */
#include "core/image/host/stub_initrd.h"

#include <stdio.h>
#include <string.h>

#define FOLDER ".extra"
#define FOLDER_MODE 040555u
#define FILE_MODE 0100444u
#define MEMBER_ALIGN 4u
#define NAME_MAX_SIZE 64u

/* What is joined, in this order; with a name it is packed as that file of FOLDER. */
static const struct part {
	const char *section, *name;
	bool from_257;
} parts[] = {
	{ ".ucode", NULL, false },
	{ ".initrd", NULL, false },
	{ ".pcrsig", FOLDER "/tpm2-pcr-signature.json", false },
	{ ".pcrpkey", FOLDER "/tpm2-pcr-public-key.pem", false },
	{ ".osrel", FOLDER "/os-release", true },
	{ ".profile", FOLDER "/profile", true },
};
#define PART_COUNT (sizeof(parts) / sizeof(parts[0]))

/*
 * Of newc (Linux, Documentation/driver-api/early-userspace/buffer-format.rst): 13 numbers behind
 * the magic.
 */
struct member {
	const char *name;
	uint32_t inode, mode;
	const void *data;
	size_t size;
};

static bool add(EVP_MD_CTX *hash, const void *data, size_t size)
{
	static const uint8_t zeros[MEMBER_ALIGN];
	const size_t pad = (MEMBER_ALIGN - size % MEMBER_ALIGN) % MEMBER_ALIGN;

	return EVP_DigestUpdate(hash, data, size) == 1 && EVP_DigestUpdate(hash, zeros, pad) == 1;
}

static bool add_member(EVP_MD_CTX *hash, const struct member *m)
{
	char header[6 + 13 * 8 + NAME_MAX_SIZE];
	int size = snprintf(header, sizeof(header),
			    "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s",
			    m->inode, m->mode, 0, 0, 1, 0, (uint32_t)m->size, 0, 0, 0, 0,
			    (uint32_t)strlen(m->name) + 1, 0, m->name);

	return add(hash, header, (size_t)size + 1) && add(hash, m->data, m->size);
}

/* The end of an archive, in which the stub writes the length of the name in capitals. */
static bool add_trailer(EVP_MD_CTX *hash)
{
	static const char trailer[] = "070701"
				      "00000000000000000000000000000000"
				      "00000001"
				      "000000000000000000000000000000000000000000000000"
				      "0000000B"
				      "00000000"
				      "TRAILER!!!";

	return add(hash, trailer, sizeof(trailer));
}

static bool add_part(EVP_MD_CTX *hash, const struct part *part, const void *data, size_t size)
{
	const struct member folder = { FOLDER, 1, FOLDER_MODE, "", 0 };
	const struct member file = { part->name, 2, FILE_MODE, data, size };

	if (!part->name)
		return add(hash, data, size);
	return add_member(hash, &folder) && add_member(hash, &file) && add_trailer(hash);
}

static const struct pe_section *section_of(const struct pe_image *image, size_t i,
					   enum stub_initrd_age age)
{
	const struct pe_section *s = pe_image_section(image, parts[i].section, NULL);

	return s && s->size && (age == STUB_INITRD_257 || !parts[i].from_257) ? s : NULL;
}

/* An .initrd that nothing is joined with is handed on as it is, without padding. */
static bool add_all(EVP_MD_CTX *hash, const struct pe_image *image, enum stub_initrd_age age,
		    unsigned int count)
{
	for (size_t i = 0; i < PART_COUNT; i++) {
		const struct pe_section *s = section_of(image, i, age);
		const uint8_t *data = s ? image->data + s->at : NULL;

		if (s && count == 1 && strcmp(parts[i].section, ".initrd") == 0)
			return EVP_DigestUpdate(hash, data, s->size) == 1;
		if (s && !add_part(hash, &parts[i], data, s->size))
			return false;
	}
	return true;
}

enum stub_initrd_result stub_initrd_digest(const struct pe_image *image, enum stub_initrd_age age,
					   const EVP_MD *md, uint8_t *digest)
{
	EVP_MD_CTX *hash;
	unsigned int count = 0;
	bool ok;

	for (size_t i = 0; i < PART_COUNT; i++)
		count += section_of(image, i, age) != NULL;
	if (count == 0)
		return STUB_INITRD_NONE;
	hash = EVP_MD_CTX_new();
	ok = hash && EVP_DigestInit_ex(hash, md, NULL) == 1 && add_all(hash, image, age, count) &&
	     EVP_DigestFinal_ex(hash, digest, NULL) == 1;
	EVP_MD_CTX_free(hash);
	return ok ? STUB_INITRD_DIGEST : STUB_INITRD_ERROR;
}
