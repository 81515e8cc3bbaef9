/* SPDX-License-Identifier: MIT */
/*
 * Socle's shared pages: what it tells the host and hears from it. No VMPL has rights on a shared
 * page, so the guest may write there as the host may. It finds them by asking the host to write a
 * byte from there to a port that nobody has: from a private page the host cannot (56421, section 4,
 * "invalid scratch area").
 */
#include "tests/attacks/guest/attack.h"
#include "tests/attacks/guest/lives.h"

#define UNUSED_PORT 0x80u
#define OUTSB_INFO ((uint64_t)UNUSED_PORT << 16 | 0x21cu) /* REP OUTSB, 64-bit addresses */
#define FOUND_MAX 64u
#define PROTOCOL_VERSION 0xffau /* of a GHCB; a doorbell page has no such field */
#define CALLS 30u
#define IPIS 5000u
#define PATIENCE 1000000u
#define EXIT_MSR 0x7cull
#define EXIT_RUN_VMPL 0x80000018ull
#define X2APIC_ICR 0x830u
#define ICR_LOGICAL 0x800u

static uint64_t doorbells[FOUND_MAX], ghcbs[FOUND_MAX];
static unsigned int doorbell_count, ghcb_count;
static volatile bool over, ready;
static uint16_t event;

static bool is_shared(uint64_t gpa)
{
	ghcb_own()->sw_scratch = gpa;
	ghcb_set_valid(offsetof(struct ghcb, sw_scratch));
	return ghcb_exit(0x7b, OUTSB_INFO, 1).result == 0;
}

static void find(void)
{
	for (uint64_t at = 0; at < places.svsm_size; at += 0x1000) {
		uint64_t gpa = places.svsm + at;

		if (!is_shared(gpa) || doorbell_count == FOUND_MAX || ghcb_count == FOUND_MAX)
			continue;
		if (*(volatile uint16_t *)(shared_view(gpa + PROTOCOL_VERSION)) == 2)
			ghcbs[ghcb_count++] = gpa;
		else
			doorbells[doorbell_count++] = gpa;
	}
	expect("a GHCB of each vCPU", ghcb_count, places.cpus);
	expect("a doorbell of each, and six pages for the AMD-SP", doorbell_count, places.cpus + 6);
}

static void ring(void)
{
	while (!over) {
		for (unsigned int i = 0; i < doorbell_count; i++)
			*(volatile uint16_t *)shared_view(doorbells[i]) = event;
	}
}

/* PendingEvent is the guest's to write: 56421, section 5. Each is a vector, with or without flags. */
static void forge(void)
{
	static const uint16_t events[] = { 0x0000, 0x0041, 0x00ff, 0x0141,
					   0x8041, 0x0001, 0x80ff, 0x4000 };

	for (unsigned int e = 0; e < sizeof(events) / sizeof(events[0]); e++) {
		uint64_t page = page_new();

		event = events[e];
		over = false;
		cpu_begin(1, ring);
		for (unsigned int i = 0; i < CALLS; i++) {
			expect("a call", svsm_alive(), true);
			expect("invalidate", svsm_pvalidate(page), 0);
			expect("validate", svsm_pvalidate(page | ENTRY_VALIDATE), 0);
		}
		over = true;
		cpu_end(1);
	}
}

/* All of a doorbell page but the event, and the pages for the AMD-SP. */
static void fill(void)
{
	for (unsigned int i = 0; i < doorbell_count; i++) {
		for (uint64_t at = 8; at < 0x1000; at += 8)
			*(volatile uint64_t *)shared_view(doorbells[i] + at) = ~0ull;
	}
	for (unsigned int i = 0; i < CALLS; i++)
		expect("a call", svsm_alive(), true);
}

static void run_once(void)
{
	struct svsm_regs regs = { 0 };

	ready = true;
	while (!over)
		cpu_relax();
	(void)svsm_run(&regs);
}

/* The word of the valid bitmap that has the bit of SW_EXITINFO1: 56421, layout of the GHCB. */
static volatile uint16_t *answered(unsigned int i)
{
	return shared_view(ghcbs[i] + 0x3f0 + 0x390 / 64);
}

/*
 * Socle's RUN_VMPL is answered before the guest runs. Without its valid bit that answer is a
 * refusal, by which a vCPU waits: the guest loses it, until it makes it anew. Socle says so in its
 * log, by the same page, which is how it is known to have looked.
 */
static void refuse(void)
{
	uint16_t before[FOUND_MAX];
	bool seen = false;

	over = ready = false;
	cpu_begin(1, run_once);
	while (!ready)
		cpu_relax();
	for (unsigned int i = 0; i < ghcb_count; i++) {
		before[i] = *answered(i);
		expect("the host has answered", before[i] != 0, true);
		*answered(i) = 0;
	}
	over = true;
	while (!seen) {
		for (unsigned int i = 0; i < ghcb_count; i++)
			seen = seen || *answered(i);
	}
	for (unsigned int i = 0; i < ghcb_count; i++) {
		if (*answered(i) == 0)
			*answered(i) = before[i];
	}
	vcpu_replace(1);
}

