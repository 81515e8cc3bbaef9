/* SPDX-License-Identifier: MIT */
/*
 * Volumes made by hand (UEFI PI 1.8, volume III, 3.2), compressed by liblzma: each form that there
 * is, and what is damaged. That they are OVMF's, a real one says: tests/peers/firmware_pcr_test.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>

#include "core/image/host/firmware_volumes.h"

#define ROOM (4u << 20)
#define PE32 0x10u
#define GUIDED 0x02u
#define TE 0x12u
#define VOLUME 0x17u
#define LONG_TEXT (3u << 19)

static const uint8_t lzma_guid[16] = { 0x98, 0x58, 0x4e, 0xee, 0x14, 0x39, 0x59, 0x42,
				       0x9d, 0x6e, 0xdc, 0x7b, 0xd7, 0x94, 0x03, 0xcf };
static const uint8_t pei_guid[16] = { 0x9b, 0x07, 0x38, 0x69, 0x03, 0xb5, 0x3d, 0x4e,
				      0x9d, 0x24, 0xb2, 0x83, 0x37, 0xa2, 0x58, 0x06 };
static const uint8_t dxe_guid[16] = { 0xc9, 0xbd, 0xb8, 0x7c, 0xeb, 0xf8, 0x34, 0x4f,
				      0xaa, 0xea, 0x3e, 0xe4, 0xaf, 0x65, 0x16, 0xa1 };
static const uint8_t tcg2_guid[16] = { 0x77, 0x8b, 0xc9, 0xa0, 0xa5, 0xcb, 0xb8, 0x4b,
				       0x99, 0x3b, 0x4a, 0xf6, 0xce, 0x33, 0xec, 0xe4 };

struct bytes {
	uint8_t data[ROOM];
	size_t size;
};

/* How an image is made; what a test changes. */
struct shape {
	bool large; /* files and sections with their sizes in 32 and 64 bits */
	const char *texts[3];
	unsigned int text_sections[3]; /* which type of section each is in */
	unsigned int packed;	       /* compressed sections without volumes, before the others */
	bool behind;		       /* and one behind */
	bool twice;		       /* the first phase */
	void (*damage)(uint8_t *unpacked);
};

