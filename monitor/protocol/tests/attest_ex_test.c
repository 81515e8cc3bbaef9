/* SPDX-License-Identifier: MIT */
/*
 * Call 2, attest single service extended: what its selector may be, what the services are asked,
 * and keys that have to be made, in slices, while others call.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/protocol/tests/attest_fixture.h"
#include "monitor/protocol/twin.h"
#include "monitor/run/serve.h"

#define EX SVSM_ATTEST_SINGLE_SERVICE_EX
#define SELECTOR (WORLD_SMALL + 0x11ffb) /* crosses a page after the first bytes */
#define OTHER_OP (WORLD_SMALL + 0x13000)
#define CPU1_VMSA (WORLD_SMALL + 0x30000)
#define CPU1_CAA (WORLD_SMALL + 0x31000)
#define INCOMPLETE 0x80000000

static struct svsm_attest_op_ex ex;

/* The selector of the next call: kind, little-endian, and what follows. */
static void set_selector(uint64_t kind, const void *rest, size_t size)
{
	world_put(SELECTOR, &kind, sizeof(kind));
	world_put(SELECTOR + sizeof(kind), rest, size);
	ex.selector = (struct svsm_loc){ SELECTOR, (uint32_t)(sizeof(kind) + size), 0 };
}

static const uint8_t template[] = { 't', 'p', 'l' };

/* What the twin has made, or its TPM_RC. */
static void set_made(uint32_t code, const void *public, size_t size)
{
	struct world_service *twin = world_service(SERVICE_TWIN);

	memcpy(twin->reply, &code, sizeof(code));
	memcpy(twin->reply + sizeof(code), public, size);
	twin->reply_size = sizeof(code) + size;
}

static void prepare(void **state)
{
	attest_setup(state);
	ex = (struct svsm_attest_op_ex){ .base = op };
	set_selector(SVSM_SELECTOR_KEY, "\x82\0\0\0", 4);
	vtpm.order = template;
	vtpm.order_size = sizeof(template);
	set_made(0, "public", 6);
}

static struct svsm_call attest_on(unsigned int cpu, uint64_t at)
{
	world_put(at, &ex, sizeof(ex));
	return world_call(cpu, ATTEST(EX), at, UINT64_MAX, UINT64_MAX);
}

static struct svsm_call attest_ex(void)
{
	return attest_on(0, OP);
}

/* The twin has the seeds, once a key was made. */
static int setup(void **state)
{
	prepare(state);
	vtpm.outcome = SELECT_CREATE;
	while (attest_ex().rax == INCOMPLETE)
		;
	assert_int_equal(vtpm.remembers, 1);
	prepare(state);
	return 0;
}

static void assert_incomplete(const struct svsm_call *call)
{
	assert_int_equal(call->rcx, OP);
	assert_refused(call, INCOMPLETE);
}

static void assert_selected(const struct svsm_call *call)
{
	assert_delivered(call, MANIFEST_SIZE);
	assert_filled(MANIFEST, 'M', MANIFEST_SIZE);
}

/* ---- Decoding ---- */

/* Byte for byte: the same questions to the services, the same bytes and registers to the guest. */
static void nothing_selected_is_call_1(void **state)
{
	static const struct svsm_loc nothing[] = { { UINT64_MAX, 0, 0 }, { SELECTOR, 8, 0 } };
	static uint8_t asked_1[8192], memory_1[0x11000];
	const struct world_service *service = world_service(SERVICE_ATTEST);
	struct svsm_call first, call;
	size_t size;

	(void)state;
	world_put(OP, &ex, sizeof(ex));
	first = attest_at(SVSM_ATTEST_SINGLE_SERVICE, OP);
	size = service->payload_size;
	memcpy(asked_1, service->payload, size);
	memcpy(memory_1, model_memory(gpa(WORLD_SMALL)), sizeof(memory_1));
	for (unsigned int i = 0; i < 2; i++) {
		setup(NULL);
		set_selector(SVSM_SELECTOR_NONE, "", 0);
		ex.selector = nothing[i];
		call = attest_ex();
		assert_int_equal(call.rax, 0);
		assert_int_equal(call.rcx, first.rcx);
		assert_int_equal(call.rdx, first.rdx);
		assert_int_equal(call.r8, first.r8);
		assert_int_equal(service->payload_size, size);
		assert_memory_equal(service->payload, asked_1, size);
		assert_memory_equal(model_memory(gpa(WORLD_SMALL)), memory_1, sizeof(memory_1));
		assert_int_equal(vtpm.manifests, 1);
		assert_int_equal(vtpm.selects, 0);
	}
}

/* Kind 2, key 0x82. */
static const uint8_t selector[12] = { 2, 0, 0, 0, 0, 0, 0, 0, 0x82, 0, 0, 0 };

static void selector_is_bound(void **state)
{
	const uint8_t *payload = world_service(SERVICE_ATTEST)->payload;
	struct attest_request request;
	struct svsm_call call;

	(void)state;
	ex.base.manifest_version = 1;
	call = attest_ex();
	assert_selected(&call);
	assert_int_equal(vtpm.selects, 1);
	assert_int_equal(vtpm.manifests, 0);
	assert_int_equal(vtpm.selected_size, 16);
	assert_memory_equal(vtpm.selected, "\1\0\0\0\2\0\0\0\0\0\0\0\x82\0\0\0", 16);
	request = asked(ATTEST_OP_SINGLE);
	assert_int_equal(request.manifest_version, 1);
	assert_int_equal(request.selector_size, sizeof(selector));
	assert_int_equal(request.manifest_size, MANIFEST_SIZE);
	assert_memory_equal(payload + 80, selector, sizeof(selector));
	for (unsigned int i = 0; i < MANIFEST_SIZE; i++)
		assert_int_equal(payload[80 + sizeof(selector) + i], 'M');
	assert_int_equal(world_service(SERVICE_TWIN)->calls, 0);
}

