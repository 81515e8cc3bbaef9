/* SPDX-License-Identifier: MIT */
/* Parked services, which are set back after each request, and calls in slices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/service/linux.h"
#include "monitor/service/service.h"
#include "monitor/service/tests/harness.h"

#define BUFFER (PROGRAM_DATA + 0x1000)
#define BUFFER_SIZE 0x1000
#define HEAP 0x405000ull /* where the heap of every program starts */
#define STACK (PROCESS_STACK_TOP - 0x100)
#define DEEP_STACK (PROCESS_STACK_TOP - PROCESS_STACK_SIZE)
#define MMAP PROCESS_MMAP_MIN
#define PARKED "service a\nexec a\nrole twin\nparked\nbudget 200ms\n"
#define MEMORY "memory 1M\n"
#define NOT_PARKED "service a\nexec a\nrole vtpm\nbudget 200ms\n" MEMORY
#define HOUR_NS 3600000000000ull

static void begin(const char *conf, program a)
{
	struct socle_params params;

	harness_init();
	harness_add_packed(CONF_FILE, conf, strlen(conf));
	harness_add_program("a", 0, a);
	harness_add_packed("data/file", "0123456789", 10);
	params = harness_params();
	services_start(&params);
}

static enum user_exit ask(struct user_context *context)
{
	return sys(context, LINUX_READ, SERVICE_FD_REQUESTS, BUFFER, BUFFER_SIZE);
}

static uint8_t reply[0x2000];
static size_t reply_size;

static enum service_status call(const char *payload)
{
	return service_call(SERVICE_TWIN, 7, payload, strlen(payload), reply, sizeof(reply),
			    &reply_size);
}

static bool logged(const char *text)
{
	return strstr(harness.log, text) != NULL;
}

static size_t free_pages(void)
{
	size_t free, all;

	page_alloc_stats(&free, &all);
	return free;
}

static uint8_t byte_at(struct user_context *context, uint64_t at)
{
	uint8_t byte;

	peek(context, &byte, at, 1);
	return byte;
}

static void set_byte(struct user_context *context, uint64_t at, uint8_t byte)
{
	poke(context, at, &byte, 1);
}

static unsigned int rights_at(const struct user_context *context, uint64_t at)
{
	unsigned int rights = 0;
	gpa_t page;

	return space_lookup(context->space, (va_t){ at }, &page, &rights) ? rights : 0;
}

static enum user_exit map(struct user_context *context, uint64_t size)
{
	context->regs.r10 = LINUX_MAP_PRIVATE | LINUX_MAP_ANONYMOUS;
	return sys(context, LINUX_MMAP, 0, size, LINUX_PROT_READ | LINUX_PROT_WRITE);
}

/* ---- Set back ---- */

/* What the program has made of itself before its first request: the state of the snapshot. */
static enum user_exit prepare(struct user_context *context, unsigned int step)
{
	switch (step) {
	case 0:
		return sys(context, LINUX_BRK, HEAP + 0x1800, 0, 0);
	case 1:
		return map(context, 0x3000);
	case 2:
		return sys(context, LINUX_MPROTECT, MMAP + 0x2000, 0x1000, LINUX_PROT_READ);
	case 3:
		return sys(context, LINUX_READ, 6, PROGRAM_DATA, 3);
	case 4:
		return sys(context, LINUX_ARCH_PRCTL, LINUX_ARCH_SET_FS, MMAP, 0);
	default:
		set_byte(context, HEAP, 'h');
		set_byte(context, MMAP, 'm');
		set_byte(context, STACK, 's');
		context->regs.r15 = 0x1515;
		context->fx[100] = 'f';
		return ask(context);
	}
}
#define PREPARED 6u

static void check_prepared(struct user_context *context)
{
	uint8_t text[4] = { 0 };

	peek(context, text, PROGRAM_DATA, 3);
	check(memcmp(text, "012", 3) == 0);
	check(byte_at(context, PROGRAM_DATA + 0x7ff) == 0xd0);
	check(byte_at(context, HEAP) == 'h' && byte_at(context, HEAP + 0x1fff) == 0);
	check(rights_at(context, HEAP + 0x2000) == 0);
	check(byte_at(context, MMAP) == 'm' && byte_at(context, MMAP + 0x1000) == 0);
	check(rights_at(context, MMAP) == (MAP_READ | MAP_WRITE));
	check(rights_at(context, MMAP + 0x2000) == MAP_READ);
	check(rights_at(context, MMAP + 0x3000) == 0);
	check(rights_at(context, PROGRAM_TEXT) == (MAP_READ | MAP_EXEC));
	check(byte_at(context, STACK) == 's' && byte_at(context, DEEP_STACK) == 0);
	check(context->regs.r15 == 0x1515 && context->fx[100] == 'f');
	check(context->fs_base == MMAP);
}

