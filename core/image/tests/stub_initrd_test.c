/* SPDX-License-Identifier: MIT */
/*
 * The first file system of systemd's stub against digests of the same bytes, put together by Python
 * from the format of newc. That they are those of systemd 257's stub, the logs of real boots say:
 * tests/peers/measured_boot_test.py and tests/guest/svsm_firmware_test.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "core/base/hex.h"
#include "core/image/host/stub_initrd.h"

/* An opened image with one section after the other. */
struct sections {
	struct pe_image image;
	char bytes[256];
};

static void add(struct sections *s, const char *name, const char *content)
{
	struct pe_section *section = &s->image.sections[s->image.section_count++];

	strcpy(section->name, name);
	section->at = s->image.size;
	section->size = section->file_size = strlen(content);
	memcpy(s->bytes + section->at, content, section->size);
	s->image.data = (const uint8_t *)s->bytes;
	s->image.size += section->size;
}

static void expect(const struct sections *s, enum stub_initrd_age age, const char *digest)
{
	char text[HEX_TEXT_SIZE(32)];
	uint8_t got[32];

	assert_int_equal(stub_initrd_digest(&s->image, age, EVP_sha256(), got), STUB_INITRD_DIGEST);
	hex_write(text, got, sizeof(got));
	assert_string_equal(text, digest);
}

#define INITRD_ALONE "09e6c018d2c8c4903308613dd1b72484d57eadf12ec50ddc8f52e5accce470f2"
#define OSREL_ALONE "ceb09e6a0f1a5594352ff386916ef2d572ddcf5dc4ad7824c7f1dac50334c216"

static void test_alone(void **state)
{
	struct sections s = { 0 };

	(void)state;
	add(&s, ".linux", "kernel");
	add(&s, ".initrd", "initrd"); /* six bytes: nothing pads them */
	expect(&s, STUB_INITRD_257, INITRD_ALONE);
	expect(&s, STUB_INITRD_BEFORE_257, INITRD_ALONE);
}

static void test_release(void **state)
{
	struct sections s = { 0 };

	(void)state;
	add(&s, ".osrel", "ID=test\n");
	add(&s, ".initrd", "initrd");
	expect(&s, STUB_INITRD_257,
	       "807ecdc9f7af9e6ad7d90d4d7cb28906c9d3c0cbbd69927277c3dba6e55d4fc1");
	expect(&s, STUB_INITRD_BEFORE_257, INITRD_ALONE);
}

static void test_no_initrd(void **state)
{
	struct sections s = { 0 };
	uint8_t digest[32];

	(void)state;
	add(&s, ".linux", "kernel");
	add(&s, ".initrd", "");
	assert_int_equal(stub_initrd_digest(&s.image, STUB_INITRD_257, EVP_sha256(), digest),
			 STUB_INITRD_NONE);
	add(&s, ".osrel", "ID=test\n");
	expect(&s, STUB_INITRD_257, OSREL_ALONE);
	assert_int_equal(stub_initrd_digest(&s.image, STUB_INITRD_BEFORE_257, EVP_sha256(), digest),
			 STUB_INITRD_NONE);
}

/* In the stub's order, whatever that of the sections is. */
static void test_all(void **state)
{
	struct sections s = { 0 };

	(void)state;
	add(&s, ".profile", "ID=main\n");
	add(&s, ".osrel", "ID=test\n");
	add(&s, ".pcrpkey", "key\n");
	add(&s, ".initrd", "initrd");
	add(&s, ".pcrsig", "{}");
	add(&s, ".ucode", "microcode");
	expect(&s, STUB_INITRD_257,
	       "61baa1d1c0f13d2d9a7b0085dfadc624d158bc8a96edca803778fa4ebcba56fc");
	expect(&s, STUB_INITRD_BEFORE_257,
	       "4670dbb25ee9562d22da14ed8dc05f27b6ab9266cf432df607d7ddf6d6be5ce8");
}

/* Only .initrd is handed on as it is. */
static void test_microcode_alone(void **state)
{
	struct sections s = { 0 };

	(void)state;
	add(&s, ".ucode", "microcode");
	expect(&s, STUB_INITRD_257,
	       "df83eb44a8ad3caa4f7548e77c0496e817c239dacd86d5c837a62cfea64d4f84");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone),		cmocka_unit_test(test_release),
		cmocka_unit_test(test_no_initrd),	cmocka_unit_test(test_all),
		cmocka_unit_test(test_microcode_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
