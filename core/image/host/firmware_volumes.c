/* SPDX-License-Identifier: MIT */
#include "core/image/host/firmware_volumes.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/image/host/unlzma.h"

#define FLASH_BLOCK 4096u
#define VOLUME_ALIGN 8u
#define SECTION_ALIGN 4u
#define GUID_SIZE 16u

/* EFI_FIRMWARE_VOLUME_HEADER, EFI_FFS_FILE_HEADER, EFI_COMMON_SECTION_HEADER */
#define VOLUME_HEADER 56u
#define FILE_HEADER 24u
#define FILE_LARGE 0x01u
#define SECTION_LARGE 0xffffffu
#define SECTION_GUID_DEFINED 0x02u
#define SECTION_PE32 0x10u
#define SECTION_TE 0x12u
#define SECTION_VOLUME 0x17u
#define FILE_PAD 0xf0u

#define VERSION_MIN 4u
#define PACKED_MAX 16u /* OVMF has one; each costs a decoder */

/* As they stand in memory. */
static const uint8_t lzma_guid[GUID_SIZE] = { 0x98, 0x58, 0x4e, 0xee, 0x14, 0x39, 0x59, 0x42,
					      0x9d, 0x6e, 0xdc, 0x7b, 0xd7, 0x94, 0x03, 0xcf };
/*
 * OVMF's names of its volumes, and of the module that measures the version (edk2, OvmfPkg and
 * SecurityPkg).
 */
static const uint8_t pei_guid[GUID_SIZE] = { 0x9b, 0x07, 0x38, 0x69, 0x03, 0xb5, 0x3d, 0x4e,
					     0x9d, 0x24, 0xb2, 0x83, 0x37, 0xa2, 0x58, 0x06 };
static const uint8_t dxe_guid[GUID_SIZE] = { 0xc9, 0xbd, 0xb8, 0x7c, 0xeb, 0xf8, 0x34, 0x4f,
					     0xaa, 0xea, 0x3e, 0xe4, 0xaf, 0x65, 0x16, 0xa1 };
static const uint8_t tcg2_guid[GUID_SIZE] = { 0x77, 0x8b, 0xc9, 0xa0, 0xa5, 0xcb, 0xb8, 0x4b,
					      0x99, 0x3b, 0x4a, 0xf6, 0xce, 0x33, 0xec, 0xe4 };

/* A section of a file, or a file of a volume. */
struct piece {
	unsigned int type;
	const uint8_t *guid; /* of a file, or what defines a section; NULL: nothing does */
	struct firmware_part body;
};

/* Where the next one begins, and what is left there. */
struct walk {
	struct firmware_part all;
	size_t at;
};

static struct bytes_reader reader_at(const struct firmware_part *part, size_t at)
{
	if (at > part->size)
		at = part->size;
	return bytes_reader_init(part->data + at, part->size - at);
}

static uint32_t read24(struct bytes_reader *r)
{
	uint32_t low = bytes_le16(r);

	return low | (uint32_t)bytes_u8(r) << 16;
}

static size_t align(size_t at, size_t to)
{
	return (at + to - 1) & ~(to - 1);
}

/* A piece of this size and header, whose end is the walk's next place. */
static bool step(struct walk *w, uint64_t size, size_t header, size_t alignment,
		 struct firmware_part *body)
{
	if (size < header || !bytes_range_ok(w->at, size, w->all.size))
		return false;
	*body = (struct firmware_part){ w->all.data + w->at + header, (size_t)size - header };
	w->at = align(w->at + (size_t)size, alignment);
	return true;
}

/* ---- Sections ---- */

