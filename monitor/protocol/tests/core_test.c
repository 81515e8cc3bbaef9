/* SPDX-License-Identifier: MIT */
/* Dispatch, and the core calls that are neither validation nor vCPUs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/arch/model/tests/world.h"
#include "monitor/mem/guest_pages.h"
#include "monitor/vcpu/registry.h"

static int setup(void **state)
{
	(void)state;
	world_start();
	return 0;
}

static void unknown_calls_have_results(void **state)
{
	static const struct {
		uint64_t rax;
		uint32_t result;
	} cases[] = {
		{ CORE(8), 0x80000002 },
		{ CORE(0xffffffff), 0x80000002 },
		{ ATTEST(3), 0x80000002 },
		{ VTPM(2), 0x80000002 },
		{ 3ull << 32, 0x80000001 },
		{ 4ull << 32 | 1, 0x80000001 },
		{ 0x80000000ull << 32, 0x80000001 },
		{ UINT64_MAX, 0x80000001 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(world_call(0, cases[i].rax, 0, 0, 0).rax, cases[i].result);
}

/* 58019, table 4: a reserved value in SVSM_CALL_PENDING is INVALID_FORMAT. */
static void pending_is_one(void **state)
{
	struct svsm_call call = { .rax = CORE(SVSM_CORE_QUERY_PROTOCOL), .rcx = 1 };

	(void)state;
	svsm_dispatch(&call, 2);
	assert_int_equal(call.rax, 0x80000004);
	assert_int_equal(call.rcx, 1);
	call.rax = CORE(SVSM_CORE_QUERY_PROTOCOL);
	svsm_dispatch(&call, 0xff);
	assert_int_equal(call.rax, 0x80000004);
}

static uint64_t query(uint64_t protocol, uint32_t version)
{
	struct svsm_call call = world_call(0, CORE(SVSM_CORE_QUERY_PROTOCOL),
					   protocol << 32 | version, 7, 8);

	assert_int_equal(call.rax, 0);
	assert_int_equal(call.rdx, 7);
	assert_int_equal(call.r8, 8);
	return call.rcx;
}

static void query_protocol(void **state)
{
	static const uint32_t newest[] = { 1, 2, 1 };

	(void)state;
	for (uint64_t protocol = 0; protocol < 3; protocol++) {
		uint64_t versions = (uint64_t)newest[protocol] << 32 | 1;

		assert_int_equal(query(protocol, 0), 0);
		for (uint32_t version = 1; version <= newest[protocol]; version++)
			assert_int_equal(query(protocol, version), versions);
		assert_int_equal(query(protocol, newest[protocol] + 1), 0);
		assert_int_equal(query(protocol, UINT32_MAX), 0);
	}
	assert_int_equal(query(3, 1), 0);
	assert_int_equal(query(0x80000000, 1), 0);
	assert_int_equal(query(0xffffffff, 1), 0);
}

static void query_protocol_without_a_service(void **state)
{
	(void)state;
	world_service(SERVICE_VTPM)->available = false;
	assert_int_equal(query(SVSM_PROTOCOL_VTPM, 1), 0);
	assert_int_equal(query(SVSM_PROTOCOL_ATTEST, 1), 0x200000001);
	world_service(SERVICE_ATTEST)->available = false;
	assert_int_equal(query(SVSM_PROTOCOL_ATTEST, 1), 0);
	assert_int_equal(query(SVSM_PROTOCOL_CORE, 1), 0x100000001);
}

/* 58019, table 9. */
static void configure_vtom(void **state)
{
	struct svsm_call call = world_call(0, CORE(SVSM_CORE_CONFIGURE_VTOM), 1, 2, 3);

	(void)state;
	assert_int_equal(call.rax, 0);
	assert_int_equal(call.rcx, 0);
	assert_int_equal(world_core(SVSM_CORE_CONFIGURE_VTOM, 3, 0, 0), 0x80000005);
	assert_int_equal(world_core(SVSM_CORE_CONFIGURE_VTOM, 1ull << 63 | 1, 0, 0), 0x80000005);
	assert_int_equal(world_core(SVSM_CORE_CONFIGURE_VTOM, 0, 0, 0), 0x80000006);
	assert_int_equal(world_core(SVSM_CORE_CONFIGURE_VTOM, 0x8000001e, 0, 0), 0x80000006);
	assert_int_equal(world_core(SVSM_CORE_CONFIGURE_VTOM, 0x20, 0, 0), 0x80000005);
	assert_int_equal(world_core(SVSM_CORE_CONFIGURE_VTOM, 0x800, 0, 0), 0x80000005);
}