/* Changes all that it can change, in one request. */
static enum user_exit spoiler(struct user_context *context, unsigned int step)
{
	if (step < PREPARED)
		return prepare(context, step);
	switch (step - PREPARED) {
	case 0:
		check(result_of(context) == 8 + 5);
		check_prepared(context);
		set_byte(context, PROGRAM_DATA + 0x7ff, 1);
		set_byte(context, HEAP, 1);
		set_byte(context, HEAP + 0x1fff, 1);
		set_byte(context, MMAP, 1);
		set_byte(context, STACK, 1);
		set_byte(context, DEEP_STACK, 1);
		context->regs.r15 = 1;
		context->fx[100] = 1;
		return sys(context, LINUX_MUNMAP, MMAP + 0x1000, 0x2000, 0);
	case 1:
		return map(context, 0x5000);
	case 2:
		check(result_of(context) == (int64_t)MMAP + 0x1000);
		check(byte_at(context, MMAP + 0x1000) == 0 && byte_at(context, MMAP + 0x5fff) == 0);
		memset(reply, 0xff, sizeof(reply));
		poke(context, MMAP + 0x4000, reply, sizeof(reply));
		return sys(context, LINUX_BRK, HEAP, 0, 0);
	case 3:
		check(result_of(context) == (int64_t)HEAP && rights_at(context, HEAP) == 0);
		return sys(context, LINUX_MPROTECT, PROGRAM_TEXT, 0x1000, LINUX_PROT_READ);
	case 4:
		return sys(context, LINUX_MPROTECT, DEEP_STACK, 0x1000, 0);
	case 5:
		return sys(context, LINUX_ARCH_PRCTL, LINUX_ARCH_SET_FS, 0x1000, 0);
	case 6:
		return sys(context, LINUX_READ, 6, BUFFER, 100);
	case 7:
		/* The file is where it was before the first request. */
		check(result_of(context) == 7 && byte_at(context, BUFFER) == '3');
		check(rights_at(context, PROGRAM_TEXT) == MAP_READ);
		return sys_reply(context, SERVICE_OK, "fine", 4);
	default:
		return ask(context);
	}
}

static void spoil_body(void)
{
	size_t before;

	begin(PARKED MEMORY "grant 6 file data/file\n", spoiler);
	check(service_available(SERVICE_TWIN));
	before = free_pages();
	for (int i = 0; i < 5; i++) {
		check(call("hello") == SERVICE_OK);
		check(reply_size == 4 && memcmp(reply, "fine", 4) == 0);
		check(service_available(SERVICE_TWIN));
		/* But for page tables, which stay. */
		check(i == 0 || free_pages() == before);
		before = free_pages();
	}
}

static void is_set_back_after_a_reply(void **state)
{
	(void)state;
	run_alone(spoil_body);
}

/* Breaks what the request names, and echoes any other; what it had written before is gone. */
static enum user_exit breaker(struct user_context *context, unsigned int step)
{
	if (step == 0)
		return ask(context);
	check(step > 1 || byte_at(context, HEAP - 1) == 0);
	set_byte(context, HEAP - 1, 1);
	switch (byte_at(context, BUFFER + sizeof(struct service_request))) {
	case 'f':
		context->fault = (struct user_fault){ .vector = 14, .error = 6 };
		return USER_EXIT_FAULT;
	case 'x':
		return sys(context, LINUX_EXIT_GROUP, 1, 0, 0);
	case 'l':
		return sys(context, LINUX_GETPID, 0, 0, 0);
	case '2':
		return sys_reply(context, SERVICE_OK, "", 0);
	case 'r':
		return ask(context);
	case 'b':
		return step == 1 ? sys_reply(context, SERVICE_OK, "", 0) : USER_EXIT_FAULT;
	case 'z':
		return sys(context, LINUX_WRITE, SERVICE_FD_REQUESTS, BUFFER, 16);
	case 's':
		return sys(context, LINUX_WRITE, SERVICE_FD_REQUESTS, BUFFER, 4);
	case 'm':
		return step < 50 ? map(context, 0x8000) : USER_EXIT_FAULT;
	case 'e':
		return step == 1 ? sys_reply(context, SERVICE_ERR_FORMAT, "", 0) : ask(context);
	default:
		return step == 1 ? sys_reply(context, SERVICE_OK, "echo", 4) : ask(context);
	}
}

