/* SPDX-License-Identifier: MIT */
/*
 * Exits with the GHCB page against a scripted host. Offsets, exit codes and fields are literals of
 * GHCB specification 56421, 2.6 (layout) and 4 (exits); a quadword counts only with its bit in the
 * bitmap at 3F0h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/arch/arch.h"
#include "monitor/base/die.h"
#include "monitor/cpu/wait.h"
#include "monitor/ghcb/ghcb.h"

#define GHCB_MSR 0xc0010130u
#define PAGE 0x1234567000ull
#define RAX 0x1f8u
#define RCX 0x308u
#define RDX 0x310u
#define RBX 0x318u
#define CODE 0x390u
#define INFO_1 0x398u
#define INFO_2 0x3a0u
#define SCRATCH 0x3a8u
#define BITMAP 0x3f0u
#define BUFFER 0x800u
#define WORDS 128u /* quadwords that have a bit */

struct answer {
	unsigned int offset;
	uint64_t value;
};

static struct cpu *cpu;
static uint8_t *page;
static struct answer answers[4];
static unsigned int exits;
static uint64_t msr_at_exit, asked[WORDS];
static uint8_t valid_at_exit[16], buffer_at_exit[2032];
static bool silent, event, locked;

static uint64_t word(unsigned int offset)
{
	uint64_t value;

	memcpy(&value, page + offset, sizeof(value));
	return value;
}

static void mark(unsigned int offset)
{
	page[BITMAP + offset / 64] |= (uint8_t)(1u << (offset / 8 % 8));
}

/* Answers with just the fields of the script; a silent host leaves the page as it finds it. */
static void host(void)
{
	exits++;
	msr_at_exit = cpu_read_msr(GHCB_MSR);
	memcpy(asked, page, sizeof(asked));
	memcpy(valid_at_exit, page + BITMAP, sizeof(valid_at_exit));
	memcpy(buffer_at_exit, page + BUFFER, sizeof(buffer_at_exit));
	if (silent)
		return;
	memset(page + BITMAP, 0, 16);
	for (unsigned int i = 0; i < 4 && answers[i].offset; i++) {
		memcpy(page + answers[i].offset, &answers[i].value, sizeof(uint64_t));
		if (answers[i].offset < BUFFER)
			mark(answers[i].offset);
	}
}

bool lock_any_held(void)
{
	return locked;
}

bool wait_vmgexit(struct cpu *which)
{
	assert_ptr_equal(which, cpu);
	if (event)
		return false;
	host();
	return true;
}

_Noreturn void die(enum die_reason reason, const char *why)
{
	assert_int_equal(reason, 1);
	mock_assert(0, why, __FILE__, __LINE__);
	abort();
}

static int start(void **state)
{
	(void)state;
	cpu = fake_cpu_block();
	page = aligned_alloc(0x1000, 0x1000);
	fake_cpu_reset(cpu);
	fake_cpu.vmgexit = host;
	cpu->ghcb = (struct ghcb *)page;
	cpu->ghcb_page = gpa(PAGE);
	/* What earlier exits have left. */
	memset(page, 0xff, 0x1000);
	memset(answers, 0, sizeof(answers));
	silent = event = false;
	exits = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(page);
	free(cpu);
	return 0;
}

static void says(unsigned int which, unsigned int offset, uint64_t value)
{
	answers[which] = (struct answer){ offset, value };
}

static uint64_t asked_word(unsigned int offset)
{
	return asked[offset / 8];
}

