/* SPDX-License-Identifier: MIT */
/*
 * The GHCB page is shared, so VMPL2 can write it as well as the host can (docs/shared-pages.md). Here
 * somebody does, between any two instructions of the reading of an answer: the process is
 * single-stepped (TF, APM volume 2, 13.1.4) from VMGEXIT on, and at the N-th step the page becomes
 * another answer, for every N. What was read is of the one or of the other, never a third thing.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/base/die.h"
#include "monitor/ghcb/ghcb.h"
#include "monitor/trap/wait.h"

#define RAX 0x1f8u
#define RDX 0x310u
#define RBX 0x318u
#define INFO_1 0x398u
#define INFO_2 0x3a0u
#define BITMAP 0x3f0u
#define STEPS_MAX 5000u
#define UNTOUCHED 0x5555555555555555ull
#define TRAP_FLAG 0x100

/* An answer of the host: the words that matter, and whether any is valid. */
struct answer {
	uint64_t info_1, info_2, rax, rbx, rdx;
	uint8_t valid;
};

static const struct answer first = { 0, 0x100000000, 0x1111, 0x2222, 0x3333, 0xff };
static const struct answer others[] = {
	{ 0, 0x200000000, 0x4444, 0x5555, 0x6666, 0xff }, /* another good one */
	{ 2, 0x700000000, 0x7777, 0x8888, 0x9999, 0xff }, /* a refusal */
	{ 0, 0, 0xaaaa, 0xbbbb, 0xcccc, 0 },		  /* nothing is valid */
};

static struct cpu *cpu;
static uint8_t *page;
static const struct answer *other;
static volatile unsigned int steps, at;

static void put(unsigned int offset, uint64_t value)
{
	memcpy(page + offset, &value, sizeof(value));
}

static void answer(const struct answer *a)
{
	put(INFO_1, a->info_1);
	put(INFO_2, a->info_2);
	put(RAX, a->rax);
	put(RBX, a->rbx);
	put(RDX, a->rdx);
	memset(page + BITMAP, a->valid, 16);
}

static void set_trap_flag(bool on)
{
	if (on)
		__asm__ volatile("pushfq\n\torq %0, (%%rsp)\n\tpopfq" : : "i"(TRAP_FLAG) : "cc");
	else
		__asm__ volatile("pushfq\n\tandq %0, (%%rsp)\n\tpopfq" : : "i"(~TRAP_FLAG) : "cc");
}

static void step(int signal)
{
	(void)signal;
	if (++steps == at)
		answer(other);
}

static void host(void)
{
	answer(&first);
	steps = 0;
	set_trap_flag(true);
}

bool wait_vmgexit(struct cpu *which)
{
	(void)which;
	host();
	return true;
}

_Noreturn void die(enum die_reason reason, const char *why)
{
	(void)reason;
	(void)why;
	abort();
}

static int start(void **state)
{
	struct sigaction action = { .sa_handler = step };

	(void)state;
	cpu = fake_cpu_block();
	page = aligned_alloc(0x1000, 0x1000);
	memset(page, 0, 0x1000);
	fake_cpu_reset(cpu);
	fake_cpu.vmgexit = host;
	cpu->ghcb = (struct ghcb *)page;
	cpu->ghcb_page = gpa(0x5000);
	return sigaction(SIGTRAP, &action, NULL);
}

static int end(void **state)
{
	(void)state;
	free(page);
	free(cpu);
	return 0;
}

/* What an exit gave back. */
struct outcome {
	bool done;
	uint64_t value, pages;
};

static struct outcome read_msr(void)
{
	struct outcome o = { .value = UNTOUCHED };

	o.done = ghcb_msr_read(0x1b, &o.value);
	return o;
}

static struct outcome read_port(void)
{
	struct outcome o = { .value = UNTOUCHED };
	uint8_t byte = (uint8_t)UNTOUCHED;

	o.done = ghcb_io_read8(0x3f8, &byte);
	o.value = byte;
	return o;
}

static struct outcome write_msr(void)
{
	return (struct outcome){ .done = ghcb_msr_write(0x838, 1) };
}

static struct outcome run_guest(void)
{
	return (struct outcome){ .done = ghcb_run_vmpl(2) == GHCB_RUN_RETURNED };
}

static struct outcome request(void)
{
	struct outcome o = { .done = true, .pages = 4 };

	o.value = ghcb_guest_request(gpa(0x6000), gpa(0x7000), gpa(0x8000), &o.pages);
	return o;
}

static bool is_either(uint64_t value, uint64_t one, uint64_t two)
{
	return value == one || value == two;
}

static bool msr_is_sound(const struct outcome *o)
{
	return o->done ? is_either(o->value & UINT32_MAX, first.rax, other->rax) &&
				 is_either(o->value >> 32, first.rdx, other->rdx)
		       : o->value == UNTOUCHED && other->info_1 + !other->valid;
}

static bool port_is_sound(const struct outcome *o)
{
	return o->done ? is_either(o->value, first.rax & 0xff, other->rax & 0xff)
		       : o->value == (UNTOUCHED & 0xff) && other->info_1 + !other->valid;
}

/* Without values there is only yes or no, and yes is what the first answer says. */
static bool is_told(const struct outcome *o)
{
	return o->done || other->info_1 + !other->valid;
}

/* A host that says nothing valid is one that is busy (error 2 of the VMM). */
static bool request_is_sound(const struct outcome *o)
{
	bool busy = o->value == 0x200000000 && (!other->valid || other->info_1);

	return (busy || is_either(o->value, first.info_2, other->info_2)) &&
	       (o->pages == 4 || is_either(o->pages, first.rbx, other->rbx));
}

static void check(struct outcome (*ask)(void), bool (*is_sound)(const struct outcome *))
{
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		unsigned int last = 1;

		other = &others[i];
		for (unsigned int n = 1; n <= last; n++) {
			struct outcome o;

			at = n;
			o = ask();
			set_trap_flag(false);
			last = steps;
			assert_in_range(last, 1, STEPS_MAX);
			assert_true(is_sound(&o));
		}
	}
}

static void an_msr_is_of_these_answers(void **state)
{
	(void)state;
	check(read_msr, msr_is_sound);
}

static void a_byte_of_a_port_is(void **state)
{
	(void)state;
	check(read_port, port_is_sound);
}

static void yes_is_what_somebody_said(void **state)
{
	(void)state;
	check(write_msr, is_told);
	check(run_guest, is_told);
}

static void a_request_has_one_of_their_errors(void **state)
{
	(void)state;
	check(request, request_is_sound);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_msr_is_of_these_answers, start, end),
		cmocka_unit_test_setup_teardown(a_byte_of_a_port_is, start, end),
		cmocka_unit_test_setup_teardown(yes_is_what_somebody_said, start, end),
		cmocka_unit_test_setup_teardown(a_request_has_one_of_their_errors, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
