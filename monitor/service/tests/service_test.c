/* SPDX-License-Identifier: MIT */
/* Calls to services and between them: what reaches whom, and what misuse leads to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/lock/lock.h"
#include "monitor/service/linux.h"
#include "monitor/service/service.h"
#include "monitor/service/tests/harness.h"

#define BUFFER (PROGRAM_DATA + 0x1000)
#define BUFFER_SIZE 0x2000
#define CONF_A "service a\nexec a\nrole vtpm\nmemory 512K\nbudget 60s\n"
#define CONF_B "service b\nexec b\nrole attest\nmemory 512K\nbudget 60s\n"

static enum user_exit ask(struct user_context *context)
{
	return sys(context, LINUX_READ, SERVICE_FD_REQUESTS, BUFFER, BUFFER_SIZE);
}

/* Replies to every request with its own bytes, header and all. */
static enum user_exit echo(struct user_context *context, unsigned int step)
{
	uint8_t message[BUFFER_SIZE];
	size_t size;

	if (step % 2 == 0)
		return ask(context);
	check(result_of(context) >= (int64_t)sizeof(struct service_request));
	size = (size_t)result_of(context);
	peek(context, message, BUFFER, size);
	return sys_reply(context, SERVICE_OK, message, size);
}

static bool from_host; /* the sizes of RAM and the number of vCPUs */

static void begin(const char *conf, program a, program b)
{
	struct socle_params params;

	harness_init();
	harness_add_packed(CONF_FILE, conf, strlen(conf));
	harness_add_program("a", 0, a);
	if (b)
		harness_add_program("b", 1, b);
	harness_add_packed("data/file", "0123456789", 10);
	params = harness_params();
	if (from_host) {
		params.host.size = SOCLE_HOST_SIZE;
		params.cpu_count = 5;
		params.ram_count = 2;
		params.ram[1] = (struct socle_range){ 0x100000000, 0x40000000 };
	}
	services_start(&params);
}

static uint8_t reply[0x2000];
static size_t reply_size;

static enum service_status call_a(const char *payload)
{
	return service_call(SERVICE_VTPM, 7, payload, strlen(payload), reply, sizeof(reply),
			    &reply_size);
}

static bool logged(const char *text)
{
	return strstr(harness.log, text) != NULL;
}

/* ---- The good way ---- */

static void echo_body(void)
{
	static const uint8_t want[] = { 7, 0, 0, 0, 5, 0, 0, 0, 'h', 'e', 'l', 'l', 'o' };

	begin(CONF_A, echo, NULL);
	check(service_available(SERVICE_VTPM));
	check(!service_available(SERVICE_ATTEST));
	for (int i = 0; i < 3; i++) {
		check(call_a("hello") == SERVICE_OK);
		check(reply_size == sizeof(want) && memcmp(reply, want, sizeof(want)) == 0);
	}
	check(service_call(SERVICE_VTPM, 1, NULL, 0, reply, sizeof(reply), &reply_size) ==
	      SERVICE_OK);
	check(reply_size == 8);
	check(service_call(SERVICE_ATTEST, 1, NULL, 0, reply, sizeof(reply), &reply_size) ==
	      SERVICE_ERR_FAILED);
	check(service_call(SERVICE_ROLES, 1, NULL, 0, reply, sizeof(reply), &reply_size) ==
	      SERVICE_ERR_FAILED);
}

static void answers_requests(void **state)
{
	(void)state;
	run_alone(echo_body);
}

static void no_memory_leak_body(void)
{
	size_t before, after, all;

	begin(CONF_A, echo, NULL);
	page_alloc_stats(&before, &all);
	for (int i = 0; i < 1000; i++)
		check(call_a("x") == SERVICE_OK);
	page_alloc_stats(&after, &all);
	check(before == after);
}

static void keeps_no_memory_of_a_call(void **state)
{
	(void)state;
	run_alone(no_memory_leak_body);
}

static void small_caller_body(void)
{
	begin(CONF_A, echo, NULL);
	check(service_call(SERVICE_VTPM, 1, "abc", 3, reply, 10, &reply_size) ==
	      SERVICE_ERR_NO_MEMORY);
	check(reply_size == 11);
	check(service_call(SERVICE_VTPM, 1, "abc", 3, reply, 11, &reply_size) == SERVICE_OK);
}

static void tells_the_caller_the_size_it_needs(void **state)
{
	(void)state;
	run_alone(small_caller_body);
}

static enum user_exit busy(struct user_context *context, unsigned int step)
{
	return step % 2 == 0 ? ask(context) : sys_reply(context, SERVICE_ERR_BUSY, "", 0);
}

static void status_body(void)
{
	begin(CONF_A, busy, NULL);
	check(call_a("x") == SERVICE_ERR_BUSY && reply_size == 0);
	check(service_available(SERVICE_VTPM));
}

static void passes_the_status_on(void **state)
{
	(void)state;
	run_alone(status_body);
}

/* The first read() of each request has a buffer that is one byte too small. */
static enum user_exit small_reader(struct user_context *context, unsigned int step)
{
	switch (step % 3) {
	case 0:
		return sys(context, LINUX_READ, SERVICE_FD_REQUESTS, BUFFER, 8);
	case 1:
		check(result_of(context) == -LINUX_EMSGSIZE);
		return sys(context, LINUX_READ, SERVICE_FD_REQUESTS, BUFFER, 9);
	default:
		check(result_of(context) == 9);
		return sys_reply(context, SERVICE_OK, "", 0);
	}
}

static void small_reader_body(void)
{
	begin(CONF_A, small_reader, NULL);
	check(call_a("x") == SERVICE_OK);
	check(call_a("y") == SERVICE_OK);
}

static void keeps_a_request_that_did_not_fit(void **state)
{
	(void)state;
	run_alone(small_reader_body);
}

/* ---- Misuse: every service waits for a request and then does one wrong thing ---- */

static enum user_exit double_read(struct user_context *context, unsigned int step)
{
	(void)step;
	return ask(context);
}

