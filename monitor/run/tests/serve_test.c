/* SPDX-License-Identifier: MIT */
/*
 * The run loop's turn: 58019, calling sequence; APM volume 2, 15.36.12 and table B-4 for what is
 * where in a VMSA. Offsets and codes are literals of those.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/apic/guest.h"
#include "monitor/arch/model/tests/world.h"
#include "monitor/mem/guest_pages.h"
#include "monitor/run/serve.h"
#include "monitor/vcpu/registry.h"

#define VMSA (WORLD_SMALL + 0x10000)
#define CAA (WORLD_SMALL + 0x11000)
#define VMSA2 (WORLD_SMALL + 0x20000)
#define CAA2 (WORLD_SMALL + 0x21000)
#define EXIT_INTR 0x60u
#define EXIT_VMGEXIT 0x403u
#define NOT_A_CALL 0x7e5a1000ull
#define QUERY_CORE_1 1ull /* RCX of QUERY_PROTOCOL: protocol 0, version 1 */
#define CORE_VERSIONS 0x100000001ull
#define NOT_A_RESULT 0x1234567800000006ull

enum field {
	EFER = 0x0d0,
	RAX = 0x1f8,
	RCX = 0x308,
	RDX = 0x310,
	RBX = 0x318,
	R8 = 0x340,
	R9 = 0x348,
	R10 = 0x350,
	VINTR = 0x3b8,
	EXIT_CODE = 0x3c0,
	EVENT_INJ = 0x3e0,
};

static uint64_t get(uint64_t vmsa, enum field field)
{
	uint64_t value;

	world_get(&value, vmsa + field, sizeof(value));
	return value;
}

static void put(uint64_t vmsa, enum field field, uint64_t value)
{
	world_put(vmsa + field, &value, sizeof(value));
}

static bool svme(uint64_t vmsa)
{
	return get(vmsa, EFER) & 1ull << 12;
}

/* The vCPU of that VMSA has asked whether core protocol 1 is there. */
static void ask(uint64_t vmsa, uint64_t caa)
{
	put(vmsa, RAX, 6);
	put(vmsa, RCX, QUERY_CORE_1);
	put(vmsa, RDX, 0x1111);
	put(vmsa, R8, 0x2222);
	put(vmsa, R9, 0x3333);
	put(vmsa, EXIT_CODE, EXIT_VMGEXIT);
	*model_memory(gpa(caa)) = 1;
}

static void assert_answered(uint64_t vmsa, uint64_t caa)
{
	assert_int_equal(get(vmsa, RAX), 0);
	assert_int_equal(get(vmsa, RCX), CORE_VERSIONS);
	assert_int_equal(get(vmsa, RDX), 0x1111);
	assert_int_equal(get(vmsa, R8), 0x2222);
	assert_int_equal(get(vmsa, R9), 0x3333);
	assert_int_equal(*model_memory(gpa(caa)), 0);
	assert_true(svme(vmsa));
}

/* Nothing of the call was taken, and it can run. */
static void assert_untouched(uint64_t vmsa)
{
	assert_int_equal(get(vmsa, RAX), 6);
	assert_int_equal(get(vmsa, RCX), QUERY_CORE_1);
	assert_true(svme(vmsa));
}

static int setup(void **state)
{
	(void)state;
	world_start();
	world_create(1, VMSA, CAA);
	ask(VMSA, CAA);
	model_journal_clear();
	return 0;
}

static void serves_a_call(void **state)
{
	(void)state;
	put(VMSA, RBX, 0x4444);
	put(VMSA, R10, 0x5555);
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_answered(VMSA, CAA);
	assert_int_equal(get(VMSA, RBX), 0x4444);
	assert_int_equal(get(VMSA, R10), 0x5555);
	assert_int_equal(get(VMSA, EXIT_CODE), EXIT_VMGEXIT);
}

