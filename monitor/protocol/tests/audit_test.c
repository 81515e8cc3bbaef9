/* SPDX-License-Identifier: MIT */
/*
 * The mistakes that an audit of another SVSM found in 2026, and some of our own making: each is a
 * test by its name, so that none of them comes here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/arch/model/tests/world.h"
#include "monitor/mem/guest_copy.h"
#include "monitor/mem/guest_pages.h"
#include "monitor/vcpu/registry.h"

#define VMSA (WORLD_SMALL + 0x10000)
#define CAA (WORLD_SMALL + 0x11000)
#define LIST (WORLD_BOOT_CAA + 8)

static int setup(void **state)
{
	(void)state;
	world_start();
	world_put_vmsa(VMSA);
	return 0;
}

static uint32_t pvalidate(uint64_t entry)
{
	world_put_list(LIST, 1, 0, &entry);
	return world_core(SVSM_CORE_PVALIDATE, LIST, 0, 0);
}

static uint32_t create(void)
{
	return world_core(SVSM_CORE_CREATE_VCPU, VMSA, CAA, 1);
}

static struct svsm_call attest(const struct svsm_attest_op *op)
{
	world_put(LIST, op, sizeof(*op));
	return world_call(0, ATTEST(SVSM_ATTEST_SERVICES), LIST, 0, 0);
}

static const struct svsm_attest_op good_op = {
	.report = { WORLD_SMALL, 0x1000, 0 },
	.nonce = { WORLD_SMALL + 0x1000, 64, 0 },
	.manifest = { WORLD_SMALL + 0x2000, 0x1000, 0 },
	.certificates = { WORLD_SMALL + 0x3000, 0x4000, 0 },
};

static void attest_reply(uint32_t report, uint32_t certificates)
{
	struct attest_reply sizes = { report, certificates };

	memcpy(world_service(SERVICE_ATTEST)->reply, &sizes, sizeof(sizes));
	world_service(SERVICE_ATTEST)->reply_size = sizeof(sizes) + report + certificates;
	world_service(SERVICE_VTPM)->reply_size = 8; /* a manifest */
}

static void a01_address_plus_size_wraps(void **state)
{
	struct svsm_attest_op op = good_op;

	(void)state;
	op.report.gpa = UINT64_MAX - 0xfff;
	assert_int_equal(attest(&op).rax, 0x80000003);
	assert_int_equal(world_call(0, VTPM(SVSM_VTPM_CMD), UINT64_MAX - 8, 0, 0).rax, 0x80000003);
	assert_int_equal(world_core(SVSM_CORE_PVALIDATE, UINT64_MAX - 7, 0, 0), 0x80000003);
}

static void a02_reserved_bits_of_an_entry(void **state)
{
	(void)state;
	for (unsigned int bit = 4; bit < 12; bit++)
		assert_int_equal(pvalidate(WORLD_INVALID | 4 | 1ull << bit), 0x80000005);
}

static void a03_calling_area_is_a_vmsa(void **state)
{
	(void)state;
	assert_int_equal(world_core(SVSM_CORE_CREATE_VCPU, VMSA, VMSA, 1), 0x80000003);
	assert_int_equal(create(), 0);
	assert_int_equal(world_core(SVSM_CORE_CREATE_VCPU, CAA + 0x1000, VMSA, 2), 0x80000003);
	assert_int_equal(world_core(SVSM_CORE_REMAP_CA, VMSA, 0, 0), 0x80000003);
}

static void a04_boot_vmsa_is_registered(void **state)
{
	(void)state;
	assert_true(registry_is_vmsa(gpa(WORLD_BOOT_VMSA)));
	assert_int_equal(world_core(SVSM_CORE_CREATE_VCPU, WORLD_BOOT_VMSA, CAA, 1), 0x80000003);
	assert_int_equal(world_core(SVSM_CORE_DELETE_VCPU, WORLD_BOOT_VMSA, 0, 0), 0x80000005);
}

static void a05_invalid_memory_is_refused_by_every_call(void **state)
{
	struct svsm_attest_op op = good_op;

	(void)state;
	assert_int_equal(world_core(SVSM_CORE_REMAP_CA, WORLD_INVALID, 0, 0), 0x80000003);
	assert_int_equal(world_core(SVSM_CORE_PVALIDATE, WORLD_INVALID, 0, 0), 0x80000003);
	assert_int_equal(world_core(SVSM_CORE_CREATE_VCPU, WORLD_INVALID, CAA, 1), 0x80000003);
	assert_int_equal(world_core(SVSM_CORE_CREATE_VCPU, VMSA, WORLD_INVALID, 1), 0x80000003);
	assert_int_equal(world_core(SVSM_CORE_DEPOSIT_MEM, WORLD_INVALID, 0, 0), 0x80000003);
	assert_int_equal(world_core(SVSM_CORE_WITHDRAW_MEM, WORLD_INVALID, 0, 0), 0x80000003);
	assert_int_equal(world_call(0, VTPM(SVSM_VTPM_CMD), WORLD_INVALID, 0, 0).rax, 0x80000003);
	assert_int_equal(world_call(0, ATTEST(0), WORLD_INVALID, 0, 0).rax, 0x80000003);
	op.manifest.gpa = WORLD_INVALID;
	assert_int_equal(attest(&op).rax, 0x80000003);
}

