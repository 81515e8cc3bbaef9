/* SPDX-License-Identifier: MIT */
/*
 * The reader of firmware against images made by hand, and against every way to break them. The
 * layout is that of edk2's OvmfPkg/ResetVector; the sections are those of Debian's OVMF 2025.02.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/image/firmware.h"

#define SIZE 0x20000u
#define METADATA 0x548u /* before the end */
#define TABLE_END (SIZE - 32)

static const uint32_t sections[][3] = {
	{ 0x800000, 0x9000, 1 }, { 0x80a000, 0x3000, 1 }, { 0x80d000, 0x1000, 2 },
	{ 0x80e000, 0x1000, 3 }, { 0x80f000, 0x1000, 4 }, { 0x810000, 0x10000, 1 },
};
#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

static uint8_t image[SIZE + 0x10000];

static void put(uint8_t *at, uint64_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

/* The bytes of a GUID as its text has them, the first three fields little-endian. */
static void put_guid(uint8_t *at, uint32_t a, uint16_t b, uint16_t c, uint64_t d)
{
	put(at, a, 4);
	put(at + 4, b, 2);
	put(at + 6, c, 2);
	for (unsigned int i = 0; i < 8; i++)
		at[8 + i] = (uint8_t)(d >> (56 - 8 * i));
}

/*
 * Where the entries are: the table's own, the metadata's and the other vCPUs' start; 22 bytes each.
 */
#define FOOTER (TABLE_END - 18)
#define ENTRY_METADATA (FOOTER - 22)
#define ENTRY_START (ENTRY_METADATA - 22)
#define ENTRY_OTHER (ENTRY_START - 26)

/* The size of ENTRY_OTHER: the place of the table of kernel hashes. */
static void put_hashes(uint32_t gpa, uint32_t size)
{
	put(image + ENTRY_OTHER, gpa, 4);
	put(image + ENTRY_OTHER + 4, size, 4);
}

static uint8_t *section_at(unsigned int i)
{
	return image + SIZE - METADATA + 16 + i * 12;
}

static int make(void **state)
{
	uint8_t *metadata = image + SIZE - METADATA;

	(void)state;
	memset(image, 0x90, sizeof(image));
	put(image + FOOTER, 18 + 22 + 22 + 26, 2);
	put_guid(image + FOOTER + 2, 0x96b582de, 0x1fb2, 0x45f7, 0xbaeaa366c55a082d);
	put(image + ENTRY_METADATA, METADATA, 4);
	put(image + ENTRY_METADATA + 4, 22, 2);
	put_guid(image + ENTRY_METADATA + 6, 0xdc886566, 0x984a, 0x4798, 0xa75e5585a7bf67cc);
	put(image + ENTRY_START, 0x80b004, 4);
	put(image + ENTRY_START + 4, 22, 2);
	put_guid(image + ENTRY_START + 6, 0x00f771de, 0x1a7e, 0x4fcb, 0x890e68c77e2fb44e);
	put_hashes(0, 0);
	put(image + ENTRY_OTHER + 8, 26, 2);
	put_guid(image + ENTRY_OTHER + 10, 0x7255371f, 0x3a3b, 0x4b04, 0x927b1da6efa8d454);
	memcpy(metadata, "ASEV", 4);
	put(metadata + 4, 16 + 12 * SECTIONS, 4);
	put(metadata + 8, 1, 4);
	put(metadata + 12, SECTIONS, 4);
	for (unsigned int i = 0; i < SECTIONS; i++) {
		for (unsigned int n = 0; n < 3; n++)
			put(section_at(i) + 4 * n, sections[i][n], 4);
	}
	return 0;
}

static void assert_refused_at(const uint8_t *data, size_t size, const char *why, uint64_t offset)
{
	struct firmware_error error = { 0 };
	struct firmware firmware;
	uint8_t *copy = malloc(size + !size); /* for the sanitizer to see what is read behind it */

	assert_non_null(copy);
	memcpy(copy, data, size);
	if (firmware_open(&firmware, copy, size, &error))
		fail_msg("\"%s\" is not refused", why);
	assert_string_equal(error.what, why);
	assert_int_equal(error.offset, offset);
	free(copy);
}

static void assert_refused(const char *why, uint64_t offset)
{
	assert_refused_at(image, SIZE, why, offset);
	make(NULL);
}

static void test_good(void **state)
{
	struct firmware_error error;
	struct firmware f;

	(void)state;
	if (!firmware_open(&f, image, SIZE, &error))
		fail_msg("%s", error.what);
	assert_int_equal(f.gpa, 0xfffe0000);
	assert_int_equal(f.ap_start, 0x80b004);
	assert_int_equal(f.section_count, SECTIONS);
	assert_int_equal(f.sections[1].gpa, 0x80a000);
	assert_int_equal(f.sections[1].size, 0x3000);
	assert_int_equal(firmware_section(&f, 2)->gpa, 0x80d000);
	assert_int_equal(firmware_section(&f, 3)->gpa, 0x80e000);
	assert_null(firmware_section(&f, 0x10));
	/* QEMU, target/i386/sev.c: KVM_SEV_SNP_PAGE_TYPE_* */
	assert_int_equal(firmware_page_type(1), 3);
	assert_int_equal(firmware_page_type(2), 5);
	assert_int_equal(firmware_page_type(3), 6);
	assert_int_equal(firmware_page_type(4), 3);
	assert_int_equal(firmware_page_type(0x10), 3);
	assert_int_equal(firmware_page_type(0), 0);
	assert_int_equal(firmware_page_type(5), 0);
}

static void test_size(void **state)
{
	const char *why = "firmware is a multiple of 64 KiB, up to 16 MiB";
	uint8_t *big = calloc(1, (16u << 20) + 0x10000);

	(void)state;
	assert_non_null(big);
	assert_refused_at(image, 0, why, 0);
	assert_refused_at(image, 0x1000, why, 0);
	assert_refused_at(image, SIZE - 1, why, 0);
	assert_refused_at(image, SIZE + 0x1000, why, 0);
	assert_refused_at(big, (16u << 20) + 0x10000, why, 0);
	assert_refused_at(big, 16u << 20, "there is no table of GUIDs", (16u << 20) - 48);
	free(big);
	/* Cut, or with something behind it: the table is not where it has to be. */
	assert_refused_at(image, SIZE - 0x10000, "there is no table of GUIDs", SIZE - 0x10000 - 48);
	assert_refused_at(image, SIZE + 0x10000, "there is no table of GUIDs", SIZE + 0x10000 - 48);
}

static void test_table(void **state)
{
	const char *outside = "an entry of the table of GUIDs lies outside the table";

	(void)state;
	image[FOOTER + 2] ^= 1;
	assert_refused("there is no table of GUIDs", TABLE_END - 16);
	put(image + FOOTER, 17, 2);
	assert_refused("the table of GUIDs lies outside the file", FOOTER);
	put(image + FOOTER, 18, 2);
	assert_refused("it has no SEV metadata, and cannot be an SNP guest's", TABLE_END);
	put(image + FOOTER, 18 + 22, 2);
	assert_refused("it does not say where the other vCPUs start", TABLE_END);
	put(image + FOOTER, 18 + 22 + 17, 2);
	assert_refused("the table of GUIDs ends within an entry", ENTRY_METADATA - 17);
	put(image + FOOTER, 18 + 22 + 21, 2);
	assert_refused(outside, ENTRY_METADATA - 18);
	put(image + ENTRY_METADATA + 4, 17, 2);
	assert_refused(outside, FOOTER - 18);
	put(image + ENTRY_METADATA + 4, 0, 2);
	assert_refused(outside, FOOTER - 18);
	put(image + ENTRY_METADATA + 4, 22 + 22 + 26 + 1, 2);
	assert_refused(outside, FOOTER - 18);
	/* The entry reaches over the next one. */
	put(image + ENTRY_METADATA + 4, 22 + 22, 2);
	assert_refused("an entry of the table of GUIDs has the wrong size", ENTRY_START);
	memcpy(image + ENTRY_START + 6, image + ENTRY_METADATA + 6, 16);
	assert_refused("an entry of the table of GUIDs is there twice", ENTRY_START);
	image[ENTRY_METADATA + 6] ^= 1;
	assert_refused("it has no SEV metadata, and cannot be an SNP guest's", TABLE_END);
	image[ENTRY_START + 21] ^= 1;
	assert_refused("it does not say where the other vCPUs start", TABLE_END);
}

/* A table that is longer than the smallest file. */
static void test_long_table(void **state)
{
	(void)state;
	put(image + FOOTER, 0xffff, 2);
	assert_refused_at(image + SIZE - 0x10000, 0x10000,
			  "the table of GUIDs lies outside the file", 0x10000 - 50);
}

static void test_metadata(void **state)
{
	uint8_t *metadata = image + SIZE - METADATA;
	const char *none = "there are no SEV metadata where the table of GUIDs says";

	(void)state;
	put(image + ENTRY_METADATA, SIZE + 1, 4);
	assert_refused("the SEV metadata lie outside the file", TABLE_END);
	put(image + ENTRY_METADATA, 0xffffffff, 4);
	assert_refused("the SEV metadata lie outside the file", TABLE_END);
	put(image + ENTRY_METADATA, SIZE, 4);
	assert_refused(none, 0);
	put(image + ENTRY_METADATA, 0, 4);
	assert_refused(none, SIZE);
	put(image + ENTRY_METADATA, 15, 4);
	assert_refused(none, SIZE - 15);
	metadata[3] = 'X';
	assert_refused(none, SIZE - METADATA);
	put(metadata + 8, 2, 4);
	assert_refused("the SEV metadata are of another version than 1", SIZE - METADATA);
	put(metadata + 12, 33, 4);
	assert_refused("the SEV metadata have too many sections", SIZE - METADATA);
	put(metadata + 12, 0xffffffff, 4);
	assert_refused("the SEV metadata have too many sections", SIZE - METADATA);
	put(metadata + 4, 16 + 12 * SECTIONS + 1, 4);
	assert_refused("the SEV metadata have another size than their sections", SIZE - METADATA);
	put(metadata + 12, SECTIONS - 1, 4);
	assert_refused("the SEV metadata have another size than their sections", SIZE - METADATA);
	put(metadata + 12, 3, 4);
	put(metadata + 4, 16 + 12 * 3, 4);
	assert_refused("the SEV metadata have no section for secrets or CPUID", SIZE - METADATA);
	/* The header is the last that there is. */
	memcpy(image + SIZE - 16, "ASEV", 4);
	put(image + SIZE - 12, 28, 4);
	put(image + SIZE - 8, 1, 4);
	put(image + SIZE - 4, 1, 4);
	put(image + ENTRY_METADATA, 16, 4);
	assert_refused("the SEV metadata are cut off", SIZE);
}

static void refuse_section(unsigned int i, uint32_t gpa, uint32_t size, uint32_t type,
			   const char *why)
{
	put(section_at(i), gpa, 4);
	put(section_at(i) + 4, size, 4);
	put(section_at(i) + 8, type, 4);
	assert_refused(why, SIZE - METADATA + 16 + 12 * i);
}

static void test_sections(void **state)
{
	const char *another = "a section overlaps another one";

	(void)state;
	refuse_section(1, 0x80a000, 0x3000, 0, "a section is of no known type");
	refuse_section(1, 0x80a000, 0x3000, 5, "a section is of no known type");
	refuse_section(1, 0x80a000, 0x3000, 0x11, "a section is of no known type");
	refuse_section(1, 0x80a001, 0x1000, 1, "a section is not of whole pages");
	refuse_section(1, 0x80a000, 0x1001, 1, "a section is not of whole pages");
	refuse_section(1, 0x80a000, 0, 1, "a section is not of whole pages");
	refuse_section(2, 0x80d000, 0x2000, 2, "a section that has to be one page is not");
	refuse_section(3, 0x80e000, 0x2000, 3, "a section that has to be one page is not");
	refuse_section(3, 0x830000, 0x2000, 16, "a section that has to be one page is not");
	refuse_section(5, 0xfffff000, 0x2000, 1, "a section lies beyond 4 GiB");
	refuse_section(5, 0x1000, 0xfffff000, 1, "a section overlaps the firmware itself");
	refuse_section(5, 0xffffe000, 0x1000, 1, "a section overlaps the firmware itself");
	refuse_section(5, 0xfffdf000, 0x2000, 1, "a section overlaps the firmware itself");
	refuse_section(5, 0x80f000, 0x1000, 1, another);
	refuse_section(5, 0x7ff000, 0x2000, 1, another);
	refuse_section(5, 0x808000, 0x1000, 1, another);
	refuse_section(5, 0x700000, 0x200000, 1, another);
	refuse_section(5, 0x830000, 0x1000, 2, "a section that can be there once is there twice");
	refuse_section(5, 0x830000, 0x1000, 3, "a section that can be there once is there twice");
}

/* What is beside the image and the others, up to the first byte, is taken. */
static void test_neighbours(void **state)
{
	struct firmware_error error;
	struct firmware f;

	(void)state;
	put(section_at(5), 0xfffdf000, 4);
	put(section_at(5) + 4, 0x1000, 4);
	assert_true(firmware_open(&f, image, SIZE, &error));
	put(section_at(5), 0x809000, 4);
	assert_true(firmware_open(&f, image, SIZE, &error));
	put(section_at(5), 0x830000, 4);
	put(section_at(5) + 8, 0x10, 4);
	assert_true(firmware_open(&f, image, SIZE, &error));
	assert_int_equal(firmware_section(&f, 0x10)->gpa, 0x830000);
}

static void test_hashes(void **state)
{
	const char *why = "the table of kernel hashes does not fit its section";
	struct firmware_error error;
	struct firmware f;

	(void)state;
	/* Without a section it is nobody's. */
	put_hashes(0x10c00, 0x400);
	assert_true(firmware_open(&f, image, SIZE, &error));
	assert_int_equal(f.hash_table, 0);
	put(section_at(5) + 4, 0x1000, 4);
	put(section_at(5) + 8, 0x10, 4);
	put_hashes(0, 0);
	assert_true(firmware_open(&f, image, SIZE, &error));
	assert_int_equal(f.hash_table, 0);
	put_hashes(0x810c00, 0x400);
	assert_true(firmware_open(&f, image, SIZE, &error));
	assert_int_equal(f.hash_table, 0x810c00);
	put_hashes(0x810f50, 176);
	assert_true(firmware_open(&f, image, SIZE, &error));
	for (unsigned int i = 0; i < 5; i++) {
		static const uint32_t wrong[][2] = { { 0x810f51, 176 },
						     { 0x810c00, 175 },
						     { 0x80ffff, 0x400 },
						     { 0x811000, 0x400 },
						     { 0x810c00, 0xffffffff } };

		make(NULL);
		put(section_at(5) + 4, 0x1000, 4);
		put(section_at(5) + 8, 0x10, 4);
		put_hashes(wrong[i][0], wrong[i][1]);
		assert_refused(why, TABLE_END);
	}
}

/*
 * The IGVM metadata of OVMF 2026.08: a page of a memory section, eight entries of a map, a number
 * behind them.
 */
#define IGVM 0x700u /* before the end */
#define ENTRY_IGVM (ENTRY_OTHER - 22)
#define OUTSIDE "the IGVM metadata name what does not fit their area, or no memory"
#define NONE "there are no IGVM metadata where the table of GUIDs says"

static uint8_t *const igvm = image + SIZE - IGVM;

static void put_igvm_section(unsigned int i, uint32_t base, uint32_t size, uint32_t type)
{
	put(igvm + 16 + 12 * i, base, 4);
	put(igvm + 16 + 12 * i + 4, size, 4);
	put(igvm + 16 + 12 * i + 8, type, 4);
}

static int make_igvm(void **state)
{
	make(state);
	put(image + FOOTER, 18 + 22 + 22 + 26 + 22, 2);
	put(image + ENTRY_IGVM, IGVM, 4);
	put(image + ENTRY_IGVM + 4, 22, 2);
	put_guid(image + ENTRY_IGVM + 6, 0x784fa70e, 0x3176, 0x4677, 0x8a2004b68699e374);
	memcpy(igvm, "IGVM", 4);
	put(igvm + 4, 16 + 12 * 4, 4);
	put(igvm + 8, 1, 4);
	put(igvm + 12, 4, 4);
	put_igvm_section(0, 0x812000, 0x1000, 0x100);
	put_igvm_section(1, 0, 192, 0x101);
	put_igvm_section(2, 192, 16, 0x102);
	put_igvm_section(3, 0x813000, 0x1000, 0x200);
	return 0;
}

static void igvm_refused(const char *why, uint64_t offset)
{
	assert_refused_at(image, SIZE, why, offset);
	make_igvm(NULL);
}

static void igvm_taken(uint32_t map, uint32_t map_size, uint32_t count)
{
	struct firmware_error error;
	struct firmware f;

	if (!firmware_open(&f, image, SIZE, &error))
		fail_msg("%s", error.what);
	assert_int_equal(f.map, map);
	assert_int_equal(f.map_size, map_size);
	assert_int_equal(f.count, count);
	make_igvm(NULL);
}

static void test_igvm(void **state)
{
	make(state);
	igvm_taken(0, 0, 0); /* without: nothing is said */
	igvm_taken(0x812000, 192, 0x8120c0);
	put(igvm + 12, 2, 4); /* no number */
	put(igvm + 4, 16 + 12 * 2, 4);
	igvm_taken(0x812000, 192, 0);
	put(igvm + 12, 0, 4);
	put(igvm + 4, 16, 4);
	igvm_taken(0, 0, 0);
	igvm[0] = 'J';
	igvm_refused(NONE, SIZE - IGVM);
	put(igvm + 4, 16 + 12 * 3, 4);
	igvm_refused(NONE, SIZE - IGVM);
	put(igvm + 8, 2, 4);
	igvm_refused(NONE, SIZE - IGVM);
	put(igvm + 12, 17, 4);
	put(igvm + 4, 16 + 12 * 17, 4);
	igvm_refused(NONE, SIZE - IGVM);
	put(image + ENTRY_IGVM, SIZE + 1, 4);
	igvm_refused("the IGVM metadata lie outside the file", TABLE_END);
	put(image + ENTRY_IGVM, 8, 4); /* its header is cut off */
	igvm_refused(NONE, SIZE - 8);
}

static void test_igvm_places(void **state)
{
	(void)state;
	put_igvm_section(0, 0x812800, 0x1000, 0x100);
	igvm_refused(OUTSIDE, SIZE - IGVM);
	put_igvm_section(0, 0x80d000, 0x1000, 0x100); /* the secrets */
	igvm_refused(OUTSIDE, SIZE - IGVM);
	put_igvm_section(0, 0x900000, 0x1000, 0x100);
	igvm_refused(OUTSIDE, SIZE - IGVM);
	put_igvm_section(0, 0, 0, 0x100);
	igvm_refused(OUTSIDE, SIZE - IGVM);
	put_igvm_section(1, 4096 - 168, 192, 0x101);
	igvm_refused(OUTSIDE, SIZE - IGVM);
	put_igvm_section(1, 0xffffffff, 192, 0x101);
	igvm_refused(OUTSIDE, SIZE - IGVM);
	put_igvm_section(1, 0, 191, 0x101);
	igvm_refused(OUTSIDE, SIZE - IGVM);
	put_igvm_section(2, 4096 - 3, 4, 0x102);
	igvm_refused(OUTSIDE, SIZE - IGVM);
	put_igvm_section(2, 192, 3, 0x102);
	igvm_refused(OUTSIDE, SIZE - IGVM);
	put_igvm_section(2, 4096 - 4, 4, 0x102);
	igvm_taken(0x812000, 192, 0x812ffc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_hashes, make),
		cmocka_unit_test_setup(test_igvm, make_igvm),
		cmocka_unit_test_setup(test_igvm_places, make_igvm),
		cmocka_unit_test_setup(test_good, make),
		cmocka_unit_test_setup(test_size, make),
		cmocka_unit_test_setup(test_table, make),
		cmocka_unit_test_setup(test_long_table, make),
		cmocka_unit_test_setup(test_metadata, make),
		cmocka_unit_test_setup(test_sections, make),
		cmocka_unit_test_setup(test_neighbours, make),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
