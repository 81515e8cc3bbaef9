/* SPDX-License-Identifier: MIT */
/*
 * The start of the other vCPUs. AP_CREATION gets APIC id, VMPL 0 and the VMSA (GHCB specification
 * 56421, 4.1.11).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/apic/guest.h"
#include "monitor/arch/arch.h"
#include "monitor/base/die.h"
#include "monitor/base/direct.h"
#include "monitor/boot/start.h"
#include "monitor/log/log.h"
#include "monitor/run/run.h"
#include "monitor/trap/trap.h"
#include "monitor/vcpu/vmsa.h"

#define KERNEL_CR3 0x8000000001000ull
#define FEATURES 0x9ull
#define VMSA 0x5000u

static struct {
	unsigned int started, lines, committed, shared;
	bool refuses, no_memory, no_vmsa, no_rmp;
	bool not_shared;
	bool no_pages, no_timer; /* of a started vCPU */
	bool guest_apic, not_told;
	char order[8]; /* what it did */
	jmp_buf out;
	enum die_reason reason;
} t;

static struct cpu *blocks[3];
static struct snp_vmsa vmsa;
static struct page_owner owner;

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
	t.lines++;
}

_Noreturn void die(enum die_reason reason, const char *why)
{
	(void)why;
	t.reason = reason;
	longjmp(t.out, 1);
}

bool cpu_create(unsigned int index, struct page_owner *from)
{
	assert_ptr_equal(from, &owner);
	blocks[index]->index = index;
	return !t.no_memory;
}

bool vmsa_alloc(struct page_owner *from, gpa_t *page)
{
	assert_ptr_equal(from, &owner);
	*page = gpa(VMSA);
	return !t.no_vmsa;
}

bool vmsa_commit(gpa_t page)
{
	assert_int_equal(page.raw, VMSA);
	t.committed++;
	return !t.no_rmp;
}

void *direct_ptr(gpa_t page)
{
	assert_int_equal(page.raw, VMSA);
	return &vmsa;
}

uint64_t arch_sev_features(void)
{
	return FEATURES;
}

uint64_t map_kernel_cr3(void)
{
	return KERNEL_CR3;
}

bool arch_start_vcpu(uint32_t apic_id, unsigned int vmpl, gpa_t page, uint64_t sev_features)
{
	t.started++;
	assert_int_equal(t.shared, t.started);	  /* what it needs is there */
	assert_int_equal(t.committed, t.started); /* before the host hears of it */
	assert_int_equal(vmpl, 0);
	assert_int_equal(page.raw, VMSA);
	assert_int_equal(sev_features, FEATURES);
	assert_int_equal(vmsa.sev_features, FEATURES);
	assert_int_equal(vmsa.cr3, KERNEL_CR3);
	assert_int_equal(vmsa.rsp, (uint64_t)(uintptr_t)blocks[apic_id] + 0xa000 - 8);
	return !t.refuses;
}

static void did(char what)
{
	t.order[strlen(t.order)] = what;
}

void cpu_load(struct cpu *cpu)
{
	assert_ptr_equal(cpu, blocks[1]);
	did('l');
}

void trap_load_idt(void)
{
	did('i');
}

bool arch_host_pages(struct cpu *cpu, struct page_owner *from)
{
	assert_ptr_equal(cpu, blocks[++t.shared]);
	assert_ptr_equal(from, &owner);
	return !t.not_shared;
}

bool arch_host_name_ghcb(struct cpu *cpu)
{
	assert_ptr_equal(cpu, blocks[1]);
	did('n');
	return !t.no_pages;
}

bool arch_host_name_doorbell(struct cpu *cpu)
{
	assert_ptr_equal(cpu, blocks[1]);
	did('h');
	return true;
}

bool arch_timer_init(void)
{
	did('t');
	return !t.no_timer;
}

bool guest_apic_wanted(void)
{
	return t.guest_apic;
}

bool arch_guest_interrupts_init(void)
{
	did('g');
	return !t.not_told;
}

_Noreturn void run_loop(void)
{
	longjmp(t.out, 2);
}

static int set_up(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		blocks[i] = fake_cpu_block();
	fake_cpu_reset(blocks[0]);
	memcpy(fake_cpu.others, blocks, sizeof(blocks));
	memset(&t, 0, sizeof(t));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		free(blocks[i]);
	return 0;
}

static bool starts(unsigned int count)
{
	if (setjmp(t.out))
		return false;
	t.shared = t.started = t.committed = 0;
	boot_start_others(count, &owner);
	return true;
}

static void a_refusal_is_the_end(void **state)
{
	(void)state;
	t.refuses = true;
	assert_false(starts(2));
	assert_int_equal(t.reason, DIE_HOST);
	t.no_rmp = true;
	assert_false(starts(2));
	assert_int_equal(t.reason, DIE_RMP);
	t.no_vmsa = true;
	assert_false(starts(2));
	assert_int_equal(t.reason, DIE_MEMORY);
	t.no_memory = true;
	t.no_vmsa = false;
	assert_false(starts(2));
	assert_int_equal(t.reason, DIE_MEMORY);
	t.no_memory = false;
	t.not_shared = true;
	assert_false(starts(2));
	assert_int_equal(t.reason, DIE_HOST);
}

/* None of these vCPUs ever runs, and there is no clock here that anybody could look at. */
static void a_slow_host_keeps_nobody(void **state)
{
	(void)state;
	assert_true(starts(3));
	assert_int_equal(t.started, 2);
	assert_int_equal(t.lines, 0);
}

/* Runs what the VMSA of the second vCPU begins with. True when it came to the run loop. */
static bool runs(void)
{
	void (*entry)(void) = (void (*)(void))(uintptr_t)vmsa.rip;
	int left = setjmp(t.out);

	if (left)
		return left == 2;
	t.lines = 0;
	memset(t.order, 0, sizeof(t.order));
	fake_cpu.cpu = blocks[1];
	entry();
	return false;
}

/* Its tables, then its exceptions, then the pages that an exit takes; then it serves. */
static void a_started_vcpu_comes_to_the_run_loop(void **state)
{
	(void)state;
	assert_true(starts(2));
	assert_true(runs());
	assert_string_equal(t.order, "linht");
	assert_int_equal(t.lines, 0);
}

static void without_a_timer_it_ends(void **state)
{
	(void)state;
	assert_true(starts(2));
	t.no_timer = true;
	assert_false(runs());
	assert_int_equal(t.reason, DIE_UNSUPPORTED);
}

static void without_its_pages_it_ends(void **state)
{
	(void)state;
	assert_true(starts(2));
	t.no_pages = true;
	assert_false(runs());
	assert_int_equal(t.reason, DIE_HOST);
	assert_string_equal(t.order, "lin");
}

/* Only where the image asks for it, and after the APIC is on. */
static void it_is_told_of_the_guests_interrupts(void **state)
{
	(void)state;
	assert_true(starts(2));
	t.guest_apic = true;
	assert_true(runs());
	assert_string_equal(t.order, "linhtg");
	t.not_told = true;
	assert_false(runs());
	assert_int_equal(t.reason, DIE_HOST);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_refusal_is_the_end),
		TEST(a_slow_host_keeps_nobody),
		TEST(a_started_vcpu_comes_to_the_run_loop),
		TEST(without_a_timer_it_ends),
		TEST(without_its_pages_it_ends),
		TEST(it_is_told_of_the_guests_interrupts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
