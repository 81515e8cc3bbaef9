/* SPDX-License-Identifier: MIT */
/*
 * The GHCB page is shared, so VMPL2 can write it as well as the host can (docs/shared-pages.md).
 * Here somebody does, between any two instructions: the process is single-stepped (TF, APM volume
 * 2, 13.1.4), and at the N-th step the page becomes another one, for every N.
 *
 * From VMGEXIT on that is another answer: what was read is of the one or of the other, never a
 * third thing. Before VMGEXIT it is another request: the host sees that, or ours, or some of each;
 * we see no difference, for nothing that was written is read back. The same for the start of a
 * vCPU, whose pages are somebody else's from the moment at which they are shared.
 *
 * The build has no sanitizers here: what is stepped are the monitor's instructions, not theirs.
 */
#include "monitor/mem/tests/fake_memory.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "monitor/arch/arch.h"
#include "monitor/base/direct.h"
#include "monitor/cpu/wait.h"
#include "monitor/ghcb/ghcb.h"
#include "monitor/mem/map.h"

#define GHCB_MSR 0xc0010130u
#define RAX 0x1f8u
#define RDX 0x310u
#define RBX 0x318u
#define CODE 0x390u
#define INFO_1 0x398u
#define INFO_2 0x3a0u
#define BITMAP 0x3f0u
#define VERSION 0xffau
#define PAGE_SIZE 0x1000u
#define POOL_PAGES 4u
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

static struct page_owner owner;
static struct cpu *cpu;
static uint8_t *page;
static const struct answer *other;
static volatile unsigned int steps, at;
static volatile bool stepping;
static void (*rewrite)(void); /* at the N-th step */
static void (*leave)(void);   /* what the host sees and does */

static void put(unsigned int offset, uint64_t value)
{
	for (unsigned int i = 0; i < sizeof(value); i++)
		page[offset + i] = (uint8_t)(value >> 8 * i);
}

static void answer(const struct answer *a)
{
	put(INFO_1, a->info_1);
	put(INFO_2, a->info_2);
	put(RAX, a->rax);
	put(RBX, a->rbx);
	put(RDX, a->rdx);
	for (unsigned int i = 0; i < 16; i++)
		page[BITMAP + i] = a->valid;
}

static void answer_anew(void)
{
	answer(other);
}

static void set_trap_flag(bool on)
{
	stepping = on;
	if (on)
		__asm__ volatile("pushfq\n\torq %0, (%%rsp)\n\tpopfq" : : "i"(TRAP_FLAG) : "cc");
	else
		__asm__ volatile("pushfq\n\tandq %0, (%%rsp)\n\tpopfq" : : "i"(~TRAP_FLAG) : "cc");
}

/* Behind the N-th step nothing more happens; without one all are counted. */
static void step(int signal, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)signal;
	(void)info;
	if (++steps != at)
		return;
	rewrite();
	stepping = false;
	registers[REG_EFL] &= ~(greg_t)TRAP_FLAG;
}

/* What is not the monitor's work is not counted. */
static bool pause_steps(void)
{
	bool was = stepping;

	set_trap_flag(false);
	return was;
}

void *__real_memset(void *to, int byte, size_t size);
void *__wrap_memset(void *to, int byte, size_t size);

/* A page takes hundreds of steps, and one between any two of its bytes shows nothing new. */
void *__wrap_memset(void *to, int byte, size_t size)
{
	bool was = pause_steps();

	__real_memset(to, byte, size);
	set_trap_flag(was);
	return to;
}

bool __real_page_alloc_span(struct page_owner *who, size_t count, size_t alignment, gpa_t *span);
bool __wrap_page_alloc_span(struct page_owner *who, size_t count, size_t alignment, gpa_t *span);

bool __wrap_page_alloc_span(struct page_owner *who, size_t count, size_t alignment, gpa_t *span)
{
	bool was = pause_steps(), found = __real_page_alloc_span(who, count, alignment, span);

	set_trap_flag(was);
	return found;
}

static void begin(void (*rewriting)(void), unsigned int step_of_it)
{
	rewrite = rewriting;
	at = step_of_it;
	steps = 0;
	set_trap_flag(true);
}

/* An answer is rewritten: the steps are those that read it. */
static void answer_and_watch(void)
{
	answer(&first);
	begin(answer_anew, at);
}

static void host(void)
{
	leave();
}

bool wait_vmgexit(struct cpu *which)
{
	(void)which;
	host();
	return true;
}

static int start_pages(void **state)
{
	(void)state;
	return !page_alloc_init(gpa(FAKE_BASE), POOL_PAGES) ||
	       !page_owner_init(&owner, "shared", POOL_PAGES, false);
}