static bool next_section(struct walk *w, struct piece *piece)
{
	struct bytes_reader r = reader_at(&w->all, w->at);
	const size_t start = w->at;
	uint64_t size = read24(&r);
	size_t header = 4, data;

	piece->type = bytes_u8(&r);
	if (size == SECTION_LARGE) {
		size = bytes_le32(&r);
		header = 8;
	}
	if (!step(w, size, header, SECTION_ALIGN, &piece->body))
		return false;
	piece->guid = NULL;
	if (piece->type != SECTION_GUID_DEFINED)
		return true;
	r = reader_at(&piece->body, 0);
	piece->guid = bytes_take(&r, GUID_SIZE);
	data = bytes_le16(&r);
	if (!piece->guid || data < header + GUID_SIZE + 4 || data > size)
		return false;
	piece->body = (struct firmware_part){ w->all.data + start + data, (size_t)size - data };
	return true;
}

/* ---- Volumes and their files ---- */

/* The volume at the start of the part, as long as it says; *name is NULL where it has none. */
static bool open_volume(const struct firmware_part *part, struct walk *files, const uint8_t **name)
{
	struct bytes_reader r = reader_at(part, 32);
	uint64_t size = bytes_le64(&r);
	const uint8_t *signature = bytes_take(&r, 4);
	size_t header, extended;

	bytes_le32(&r);
	header = bytes_le16(&r);
	bytes_le16(&r);
	extended = bytes_le16(&r);
	if (!signature || memcmp(signature, "_FVH", 4) != 0 || size < VOLUME_HEADER ||
	    size > part->size || header < VOLUME_HEADER || header > size)
		return false;
	*files = (struct walk){ { part->data, (size_t)size }, header };
	*name = NULL;
	if (extended == 0)
		return true;
	r = reader_at(&files->all, extended);
	*name = bytes_take(&r, GUID_SIZE);
	files->at = align(extended + (size_t)bytes_le32(&r), VOLUME_ALIGN);
	return *name && files->at <= size;
}

/* False at the end, from where on there are only bytes of ones. */
static bool next_file(struct walk *w, struct piece *piece)
{
	struct bytes_reader r = reader_at(&w->all, w->at);
	unsigned int attributes;
	uint64_t size;
	size_t header = FILE_HEADER;

	piece->guid = bytes_take(&r, GUID_SIZE);
	bytes_le16(&r);
	piece->type = bytes_u8(&r);
	attributes = bytes_u8(&r);
	size = read24(&r);
	bytes_u8(&r);
	if (attributes & FILE_LARGE) {
		size = bytes_le64(&r);
		header += 8;
	}
	return piece->guid && step(w, size, header, VOLUME_ALIGN, &piece->body);
}

/* ---- What is looked for ---- */

static bool is_named(const uint8_t *name, const uint8_t wanted[GUID_SIZE])
{
	return name && memcmp(name, wanted, GUID_SIZE) == 0;
}

static const char *take_volume(struct firmware_volumes *v, const struct firmware_part *body)
{
	struct firmware_part *place = NULL;
	const uint8_t *name;
	struct walk files;

	if (!open_volume(body, &files, &name))
		return "a volume within it is damaged";
	if (is_named(name, pei_guid))
		place = &v->pei;
	else if (is_named(name, dxe_guid))
		place = &v->dxe;
	if (place && place->data)
		return "it has a volume twice";
	if (place)
		*place = files.all;
	return NULL;
}

struct search {
	struct firmware_volumes *volumes;
	struct host_error *error;
	unsigned int packed; /* how many sections were unpacked, and to how many bytes */
	size_t unpacked;
};

static const char *take_unpacked(struct firmware_volumes *v)
{
	struct walk sections = { { v->unpacked.data, v->unpacked.size }, 0 };
	const char *error = NULL;
	struct piece section;

	while (!error && next_section(&sections, &section)) {
		if (section.type == SECTION_VOLUME)
			error = take_volume(v, &section.body);
	}
	return error;
}

/* Those before the one with volumes of these names are passed over. Behind it there is none. */
static const char *unpack(struct search *s, const struct firmware_part *packed)
{
	struct firmware_volumes *v = s->volumes;

	if (v->pei.data || v->dxe.data)
		return "it has something compressed behind its volumes";
	if (s->packed == PACKED_MAX)
		return "it has too much that is compressed";
	file_free(&v->unpacked);
	if (!unlzma(packed->data, packed->size, FIRMWARE_UNPACKED_MAX - s->unpacked, &v->unpacked,
		    s->error))
		return s->error->text;
	s->packed++;
	s->unpacked += v->unpacked.size;
	return take_unpacked(v);
}