static void put(uint8_t *at, uint64_t value, unsigned int size)
{
	for (unsigned int i = 0; i < size; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static void add(struct bytes *to, const void *data, size_t size)
{
	assert_true(size <= ROOM - to->size);
	memcpy(to->data + to->size, data, size);
	to->size += size;
}

static void pad(struct bytes *to, size_t alignment)
{
	while (to->size % alignment)
		add(to, "", 1);
}

static void add_section(struct bytes *to, bool large, unsigned int type, const struct bytes *body)
{
	uint8_t header[8] = { 0 };
	const size_t length = large ? 8 : 4;

	pad(to, 4);
	put(header, large ? 0xffffff : length + body->size, 3);
	header[3] = (uint8_t)type;
	put(header + 4, length + body->size, 4);
	add(to, header, length);
	add(to, body->data, body->size);
}

static void add_file(struct bytes *to, bool large, const uint8_t guid[16], const struct bytes *body)
{
	uint8_t header[32] = { 0 };
	const size_t length = large ? 32 : 24;

	pad(to, 8);
	memcpy(header, guid, 16);
	header[18] = 6; /* EFI_FV_FILETYPE_PEIM */
	header[19] = large;
	put(header + 20, large ? 0 : length + body->size, 3);
	put(header + 24, length + body->size, 8);
	add(to, header, length);
	add(to, body->data, body->size);
}

/* Header at 0, extended header at 56, and files from 80 on. */
static void add_volume(struct bytes *to, const uint8_t name[16], const struct bytes *files)
{
	uint8_t header[80] = { 0 };

	put(header + 32, sizeof(header) + files->size, 8);
	memcpy(header + 40, "_FVH", 4);
	put(header + 48, 56, 2);
	if (name) {
		put(header + 52, 56, 2);
		memcpy(header + 56, name, 16);
		put(header + 72, 20, 4);
	} else {
		put(header + 48, 80, 2);
	}
	add(to, header, sizeof(header));
	add(to, files->data, files->size);
}

static void pack(struct bytes *to, const struct bytes *from)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	lzma_options_lzma options;
	static struct bytes made;

	assert_false(lzma_lzma_preset(&options, 0));
	options.dict_size = 4096;
	assert_int_equal(lzma_alone_encoder(&stream, &options), LZMA_OK);
	stream.next_in = from->data;
	stream.avail_in = from->size;
	stream.next_out = made.data;
	stream.avail_out = ROOM;
	assert_int_equal(lzma_code(&stream, LZMA_FINISH), LZMA_STREAM_END);
	made.size = ROOM - stream.avail_out;
	lzma_end(&stream);
	put(made.data + 5, from->size, 8); /* which that encoder does not know */
	add(to, made.data, made.size);
}

/* A section that LZMA defines, of whatever is in it. */
static void add_packed(struct bytes *to, bool large, const struct bytes *from)
{
	static struct bytes body;
	uint8_t defined[20] = { 0 };

	body.size = 0;
	memcpy(defined, lzma_guid, 16);
	put(defined + 16, (large ? 8 : 4) + sizeof(defined), 2);
	add(&body, defined, sizeof(defined));
	pack(&body, from);
	add_section(to, large, GUIDED, &body);
}

static void make_first_phase(struct bytes *volume, const struct shape *shape)
{
	static struct bytes text, sections, files;

	sections.size = files.size = volume->size = 0;
	for (size_t i = 0; i < 3 && shape->texts[i]; i++) {
		text.size = 0;
		for (const char *c = shape->texts[i]; *c; c++)
			add(&text, (uint8_t[]){ (uint8_t)*c, 0 }, 2);
		add(&text, "\0\0", 2);
		add_section(&sections, shape->large, shape->text_sections[i], &text);
	}
	add_file(&files, shape->large, tcg2_guid, &sections);
	add_volume(volume, pei_guid, &files);
}

/*
 * What is compressed: the section of the first phase's volume is at 0, that of the second's behind
 * it.
 */
static void make_unpacked(struct bytes *unpacked, const struct shape *shape)
{
	static struct bytes volume, files;

	unpacked->size = 0;
	make_first_phase(&volume, shape);
	for (unsigned int i = 0; i <= shape->twice; i++)
		add_section(unpacked, shape->large, VOLUME, &volume);
	volume.size = files.size = 0;
	add(&files, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	add_volume(&volume, dxe_guid, &files);
	add_section(unpacked, shape->large, VOLUME, &volume);
	if (shape->damage)
		shape->damage(unpacked->data);
}

static void make_flash(struct bytes *flash, const struct shape *shape)
{
	static struct bytes unpacked, sections, files;
	const struct bytes other = { "\4\0\0\x19", 4 };

	make_unpacked(&unpacked, shape);
	sections.size = files.size = flash->size = 0;
	for (unsigned int i = 0; i < shape->packed; i++)
		add_packed(&sections, shape->large, &other);
	add_packed(&sections, shape->large, &unpacked);
	if (shape->behind)
		add_packed(&sections, shape->large, &other);
	add_file(&files, shape->large, dxe_guid, &sections);
	add_volume(flash, NULL, &files);
}

/*
 * In memory of its own, for the sanitizer to see what is read behind it. NULL: it is read, with
 * this version.
 */
static void expect_flash(const struct bytes *flash, const char *why, const char *version)
{
	uint8_t *copy = malloc(flash->size);
	struct firmware_volumes volumes;
	struct host_error error = { 0 };
	bool ok;

	assert_non_null(copy);
	memcpy(copy, flash->data, flash->size);
	ok = firmware_volumes_open(&volumes, copy, flash->size, &error);
	if (ok == (why != NULL))
		fail_msg("%s, not %s", ok ? "it is read" : error.text, why ? why : "read");
	if (ok) {
		assert_string_equal(volumes.version, version);
		assert_memory_equal(volumes.pei.data + 56, pei_guid, 16);
		assert_memory_equal(volumes.dxe.data + 56, dxe_guid, 16);
		assert_int_equal(volumes.dxe.size, 88);
		firmware_volumes_close(&volumes);
	} else {
		assert_string_equal(error.text, why);
	}
	free(copy);
}

static void expect(const struct shape *shape, const char *why, const char *version)
{
	static struct bytes flash;

	make_flash(&flash, shape);
	expect_flash(&flash, why, version);
}

static void test_forms(void **state)
{
	(void)state;
	for (int large = 0; large < 2; large++) {
		expect(&(struct shape){ .large = large,
					.texts = { "2026.08" },
					.text_sections = { PE32 },
					.packed = 15 },
		       NULL, "2026.08");
		expect(&(struct shape){ .large = large,
					.texts = { "2026.08" },
					.text_sections = { TE } },
		       NULL, "2026.08");
		expect(&(struct shape){ .large = large,
					.texts = { "2026.08" },
					.text_sections = { 0x19 } },
		       NULL, "");
	}
}

static void test_versions(void **state)
{
	static char long_text[LONG_TEXT + 1], most[FIRMWARE_VERSION_MAX + 2];

	(void)state;
	memset(long_text, 'A', LONG_TEXT);
	memset(most, 'V', FIRMWARE_VERSION_MAX);
	expect(&(struct shape){ .texts = { most }, .text_sections = { PE32 } }, NULL, most);
	most[FIRMWARE_VERSION_MAX] = 'V';
	expect(&(struct shape){ .texts = { most }, .text_sections = { PE32 } }, NULL, "");
	expect(&(struct shape){ .texts = { long_text }, .text_sections = { PE32 } }, NULL, "");
	expect(&(struct shape){ .texts = { "abc", "2026.08", "\n" },
				.text_sections = { PE32, PE32, PE32 } },
	       NULL, "2026.08");
	/* One that does not end is read once, not from each of its characters on. */
	long_text[LONG_TEXT - 1] = '\n';
	expect(&(struct shape){ .texts = { long_text }, .text_sections = { PE32 } }, NULL, "");
	/* Two of them are no mixture of both. */
	expect(&(struct shape){ .texts = { "a long one", "short" }, .text_sections = { PE32, TE } },
	       NULL, "");
	expect(&(struct shape){ .texts = { "short", "a long one" },
				.text_sections = { PE32, PE32 } },
	       NULL, "");
}

static void test_packed(void **state)
{
	const struct shape good = { .texts = { "2026.08" }, .text_sections = { PE32 } };
	struct shape shape = good;

	(void)state;
	shape.packed = 16;
	expect(&shape, "it has too much that is compressed", NULL);
	shape = good;
	shape.behind = true;
	expect(&shape, "it has something compressed behind its volumes", NULL);
	shape = good;
	shape.twice = true;
	expect(&shape, "it has a volume twice", NULL);
}

/* The section of the first phase: 4 bytes, and its volume. */
#define DAMAGE(name, at, value, size)              \
	static void name(uint8_t *unpacked)        \
	{                                          \
		put(unpacked + (at), value, size); \
	}

DAMAGE(section_of_0, 0, 0, 3)
DAMAGE(section_of_3, 0, 3, 3)
DAMAGE(section_too_long, 0, 0xfffffe, 3)
DAMAGE(section_large_of_7, 0, 0x0700000017ffffffu, 8)
DAMAGE(volume_too_long, 4 + 32, 0x1000, 8)
DAMAGE(volume_of_55, 4 + 32, 55, 8)
DAMAGE(volume_unsigned, 4 + 40, 0, 1)
DAMAGE(header_too_short, 4 + 48, 55, 2)
DAMAGE(header_too_long, 4 + 48, 0xffff, 2)
DAMAGE(extended_beyond, 4 + 52, 0xffff, 2)
DAMAGE(extended_too_long, 4 + 72, 0xffffffff, 4)
DAMAGE(file_of_0, 4 + 80 + 20, 0, 3)
DAMAGE(file_of_23, 4 + 80 + 20, 23, 3)
DAMAGE(file_too_long, 4 + 80 + 20, 0xffff, 3)
DAMAGE(file_large_of_31, 4 + 80 + 19, 1, 1)

/*
 * The last 15, 16 or 20 bytes of the volume, 80 + 24 + 4 + 16 = 124 long, are the extended header.
 */
DAMAGE(extended_cut, 4 + 52, 124 - 15, 2)
DAMAGE(extended_unsaid, 4 + 52, 124 - 16, 2)

static void test_damaged(void **state)
{
	static const char none[] = "it has no volumes of OVMF's",
			  damaged[] = "a volume within it is damaged";
	static const struct {
		void (*damage)(uint8_t *unpacked);
		const char *why; /* NULL: there is no version, and nothing else is missing */
	} cases[] = {
		{ section_of_0, none },		{ section_of_3, none },
		{ section_too_long, none },	{ section_large_of_7, none },
		{ volume_too_long, damaged },	{ volume_of_55, damaged },
		{ volume_unsigned, damaged },	{ header_too_short, damaged },
		{ header_too_long, damaged },	{ extended_beyond, damaged },
		{ extended_too_long, damaged }, { extended_cut, damaged },
		{ extended_unsaid, none },	{ file_of_0, NULL },
		{ file_of_23, NULL },		{ file_too_long, NULL },
		{ file_large_of_31, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect(&(struct shape){ .texts = { "2026.08" },
					.text_sections = { PE32 },
					.damage = cases[i].damage },
		       cases[i].why, "");
}

/*
 * In the flash the file's header is at 80, that of its section at 104, and its GUID, offset and
 * attributes from 108 on.
 */
static void test_damaged_flash(void **state)
{
	static const struct {
		size_t at;
		uint64_t value;
		unsigned int size;
	} cases[] = {
		{ 32, 0xffffffff, 8 }, { 32, 0, 8 },	     { 40, 0, 1 },  { 48, 0, 2 },
		{ 100, 0, 3 },	       { 100, 3, 3 },	     { 100, 7, 3 }, { 100, 0xfffffe, 3 },
		{ 104, 0, 3 },	       { 104, 3, 3 },	     { 104, 7, 3 }, { 104, 23, 3 },
		{ 104, 0xfffffe, 3 },  { 104, 0xffffff, 3 }, { 108, 0, 1 }, { 124, 0, 2 },
		{ 124, 23, 2 },	       { 124, 0xffff, 2 },   { 99, 1, 1 },
	};
	const struct shape good = { .texts = { "2026.08" }, .text_sections = { PE32 } };
	static struct bytes flash;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		make_flash(&flash, &good);
		put(flash.data + cases[i].at, cases[i].value, cases[i].size);
		expect_flash(&flash, "it has no volumes of OVMF's", NULL);
	}
	make_flash(&flash, &good);
	while (flash.size-- > 1)
		expect_flash(&flash, "it has no volumes of OVMF's", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),	      cmocka_unit_test(test_versions),
		cmocka_unit_test(test_packed),	      cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_damaged_flash),
	};

	return cmocka_run_group_tests_name("firmware volumes", tests, NULL, NULL);
}