/* The boot vCPU's VMSA is a page of Socle's, to which VMPL2 has no right. */
static void serves_the_boot_vcpu(void **state)
{
	(void)state;
	ask(WORLD_BOOT_VMSA, WORLD_BOOT_CAA);
	assert_int_equal(serve_vcpu(0, 0), 2);
	assert_answered(WORLD_BOOT_VMSA, WORLD_BOOT_CAA);
	assert_true(world_guest_barred(WORLD_BOOT_VMSA));
}

/* Stop, prove, look again, and only then read; runnable last. */
static void proves_before_it_reads(void **state)
{
	static const struct {
		enum model_op op;
		uint64_t at, argument;
	} order[] = {
		{ MODEL_RUNNABLE, VMSA + EFER, 0 }, { MODEL_RMPADJUST, VMSA, 0x10001 },
		{ MODEL_RUNNABLE, VMSA + EFER, 0 }, { MODEL_READ, VMSA + EXIT_CODE, 0 },
		{ MODEL_EXCHANGE, CAA, 0 },	    { MODEL_READ, VMSA + RAX, 0 },
		{ MODEL_READ, VMSA + RCX, 0 },	    { MODEL_READ, VMSA + RDX, 0 },
		{ MODEL_READ, VMSA + R8, 0 },	    { MODEL_READ, VMSA + R9, 0 },
		{ MODEL_WRITE, VMSA + RAX, 0 },	    { MODEL_WRITE, VMSA + RCX, 0 },
		{ MODEL_WRITE, VMSA + RDX, 0 },	    { MODEL_WRITE, VMSA + R8, 0 },
		{ MODEL_WRITE, VMSA + R9, 0 },	    { MODEL_RUNNABLE, VMSA + EFER, 1 },
	};
	const struct model_event *journal;
	size_t count;

	(void)state;
	assert_int_equal(serve_vcpu(1, 0), 2);
	journal = model_journal(&count);
	assert_int_equal(count, sizeof(order) / sizeof(order[0]));
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(journal[i].op, order[i].op);
		assert_int_equal(journal[i].at.raw, order[i].at);
		assert_int_equal(journal[i].argument, order[i].argument);
	}
	/* The proof has left the VMSA what it was. */
	assert_true(rmp_is_vmsa(model_rmp(), VMSA / 4096));
	assert_true(world_guest_reads(VMSA));
}

/* APM volume 2, appendix C: INTR, CPUID, NPF, AVIC, and what only looks like VMGEXIT. */
static void other_exits_are_no_call(void **state)
{
	static const uint64_t codes[] = {
		0, 0x60, 0x72, 0x7c, 0x400, 0x402, 0x404, UINT64_MAX, 1ull << 32 | 0x403, 0x10403
	};

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		put(VMSA, EXIT_CODE, codes[i]);
		assert_int_equal(serve_vcpu(1, 0), 2);
		assert_untouched(VMSA);
		assert_int_equal(*model_memory(gpa(CAA)), 1);
	}
	put(VMSA, EXIT_CODE, EXIT_VMGEXIT);
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_answered(VMSA, CAA);
}

/* The host runs us once more after a call was answered: it is not executed again. */
static void no_call_without_pending(void **state)
{
	(void)state;
	*model_memory(gpa(CAA)) = 0;
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_untouched(VMSA);
	ask(VMSA, CAA);
	assert_int_equal(serve_vcpu(1, 0), 2);
	put(VMSA, RAX, 6);
	put(VMSA, RCX, QUERY_CORE_1);
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_untouched(VMSA);
}

/*
 * The registers are those of whoever made the exit: 58019, tables 3 and 6 to 17, for the calls that
 * there are; the one but last is what Linux has in RAX where it asks the host by its GHCB (the
 * page's address, for WRMSR).
 */
static void interrupted_at_another_exit(void **state)
{
	static const uint64_t none[] = {
		8, 0x1000, 1ull << 32 | 3, 2ull << 32 | 2, 3ull << 32, 0x7e5a1000, UINT64_MAX,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		put(VMSA, RAX, none[i]);
		assert_int_equal(serve_vcpu(1, SERVE_ALL_LEVELS), 2);
		assert_int_equal(get(VMSA, RAX), none[i]);
		assert_int_equal(get(VMSA, RCX), QUERY_CORE_1);
		assert_int_equal(*model_memory(gpa(CAA)), 1);
		assert_true(svme(VMSA));
	}
	/* Without an event it is a call, and there is no such one. */
	put(VMSA, RAX, 8);
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_int_equal(get(VMSA, RAX), 0x80000002);
	assert_int_equal(*model_memory(gpa(CAA)), 0);
}