static const char *search_file(struct search *s, const struct firmware_part *file)
{
	struct walk sections = { *file, 0 };
	const char *wrong = NULL;
	struct piece section;

	while (!wrong && next_section(&sections, &section)) {
		if (is_named(section.guid, lzma_guid))
			wrong = unpack(s, &section.body);
	}
	return wrong;
}

static const char *search_volume(struct search *s, struct walk *files)
{
	const char *wrong = NULL;
	struct piece file;

	while (!wrong && next_file(files, &file)) {
		if (file.type != FILE_PAD)
			wrong = search_file(s, &file.body);
	}
	return wrong;
}

static const char *search(struct firmware_volumes *v, const struct firmware_part *flash,
			  struct host_error *error)
{
	struct search s = { .volumes = v, .error = error };
	const char *wrong = NULL;
	size_t at = 0;

	while (!wrong && at < flash->size) {
		const struct firmware_part rest = { flash->data + at, flash->size - at };
		const uint8_t *name;
		struct walk files;

		if (open_volume(&rest, &files, &name)) {
			at += align(files.all.size, FLASH_BLOCK);
			wrong = search_volume(&s, &files);
		} else {
			at += FLASH_BLOCK;
		}
	}
	return wrong || (v->pei.data && v->dxe.data) ? wrong : "it has no volumes of OVMF's";
}

/* ---- The version ---- */

/* Printable texts in UTF-16 with a NUL behind them: how many, and the last of them. */
struct texts {
	unsigned int count;
	const uint8_t *text;
	size_t length; /* characters */
};

static void find_texts(struct texts *t, const struct firmware_part *module)
{
	size_t start = 0;

	for (size_t at = 0; at + 1 < module->size; at += 2) {
		const uint8_t low = module->data[at], high = module->data[at + 1];

		if (high == 0 && low >= ' ' && low <= '~')
			continue;
		if (high == 0 && low == 0 && (at - start) / 2 >= VERSION_MIN)
			*t = (struct texts){ t->count + 1, module->data + start, (at - start) / 2 };
		start = at + 2;
	}
}

/* The only text that there is; more than one, or one that is too long, leaves none. */
static void take_version(struct firmware_volumes *v, const struct texts *t)
{
	if (t->count != 1 || t->length > FIRMWARE_VERSION_MAX)
		return;
	for (size_t i = 0; i < t->length; i++)
		v->version[i] = (char)t->text[2 * i];
}

static void find_version(struct firmware_volumes *v)
{
	struct texts texts = { 0 };
	struct piece file, section;
	const uint8_t *name;
	struct walk files;

	if (!open_volume(&v->pei, &files, &name))
		return;
	while (next_file(&files, &file)) {
		struct walk sections = { file.body, 0 };

		if (!is_named(file.guid, tcg2_guid))
			continue;
		while (next_section(&sections, &section)) {
			if (section.type == SECTION_PE32 || section.type == SECTION_TE)
				find_texts(&texts, &section.body);
		}
	}
	take_version(v, &texts);
}

bool firmware_volumes_open(struct firmware_volumes *volumes, const void *flash, size_t size,
			   struct host_error *error)
{
	const struct firmware_part all = { flash, size };
	const char *wrong;

	*volumes = (struct firmware_volumes){ 0 };
	wrong = search(volumes, &all, error);
	if (!wrong) {
		find_version(volumes);
		return true;
	}
	firmware_volumes_close(volumes);
	return wrong == error->text ? false : host_fail(error, "%s", wrong);
}

void firmware_volumes_close(struct firmware_volumes *volumes)
{
	file_free(&volumes->unpacked);
	*volumes = (struct firmware_volumes){ 0 };
}
