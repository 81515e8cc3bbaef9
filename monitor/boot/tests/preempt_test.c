/* SPDX-License-Identifier: MIT */
/*
 * The trial of the host before there is a guest, against a scripted one. Each run of VMPL2 is a
 * letter:
 *
 *	i  it left at an interrupt, and the timer is what came	I  the same, but the timer is not
 *	u  the timer came while it goes on on another CPU	n  the timer came before it was
 *	   entered
 *	v  it asked for VMPL0, and the timer is what came	V  the same, without the timer
 *	x  refused
 *
 * Exit codes and offsets: APM volume 2, appendices B and C; the program: APM volume 3.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi/snp.h"
#include "monitor/arch/arch.h"
#include "monitor/base/die.h"
#include "monitor/base/direct.h"
#include "monitor/boot/preempt.h"
#include "monitor/cpu/cpu.h"
#include "monitor/vcpu/vmsa.h"

#define CAA 0x6000ull
#define VMSA 0x7000ull
#define NEVER_LEFT UINT64_MAX
#define FAIL_INUSE 3u
#define CLEAN 0u

static _Alignas(4096) uint8_t memory[2][4096]; /* at CAA and VMSA */
static struct cpu *cpu;
static const char *script; /* its last letter stays */
static bool in_use, is_vmsa, freed, timer_on, has_timer, takes_vmsa, host_refuses;
static unsigned int runs, level, without_rights; /* the guest's, and one that is not */
static enum die_reason reason;

void *direct_ptr(gpa_t at)
{
	assert_true(at.raw == CAA || at.raw == VMSA);
	return memory[at.raw == VMSA];
}

_Noreturn void die(enum die_reason why, const char *text)
{
	reason = why;
	mock_assert(0, text, __FILE__, __LINE__);
	abort();
}

bool vmsa_alloc(struct page_owner *owner, gpa_t *page)
{
	assert_null(owner);
	*page = gpa(VMSA);
	return takes_vmsa;
}

void page_free(struct page_owner *owner, gpa_t page)
{
	assert_null(owner);
	assert_int_equal(page.raw, VMSA);
	assert_false(is_vmsa);
	freed = true;
}

bool vmsa_commit(gpa_t page)
{
	assert_int_equal(page.raw, VMSA);
	is_vmsa = true;
	return !in_use;
}

uint32_t arch_rmpadjust(gpa_t page, enum arch_page_size size, unsigned int vmpl, uint64_t perms)
{
	assert_int_equal(page.raw, VMSA);
	assert_int_equal(size, ARCH_PAGE_4K);
	assert_int_equal(vmpl, without_rights);
	assert_int_equal(perms, 0); /* no VMSA any more, and no right */
	if (in_use)
		return FAIL_INUSE;
	is_vmsa = false;
	return 0;
}

uint64_t arch_guest_sev_features(void)
{
	return 0x21;
}

static uint64_t field(size_t offset, size_t size)
{
	uint64_t value = 0;

	memcpy(&value, &memory[1][offset], size);
	return value;
}

bool arch_start_vcpu(uint32_t apic_id, unsigned int vmpl, gpa_t vmsa, uint64_t sev_features)
{
	assert_int_equal(apic_id, 0);
	assert_int_equal(vmpl, level);
	assert_int_equal(vmsa.raw, VMSA);
	assert_int_equal(sev_features, 0x21);
	assert_true(is_vmsa);
	assert_int_equal(field(0x0ca, 1), level);   /* VMPL */
	assert_int_equal(field(0x0d0, 8), 0x1000);  /* EFER: SVME, no long mode */
	assert_int_equal(field(0x158, 8) >> 31, 0); /* CR0: no paging */
	assert_int_equal(field(0x158, 8) & 1, 1);   /* but protected mode */
	assert_int_equal(field(0x170, 8), 2);	    /* RFLAGS: no interrupts */
	assert_int_equal(field(0x178, 8), CAA);	    /* RIP */
	assert_int_equal(field(0x3b0, 8), 0x21);    /* SEV_FEATURES */
	assert_int_equal(field(0x012, 2), 0xc9b);   /* CS: 32 bits, code */
	/* mov $n, %ecx; dec %ecx; jnz; and from then on to VMGEXIT */
	assert_int_equal(memory[0][0], 0xb9);
	assert_memory_equal(&memory[0][5],
			    "\x49\x75\xfd\xb9\x30\x01\x01\xc0\xb8\x16\0\0\0\x31\xd2"
			    "\x0f\x30\xf3\x0f\x01\xd9",
			    21);
	return !host_refuses;
}

uint64_t arch_now_ns(void)
{
	return 5000;
}