static void a06_unaligned_calling_area(void **state)
{
	(void)state;
	assert_int_equal(world_core(SVSM_CORE_CREATE_VCPU, VMSA, CAA + 0x10, 1), 0x80000005);
	assert_int_equal(world_core(SVSM_CORE_REMAP_CA, CAA + 0x10, 0, 0), 0x80000005);
}

static void a07_certificate_length_is_exact(void **state)
{
	struct svsm_attest_op op = good_op;
	struct svsm_call call;

	(void)state;
	attest_reply(100, 4097);
	op.certificates.size = 4097;
	call = attest(&op);
	assert_int_equal(call.rax, 0);
	assert_int_equal(call.rdx, 4097);
	op.certificates.size = 4096;
	call = attest(&op);
	assert_int_equal(call.rax, 0x80000005);
	assert_int_equal(call.rdx, 4097);
}

static void a08_fault_at_a_guest_pointer(void **state)
{
	(void)state;
	model_host_unassign(gpa(WORLD_SMALL), 1);
	assert_int_equal(world_core(SVSM_CORE_PVALIDATE, WORLD_SMALL, 0, 0), 0x80000003);
	assert_int_equal(world_core(SVSM_CORE_WITHDRAW_MEM, WORLD_SMALL, 0, 0), 0x80000003);
	assert_int_equal(world_call(0, VTPM(SVSM_VTPM_CMD), WORLD_SMALL, 0, 0).rax, 0x80000003);
	assert_int_equal(world_call(0, ATTEST(0), WORLD_SMALL, 0, 0).rax, 0x80000003);
}

/* While the RMP still calls the page a VMSA, it is nobody else's. */
static bool taken_until_rmpadjust(void *context, const struct model_event *event)
{
	unsigned int *seen = context;

	if (event->op != MODEL_RMPADJUST)
		return true;
	assert_int_equal(guest_pages_state(gpa(VMSA)), GUEST_PAGE_TAKEN);
	(*seen)++;
	return true;
}

static void a09_vmsa_bit_goes_before_the_registration(void **state)
{
	unsigned int seen = 0;

	(void)state;
	assert_int_equal(create(), 0);
	model_set_hook(taken_until_rmpadjust, &seen);
	assert_int_equal(world_core(SVSM_CORE_DELETE_VCPU, VMSA, 0, 0), 0);
	model_set_hook(NULL, NULL);
	assert_int_equal(seen, 2); /* and VMPL3's right */
	assert_int_equal(guest_pages_state(gpa(VMSA)), GUEST_PAGE_VALID);
	/* And a page that cannot lose its bit stays registered. */
	world_put_vmsa(VMSA);
	assert_int_equal(create(), 0);
	model_fail_with(MODEL_RMPADJUST, 1, SNP_RESULT_FAIL_INPUT);
	assert_int_equal(world_core(SVSM_CORE_DELETE_VCPU, VMSA, 0, 0), 0x80000003);
	assert_true(registry_is_vmsa(gpa(VMSA)));
	assert_int_equal(guest_pages_state(gpa(VMSA)), GUEST_PAGE_TAKEN);
}

/* Another vCPU calls while the first is in the middle of CREATE_VCPU. */
static bool others_want_the_pages(void *context, const struct model_event *event)
{
	uint64_t entries[2] = { VMSA, CAA };
	unsigned int *seen = context;

	if (event->op != MODEL_RMPADJUST)
		return true;
	world_put_list(WORLD_SMALL, 1, 0, &entries[(*seen)++ % 2]);
	assert_int_equal(world_call(3, CORE(SVSM_CORE_PVALIDATE), WORLD_SMALL, 0, 0).rax,
			 0x80000003);
	assert_int_equal(world_call(3, CORE(SVSM_CORE_REMAP_CA), VMSA, 0, 0).rax, 0x80000003);
	assert_int_equal(world_call(3, CORE(SVSM_CORE_REMAP_CA), CAA, 0, 0).rax, 0x80000003);
	assert_int_equal(world_call(3, CORE(SVSM_CORE_CREATE_VCPU), VMSA, WORLD_SMALL, 2).rax,
			 0x80000003);
	assert_int_equal(world_call(3, CORE(SVSM_CORE_CREATE_VCPU), WORLD_SMALL, CAA, 2).rax,
			 0x80000003);
	assert_int_equal(world_call(3, CORE(SVSM_CORE_DELETE_VCPU), VMSA, 0, 0).rax, 0x80000005);
	assert_int_equal(world_call(3, VTPM(SVSM_VTPM_CMD), VMSA, 0, 0).rax, 0x80000003);
	assert_int_equal(world_call(3, CORE(SVSM_CORE_WITHDRAW_MEM), VMSA, 0, 0).rax, 0x80000003);
	model_set_cpu(0);
	return true;
}