/* Every selector but none reaches the vtpm as it is, which knows the kinds. */
static void selectors_of_all_sizes(void **state)
{
	static const uint32_t sizes[] = { 1, 7, 8, 9, 11, 12, 13, 1023, 1024 };
	uint8_t bytes[1024];

	(void)state;
	memset(bytes, 0xa7, sizeof(bytes));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct svsm_call call;

		setup(NULL);
		world_put(SELECTOR, bytes, sizes[i]);
		ex.selector.size = sizes[i];
		call = attest_ex();
		assert_selected(&call);
		assert_int_equal(vtpm.selected_size, 4 + sizes[i]);
		assert_memory_equal(vtpm.selected + 4, bytes, sizes[i]);
		assert_int_equal(asked(ATTEST_OP_SINGLE).selector_size, sizes[i]);
		assert_memory_equal(world_service(SERVICE_ATTEST)->payload + 80, bytes, sizes[i]);
	}
	/* Kind 0 with something behind it is no kind 0. */
	setup(NULL);
	set_selector(SVSM_SELECTOR_NONE, "x", 1);
	assert_int_equal(attest_ex().rax, 0);
	assert_int_equal(vtpm.selects, 1);
}

static void selectors_that_are_too_large(void **state)
{
	static const uint32_t sizes[] = { 1025, 4096, 0x10008, UINT32_MAX };
	struct svsm_call call;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		ex.selector.size = sizes[i];
		call = attest_ex();
		assert_refused(&call, 0x80001100);
	}
	assert_int_equal(vtpm.selects, 0);
}

static void selector_addresses(void **state)
{
	static const uint64_t bad[] = {
		WORLD_REGION,	 WORLD_REGION - 11, WORLD_BOOT_VMSA, WORLD_HOLE,
		WORLD_HOLE - 11, WORLD_INVALID,	    MODEL_SIZE - 11, MODEL_SIZE,
		UINT64_MAX,	 0 - 12ull,	    0 - 0x1000ull,   1ull << 47,
	};
	struct svsm_call call;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ex.selector.gpa = bad[i];
		call = attest_ex();
		assert_refused(&call, 0x80000003);
	}
	assert_int_equal(vtpm.selects, 0);
	ex.selector.gpa = MODEL_SIZE - 12;
	world_put(MODEL_SIZE - 12, "\2\0\0\0\0\0\0\0\x82\0\0\0", 12);
	assert_int_equal(attest_ex().rax, 0);
}

static void reserved_fields(void **state)
{
	uint32_t *const fields[] = { &ex.base.report.reserved,	 &ex.base.nonce.reserved,
				     &ex.base.manifest.reserved, &ex.base.certificates.reserved,
				     &ex.base.reserved,		 &ex.selector.reserved };
	struct svsm_call call;

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		for (unsigned int bit = 0; bit < 32; bit += 31) {
			*fields[i] = 1u << bit;
			call = attest_ex();
			assert_refused(&call, 0x80000005);
			*fields[i] = 0;
		}
	}
	/* Also when nothing is selected. */
	ex.selector = (struct svsm_loc){ 0, 0, 1 };
	call = attest_ex();
	assert_refused(&call, 0x80000005);
	assert_int_equal(vtpm.selects + vtpm.manifests, 0);
}

static void other_parameters_are_checked_too(void **state)
{
	struct svsm_call call;

	(void)state;
	ex.base.nonce.size = 63;
	call = attest_ex();
	assert_refused(&call, 0x80000005);
	ex.base.nonce.size = 64;
	ex.base.manifest.gpa = WORLD_REGION;
	call = attest_ex();
	assert_refused(&call, 0x80000003);
	ex.base.manifest.gpa = MANIFEST;
	ex.base.service.bytes[15] ^= 1;
	call = attest_ex();
	assert_refused(&call, 0x80000005);
	assert_int_equal(vtpm.selects, 0);
}

static void block_is_as_long_as_it_is(void **state)
{
	(void)state;
	world_put(MODEL_SIZE - 0x68, &ex, 0x68);
	assert_int_equal(world_call(0, ATTEST(EX), MODEL_SIZE - 0x68, 0, 0).rax, 0);
	assert_int_equal(world_call(0, ATTEST(EX), MODEL_SIZE - 0x67, 0, 0).rax, 0x80000003);
	assert_int_equal(world_call(0, ATTEST(EX), MODEL_SIZE - 0x58, 0, 0).rax, 0x80000003);
}

static void guest_changes_its_mind(void)
{
	struct svsm_attest_op_ex evil = ex;

	vtpm_works();
	evil.base.report = evil.base.manifest = evil.selector = (struct svsm_loc){ WORLD_REGION,
										   UINT32_MAX, 0 };
	world_put(OP, &evil, sizeof(evil));
	memset(model_memory(gpa(SELECTOR)), 0xff, 12);
	memset(model_memory(gpa(NONCE)), 0xff, 64);
}

static void everything_is_read_once(void **state)
{
	struct svsm_call call;

	(void)state;
	ex.base.manifest_version = 1;
	world_service(SERVICE_VTPM)->while_working = guest_changes_its_mind;
	call = attest_ex();
	assert_selected(&call);
	(void)asked(ATTEST_OP_SINGLE);
	assert_memory_equal(world_service(SERVICE_ATTEST)->payload + 80, selector,
			    sizeof(selector));
}

