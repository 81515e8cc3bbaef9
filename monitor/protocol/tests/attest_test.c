/* SPDX-License-Identifier: MIT */
/* Calls 0 and 1 of the attestation protocol, with services that answer what the test wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/protocol/tests/attest_fixture.h"

static void single_service_delivers(void **state)
{
	const struct world_service *service = world_service(SERVICE_ATTEST);
	struct attest_request request;
	struct svsm_call call;

	(void)state;
	call = attest(SVSM_ATTEST_SINGLE_SERVICE);
	assert_delivered(&call, MANIFEST_SIZE);
	assert_filled(MANIFEST, 'M', MANIFEST_SIZE);
	request = asked(ATTEST_OP_SINGLE);
	assert_int_equal(request.selector_size, 0);
	assert_int_equal(request.manifest_size, MANIFEST_SIZE);
	for (unsigned int i = 0; i < MANIFEST_SIZE; i++)
		assert_int_equal(service->payload[sizeof(request) + i], 'M');
}

/*
 * 58019, section 7: GUID, u32 total size, u32 count, {GUID, u32 offset, u32 size}, the manifest.
 */
static void services_manifest(void **state)
{
	static const uint8_t want[48] = {
		0xbb, 0x9e, 0x84, 0x63, 0x92, 0x3d, 0x70, 0x46, 0xa1, 0xff, 0x58, 0xf9,
		0xc9, 0x4b, 0x87, 0xbb, 92,   1,    0,	  0,	1,    0,    0,	  0,
		0xeb, 0xf1, 0x76, 0xc4, 0x23, 0x01, 0xa5, 0x45, 0x96, 0x41, 0xb4, 0xe7,
		0xdd, 0xe5, 0xbf, 0xe3, 48,   0,    0,	  0,	44,   1,    0,	  0,
	};
	const struct world_service *service = world_service(SERVICE_ATTEST);
	struct attest_request request;
	struct svsm_call call;
	uint8_t got[48];

	(void)state;
	call = attest(SVSM_ATTEST_SERVICES);
	assert_delivered(&call, 48 + MANIFEST_SIZE);
	world_get(got, MANIFEST, sizeof(got));
	assert_memory_equal(got, want, sizeof(want));
	assert_int_equal(*model_memory(gpa(MANIFEST + 48)), 'M');
	assert_int_equal(*model_memory(gpa(MANIFEST + 48 + MANIFEST_SIZE - 1)), 'M');
	assert_int_equal(*model_memory(gpa(MANIFEST + 48 + MANIFEST_SIZE)), UNTOUCHED);
	/* The attest service makes the same bytes itself, of the vtpm's. */
	request = asked(ATTEST_OP_SERVICES);
	assert_int_equal(request.manifest_version, 0);
	assert_int_equal(request.selector_size, 0);
	assert_int_equal(request.manifest_size, MANIFEST_SIZE);
	for (unsigned int i = 0; i < MANIFEST_SIZE; i++)
		assert_int_equal(service->payload[sizeof(request) + i], 'M');
}

static void versions_reach_the_vtpm(void **state)
{
	(void)state;
	op.manifest_version = 0x12345678;
	assert_int_equal(attest(SVSM_ATTEST_SINGLE_SERVICE).rax, 0);
	assert_memory_equal(world_service(SERVICE_VTPM)->payload, "\x78\x56\x34\x12", 4);
	assert_int_equal(asked(ATTEST_OP_SINGLE).manifest_version, 0x12345678);
	/* Call 0 has no such field; what stands there is not read. */
	assert_int_equal(attest(SVSM_ATTEST_SERVICES).rax, 0);
	assert_memory_equal(world_service(SERVICE_VTPM)->payload, "\0\0\0\0", 4);
}

/* A key in each request, and the manifest behind them; but for no more than a profile has. */
static void keys_come_before_the_manifest(void **state)
{
	struct svsm_call call;

	(void)state;
	vtpm.keys_left = 9;
	op.manifest_version = 1;
	call = attest(SVSM_ATTEST_SINGLE_SERVICE);
	assert_delivered(&call, MANIFEST_SIZE);
	assert_int_equal(vtpm.manifests, 10);
	vtpm.keys_left = UINT32_MAX;
	call = attest(SVSM_ATTEST_SINGLE_SERVICE);
	assert_int_equal(call.rax, 0x80001001);
	assert_int_equal(vtpm.manifests, 20);
}

