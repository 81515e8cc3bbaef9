/* SPDX-License-Identifier: MIT */
/*
 * A half-made call: between the store to call_pending and the VMGEXIT something comes that makes an
 * exit of its own, as an NMI's handler does when it ends (56421, NMI complete). Where the host runs
 * VMPL0 for an event of its own at just that exit, VMPL0 finds VMGEXIT and call_pending, and may
 * not answer: the registers are the handler's, and the call is still to come.
 */
#include "tests/attacks/guest/attack.h"

#define X2APIC_ICR 0x830u
#define ICR_NMI 0x400ull
#define NMI_COMPLETE 0x80000003ull
#define EXITS 2000u
#define CALL_EVERY 16u
#define SPIN 100000u	    /* in a call that is to be interrupted */
#define NMIS 100u	    /* that are to hit one */
#define NMI_PERIOD 2000000u /* of the TSC: about a millisecond */
#define CALLS_MAX 20000u    /* should no NMI come */
#define CORE_VERSIONS 0x100000001ull

static const struct svsm_regs middle = {
	MIDDLE_RAX, 0x1122334455667788, 0x99aabbccddeeff00, 0xfedcba9876543210, 0x0f1e2d3c4b5a6978,
};

static volatile uint64_t nmis, hits;
static volatile bool over;
static void (*usual_handler)(struct trap_frame *frame);

static uint8_t *call_pending(void)
{
	return &((struct svsm_caa *)cpu_this()->caa)->call_pending;
}

/* NMI complete, with registers of which none may change. */
static void exit_in_the_middle(void)
{
	volatile struct ghcb *ghcb = ghcb_own();
	struct svsm_regs regs = middle;

	ghcb_clear();
	ghcb->sw_exit_code = NMI_COMPLETE;
	ghcb->sw_exit_info_1 = ghcb->sw_exit_info_2 = 0;
	ghcb_set_valid(offsetof(struct ghcb, sw_exit_code));
	ghcb_set_valid(offsetof(struct ghcb, sw_exit_info_1));
	ghcb_set_valid(offsetof(struct ghcb, sw_exit_info_2));
	vmgexit_with(ghcb_gpa(), &regs);
	expect("the host knows the exit", (uint32_t)ghcb->sw_exit_info_1, 0);
	ghcb_clear();
	expect("RAX", regs.rax, middle.rax);
	expect("RCX", regs.rcx, middle.rcx);
	expect("RDX", regs.rdx, middle.rdx);
	expect("R8", regs.r8, middle.r8);
	expect("R9", regs.r9, middle.r9);
}

/* Sets call_pending, does what is to be done in the middle, and makes the call. */
static void call_around(void (*what)(void))
{
	struct svsm_regs regs = { .rax = CORE_QUERY_PROTOCOL, .rcx = 1 };

	__atomic_store_n(call_pending(), 1, __ATOMIC_SEQ_CST);
	what();
	expect("the call is still pending", __atomic_load_n(call_pending(), __ATOMIC_SEQ_CST), 1);
	expect("VMPL0 ran", svsm_run(&regs), true);
	expect("it took the call", __atomic_exchange_n(call_pending(), 0, __ATOMIC_SEQ_CST), 0);
	expect("its result", regs.rax, 0);
	expect("its answer", regs.rcx, CORE_VERSIONS);
}

static void exits(void)
{
	for (unsigned int i = 0; i < EXITS; i++) {
		__atomic_store_n(call_pending(), 1, __ATOMIC_SEQ_CST);
		exit_in_the_middle();
		expect("the call is still pending",
		       __atomic_exchange_n(call_pending(), 0, __ATOMIC_SEQ_CST), 1);
		if (i % CALL_EVERY == 0)
			call_around(exit_in_the_middle);
	}
}

/* What it interrupts goes by the GHCB MSR alone. */
static void nmi(struct trap_frame *frame)
{
	uint64_t ghcb_msr = msr_read(SNP_MSR_GHCB);
	uint8_t pending = __atomic_load_n(call_pending(), __ATOMIC_SEQ_CST);

	if (frame->vector != 2) {
		usual_handler(frame);
		return;
	}
	nmis++;
	hits += pending == 1;
	exit_in_the_middle();
	expect("call_pending", __atomic_load_n(call_pending(), __ATOMIC_SEQ_CST), pending);
	msr_write(SNP_MSR_GHCB, ghcb_msr);
}

static void send_nmis(void)
{
	cpu_apic_on();
	for (uint64_t next = cpu_tsc(); !over; cpu_relax()) {
		if (cpu_tsc() < next)
			continue;
		(void)ghcb_msr_write(X2APIC_ICR, ICR_NMI); /* to CPU 0 */
		next = cpu_tsc() + NMI_PERIOD;
	}
}

static void spin(void)
{
	for (volatile unsigned int i = 0; i < SPIN; i++)
		;
}

static void nmi_storm(void)
{
	unsigned int calls = 0;

	cpu_apic_on();
	(void)ghcb_exit(NMI_COMPLETE, 0, 0);
	nmis = hits = 0;
	over = false;
	usual_handler = trap_handler;
	trap_handler = nmi;
	cpu_begin(1, send_nmis);
	for (; hits < NMIS && calls < CALLS_MAX; calls++)
		call_around(spin);
	over = true;
	cpu_end(1);
	trap_handler = usual_handler;
	note("%u calls, %lu NMIs, %lu of them in the middle of one", calls, nmis, hits);
	expect("NMIs came in the middle of calls", hits >= NMIS, true);
}

const struct rule rules[] = {
	{ "an exit between call_pending and the call", "58019 4, 56421 4.1", exits, 1 },
	{ "NMIs between call_pending and the call", "58019 4, 56421 4.1", nmi_storm, 2 },
	{ NULL, NULL, NULL, 0 },
};
