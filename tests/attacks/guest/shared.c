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

const struct rule rules[] = {
	{ "Socle shares what it must and no more", "56421 2.3.2, 5", find, 1 },
	{ "events that the guest forges", "56421 5", forge, 2 },
	{ "a run that the guest calls refused", "56421 4.1, SNP Run VMPL", refuse, 2 },
	{ "shared pages that the guest fills", "56421 5", fill, 1 },
	{ NULL, NULL, NULL, 0 },
};