/* One exit was made, with this code and these two words, and nothing said but those and more. */
static void assert_asked(uint64_t code, uint64_t info_1, uint64_t info_2, const unsigned int *more,
			 size_t count)
{
	uint8_t valid[16] = { 0 };
	const unsigned int always[] = { CODE, INFO_1, INFO_2 };

	assert_int_equal(exits, 1);
	exits = 0;
	assert_int_equal(msr_at_exit, PAGE);
	assert_int_equal(asked_word(CODE), code);
	assert_int_equal(asked_word(INFO_1), info_1);
	assert_int_equal(asked_word(INFO_2), info_2);
	for (size_t i = 0; i < 3 + count; i++) {
		unsigned int offset = i < 3 ? always[i] : more[i - 3];

		valid[offset / 64] |= (uint8_t)(1u << (offset / 8 % 8));
	}
	assert_memory_equal(valid_at_exit, valid, sizeof(valid));
	/* Protocol version 2 at FFAh, usage 0 at FFCh. */
	assert_memory_equal(page + 0xffa, "\2\0\0\0\0\0", 6);
}

static void a_byte_is_read_from_a_port(void **state)
{
	const unsigned int fields[] = { RAX };
	uint8_t value = 0x11;

	(void)state;
	says(0, INFO_1, 0);
	says(1, RAX, 0xffffffffffffffa7);
	assert_true(ghcb_io_read8(0x3fd, &value));
	assert_int_equal(value, 0xa7);
	/* Port 31:16, 8 bits: bit 4, IN: bit 0. */
	assert_asked(0x7b, 0x3fd0011, 0, fields, 1);
	assert_int_equal(asked_word(RAX), 0);

	says(1, 0, 0);
	assert_false(ghcb_io_read8(0x3fd, &value));
	says(0, INFO_1, 1);
	says(1, RAX, 0x55);
	assert_false(ghcb_io_read8(0x3fd, &value));
	assert_int_equal(value, 0xa7);
}

static void a_byte_is_written_to_a_port(void **state)
{
	const unsigned int fields[] = { RAX };

	(void)state;
	says(0, INFO_1, 0xffffffff00000000); /* 31:0 counts */
	assert_true(ghcb_io_write8(0x402, 0xc3));
	assert_asked(0x7b, 0x4020010, 0, fields, 1);
	assert_int_equal(asked_word(RAX), 0xc3);
	says(0, INFO_1, 2);
	assert_false(ghcb_io_write8(0x402, 0xc3));
	says(0, 0, 0);
	assert_false(ghcb_io_write8(0x402, 0xc3));
	silent = true;
	assert_false(ghcb_io_write8(0x402, 0xc3));
}

static void a_string_goes_out_of_the_shared_buffer(void **state)
{
	const unsigned int fields[] = { SCRATCH };
	static uint8_t text[2033];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[0] = 'a';
	text[2031] = 'z';
	says(0, INFO_1, 0);
	assert_true(ghcb_io_write_string(0x402, text, 2032));
	/* STR bit 2, REP bit 3, 8 bits, 64-bit addresses bit 9, segment DS in 12:10; the count. */
	assert_asked(0x7b, 0x4020e1c, 2032, fields, 1);
	assert_int_equal(asked_word(SCRATCH), PAGE + 0x800);
	assert_memory_equal(buffer_at_exit, text, 2032);

	assert_true(ghcb_io_write_string(0x402, "q", 1));
	assert_asked(0x7b, 0x4020e1c, 1, fields, 1);
	assert_int_equal(buffer_at_exit[0], 'q');

	assert_false(ghcb_io_write_string(0x402, text, 2033));
	assert_false(ghcb_io_write_string(0x402, text, 0));
	assert_int_equal(exits, 0);
	says(0, INFO_1, 1);
	assert_false(ghcb_io_write_string(0x402, text, 1));
}