static void break_body(void)
{
	static const struct {
		const char *payload, *why;
	} cases[] = {
		{ "f", "is set back: an exception" },
		{ "x", "is set back: it left with an error" },
		{ "l", "is set back: it ran past its budget" },
		{ "2", "is set back: it answered without a request" },
		{ "r", "is set back: it asked for a request before" },
		{ "b", "is set back: an exception" },
		{ "z", "is set back: its reply contradicts itself" },
		{ "s", "is set back: the size of its reply" },
		{ "m", "is set back: an exception" },
	};
	size_t before;

	begin(PARKED MEMORY, breaker);
	check(call("m") == SERVICE_ERR_FAILED);
	before = free_pages();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		harness.log_size = 0;
		memset(harness.log, 0, sizeof(harness.log));
		check(call(cases[i].payload) == SERVICE_ERR_FAILED && reply_size == 0);
		check(logged(cases[i].why));
		check(service_available(SERVICE_TWIN));
		check(call("good") == SERVICE_OK && reply_size == 4);
		check(call("e") == SERVICE_ERR_FORMAT && reply_size == 0);
		check(free_pages() == before);
	}
}

static void a_broken_run_costs_one_answer(void **state)
{
	(void)state;
	run_alone(break_body);
}

/* Has 64 pages, gives them away, and fills the room with its reply. */
static enum user_exit hog(struct user_context *context, unsigned int step)
{
	static const struct service_reply header = { SERVICE_OK, SERVICE_MESSAGE_MAX - 8 };

	switch (step) {
	case 0:
		return map(context, SERVICE_MESSAGE_MAX);
	case 1:
		check(result_of(context) == (int64_t)MMAP);
		return ask(context);
	case 2:
		if (byte_at(context, BUFFER + 8) == 'g')
			return sys_reply(context, SERVICE_OK, "good", 4);
		poke(context, MMAP, &header, sizeof(header));
		return sys(context, LINUX_MUNMAP, MMAP + 0x20000, 0x20000, 0);
	case 3:
		if (byte_at(context, BUFFER + 8) == 'g')
			return ask(context);
		/* A mapping of the pages in two places is not to be had: the reply is shorter. */
		poke(context, MMAP, &(struct service_reply){ SERVICE_OK, 0x20000 - 8 }, 8);
		return sys(context, LINUX_WRITE, SERVICE_FD_REQUESTS, MMAP, 0x20000);
	case 4:
		check(result_of(context) == 0x20000);
		return ask(context);
	default:
		return USER_EXIT_FAULT;
	}
}

static void hog_body(void)
{
	/* So little that the 32 pages of the reply do not fit beside all of the snapshot. */
	begin(PARKED "memory 612K\n", hog);
	check(service_available(SERVICE_TWIN));
	check(call("bad") == SERVICE_ERR_FAILED);
	check(!logged("no memory"));
	check(service_available(SERVICE_TWIN));
	check(call("good") == SERVICE_OK && reply_size == 4);
}

static void a_reply_cannot_hold_its_memory(void **state)
{
	(void)state;
	run_alone(hog_body);
}

/* Slices after the first; the answer of the last. */
static unsigned int go_on(struct service_answer *answer)
{
	unsigned int slices = 1;

	while (service_call_continue(SERVICE_TWIN, answer) == SERVICE_PENDING) {
		slices++;
		check(slices < 100);
		check(answer->payload == NULL && answer->size == 0);
		harness.now_ns += HOUR_NS;
	}
	return slices;
}

/* ---- Prepared: what a request leaves of it is its snapshot from then on ---- */

#define FILLED 0x20000ull

/* Counts its requests where the next one finds it, if anything is kept; 'e' is an error. */
static enum user_exit counter(struct user_context *context, unsigned int step)
{
	uint8_t count = byte_at(context, HEAP - 1);

	if (step == 0)
		return ask(context);
	switch (byte_at(context, BUFFER + sizeof(struct service_request))) {
	case 'f':
		set_byte(context, HEAP - 1, 100);
		return USER_EXIT_FAULT;
	case 'l':
		set_byte(context, HEAP - 1, 100);
		return sys(context, LINUX_GETPID, 0, 0, 0);
	case 'm':
		if (step == 1)
			return map(context, FILLED);
		for (uint64_t at = MMAP; at < MMAP + FILLED; at += 0x1000)
			set_byte(context, at, 1);
		break;
	default:
		break;
	}
	if (count % 2 == 0) {
		set_byte(context, HEAP - 1, count + 1); /* until the reply is out */
		if (byte_at(context, BUFFER + 8) == 'e')
			return sys_reply(context, SERVICE_ERR_FORMAT, "", 0);
		count++;
		return sys_reply(context, SERVICE_OK, &count, 1);
	}
	set_byte(context, HEAP - 1, count + 1);
	return ask(context);
}

static enum service_status prepare_with(const char *payload)
{
	struct service_answer answer;
	enum service_status status;

	if (service_call_start(SERVICE_TWIN, 7, payload, 4, true, &answer) == SERVICE_PENDING)
		go_on(&answer);
	status = answer.status;
	service_answer_free(&answer);
	return status;
}