/* An event may come together with a call. */
static void interrupted_at_a_call(void **state)
{
	(void)state;
	assert_int_equal(serve_vcpu(1, SERVE_ALL_LEVELS), 2);
	assert_answered(VMSA, CAA);
}

static void interrupted_at_another_exit_and_gone(void **state)
{
	(void)state;
	put(VMSA, RAX, 8);
	model_fail(MODEL_READ, 2);
	assert_int_equal(serve_vcpu(1, SERVE_ALL_LEVELS), 0);
	assert_int_equal(*model_memory(gpa(CAA)), 1);
}

/* 58019, table 4. */
static void pending_is_one(void **state)
{
	(void)state;
	*model_memory(gpa(CAA)) = 2;
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_int_equal(get(VMSA, RAX), 0x80000004);
	assert_int_equal(get(VMSA, RCX), QUERY_CORE_1);
	assert_int_equal(*model_memory(gpa(CAA)), 0);
	assert_true(svme(VMSA));
}

/* It runs on another CPU: its call is left for when it has stopped, and is not lost. */
static void call_of_one_that_runs_waits(void **state)
{
	(void)state;
	model_fail_with(MODEL_RMPADJUST, 1, SNP_RESULT_FAIL_INUSE);
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_untouched(VMSA);
	assert_int_equal(*model_memory(gpa(CAA)), 1);
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_answered(VMSA, CAA);
}

/* What says nothing about it proves nothing. */
static void other_results_prove_nothing(void **state)
{
	(void)state;
	for (uint32_t eax = 1; eax < 8; eax++) {
		model_fail_with(MODEL_RMPADJUST, 1, eax);
		assert_int_equal(serve_vcpu(1, 0), 2);
		assert_untouched(VMSA);
		assert_int_equal(*model_memory(gpa(CAA)), 1);
	}
}

/* An exit on another CPU writes EFER back, and the host could enter the VMSA again. */
static bool exit_writes_efer(void *context, const struct model_event *event)
{
	(void)context;
	if (event->op == MODEL_RMPADJUST)
		put(VMSA, EFER, 1ull << 12);
	return true;
}

static void efer_written_back_proves_nothing(void **state)
{
	(void)state;
	model_set_hook(exit_writes_efer, NULL);
	assert_int_equal(serve_vcpu(1, 0), 2);
	model_set_hook(NULL, NULL);
	assert_untouched(VMSA);
	assert_int_equal(*model_memory(gpa(CAA)), 1);
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_answered(VMSA, CAA);
}

/* Nobody can run it between the proof and the answer. */
static bool stays_stopped(void *context, const struct model_event *event)
{
	unsigned int *seen = context;

	if (event->op == MODEL_READ || event->op == MODEL_WRITE || event->op == MODEL_EXCHANGE) {
		assert_false(svme(VMSA));
		(*seen)++;
	}
	return true;
}

static void stopped_while_it_is_served(void **state)
{
	unsigned int seen = 0;

	(void)state;
	model_set_hook(stays_stopped, &seen);
	assert_int_equal(serve_vcpu(1, 0), 2);
	model_set_hook(NULL, NULL);
	assert_int_equal(seen, 12);
	assert_true(svme(VMSA));
}

static void without_a_vcpu(void **state)
{
	size_t count;

	(void)state;
	assert_int_equal(serve_vcpu(2, 0), 0);
	assert_int_equal(serve_vcpu(WORLD_CPUS, 0), 0);
	assert_int_equal(serve_vcpu(UINT32_MAX, 0), 0);
	(void)model_journal(&count);
	assert_int_equal(count, 0);
}