static enum user_exit double_write(struct user_context *context, unsigned int step)
{
	return step == 0 ? ask(context) : sys_reply(context, SERVICE_OK, "", 0);
}

static enum user_exit early_write(struct user_context *context, unsigned int step)
{
	(void)step;
	return sys_reply(context, SERVICE_OK, "", 0);
}

static enum user_exit short_write(struct user_context *context, unsigned int step)
{
	if (step == 0)
		return ask(context);
	return sys(context, LINUX_WRITE, SERVICE_FD_REQUESTS, PROGRAM_DATA, 7);
}

static enum user_exit large_write(struct user_context *context, unsigned int step)
{
	if (step == 0)
		return ask(context);
	return sys(context, LINUX_WRITE, SERVICE_FD_REQUESTS, PROGRAM_DATA,
		   SERVICE_MESSAGE_MAX + 1);
}

static enum user_exit reply_header(struct user_context *context, unsigned int step, uint32_t status,
				   uint32_t size)
{
	struct service_reply header = { status, size };

	if (step == 0)
		return ask(context);
	poke(context, PROGRAM_DATA, &header, sizeof(header));
	return sys(context, LINUX_WRITE, SERVICE_FD_REQUESTS, PROGRAM_DATA, 16);
}

static enum user_exit size_lie(struct user_context *context, unsigned int step)
{
	return reply_header(context, step, SERVICE_OK, 9);
}

static enum user_exit unknown_status(struct user_context *context, unsigned int step)
{
	return reply_header(context, step, SERVICE_ERR_BUSY + 1, 8);
}

static enum user_exit error_with_payload(struct user_context *context, unsigned int step)
{
	return reply_header(context, step, SERVICE_ERR_FAILED, 8);
}

static enum user_exit leave(struct user_context *context, unsigned int step)
{
	return step == 0 ? ask(context) : sys(context, LINUX_EXIT_GROUP, 0, 0, 0);
}

static enum user_exit fault(struct user_context *context, unsigned int step)
{
	if (step == 0)
		return ask(context);
	context->fault = (struct user_fault){ .vector = 14, .error = 6, .address = 0x123 };
	return USER_EXIT_FAULT;
}

static enum user_exit loop(struct user_context *context, unsigned int step)
{
	return step == 0 ? ask(context) : sys(context, LINUX_GETPID, 0, 0, 0);
}

static enum user_exit reply_and_break(struct user_context *context, unsigned int step)
{
	if (step == 0)
		return ask(context);
	return step == 1 ? sys_reply(context, SERVICE_OK, "", 0) : USER_EXIT_FAULT;
}

static const struct misuse {
	program program;
	const char *why;
	bool at_start;
} misuses[] = {
	{ double_read, "it asked for a request before it answered the last one", false },
	{ double_write, "it answered without a request", false },
	{ early_write, "it answered without a request", true },
	{ short_write, "the size of its reply is out of range", false },
	{ large_write, "the size of its reply is out of range", false },
	{ size_lie, "its reply contradicts itself", false },
	{ unknown_status, "its reply contradicts itself", false },
	{ error_with_payload, "its reply contradicts itself", false },
	{ leave, "it left", false },
	{ fault, "exception 14, error 0x6", false },
	{ loop, "it ran past its budget", false },
	{ reply_and_break, "an exception", false },
};
static const struct misuse *misuse;

static void misuse_body(void)
{
	size_t before, after, all;

	begin(CONF_A CONF_B, misuse->program, echo);
	check(service_available(SERVICE_VTPM) == !misuse->at_start);
	page_alloc_stats(&before, &all);
	check(call_a("x") == SERVICE_ERR_FAILED && reply_size == 0);
	check(logged(misuse->why));
	check(!service_available(SERVICE_VTPM));
	page_alloc_stats(&after, &all);
	/* All that it had is back: the image, the stack and the tables. */
	check(misuse->at_start || after > before + PROCESS_STACK_SIZE / ABI_PAGE_SIZE);
	check(call_a("x") == SERVICE_ERR_FAILED);
	/* The other one never noticed. */
	check(service_call(SERVICE_ATTEST, 1, "x", 1, reply, sizeof(reply), &reply_size) ==
	      SERVICE_OK);
}

static void misuse_ends_only_the_service(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(misuses) / sizeof(misuses[0]); i++) {
		misuse = &misuses[i];
		run_alone(misuse_body);
	}
}

/* ---- Bad pointers and descriptors: an error number, and life goes on ---- */