static void a_string_comes_in_by_the_shared_buffer(void **state)
{
	const unsigned int fields[] = { SCRATCH };
	static uint8_t text[2033];

	(void)state;
	says(0, INFO_1, 0);
	says(1, BUFFER, 0x6867666564636261); /* "abcdefgh" */
	says(2, BUFFER + 2032 - 8, 0x7a79787776757473);
	assert_true(ghcb_io_read_string(0x3e8, text, 2032));
	/*
	 * IN bit 0, STR bit 2, REP bit 3, 8 bits, 64-bit addresses bit 9, segment ES in 12:10; the
	 * count.
	 */
	assert_asked(0x7b, 0x3e8021d, 2032, fields, 1);
	assert_int_equal(asked_word(SCRATCH), PAGE + 0x800);
	assert_memory_equal(text, "abcdefgh", 8);
	assert_memory_equal(text + 2032 - 8, "stuvwxyz", 9);

	memset(text, 0, 8);
	assert_true(ghcb_io_read_string(0x3e8, text, 3));
	assert_asked(0x7b, 0x3e8021d, 3, fields, 1);
	assert_memory_equal(text, "abc\0", 4); /* and nothing behind it */

	assert_false(ghcb_io_read_string(0x3e8, text, 2033));
	assert_false(ghcb_io_read_string(0x3e8, text, 0));
	assert_int_equal(exits, 0);
	says(0, INFO_1, 1);
	memset(text, 0, 8);
	assert_false(ghcb_io_read_string(0x3e8, text, 3));
	assert_int_equal(text[0], 0);
}

static void an_msr_is_read_in_halves(void **state)
{
	const unsigned int fields[] = { RCX };
	uint64_t value = 7;

	(void)state;
	says(0, INFO_1, 0);
	says(1, RAX, 0x1111111189abcdef);
	says(2, RDX, 0x01234567);
	assert_true(ghcb_msr_read(0x1b, &value));
	assert_int_equal(value, 0x0123456789abcdef);
	assert_asked(0x7c, 0, 0, fields, 1);
	assert_int_equal(asked_word(RCX), 0x1b);

	value = 7;
	says(2, 0, 0);
	assert_false(ghcb_msr_read(0x1b, &value));
	says(1, RDX, 1);
	assert_false(ghcb_msr_read(0x1b, &value));
	says(2, RAX, 1);
	says(0, INFO_1, 1); /* the host would have an exception raised */
	assert_false(ghcb_msr_read(0x1b, &value));
	assert_int_equal(value, 7);
	silent = true;
	assert_false(ghcb_msr_read(0x1b, &value));
}

static void an_msr_is_written_in_halves(void **state)
{
	const unsigned int fields[] = { RCX, RAX, RDX };

	(void)state;
	says(0, INFO_1, 0);
	assert_true(ghcb_msr_write(0x830, 0x0123456789abcdef));
	assert_asked(0x7c, 1, 0, fields, 3);
	assert_int_equal(asked_word(RCX), 0x830);
	assert_int_equal(asked_word(RAX), 0x89abcdef);
	assert_int_equal(asked_word(RDX), 0x01234567);
	says(0, INFO_1, 1);
	assert_false(ghcb_msr_write(0x830, 0));
	silent = true;
	assert_false(ghcb_msr_write(0x830, 0));
}

static void a_vcpu_is_created_for_its_level(void **state)
{
	const unsigned int fields[] = { RAX };

	(void)state;
	says(0, INFO_1, 0);
	assert_true(arch_start_vcpu(0x87654321, 2, gpa(0xabc000), 0x9));
	/* APIC id 63:32, VMPL 19:16, create now 15:0; the VMSA; SEV_FEATURES in RAX. */
	assert_asked(0x80000013, 0x8765432100020001, 0xabc000, fields, 1);
	assert_int_equal(asked_word(RAX), 0x9);
	says(0, INFO_1, 2);
	assert_false(arch_start_vcpu(1, 2, gpa(0xabc000), 0x9));
	silent = true;
	assert_false(arch_start_vcpu(1, 0, gpa(0xabc000), 0x9));
}

/* The host of the IOAPIC's two registers: an index, and what is written by it. */
static uint32_t ioapic[64], ioapic_index, ioapic_writes;