/* It gets no answer: the page is plain memory of the guest by now. */
static void one_that_deletes_itself(void **state)
{
	(void)state;
	put(VMSA, RAX, 3);
	put(VMSA, RCX, VMSA);
	assert_int_equal(serve_vcpu(1, 0), 0);
	assert_int_equal(get(VMSA, RAX), 3);
	assert_int_equal(get(VMSA, RCX), VMSA);
	assert_false(svme(VMSA));
	assert_int_equal(guest_pages_state(gpa(VMSA)), GUEST_PAGE_VALID);
	assert_true(world_guest_owns(VMSA));
	assert_int_equal(serve_vcpu(1, 0), 0);
	/* And its pages serve for the next one. */
	world_create(1, VMSA, CAA);
	ask(VMSA, CAA);
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_answered(VMSA, CAA);
}

/* It cannot be deleted, and is answered; until then it stays stopped. */
static void one_that_fails_to_delete_itself(void **state)
{
	static const uint32_t cases[][2] = {
		{ SNP_RESULT_FAIL_INUSE, 0x80001003 },
		{ SNP_RESULT_FAIL_INPUT, 0x80000003 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned int seen = 0;

		setup(state);
		put(VMSA, RAX, 3);
		put(VMSA, RCX, VMSA);
		model_fail_with(MODEL_RMPADJUST, 2, cases[i][0]);
		model_set_hook(stays_stopped, &seen);
		assert_int_equal(serve_vcpu(1, 0), 2);
		model_set_hook(NULL, NULL);
		assert_int_equal(seen, 12);
		assert_int_equal(get(VMSA, RAX), cases[i][1]);
		assert_true(svme(VMSA));
		assert_true(registry_is_vmsa(gpa(VMSA)));
	}
}

/* The call moves the calling area: the next one is looked for in the new place only. */
static void next_call_in_the_new_area(void **state)
{
	(void)state;
	put(VMSA, RAX, 0);
	put(VMSA, RCX, CAA2);
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_int_equal(get(VMSA, RAX), 0);
	ask(VMSA, CAA);
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_untouched(VMSA);
	ask(VMSA, CAA2);
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_answered(VMSA, CAA2);
}

/* A newer VMSA shares the area: what the older one asks is not answered, by either. */
static void only_the_newest_is_served(void **state)
{
	(void)state;
	world_create(1, VMSA2, CAA);
	ask(VMSA, CAA);
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_untouched(VMSA);
	assert_int_equal(*model_memory(gpa(CAA)), 1);
	ask(VMSA2, CAA);
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_answered(VMSA2, CAA);
	assert_untouched(VMSA);
}

/* The calling area is not there: no call can be seen, and the guest runs on. */
static void unreadable_calling_area(void **state)
{
	(void)state;
	model_fail(MODEL_EXCHANGE, 1);
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_untouched(VMSA);
	assert_int_equal(*model_memory(gpa(CAA)), 1);
	model_host_unassign(gpa(CAA), 1);
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_untouched(VMSA);
}

static void assert_ended(uint64_t vmsa, uint64_t caa)
{
	struct registry_vcpu vcpu;

	assert_false(registry_enter(1, 2, &vcpu));
	assert_false(registry_is_vmsa(gpa(vmsa)));
	assert_int_equal(guest_pages_state(gpa(vmsa)), GUEST_PAGE_TAKEN);
	assert_int_equal(guest_pages_state(gpa(caa)), GUEST_PAGE_VALID);
}

static bool fails_at(void *context, const struct model_event *event)
{
	unsigned int *countdown = context;

	return event->op == MODEL_EXCHANGE || *countdown == 0 || --*countdown != 0;
}

/* Whichever access to the VMSA faults first: this vCPU ends, and no other. */
static void one_whose_vmsa_is_gone_ends(void **state)
{
	for (unsigned int nth = 1; nth <= 15; nth++) {
		unsigned int countdown = nth;

		setup(state);
		world_create(2, VMSA2, CAA2);
		model_set_hook(fails_at, &countdown);
		assert_int_equal(serve_vcpu(1, 0), 0);
		model_set_hook(NULL, NULL);
		assert_int_equal(countdown, 0);
		assert_ended(VMSA, CAA);
		assert_int_equal(serve_vcpu(1, 0), 0);
		ask(VMSA2, CAA2);
		assert_int_equal(serve_vcpu(2, 0), 2);
		assert_answered(VMSA2, CAA2);
		/* The page is nobody's for ever; the APIC id may come again. */
		assert_int_equal(world_core(SVSM_CORE_DELETE_VCPU, VMSA, 0, 0), 0x80000005);
		assert_int_equal(world_core(SVSM_CORE_CREATE_VCPU, VMSA, CAA, 1), 0x80000003);
		world_create(1, WORLD_SMALL + 0x30000, CAA);
		ask(WORLD_SMALL + 0x30000, CAA);
		assert_int_equal(serve_vcpu(1, 0), 2);
		assert_answered(WORLD_SMALL + 0x30000, CAA);
	}
}

/*
 * What launch.c puts there is no exit's code; whatever the first exit was, it stays one that ran.
 */
static void has_run_when_it_was_left(void **state)
{
	static const uint64_t codes[] = { 0, 0x60, 0x78, 0x400, 0x403, UINT32_MAX };

	(void)state;
	put(WORLD_BOOT_VMSA, EXIT_CODE, UINT64_MAX);
	assert_false(serve_has_run(0));
	assert_int_equal(serve_vcpu(0, 0), 2);
	assert_false(serve_has_run(0));
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		put(WORLD_BOOT_VMSA, EXIT_CODE, codes[i]);
		assert_true(serve_has_run(0));
	}
	/* One that is not there any more ends, and is not waited for. */
	assert_true(serve_has_run(3));
	put(WORLD_BOOT_VMSA, EXIT_CODE, UINT64_MAX);
	model_fail(MODEL_READ, 1);
	assert_true(serve_has_run(0));
	assert_int_equal(serve_vcpu(0, 0), 2);
}