static const struct bad_call {
	uint64_t number, a, b, c;
	int64_t result;
} bad_calls[] = {
	{ LINUX_READ, 5, BUFFER, 1, -LINUX_EBADF },
	{ LINUX_READ, CONF_FDS, BUFFER, 1, -LINUX_EBADF },
	{ LINUX_READ, UINT64_MAX, BUFFER, 1, -LINUX_EBADF },
	{ LINUX_READ, 7, BUFFER, 1, -LINUX_EBADF },  /* the log cannot be read */
	{ LINUX_WRITE, 6, BUFFER, 1, -LINUX_EBADF }, /* nor a file written */
	{ LINUX_WRITE, 3, 0, 8, -LINUX_EFAULT },
	{ LINUX_WRITE, 3, 0x404ff9, 8, -LINUX_EFAULT }, /* ends on an unmapped page */
	{ LINUX_WRITE, 3, UINT64_MAX - 3, 8, -LINUX_EFAULT },
	{ LINUX_WRITE, 3, 0xffff800000000000, 8, -LINUX_EFAULT }, /* the monitor's half */
	{ LINUX_WRITE, 7, 0xffffffff80000000, 8, -LINUX_EFAULT },
	{ LINUX_WRITE, 7, 0x405000, 1, -LINUX_EFAULT },
	{ LINUX_READ, 6, 0x400000, 1, -LINUX_EFAULT }, /* read-only */
	{ LINUX_READ, 6, 0x401000, 1, -LINUX_EFAULT }, /* code */
	{ LINUX_READ, 6, 0x404fff, 2, -LINUX_EFAULT },
	{ LINUX_READ, 6, 0, 1, -LINUX_EFAULT },
	{ LINUX_GETRANDOM, 0x401000, 16, 0, -LINUX_EFAULT },
	{ LINUX_GETRANDOM, 0x404ff8, 16, 0, -LINUX_EFAULT },
	{ LINUX_GETRANDOM, BUFFER, 16, 8, -LINUX_EINVAL },
	{ LINUX_GETRANDOM, BUFFER, 16, 0, 16 },
	{ LINUX_GETRANDOM, 0, 0, 0, 0 },
	{ LINUX_CLOCK_GETTIME, 1, 0x401000, 0, -LINUX_EFAULT },
	{ LINUX_CLOCK_GETTIME, 1, 0, 0, -LINUX_EFAULT },
	{ LINUX_CLOCK_GETTIME, 9, BUFFER, 0, -LINUX_EINVAL },
	{ LINUX_CLOCK_GETTIME, 0, BUFFER, 0, 0 },
	{ LINUX_CLOCK_GETTIME, 1, BUFFER, 0, 0 },
	{ LINUX_CLOCK_GETTIME, 2, BUFFER, 0, 0 },
	{ LINUX_TIME, 0x401000, 0, 0, -LINUX_EFAULT },
	{ LINUX_TIME, 0, 0, 0, 0 },
	{ LINUX_FUTEX, BUFFER, 129, 1, 0 },
	{ LINUX_FUTEX, BUFFER, 1, 1, 0 },
	{ LINUX_FUTEX, BUFFER, 128, 1, -LINUX_ENOSYS }, /* WAIT */
	{ LINUX_GETPID, 0, 0, 0, 1 },
	{ LINUX_ARCH_PRCTL, 0x1002, 0x402000, 0, 0 },
	{ LINUX_ARCH_PRCTL, 0x1002, 0x800000000000, 0, -LINUX_EPERM },
	{ LINUX_ARCH_PRCTL, 0x1001, 0x402000, 0, -LINUX_EINVAL },
	{ LINUX_MPROTECT, 0x401000, 0x1000, 7, -LINUX_EACCES },
	{ LINUX_MPROTECT, 0x401000, 0x1000, 3, -LINUX_EACCES },
	{ LINUX_MPROTECT, 0x402000, 0x1000, 5, -LINUX_EACCES },
	{ LINUX_MPROTECT, 0x402000, 0x1000, 8, -LINUX_EINVAL },
	{ LINUX_MPROTECT, 0x402001, 0x1000, 1, -LINUX_EINVAL },
	{ LINUX_MPROTECT, 0x404000, 0x1001, 1, -LINUX_ENOMEM },
	{ LINUX_MPROTECT, 0x402000, UINT64_MAX, 1, -LINUX_ENOMEM },
	{ LINUX_MPROTECT, 0xffffffff80000000, 0x1000, 1, -LINUX_ENOMEM },
	{ LINUX_MUNMAP, 0x402000, 0x1000, 0, -LINUX_EINVAL },
	{ LINUX_MUNMAP, PROCESS_MMAP_MIN, 0, 0, -LINUX_EINVAL },
	{ LINUX_MUNMAP, PROCESS_MMAP_MIN + 1, 1, 0, -LINUX_EINVAL },
	{ LINUX_MUNMAP, PROCESS_MMAP_MIN, UINT64_MAX, 0, -LINUX_EINVAL },
	{ LINUX_MUNMAP, PROCESS_MMAP_MAX, 0x1000, 0, -LINUX_EINVAL },
	{ 2, 0, 0, 0, -LINUX_ENOSYS },	 /* open */
	{ 16, 1, 0, 0, -LINUX_ENOSYS },	 /* ioctl */
	{ 57, 0, 0, 0, -LINUX_ENOSYS },	 /* fork */
	{ 218, 0, 0, 0, -LINUX_ENOSYS }, /* set_tid_address */
	{ UINT64_MAX, 0, 0, 0, -LINUX_ENOSYS },
};
#define BAD_CALLS (sizeof(bad_calls) / sizeof(bad_calls[0]))

static enum user_exit bad_caller(struct user_context *context, unsigned int step)
{
	if (step == 0)
		return ask(context);
	if (step > 1 && step < BAD_CALLS + 2 && result_of(context) != bad_calls[step - 2].result)
		check_at(false, "result of bad call", "bad_calls", (int)step - 2);
	if (step > BAD_CALLS)
		return step == BAD_CALLS + 1 ? sys_reply(context, SERVICE_OK, "", 0) : ask(context);
	return sys(context, bad_calls[step - 1].number, bad_calls[step - 1].a,
		   bad_calls[step - 1].b, bad_calls[step - 1].c);
}

static void bad_call_body(void)
{
	begin(CONF_A "grant 7 log\ngrant 6 file data/file\n", bad_caller, NULL);
	harness.now_ns = 0;
	check(call_a("x") == SERVICE_OK);
	check(service_available(SERVICE_VTPM));
}

static void survives_bad_arguments(void **state)
{
	(void)state;
	run_alone(bad_call_body);
}

/* The buffer of the read() that waits is checked when the request comes. */
static enum user_exit bad_reader(struct user_context *context, unsigned int step)
{
	if (step == 0)
		return sys(context, LINUX_READ, SERVICE_FD_REQUESTS, 0x404ffc, 100);
	if (step == 1) {
		check(result_of(context) == -LINUX_EFAULT);
		return ask(context);
	}
	return step == 2 ? sys_reply(context, SERVICE_OK, "", 0) : ask(context);
}

static void bad_reader_body(void)
{
	begin(CONF_A, bad_reader, NULL);
	check(call_a("x") == SERVICE_OK);
}

static void checks_the_buffer_of_a_waiting_read(void **state)
{
	(void)state;
	run_alone(bad_reader_body);
}

/* ---- Memory ---- */

/*
 * What a service asks for with mprotect(), and what it has then, less each time: on x86 nothing can
 * be written or executed that cannot be read (APM volume 2, 5.6).
 */
