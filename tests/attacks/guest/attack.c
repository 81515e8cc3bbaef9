/* SPDX-License-Identifier: MIT */
#include "tests/attacks/guest/attack.h"

#include <stdarg.h>
#include <string.h>

#include "core/base/printf.h"

#define COM1 0x3f8u
#define COM1_LINE_STATUS (COM1 + 5)
#define LINE_STATUS_EMPTY 0x20u /* takes a byte more */
#define TERM_SET_TEST 0xau	/* a set of our own: the runner looks for it */
#define TERM_PASSED 0u
#define TERM_FAILED 1u
#define TERM_TRAP 2u
#define TERM_START 3u

#define PRESENT_WRITABLE 0x3ull
#define LARGE 0x80ull
#define GIB_ENTRIES 512u

#define CPUID_LEAF_TOPOLOGY 0xbu
#define CPUID_LEAF_SEV 0x8000001fu

/* Linux: struct cc_blob_sev_info. */
struct cc_blob {
	uint32_t magic;
	uint16_t version, reserved_06;
	uint64_t secrets;
	uint32_t secrets_size, reserved_14;
	uint64_t cpuid;
	uint32_t cpuid_size, reserved_24;
};

_Noreturn void attack_start(const struct cc_blob *blob);

struct places places;

/* What a rule came to; written by any CPU, read when all are done. */
static struct {
	unsigned int failures;
	const char *what;
	uint64_t got, want;
} outcome;

static uint64_t pml4[512] __attribute__((aligned(4096)));
static uint64_t pdpt[512] __attribute__((aligned(4096)));
static uint64_t tables[2][512] __attribute__((aligned(4096))); /* private, shared */

/* Output. */

static void put(void *context, char c)
{
	(void)context;
	while (!(ghcb_in8(COM1_LINE_STATUS) & LINE_STATUS_EMPTY))
		cpu_relax();
	ghcb_out8(COM1, (uint8_t)c);
}

static void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void print(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf_write(put, NULL, fmt, args);
	va_end(args);
}

void note(const char *fmt, ...)
{
	va_list args;

	print("# ");
	va_start(args, fmt);
	printf_write(put, NULL, fmt, args);
	va_end(args);
	print("\n");
}

void expect(const char *what, uint64_t got, uint64_t want)
{
	if (got == want || __atomic_fetch_add(&outcome.failures, 1, __ATOMIC_SEQ_CST) != 0)
		return;
	outcome.what = what;
	outcome.got = got;
	outcome.want = want;
}

static _Noreturn void terminate(unsigned int code)
{
	for (;;)
		(void)ghcb_msr_call(0x100 | (uint64_t)TERM_SET_TEST << 12 | (uint64_t)code << 16);
}

_Noreturn void trap_unhandled(const struct trap_frame *frame)
{
	print("Bail out! CPU %u: exception %lu, error 0x%lx, RIP 0x%lx\n", cpu_this()->id,
	      frame->vector, frame->error, frame->rip);
	terminate(TERM_TRAP);
}

/* Start. */

static const struct snp_cpuid_entry *cpuid_entry(const struct snp_cpuid_page *page, uint32_t leaf,
						 uint32_t subleaf)
{
	for (uint32_t i = 0; i < page->count && i < SNP_CPUID_MAX_ENTRIES; i++) {
		const struct snp_cpuid_entry *e = &page->entries[i];

		if (e->eax_in == leaf && e->ecx_in == subleaf)
			return e;
	}
	terminate(TERM_START);
}

static void find_places(const struct cc_blob *blob)
{
	const struct snp_secrets *secrets = (const struct snp_secrets *)blob->secrets;
	const struct snp_cpuid_page *cpuid = (const struct snp_cpuid_page *)blob->cpuid;

	places = (struct places){
		.svsm = secrets->svsm_base,
		.svsm_size = secrets->svsm_size,
		.ram_end = secrets->svsm_base + secrets->svsm_size,
		.c_bit = 1ull << (cpuid_entry(cpuid, CPUID_LEAF_SEV, 0)->ebx & 63),
		.secrets_page = blob->secrets,
		.caa = secrets->svsm_caa,
		.vmpl = secrets->svsm_guest_vmpl,
		.cpus = cpuid_entry(cpuid, CPUID_LEAF_TOPOLOGY, 1)->ebx,
	};
	if (places.cpus > CPUS_MAX)
		terminate(TERM_START);
}

/* The first GiB privately at its own addresses, and without C-bit at SHARED_OFFSET. */
static void map_memory(void)
{
	for (uint64_t i = 0; i < GIB_ENTRIES; i++) {
		tables[0][i] = i << 21 | places.c_bit | LARGE | PRESENT_WRITABLE;
		tables[1][i] = i << 21 | LARGE | PRESENT_WRITABLE;
	}
	for (unsigned int i = 0; i < 2; i++)
		pdpt[i] = (uint64_t)tables[i] | places.c_bit | PRESENT_WRITABLE;
	pml4[0] = (uint64_t)pdpt | places.c_bit | PRESENT_WRITABLE;
	__asm__ volatile("mov %0, %%cr3" : : "r"((uint64_t)pml4 | places.c_bit) : "memory");
}

/* An exception of an instruction that may fault goes on behind it; any other is a failure. */
static void take_fault(struct trap_frame *frame)
{
	struct cpu *cpu = cpu_this();

	if (!cpu->recover)
		trap_unhandled(frame);
	cpu->fault = (struct fault){ frame->vector, frame->error };
	frame->rip = cpu->recover;
	cpu->recover = 0;
}

/* Rules. */

static void make_control_call(void)
{
	expect("a call is answered afterwards", svsm_alive(), true);
}

static void finish_rule(void)
{
	for (unsigned int i = 1; i < places.cpus; i++) {
		if (!cpu_at(i)->up)
			continue;
		cpu_begin(i, make_control_call);
		cpu_end(i);
	}
	make_control_call();
	pages_check();
}

static bool run_rule(const struct rule *rule, unsigned int number)
{
	outcome.failures = 0;
	rule->run();
	finish_rule();
	if (outcome.failures == 0) {
		print("ok %u - %s (%s)\n", number, rule->name, rule->section);
		return true;
	}
	print("not ok %u - %s (%s)\n", number, rule->name, rule->section);
	note("%s: 0x%lx, want 0x%lx", outcome.what, outcome.got, outcome.want);
	return false;
}

static bool applies(const struct rule *rule)
{
	return rule->cpus <= places.cpus;
}

_Noreturn void attack_start(const struct cc_blob *blob)
{
	unsigned int planned = 0, number = 0, failed = 0;

	find_places(blob);
	map_memory();
	traps_start();
	trap_handler = take_fault;
	if (!cpus_start())
		terminate(TERM_START);
	for (const struct rule *r = rules; r->name; r++)
		planned += applies(r);
	print("1..%u\n", planned);
	for (const struct rule *r = rules; r->name; r++) {
		if (applies(r))
			failed += !run_rule(r, ++number);
	}
	pages_tell();
	terminate(failed ? TERM_FAILED : TERM_PASSED);
}