void arch_timer_arm(struct cpu *which, uint64_t deadline_ns, uint64_t period_ns)
{
	assert_ptr_equal(which, cpu);
	assert_int_equal(deadline_ns, 205000);
	assert_int_equal(period_ns, 200000);
	timer_on = has_timer;
	cpu->timer_deadline = has_timer ? deadline_ns : 0;
}

void arch_timer_stop(struct cpu *which)
{
	assert_ptr_equal(which, cpu);
	timer_on = false;
	cpu->tick = false;
}

/* It runs, or does not, and has stored its exit code when it has left. */
enum arch_run arch_run_vmpl(unsigned int vmpl)
{
	uint64_t code = NEVER_LEFT;

	assert_int_equal(vmpl, level);
	assert_true(is_vmsa);
	assert_int_equal(field(0x3c0, 8), NEVER_LEFT);
	runs++;
	if (strchr("iI", *script))
		code = 0x60;
	else if (strchr("vV", *script))
		code = 0x403;
	in_use = *script == 'u';
	memcpy(&memory[1][0x3c0], &code, sizeof(code));
	return *script == 'x' ? ARCH_RUN_REFUSED : ARCH_RUN_RETURNED;
}

bool arch_poll_events(struct cpu *which)
{
	assert_ptr_equal(which, cpu);
	cpu->tick |= strchr("iunv", *script) != NULL;
	if (script[1])
		script++;
	return cpu->tick;
}

static int start(void **state)
{
	(void)state;
	level = 2;
	without_rights = 1;
	assert_true(levels_init(2, 0));
	cpu = fake_cpu_block();
	fake_cpu_reset(cpu);
	memset(memory, 0, sizeof(memory));
	in_use = is_vmsa = freed = timer_on = host_refuses = false;
	has_timer = takes_vmsa = true;
	runs = 0;
	reason = CLEAN;
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(cpu);
	return 0;
}

static void try(const char *letters)
{
	script = letters;
	preempt_try(gpa(CAA), NULL);
}

static void assert_over(unsigned int wanted)
{
	static const uint8_t zero[4096];

	assert_int_equal(runs, wanted);
	assert_false(is_vmsa);
	assert_true(freed);
	assert_false(timer_on);
	assert_memory_equal(memory[0], zero, sizeof(zero));
}

static void assert_dies(const char *letters, enum die_reason why)
{
	expect_assert_failure(try(letters));
	assert_int_equal(reason, why);
}

static void the_timer_brings_vmpl0_back(void **state)
{
	(void)state;
	try("i");
	assert_over(1);
}

/* Another event of the host's says nothing about the timer; nor does one that came too early. */
static void it_has_to_be_the_timer_and_in_time(void **state)
{
	(void)state;
	try("IIni");
	assert_over(4);
}

static void vmpl2_comes_back_by_itself(void **state)
{
	(void)state;
	assert_dies("V", DIE_UNSUPPORTED);
	assert_int_equal(runs, 1);
}

/* Its interrupt waited until VMPL2 asked. */
static void the_timer_comes_with_the_request(void **state)
{
	(void)state;
	assert_dies("v", DIE_UNSUPPORTED);
	assert_dies("nIv", DIE_UNSUPPORTED);
}

/* The page is a VMSA until it has stopped, however that comes about. */
static void vmpl2_goes_on_elsewhere(void **state)
{
	(void)state;
	try("uuuI");
	assert_over(4);
	end(state);
	start(state);
	try("uV");
	assert_over(2);
}

/* Each level that the image can say: it is that level's promise, and no right of it stays. */
static void whichever_level_is_the_guests(void **state)
{
	static const unsigned int of_none[] = { 0, 2, 1, 1 };

	for (unsigned int guest = 1; guest <= 3; guest++) {
		assert_true(levels_init(guest, 0));
		level = guest;
		without_rights = of_none[guest];
		try("IIni");
		assert_over(4);
		end(state);
		start(state);
	}
}

static void a_host_that_refuses(void **state)
{
	(void)state;
	try("xxxi");
	assert_over(4);
	end(state);
	start(state);
	assert_dies("x", DIE_HOST);
	assert_int_equal(runs, 100);
	host_refuses = true;
	assert_dies("i", DIE_HOST);
}

static void what_is_missing(void **state)
{
	(void)state;
	has_timer = false;
	assert_dies("i", DIE_UNSUPPORTED);
	assert_int_equal(runs, 0);
	takes_vmsa = false;
	assert_dies("i", DIE_MEMORY);
	takes_vmsa = true;
	in_use = true; /* RMPADJUST fails */
	assert_dies("i", DIE_RMP);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_timer_brings_vmpl0_back), TEST(it_has_to_be_the_timer_and_in_time),
		TEST(vmpl2_comes_back_by_itself),  TEST(the_timer_comes_with_the_request),
		TEST(vmpl2_goes_on_elsewhere),	   TEST(whichever_level_is_the_guests),
		TEST(a_host_that_refuses),	   TEST(what_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