static const struct {
	uint64_t page;
	unsigned int asked, given;
} protections[] = {
	{ 0x404000, 2, MAP_READ | MAP_WRITE },
	{ 0x404000, 3, MAP_READ | MAP_WRITE },
	{ 0x404000, 1, MAP_READ },
	{ 0x404000, 0, 0 },
	{ 0x401000, 4, MAP_READ | MAP_EXEC },
	{ 0x401000, 5, MAP_READ | MAP_EXEC },
	{ 0x401000, 1, MAP_READ },
	{ 0x401000, 0, 0 },
};
#define PROTECTIONS (sizeof(protections) / sizeof(protections[0]))

static enum user_exit protects(struct user_context *context, unsigned int step)
{
	unsigned int rights;
	gpa_t page;

	if (step == 0)
		return ask(context);
	if (step > 1 && step < PROTECTIONS + 2) {
		check_at(result_of(context) == 0, "protection", "protections", (int)step - 2);
		check(space_lookup(context->space, (va_t){ protections[step - 2].page }, &page,
				   &rights));
		check(rights == protections[step - 2].given);
	}
	if (step > PROTECTIONS)
		return step == PROTECTIONS + 1 ? sys_reply(context, SERVICE_OK, "", 0)
					       : ask(context);
	return sys(context, LINUX_MPROTECT, protections[step - 1].page, 0x1000,
		   protections[step - 1].asked);
}

static void protects_body(void)
{
	begin(CONF_A, protects, NULL);
	check(call_a("x") == SERVICE_OK);
}

static void gives_the_rights_that_are_asked_for(void **state)
{
	(void)state;
	run_alone(protects_body);
}

static enum user_exit memory_user(struct user_context *context, unsigned int step)
{
	static int64_t first, second;
	static const uint8_t text[4] = "abc";
	uint8_t got[4];
	gpa_t page;
	unsigned int rights;

	switch (step) {
	case 0:
		return sys(context, LINUX_BRK, 0, 0, 0);
	case 1:
		check(result_of(context) == 0x405000);
		return sys(context, LINUX_BRK, 0x406001, 0, 0);
	case 2:
		check(result_of(context) == 0x406001);
		poke(context, 0x406fff, text, 1);
		check(!space_lookup(context->space, (va_t){ 0x407000 }, &page, &rights));
		return sys(context, LINUX_BRK, 0x405000 + CONF_MEMORY_MAX, 0, 0); /* too much */
	case 3:
		check(result_of(context) == 0x406001);
		check(!space_lookup(context->space, (va_t){ 0x407000 }, &page, &rights));
		return sys(context, LINUX_BRK, 0x404fff, 0, 0); /* below its start */
	case 4:
		check(result_of(context) == 0x406001);
		return sys(context, LINUX_BRK, UINT64_MAX, 0, 0);
	case 5:
		check(result_of(context) == 0x406001);
		return sys(context, LINUX_BRK, 0x405001, 0, 0);
	case 6:
		check(result_of(context) == 0x405001);
		check(!space_lookup(context->space, (va_t){ 0x406000 }, &page, &rights));
		context->regs.r10 = 0x22;
		return sys(context, LINUX_MMAP, 0, 0x1001, 3);
	case 7:
		first = result_of(context);
		check(first == (int64_t)PROCESS_MMAP_MIN);
		poke(context, (uint64_t)first + 0x1ffd, text, 3);
		return sys(context, LINUX_MMAP, 0, 0x1000, 3);
	case 8:
		second = result_of(context);
		check(second == first + 0x2000);
		return sys(context, LINUX_MUNMAP, (uint64_t)first, 0x1fff, 0);
	case 9:
		check(result_of(context) == 0);
		check(!space_lookup(context->space, (va_t){ (uint64_t)first }, &page, &rights));
		return sys(context, LINUX_MMAP, 0, 0x2000, 3);
	case 10:
		/* First fit, and no byte of what was there. */
		check(result_of(context) == first);
		peek(context, got, (uint64_t)first + 0x1ffc, sizeof(got));
		check(memcmp(got, "\0\0\0", 4) == 0);
		return sys(context, LINUX_MMAP, 0, CONF_MEMORY_MAX, 3);
	case 11:
		check(result_of(context) == -LINUX_ENOMEM);
		return sys(context, LINUX_MMAP, 0, UINT64_MAX, 3);
	case 12:
		check(result_of(context) == -LINUX_ENOMEM);
		return sys(context, LINUX_MMAP, 0, 0, 3);
	case 13:
		check(result_of(context) == -LINUX_EINVAL);
		return sys(context, LINUX_MMAP, 0, 0x1000, 7); /* executable */
	case 14:
		check(result_of(context) == -LINUX_EINVAL);
		context->regs.r10 = 0x32; /* fixed */
		return sys(context, LINUX_MMAP, 0x400000, 0x1000, 3);
	case 15:
		check(result_of(context) == -LINUX_EINVAL);
		context->regs.r10 = 0x02; /* a file */
		return sys(context, LINUX_MMAP, 0, 0x1000, 3);
	case 16:
		check(result_of(context) == -LINUX_EINVAL);
		return sys(context, LINUX_MPROTECT, (uint64_t)first, 0x2000, 1);
	case 17:
		check(result_of(context) == 0);
		check(space_lookup(context->space, (va_t){ (uint64_t)first + 0x1000 }, &page,
				   &rights));
		check(rights == MAP_READ);
		return sys(context, LINUX_MPROTECT, (uint64_t)first, 0x1000, 3);
	case 18:
		check(result_of(context) == -LINUX_EACCES); /* never back */
		return sys(context, LINUX_READ, 6, (uint64_t)first, 1);
	case 19:
		check(result_of(context) == -LINUX_EFAULT);
		return ask(context);
	default:
		return USER_EXIT_FAULT;
	}
}

