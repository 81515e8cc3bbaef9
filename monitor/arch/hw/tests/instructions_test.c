/* SPDX-License-Identifier: MIT */
/*
 * The functions of arch.h that are a few instructions, executed: those that the host's CPU does not
 * let us execute are played by a signal handler, with the operands and results of APM volume 3.
 * An exception goes on where the table of base/extable.h says, or ends the test.
 */
#define _GNU_SOURCE /* names of registers in ucontext */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

#include "monitor/arch/arch.h"
#include "monitor/base/direct.h"
#include "monitor/base/extable.h"
#include "monitor/cpu/cpuid.h"
#include "monitor/log/log.h"

#define UD 6u
#define GP 13u
#define PF 14u
#define VC 29u
#define CF 1u
#define PAGES 8u
#define HOLE 0x3000u /* a page that faults; all others are memory */

static const uint8_t pvalidate[] = { 0xf2, 0x0f, 0x01, 0xff };
static const uint8_t rmpadjust[] = { 0xf3, 0x0f, 0x01, 0xfe };
static const uint8_t rmpquery[] = { 0xf3, 0x0f, 0x01, 0xfd };
static const uint8_t invlpgb[] = { 0x0f, 0x01, 0xfe };
static const uint8_t tlbsync[] = { 0x0f, 0x01, 0xff };

static uint8_t *memory;

/* What the next instruction of ours does, and what it was given. */
static struct {
	uint32_t eax;
	bool carry;
	unsigned int vector;		 /* 0: none */
	bool sync_too;			 /* the exception comes at TLBSYNC, not at INVLPGB */
	uint64_t answer_rcx, answer_rdx; /* of RMPQUERY */
	char order[8];
	unsigned int count;
	uint64_t rax, rcx, rdx;
} cpu;

static uint32_t flush_features, sev_features;
static unsigned int warnings;

void *direct_ptr(gpa_t at)
{
	return memory + at.raw;
}

struct cpuid_result cpuid_query(uint32_t leaf, uint32_t subleaf)
{
	assert_int_equal(subleaf, 0);
	if (leaf == 0x8000001f)
		return (struct cpuid_result){ .eax = sev_features };
	assert_int_equal(leaf, 0x80000008);
	return (struct cpuid_result){ .ebx = flush_features };
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)fmt;
	assert_int_equal(level, LOG_WARNING);
	warnings++;
}

static void go_on(greg_t *registers, unsigned int vector)
{
	for (const struct extable_entry *e = extable_begin; e < extable_end; e++) {
		if (e->instruction == (uint64_t)registers[REG_RIP] && e->vectors >> vector & 1) {
			registers[REG_RIP] = (greg_t)e->fixup;
			return;
		}
	}
	_exit(99);
}

static void play(greg_t *registers, size_t length, char name, unsigned int vector)
{
	cpu.order[cpu.count++ % sizeof(cpu.order)] = name;
	cpu.rax = (uint64_t)registers[REG_RAX];
	cpu.rcx = (uint64_t)registers[REG_RCX];
	cpu.rdx = (uint64_t)registers[REG_RDX];
	if (vector) {
		go_on(registers, vector);
		return;
	}
	registers[REG_RIP] += (greg_t)length;
	if (name == 'i' || name == 's')
		return;
	registers[REG_RAX] = cpu.eax;
	registers[REG_EFL] = (registers[REG_EFL] & ~(greg_t)CF) | cpu.carry;
	if (name == 'q') {
		registers[REG_RCX] = (greg_t)cpu.answer_rcx;
		registers[REG_RDX] = (greg_t)cpu.answer_rdx;
	}
}

static void exception(int signal, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
	const void *code = (const void *)registers[REG_RIP];

	(void)signal;
	(void)info;
	if (memcmp(code, pvalidate, sizeof(pvalidate)) == 0)
		play(registers, sizeof(pvalidate), 'p', cpu.vector);
	else if (memcmp(code, rmpadjust, sizeof(rmpadjust)) == 0)
		play(registers, sizeof(rmpadjust), 'r', cpu.vector);
	else if (memcmp(code, rmpquery, sizeof(rmpquery)) == 0)
		play(registers, sizeof(rmpquery), 'q', cpu.vector);
	else if (memcmp(code, invlpgb, sizeof(invlpgb)) == 0)
		play(registers, sizeof(invlpgb), 'i', cpu.sync_too ? 0 : cpu.vector);
	else if (memcmp(code, tlbsync, sizeof(tlbsync)) == 0)
		play(registers, sizeof(tlbsync), 's', cpu.vector);
	else
		go_on(registers, PF);
}