static void unknown_services(void **state)
{
	struct svsm_call call;

	(void)state;
	for (unsigned int i = 0; i < sizeof(op.service); i++) {
		op.service.bytes[i] ^= 0x80;
		call = attest(SVSM_ATTEST_SINGLE_SERVICE);
		assert_refused(&call, 0x80000005);
		op.service.bytes[i] ^= 0x80;
	}
	assert_int_equal(vtpm.manifests, 0);
	memset(&op.service, 0, sizeof(op.service));
	assert_int_equal(attest(SVSM_ATTEST_SERVICES).rax, 0);
}

static void reserved_fields(void **state)
{
	uint32_t *const fields[] = { &op.report.reserved, &op.nonce.reserved, &op.manifest.reserved,
				     &op.certificates.reserved };
	struct svsm_call call;

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		for (unsigned int bit = 0; bit < 32; bit += 31) {
			*fields[i] = 1u << bit;
			call = attest(SVSM_ATTEST_SERVICES);
			assert_refused(&call, 0x80000005);
			*fields[i] = 0;
		}
	}
	op.reserved = 1;
	call = attest(SVSM_ATTEST_SINGLE_SERVICE);
	assert_refused(&call, 0x80000005);
	assert_int_equal(attest(SVSM_ATTEST_SERVICES).rax, 0);
}

static void nonce_sizes(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 63, 65, 128, 0x10040, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct svsm_call call;

		op.nonce.size = sizes[i];
		call = attest(SVSM_ATTEST_SERVICES);
		assert_refused(&call, 0x80000005);
	}
	assert_int_equal(world_service(SERVICE_ATTEST)->calls, 0);
}

static const uint64_t bad_addresses[] = {
	WORLD_REGION,
	WORLD_REGION - 1,
	WORLD_BOOT_VMSA,
	WORLD_HOLE - 1,
	WORLD_HOLE,
	WORLD_INVALID,
	WORLD_INVALID - 1,
	MODEL_SIZE - 1,
	MODEL_SIZE,
	UINT64_MAX,
	0 - 0x40ull,
	0 - 0x1000ull,
	WORLD_REGION + 0x10 - 0x40,
	1ull << 47,
};

static void bad_buffers(void **state)
{
	uint64_t *const fields[] = { &op.report.gpa, &op.nonce.gpa, &op.manifest.gpa,
				     &op.certificates.gpa };

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		uint64_t good = *fields[i];

		for (size_t j = 0; j < sizeof(bad_addresses) / sizeof(bad_addresses[0]); j++) {
			struct svsm_call call;

			*fields[i] = bad_addresses[j];
			call = attest(SVSM_ATTEST_SERVICES);
			assert_refused(&call, 0x80000003);
		}
		*fields[i] = good;
	}
	assert_int_equal(world_service(SERVICE_ATTEST)->calls, 0);
}

static void bad_operation_block(void **state)
{
	(void)state;
	for (size_t j = 0; j < sizeof(bad_addresses) / sizeof(bad_addresses[0]); j++) {
		struct svsm_call call = attest_at(SVSM_ATTEST_SERVICES, bad_addresses[j]);

		assert_refused(&call, 0x80000003);
	}
}

/* The block may stand at the very end of memory, and across pages. */
static void operation_block_anywhere(void **state)
{
	(void)state;
	world_put(MODEL_SIZE - 0x40, &op, 0x40);
	assert_int_equal(attest_at(SVSM_ATTEST_SERVICES, MODEL_SIZE - 0x40).rax, 0);
	assert_int_equal(attest_at(SVSM_ATTEST_SINGLE_SERVICE, MODEL_SIZE - 0x40).rax, 0x80000003);
	attest_setup(NULL);
	world_put(WORLD_LARGE + 0xfe1, &op, sizeof(op));
	assert_int_equal(attest_at(SVSM_ATTEST_SINGLE_SERVICE, WORLD_LARGE + 0xfe1).rax, 0);
}