/* How many requests the service thinks that it has had. */
static unsigned int count_of(void)
{
	check(call("good") == SERVICE_OK && reply_size == 1);
	return reply[0] / 2;
}

static void prepare_body(void)
{
	size_t before;

	begin(PARKED MEMORY, counter);
	check(count_of() == 0 && count_of() == 0);
	check(prepare_with("good") == SERVICE_OK);
	before = free_pages();
	check(count_of() == 1 && count_of() == 1);
	check(prepare_with("good") == SERVICE_OK);
	check(count_of() == 2);
	check(free_pages() == before);
	/* A bad end keeps nothing. */
	check(prepare_with("err.") == SERVICE_ERR_FORMAT);
	check(prepare_with("flt.") == SERVICE_ERR_FAILED);
	check(prepare_with("loop") == SERVICE_ERR_FAILED);
	check(logged("is set back: it ran past its budget"));
	check(count_of() == 2 && count_of() == 2);
	check(free_pages() == before);
	check(prepare_with("good") == SERVICE_OK);
	check(count_of() == 3);
}

static void keeps_what_a_preparation_made(void **state)
{
	(void)state;
	run_alone(prepare_body);
}

static void given_up_preparation_body(void)
{
	struct service_answer answer;

	begin(PARKED MEMORY, counter);
	check(prepare_with("good") == SERVICE_OK);
	check(service_call_start(SERVICE_TWIN, 7, "loop", 4, true, &answer) == SERVICE_PENDING);
	service_call_abort(SERVICE_TWIN);
	check(count_of() == 1);
}

static void a_preparation_given_up_keeps_nothing(void **state)
{
	(void)state;
	run_alone(given_up_preparation_body);
}

static void preparation_without_memory_body(void)
{
	size_t free, all;

	/* Enough for what it is and for what it becomes, but not for the copy of that. */
	begin(PARKED "memory 500K\n", counter);
	check(prepare_with("more") == SERVICE_ERR_FAILED);
	check(logged("service a ended: there is no memory for its snapshot"));
	check(!service_available(SERVICE_TWIN));
	page_alloc_stats(&free, &all);
	check(free == all);
}

static void no_memory_for_a_preparation(void **state)
{
	(void)state;
	run_alone(preparation_without_memory_body);
}

static void no_snapshot_body(void)
{
	size_t free, all;

	/* Enough to run, too little for the copy of two pages and the list of all. */
	begin(PARKED "memory 300K\n", breaker);
	check(!service_available(SERVICE_TWIN));
	check(logged("service a ended: there is no memory for its snapshot"));
	check(call("good") == SERVICE_ERR_FAILED);
	page_alloc_stats(&free, &all);
	check(free == all);
}

static void start_required(void)
{
	begin(PARKED "required\nmemory 300K\n", breaker);
}

static void required_without_snapshot_body(void)
{
	check(dies(start_required) == DIE_REQUIRED);
	check(logged("service a ended: there is no memory for its snapshot\n"
		     "service a is required: the guest is not started\n"));
}

static void no_memory_for_the_snapshot(void **state)
{
	(void)state;
	run_alone(no_snapshot_body);
	run_alone(required_without_snapshot_body);
}

/* ---- Slices. The clock goes on by a millisecond with each look at it. ---- */

#define MARK (PROGRAM_DATA + 0x100)

/* Works for so many system calls, or for ever; checks that it never forgets anything meanwhile. */
static enum user_exit worker(struct user_context *context, unsigned int step)
{
	char text[4];

	if (step == 0)
		return ask(context);
	if (step == 1 && result_of(context) == -LINUX_EMSGSIZE)
		return ask(context);
	peek(context, text, BUFFER + 8, 4);
	if (step == 1) {
		check(byte_at(context, MARK) == 0xd0);
		context->regs.r12 = 0x1212;
		set_byte(context, MARK, 0x77);
	}
	check(context->regs.r12 == 0x1212 && byte_at(context, MARK) == 0x77);
	if (text[0] == 'c' && step == 25)
		return USER_EXIT_FAULT;
	if (step < 50 || text[0] == 'l')
		return sys(context, LINUX_GETPID, 0, 0, 0);
	return step == 50 ? sys_reply(context, SERVICE_OK, text, 4) : ask(context);
}

static enum service_progress start(enum service_role role, const char *payload,
				   struct service_answer *answer)
{
	return service_call_start(role, 7, payload, 4, false, answer);
}