/* The boot vCPU too: its VMSA is Socle's page, which a guest has asked the host to take away. */
static void boot_vcpu_can_end(void **state)
{
	struct registry_vcpu vcpu;

	(void)state;
	model_host_unassign(gpa(WORLD_BOOT_VMSA), 1);
	assert_int_equal(serve_vcpu(0, 0), 0);
	assert_false(registry_enter(0, 2, &vcpu));
	assert_int_equal(guest_pages_state(gpa(WORLD_BOOT_VMSA)), GUEST_PAGE_TAKEN);
	assert_int_equal(guest_pages_state(gpa(WORLD_BOOT_CAA)), GUEST_PAGE_VALID);
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_answered(VMSA, CAA);
}

/* ---- Two levels on one vCPU: VMPL2 at VMSA and VMPL3 at VMSA2 ---- */

static int setup_two(void **state)
{
	setup(state);
	put(VMSA, EXIT_CODE, EXIT_INTR);
	*model_memory(gpa(CAA)) = 0;
	world_create_lower(1, VMSA2, CAA2);
	ask(VMSA2, CAA2);
	return 0;
}

/* Who called runs again, and its exit has been looked at. */
static void the_second_is_answered_and_runs(void **state)
{
	(void)state;
	assert_int_equal(serve_vcpu(1, 0), 3);
	assert_answered(VMSA2, CAA2);
	assert_true(svme(VMSA));
	assert_int_equal(serve_vcpu(1, 0), 2);
}

static void without_a_call_the_first_runs(void **state)
{
	static const uint64_t codes[] = { 0x60, 0x78, 0x400, 0x403 };

	(void)state;
	*model_memory(gpa(CAA2)) = 0;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		put(VMSA2, EXIT_CODE, codes[i]);
		assert_int_equal(serve_vcpu(1, i % 2 ? SERVE_ALL_LEVELS : 0), 2);
		assert_untouched(VMSA2);
	}
}

