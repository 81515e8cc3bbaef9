/* SPDX-License-Identifier: MIT */
/* The attestation protocol, with a service that answers what the test wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/arch/model/tests/world.h"

#define OP (WORLD_BOOT_CAA + 8)
#define REPORT (WORLD_SMALL + 0x2003) /* any alignment */
#define NONCE (WORLD_SMALL + 0xfe0)   /* crosses a page */
#define MANIFEST (WORLD_SMALL + 0x3ff1)
#define CERTIFICATES (WORLD_SMALL + 0x8fff)
#define REPORT_SIZE 1184u
#define MANIFEST_SIZE 300u
#define CERTIFICATES_SIZE 5000u
#define UNTOUCHED 0xee

static struct svsm_attest_op op;

static void set_reply(uint32_t report, uint32_t manifest, uint32_t certificates)
{
	struct world_service *service = world_service(SERVICE_ATTEST);
	struct attest_reply sizes = { report, manifest, certificates, 0 };
	uint8_t *at = service->reply + sizeof(sizes);

	memcpy(service->reply, &sizes, sizeof(sizes));
	memset(at, 'R', report);
	memset(at + report, 'M', manifest);
	memset(at + report + manifest, 'C', certificates);
	service->reply_size = sizeof(sizes) + report + manifest + certificates;
}

static int setup(void **state)
{
	(void)state;
	world_start();
	memset(model_memory(gpa(WORLD_SMALL)), UNTOUCHED, 0x20000);
	for (unsigned int i = 0; i < 64; i++)
		*model_memory(gpa(NONCE + i)) = (uint8_t)(i + 1);
	op = (struct svsm_attest_op){
		.report = { REPORT, 0x1000, 0 },
		.nonce = { NONCE, 64, 0 },
		.manifest = { MANIFEST, 0x1000, 0 },
		.certificates = { CERTIFICATES, 0x4000, 0 },
		.service = SVSM_GUID_VTPM,
		.manifest_version = 0,
	};
	set_reply(REPORT_SIZE, MANIFEST_SIZE, CERTIFICATES_SIZE);
	return 0;
}

/* Makes the call; presets as Linux does. */
static struct svsm_call attest_at(uint32_t id, uint64_t at)
{
	return world_call(0, ATTEST(id), at, UINT64_MAX, UINT64_MAX);
}

static struct svsm_call attest(uint32_t id)
{
	world_put(OP, &op, sizeof(op));
	return attest_at(id, OP);
}

static void assert_filled(uint64_t at, uint8_t with, size_t size)
{
	for (size_t i = 0; i < size; i++)
		assert_int_equal(*model_memory(gpa(at + i)), with);
	assert_int_equal(*model_memory(gpa(at - 1)), UNTOUCHED);
	assert_int_equal(*model_memory(gpa(at + size)), UNTOUCHED);
}

static void assert_nothing_written(void)
{
	assert_filled(REPORT, UNTOUCHED, 0x1000);
	assert_filled(MANIFEST, UNTOUCHED, 0x1000);
	assert_filled(CERTIFICATES, UNTOUCHED, 0x4000);
}

/* A call that failed before anything was known: no register changes, nothing is written. */
static void assert_refused(const struct svsm_call *call, uint32_t result)
{
	assert_int_equal(call->rax, result);
	assert_int_equal(call->rdx, UINT64_MAX);
	assert_int_equal(call->r8, UINT64_MAX);
	assert_nothing_written();
}

static void both_calls_deliver(void **state)
{
	struct attest_request *request = (void *)world_service(SERVICE_ATTEST)->payload;

	(void)state;
	for (uint32_t id = 0; id < 2; id++) {
		struct svsm_call call;

		setup(NULL);
		call = attest(id);
		assert_int_equal(call.rax, 0);
		assert_int_equal(call.rcx, MANIFEST_SIZE);
		assert_int_equal(call.rdx, CERTIFICATES_SIZE);
		assert_int_equal(call.r8, REPORT_SIZE);
		assert_filled(REPORT, 'R', REPORT_SIZE);
		assert_filled(MANIFEST, 'M', MANIFEST_SIZE);
		assert_filled(CERTIFICATES, 'C', CERTIFICATES_SIZE);
		assert_int_equal(world_service(SERVICE_ATTEST)->op, id + 1);
		assert_int_equal(world_service(SERVICE_ATTEST)->payload_size, 88);
		for (unsigned int i = 0; i < 64; i++)
			assert_int_equal(request->nonce[i], i + 1);
	}
}