static void deposit_is_judged_then_refused(void **state)
{
	static const uint64_t entry = WORLD_SMALL;
	uint64_t at = WORLD_SMALL + 0x1000;
	uint16_t next;

	(void)state;
	world_put_list(at, 1, 0, &entry);
	assert_int_equal(world_core(SVSM_CORE_DEPOSIT_MEM, at, 0, 0), 0x80000006);
	world_get(&next, at + 2, sizeof(next));
	assert_int_equal(next, 0);
	assert_int_equal(world_core(SVSM_CORE_DEPOSIT_MEM, at + 4, 0, 0), 0x80000005);
	assert_int_equal(world_core(SVSM_CORE_DEPOSIT_MEM, WORLD_REGION, 0, 0), 0x80000003);
	world_put_list(at, 0, 0, NULL);
	assert_int_equal(world_core(SVSM_CORE_DEPOSIT_MEM, at, 0, 0), 0x80000005);
	world_put_list(at, 1, 1, &entry);
	assert_int_equal(world_core(SVSM_CORE_DEPOSIT_MEM, at, 0, 0), 0x80000005);
	world_put_list(at + 0xff0, 2, 0, (uint64_t[2]){ 0, 0 });
	assert_int_equal(world_core(SVSM_CORE_DEPOSIT_MEM, at + 0xff0, 0, 0), 0x80000005);
	assert_true(world_guest_owns(WORLD_SMALL));
}

/* 58019, section 6.6: nothing to withdraw is an empty list; no room for an entry is an error. */
static void withdraw_is_an_empty_list(void **state)
{
	uint64_t at = WORLD_SMALL;
	uint8_t bytes[8];

	(void)state;
	memset(model_memory(gpa(at)), 0xee, 0x1000);
	assert_int_equal(world_core(SVSM_CORE_WITHDRAW_MEM, at, 0, 0), 0);
	world_get(bytes, at, sizeof(bytes));
	assert_memory_equal(bytes, ((uint8_t[]){ 0, 0, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee }), 8);
	assert_int_equal(world_core(SVSM_CORE_WITHDRAW_MEM, at + 0xff0, 0, 0), 0);
	assert_int_equal(world_core(SVSM_CORE_WITHDRAW_MEM, at + 0xff8, 0, 0), 0x80000005);
	assert_int_equal(world_core(SVSM_CORE_WITHDRAW_MEM, at + 1, 0, 0), 0x80000005);
	assert_int_equal(world_core(SVSM_CORE_WITHDRAW_MEM, WORLD_REGION, 0, 0), 0x80000003);
	assert_int_equal(world_core(SVSM_CORE_WITHDRAW_MEM, 0 - 8ull, 0, 0), 0x80000005);
	assert_int_equal(world_core(SVSM_CORE_WITHDRAW_MEM, 0 - 16ull, 0, 0), 0x80000003);
}

static gpa_t caa_of(unsigned int cpu)
{
	struct registry_vcpu vcpu = { { 0 }, { 0 } };

	assert_true(registry_enter(cpu, 2, &vcpu));
	registry_leave(cpu, 2);
	return vcpu.caa;
}

static void remap_moves_the_calling_area(void **state)
{
	uint64_t to = WORLD_SMALL + 0x3000;

	(void)state;
	*model_memory(gpa(to)) = 1;
	*model_memory(gpa(to + 1)) = 0x77;
	assert_int_equal(world_core(SVSM_CORE_REMAP_CA, to, 0, 0), 0);
	assert_int_equal(caa_of(0).raw, to);
	assert_int_equal(*model_memory(gpa(to)), 0);
	assert_int_equal(*model_memory(gpa(to + 1)), 0x77);
	assert_int_equal(guest_pages_state(gpa(to)), GUEST_PAGE_CALLING);
	assert_int_equal(guest_pages_state(gpa(WORLD_BOOT_CAA)), GUEST_PAGE_VALID);
	assert_int_equal(world_core(SVSM_CORE_REMAP_CA, WORLD_BOOT_CAA, 0, 0), 0);
	assert_int_equal(caa_of(0).raw, WORLD_BOOT_CAA);
}

