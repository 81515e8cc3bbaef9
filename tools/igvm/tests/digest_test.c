/* SPDX-License-Identifier: MIT */
/*
 * Launch digests against known answers of another program: sev-snp-measure 0.0.13 (PyPI), whose
 * GCTX class was fed the same pages:
 *	page = bytes((i * 7 + 3) & 255 for i in range(4096))
 *	vmsa = bytes(0 if 0x2f0 <= i < 0x300 else (i * 5 + 1) & 255 for i in range(4096))
 *	g = GCTX(); g.update_normal_pages(0x100000, page); print(g.ld().hex())
 * and so on, one line for each step below. It places the VMSA at 0xFFFFFFFFF000. It measures all of
 * a VMSA; the AMD-SP takes 2F0h to 2FFh, scale and offset of the TSC, for 0, and here they are not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "core/image/host/digest.h"
#include "tools/igvm/igvm_writer.h"

#define VMSA_GPA 0xfffffffff000ull

static uint8_t page[ABI_PAGE_SIZE], vmsa[ABI_PAGE_SIZE];

static int fill_pages(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ABI_PAGE_SIZE; i++) {
		page[i] = (uint8_t)(i * 7 + 3);
		vmsa[i] = (uint8_t)(i * 5 + 1);
	}
	return 0;
}

static void assert_digest(const struct launch_digest *digest, const char *expected)
{
	char hex[2 * PSP_MEASUREMENT_SIZE + 1];

	for (size_t i = 0; i < PSP_MEASUREMENT_SIZE; i++)
		sprintf(hex + 2 * i, "%02x", digest->value[i]);
	assert_string_equal(hex, expected);
}

static void test_each_page_type(void **state)
{
	static const struct {
		uint8_t type;
		uint64_t gpa;
		const uint8_t *contents;
		const char *digest;
	} steps[] = {
		{ PSP_PAGE_TYPE_NORMAL, 0x100000, page,
		  "e7ace1aa207f556cf2c563e4526736853dd11ee0d1a28754d98f40b65044ca18"
		  "d9b24de2f9280e0647e02243f32a1eed" },
		{ PSP_PAGE_TYPE_NORMAL, 0x200000, page, NULL },
		{ PSP_PAGE_TYPE_NORMAL, 0x201000, NULL,
		  "fed914a7e26f5ccfd98aa9156eccf92e408a2db989f83828c35ad362e3b0f49b"
		  "b47f5677ec8950df235233e7158c4466" },
		{ PSP_PAGE_TYPE_UNMEASURED, 0x300000, page,
		  "3f49314bf21b3a51044c2b1b536539ed3650c9b39699da329197e108486a7c6a"
		  "9e99d74915f2979528e2fac12243e81e" },
		{ PSP_PAGE_TYPE_SECRETS, 0x301000, NULL,
		  "e6dce0e7e9b1d92a881498c27c52da4a6b776fea0c487762cbd04702d9c7b275"
		  "096e66468b1736dcd8eed5897f95b91f" },
		{ PSP_PAGE_TYPE_CPUID, 0x302000, page,
		  "6b254cb4428ca32c7c95eed63692a1a257ba1d82341e56ee4f6e5aa0064489df"
		  "8475005797be7269b81fca61ef0582c1" },
		{ PSP_PAGE_TYPE_ZERO, 0x303000, NULL,
		  "7979924dce983ca05bc9321f3ada211570c09de053fca9d3381439c7dcffd7f9"
		  "9e2f45b424f3f0ed473b390285363a5d" },
		{ PSP_PAGE_TYPE_VMSA, VMSA_GPA, vmsa,
		  "693235d727c1421f71c8ecb19e6e84fca4d588db85ad6545cb487a8f8f05e0fc"
		  "f18dd4b8554a40dbab85c9928840679c" },
	};
	struct launch_digest digest;

	(void)state;
	launch_digest_init(&digest);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		assert_true(launch_digest_page(&digest, steps[i].type, steps[i].gpa,
					       steps[i].contents));
		if (steps[i].digest)
			assert_digest(&digest, steps[i].digest);
	}
}

static void write_sample(struct igvm_writer *writer)
{
	struct snp_vmsa as_vmsa;

	memcpy(&as_vmsa, vmsa, sizeof(as_vmsa));
	igvm_writer_page(writer, 0x100000, IGVM_PAGE_TYPE_NORMAL, page);
	igvm_writer_zero_2m(writer, 0x200000);
	igvm_writer_page(writer, 0x401000, IGVM_PAGE_TYPE_SECRETS, NULL);
	igvm_writer_page(writer, 0x402000, IGVM_PAGE_TYPE_CPUID_DATA, NULL);
	igvm_writer_required(writer, (struct socle_range){ 0x800000, 0x100000 });
	igvm_writer_vp(writer, VMSA_GPA, &as_vmsa);
	/* An unmeasured page, and one shared with the host, which is not in the digest at all. */
	igvm_writer_page(writer, 0x400000, IGVM_PAGE_TYPE_NORMAL, page);
	writer->items[writer->count - 1].flags = IGVM_PAGE_FLAG_UNMEASURED;
	igvm_writer_page(writer, 0x403000, IGVM_PAGE_TYPE_NORMAL, page);
	writer->items[writer->count - 1].flags = IGVM_PAGE_FLAG_SHARED;
}

/* A 2 MiB page counts as 512 small ones; what the file does not launch is not measured. */
static void test_file(void **state)
{
	struct igvm_writer_options options = { .policy = 0x30000 };
	struct igvm_writer writer = { 0 };
	struct launch_digest digest;
	struct host_error reason;
	struct file_bytes bytes;
	struct igvm_error error;
	struct igvm_file file;

	(void)state;
	write_sample(&writer);
	assert_true(igvm_writer_finish(&writer, &options, &bytes, &reason));
	assert_true(igvm_open(&file, bytes.data, bytes.size, &error));
	assert_true(launch_digest_file(&file, &digest));
	assert_digest(&digest, "516120a12c8025d61fa05438468d24258c83d54a0695c58e0bfbbb9c8ac6fad8"
			       "e675f8881fbe14d8cb33befeb3bf72bd");
	file_free(&bytes);
	igvm_writer_free(&writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_page_type),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, fill_pages, NULL);
}