/* Both have called: each is answered, and the more privileged one runs. */
static void the_first_goes_before_the_second(void **state)
{
	(void)state;
	ask(VMSA, CAA);
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_answered(VMSA, CAA);
	assert_answered(VMSA2, CAA2);
}

/*
 * The second has stopped on its way to a call, at an exit that was for somebody else: the first has
 * called, or an event came. Whoever comes afterwards, that exit stays one of somebody else's.
 */
static void an_exit_of_the_second_is_looked_at_once(void **state)
{
	for (unsigned int event = 0; event < 2; event++) {
		setup_two(state);
		if (!event)
			ask(VMSA, CAA);
		put(VMSA2, RAX, NOT_A_CALL);
		assert_int_equal(serve_vcpu(1, event ? SERVE_ALL_LEVELS : 0), 2);
		for (unsigned int i = 0; i < 3; i++) {
			assert_int_equal(serve_vcpu(1, 0), 2);
			assert_int_equal(get(VMSA2, RAX), NOT_A_CALL);
			assert_int_equal(*model_memory(gpa(CAA2)), 1);
			assert_true(svme(VMSA2));
		}
		/* It goes on, and makes the call. */
		put(VMSA2, RAX, 6);
		put(VMSA2, EXIT_CODE, EXIT_VMGEXIT);
		assert_int_equal(serve_vcpu(1, 0), 3);
		assert_answered(VMSA2, CAA2);
	}
}

/*
 * The first has stopped on its way to a call, at an exit by which it had the second run, and the
 * second calls: that is no call of the first's, until it makes one. So it is where the event that
 * found it is an older one.
 */
static void an_exit_of_the_first_that_is_not_what_brings_us(void **state)
{
	for (unsigned int event = 0; event < 2; event++) {
		setup_two(state);
		put(VMSA, EXIT_CODE, EXIT_VMGEXIT);
		put(VMSA, RAX, NOT_A_CALL);
		*model_memory(gpa(CAA)) = 1;
		if (event)
			put(VMSA2, EXIT_CODE, UINT64_MAX);
		assert_int_equal(serve_vcpu(1, event ? 1u << 2 : 0), event ? 2 : 3);
		assert_int_equal(get(VMSA, RAX), NOT_A_CALL);
		assert_int_equal(get(VMSA, RCX), QUERY_CORE_1);
		assert_int_equal(*model_memory(gpa(CAA)), 1);
		assert_true(svme(VMSA));
		if (!event)
			assert_answered(VMSA2, CAA2);
		/* It has gone on, and made one that there is not. */
		assert_int_equal(serve_vcpu(1, 1u << 3), 2);
		assert_int_equal(get(VMSA, RAX), 0x80000002);
		assert_int_equal(*model_memory(gpa(CAA)), 0);
	}
}

/*
 * A second whose exit cannot be read may be what brings us; it ends, and the first is not answered
 * for it.
 */
static void a_second_that_is_gone_is_in_doubt(void **state)
{
	(void)state;
	put(VMSA, EXIT_CODE, EXIT_VMGEXIT);
	put(VMSA, RAX, NOT_A_CALL);
	*model_memory(gpa(CAA)) = 1;
	model_host_unassign(gpa(VMSA2), 1);
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_int_equal(get(VMSA, RAX), NOT_A_CALL);
	assert_int_equal(*model_memory(gpa(CAA)), 1);
}

/* Nobody else could have brought us here, so what does not exist is said not to. */
static void the_second_is_told_of_calls_that_do_not_exist(void **state)
{
	(void)state;
	put(VMSA2, RAX, 8);
	assert_int_equal(serve_vcpu(1, 0), 3);
	assert_int_equal(get(VMSA2, RAX), 0x80000002);
	put(VMSA2, RAX, 2ull << 32); /* the vTPM, which this image does not grant */
	put(VMSA2, EXIT_CODE, EXIT_VMGEXIT);
	*model_memory(gpa(CAA2)) = 1;
	assert_int_equal(serve_vcpu(1, SERVE_ALL_LEVELS), 3);
	assert_int_equal(get(VMSA2, RAX), 0x80000001);
}

