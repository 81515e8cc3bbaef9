/* SPDX-License-Identifier: MIT */
/*
 * Code that one CPU changes while another runs it, with the steps that Linux takes for it: INT3
 * over the first byte, the rest of the instruction, the first byte, and after each step the other
 * CPU serializes. Then no CPU may meet the INT3 or an older instruction any more (APM volume 2,
 * section 7.6.1; Intel's SDM, volume 3, section 8.1.3).
 *
 * QEMU fails it, for it takes no lock between reading an instruction and entering what it made of
 * it, and drops what it has of a page before the write: machine/hv/memory/code_use.h.
 */
#include "tests/machine/guest/guest.h"

#define ROUNDS 8u
#define LATEST 50u /* of the moments at which a write comes, in steps */
#define STEP 200u
#define COUNTS 200u
#define SITE_SIZE 5u
#define OPCODE_INT3 0xccu
#define OPCODE_MOV_EAX 0xb8u
#define VECTOR_BP 3u
#define TRAPPED 0u
#define TABLE_ADDRESS 0x7ffffffff000ull /* without the C-bit, which is bit 47 */
#define ALIAS (2ull << 30)
#define PRESENT 1ull

uint32_t site_within(void);
uint32_t site_across(void);
void count_beside(void);
uint32_t run_beside(void);
void serialize(void);

extern uint64_t pml4[];
extern volatile uint64_t counted_beside;

/* How one CPU writes, and what the other does between two runs of the code. */
enum way {
	DIRECT,
	MAPPED_FOR_IT, /* through a mapping that exists as long as the write takes */
	WITH_EXITS,    /* directly, while the other CPU leaves the guest all the time */
	CONVERTED,     /* directly, after the host has had the page and given it back */
};

/* Written by the CPU that changes the code. An odd epoch: the code is being changed. */
static uint32_t (*volatile site)(void);
static volatile bool exits;
static volatile uint64_t epoch, request;
static volatile uint32_t operand;

/* Written by the CPU that runs it. */
static volatile uint64_t done, runs, traps, late, stale;

static void on_trap(struct trap_frame *frame)
{
	if (frame->vector != VECTOR_BP) {
		trap_handler = NULL;
		return;
	}
	traps++;
	if (epoch % 2 == 0)
		late++;
	frame->rax = TRAPPED;
	frame->rip += SITE_SIZE - 1;
}

static void run_site(void)
{
	uint64_t before = epoch;
	uint32_t wanted = operand;
	uint32_t got = site();

	if (before % 2 == 0 && before == epoch && got != wanted && got != TRAPPED)
		stale++;
	runs++;
}

static void run_for_ever(void)
{
	for (;;) {
		if (done != request) {
			serialize();
			done = request;
		}
		if (exits)
			(void)ghcb_msr_call(0x002);
		run_site();
	}
}

static void wait_until_serialized(void)
{
	uint64_t wanted = request + 1;

	request = wanted;
	while (done != wanted)
		__asm__ volatile("pause");
}

/* Lets the other CPU get further: each time to another point of what it does meanwhile. */
static void let_it_run(void)
{
	static unsigned int moment;

	moment = (moment + 7) % LATEST;
	for (unsigned int i = 0; i < moment * STEP; i++)
		__asm__ volatile("");
}

static void wait_for_runs(void)
{
	uint64_t before = runs;

	while (runs - before < 3)
		__asm__ volatile("pause");
}

/* What the third GiB is mapped to. */
static void map_alias(uint64_t entry)
{
	volatile uint64_t *pdpt = (volatile uint64_t *)(pml4[0] & TABLE_ADDRESS);

	pdpt[ALIAS >> 30] = entry ? pdpt[0] : 0;
	__asm__ volatile("invlpg (%0)" : : "r"(ALIAS + (uint64_t)site) : "memory");
}

static void write_code(enum way way, unsigned int at, const uint8_t *bytes, unsigned int size)
{
	uint64_t offset = way == MAPPED_FOR_IT ? ALIAS : 0;
	volatile uint8_t *to = (volatile uint8_t *)((uint64_t)site + at + offset);

	if (way == MAPPED_FOR_IT)
		map_alias(true);
	let_it_run();
	for (unsigned int i = 0; i < size; i++)
		to[i] = bytes[i];
	if (way == MAPPED_FOR_IT)
		map_alias(false);
	wait_until_serialized();
}

static void change(enum way way, uint32_t value)
{
	static const uint8_t int3 = OPCODE_INT3;
	uint8_t code[SITE_SIZE] = { OPCODE_MOV_EAX, (uint8_t)value, (uint8_t)(value >> 8),
				    (uint8_t)(value >> 16), (uint8_t)(value >> 24) };

	epoch++;
	write_code(way, 0, &int3, 1);
	write_code(way, 1, code + 1, SITE_SIZE - 1);
	write_code(way, 0, code, 1);
	operand = value;
	epoch++;
}

static uint32_t nothing(void)
{
	return TRAPPED;
}

/* Both conversions of a page keep its bytes for the one who wrote them. */
static void convert(uint32_t (*code)(void))
{
	uint64_t page = (uint64_t)code & ~0xfffull;

	site = nothing;
	wait_for_runs();
	if (pvalidate(page, 0, 0).eax != 0 || page_make_shared(page) != 0x015 ||
	    page_make_private(page) != 0x015 || pvalidate(page, 0, 1).eax != 0)
		say("not ok the page of the code is converted");
	site = code;
	wait_for_runs();
}

static void test(uint32_t (*code)(void), enum way way, const char *no_late, const char *no_stale)
{
	uint64_t rounds_late = 0, rounds_stale = 0;

	site = code;
	exits = way == WITH_EXITS;
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		if (way == CONVERTED)
			convert(code);
		late = stale = 0;
		change(way, round * 0x01010101u);
		wait_for_runs();
		rounds_late += late != 0;
		rounds_stale += stale != 0;
	}
	check(no_late, rounds_late, 0);
	check(no_stale, rounds_stale, 0);
}

/* No way to change code, but what has to go on where code and data share a page. */
static void test_beside(void)
{
	uint64_t before = runs;

	site = run_beside;
	exits = false;
	for (unsigned int i = 0; i < COUNTS; i++)
		count_beside();
	wait_for_runs();
	check("code counts in its own page", counted_beside, COUNTS);
	check("the other CPU runs in that page", runs > before, 1);
}

void test_main(void)
{
	site = site_within;
	trap_handler = on_trap;
	second_cpu_start(run_for_ever);
	wait_for_runs();
	test(site_within, DIRECT, "late INT3", "stale operand");
	test(site_within, MAPPED_FOR_IT, "late INT3, alias", "stale operand, alias");
	test(site_within, WITH_EXITS, "late INT3, exits", "stale operand, exits");
	test(site_within, CONVERTED, "late INT3, converted", "stale operand, converted");
	test(site_across, DIRECT, "late INT3, two pages", "stale operand, two pages");
	test(site_across, MAPPED_FOR_IT, "late INT3, two pages, alias",
	     "stale operand, two pages, alias");
	test(site_across, WITH_EXITS, "late INT3, two pages, exits",
	     "stale operand, two pages, exits");
	test_beside();
	check("INT3 was met while the code was changed", traps != 0, 1);
}