static void memory_body(void)
{
	size_t before, after, all;

	page_alloc_stats(&before, &all);
	begin(CONF_A "grant 6 file data/file\n", memory_user, NULL);
	check(service_available(SERVICE_VTPM));
	check(call_a("x") == SERVICE_ERR_FAILED);
	page_alloc_stats(&after, &all);
	check(after == all);
}

static void gives_and_takes_memory(void **state)
{
	(void)state;
	run_alone(memory_body);
}

/* ---- Files, log, host channel, random bytes ---- */

static enum user_exit stream_user(struct user_context *context, unsigned int step)
{
	static uint8_t bytes[16];

	switch (step) {
	case 0:
		return sys(context, LINUX_READ, 6, BUFFER, 4);
	case 1:
		check(result_of(context) == 4);
		return sys(context, LINUX_READ, 6, BUFFER + 4, 0x1000);
	case 2:
		check(result_of(context) == 6);
		peek(context, bytes, BUFFER, 10);
		check(memcmp(bytes, "0123456789", 10) == 0);
		return sys(context, LINUX_READ, 6, BUFFER, 1);
	case 3:
		check(result_of(context) == 0);
		poke(context, BUFFER, "a line\n", 7);
		return sys(context, LINUX_WRITE, 7, BUFFER, 7);
	case 4:
		check(result_of(context) == 7);
		check(logged("[a] a line\n"));
		return sys(context, LINUX_WRITE, 4, PROGRAM_DATA, 0x2000);
	case 5:
		check(result_of(context) == 256); /* no more at once */
		check(harness.host_out_size == 256);
		harness.host_takes = 100;
		return sys(context, LINUX_WRITE, 4, PROGRAM_DATA, 1000);
	case 6:
		check(result_of(context) == 100);
		harness.host_in = "from the host";
		return sys(context, LINUX_READ, 4, BUFFER, 8);
	case 7:
		check(result_of(context) == 8);
		return sys(context, LINUX_READ, 4, BUFFER + 8, 8);
	case 8:
		check(result_of(context) == 5);
		peek(context, bytes, BUFFER, 13);
		check(memcmp(bytes, "from the host", 13) == 0);
		return sys(context, LINUX_GETRANDOM, BUFFER, 5000, 1);
	case 9:
		check(result_of(context) == 4096);
		peek(context, bytes, BUFFER + 4095, 2);
		check(bytes[0] == 0xa5 && bytes[1] == 0);
		return ask(context);
	default:
		return USER_EXIT_FAULT;
	}
}

static void stream_body(void)
{
	begin(CONF_A "grant 7 log\ngrant 6 file data/file\ngrant 4 host-channel\n", stream_user,
	      NULL);
	check(service_available(SERVICE_VTPM));
}

/* Nothing there is another thing than nothing moved, which a service may wait for. */
static enum user_exit channel_prober(struct user_context *context, unsigned int step)
{
	switch (step) {
	case 0:
		harness.host_takes = 0;
		return sys(context, LINUX_WRITE, 4, BUFFER, 8);
	case 1:
		check(result_of(context) == 0);
		return sys(context, LINUX_READ, 4, BUFFER, 8);
	case 2:
		check(result_of(context) == 0);
		harness.no_host = true;
		return sys(context, LINUX_WRITE, 4, BUFFER, 8);
	case 3:
		check(result_of(context) == -LINUX_ENXIO);
		return sys(context, LINUX_READ, 4, BUFFER, 8);
	default:
		check(result_of(context) == -LINUX_ENXIO);
		return ask(context);
	}
}

static void no_channel_body(void)
{
	begin(CONF_A "grant 4 host-channel\n", channel_prober, NULL);
	check(service_available(SERVICE_VTPM));
}

static enum user_exit random_user(struct user_context *context, unsigned int step)
{
	if (step == 0)
		return ask(context);
	check(step == 1); /* it does not come back */
	harness.no_random = true;
	return sys(context, LINUX_GETRANDOM, BUFFER, 8, 0);
}

static void no_random_body(void)
{
	begin(CONF_A CONF_B, random_user, echo);
	check(call_a("x") == SERVICE_ERR_FAILED);
	check(!service_available(SERVICE_VTPM) && service_available(SERVICE_ATTEST));
	check(logged("service a ended: the CPU gives no random bytes"));
}

static void ends_who_wants_random_bytes_where_there_are_none(void **state)
{
	(void)state;
	run_alone(no_random_body);
}

static void moves_streams(void **state)
{
	(void)state;
	run_alone(stream_body);
}

static void tells_a_silent_host_from_none(void **state)
{
	(void)state;
	run_alone(no_channel_body);
}

/* ---- A service that calls another, and the AMD-SP ---- */

/* Forwards the payload of its request to fd 5 and replies with what came back. */
static enum user_exit forward(struct user_context *context, unsigned int step)
{
	static uint8_t message[0x1000];
	size_t size;

	switch (step % 4) {
	case 0:
		return ask(context);
	case 1:
		return sys(context, LINUX_WRITE, 5, BUFFER, (uint64_t)result_of(context));
	case 2:
		check(result_of(context) > 0);
		return sys(context, LINUX_READ, 5, BUFFER, BUFFER_SIZE);
	default:
		check(result_of(context) >= (int64_t)sizeof(struct service_reply));
		size = (size_t)result_of(context);
		peek(context, message, BUFFER, size);
		return sys_reply(context, SERVICE_OK, message, size);
	}
}

static enum service_status call_b(void)
{
	return service_call(SERVICE_ATTEST, 9, "xyz", 3, reply, sizeof(reply), &reply_size);
}

static void nested_body(void)
{
	static const uint8_t want[] = { 0, 0, 0, 0, 11, 0, 0,	0,   9,	 0,
					0, 0, 3, 0, 0,	0, 'x', 'y', 'z' };
	size_t before, after, all;

	begin(CONF_A CONF_B "grant 5 service a\n", echo, forward);
	page_alloc_stats(&before, &all);
	for (int i = 0; i < 100; i++) {
		check(call_b() == SERVICE_OK);
		check(reply_size == sizeof(want) && memcmp(reply, want, sizeof(want)) == 0);
		check(call_a("direct") == SERVICE_OK);
	}
	page_alloc_stats(&after, &all);
	check(before == after);
}