static void too_small_tells_the_sizes(void **state)
{
	struct {
		uint32_t *size;
		uint32_t need;
	} const fields[] = {
		{ &op.report.size, REPORT_SIZE },
		{ &op.manifest.size, MANIFEST_SIZE },
		{ &op.certificates.size, CERTIFICATES_SIZE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		uint32_t good = *fields[i].size;
		struct svsm_call call;

		*fields[i].size = fields[i].need - 1;
		call = attest(SVSM_ATTEST_SINGLE_SERVICE);
		assert_int_equal(call.rax, 0x80000005);
		assert_int_equal(call.rcx, MANIFEST_SIZE);
		assert_int_equal(call.rdx, CERTIFICATES_SIZE);
		assert_int_equal(call.r8, REPORT_SIZE);
		assert_nothing_written();
		*fields[i].size = good;
	}
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		*fields[i].size = fields[i].need;
	assert_int_equal(attest(SVSM_ATTEST_SINGLE_SERVICE).rax, 0);
}

static void sizes_of_zero(void **state)
{
	struct svsm_call call;

	(void)state;
	op.certificates = (struct svsm_loc){ UINT64_MAX, 0, 0 };
	call = attest(SVSM_ATTEST_SERVICES);
	assert_int_equal(call.rax, 0);
	assert_int_equal(call.rdx, 0);
	assert_filled(REPORT, 'R', REPORT_SIZE);
	assert_filled(CERTIFICATES, UNTOUCHED, 0x4000);
	attest_setup(NULL);
	op.report = (struct svsm_loc){ UINT64_MAX, 0, 0 };
	call = attest(SVSM_ATTEST_SERVICES);
	assert_int_equal(call.rax, 0x80000005);
	assert_int_equal(call.r8, REPORT_SIZE);
	assert_nothing_written();
}

static void no_certificates(void **state)
{
	struct svsm_call call;

	(void)state;
	set_reply(REPORT_SIZE, 0);
	call = attest(SVSM_ATTEST_SERVICES);
	assert_int_equal(call.rax, 0);
	assert_int_equal(call.rdx, 0);
	assert_filled(CERTIFICATES, UNTOUCHED, 0x4000);
}

/* A buffer of 4 GiB is judged by what may be written to it. */
static void enormous_sizes(void **state)
{
	(void)state;
	op.report.size = op.manifest.size = UINT32_MAX;
	assert_int_equal(attest(SVSM_ATTEST_SERVICES).rax, 0);
	assert_filled(REPORT, 'R', REPORT_SIZE);
}

struct status_case {
	enum service_status status;
	uint32_t result;
};

static void vtpm_says_no(void)
{
}

static void results_of_the_services(void **state)
{
	static const struct status_case vtpm_cases[] = {
		{ SERVICE_ERR_FORMAT, 0x80000005 },    { SERVICE_ERR_UNSUPPORTED, 0x80000005 },
		{ SERVICE_ERR_NO_MEMORY, 0x80001001 }, { SERVICE_ERR_FAILED, 0x80001001 },
		{ SERVICE_ERR_BUSY, 0x80001002 },      { (enum service_status)77, 0x80001001 },
	};
	static const struct status_case attest_cases[] = {
		{ SERVICE_ERR_FORMAT, 0x80001001 },    { SERVICE_ERR_UNSUPPORTED, 0x80001001 },
		{ SERVICE_ERR_NO_MEMORY, 0x80001001 }, { SERVICE_ERR_FAILED, 0x80001001 },
		{ SERVICE_ERR_BUSY, 0x80001002 },      { (enum service_status)77, 0x80001001 },
	};
	struct svsm_call call;

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		world_service(SERVICE_ATTEST)->status = attest_cases[i].status;
		call = attest(SVSM_ATTEST_SERVICES);
		assert_refused(&call, attest_cases[i].result);
	}
	world_service(SERVICE_ATTEST)->status = SERVICE_OK;
	world_service(SERVICE_VTPM)->while_working = vtpm_says_no;
	for (size_t i = 0; i < 6; i++) {
		world_service(SERVICE_VTPM)->status = vtpm_cases[i].status;
		call = attest(SVSM_ATTEST_SINGLE_SERVICE);
		assert_refused(&call, vtpm_cases[i].result);
	}
}

static void services_that_are_gone(void **state)
{
	struct svsm_call call;

	(void)state;
	world_service(SERVICE_ATTEST)->available = false;
	call = attest(SVSM_ATTEST_SERVICES);
	assert_refused(&call, 0x80001001);
	world_service(SERVICE_ATTEST)->available = true;
	world_service(SERVICE_VTPM)->available = false;
	call = attest(SVSM_ATTEST_SINGLE_SERVICE);
	assert_refused(&call, 0x80001001);
}