/* The exit that its maker wrote into a VMSA is none: nobody has entered it yet. */
static void a_second_that_has_not_run_has_made_no_call(void **state)
{
	const uint64_t page = WORLD_SMALL + 0x30000;

	(void)state;
	world_put_vmsa_of(page, 3);
	ask(page, CAA2);
	assert_int_equal(world_core(SVSM_CORE_CREATE_VCPU, page, CAA2, 1), 0);
	*model_memory(gpa(CAA2)) = 1;
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_untouched(page);
	assert_int_equal(*model_memory(gpa(CAA2)), 1);
	put(page, EXIT_CODE, EXIT_VMGEXIT);
	assert_int_equal(serve_vcpu(1, 0), 3);
	assert_answered(page, CAA2);
}

/* An area that the first has taken back is the first's: no byte of it changes. */
static void an_area_that_the_second_has_lost(void **state)
{
	static const unsigned int no_use[] = { 0, 1, 2, 12, 13 };

	(void)state;
	for (size_t i = 0; i < sizeof(no_use) / sizeof(no_use[0]); i++) {
		world_share_as(CAA2, no_use[i]);
		put(VMSA2, EXIT_CODE, EXIT_VMGEXIT);
		assert_int_equal(serve_vcpu(1, 0), 2);
		assert_untouched(VMSA2);
		assert_int_equal(*model_memory(gpa(CAA2)), 1);
	}
	world_share(CAA2);
	put(VMSA2, EXIT_CODE, EXIT_VMGEXIT);
	assert_int_equal(serve_vcpu(1, 0), 3);
}

/* Whichever access to its VMSA faults first: that level of this vCPU ends, and no other. */
static void a_second_whose_vmsa_is_gone_ends(void **state)
{
	struct registry_vcpu vcpu;

	for (unsigned int nth = 1; nth <= 3; nth++) {
		setup_two(state);
		*model_memory(gpa(CAA2)) = 0;
		model_fail(nth == 3 ? MODEL_WRITE : MODEL_READ, nth == 3 ? 1 : nth + 2);
		assert_int_equal(serve_vcpu(1, 0), 2);
		assert_false(registry_enter(1, 3, &vcpu));
		assert_int_equal(guest_pages_state(gpa(VMSA2)), GUEST_PAGE_TAKEN);
		assert_int_equal(guest_pages_state(gpa(CAA2)), GUEST_PAGE_VALID);
		ask(VMSA, CAA);
		assert_int_equal(serve_vcpu(1, 0), 2);
		assert_answered(VMSA, CAA);
	}
}

/* Only the second is on this vCPU, and it deletes itself at last. */
static void a_vcpu_of_the_second_alone(void **state)
{
	(void)state;
	world_create_lower(2, WORLD_SMALL + 0x30000, WORLD_SMALL + 0x31000);
	assert_int_equal(serve_vcpu(2, 0), 3);
	ask(WORLD_SMALL + 0x30000, WORLD_SMALL + 0x31000);
	assert_int_equal(serve_vcpu(2, SERVE_ALL_LEVELS), 3);
	assert_answered(WORLD_SMALL + 0x30000, WORLD_SMALL + 0x31000);
	put(WORLD_SMALL + 0x30000, RAX, 3);
	put(WORLD_SMALL + 0x30000, RCX, WORLD_SMALL + 0x30000);
	put(WORLD_SMALL + 0x30000, EXIT_CODE, EXIT_VMGEXIT);
	*model_memory(gpa(WORLD_SMALL + 0x31000)) = 1;
	assert_int_equal(serve_vcpu(2, 0), 0);
	assert_int_equal(serve_vcpu(2, 0), 0);
}

/* One that runs on another CPU is left alone, and its exit is looked at when it has stopped. */
static void a_second_that_runs_is_not_looked_at(void **state)
{
	(void)state;
	model_rmp()->entries[VMSA2 / 4096].flags |= RMP_VMSA_IN_USE;
	assert_int_equal(serve_vcpu(1, 0), 2);
	assert_untouched(VMSA2);
	model_rmp()->entries[VMSA2 / 4096].flags &= (uint8_t)~RMP_VMSA_IN_USE;
	assert_int_equal(serve_vcpu(1, 0), 3);
	assert_answered(VMSA2, CAA2);
}