static void faults_anywhere(void **state)
{
	struct svsm_call call;

	(void)state;
	/* Block, nonce on two pages, selector on two pages. */
	for (unsigned int nth = 1; nth <= 5; nth++) {
		model_fail(MODEL_READ, nth);
		call = attest_ex();
		assert_refused(&call, 0x80000003);
	}
	assert_int_equal(vtpm.selects, 0);
	model_fail(MODEL_WRITE, 1);
	assert_int_equal(attest_ex().rax, 0x80000003);
}

/* ---- What the vtpm says ---- */

static void outcomes(void **state)
{
	static const struct {
		uint32_t outcome, code, result;
	} cases[] = {
		{ SELECT_REFUSED, 0, 0x80001100 },
		{ SELECT_REFUSED, 0x9a2, 0x80001100 },
		{ SELECT_TPM_ERROR, 0x1, 0x80002001 },
		{ SELECT_TPM_ERROR, 0x9a2, 0x800029a2 },
		{ SELECT_TPM_ERROR, 0xfff, 0x80002fff },
		{ SELECT_TPM_ERROR, 0, 0x80001001 },
		{ SELECT_TPM_ERROR, 0x1000, 0x80001001 },
		{ SELECT_TPM_ERROR, ~0u, 0x80001001 },
		{ 4, 0, 0x80001001 },
		{ ~0u, 0, 0x80001001 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct svsm_call call;

		vtpm.outcome = cases[i].outcome;
		vtpm.code = cases[i].code;
		call = attest_ex();
		assert_refused(&call, cases[i].result);
	}
	assert_int_equal(world_service(SERVICE_ATTEST)->calls, 0);
	assert_int_equal(world_service(SERVICE_TWIN)->calls, 0);
}

static void vtpm_as_it_is(void)
{
}

static void statuses_and_short_replies(void **state)
{
	static const struct {
		enum service_status status;
		uint32_t result;
	} cases[] = {
		{ SERVICE_ERR_FORMAT, 0x80000005 },
		{ SERVICE_ERR_UNSUPPORTED, 0x80000005 },
		{ SERVICE_ERR_NO_MEMORY, 0x80001001 },
		{ SERVICE_ERR_FAILED, 0x80001001 },
	};
	struct world_service *service = world_service(SERVICE_VTPM);
	struct svsm_call call;

	(void)state;
	service->while_working = vtpm_as_it_is;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		service->status = cases[i].status;
		call = attest_ex();
		assert_refused(&call, cases[i].result);
	}
	service->status = SERVICE_OK;
	for (service->reply_size = 0; service->reply_size < 16; service->reply_size++) {
		call = attest_ex();
		assert_refused(&call, 0x80001001);
	}
}

static void manifest_that_is_too_large(void **state)
{
	struct svsm_call call;

	(void)state;
	vtpm.manifest_size = (16 << 10) + 1;
	call = attest_ex();
	assert_refused(&call, 0x80001001);
}

static void too_small_tells_the_sizes(void **state)
{
	struct svsm_call call;

	(void)state;
	ex.base.manifest.size = MANIFEST_SIZE - 1;
	call = attest_ex();
	assert_int_equal(call.rax, 0x80000005);
	assert_int_equal(call.rcx, MANIFEST_SIZE);
	assert_int_equal(call.rdx, CERTIFICATES_SIZE);
	assert_int_equal(call.r8, REPORT_SIZE);
	assert_nothing_written();
}

/* ---- Keys that have to be made ---- */

static void create_at_once(void **state)
{
	static const uint8_t want[] = {
		0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 1,   0,	  0,
		0,    3,    0,	  0,	0,    6,    0,	  0,	0,   0,	  0,
		0,    0,    't',  'p',	'l',  'p',  'u',  'b',	'l', 'i', 'c',
	};
	const struct world_service *twin = world_service(SERVICE_TWIN);
	struct svsm_call call;

	(void)state;
	ex.base.manifest_version = 1;
	vtpm.outcome = SELECT_CREATE;
	call = attest_ex();
	assert_selected(&call);
	assert_int_equal(twin->calls, 1);
	assert_int_equal(twin->op, TWIN_OP_CREATE);
	assert_int_equal(twin->payload_size, sizeof(template));
	assert_memory_equal(twin->payload, template, sizeof(template));
	assert_int_equal(vtpm.remembered_size, sizeof(want));
	assert_memory_equal(vtpm.remembered, want, sizeof(want));
	assert_int_equal(vtpm.selects, 1);
	assert_int_equal(vtpm.seeds, 0);
	assert_int_equal(asked(ATTEST_OP_SINGLE).selector_size, 12);
}

/* Nothing but the result changes until the end, and the vtpm is not asked again. */
static void create_in_slices(void **state)
{
	struct svsm_call call;

	(void)state;
	vtpm.outcome = SELECT_CREATE;
	world_service(SERVICE_TWIN)->slices = 5;
	for (int i = 0; i < 5; i++) {
		call = attest_ex();
		assert_incomplete(&call);
		assert_int_equal(vtpm.selects, 1);
	}
	call = attest_ex();
	assert_selected(&call);
	assert_int_equal(world_service(SERVICE_TWIN)->calls, 1);
	assert_int_equal(world_service(SERVICE_TWIN)->aborts, 0);
	assert_int_equal(vtpm.remembers, 1);
	assert_int_equal(vtpm.selects, 1);
}

/* ---- Seeds ---- */

static void while_loading(void)
{
	const struct world_service *twin = world_service(SERVICE_TWIN);

	if (twin->op != TWIN_OP_LOAD)
		return;
	assert_int_equal(twin->payload_size, 5);
	assert_memory_equal(twin->payload, "state", 5);
}

/* Loading is a call's work by itself: the key is for the next, of which each has one slice. */
static struct svsm_call attest_behind_loading(void)
{
	struct svsm_call call = attest_ex();