static int start(void **state)
{
	struct sigaction action = { .sa_sigaction = step, .sa_flags = SA_SIGINFO };

	(void)state;
	cpu = fake_cpu_block();
	page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
	memset(page, 0, PAGE_SIZE);
	fake_cpu_reset(cpu);
	fake_cpu.vmgexit = host;
	leave = answer_and_watch;
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

static struct outcome write_port(void)
{
	return (struct outcome){ .done = ghcb_io_write8(0x402, 'x') };
}

static struct outcome write_string(void)
{
	return (struct outcome){ .done = ghcb_io_write_string(0x402, "a line of the log", 17) };
}

/* What it reads is anybody's, but the caller's bytes behind it are not. */
static struct outcome read_string(void)
{
	uint8_t text[18] = { [17] = 0x5a };
	struct outcome o = { .done = ghcb_io_read_string(0x3e8, text, 17) };

	assert_int_equal(text[17], 0x5a);
	return o;
}

static struct outcome create_vcpu(void)
{
	return (struct outcome){ .done = arch_start_vcpu(1, 2, gpa(0x9000), 0x9) };
}

static struct outcome name_doorbell(void)
{
	return (struct outcome){ .done = ghcb_set_doorbell(gpa(0xa000)) };
}

static struct outcome run_guest(void)
{
	return (struct outcome){ .done = arch_run_vmpl(2) == ARCH_RUN_RETURNED };
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
		unsigned int n = 0;

		other = &others[i];
		do {
			struct outcome o;

			at = ++n;
			o = ask();
			set_trap_flag(false);
			assert_in_range(steps, 1, STEPS_MAX);
			assert_true(is_sound(&o));
		} while (steps == n);
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
	check(write_port, is_told);
	check(write_string, is_told);
	check(read_string, is_told);
	check(create_vcpu, is_told);
	check(name_doorbell, is_told);
	check(run_guest, is_told);
}

static void a_request_has_one_of_their_errors(void **state)
{
	(void)state;
	check(request, request_is_sound);
}

/* ---- Before VMGEXIT ---- */

/*
 * Other requests, as whole pages: none, one with every bit set, and AP_CREATION of VMPL 0 (56421,
 * 4.1.11).
 */
static uint8_t requests[3][PAGE_SIZE];
static const uint8_t *forged;
static uint8_t at_exit[PAGE_SIZE];
static unsigned int exits;
static uint64_t msr_at_exit;

static void write_requests(void)
{
	static const uint64_t create[] = { 0x80000013, 0x100000001, 0xb000 };

	memset(requests[1], 0xff, PAGE_SIZE);
	memset(requests[2] + BITMAP, 0xff, 16);
	memcpy(requests[2] + CODE, create, sizeof(create));
	requests[2][VERSION] = 2;
}

/* Byte by byte, for this runs within a step. */
static void forge_page(uint8_t *which)
{
	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		which[i] = forged[i];
}

static void forge_request(void)
{
	forge_page(page);
}

static void look_and_answer(void)
{
	(void)pause_steps();
	exits++;
	msr_at_exit = cpu_read_msr(GHCB_MSR);
	memcpy(at_exit, page, PAGE_SIZE);
	answer(&first);
}

static struct outcome ask_rewritten(struct outcome (*ask)(void), unsigned int n)
{
	struct outcome o;

	memset(page, 0x33, PAGE_SIZE);
	exits = 0;
	fake_cpu.msr_count = 0;
	begin(forge_request, n);
	o = ask();
	set_trap_flag(false);
	assert_int_equal(exits, 1);
	assert_int_equal(msr_at_exit, 0x5000);
	return o;
}

/* Of one request or of the other, byte by byte; the bitmap's bits are of both. */
static void assert_of_both(const uint8_t *ours)
{
	for (unsigned int i = 0; i < PAGE_SIZE; i++) {
		if (i >= BITMAP && i < BITMAP + 16)
			assert_int_equal(at_exit[i] & ~(ours[i] | forged[i]), 0);
		else
			assert_true(at_exit[i] == ours[i] || at_exit[i] == forged[i]);
	}
}

static void check_request(struct outcome (*ask)(void))
{
	struct outcome undisturbed = ask_rewritten(ask, 0);
	unsigned int last = steps;
	uint8_t ours[PAGE_SIZE];

	assert_in_range(last, 1, STEPS_MAX);
	memcpy(ours, at_exit, PAGE_SIZE);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		forged = requests[i];
		for (unsigned int n = 1; n <= last; n++) {
			struct outcome o = ask_rewritten(ask, n);

			assert_int_equal(o.done, undisturbed.done);
			assert_int_equal(o.value, undisturbed.value);
			assert_int_equal(o.pages, undisturbed.pages);
			assert_of_both(ours);
		}
	}
}

static void a_request_is_not_read_back(void **state)
{
	struct outcome (*const asks[])(void) = { read_msr,	read_port,    write_msr,
						 write_port,	write_string, create_vcpu,
						 name_doorbell, run_guest,    request };

	(void)state;
	leave = look_and_answer;
	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++)
		check_request(asks[i]);
}

/* ---- The start of a vCPU ---- */

/* What its pages went through, and which of them somebody else can write. */
static bool invalid[POOL_PAGES], shared[POOL_PAGES];
static uint64_t registered;
static uint8_t doorbell_at_exit[PAGE_SIZE];

