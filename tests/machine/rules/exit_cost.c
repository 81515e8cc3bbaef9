/* SPDX-License-Identifier: MIT */
/*
 * What one exit of each kind costs, by the TSC: bench/exit_cost.py runs it under QEMU's -icount,
 * where the TSC counts the instructions of guest and hypervisor together. The guest's own part is a
 * few instructions of each, and the same every time.
 */
#include "tests/machine/guest/traps.h"
#include "tests/machine/rules/console.h"
#include "tests/machine/rules/rules.h"

#define ROUNDS 256u

_Noreturn void guest_start(void);

static uint64_t clock(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static void nothing(void)
{
}

static void ghcb_msr_twice(void)
{
	msr_write(SNP_MSR_GHCB, msr_read(SNP_MSR_GHCB));
}

static void msr_protocol(void)
{
	(void)ghcb_msr_call(0x080);
}

static void ghcb_page(void)
{
	(void)ghcb_exit(0x8000fffd, 0, 0);
}

static void port(void)
{
	(void)ghcb_in8(0x3fd);
}

static void x2apic(void)
{
	uint64_t value;

	(void)ghcb_msr_read(0x802, &value);
}

static void exception_body(void)
{
	__asm__ volatile("cpuid" : : "a"(0), "c"(0) : "rbx", "rdx");
}

static uint64_t run_cpuid(uint64_t arg)
{
	(void)arg;
	exception_body();
	return 0;
}

static void vc_exception(void)
{
	(void)actor_try(run_cpuid, 0);
}

static void validate(void)
{
	(void)pvalidate(RULE_PAGE, 0, 1);
}

static void adjust(void)
{
	(void)rmpadjust(RULE_PAGE, 0, 0xf01);
}

static void change_page_state(void)
{
	(void)page_make_private(RULE_PAGE + 0x1000);
}

static uint64_t come_back(uint64_t arg)
{
	return arg;
}

static void level_and_back(void)
{
	(void)act(0, 2, come_back, 0);
}

static const struct {
	const char *name;
	void (*run)(void);
} kinds[] = {
	{ "nothing", nothing },
	{ "read and write of the GHCB MSR", ghcb_msr_twice },
	{ "MSR protocol: features", msr_protocol },
	{ "GHCB page: features", ghcb_page },
	{ "GHCB page: IN of a byte", port },
	{ "GHCB page: read of the APIC id", x2apic },
	{ "#VC by CPUID", vc_exception },
	{ "PVALIDATE", validate },
	{ "RMPADJUST", adjust },
	{ "page state change that changes nothing", change_page_state },
	{ "VMPL2 and back", level_and_back },
};

_Noreturn void trap_unhandled(const struct trap_frame *frame)
{
	console_print("Bail out! exception %lu, RIP 0x%lx\n", frame->vector, frame->rip);
	for (;;)
		(void)ghcb_msr_call(0x100 | 0xaull << 12 | 2ull << 16);
}

static void prepare(void)
{
	(void)page_make_private(RULE_PAGE);
	(void)page_make_private(RULE_PAGE + 0x1000);
	(void)pvalidate(RULE_PAGE, 0, 1);
	(void)actors_grant_image();
	(void)actor_create(0, 2);
}

/* The first rounds have what later ones find done, so they are not counted. */
static uint64_t cost(void (*run)(void))
{
	uint64_t start;

	for (unsigned int i = 0; i < ROUNDS; i++)
		run();
	start = clock();
	for (unsigned int i = 0; i < ROUNDS; i++)
		run();
	return (clock() - start) / ROUNDS;
}

static void measure(void)
{
	prepare();
	for (size_t i = 0; i < RULE_COUNT(kinds); i++)
		console_print("cost %lu %s\n", cost(kinds[i].run), kinds[i].name);
	for (;;)
		(void)ghcb_msr_call(0x100 | 0xaull << 12);
}

_Noreturn void guest_start(void)
{
	actors_start(measure);
}