static int get_memory(void **state)
{
	(void)state;
	memory = mmap(NULL, PAGES * 0x1000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	return memory == MAP_FAILED || mprotect(memory + HOLE, 0x1000, PROT_NONE);
}

/* First in each test, for cmocka has handlers of its own before. */
static void start(void)
{
	struct sigaction action = { .sa_sigaction = exception, .sa_flags = SA_SIGINFO };

	memset(&cpu, 0, sizeof(cpu));
	memset(memory, 0x77, HOLE);
	memset(memory + HOLE + 0x1000, 0x77, (PAGES - 4) * 0x1000);
	assert_return_code(sigaction(SIGILL, &action, NULL), 0);
	assert_return_code(sigaction(SIGSEGV, &action, NULL), 0);
}

static bool all_are(const uint8_t *bytes, uint8_t value, size_t size)
{
	while (size && bytes[size - 1] == value)
		size--;
	return !size;
}

/* RAX the address, RCX the size, EDX the state; EAX the result, CF = 1: it was so already. */
static void pvalidate_says_whether_it_changed_the_page(void **state)
{
	bool changed = false;

	(void)state;
	start();
	assert_int_equal(arch_pvalidate(gpa(0x5000), ARCH_PAGE_4K, true, &changed), 0);
	assert_true(changed);
	assert_int_equal(cpu.rax, (uint64_t)(uintptr_t)memory + 0x5000);
	assert_int_equal(cpu.rcx, 0);
	assert_int_equal(cpu.rdx, 1);
	cpu.carry = true;
	assert_int_equal(arch_pvalidate(gpa(0x5000), ARCH_PAGE_2M, false, &changed), 0);
	assert_false(changed);
	assert_int_equal(cpu.rcx, 1);
	assert_int_equal(cpu.rdx, 0);
}

static void pvalidate_that_fails_changed_nothing(void **state)
{
	bool changed = true;

	(void)state;
	start();
	cpu.eax = 6; /* FAIL_SIZEMISMATCH */
	assert_int_equal(arch_pvalidate(gpa(0x5000), ARCH_PAGE_2M, true, &changed), 6);
	assert_false(changed);
	changed = true;
	cpu.carry = true;
	assert_int_equal(arch_pvalidate(gpa(0x5000), ARCH_PAGE_2M, true, &changed), 6);
	assert_false(changed);
	changed = true;
	cpu.vector = VC;
	cpu.eax = 0;
	assert_int_equal(arch_pvalidate(gpa(0x5000), ARCH_PAGE_4K, true, &changed), 0x100);
	assert_false(changed);
}

/* RAX the address, RCX the size, RDX: VMPL 7:0, rights 15:8, VMSA 16. */
static void rmpadjust_names_level_and_rights(void **state)
{
	(void)state;
	start();
	assert_int_equal(arch_rmpadjust(gpa(0x6000), ARCH_PAGE_4K, 2, 0xf00), 0);
	assert_int_equal(cpu.rax, (uint64_t)(uintptr_t)memory + 0x6000);
	assert_int_equal(cpu.rcx, 0);
	assert_int_equal(cpu.rdx, 0xf02);
	cpu.eax = 3; /* FAIL_INUSE */
	assert_int_equal(arch_rmpadjust(gpa(0x6000), ARCH_PAGE_2M, 1, 0x10000), 3);
	assert_int_equal(cpu.rcx, 1);
	assert_int_equal(cpu.rdx, 0x10001);
	cpu.vector = VC;
	assert_int_equal(arch_rmpadjust(gpa(0x6000), ARCH_PAGE_4K, 1, 0), 0x100);
	cpu.vector = PF;
	assert_int_equal(arch_rmpadjust(gpa(0x6000), ARCH_PAGE_4K, 1, 0), 0x100);
}

/* RAX the address, RDX VMPL 7:0; RCX the size of the entry, RDX rights 15:8, VMSA 16. */
static void rmpquery_says_rights_and_size(void **state)
{
	enum arch_page_size size;
	uint64_t rights;

	(void)state;
	start();
	sev_features = 1u << 6;
	cpu.answer_rdx = 0x10303;
	assert_int_equal(arch_rmpquery(gpa(0x6000), 3, &size, &rights), 0);
	assert_int_equal(cpu.rax, (uint64_t)(uintptr_t)memory + 0x6000);
	assert_int_equal(cpu.rdx, 3);
	assert_int_equal(size, ARCH_PAGE_4K);
	assert_int_equal(rights, 0x10300);
	cpu.answer_rcx = 1;
	cpu.answer_rdx = 0xf02;
	assert_int_equal(arch_rmpquery(gpa(0x6000), 2, &size, &rights), 0);
	assert_int_equal(size, ARCH_PAGE_2M);
	assert_int_equal(rights, 0xf00);
}

/* What is not known is no right: an error, an exception, a processor without the instruction. */
static void rmpquery_without_an_answer(void **state)
{
	static const unsigned int vectors[] = { VC, PF };
	enum arch_page_size size;
	uint64_t rights;

	(void)state;
	start();
	sev_features = 1u << 6;
	cpu.answer_rdx = 0xf03;
	cpu.eax = 1;
	assert_int_equal(arch_rmpquery(gpa(0x6000), 3, &size, &rights), 1);
	assert_int_equal(rights, 0);
	cpu.eax = 0;
	for (size_t i = 0; i < 2; i++) {
		cpu.vector = vectors[i];
		assert_int_equal(arch_rmpquery(gpa(0x6000), 3, &size, &rights), 0x100);
		assert_int_equal(rights, 0);
	}
	cpu.vector = cpu.count = 0;
	sev_features = ~(1u << 6);
	warnings = 0;
	assert_int_equal(arch_rmpquery(gpa(0x6000), 3, &size, &rights), 0x100);
	assert_int_equal(arch_rmpquery(gpa(0x6000), 3, &size, &rights), 0x100);
	assert_int_equal(rights, 0);
	assert_int_equal(cpu.count, 0);
	assert_int_equal(warnings, 1);
	warnings = 0;
}

/* RAX: 2 the guest's ASID, 3 global entries, 5 nested ones; ECX and EDX more pages and an ASID. */
static void a_flush_is_invlpgb_then_tlbsync(void **state)
{
	(void)state;
	start();
	flush_features = 1u << 3;
	assert_true(arch_flush_guest_tlb());
	assert_string_equal(cpu.order, "is");
	flush_features |= 1u << 21;
	memset(&cpu, 0, sizeof(cpu));
	cpu.vector = GP; /* TLBSYNC overwrites what INVLPGB was given */
	cpu.sync_too = false;
	assert_false(arch_flush_guest_tlb());
	assert_string_equal(cpu.order, "i");
	assert_int_equal(cpu.rax, 0x2c);
	assert_int_equal(cpu.rcx, 0);
	assert_int_equal(cpu.rdx, 0);
	flush_features = 1u << 3;
	assert_false(arch_flush_guest_tlb());
	assert_int_equal(cpu.rax, 0x0c);
	assert_int_equal(warnings, 1); /* one line, however often it is */
}

static void a_flush_that_is_withheld_is_none(void **state)
{
	(void)state;
	start();
	flush_features = 1u << 3 | 1u << 21;
	cpu.sync_too = true;
	cpu.vector = UD;
	assert_false(arch_flush_guest_tlb());
	assert_string_equal(cpu.order, "is");
	cpu.vector = VC;
	assert_false(arch_flush_guest_tlb());
	cpu.sync_too = false;
	assert_false(arch_flush_guest_tlb());
	flush_features = 1u << 21;
	cpu.vector = cpu.count = 0;
	assert_false(arch_flush_guest_tlb());
	assert_int_equal(cpu.count, 0);
	assert_int_equal(warnings, 1);
}

static void guest_memory_is_copied_to_the_byte(void **state)
{
	uint8_t buffer[0x1800];

	(void)state;
	start();
	memory[0x1001] = 1;
	memory[0x27ff] = 2;
	memset(buffer, 0x33, sizeof(buffer));
	assert_true(arch_guest_read(buffer + 1, gpa(0x1001), 0x17ff));
	assert_int_equal(buffer[0], 0x33);
	assert_int_equal(buffer[1], 1);
	assert_int_equal(buffer[0x17ff], 2);
	assert_true(all_are(buffer + 2, 0x77, 0x17fd));

	memset(buffer, 0x44, sizeof(buffer));
	assert_true(arch_guest_write(gpa(0x4ffd), buffer, 7));
	assert_int_equal(memory[0x4ffc], 0x77);
	assert_true(all_are(memory + 0x4ffd, 0x44, 7));
	assert_int_equal(memory[0x5004], 0x77);
	assert_true(arch_guest_read(buffer, gpa(HOLE), 0));
}

static void a_copy_that_faults_says_so(void **state)
{
	uint8_t buffer[16] = { 0 };

	(void)state;
	start();
	assert_false(arch_guest_read(buffer, gpa(HOLE - 1), 2));
	assert_false(arch_guest_read(buffer, gpa(HOLE), 1));
	assert_false(arch_guest_write(gpa(HOLE - 8), buffer, 9));
	assert_false(arch_guest_write(gpa(HOLE + 0xfff), buffer, 1));
}

static void pages_are_zeroed_whole(void **state)
{
	(void)state;
	start();
	assert_true(arch_guest_zero(gpa(0x1000), 0x2000));
	assert_true(all_are(memory, 0x77, 0x1000));
	assert_true(all_are(memory + 0x1000, 0, 0x2000));
	assert_true(arch_guest_zero(gpa(0x5000), 0x1000));
	assert_true(all_are(memory + 0x4000, 0x77, 0x1000));
	assert_true(all_are(memory + 0x5000, 0, 0x1000));
	assert_true(all_are(memory + 0x6000, 0x77, 0x2000));
	assert_true(arch_guest_zero(gpa(HOLE), 0));
	assert_false(arch_guest_zero(gpa(0x2000), 0x2000));
	assert_false(arch_guest_zero(gpa(HOLE), 0x1000));
}

/* Each of the eight stores of a turn may be the one that faults: the page goes between any two. */
static void a_fault_in_the_middle_of_a_turn_is_found(void **state)
{
	(void)state;
	start();
	for (unsigned int quad = 1; quad < 8; quad++)
		assert_false(arch_guest_zero(gpa(HOLE - 8 * quad), 64));
}

static void a_byte_is_exchanged(void **state)
{
	bool ok = false;

	(void)state;
	start();
	memory[0x2fff] = 0x5a;
	assert_int_equal(arch_guest_exchange8(gpa(0x2fff), 0, &ok), 0x5a);
	assert_true(ok);
	assert_int_equal(memory[0x2fff], 0);
	assert_int_equal(memory[0x2ffe], 0x77);
	assert_int_equal(arch_guest_exchange8(gpa(0x2ffe), 0x12, &ok), 0x77);
	assert_int_equal(memory[0x2ffe], 0x12);
	assert_int_equal(arch_guest_exchange8(gpa(HOLE), 0x12, &ok), 0);
	assert_false(ok);
}

/* EFER is at D0h of a VMSA (APM volume 2, table B-4), SVME is its bit 12. */
static void a_vmsa_is_made_runnable_by_its_efer(void **state)
{
	uint64_t efer = 0xd00;
	bool was = true;

	(void)state;
	start();
	memcpy(memory + 0x50d0, &efer, sizeof(efer));
	assert_true(arch_vmsa_set_runnable(gpa(0x5000), true, &was));
	assert_false(was);
	memcpy(&efer, memory + 0x50d0, sizeof(efer));
	assert_int_equal(efer, 0x1d00);
	assert_true(arch_vmsa_set_runnable(gpa(0x5000), true, &was));
	assert_true(was);
	assert_true(arch_vmsa_set_runnable(gpa(0x5000), false, &was));
	assert_true(was);
	memcpy(&efer, memory + 0x50d0, sizeof(efer));
	assert_int_equal(efer, 0xd00);
	assert_true(arch_vmsa_set_runnable(gpa(0x5000), false, &was));
	assert_false(was);
	assert_true(all_are(memory + 0x5000, 0x77, 0xd0));
	assert_true(all_are(memory + 0x50d8, 0x77, 0xf28));
	assert_false(arch_vmsa_set_runnable(gpa(HOLE), false, &was));
	assert_false(arch_vmsa_set_runnable(gpa(HOLE), true, &was));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pvalidate_says_whether_it_changed_the_page),
		cmocka_unit_test(pvalidate_that_fails_changed_nothing),
		cmocka_unit_test(rmpadjust_names_level_and_rights),
		cmocka_unit_test(rmpquery_says_rights_and_size),
		cmocka_unit_test(rmpquery_without_an_answer),
		cmocka_unit_test(a_flush_is_invlpgb_then_tlbsync),
		cmocka_unit_test(a_flush_that_is_withheld_is_none),
		cmocka_unit_test(guest_memory_is_copied_to_the_byte),
		cmocka_unit_test(a_copy_that_faults_says_so),
		cmocka_unit_test(pages_are_zeroed_whole),
		cmocka_unit_test(a_fault_in_the_middle_of_a_turn_is_found),
		cmocka_unit_test(a_byte_is_exchanged),
		cmocka_unit_test(a_vmsa_is_made_runnable_by_its_efer),
	};

	return cmocka_run_group_tests(tests, get_memory, NULL);
}