	assert_incomplete(&call);
	assert_int_equal(world_service(SERVICE_TWIN)->op, TWIN_OP_LOAD);
	return attest_ex();
}

/* The guest has other seeds now: the twin gets them once, and remembers whose key it made. */
static void other_seeds_are_loaded(void **state)
{
	struct world_service *twin = world_service(SERVICE_TWIN);
	struct svsm_call call;

	(void)state;
	vtpm.outcome = SELECT_CREATE;
	vtpm.generation = 7;
	twin->while_working = while_loading;
	for (unsigned int i = 0; i < 3; i++) {
		call = i ? attest_ex() : attest_behind_loading();
		assert_selected(&call);
		assert_int_equal(vtpm.seeds, 1);
		assert_int_equal(twin->calls, 2 + i);
		assert_int_equal(twin->op, TWIN_OP_CREATE);
		assert_memory_equal(vtpm.remembered, "\7\0\0\0\0\0\0\0", 8);
	}
}

/* Loading comes in slices too, and goes on with the key. */
static void seeds_in_slices(void **state)
{
	struct world_service *twin = world_service(SERVICE_TWIN);
	struct svsm_call call;

	(void)state;
	vtpm.outcome = SELECT_CREATE;
	vtpm.generation = 7;
	twin->slices = 3;
	for (int i = 0; i < 3; i++) {
		call = attest_ex();
		assert_incomplete(&call);
		assert_int_equal(twin->op, TWIN_OP_LOAD);
	}
	call = attest_behind_loading();
	assert_selected(&call);
	assert_int_equal(vtpm.seeds, 1);
	assert_int_equal(twin->calls, 2);
}

/* Given up in the middle: the twin has no seeds then, whoever asks next. */
static void seeds_given_up(void **state)
{
	struct world_service *twin = world_service(SERVICE_TWIN);
	struct svsm_call call;

	(void)state;
	vtpm.outcome = SELECT_CREATE;
	vtpm.generation = 7;
	twin->slices = 2;
	call = attest_ex();
	assert_incomplete(&call);
	(*model_memory(gpa(NONCE + 63)))++;
	twin->slices = 0;
	vtpm.generation = SEED_GENERATION;
	call = attest_behind_loading();
	assert_selected(&call);
	assert_int_equal(twin->aborts, 1);
	assert_int_equal(vtpm.seeds, 2);
	assert_memory_equal(vtpm.remembered, "\x88\x77\x66\x55\x44\x33\x22\x11", 8);
}

static void seeds_that_cannot_be_had(void **state)
{
	struct world_service *twin = world_service(SERVICE_TWIN);
	struct svsm_call call;

	(void)state;
	vtpm.outcome = SELECT_CREATE;
	vtpm.generation = 7;
	for (vtpm.seeds_size = 0; vtpm.seeds_size <= 8; vtpm.seeds_size++) {
		call = attest_ex();
		assert_refused(&call, 0x80001001);
	}
	vtpm.seeds_size = sizeof(SEEDS) - 1;
	vtpm.seeds_status = SERVICE_ERR_NO_MEMORY;
	call = attest_ex();
	assert_refused(&call, 0x80001001);
	assert_int_equal(twin->calls, 0);
	/* The twin does not take them. */
	vtpm.seeds_status = SERVICE_OK;
	twin->status = SERVICE_ERR_FAILED;
	call = attest_ex();
	assert_refused(&call, 0x80001001);
	assert_int_equal(twin->calls, 1);
	assert_int_equal(twin->op, TWIN_OP_LOAD);
	twin->status = SERVICE_OK;
	call = attest_behind_loading();
	assert_selected(&call);
	assert_int_equal(twin->calls, 3);
}

/* ---- Ahead of any call ---- */

/* As before the first key: the twin has no seeds. */
static void unload(void)
{
	struct world_service *twin = world_service(SERVICE_TWIN);
	struct svsm_call call;

	vtpm.outcome = SELECT_CREATE;
	vtpm.generation = 7;
	twin->status = SERVICE_ERR_FAILED;
	call = attest_ex();
	assert_refused(&call, 0x80001001);
	twin->status = SERVICE_OK;
	twin->calls = 0;
	vtpm.seeds = 0;
	vtpm.generation = SEED_GENERATION;
}

/* In as many turns as it takes; the key is made at once then. */
static void seeds_are_loaded_ahead(void **state)
{
	struct world_service *twin = world_service(SERVICE_TWIN);
	struct svsm_call call;

	(void)state;
	unload();
	twin->slices = 2;
	assert_true(svsm_attest_prepare());
	assert_true(svsm_attest_prepare());
	assert_false(svsm_attest_prepare());
	assert_int_equal(twin->calls, 1);
	assert_int_equal(twin->op, TWIN_OP_LOAD);
	assert_false(svsm_attest_prepare());
	assert_int_equal(twin->calls, 1);
	twin->slices = 0;
	call = attest_ex();
	assert_selected(&call);
	assert_int_equal(twin->calls, 2);
	assert_int_equal(vtpm.seeds, 1);
	assert_memory_equal(vtpm.remembered, "\x88\x77\x66\x55\x44\x33\x22\x11", 8);
}

/* A call that comes meanwhile goes on with that, and is left to do the rest of it. */
static void a_call_goes_on_with_what_is_loaded_ahead(void **state)
{
	struct world_service *twin = world_service(SERVICE_TWIN);
	struct svsm_call call;

	(void)state;
	unload();
	twin->slices = 3;
	assert_true(svsm_attest_prepare());
	call = attest_ex();
	assert_incomplete(&call);
	assert_false(svsm_attest_prepare());
	call = attest_ex();
	assert_incomplete(&call);
	assert_true(twin->suspended);
	call = attest_behind_loading();
	assert_selected(&call);
	assert_int_equal(twin->calls, 2);
	assert_int_equal(twin->aborts, 0);
	assert_int_equal(vtpm.seeds, 1);
	assert_false(svsm_attest_prepare());
}