static void a10_calls_of_other_vcpus_in_the_middle(void **state)
{
	unsigned int seen = 0;

	(void)state;
	world_create(3, WORLD_SMALL + 0x30000, WORLD_SMALL + 0x31000);
	model_set_hook(others_want_the_pages, &seen);
	model_fail(MODEL_RMPQUERY, 1); /* so that each level is revoked */
	assert_int_equal(create(), 0);
	model_set_hook(NULL, NULL);
	assert_int_equal(seen, 3);
	assert_true(registry_is_vmsa(gpa(VMSA)));
	assert_true(world_guest_reads(VMSA));
}

static bool others_want_the_page(void *context, const struct model_event *event)
{
	unsigned int *seen = context;

	if (event->op != MODEL_PVALIDATE)
		return true;
	(*seen)++;
	assert_int_equal(world_call(3, CORE(SVSM_CORE_CREATE_VCPU), VMSA, CAA, 2).rax, 0x80000003);
	assert_int_equal(world_call(3, CORE(SVSM_CORE_REMAP_CA), VMSA, 0, 0).rax, 0x80000003);
	model_set_cpu(0);
	return true;
}

static void a10_pvalidate_against_create(void **state)
{
	unsigned int seen = 0;

	(void)state;
	world_create(3, WORLD_SMALL + 0x30000, WORLD_SMALL + 0x31000);
	model_set_hook(others_want_the_page, &seen);
	assert_int_equal(pvalidate(VMSA), 0);
	model_set_hook(NULL, NULL);
	assert_int_equal(seen, 1);
	assert_true(world_guest_barred(VMSA));
	assert_int_equal(guest_pages_state(gpa(VMSA)), GUEST_PAGE_INVALID);
}

static void a11_lengths_of_another_party_are_not_trusted(void **state)
{
	(void)state;
	attest_reply(100, 100);
	world_service(SERVICE_ATTEST)->reply_size -= 1;
	assert_int_equal(attest(&good_op).rax, 0x80001001);
	world_service(SERVICE_ATTEST)->reply_size += 2;
	assert_int_equal(attest(&good_op).rax, 0x80001001);
}

/* A short response after a long one brings nothing of the long one along. */
static void a12_no_old_bytes_in_a_response(void **state)
{
	struct svsm_vtpm_cmd_req req = { 8, 0, 10 };
	struct world_service *service = world_service(SERVICE_VTPM);

	(void)state;
	memset(service->reply, 'S', 4000);
	service->reply_size = 4000;
	world_put(WORLD_SMALL, &req, sizeof(req));
	assert_int_equal(world_call(0, VTPM(1), WORLD_SMALL, 0, 0).rax, 0);
	service->reply_size = 10;
	world_put(WORLD_SMALL + 0x2000, &req, sizeof(req));
	assert_int_equal(world_call(0, VTPM(1), WORLD_SMALL + 0x2000, 0, 0).rax, 0);
	for (size_t i = 14; i < 4096; i++)
		assert_int_equal(*model_memory(gpa(WORLD_SMALL + 0x2000 + i)), 0);
}

static unsigned int flushes_after_the_last_change(void)
{
	const struct model_event *journal;
	unsigned int flushes = 0;
	size_t count;

	journal = model_journal(&count);
	for (size_t i = 0; i < count; i++) {
		bool takes_away = (journal[i].op == MODEL_RMPADJUST &&
				   !(journal[i].argument & SNP_RMPADJUST_VMSA)) ||
				  (journal[i].op == MODEL_PVALIDATE && !journal[i].argument);

		if (takes_away)
			flushes = 0;
		flushes += journal[i].op == MODEL_FLUSH;
	}
	return flushes;
}