static void services_call_each_other(void **state)
{
	(void)state;
	run_alone(nested_body);
}

static void nested_crash_body(void)
{
	static const uint8_t want[] = { SERVICE_ERR_FAILED, 0, 0, 0, 0, 0, 0, 0 };

	begin(CONF_A CONF_B "grant 5 service a\n", fault, forward);
	for (int i = 0; i < 2; i++) {
		check(call_b() == SERVICE_OK);
		check(reply_size == sizeof(want) && memcmp(reply, want, sizeof(want)) == 0);
	}
	check(!service_available(SERVICE_VTPM) && service_available(SERVICE_ATTEST));
}

static void a_crash_is_an_error_to_the_calling_service(void **state)
{
	(void)state;
	run_alone(nested_crash_body);
}

/* Calls a while it starts, leaves the reply unread, and tries again when it is ready. */
static enum user_exit starter(struct user_context *context, unsigned int step)
{
	static const struct service_request request = { 1, 0 };

	switch (step) {
	case 0:
		poke(context, BUFFER, &request, sizeof(request));
		return sys(context, LINUX_WRITE, 5, BUFFER, sizeof(request));
	case 1:
		check(result_of(context) == sizeof(request));
		return ask(context);
	case 2:
		return sys(context, LINUX_READ, 5, BUFFER, BUFFER_SIZE);
	case 3:
		check(result_of(context) == -LINUX_EBADF);
		return sys(context, LINUX_WRITE, 5, BUFFER, sizeof(request));
	case 4:
		check(result_of(context) == -LINUX_EBADF);
		return sys(context, LINUX_READ, 6, BUFFER, BUFFER_SIZE);
	case 5:
		check(result_of(context) == 10);
		return sys_reply(context, SERVICE_OK, NULL, 0);
	default:
		return ask(context);
	}
}

static void at_start_body(void)
{
	begin(CONF_A CONF_B "grant 5 service a at-start\ngrant 6 file data/file\n", echo, starter);
	check(call_b() == SERVICE_OK);
	check(service_available(SERVICE_VTPM) && service_available(SERVICE_ATTEST));
}

static void takes_away_what_was_for_the_start(void **state)
{
	(void)state;
	run_alone(at_start_body);
}

/* Wrong order and wrong sizes on a channel to another. */
static enum user_exit channel_misuser(struct user_context *context, unsigned int step)
{
	static const struct service_request request = { 1, 4 };
	static const struct service_request lie = { 1, 5 };
	static const struct service_request monitors = { SERVICE_OP_MONITOR | 1, 4 };

	switch (step) {
	case 0:
		poke(context, BUFFER, &request, sizeof(request));
		return sys(context, LINUX_READ, 5, BUFFER + 64, 100);
	case 1:
		check(result_of(context) == -LINUX_EAGAIN);
		return sys(context, LINUX_WRITE, 5, BUFFER, 7);
	case 2:
		check(result_of(context) == -LINUX_EMSGSIZE);
		return sys(context, LINUX_WRITE, 5, BUFFER, SERVICE_MESSAGE_MAX + 1);
	case 3:
		check(result_of(context) == -LINUX_EMSGSIZE);
		return sys(context, LINUX_WRITE, 5, BUFFER, SERVICE_MESSAGE_MAX);
	case 4:
		check(result_of(context) == -LINUX_EFAULT);
		return sys(context, LINUX_WRITE, 5, BUFFER, 11);
	case 5:
		check(result_of(context) == -LINUX_EINVAL);
		return sys(context, LINUX_WRITE, 5, BUFFER, 12);
	case 6:
		check(result_of(context) == 12);
		return sys(context, LINUX_WRITE, 5, BUFFER, 12);
	case 7:
		check(result_of(context) == -LINUX_EBUSY);
		return sys(context, LINUX_READ, 5, BUFFER + 64, 19);
	case 8:
		check(result_of(context) == -LINUX_EMSGSIZE);
		return sys(context, LINUX_READ, 5, 0x401000, 100);
	case 9:
		check(result_of(context) == -LINUX_EFAULT);
		return sys(context, LINUX_READ, 5, BUFFER + 64, 20);
	case 10:
		check(result_of(context) == 20);
		poke(context, BUFFER, &lie, sizeof(lie));
		return sys(context, LINUX_WRITE, 5, BUFFER, 12);
	case 11:
		check(result_of(context) == -LINUX_EINVAL);
		poke(context, BUFFER, &monitors, sizeof(monitors));
		return sys(context, LINUX_WRITE, 5, BUFFER, 12);
	case 12:
		check(result_of(context) == -LINUX_EPERM);
		return sys(context, LINUX_READ, 5, BUFFER + 64, 100);
	case 13:
		check(result_of(context) == -LINUX_EAGAIN); /* nobody was asked */
		return ask(context);
	default:
		return USER_EXIT_FAULT;
	}
}

static void channel_misuse_body(void)
{
	begin(CONF_A CONF_B "grant 5 service a\n", echo, channel_misuser);
	check(service_available(SERVICE_ATTEST));
}

static void channels_keep_order_and_sizes(void **state)
{
	(void)state;
	run_alone(channel_misuse_body);
}

/* Key, number, one message; then it ends with a message that nobody answered. */
static unsigned int refusals, came;

/* While a call to the service sleeps: another one gets nothing of it, and waits for no lock. */
static void others_come(void)
{
	came++;
	check(!lock_any_held());
	harness.cpu = 1;
	check(service_try(SERVICE_VTPM, 7, "y", 1, reply, sizeof(reply), &reply_size) ==
	      (service_available(SERVICE_VTPM) ? SERVICE_ERR_BUSY : SERVICE_ERR_FAILED));
	harness.cpu = 0;
}