/* Nor does one that nobody repeats keep anybody, behind whichever of its slices it was left. */
static void a_call_that_is_left_keeps_no_turns(void **state)
{
	struct world_service *twin = world_service(SERVICE_TWIN);

	for (unsigned int slices = 1; slices < 5; slices++) {
		struct svsm_call call;

		setup(state);
		unload();
		twin->slices = 3;
		for (unsigned int i = 0; i < slices; i++) {
			call = attest_ex();
			assert_incomplete(&call);
		}
		assert_int_equal(twin->suspended, slices < 4);
		assert_false(svsm_attest_prepare());
		/* Another one takes its place, and has the key. */
		twin->slices = 0;
		ex.base.manifest_version = 1;
		do
			call = attest_ex();
		while (call.rax == INCOMPLETE);
		assert_selected(&call);
		assert_int_equal(twin->aborts, slices < 4);
		assert_false(svsm_attest_prepare());
	}
}

/* But not where the guest has other seeds by then. */
static void what_is_loaded_ahead_may_be_old(void **state)
{
	struct world_service *twin = world_service(SERVICE_TWIN);
	struct svsm_call call;

	(void)state;
	unload();
	twin->slices = 3;
	assert_true(svsm_attest_prepare());
	twin->slices = 0;
	vtpm.generation = 9;
	call = attest_behind_loading();
	assert_selected(&call);
	assert_int_equal(twin->aborts, 1);
	assert_int_equal(vtpm.seeds, 2);
	assert_memory_equal(vtpm.remembered, "\x9\0\0\0\0\0\0\0", 8);
}

/* Nor when it gets other seeds while the call loads it: the vtpm is told whose key it is. */
static void seeds_change_while_a_call_loads(void **state)
{
	struct world_service *twin = world_service(SERVICE_TWIN);
	struct svsm_call call;

	(void)state;
	unload();
	twin->slices = 3;
	assert_true(svsm_attest_prepare());
	call = attest_ex();
	assert_incomplete(&call);
	vtpm.generation = 9;
	twin->slices = 0;
	call = attest_behind_loading();
	assert_selected(&call);
	assert_int_equal(vtpm.seeds, 1);
	assert_memory_equal(vtpm.remembered, "\x88\x77\x66\x55\x44\x33\x22\x11", 8);
	/* And the next key is of the new ones. */
	ex.base.manifest_version = 1;
	do
		call = attest_ex();
	while (call.rax == INCOMPLETE);
	assert_selected(&call);
	assert_int_equal(vtpm.seeds, 2);
	assert_memory_equal(vtpm.remembered, "\x9\0\0\0\0\0\0\0", 8);
}

/* The caller's vCPU is deleted while it loads: the turns begin it anew. */
static void turns_go_on_behind_a_deleted_vcpu(void **state)
{
	struct world_service *twin = world_service(SERVICE_TWIN);
	struct svsm_call call;

	(void)state;
	world_create(1, CPU1_VMSA, CPU1_CAA);
	unload();
	twin->slices = 3;
	assert_true(svsm_attest_prepare());
	call = attest_on(1, OTHER_OP);
	assert_int_equal(call.rax, INCOMPLETE);
	assert_int_equal(world_core(SVSM_CORE_DELETE_VCPU, CPU1_VMSA, 0, 0), 0);
	assert_int_equal(twin->aborts, 1);
	assert_false(twin->suspended);
	twin->slices = 1;
	assert_true(svsm_attest_prepare());
	assert_false(svsm_attest_prepare());
	assert_int_equal(vtpm.seeds, 2);
	call = attest_ex();
	assert_selected(&call);
	assert_int_equal(vtpm.seeds, 2);
}

/* It is gone when the next turn comes, which is the last one. */
static void twin_is_gone_between_turns(void **state)
{
	struct world_service *twin = world_service(SERVICE_TWIN);
	struct svsm_call call;

	(void)state;
	unload();
	twin->slices = 3;
	assert_true(svsm_attest_prepare());
	twin->suspended = twin->available = false;
	assert_false(svsm_attest_prepare());
	assert_false(svsm_attest_prepare());
	call = attest_ex();
	assert_refused(&call, 0x80001001);
	assert_int_equal(vtpm.seeds, 2); /* nothing was left of the first */
	assert_int_equal(vtpm.remembers, 0);
}

/* A call on another vCPU while a turn is in the twin is told to come again. */
static void call_within_a_turn(void)
{
	struct svsm_call call;

	world_service(SERVICE_TWIN)->while_working = NULL;
	assert_true(svsm_attest_prepare()); /* nor is there a second turn */
	call = attest_on(1, OTHER_OP);
	assert_int_equal(call.rax, INCOMPLETE);
}

static void a_turn_holds_no_lock(void **state)
{
	struct world_service *twin = world_service(SERVICE_TWIN);
	struct svsm_call call;

	(void)state;
	world_create(1, CPU1_VMSA, CPU1_CAA);
	unload();
	twin->while_working = call_within_a_turn;
	assert_false(svsm_attest_prepare());
	assert_null(twin->while_working);
	assert_int_equal(twin->calls, 1);
	call = attest_ex();
	assert_selected(&call);
}