static void slices_body(void)
{
	struct service_answer answer;
	unsigned int slices;
	size_t before;

	begin(PARKED MEMORY, worker);
	before = free_pages();
	for (int i = 0; i < 3; i++) {
		check(start(SERVICE_TWIN, "work", &answer) == SERVICE_PENDING);
		/* Nobody else gets in, and nothing ends it. */
		check(call("work") == SERVICE_ERR_BUSY);
		check(start(SERVICE_TWIN, "work", &answer) == SERVICE_FINISHED);
		check(answer.status == SERVICE_ERR_BUSY && answer.payload == NULL);
		check(service_available(SERVICE_TWIN));
		harness.now_ns += HOUR_NS;
		slices = go_on(&answer);
		check(slices >= 3 && slices <= 10);
		check(answer.status == SERVICE_OK && answer.size == 4);
		check(memcmp(answer.payload, "work", 4) == 0);
		service_answer_free(&answer);
		check(free_pages() == before);
		/* Without slices it is the same service. */
		check(call("work") == SERVICE_OK && reply_size == 4);
	}
}

static void works_in_slices(void **state)
{
	(void)state;
	run_alone(slices_body);
}

static void slice_budget_body(void)
{
	struct service_answer answer;
	unsigned int slices;

	begin(PARKED MEMORY, worker);
	check(start(SERVICE_TWIN, "loop", &answer) == SERVICE_PENDING);
	slices = go_on(&answer);
	check(slices >= 10 && slices <= 25);
	check(answer.status == SERVICE_ERR_FAILED && answer.payload == NULL);
	check(logged("it ran past its budget"));
	check(call("work") == SERVICE_OK);
	check(start(SERVICE_TWIN, "crsh", &answer) == SERVICE_PENDING);
	go_on(&answer);
	check(answer.status == SERVICE_ERR_FAILED);
	check(call("work") == SERVICE_OK);
}

static void all_slices_share_the_budget(void **state)
{
	(void)state;
	run_alone(slice_budget_body);
}

static void abort_body(void)
{
	struct service_answer answer;
	size_t before;

	begin(PARKED MEMORY, worker);
	before = free_pages();
	service_call_abort(SERVICE_TWIN); /* nothing is pending */
	check(call("work") == SERVICE_OK);
	check(start(SERVICE_TWIN, "loop", &answer) == SERVICE_PENDING);
	service_call_abort(SERVICE_TWIN);
	check(logged("is set back: its caller gave up"));
	check(service_call_continue(SERVICE_TWIN, &answer) == SERVICE_FINISHED);
	check(answer.status == SERVICE_ERR_FAILED);
	check(free_pages() == before);
	check(call("work") == SERVICE_OK);
	check(start(SERVICE_TWIN, "work", &answer) == SERVICE_PENDING);
	go_on(&answer);
	check(answer.status == SERVICE_OK);
	service_answer_free(&answer);
}

static void can_be_given_up(void **state)
{
	(void)state;
	run_alone(abort_body);
}

/* Answers what it is asked after some turns: 50 system calls; "loop" never. */
static enum user_exit idler(struct user_context *context, unsigned int step)
{
	char text[4] = { 0 };

	if (step == 0)
		return ask(context);
	peek(context, text, BUFFER + 8, 4);
	if (text[0] == 'l' || ++context->regs.r12 % 52 < 50)
		return sys(context, LINUX_GETPID, 0, 0, 0);
	if (context->regs.r12 % 52 == 50)
		return sys_reply(context, SERVICE_OK, text, 4);
	return ask(context);
}

static enum service_status ask_vtpm(const char *payload)
{
	return service_call(SERVICE_VTPM, 7, payload, 4, reply, sizeof(reply), &reply_size);
}

static void not_parked_body(void)
{
	struct service_answer answer;

	begin(NOT_PARKED, worker);
	check(start(SERVICE_TWIN, "work", &answer) == SERVICE_FINISHED);
	check(answer.status == SERVICE_ERR_FAILED); /* there is none */
	check(start(SERVICE_VTPM, "loop", &answer) == SERVICE_PENDING);
	service_call_abort(SERVICE_VTPM);
	check(logged("service a ended: its caller gave up"));
	check(!service_available(SERVICE_VTPM));
}

/*
 * One that is not parked finishes for whoever comes, once, and the answer waits for the one who
 * began; also when it broke meanwhile, or did not answer in time.
 */
static void not_parked_finishes_body(void)
{
	struct service_answer answer;
	size_t before;

	begin(NOT_PARKED, idler);
	before = free_pages();
	for (int i = 0; i < 3; i++) {
		check(start(SERVICE_VTPM, "work", &answer) == SERVICE_PENDING);
		check(ask_vtpm("next") == SERVICE_OK && memcmp(reply, "next", 4) == 0);
		check(ask_vtpm("more") == SERVICE_OK && memcmp(reply, "more", 4) == 0);
		check(service_call_continue(SERVICE_VTPM, &answer) == SERVICE_FINISHED);
		check(answer.status == SERVICE_OK && memcmp(answer.payload, "work", 4) == 0);
		service_answer_free(&answer);
		check(service_call_continue(SERVICE_VTPM, &answer) == SERVICE_FINISHED);
		check(answer.status == SERVICE_ERR_FAILED); /* it was given away */
		check(free_pages() == before);
	}
	check(start(SERVICE_VTPM, "loop", &answer) == SERVICE_PENDING);
	check(ask_vtpm("next") == SERVICE_ERR_FAILED);
	check(logged("it ran past its budget"));
	check(service_call_continue(SERVICE_VTPM, &answer) == SERVICE_FINISHED);
	check(answer.status == SERVICE_ERR_FAILED && answer.payload == NULL);
}