static enum user_exit amdsp_user(struct user_context *context, unsigned int step)
{
	struct {
		struct service_request request;
		struct psp_msg_header header;
		uint8_t payload[32];
	} send = {
		.request = { AMDSP_OP_SEND, sizeof(send) - sizeof(send.request) },
		.header = {
			.seqno = 1,
			.algo = PSP_MSG_ALGO_AES_256_GCM,
			.header_version = PSP_MSG_HEADER_VERSION,
			.header_size = PSP_MSG_HEADER_SIZE,
			.size = 32,
		},
	};
	static const struct service_request key = { AMDSP_OP_KEY, 0 };
	uint8_t bytes[8 + 4 + ABI_PAGE_SIZE + 12];

	switch (step) {
	case 0:
		poke(context, BUFFER, &key, sizeof(key));
		return sys(context, LINUX_WRITE, 4, BUFFER, sizeof(key));
	case 1:
		check(result_of(context) == sizeof(key));
		return sys(context, LINUX_READ, 4, BUFFER, 0x2000);
	case 2:
		check(result_of(context) == 8 + SNP_VMPCK_SIZE);
		peek(context, bytes, BUFFER, 8 + SNP_VMPCK_SIZE);
		check(memcmp(bytes + 8, "0123456789abcdef0123456789ABCDEF", 32) == 0);
		poke(context, BUFFER, &send, sizeof(send));
		harness.busy = refusals;
		harness.asleep = others_come;
		return sys(context, LINUX_WRITE, 4, BUFFER, sizeof(send));
	case 3:
		check(result_of(context) == sizeof(send));
		return sys(context, LINUX_READ, 4, BUFFER, 0x2000);
	case 4:
		check(result_of(context) == sizeof(bytes));
		peek(context, bytes, BUFFER, sizeof(bytes));
		check(memcmp(bytes + sizeof(bytes) - 12, "certificates", 12) == 0);
		return ask(context);
	case 5:
		send.header.seqno = 3;
		poke(context, BUFFER, &send, sizeof(send));
		harness.guest_request_result = 1;
		harness.busy = refusals;
		return sys(context, LINUX_WRITE, 4, BUFFER, sizeof(send));
	default:
		return USER_EXIT_FAULT;
	}
}

static void amdsp_body(void)
{
	size_t after, all;

	begin(CONF_A "grant 4 amd-sp\n", amdsp_user, NULL);
	check(service_available(SERVICE_VTPM));
	check(harness.guest_requests == 1);
	check(call_a("x") == SERVICE_ERR_FAILED);
	check(harness.guest_requests == 2);
	/* Its unread reply is freed with it. */
	page_alloc_stats(&after, &all);
	check(after == all);
}

static void reaches_the_amdsp(void **state)
{
	(void)state;
	run_alone(amdsp_body);
}

static void busy_amdsp_body(void)
{
	refusals = 3;
	begin(CONF_A "grant 4 amd-sp\n", amdsp_user, NULL);
	check(service_available(SERVICE_VTPM));
	check(harness.guest_requests == 4 && came == 3);
	check(call_a("x") == SERVICE_ERR_FAILED);
	check(harness.guest_requests == 8 && came == 6);
	harness.asleep = NULL;
	check(call_a("x") == SERVICE_ERR_FAILED && reply_size == 0);
}

/* At its start, and in a call. */
static void sleeps_without_a_lock(void **state)
{
	(void)state;
	run_alone(busy_amdsp_body);
}

/* ---- Broken archives ---- */

static const char *bad_conf;

static void start_bad_conf(void)
{
	begin(bad_conf, echo, NULL);
}

static void broken_archive_body(void)
{
	bad_conf = CONF_A "x\n";
	check(dies(start_bad_conf) == DIE_PARAMS);
	check(logged("services.conf, line 6: unknown word"));
}

static void missing_file_body(void)
{
	bad_conf = CONF_A "grant 6 file missing\n";
	check(dies(start_bad_conf) == DIE_PARAMS);
	check(logged("the archive has no file missing"));
}

static void bad_executable_body(void)
{
	bad_conf = "service a\nexec data/file\nmemory 512K\nbudget 1s\n";
	check(dies(start_bad_conf) == DIE_SERVICE);
	check(logged("service a: data/file: the file is shorter than its headers"));
}

static void little_memory_body(void)
{
	bad_conf = "service a\nexec a\nmemory 64K\nbudget 1s\n";
	check(dies(start_bad_conf) == DIE_SERVICE);
	check(logged("there is no memory for the stack"));
}

/* The harness has 8 MiB. */
static void memory_for_all_body(void)
{
	begin(CONF_A "service b\nexec b\nmemory 7680K\nbudget 1s\n", echo, echo);
	check(!logged("one can take what another needs"));
}

static void memory_not_for_all_body(void)
{
	begin(CONF_A "service b\nexec b\nmemory 7684K\nbudget 1s\n", echo, echo);
	check(logged("the services may have 8196 KiB in all, where 8192 KiB are free"));
}

/*
 * Work ahead is done where there is memory for it beside all others, and else the start goes on
 * without.
 */
static void spare_with_memory_body(void)
{
	begin(CONF_A "service b\nexec b\nrole ahead\nmemory 7680K\nbudget 1s\n", echo, echo);
	check(service_available(SERVICE_AHEAD));
	check(!logged("is not started"));
}

static void spare_without_memory_body(void)
{
	begin(CONF_A "service b\nexec b\nrole ahead\nmemory 7684K\nbudget 1s\n", echo, echo);
	check(!service_available(SERVICE_AHEAD));
	check(logged("service b is not started: others need the memory"));
	check(!logged("one can take what another needs"));
	check(call_a("hello") == SERVICE_OK);
}

static void spare_of_a_host_body(void)
{
	from_host = true;
	spare_without_memory_body();
}

static void a_host_with_just_enough_body(void)
{
	from_host = true;
	begin(CONF_A "service b\nexec b\nmemory 7680K\nbudget 1s\n", echo, echo);
	check(!logged("too little"));
}

static void start_with_too_much(void)
{
	from_host = true;
	begin(CONF_A "service b\nexec b\nmemory 7684K\nbudget 1s\n", echo, echo);
}