/* Where it cannot be done ahead, or others use the vtpm, nobody waits, and a call does it. */
static void what_is_not_ahead_is_done_in_a_call(void **state)
{
	struct world_service *twin = world_service(SERVICE_TWIN);
	struct svsm_call call;

	(void)state;
	unload();
	world_service(SERVICE_VTPM)->in_use = true;
	assert_true(svsm_attest_prepare());
	world_service(SERVICE_VTPM)->in_use = false;
	assert_int_equal(vtpm.seeds, 0);
	twin->available = false;
	assert_false(svsm_attest_prepare());
	twin->available = true;
	world_service(SERVICE_VTPM)->available = false;
	assert_false(svsm_attest_prepare());
	world_service(SERVICE_VTPM)->available = true;
	twin->status = SERVICE_ERR_FAILED;
	assert_false(svsm_attest_prepare());
	twin->status = SERVICE_OK;
	call = attest_behind_loading();
	assert_selected(&call);
}

/* Begins a creation on vCPU 0 that will take long. */
static void leave_suspended(void)
{
	struct svsm_call call;

	vtpm.outcome = SELECT_CREATE;
	world_service(SERVICE_TWIN)->slices = 10;
	call = attest_ex();
	assert_incomplete(&call);
	assert_true(world_service(SERVICE_TWIN)->suspended);
}

static struct svsm_call vtpm_command(unsigned int cpu)
{
	struct svsm_vtpm_cmd_req req = { 8, 0, 10 };

	world_put(WORLD_SMALL + 0x40000, &req, sizeof(req));
	return world_call(cpu, VTPM(SVSM_VTPM_CMD), WORLD_SMALL + 0x40000, 0, 0);
}

static struct svsm_call plain_attest(unsigned int cpu)
{
	world_put(OTHER_OP, &op, sizeof(op));
	return world_call(cpu, ATTEST(SVSM_ATTEST_SINGLE_SERVICE), OTHER_OP, 0, 0);
}

/* While vCPU 0 is in the twin: a lock that it held would be waited for, for ever. */
static void others_call_meanwhile(void)
{
	struct svsm_attest_op_ex mine = ex;

	world_service(SERVICE_TWIN)->while_working = NULL;
	assert_int_equal(vtpm_command(1).rax, 0);
	assert_int_equal(plain_attest(1).rax, 0);
	/* The same wish of another vCPU, another wish, and one that needs no twin. */
	assert_int_equal(attest_on(1, OTHER_OP).rax, INCOMPLETE);
	set_selector(SVSM_SELECTOR_KEY, "\x81\0\0\0", 4);
	assert_int_equal(attest_on(1, OTHER_OP).rax, INCOMPLETE);
	vtpm.outcome = SELECT_MANIFEST;
	assert_int_equal(attest_on(1, OTHER_OP).rax, 0);
	vtpm.outcome = SELECT_CREATE;
	/* Its vCPU is in a call: it cannot be deleted now. */
	assert_int_equal(world_call(1, CORE(SVSM_CORE_DELETE_VCPU), CPU1_VMSA + 0x2000, 0, 0).rax,
			 0x80001003);
	set_selector(SVSM_SELECTOR_KEY, "\x82\0\0\0", 4);
	ex = mine;
	model_set_cpu(2);
}

static void others_go_on_while_the_twin_works(void **state)
{
	struct svsm_call call;

	(void)state;
	world_create(1, CPU1_VMSA, CPU1_CAA);
	world_create(2, CPU1_VMSA + 0x2000, CPU1_CAA + 0x2000);
	vtpm.outcome = SELECT_CREATE;
	world_service(SERVICE_TWIN)->slices = 1;
	world_service(SERVICE_TWIN)->while_working = others_call_meanwhile;
	assert_int_equal(attest_on(2, OP).rax, INCOMPLETE);
	assert_null(world_service(SERVICE_TWIN)->while_working);
	call = attest_on(2, OP);
	assert_int_equal(call.rax, 0);
	assert_int_equal(world_service(SERVICE_TWIN)->calls, 1);
	assert_int_equal(world_service(SERVICE_TWIN)->aborts, 0);
}

static void others_go_on_between_slices(void **state)
{
	struct svsm_call call;

	(void)state;
	world_create(1, CPU1_VMSA, CPU1_CAA);
	leave_suspended();
	assert_int_equal(vtpm_command(1).rax, 0);
	assert_int_equal(plain_attest(1).rax, 0);
	/* Calls 0 and 1 of the same vCPU are no other wish of it. */
	assert_int_equal(plain_attest(0).rax, 0);
	assert_int_equal(vtpm_command(0).rax, 0);
	set_selector(SVSM_SELECTOR_KEY, "\x81\0\0\0", 4);
	call = attest_on(1, OTHER_OP);
	assert_int_equal(call.rax, INCOMPLETE);
	assert_int_equal(call.rcx, OTHER_OP);
	assert_int_equal(call.rdx, UINT64_MAX);
	assert_int_equal(world_service(SERVICE_TWIN)->calls, 1);
	assert_int_equal(world_service(SERVICE_TWIN)->aborts, 0);
	set_selector(SVSM_SELECTOR_KEY, "\x82\0\0\0", 4);
	world_service(SERVICE_TWIN)->slices = 0;
	assert_int_equal(attest_ex().rax, 0);
	assert_int_equal(world_service(SERVICE_TWIN)->calls, 1);
}

/* A task that waits with its interrupts on may be moved. */
static void another_vcpu_may_go_on(void **state)
{
	struct svsm_call call;

	(void)state;
	world_create(1, CPU1_VMSA, CPU1_CAA);
	leave_suspended();
	assert_int_equal(attest_on(1, OTHER_OP).rax, INCOMPLETE);
	world_service(SERVICE_TWIN)->slices = 0;
	call = attest_on(1, OTHER_OP);
	assert_selected(&call);
	assert_int_equal(world_service(SERVICE_TWIN)->calls, 1);
}