/* Who only tries has no part in it: what is under way stays so, and its answer with who began. */
static void a_try_finishes_nothing_body(void)
{
	struct service_answer answer;
	size_t size;

	begin(NOT_PARKED, idler);
	check(service_try(SERVICE_VTPM, 7, "next", 4, reply, sizeof(reply), &size) == SERVICE_OK);
	check(size == 4 && memcmp(reply, "next", 4) == 0);
	check(service_try(SERVICE_VTPM, 7, "next", 4, reply, 3, &size) == SERVICE_ERR_NO_MEMORY);
	check(size == 4);
	check(start(SERVICE_VTPM, "work", &answer) == SERVICE_PENDING);
	check(service_try(SERVICE_VTPM, 7, "next", 4, reply, sizeof(reply), &size) ==
	      SERVICE_ERR_BUSY);
	check(size == 0);
	while (service_call_continue(SERVICE_VTPM, &answer) == SERVICE_PENDING)
		;
	check(answer.status == SERVICE_OK && memcmp(answer.payload, "work", 4) == 0);
	service_answer_free(&answer);
	check(service_try(SERVICE_VTPM, 7, "next", 4, reply, sizeof(reply), &size) == SERVICE_OK);
	check(service_try(SERVICE_ATTEST, 7, "next", 4, reply, sizeof(reply), &size) ==
	      SERVICE_ERR_FAILED);
}

static void not_parked_finishes_for_others(void **state)
{
	(void)state;
	run_alone(a_try_finishes_nothing_body);
	run_alone(not_parked_finishes_body);
}

static void not_parked_ends_with_its_call(void **state)
{
	(void)state;
	run_alone(not_parked_body);
}

/* Its first read() is too small; the request waits, also across slices. */
static enum user_exit late_reader(struct user_context *context, unsigned int step)
{
	if (step == 0)
		return sys(context, LINUX_READ, SERVICE_FD_REQUESTS, BUFFER, 8);
	if (step < 30) {
		check(step > 1 || result_of(context) == -LINUX_EMSGSIZE);
		return sys(context, LINUX_GETPID, 0, 0, 0);
	}
	if (step == 30)
		return ask(context);
	if (step == 31) {
		check(result_of(context) == 12 && byte_at(context, BUFFER + 8) == 'l');
		return sys_reply(context, SERVICE_OK, "late", 4);
	}
	return ask(context);
}

static void late_body(void)
{
	struct service_answer answer;

	begin(PARKED MEMORY, late_reader);
	for (int i = 0; i < 2; i++) {
		check(start(SERVICE_TWIN, "late", &answer) == SERVICE_PENDING);
		check(go_on(&answer) > 1);
		check(answer.status == SERVICE_OK && memcmp(answer.payload, "late", 4) == 0);
		service_answer_free(&answer);
	}
}

static void a_request_waits_for_a_late_reader(void **state)
{
	(void)state;
	run_alone(late_body);
}

/* ---- Started by the first call ---- */

#define ON_DEMAND PARKED "on-demand\n" MEMORY
#define STARTING 30u /* system calls that a start takes, some slices */
#define LONG 120u    /* which are as many milliseconds, and more in slices */
#define BUDGET_MS 200u

static unsigned int entries; /* of the program, in all of its life */

/* Starts for a while, and answers then as often as it is asked; it never loses its place. */
static enum user_exit slow_starter(struct user_context *context, unsigned int step)
{
	(void)step;
	if (entries++ < STARTING) {
		context->regs.r13++;
		return sys(context, LINUX_GETPID, 0, 0, 0);
	}
	check(context->regs.r13 == STARTING);
	if (!context->regs.r14++)
		return ask(context);
	if (context->regs.r14 == 2) {
		check(byte_at(context, BUFFER + 8) == 'w');
		return sys_reply(context, SERVICE_OK, "work", 4);
	}
	return ask(context);
}

static void check_good(struct service_answer *answer)
{
	check(answer->status == SERVICE_OK && answer->size == 4);
	service_answer_free(answer);
}

