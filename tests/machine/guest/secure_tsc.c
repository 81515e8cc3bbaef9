/* SPDX-License-Identifier: MIT */
/*
 * Secure TSC (APM volume 2, 15.36.18; VMSA 2F0h and 2F8h in table B-4): RDTSC and RDTSCP give what
 * the VMSA makes of the processor's TSC, scale (8.32 bits) first, then offset; GUEST_TSC_FREQ says
 * the rate in MHz, is read without an exit, and never written. Without the feature both fields mean
 * nothing. How far the rate is off is checked against the ACPI timer (3.579545 MHz). Judge from
 * outside: Linux 6.14 and later, which takes an intercepted RDTSC or read of that MSR for an attack
 * (arch/x86/coco/sev/vc-handle.c).
 */
#include "abi/snp.h"
#include "tests/machine/guest/guest.h"

#define GUEST_TSC_FREQ 0xc0010134u
#define TSC_AUX 0xc0000103u
#define MSR_TSC 0x10u
#define SECRETS_PAGE 0x702000ull
#define TSC_FACTOR 0x160u
#define IN_ACPI_TIMER (0x608ull << 16 | 1 << 6 | 1) /* IOIO exit: IN of 32 bits; 24 of them count */
#define TIMER_MASK 0xffffffu
#define TIMER_STEPS 178977u /* 50 ms */
#define ONE (1ull << 32)
#define OFFSET (1ull << 40)

static struct {
	uint64_t tsc, tscp, aux, freq, vector;
} seen;

static uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
	return low | (uint64_t)high << 32;
}

static uint64_t rdtscp(uint64_t *aux)
{
	uint32_t low, high, id;

	__asm__ volatile("rdtscp; lfence" : "=a"(low), "=d"(high), "=c"(id) : : "memory");
	*aux = id;
	return low | (uint64_t)high << 32;
}

/* RDMSR and WRMSR are two bytes. */
static void note_and_skip(struct trap_frame *frame)
{
	seen.vector = frame->vector << 32 | frame->error;
	frame->rip += 2;
}

static void at_level2(void)
{
	for (;;) {
		seen.tsc = rdtsc();
		seen.tscp = rdtscp(&seen.aux);
		seen.vector = 0;
		trap_handler = note_and_skip;
		seen.freq = msr_read(GUEST_TSC_FREQ);
		trap_handler = NULL;
		level2_return();
	}
}

/* Runs VMPL2: whether its TSC is between what is made of the TSC before and after. */
static bool tsc_is(uint64_t scale, uint64_t offset)
{
	uint64_t before = rdtsc(), after;

	if (level2_run() != 0x017)
		return false;
	after = rdtsc();
	before = (uint64_t)((unsigned __int128)before * scale >> 32) + offset;
	after = (uint64_t)((unsigned __int128)after * scale >> 32) + offset;
	return seen.tsc >= before && seen.tsc <= seen.tscp && seen.tscp <= after;
}

static uint32_t acpi_timer(void)
{
	(void)ghcb_exit(0x7b, IN_ACPI_TIMER, 0);
	return (uint32_t)ghcb->rax & TIMER_MASK;
}

/*
 * GUEST_TSC_FREQ less TSC_FACTOR, in kHz, is right to 1 % in one of some tries: others may hold us
 * up.
 */
static bool rate_is_right(uint64_t khz)
{
	for (unsigned int i = 0; i < 8; i++) {
		uint32_t from = acpi_timer(), steps;
		uint64_t start = rdtsc(), measured;

		do
			steps = (acpi_timer() - from) & TIMER_MASK;
		while (steps < TIMER_STEPS);
		measured = (rdtsc() - start) * 3579545 / steps / 1000;
		if (measured * 100 > khz * 99 && measured * 100 < khz * 101)
			return true;
	}
	return false;
}

static void vmpl0(void)
{
	uint64_t mhz = msr_read(GUEST_TSC_FREQ);
	uint32_t factor = *(volatile uint32_t *)(SECRETS_PAGE + TSC_FACTOR);
	uint64_t value = 0;

	check("SEV_STATUS", msr_read(SNP_MSR_SEV_STATUS) >> 11 & 1, 1);
	check("GUEST_TSC_FREQ is read", mhz >= 100 && mhz < 1 << 18, 1);
	check("TSC_FACTOR is less than a MHz", factor <= 100000 / mhz + 1, 1);
	check("the rate is right", rate_is_right(mhz * (100000 - factor) / 100), 1);
	trap_handler = note_and_skip;
	msr_write(GUEST_TSC_FREQ, mhz);
	trap_handler = NULL;
	check("a write of GUEST_TSC_FREQ: #VC", seen.vector, 29ull << 32 | 0x7c);
	check("  which the host refuses", ghcb_msr_write(GUEST_TSC_FREQ, 1), 0);
	check("the host reads its own TSC", ghcb_msr_read(MSR_TSC, &value), 1);
}

void test_main(void)
{
	struct snp_vmsa *vmsa = level2_create(at_level2);
	uint64_t mhz = msr_read(GUEST_TSC_FREQ), before = rdtsc();

	vmpl0();
	vmsa->sev_features = 0x201;
	vmsa->tsc_scale = ONE;
	vmsa->tsc_offset = OFFSET;
	vmsa->tsc_aux = 0x5a5a;
	level2_start();
	check("VMPL2, an offset", tsc_is(ONE, OFFSET), 1);
	check("  its GUEST_TSC_FREQ", seen.freq, mhz);
	check("  without an exit", seen.vector, 0);
	vmsa->tsc_scale = 3 * ONE / 2;
	check("VMPL2, one and a half times as fast, and an offset", tsc_is(3 * ONE / 2, OFFSET), 1);
	check("  TSC_AUX", seen.aux, 0x5a5a);
	check("  its GUEST_TSC_FREQ", seen.freq, 3 * mhz / 2);
	vmsa->tsc_scale = ONE / 4;
	vmsa->tsc_offset = 0 - OFFSET;
	check("VMPL2, a quarter as fast, and a negative offset", tsc_is(ONE / 4, 0 - OFFSET), 1);
	vmsa->tsc_scale = 0;
	vmsa->tsc_offset = 77;
	check("VMPL2, a TSC that stands still", tsc_is(0, 77), 1);
	vmsa->sev_features = 0x1;
	check("VMPL2 without Secure TSC: scale and offset mean nothing", tsc_is(ONE, 0), 1);
	check("  GUEST_TSC_FREQ: #VC", seen.vector, 29ull << 32 | 0x7c);
	check("VMPL0's TSC went on", rdtsc() > before && rdtsc() - before < OFFSET, 1);
}
