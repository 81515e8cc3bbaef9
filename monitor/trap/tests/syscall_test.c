/* SPDX-License-Identifier: MIT */
/*
 * SYSCALL is 0F 05 (APM volume 3). It leaves the address of the next instruction in RCX and RFLAGS
 * in R11, with RF, bit 16, clear; a fault pushes RFLAGS with RF set (APM volume 2, 8.9.3).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/trap/trap.h"
#include "monitor/trap/user.h"

#define TEXT 0x401000ull

static struct cpu *cpu;
static struct user_context user;
static struct address_space space;
static uint8_t text[4];
static size_t readable; /* of text; nothing is mapped behind it */

bool space_read(const struct address_space *from, void *to, va_t at, size_t size)
{
	assert_ptr_equal(from, &space);
	if (at.raw < TEXT || at.raw - TEXT + size > readable)
		return false;
	memcpy(to, text + (at.raw - TEXT), size);
	return true;
}

static const struct trap_frame before = {
	.rax = 1,
	.rbx = 2,
	.rcx = 3,
	.rdx = 4,
	.rsi = 5,
	.rdi = 6,
	.r8 = 8,
	.r9 = 9,
	.r10 = 10,
	.r11 = 11,
	.vector = 6,
	.rip = TEXT,
	.cs = 0x23,
	.rflags = 0x10347, /* RF, TF, IF, ZF, PF, CF */
	.rsp = 0x7fff0000,
	.ss = 0x1b,
};

static int start(void **state)
{
	(void)state;
	cpu = fake_cpu_block();
	fake_cpu_reset(cpu);
	memset(&user, 0, sizeof(user));
	user.space = &space;
	cpu->user = &user;
	memcpy(text, "\x0f\x05\x0f\x05", 4);
	readable = 4;
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(cpu);
	return 0;
}

static void it_leaves_what_syscall_leaves(void **state)
{
	struct trap_frame frame = before, after = before;

	(void)state;
	assert_true(syscall_take(&frame));
	after.rip = TEXT + 2;
	after.rcx = TEXT + 2;
	after.rflags = 0x347;
	after.r11 = 0x347;
	assert_memory_equal(&frame, &after, sizeof(frame));
}

static void refused(const char *code, uint64_t rip)
{
	struct trap_frame frame = before, same;

	memcpy(text, code, 4);
	frame.rip = rip;
	same = frame;
	assert_false(syscall_take(&frame));
	assert_memory_equal(&frame, &same, sizeof(frame));
}

/* UD2, SYSENTER, CPUID; any prefix, LOCK and REX.W among them. */
static void other_instructions_are_none(void **state)
{
	(void)state;
	refused("\x0f\x0b\x0f\x05", TEXT);
	refused("\x0f\x34\x0f\x05", TEXT);
	refused("\x0f\xa2\x0f\x05", TEXT);
	refused("\x06\x0f\x05\x90", TEXT);
	refused("\x05\x0f\x05\x0f", TEXT);
	refused("\x48\x0f\x05\x90", TEXT);
	refused("\xf0\x0f\x05\x90", TEXT);
	refused("\xf3\x0f\x05\x90", TEXT);
	refused("\x66\x0f\x05\x90", TEXT);
}

/* The last byte of a page, and addresses that are nobody's or the monitor's. */
static void what_cannot_be_read_is_none(void **state)
{
	(void)state;
	readable = 3;
	refused("\x0f\x05\x0f\x05", TEXT + 2);
	refused("\x0f\x05\x0f\x05", TEXT + 3);
	refused("\x0f\x05\x0f\x05", 0xffffffff80000000ull);
	refused("\x0f\x05\x0f\x05", UINT64_MAX);
	refused("\x0f\x05\x0f\x05", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_leaves_what_syscall_leaves, start, end),
		cmocka_unit_test_setup_teardown(other_instructions_are_none, start, end),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_is_none, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