static void remap_to_where_it_is(void **state)
{
	(void)state;
	assert_int_equal(world_core(SVSM_CORE_REMAP_CA, WORLD_BOOT_CAA, 0, 0), 0);
	assert_int_equal(caa_of(0).raw, WORLD_BOOT_CAA);
	assert_int_equal(guest_pages_state(gpa(WORLD_BOOT_CAA)), GUEST_PAGE_CALLING);
}

static void remap_refuses(void **state)
{
	static const struct {
		uint64_t to;
		uint32_t result;
	} cases[] = {
		{ WORLD_SMALL + 1, 0x80000005 },
		{ WORLD_SMALL + 0x800, 0x80000005 },
		{ UINT64_MAX, 0x80000005 },
		{ 0 - 0x1000ull, 0x80000003 },
		{ MODEL_SIZE, 0x80000003 },
		{ WORLD_HOLE, 0x80000003 },
		{ WORLD_INVALID, 0x80000003 },
		{ WORLD_REGION, 0x80000003 },
		{ WORLD_REGION + WORLD_REGION_SIZE - 0x1000, 0x80000003 },
		{ WORLD_BOOT_VMSA, 0x80000003 },
		{ WORLD_SMALL + 0x10000, 0x80000003 }, /* the VMSA of CPU 1 */
		{ WORLD_SMALL + 0x11000, 0x80000003 }, /* its calling area */
	};

	(void)state;
	world_create(1, WORLD_SMALL + 0x10000, WORLD_SMALL + 0x11000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t before[0x1000] = { 0 };

		if (cases[i].to <= WORLD_LAST_PAGE)
			memcpy(before, model_memory(gpa(cases[i].to & ~0xfffull)), 0x1000);
		assert_int_equal(world_core(SVSM_CORE_REMAP_CA, cases[i].to, 0, 0),
				 cases[i].result);
		assert_int_equal(caa_of(0).raw, WORLD_BOOT_CAA);
		if (cases[i].to <= WORLD_LAST_PAGE)
			assert_memory_equal(before, model_memory(gpa(cases[i].to & ~0xfffull)),
					    0x1000);
	}
	assert_int_equal(world_core(SVSM_CORE_REMAP_CA, WORLD_LAST_PAGE, 0, 0), 0);
}

static void remap_survives_a_fault(void **state)
{
	(void)state;
	model_host_unassign(gpa(WORLD_SMALL), 1);
	assert_int_equal(world_core(SVSM_CORE_REMAP_CA, WORLD_SMALL, 0, 0), 0x80000003);
	assert_int_equal(caa_of(0).raw, WORLD_BOOT_CAA);
	assert_int_equal(guest_pages_state(gpa(WORLD_SMALL)), GUEST_PAGE_VALID);
	assert_int_equal(guest_pages_state(gpa(WORLD_BOOT_CAA)), GUEST_PAGE_CALLING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(unknown_calls_have_results, setup),
		cmocka_unit_test_setup(pending_is_one, setup),
		cmocka_unit_test_setup(query_protocol, setup),
		cmocka_unit_test_setup(query_protocol_without_a_service, setup),
		cmocka_unit_test_setup(configure_vtom, setup),
		cmocka_unit_test_setup(deposit_is_judged_then_refused, setup),
		cmocka_unit_test_setup(withdraw_is_an_empty_list, setup),
		cmocka_unit_test_setup(remap_moves_the_calling_area, setup),
		cmocka_unit_test_setup(remap_to_where_it_is, setup),
		cmocka_unit_test_setup(remap_refuses, setup),
		cmocka_unit_test_setup(remap_survives_a_fault, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