static void single_service_names_its_service(void **state)
{
	static const struct abi_guid vtpm = SVSM_GUID_VTPM, none;
	struct attest_request request;

	(void)state;
	op.manifest_version = 0x12345678;
	assert_int_equal(attest(SVSM_ATTEST_SINGLE_SERVICE).rax, 0);
	memcpy(&request, world_service(SERVICE_ATTEST)->payload, sizeof(request));
	assert_memory_equal(&request.service, &vtpm, sizeof(vtpm));
	assert_int_equal(request.manifest_version, 0x12345678);
	/* Call 0 has no such fields; what stands there is not read. */
	assert_int_equal(attest(SVSM_ATTEST_SERVICES).rax, 0);
	memcpy(&request, world_service(SERVICE_ATTEST)->payload, sizeof(request));
	assert_memory_equal(&request.service, &none, sizeof(none));
	assert_int_equal(request.manifest_version, 0);
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
	setup(NULL);
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
		call = attest(SVSM_ATTEST_SERVICES);
		assert_int_equal(call.rax, 0x80000005);
		assert_int_equal(call.rcx, MANIFEST_SIZE);
		assert_int_equal(call.rdx, CERTIFICATES_SIZE);
		assert_int_equal(call.r8, REPORT_SIZE);
		assert_nothing_written();
		*fields[i].size = good;
	}
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		*fields[i].size = fields[i].need;
	assert_int_equal(attest(SVSM_ATTEST_SERVICES).rax, 0);
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
	setup(NULL);
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
	set_reply(REPORT_SIZE, MANIFEST_SIZE, 0);
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

static void results_of_the_service(void **state)
{
	static const struct {
		enum service_status status;
		uint32_t result;
	} cases[] = {
		{ SERVICE_ERR_FORMAT, 0x80000005 },    { SERVICE_ERR_UNSUPPORTED, 0x80000005 },
		{ SERVICE_ERR_NO_MEMORY, 0x80001001 }, { SERVICE_ERR_FAILED, 0x80001001 },
		{ SERVICE_ERR_BUSY, 0x80001002 },      { (enum service_status)77, 0x80001001 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct svsm_call call;

		world_service(SERVICE_ATTEST)->status = cases[i].status;
		call = attest(SVSM_ATTEST_SERVICES);
		assert_refused(&call, cases[i].result);
	}
	world_service(SERVICE_ATTEST)->status = SERVICE_OK;
	world_service(SERVICE_ATTEST)->available = false;
	{
		struct svsm_call call = attest(SVSM_ATTEST_SERVICES);

		assert_refused(&call, 0x80001001);
	}
}

/* A service that has gone mad cannot make the monitor write what it did not send. */
static void nonsense_of_the_service(void **state)
{
	struct world_service *service = world_service(SERVICE_ATTEST);
	static const struct attest_reply bad[] = {
		{ REPORT_SIZE + 1, MANIFEST_SIZE, CERTIFICATES_SIZE, 0 },
		{ REPORT_SIZE, MANIFEST_SIZE, CERTIFICATES_SIZE + 1, 0 },
		{ REPORT_SIZE, MANIFEST_SIZE, CERTIFICATES_SIZE - 1, 0 },
		{ UINT32_MAX, MANIFEST_SIZE, CERTIFICATES_SIZE, 0 },
		{ REPORT_SIZE, UINT32_MAX, UINT32_MAX, 0 },
		{ 0, REPORT_SIZE + MANIFEST_SIZE, CERTIFICATES_SIZE, 0 },
	};
	struct svsm_call call;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memcpy(service->reply, &bad[i], sizeof(bad[i]));
		call = attest(SVSM_ATTEST_SERVICES);
		assert_refused(&call, 0x80001001);
	}
	for (size_t size = 0; size < sizeof(struct attest_reply); size += 5) {
		service->reply_size = size;
		call = attest(SVSM_ATTEST_SERVICES);
		assert_refused(&call, 0x80001001);
	}
	service->reply_size = 33 << 10;
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
		cmocka_unit_test_setup(both_calls_deliver, setup),
		cmocka_unit_test_setup(single_service_names_its_service, setup),
		cmocka_unit_test_setup(reserved_fields, setup),
		cmocka_unit_test_setup(nonce_sizes, setup),
		cmocka_unit_test_setup(bad_buffers, setup),
		cmocka_unit_test_setup(bad_operation_block, setup),
		cmocka_unit_test_setup(operation_block_anywhere, setup),
		cmocka_unit_test_setup(too_small_tells_the_sizes, setup),
		cmocka_unit_test_setup(sizes_of_zero, setup),
		cmocka_unit_test_setup(no_certificates, setup),
		cmocka_unit_test_setup(enormous_sizes, setup),
		cmocka_unit_test_setup(results_of_the_service, setup),
		cmocka_unit_test_setup(nonsense_of_the_service, setup),
		cmocka_unit_test_setup(block_is_read_once, setup),
		cmocka_unit_test_setup(buffer_disappears, setup),
		cmocka_unit_test_setup(faults_anywhere, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