/* One thing after the other is different: each is another wish of the same vCPU. */
static void other_bytes_give_up(void **state)
{
	struct world_service *twin = world_service(SERVICE_TWIN);

	(void)state;
	leave_suspended();
	for (unsigned int i = 0; i < 6; i++) {
		switch (i) {
		case 0:
			(*model_memory(gpa(NONCE + 63)))++;
			break;
		case 1:
			set_selector(SVSM_SELECTOR_KEY, "\x81\0\0\0", 4);
			break;
		case 2:
			set_selector(SVSM_SELECTOR_KEY, "\x81\0\0\0", 5);
			break;
		case 3:
			ex.base.manifest_version = 1;
			break;
		case 4:
			ex.base.report.gpa += 8;
			break;
		default:
			ex.base.certificates.size--;
		}
		assert_int_equal(attest_ex().rax, INCOMPLETE);
		assert_int_equal(twin->aborts, i + 1);
		assert_int_equal(twin->calls, i + 2);
		assert_true(twin->suspended);
	}
	/* And so is a wish that the twin is not needed for. */
	vtpm.outcome = SELECT_REFUSED;
	set_selector(SVSM_SELECTOR_KEY, "\xff\0\0\0", 4);
	assert_int_equal(attest_ex().rax, 0x80001100);
	assert_int_equal(twin->aborts, 7);
	assert_false(twin->suspended);
}

static void abandoned_gives_way(void **state)
{
	struct world_service *twin = world_service(SERVICE_TWIN);
	unsigned int waits = 0;

	(void)state;
	world_create(1, CPU1_VMSA, CPU1_CAA);
	leave_suspended();
	set_selector(SVSM_SELECTOR_KEY, "\x81\0\0\0", 4);
	for (; twin->aborts == 0 && waits < 5000; waits++)
		assert_int_equal(attest_on(1, OTHER_OP).rax, INCOMPLETE);
	assert_in_range(waits, 100, 2000);
	assert_int_equal(twin->calls, 2);
	twin->slices = 0;
	assert_int_equal(attest_on(1, OTHER_OP).rax, 0);
	assert_int_equal(twin->calls, 2);
}

/* As long as its own vCPU comes back, others wait however often they come. */
static void not_abandoned_stays(void **state)
{
	struct svsm_attest_op_ex mine = ex;
	struct world_service *twin = world_service(SERVICE_TWIN);

	(void)state;
	world_create(1, CPU1_VMSA, CPU1_CAA);
	leave_suspended();
	for (unsigned int i = 0; i < 30; i++) {
		for (unsigned int j = 0; j < 100; j++) {
			ex.base.report.gpa = REPORT + 8;
			assert_int_equal(attest_on(1, OTHER_OP).rax, INCOMPLETE);
		}
		ex = mine;
		twin->slices = 5;
		assert_int_equal(attest_ex().rax, INCOMPLETE);
	}
	assert_int_equal(twin->aborts, 0);
	assert_int_equal(twin->calls, 1);
}

static void deleted_vcpu_gives_up(void **state)
{
	struct world_service *twin = world_service(SERVICE_TWIN);

	(void)state;
	world_create(1, CPU1_VMSA, CPU1_CAA);
	world_create(2, CPU1_VMSA + 0x2000, CPU1_CAA + 0x2000);
	vtpm.outcome = SELECT_CREATE;
	twin->slices = 10;
	assert_int_equal(attest_on(1, OTHER_OP).rax, INCOMPLETE);
	assert_int_equal(world_core(SVSM_CORE_DELETE_VCPU, CPU1_VMSA + 0x2000, 0, 0), 0);
	assert_int_equal(twin->aborts, 0);
	assert_int_equal(world_core(SVSM_CORE_DELETE_VCPU, CPU1_VMSA, 0, 0), 0);
	assert_int_equal(twin->aborts, 1);
	assert_false(twin->suspended);
	assert_int_equal(attest_ex().rax, INCOMPLETE);
	assert_int_equal(twin->calls, 2);
}

/* It was not deleted, but its VMSA is not there any more: found when it is served, or deleted. */
static void ended_vcpu_gives_up(void **state)
{
	struct world_service *twin = world_service(SERVICE_TWIN);

	(void)state;
	world_create(1, CPU1_VMSA, CPU1_CAA);
	vtpm.outcome = SELECT_CREATE;
	twin->slices = 10;
	assert_int_equal(attest_on(1, OTHER_OP).rax, INCOMPLETE);
	model_host_unassign(gpa(CPU1_VMSA), 1);
	assert_int_equal(serve_vcpu(1, 0), 0);
	assert_int_equal(twin->aborts, 1);
	world_create(1, CPU1_VMSA + 0x2000, CPU1_CAA);
	twin->slices = 10;
	assert_int_equal(attest_on(1, OTHER_OP).rax, INCOMPLETE);
	model_host_unassign(gpa(CPU1_VMSA + 0x2000), 1);
	assert_int_equal(world_core(SVSM_CORE_DELETE_VCPU, CPU1_VMSA + 0x2000, 0, 0), 0x80000003);
	assert_int_equal(twin->aborts, 2);
	assert_false(twin->suspended);
}

static void failures_of_the_twin(void **state)
{
	static const uint8_t large[2049];
	struct world_service *twin = world_service(SERVICE_TWIN);
	struct svsm_call call;

	(void)state;
	vtpm.outcome = SELECT_CREATE;
	for (uint32_t status = SERVICE_ERR_FORMAT; status <= SERVICE_ERR_BUSY; status++) {
		twin->status = status;
		call = attest_ex();
		assert_refused(&call, 0x80001001);
	}
	twin->status = SERVICE_OK;
	set_made(0x2d5, "", 0);
	call = attest_ex();
	assert_refused(&call, 0x800022d5);
	set_made(0x1000, "", 0);
	call = attest_ex();
	assert_refused(&call, 0x80001001);
	set_made(0, "", 0);
	call = attest_ex();
	assert_refused(&call, 0x80001001);
	set_made(0, large, sizeof(large));
	call = attest_ex();
	assert_refused(&call, 0x80001001);
	for (twin->reply_size = 0; twin->reply_size < 4; twin->reply_size++) {
		call = attest_ex();
		assert_refused(&call, 0x80001001);
	}
	assert_int_equal(vtpm.remembers, 0);
	assert_int_equal(world_service(SERVICE_ATTEST)->calls, 0);
	/* After all of that the next one is served. */
	set_made(0, large, 2048);
	call = attest_ex();
	assert_selected(&call);
}