static unsigned int index_of(gpa_t which)
{
	return (unsigned int)((which.raw - FAKE_BASE) / PAGE_SIZE);
}

uint32_t arch_pvalidate(gpa_t which, enum arch_page_size size, bool validate, bool *changed)
{
	bool was = pause_steps();

	assert_int_equal(size, ARCH_PAGE_4K);
	assert_false(validate || invalid[index_of(which)]);
	invalid[index_of(which)] = true;
	*changed = true;
	set_trap_flag(was);
	return SNP_RESULT_OK;
}

bool ghcb_page_state(gpa_t which, bool private_page)
{
	bool was = pause_steps();

	assert_false(private_page);
	assert_true(invalid[index_of(which)]);
	shared[index_of(which)] = true;
	memset(direct_ptr(which), 0xa5, PAGE_SIZE); /* what the host had there */
	set_trap_flag(was);
	return true;
}

bool map_direct_shared(gpa_t which, bool now)
{
	bool was = pause_steps();

	assert_true(now && shared[index_of(which)]);
	set_trap_flag(was);
	return true;
}

bool ghcb_register(gpa_t which)
{
	bool was = pause_steps();

	assert_true(shared[index_of(which)]);
	registered = which.raw;
	set_trap_flag(was);
	return true;
}

static void forge_shared_pages(void)
{
	for (unsigned int i = 0; i < POOL_PAGES; i++) {
		if (shared[i])
			forge_page(direct_ptr(gpa(FAKE_BASE + i * PAGE_SIZE)));
	}
}

/* The GHCB is found where the MSR says, which no page can change. */
static void look_at_doorbell(void)
{
	bool was = pause_steps();

	exits++;
	page = direct_ptr(gpa(cpu_read_msr(GHCB_MSR)));
	memcpy(at_exit, page, PAGE_SIZE);
	memcpy(doorbell_at_exit, direct_ptr(cpu->doorbell_page), PAGE_SIZE);
	answer(other);
	set_trap_flag(was);
}

static void take_back_pages(void)
{
	for (unsigned int i = 0; i < POOL_PAGES; i++) {
		if (page_owned(&owner, gpa(FAKE_BASE + i * PAGE_SIZE)))
			page_free(&owner, gpa(FAKE_BASE + i * PAGE_SIZE));
		invalid[i] = shared[i] = false;
	}
	fake_cpu_reset(cpu);
	fake_cpu.vmgexit = host;
	memset(cpu, 0, sizeof(*cpu));
	exits = 0;
	registered = 0;
}

static bool start_rewritten(unsigned int n)
{
	bool done;

	take_back_pages();
	begin(forge_shared_pages, n);
	done = arch_host_pages(cpu, &owner) && arch_host_name_ghcb(cpu) &&
	       arch_host_name_doorbell(cpu);
	set_trap_flag(false);
	return done;
}

/* Each page is where we put it, and nobody reads in it what we did not write. */
static void assert_pages(void)
{
	assert_int_equal(exits, 1);
	assert_int_equal(registered, cpu->ghcb_page.raw);
	assert_ptr_equal(cpu->ghcb, direct_ptr(cpu->ghcb_page));
	assert_ptr_equal(cpu->doorbell, direct_ptr(cpu->doorbell_page));
	assert_int_not_equal(cpu->ghcb_page.raw, cpu->doorbell_page.raw);
	assert_int_equal(owner.used, 2);
	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		assert_true(doorbell_at_exit[i] == 0 || doorbell_at_exit[i] == forged[i]);
	for (unsigned int i = 0; i < CODE; i++)
		assert_true(at_exit[i] == 0 || at_exit[i] == forged[i]);
}

static void check_start(const struct answer *said, const uint8_t *pages)
{
	unsigned int n = 0;

	other = said;
	forged = pages;
	assert_int_equal(start_rewritten(0), !said->info_1);
	assert_pages();
	assert_in_range(steps, 1, STEPS_MAX);
	do {
		bool done = start_rewritten(++n);

		assert_int_equal(cpu->doorbell_set, done);
		assert_pages();
	} while (steps == n);
}

static void a_vcpu_starts_with_pages_of_its_own(void **state)
{
	uint8_t *own = page;

	(void)state;
	leave = look_at_doorbell;
	check_start(&others[0], requests[0]);
	check_start(&others[0], requests[2]);
	check_start(&others[1], requests[1]);
	take_back_pages();
	page = own;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_msr_is_of_these_answers, start, end),
		cmocka_unit_test_setup_teardown(a_byte_of_a_port_is, start, end),
		cmocka_unit_test_setup_teardown(yes_is_what_somebody_said, start, end),
		cmocka_unit_test_setup_teardown(a_request_has_one_of_their_errors, start, end),
		cmocka_unit_test_setup_teardown(a_request_is_not_read_back, start, end),
		cmocka_unit_test_setup_teardown(a_vcpu_starts_with_pages_of_its_own, start, end),
	};

	write_requests();
	return cmocka_run_group_tests(tests, start_pages, NULL);
}