/* A service that has gone mad cannot make the monitor write what it did not send. */
static void nonsense_of_the_service(void **state)
{
	struct world_service *service = world_service(SERVICE_ATTEST);
	static const struct attest_reply bad[] = {
		{ REPORT_SIZE + 1, CERTIFICATES_SIZE },
		{ REPORT_SIZE, CERTIFICATES_SIZE + 1 },
		{ REPORT_SIZE, CERTIFICATES_SIZE - 1 },
		{ UINT32_MAX, CERTIFICATES_SIZE },
		{ REPORT_SIZE, UINT32_MAX },
		{ 0, REPORT_SIZE + CERTIFICATES_SIZE },
	};
	struct svsm_call call;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memcpy(service->reply, &bad[i], sizeof(bad[i]));
		call = attest(SVSM_ATTEST_SERVICES);
		assert_refused(&call, 0x80001001);
	}
	for (size_t size = 0; size < sizeof(struct attest_reply); size++) {
		service->reply_size = size;
		call = attest(SVSM_ATTEST_SERVICES);
		assert_refused(&call, 0x80001001);
	}
	service->reply_size = 33 << 10;
	call = attest(SVSM_ATTEST_SERVICES);
	assert_refused(&call, 0x80001001);
}

static void manifests_of_all_sizes(void **state)
{
	struct svsm_call call;

	(void)state;
	op.manifest = (struct svsm_loc){ WORLD_LARGE, 0x8000, 0 };
	vtpm.manifest_size = 16 << 10;
	call = attest(SVSM_ATTEST_SERVICES);
	assert_delivered(&call, 48 + (16 << 10));
	vtpm.manifest_size++;
	attest_setup(NULL);
	vtpm.manifest_size = (16 << 10) + 1;
	call = attest(SVSM_ATTEST_SERVICES);
	assert_refused(&call, 0x80001001);
}

/* The guest changes the block and the nonce while the service works. */
static void guest_changes_its_mind(void)
{
	struct svsm_attest_op evil = op;

	evil.report = evil.manifest = evil.certificates = (struct svsm_loc){ WORLD_REGION,
									     UINT32_MAX, 0 };
	world_put(OP, &evil, sizeof(evil));
}

static void block_is_read_once(void **state)
{
	(void)state;
	world_service(SERVICE_ATTEST)->while_working = guest_changes_its_mind;
	assert_int_equal(attest(SVSM_ATTEST_SERVICES).rax, 0);
	assert_filled(REPORT, 'R', REPORT_SIZE);
	assert_int_equal(*model_memory(gpa(WORLD_REGION)), 0);
}

/* The guest takes a buffer away while the service works. */
static void guest_takes_the_buffer(void)
{
	model_host_unassign(gpa(MANIFEST & ~0xfffull), 1);
}

static void buffer_disappears(void **state)
{
	(void)state;
	world_service(SERVICE_ATTEST)->while_working = guest_takes_the_buffer;
	assert_int_equal(attest(SVSM_ATTEST_SERVICES).rax, 0x80000003);
}

static void faults_anywhere(void **state)
{
	(void)state;
	for (unsigned int nth = 1; nth <= 3; nth++) {
		struct svsm_call call;

		model_fail(MODEL_READ, nth);
		call = attest(SVSM_ATTEST_SERVICES);
		assert_refused(&call, 0x80000003);
	}
	for (unsigned int nth = 1; nth <= 5; nth++) {
		model_fail(MODEL_WRITE, nth);
		assert_int_equal(attest(SVSM_ATTEST_SERVICES).rax, 0x80000003);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(single_service_delivers, attest_setup),
		cmocka_unit_test_setup(services_manifest, attest_setup),
		cmocka_unit_test_setup(versions_reach_the_vtpm, attest_setup),
		cmocka_unit_test_setup(keys_come_before_the_manifest, attest_setup),
		cmocka_unit_test_setup(unknown_services, attest_setup),
		cmocka_unit_test_setup(reserved_fields, attest_setup),
		cmocka_unit_test_setup(nonce_sizes, attest_setup),
		cmocka_unit_test_setup(bad_buffers, attest_setup),
		cmocka_unit_test_setup(bad_operation_block, attest_setup),
		cmocka_unit_test_setup(operation_block_anywhere, attest_setup),
		cmocka_unit_test_setup(too_small_tells_the_sizes, attest_setup),
		cmocka_unit_test_setup(sizes_of_zero, attest_setup),
		cmocka_unit_test_setup(no_certificates, attest_setup),
		cmocka_unit_test_setup(enormous_sizes, attest_setup),
		cmocka_unit_test_setup(results_of_the_services, attest_setup),
		cmocka_unit_test_setup(services_that_are_gone, attest_setup),
		cmocka_unit_test_setup(nonsense_of_the_service, attest_setup),
		cmocka_unit_test_setup(manifests_of_all_sizes, attest_setup),
		cmocka_unit_test_setup(block_is_read_once, attest_setup),
		cmocka_unit_test_setup(buffer_disappears, attest_setup),
		cmocka_unit_test_setup(faults_anywhere, attest_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