/* APM volume 2, 15.36.16: what Socle's APIC hands over is for the first level's VMSA. */
static void the_second_gets_no_interrupt_of_the_first(void **state)
{
	(void)state;
	guest_apic_init(WORLD_CPUS);
	guest_apic_start(1);
	model_set_cpu(1);
	put(VMSA2, VINTR, 0x1234);
	put(VMSA2, EVENT_INJ, 0x5678);
	put(VMSA, VINTR, 0);
	assert_int_equal(guest_apic_write(1, 0x83f, 0x40), GUEST_APIC_DONE); /* self-IPI */
	assert_int_equal(serve_vcpu(1, 0), 3);
	assert_int_equal(get(VMSA2, VINTR), 0x1234);
	assert_int_equal(get(VMSA2, EVENT_INJ), 0x5678);
	assert_int_equal(get(VMSA, VINTR) >> 32 & 0xff, 0x40); /* V_INTR_VECTOR */
	guest_apic_init(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(serves_a_call, setup),
		cmocka_unit_test_setup(serves_the_boot_vcpu, setup),
		cmocka_unit_test_setup(proves_before_it_reads, setup),
		cmocka_unit_test_setup(other_exits_are_no_call, setup),
		cmocka_unit_test_setup(no_call_without_pending, setup),
		cmocka_unit_test_setup(interrupted_at_another_exit, setup),
		cmocka_unit_test_setup(interrupted_at_a_call, setup),
		cmocka_unit_test_setup(interrupted_at_another_exit_and_gone, setup),
		cmocka_unit_test_setup(pending_is_one, setup),
		cmocka_unit_test_setup(call_of_one_that_runs_waits, setup),
		cmocka_unit_test_setup(other_results_prove_nothing, setup),
		cmocka_unit_test_setup(efer_written_back_proves_nothing, setup),
		cmocka_unit_test_setup(stopped_while_it_is_served, setup),
		cmocka_unit_test_setup(without_a_vcpu, setup),
		cmocka_unit_test_setup(one_that_deletes_itself, setup),
		cmocka_unit_test_setup(one_that_fails_to_delete_itself, setup),
		cmocka_unit_test_setup(next_call_in_the_new_area, setup),
		cmocka_unit_test_setup(only_the_newest_is_served, setup),
		cmocka_unit_test_setup(unreadable_calling_area, setup),
		cmocka_unit_test_setup(one_whose_vmsa_is_gone_ends, setup),
		cmocka_unit_test_setup(has_run_when_it_was_left, setup),
		cmocka_unit_test_setup(boot_vcpu_can_end, setup),
		cmocka_unit_test_setup(the_second_is_answered_and_runs, setup_two),
		cmocka_unit_test_setup(without_a_call_the_first_runs, setup_two),
		cmocka_unit_test_setup(the_first_goes_before_the_second, setup_two),
		cmocka_unit_test_setup(an_exit_of_the_second_is_looked_at_once, setup_two),
		cmocka_unit_test_setup(an_exit_of_the_first_that_is_not_what_brings_us, setup_two),
		cmocka_unit_test_setup(a_second_that_is_gone_is_in_doubt, setup_two),
		cmocka_unit_test_setup(the_second_is_told_of_calls_that_do_not_exist, setup_two),
		cmocka_unit_test_setup(a_second_that_has_not_run_has_made_no_call, setup_two),
		cmocka_unit_test_setup(an_area_that_the_second_has_lost, setup_two),
		cmocka_unit_test_setup(a_second_whose_vmsa_is_gone_ends, setup_two),
		cmocka_unit_test_setup(a_vcpu_of_the_second_alone, setup_two),
		cmocka_unit_test_setup(a_second_that_runs_is_not_looked_at, setup_two),
		cmocka_unit_test_setup(the_second_gets_no_interrupt_of_the_first, setup_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