static void ioapic_host(void)
{
	uint32_t value;

	host();
	memcpy(&value, buffer_at_exit, sizeof(value));
	assert_int_equal(asked_word(CODE), 0x80000002); /* MMIO write */
	assert_int_equal(asked_word(INFO_2), 4);
	assert_int_equal(asked_word(SCRATCH), PAGE + BUFFER);
	if (asked_word(INFO_1) == 0xfec00000)
		ioapic_index = value;
	else
		ioapic[ioapic_index] = value;
	assert_true(asked_word(INFO_1) == 0xfec00000 || asked_word(INFO_1) == 0xfec00010);
	ioapic_writes++;
}

/* 82093AA, 3.2.4: the entry of pin n is in registers 10h + 2n and 11h + 2n. */
static void a_pin_interrupts_whom_it_shall(void **state)
{
	(void)state;
	fake_cpu.vmgexit = ioapic_host;
	says(0, INFO_1, 0);
	assert_true(ghcb_ioapic_pin(5, 3, 0x42));
	assert_int_equal(ioapic[0x1b], 0x03000000);
	assert_int_equal(ioapic[0x1a], 0x42);
	assert_true(ghcb_ioapic_pin(23, 0, 0));
	assert_int_equal(ioapic[0x3f], 0);
	assert_int_equal(ioapic[0x3e], 0x10000); /* masked */
	assert_int_equal(ioapic_writes, 8);
	says(0, INFO_1, 2);
	assert_false(ghcb_ioapic_pin(5, 3, 0x42));
	assert_int_equal(ioapic_writes, 9);
}

static void the_doorbell_page_is_set(void **state)
{
	(void)state;
	says(0, INFO_1, 0);
	assert_true(ghcb_set_doorbell(gpa(0xdb000)));
	assert_asked(0x80000014, 1, 0xdb000, NULL, 0);
	says(0, INFO_1, 2);
	assert_false(ghcb_set_doorbell(gpa(0xdb000)));
	silent = true;
	assert_false(ghcb_set_doorbell(gpa(0xdb000)));
}

static void another_level_runs(void **state)
{
	(void)state;
	says(0, INFO_1, 0);
	assert_int_equal(arch_run_vmpl(2), ARCH_RUN_RETURNED);
	assert_asked(0x80000018, 2, 0, NULL, 0);
	says(0, INFO_1, 2);
	assert_int_equal(arch_run_vmpl(2), ARCH_RUN_REFUSED);
	says(0, 0, 0);
	assert_int_equal(arch_run_vmpl(2), ARCH_RUN_REFUSED);
	silent = true;
	assert_int_equal(arch_run_vmpl(2), ARCH_RUN_REFUSED);
	exits = 0;
	event = true;
	assert_int_equal(arch_run_vmpl(2), ARCH_RUN_EVENT);
	locked = true; /* by us, while the guest has the CPU: never */
	expect_assert_failure(arch_run_vmpl(2));
	locked = false;
	assert_int_equal(exits, 0);
}

static void a_plain_guest_request_names_two_pages(void **state)
{
	uint64_t pages = 4;

	(void)state;
	says(0, INFO_1, 0);
	says(1, INFO_2, 0x0000000000000021);
	says(2, RBX, 9);
	assert_int_equal(ghcb_guest_request(gpa(0x1000), gpa(0x2000), gpa(0), &pages), 0x21);
	assert_asked(0x80000011, 0x1000, 0x2000, NULL, 0);
	assert_int_equal(pages, 4);
	says(1, INFO_2, 0x0000000100000000);
	assert_int_equal(ghcb_guest_request(gpa(0x1000), gpa(0x2000), gpa(0), &pages), 1ull << 32);
	assert_int_equal(pages, 4);
}

