/* SPDX-License-Identifier: MIT */
/*
 * A host whose AMD-SP is always busy (`--fault amd-sp-busy`): a call that wants a report fails in
 * the end by a code of its own, and until then nobody waits who wants none.
 */
#include <string.h>

#include "tests/attacks/guest/attack.h"

#define VTPM_CMD 0x200000001ull
#define ATTEST_SERVICES 0x100000000ull
#define ATTEST_SINGLE 0x100000001ull
#define SERVICE_BUSY 0x80001002ull /* docs/spec/create-and-attest.md, section 4 */
#define X2APIC_ICR 0x830u
#define ICR_NMI 0x400ull
#define NMI_COMPLETE 0x80000003ull
#define PAUSE 100000000u /* of the TSC: some hundredths of a second */
#define CALLS_MIN 20u

static struct svsm_attest_op *ops[2];
static volatile uint64_t ended; /* calls for reports */
static volatile uint64_t nmis;
static void (*usual_handler)(struct trap_frame *frame);

/* Registers and buffers are as they were. */
static void expect_busy(uint64_t call, const struct svsm_attest_op *op)
{
	struct svsm_regs regs = { call, (uint64_t)op, 2, 3, 4 };

	expect("the call is taken", svsm_call_regs(&regs, 1), true);
	expect("result", regs.rax, SERVICE_BUSY);
	expect("RCX", regs.rcx, (uint64_t)op);
	expect("RDX", regs.rdx, 2);
	expect("R8", regs.r8, 3);
	expect("no report was written", page_zero(op->report.gpa), true);
	expect("nor a manifest", page_zero(op->manifest.gpa), true);
	__atomic_fetch_add(&ended, 1, __ATOMIC_SEQ_CST);
}

static void new_ops(void)
{
	ended = 0;
	ops[0] = attest_op_new();
	ops[1] = attest_op_new();
}

/* TPM2_GetRandom of 8 bytes: TPM 2.0 Library part 3, section 16.1 */
static void expect_random(uint64_t page)
{
	static const uint8_t request[] = { 8, 0, 0, 0,	0, 12, 0,    0,	   0, 0x80, 0x01,
					   0, 0, 0, 12, 0, 0,  0x01, 0x7b, 0, 8 };
	uint32_t size;

	memset((void *)page, 0, 64);
	memcpy((void *)page, request, sizeof(request));
	expect("TPM2_GetRandom", svsm_call(VTPM_CMD, page, 0, 0), 0);
	memcpy(&size, (const void *)page, 4);
	expect("size of the response", size, 20);
}

static void wait_a_little(void)
{
	for (uint64_t end = cpu_tsc() + PAUSE; cpu_tsc() < end; cpu_relax())
		;
}

/* What it interrupts goes by the GHCB MSR alone. */
static void nmi(struct trap_frame *frame)
{
	uint64_t ghcb_msr = msr_read(SNP_MSR_GHCB);

	if (frame->vector != 2) {
		usual_handler(frame);
		return;
	}
	nmis++;
	(void)ghcb_exit(NMI_COMPLETE, 0, 0);
	msr_write(SNP_MSR_GHCB, ghcb_msr);
}

static void send_nmi(void)
{
	cpu_apic_on();
	wait_a_little();
	expect("the call is under way", ended, 0);
	(void)ghcb_msr_write(X2APIC_ICR, ICR_NMI); /* to CPU 0 */
}

static void a_report(void)
{
	cpu_apic_on();
	(void)ghcb_exit(NMI_COMPLETE, 0, 0);
	new_ops();
	nmis = 0;
	usual_handler = trap_handler;
	trap_handler = nmi;
	if (places.cpus > 1)
		cpu_begin(1, send_nmi);
	expect_busy(ATTEST_SINGLE, ops[0]);
	if (places.cpus > 1)
		cpu_end(1);
	wait_a_little();
	trap_handler = usual_handler;
	expect("the NMI has come, once", nmis, places.cpus > 1);
	expect_random(page_new());
}

static void first(void)
{
	expect_busy(ATTEST_SINGLE, ops[0]);
}

static void second(void)
{
	expect_busy(ATTEST_SERVICES, ops[1]);
}

static void two_reports(void)
{
	uint64_t page = page_new();
	unsigned int calls = 0;

	new_ops();
	cpu_begin(1, first);
	cpu_begin(2, second);
	wait_a_little();
	for (; ended < 2; calls++) {
		expect_random(page);
		expect("a call of the core protocol", svsm_alive(), true);
	}
	cpu_end(1);
	cpu_end(2);
	note("%u calls of each kind meanwhile", calls);
	expect("nobody waits who wants no report", calls >= CALLS_MIN, true);
}

const struct rule rules[] = {
	{ "a report, and an NMI of the guest's meanwhile",
	  "56421 4.1.8; docs/spec/create-and-attest.md 4", a_report, 1 },
	{ "two at once, and other calls meanwhile", "docs/planes.md, what waits", two_reports, 3 },
	{ NULL, NULL, NULL, 0 },
};