static void ghcb_put(uint64_t ghcb, size_t offset, uint64_t value)
{
	*(volatile uint64_t *)shared_view(ghcb + offset) = value;
	*(volatile uint8_t *)shared_view(ghcb + 0x3f0 + offset / 64) |=
		(uint8_t)(1u << offset / 8 % 8);
}

/*
 * True while Socle asks the host for something there: it writes SW_EXITINFO2 last, and the host clears
 * the bits of its inputs.
 */
static bool asks(uint64_t ghcb)
{
	const uint8_t code_and_info_2 = 0x14;

	return (~*(volatile uint8_t *)shared_view(ghcb + 0x3f0 + 0x390 / 64) & code_and_info_2) ==
	       0;
}

static void empty_doorbells(void)
{
	for (unsigned int i = 0; i < doorbell_count; i++)
		*(volatile uint16_t *)shared_view(doorbells[i]) = 0;
}

static volatile uint64_t *field(uint64_t ghcb, size_t offset)
{
	return shared_view(ghcb + offset);
}

/* Until the host has taken the exit. Too late, and Socle would read our input as a refusal. */
static void await_answer(uint64_t ghcb)
{
	for (unsigned int i = 0; i < PATIENCE && asks(ghcb); i++)
		empty_doorbells();
	if (*field(ghcb, offsetof(struct ghcb, sw_exit_info_1)) == 1)
		*field(ghcb, offsetof(struct ghcb, sw_exit_info_1)) = 0;
}

/*
 * Has the exit by which a Socle would run its guest send an IPI to VMPL0 of all CPUs but this one: a
 * logical destination of x2APIC mode (APM volume 2, 16.12).
 */
static void send_ipi(uint64_t ghcb, uint8_t vector)
{
	ghcb_put(ghcb, offsetof(struct ghcb, rcx), X2APIC_ICR);
	ghcb_put(ghcb, offsetof(struct ghcb, rax), ICR_LOGICAL | vector);
	ghcb_put(ghcb, offsetof(struct ghcb, rdx), (1u << places.cpus) - 2);
	*field(ghcb, offsetof(struct ghcb, sw_exit_info_1)) = 1;
	*field(ghcb, offsetof(struct ghcb, sw_exit_code)) = EXIT_MSR;
	await_answer(ghcb);
}

static unsigned int send_ipis(void)
{
	unsigned int sent = 0;

	for (unsigned int idle = 0; sent < IPIS && idle < PATIENCE; idle++) {
		empty_doorbells();
		for (unsigned int i = 0; i < ghcb_count; i++) {
			if (!asks(ghcbs[i]) ||
			    *field(ghcbs[i], offsetof(struct ghcb, sw_exit_code)) != EXIT_RUN_VMPL)
				continue;
			/* Of each priority class in turn: above the last one, which is in service. */
			send_ipi(ghcbs[i], (uint8_t)(sent++ % 14 * 16 + 0x21));
			idle = 0;
		}
	}
	return sent;
}

static void run_often(void)
{
	struct svsm_regs regs = { 0 };

	while (!over)
		(void)svsm_run(&regs);
}

/* A Socle that took our words for a refusal has halted, and its CPU is the guest's to make anew. */
static void end_or_replace(unsigned int id)
{
	for (unsigned int i = 0; i < PATIENCE; i++) {
		if (!__atomic_load_n(&cpu_at(id)->job, __ATOMIC_SEQ_CST))
			return;
		cpu_relax();
	}
	note("CPU %u is made anew", id);
	vcpu_replace(id);
}

/*
 * #HV in the handler of #HV: the VMPL0s of the other CPUs, in this one's words, send IPIs to themselves
 * and each other. What the host writes into their doorbell pages is gone at once, so that for the host
 * nothing is pending there, and it signals again whatever VMPL0 does at that moment.
 */
static void nest(void)
{
	unsigned int sent;

	over = false;
	for (unsigned int i = 1; i < places.cpus; i++)
		cpu_begin(i, run_often);
	sent = send_ipis();
	over = true;
	for (unsigned int i = 1; i < places.cpus; i++)
		end_or_replace(i);
	note("%u IPIs", sent);
	expect("IPIs were sent", sent > 100, true);
}

const struct rule rules[] = {
	{ "Socle shares what it must and no more", "56421 2.3.2, 5", find, 1 },
	{ "events that the guest forges", "56421 5", forge, 2 },
	{ "a run that the guest calls refused", "56421 4.1, SNP Run VMPL", refuse, 2 },
	{ "#HV in the handler of #HV", "56421 5; APM 2, 15.36.16", nest, 3 },
	{ "shared pages that the guest fills", "56421 5", fill, 1 },
	{ NULL, NULL, NULL, 0 },
};