/* Nothing of it runs before somebody asks, and then as if it had been ready. */
static void on_demand_body(void)
{
	size_t before;

	begin(ON_DEMAND, slow_starter);
	check(service_available(SERVICE_TWIN));
	check(entries == 0 && !logged("is ready"));
	before = free_pages();
	check(call("work") == SERVICE_OK && reply_size == 4);
	check(before - free_pages() > PROCESS_STACK_SIZE / ABI_PAGE_SIZE); /* loaded by then */
	check(logged("service a is ready"));
	before = free_pages();
	check(call("work") == SERVICE_OK);
	check(free_pages() == before);
}

/* Its start takes slices as any call does, in which nobody else gets in, and none has both. */
static void on_demand_slices_body(void)
{
	struct service_answer answer;
	unsigned int slices = 1;
	uint64_t start_ns;

	begin(ON_DEMAND, slow_starter);
	start_ns = harness.now_ns;
	check(start(SERVICE_TWIN, "work", &answer) == SERVICE_PENDING);
	check(call("work") == SERVICE_ERR_BUSY);
	for (;; slices++) {
		/* Two looks at the clock beyond a slice: what begins and what ends it. */
		check(harness.now_ns - start_ns <= (SERVICE_SLICE_MS + 2) * 1000000ull);
		start_ns = harness.now_ns;
		if (service_call_continue(SERVICE_TWIN, &answer) == SERVICE_FINISHED)
			break;
		check(slices < 100 && answer.payload == NULL);
	}
	check(slices > 3);
	check_good(&answer);
	check(call("work") == SERVICE_OK);
}

/* Whoever gives up the first call has not ended the service, nor begun it anew. */
static void on_demand_given_up_body(void)
{
	struct service_answer answer;

	begin(ON_DEMAND, slow_starter);
	check(start(SERVICE_TWIN, "gone", &answer) == SERVICE_PENDING);
	service_call_abort(SERVICE_TWIN);
	service_call_abort(SERVICE_TWIN); /* nothing is pending */
	check(service_call_continue(SERVICE_TWIN, &answer) == SERVICE_FINISHED);
	check(answer.status == SERVICE_ERR_FAILED);
	check(entries > 0 && entries < STARTING && service_available(SERVICE_TWIN));
	check(!logged("gave up"));
	check(start(SERVICE_TWIN, "work", &answer) == SERVICE_PENDING);
	check(go_on(&answer) > 1);
	check_good(&answer);
	check(start(SERVICE_TWIN, "work", &answer) == SERVICE_FINISHED);
	check_good(&answer);
}

/* Starts for more than half of its budget, and works as long for each request. */
static enum user_exit long_starter(struct user_context *context, unsigned int step)
{
	(void)step;
	if (entries++ < LONG)
		return sys(context, LINUX_GETPID, 0, 0, 0);
	if (!context->regs.r14++)
		return ask(context);
	if (context->regs.r14 < LONG)
		return sys(context, LINUX_GETPID, 0, 0, 0);
	return context->regs.r14 == LONG ? sys_reply(context, SERVICE_OK, "work", 4) : ask(context);
}

/* Start and request have a budget each, whoever ran the start. */
static void on_demand_two_budgets_body(void)
{
	struct service_answer answer;
	uint64_t start_ns;

	begin(ON_DEMAND, long_starter);
	start_ns = harness.now_ns;
	check(start(SERVICE_TWIN, "gone", &answer) == SERVICE_PENDING);
	service_call_abort(SERVICE_TWIN);
	check(start(SERVICE_TWIN, "work", &answer) == SERVICE_PENDING);
	go_on(&answer);
	check_good(&answer);
	check(harness.now_ns - start_ns > BUDGET_MS * 1000000ull);
	check(call("work") == SERVICE_OK);
}

static void on_demand_two_budgets_unsliced_body(void)
{
	begin(ON_DEMAND, long_starter);
	check(call("work") == SERVICE_OK);
}

/* The first request may be one that prepares it. */
static void on_demand_prepared_body(void)
{
	begin(ON_DEMAND, counter);
	check(prepare_with("good") == SERVICE_OK);
	check(count_of() == 1 && count_of() == 1);
}

/* Never comes to its first request: breaks, or computes for ever. */
static enum user_exit never_ready(struct user_context *context, unsigned int step)
{
	if (entries++ < 2 * STARTING || step == 0)
		return sys(context, LINUX_GETPID, 0, 0, 0);
	return entries > 10 * STARTING ? USER_EXIT_FAULT : sys(context, LINUX_GETPID, 0, 0, 0);
}

static void check_gone(const char *why)
{
	size_t free, all;

	check(logged(why) && logged("service a ended"));
	check(!service_available(SERVICE_TWIN));
	check(call("work") == SERVICE_ERR_FAILED);
	page_alloc_stats(&free, &all);
	check(free == all);
}