static void twin_that_is_gone(void **state)
{
	struct svsm_call call;

	(void)state;
	world_service(SERVICE_TWIN)->available = false;
	vtpm.outcome = SELECT_CREATE;
	call = attest_ex();
	assert_refused(&call, 0x80001001);
	vtpm.outcome = SELECT_MANIFEST;
	call = attest_ex();
	assert_selected(&call);
}

static void orders_that_make_no_sense(void **state)
{
	static uint8_t bytes[1057];
	struct svsm_call call;

	(void)state;
	vtpm.outcome = SELECT_CREATE;
	vtpm.order = bytes;
	vtpm.order_size = 0;
	call = attest_ex();
	assert_refused(&call, 0x80001001);
	vtpm.order_size = 1057;
	call = attest_ex();
	assert_refused(&call, 0x80001001);
	assert_int_equal(world_service(SERVICE_TWIN)->calls, 0);
	vtpm.order_size = 1056;
	call = attest_ex();
	assert_selected(&call);
}

static void vtpm_that_does_not_remember(void **state)
{
	struct svsm_call call;

	(void)state;
	vtpm.outcome = vtpm.then = SELECT_CREATE;
	call = attest_ex();
	assert_refused(&call, 0x80001001);
	/* Made once: no loop. */
	assert_int_equal(vtpm.selects, 1);
	assert_int_equal(world_service(SERVICE_TWIN)->calls, 1);
	vtpm.then = SELECT_MANIFEST;
	for (uint32_t status = SERVICE_ERR_FORMAT; status <= SERVICE_ERR_BUSY; status++) {
		vtpm.remember_status = status;
		call = attest_ex();
		assert_refused(&call, 0x80001001);
	}
	vtpm.remember_status = SERVICE_OK;
	vtpm.then = SELECT_REFUSED;
	call = attest_ex();
	assert_refused(&call, 0x80001100);
	/* The endorsement hierarchy was disabled meanwhile. */
	vtpm.then = SELECT_TPM_ERROR;
	vtpm.code = 0x185;
	call = attest_ex();
	assert_refused(&call, 0x80002185);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_selected_is_call_1, setup),
		cmocka_unit_test_setup(selector_is_bound, setup),
		cmocka_unit_test_setup(selectors_of_all_sizes, setup),
		cmocka_unit_test_setup(selectors_that_are_too_large, setup),
		cmocka_unit_test_setup(selector_addresses, setup),
		cmocka_unit_test_setup(reserved_fields, setup),
		cmocka_unit_test_setup(other_parameters_are_checked_too, setup),
		cmocka_unit_test_setup(block_is_as_long_as_it_is, setup),
		cmocka_unit_test_setup(everything_is_read_once, setup),
		cmocka_unit_test_setup(faults_anywhere, setup),
		cmocka_unit_test_setup(outcomes, setup),
		cmocka_unit_test_setup(statuses_and_short_replies, setup),
		cmocka_unit_test_setup(manifest_that_is_too_large, setup),
		cmocka_unit_test_setup(too_small_tells_the_sizes, setup),
		cmocka_unit_test_setup(create_at_once, setup),
		cmocka_unit_test_setup(create_in_slices, setup),
		cmocka_unit_test_setup(other_seeds_are_loaded, setup),
		cmocka_unit_test_setup(seeds_in_slices, setup),
		cmocka_unit_test_setup(seeds_given_up, setup),
		cmocka_unit_test_setup(seeds_that_cannot_be_had, setup),
		cmocka_unit_test_setup(seeds_are_loaded_ahead, setup),
		cmocka_unit_test_setup(a_call_goes_on_with_what_is_loaded_ahead, setup),
		cmocka_unit_test_setup(a_call_that_is_left_keeps_no_turns, setup),
		cmocka_unit_test_setup(what_is_loaded_ahead_may_be_old, setup),
		cmocka_unit_test_setup(seeds_change_while_a_call_loads, setup),
		cmocka_unit_test_setup(turns_go_on_behind_a_deleted_vcpu, setup),
		cmocka_unit_test_setup(twin_is_gone_between_turns, setup),
		cmocka_unit_test_setup(a_turn_holds_no_lock, setup),
		cmocka_unit_test_setup(what_is_not_ahead_is_done_in_a_call, setup),
		cmocka_unit_test_setup(others_go_on_while_the_twin_works, setup),
		cmocka_unit_test_setup(others_go_on_between_slices, setup),
		cmocka_unit_test_setup(another_vcpu_may_go_on, setup),
		cmocka_unit_test_setup(other_bytes_give_up, setup),
		cmocka_unit_test_setup(abandoned_gives_way, setup),
		cmocka_unit_test_setup(not_abandoned_stays, setup),
		cmocka_unit_test_setup(deleted_vcpu_gives_up, setup),
		cmocka_unit_test_setup(ended_vcpu_gives_up, setup),
		cmocka_unit_test_setup(failures_of_the_twin, setup),
		cmocka_unit_test_setup(twin_that_is_gone, setup),
		cmocka_unit_test_setup(orders_that_make_no_sense, setup),
		cmocka_unit_test_setup(vtpm_that_does_not_remember, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