static void an_extended_request_learns_how_many_pages(void **state)
{
	const unsigned int fields[] = { RAX, RBX };
	uint64_t pages = 4;

	(void)state;
	says(0, INFO_1, 0);
	says(1, INFO_2, 0);
	says(2, RBX, 9);
	assert_int_equal(ghcb_guest_request(gpa(0x1000), gpa(0x2000), gpa(0x3000), &pages), 0);
	assert_asked(0x80000012, 0x1000, 0x2000, fields, 2);
	assert_int_equal(asked_word(RAX), 0x3000);
	assert_int_equal(asked_word(RBX), 4);
	assert_int_equal(pages, 4);
	/* The buffer is too small: 1 in 63:32, and RBX says what it takes, if it does. */
	says(1, INFO_2, 0x0000000100000000);
	assert_int_equal(ghcb_guest_request(gpa(0x1000), gpa(0x2000), gpa(0x3000), &pages),
			 1ull << 32);
	assert_int_equal(pages, 9);
	says(2, 0, 0);
	assert_int_equal(ghcb_guest_request(gpa(0x1000), gpa(0x2000), gpa(0x3000), &pages),
			 1ull << 32);
	assert_int_equal(pages, 9);
}

static void a_request_without_an_answer_is_a_busy_host(void **state)
{
	uint64_t pages = 4;

	(void)state;
	says(0, INFO_1, 0);
	assert_int_equal(ghcb_guest_request(gpa(0x1000), gpa(0x2000), gpa(0), &pages), 2ull << 32);
	says(0, INFO_2, 0);
	assert_int_equal(ghcb_guest_request(gpa(0x1000), gpa(0x2000), gpa(0), &pages), 2ull << 32);
	says(1, INFO_1, 2);
	assert_int_equal(ghcb_guest_request(gpa(0x1000), gpa(0x2000), gpa(0), &pages), 2ull << 32);
	silent = true;
	assert_int_equal(ghcb_guest_request(gpa(0x1000), gpa(0x2000), gpa(0), &pages), 2ull << 32);
}

static void a_closed_page_asks_for_nothing(void **state)
{
	(void)state;
	says(0, INFO_1, 0);
	(void)ghcb_io_write8(0x402, 'x');
	mark(CODE);
	arch_host_close(cpu);
	assert_int_equal(word(BITMAP), 0);
	assert_int_equal(word(BITMAP + 8), 0);
	cpu->ghcb = NULL;
	arch_host_close(cpu); /* before there is one */
}

static void an_exit_before_there_is_a_page_is_our_own_bug(void **state)
{
	(void)state;
	cpu->ghcb = NULL;
	expect_assert_failure(ghcb_io_write8(0x402, 'x'));
	assert_int_equal(exits, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_byte_is_read_from_a_port, start, end),
		cmocka_unit_test_setup_teardown(a_byte_is_written_to_a_port, start, end),
		cmocka_unit_test_setup_teardown(a_string_goes_out_of_the_shared_buffer, start, end),
		cmocka_unit_test_setup_teardown(a_string_comes_in_by_the_shared_buffer, start, end),
		cmocka_unit_test_setup_teardown(an_msr_is_read_in_halves, start, end),
		cmocka_unit_test_setup_teardown(an_msr_is_written_in_halves, start, end),
		cmocka_unit_test_setup_teardown(a_vcpu_is_created_for_its_level, start, end),
		cmocka_unit_test_setup_teardown(a_pin_interrupts_whom_it_shall, start, end),
		cmocka_unit_test_setup_teardown(the_doorbell_page_is_set, start, end),
		cmocka_unit_test_setup_teardown(another_level_runs, start, end),
		cmocka_unit_test_setup_teardown(a_plain_guest_request_names_two_pages, start, end),
		cmocka_unit_test_setup_teardown(an_extended_request_learns_how_many_pages, start,
						end),
		cmocka_unit_test_setup_teardown(a_request_without_an_answer_is_a_busy_host, start,
						end),
		cmocka_unit_test_setup_teardown(a_closed_page_asks_for_nothing, start, end),
		cmocka_unit_test_setup_teardown(an_exit_before_there_is_a_page_is_our_own_bug,
						start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