/* A start that fails ends it, and nobody else: this call has no answer, nor has the next. */
static void on_demand_fails_body(void)
{
	struct service_answer answer;

	begin(ON_DEMAND, never_ready);
	if (start(SERVICE_TWIN, "work", &answer) == SERVICE_PENDING)
		go_on(&answer);
	check(answer.status == SERVICE_ERR_FAILED && answer.payload == NULL);
	check_gone("it ran past its budget");
}

/* Whoever gives its start up again and again gives it no more time than its budget. */
static void on_demand_aborts_body(void)
{
	struct service_answer answer;
	unsigned int aborts = 0;

	begin(ON_DEMAND, never_ready);
	while (start(SERVICE_TWIN, "gone", &answer) == SERVICE_PENDING) {
		service_call_abort(SERVICE_TWIN);
		check(++aborts <= BUDGET_MS / SERVICE_SLICE_MS);
	}
	check(aborts > 5);
	check(answer.status == SERVICE_ERR_FAILED && answer.payload == NULL);
	check_gone("it ran past its budget");
}

static void on_demand_breaks_body(void)
{
	begin(ON_DEMAND, never_ready);
	entries = 10 * STARTING;
	check(call("work") == SERVICE_ERR_FAILED);
	check_gone("an exception");
}

static void on_demand_without_memory_body(void)
{
	begin(PARKED "on-demand\nmemory 300K\n", slow_starter);
	check(service_available(SERVICE_TWIN));
	check(call("work") == SERVICE_ERR_FAILED);
	check_gone("there is no memory for its snapshot");
}

/* What is no executable is seen only then. */
static void on_demand_unloadable_body(void)
{
	static const char conf[] = PARKED "on-demand\n" MEMORY
					  "service b\nexec b\nbudget 1s\n" MEMORY "role vtpm\n";
	struct socle_params params;

	harness_init();
	harness_add_packed(CONF_FILE, conf, strlen(conf));
	harness_add("a", "text", 4);
	harness_add_program("b", 0, idler);
	params = harness_params();
	services_start(&params);
	check(service_available(SERVICE_TWIN));
	check(call("work") == SERVICE_ERR_FAILED);
	check(logged("service a ended") && !service_available(SERVICE_TWIN));
	check(call("work") == SERVICE_ERR_FAILED);
	check(ask_vtpm("next") == SERVICE_OK);
}

/* One that is not parked comes to the end of both for whoever asks next, and keeps the answer. */
static void on_demand_not_parked_body(void)
{
	struct service_answer answer;

	begin("service a\nexec a\nrole ahead\nbudget 200ms\non-demand\n" MEMORY, idler);
	check(start(SERVICE_AHEAD, "work", &answer) == SERVICE_PENDING);
	check(service_call(SERVICE_AHEAD, 7, "next", 4, reply, sizeof(reply), &reply_size) ==
	      SERVICE_OK);
	check(reply_size == 4 && memcmp(reply, "next", 4) == 0);
	check(service_call_continue(SERVICE_AHEAD, &answer) == SERVICE_FINISHED);
	check(memcmp(answer.payload, "work", 4) == 0);
	check_good(&answer);
}

static void starts_with_its_first_call(void **state)
{
	(void)state;
	run_alone(on_demand_body);
	run_alone(on_demand_slices_body);
	run_alone(on_demand_prepared_body);
	run_alone(on_demand_given_up_body);
	run_alone(on_demand_two_budgets_body);
	run_alone(on_demand_two_budgets_unsliced_body);
	run_alone(on_demand_not_parked_body);
}

static void a_start_that_fails_ends_it_alone(void **state)
{
	(void)state;
	run_alone(on_demand_fails_body);
	run_alone(on_demand_aborts_body);
	run_alone(on_demand_breaks_body);
	run_alone(on_demand_without_memory_body);
	run_alone(on_demand_unloadable_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_set_back_after_a_reply),
		cmocka_unit_test(a_broken_run_costs_one_answer),
		cmocka_unit_test(a_reply_cannot_hold_its_memory),
		cmocka_unit_test(no_memory_for_the_snapshot),
		cmocka_unit_test(keeps_what_a_preparation_made),
		cmocka_unit_test(a_preparation_given_up_keeps_nothing),
		cmocka_unit_test(no_memory_for_a_preparation),
		cmocka_unit_test(works_in_slices),
		cmocka_unit_test(all_slices_share_the_budget),
		cmocka_unit_test(can_be_given_up),
		cmocka_unit_test(starts_with_its_first_call),
		cmocka_unit_test(a_start_that_fails_ends_it_alone),
		cmocka_unit_test(not_parked_ends_with_its_call),
		cmocka_unit_test(not_parked_finishes_for_others),
		cmocka_unit_test(a_request_waits_for_a_late_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