/* As many pages less as are missing, each with the states of 16384 (guest_pages.h): 64 MiB. */
static void a_host_with_too_much_body(void)
{
	check(dies(start_with_too_much) == DIE_MEMORY);
	check(logged(
		"5 vCPUs and RAM up to 0x140000000 leave the services 4 KiB too little; with so "
		"many vCPUs there is room for RAM up to 0x13c000000"));
}

static void a_host_has_no_more_than_there_is_memory_for(void **state)
{
	(void)state;
	run_alone(a_host_with_just_enough_body);
	run_alone(a_host_with_too_much_body);
}

static void says_when_memory_is_not_for_all(void **state)
{
	(void)state;
	run_alone(memory_for_all_body);
	run_alone(memory_not_for_all_body);
}

static void work_ahead_has_what_others_leave(void **state)
{
	(void)state;
	run_alone(spare_with_memory_body);
	run_alone(spare_without_memory_body);
	run_alone(spare_of_a_host_body);
}

static void a_broken_archive_stops_the_start(void **state)
{
	(void)state;
	run_alone(broken_archive_body);
	run_alone(missing_file_body);
	run_alone(bad_executable_body);
	run_alone(little_memory_body);
}

/* ---- Services that must be there ---- */

#define REQUIRED_A CONF_A "required\n"

static program required_program;
static unsigned int b_entries;

static enum user_exit count_entries(struct user_context *context, unsigned int step)
{
	(void)step;
	b_entries++;
	return ask(context);
}

static void start_required(void)
{
	begin(REQUIRED_A CONF_B, required_program, count_entries);
}

static enum user_exit leaves(struct user_context *context, unsigned int step)
{
	(void)step;
	return sys(context, LINUX_EXIT_GROUP, 0, 0, 0);
}

static enum user_exit faults(struct user_context *context, unsigned int step)
{
	(void)context;
	(void)step;
	return USER_EXIT_FAULT;
}

static enum user_exit overruns(struct user_context *context, unsigned int step)
{
	(void)context;
	(void)step;
	return USER_EXIT_DEADLINE;
}

static void required_fails_body(void)
{
	check(dies(start_required) == DIE_REQUIRED);
	check(logged("service a is required: the guest is not started\n"));
	check(b_entries == 0);
}

/* It must be ready after its start; that it works for ever is nothing that a start can promise. */
static void required_starts_body(void)
{
	required_program = echo;
	check(dies(start_required) == 0);
	check(service_available(SERVICE_VTPM) && b_entries == 1);
	check(call_a("hello") == SERVICE_OK);
}

static void required_ends_later_body(void)
{
	begin(REQUIRED_A, leave, NULL);
	check(call_a("x") == SERVICE_ERR_FAILED);
	check(!service_available(SERVICE_VTPM));
}

/* As what is found out about it later, before the guest runs. */
static void given_up(void)
{
	service_give_up(SERVICE_VTPM, "it does not do");
}

static void required_is_given_up_body(void)
{
	begin(REQUIRED_A, echo, NULL);
	check(service_available(SERVICE_VTPM));
	check(dies(given_up) == DIE_REQUIRED);
	check(logged("service a ended: it does not do\n"));
	check(logged("service a is required: the guest is not started\n"));
}

static void crashed_is_given_up_body(void)
{
	begin(REQUIRED_A, leave, NULL);
	check(call_a("x") == SERVICE_ERR_FAILED);
	check(dies(given_up) == DIE_REQUIRED);
}

static void other_is_given_up_body(void)
{
	begin(CONF_A, echo, NULL);
	check(dies(given_up) == 0);
	service_give_up(SERVICE_TWIN, "nobody");
	check(!service_available(SERVICE_VTPM));
	check(call_a("x") == SERVICE_ERR_FAILED);
}

static void not_required_body(void)
{
	begin(CONF_A CONF_B, leaves, echo);
	check(!service_available(SERVICE_VTPM) && service_available(SERVICE_ATTEST));
	check(!logged("required"));
}

static void no_guest_without_what_is_required(void **state)
{
	static const program programs[] = { leaves, faults, overruns };

	(void)state;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		required_program = programs[i];
		run_alone(required_fails_body);
	}
	run_alone(required_starts_body);
	run_alone(required_ends_later_body);
	run_alone(not_required_body);
	run_alone(required_is_given_up_body);
	run_alone(crashed_is_given_up_body);
	run_alone(other_is_given_up_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_requests),
		cmocka_unit_test(keeps_no_memory_of_a_call),
		cmocka_unit_test(tells_the_caller_the_size_it_needs),
		cmocka_unit_test(passes_the_status_on),
		cmocka_unit_test(keeps_a_request_that_did_not_fit),
		cmocka_unit_test(misuse_ends_only_the_service),
		cmocka_unit_test(survives_bad_arguments),
		cmocka_unit_test(gives_the_rights_that_are_asked_for),
		cmocka_unit_test(checks_the_buffer_of_a_waiting_read),
		cmocka_unit_test(gives_and_takes_memory),
		cmocka_unit_test(moves_streams),
		cmocka_unit_test(ends_who_wants_random_bytes_where_there_are_none),
		cmocka_unit_test(tells_a_silent_host_from_none),
		cmocka_unit_test(services_call_each_other),
		cmocka_unit_test(a_crash_is_an_error_to_the_calling_service),
		cmocka_unit_test(takes_away_what_was_for_the_start),
		cmocka_unit_test(channels_keep_order_and_sizes),
		cmocka_unit_test(reaches_the_amdsp),
		cmocka_unit_test(sleeps_without_a_lock),
		cmocka_unit_test(a_broken_archive_stops_the_start),
		cmocka_unit_test(says_when_memory_is_not_for_all),
		cmocka_unit_test(work_ahead_has_what_others_leave),
		cmocka_unit_test(a_host_has_no_more_than_there_is_memory_for),
		cmocka_unit_test(no_guest_without_what_is_required),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