/* DELETE_VCPU takes what rights less privileged levels have. */
static void a14_flush_after_each_change(void **state)
{
	(void)state;
	assert_int_equal(pvalidate(WORLD_SMALL), 0);
	assert_int_equal(flushes_after_the_last_change(), 1);
	model_journal_clear();
	assert_int_equal(create(), 0);
	assert_int_equal(flushes_after_the_last_change(), 1);
	model_journal_clear();
	assert_int_equal(world_core(SVSM_CORE_DELETE_VCPU, VMSA, 0, 0), 0);
	assert_int_equal(flushes_after_the_last_change(), 1);
	/* Also when a later entry fails. */
	model_journal_clear();
	world_put_list(LIST, 2, 0, (uint64_t[2]){ WORLD_SMALL + 0x1000, WORLD_REGION });
	assert_int_equal(world_core(SVSM_CORE_PVALIDATE, LIST, 0, 0), 0x80000003);
	assert_int_equal(flushes_after_the_last_change(), 1);
}

static void a15_remap_touches_nothing_that_it_refuses(void **state)
{
	static const uint64_t pages[] = { VMSA, CAA, WORLD_REGION, WORLD_BOOT_VMSA, WORLD_INVALID };
	const struct model_event *journal;
	size_t count;

	(void)state;
	assert_int_equal(create(), 0);
	model_journal_clear();
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		assert_int_equal(world_core(SVSM_CORE_REMAP_CA, pages[i], 0, 0), 0x80000003);
	journal = model_journal(&count);
	(void)journal;
	assert_int_equal(count, 0);
}

static void a16_every_result_of_a_service_is_survived(void **state)
{
	struct svsm_vtpm_cmd_req req = { 8, 0, 10 };

	(void)state;
	world_put(WORLD_SMALL, &req, sizeof(req));
	for (uint32_t status = 1; status < 100; status++) {
		world_service(SERVICE_VTPM)->status = (enum service_status)status;
		world_service(SERVICE_ATTEST)->status = (enum service_status)status;
		assert_in_range(world_call(0, VTPM(1), WORLD_SMALL, 0, 0).rax, 0x80000000,
				0x80001fff);
		assert_in_range(attest(&good_op).rax, 0x80000000, 0x80001fff);
	}
}

static void a17_response_that_does_not_fit(void **state)
{
	struct svsm_vtpm_cmd_req req = { 8, 0, 10 };
	struct svsm_vtpm_cmd_req after;

	(void)state;
	world_service(SERVICE_VTPM)->reply_size = 4 + 4093;
	world_put(WORLD_SMALL, &req, sizeof(req));
	assert_int_equal(world_call(0, VTPM(1), WORLD_SMALL, 0, 0).rax, 0x80001001);
	world_get(&after, WORLD_SMALL, sizeof(after));
	assert_memory_equal(&after, &req, sizeof(req));
}

/* The guest hears of it, not by a code that Linux repeats for ever, and may try again. */
static void a18_busy_amd_sp(void **state)
{
	(void)state;
	attest_reply(100, 100);
	world_service(SERVICE_ATTEST)->status = SERVICE_ERR_BUSY;
	assert_int_equal(attest(&good_op).rax, 0x80001002);
	world_service(SERVICE_ATTEST)->status = SERVICE_OK;
	assert_int_equal(attest(&good_op).rax, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a01_address_plus_size_wraps, setup),
		cmocka_unit_test_setup(a02_reserved_bits_of_an_entry, setup),
		cmocka_unit_test_setup(a03_calling_area_is_a_vmsa, setup),
		cmocka_unit_test_setup(a04_boot_vmsa_is_registered, setup),
		cmocka_unit_test_setup(a05_invalid_memory_is_refused_by_every_call, setup),
		cmocka_unit_test_setup(a06_unaligned_calling_area, setup),
		cmocka_unit_test_setup(a07_certificate_length_is_exact, setup),
		cmocka_unit_test_setup(a08_fault_at_a_guest_pointer, setup),
		cmocka_unit_test_setup(a09_vmsa_bit_goes_before_the_registration, setup),
		cmocka_unit_test_setup(a10_calls_of_other_vcpus_in_the_middle, setup),
		cmocka_unit_test_setup(a10_pvalidate_against_create, setup),
		cmocka_unit_test_setup(a11_lengths_of_another_party_are_not_trusted, setup),
		cmocka_unit_test_setup(a12_no_old_bytes_in_a_response, setup),
		cmocka_unit_test_setup(a14_flush_after_each_change, setup),
		cmocka_unit_test_setup(a15_remap_touches_nothing_that_it_refuses, setup),
		cmocka_unit_test_setup(a16_every_result_of_a_service_is_survived, setup),
		cmocka_unit_test_setup(a17_response_that_does_not_fit, setup),
		cmocka_unit_test_setup(a18_busy_amd_sp, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
