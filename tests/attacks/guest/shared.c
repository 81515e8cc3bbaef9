/* SPDX-License-Identifier: MIT */
/*
 * Socle's shared pages: what it tells the host and hears from it. No VMPL has rights on a shared
 * page, so the guest may write there as the host may.
 */
#include "tests/attacks/guest/found.h"
#include "tests/attacks/guest/lives.h"

#define CALLS 30u
#define IPIS 1000u
#define PATIENCE 1000000u
#define EXIT_MSR 0x7cull
#define EXIT_RUN_VMPL 0x80000018ull
#define X2APIC_ICR 0x830u
#define ICR_LOGICAL 0x800u

static struct found found;
static volatile bool over, ready;
static uint16_t event;

static void find(void)
{
	found_look(&found);
	expect("a GHCB of each vCPU", found.ghcb_count, places.cpus);
	expect("a doorbell of each, and six pages for the AMD-SP", found.other_count,
	       places.cpus + 6);
}

static void ring(void)
{
	while (!over) {
		for (unsigned int i = 0; i < found.other_count; i++)
			*(volatile uint16_t *)shared_view(found.others[i]) = event;
	}
}

/*
 * PendingEvent is the guest's to write: 56421, section 5. Each is a vector, with or without flags.
 */
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
	for (unsigned int i = 0; i < found.other_count; i++) {
		for (uint64_t at = 8; at < 0x1000; at += 8)
			*(volatile uint64_t *)shared_view(found.others[i] + at) = ~0ull;
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
	return shared_view(found.ghcbs[i] + 0x3f0 + 0x390 / 64);
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
	for (unsigned int i = 0; i < found.ghcb_count; i++) {
		before[i] = *answered(i);
		expect("the host has answered", before[i] != 0, true);
		*answered(i) = 0;
	}
	over = true;
	while (!seen) {
		for (unsigned int i = 0; i < found.ghcb_count; i++)
			seen = seen || *answered(i);
	}
	for (unsigned int i = 0; i < found.ghcb_count; i++) {
		if (*answered(i) == 0)
			*answered(i) = before[i];
	}
	vcpu_replace(1);
}

/* An exit in the guest's words. */
struct words {
	uint64_t code, info_1, info_2;
	uint64_t rax, rbx, rcx, rdx, scratch;
};

static volatile uint64_t *field(uint64_t ghcb, size_t offset)
{
	return shared_view(ghcb + offset);
}

static void put(uint64_t ghcb, size_t offset, uint64_t value)
{
	*field(ghcb, offset) = value;
	*(volatile uint8_t *)shared_view(ghcb + 0x3f0 + offset / 64) |=
		(uint8_t)(1u << offset / 8 % 8);
}

/*
 * True while Socle asks the host for something there: it writes SW_EXITINFO2 last, and the host
 * clears the bits of its inputs.
 */
static bool asks(uint64_t ghcb)
{
	const uint8_t code_and_info_2 = 0x14;

	return (~*(volatile uint8_t *)shared_view(ghcb + 0x3f0 + 0x390 / 64) & code_and_info_2) ==
	       0;
}

static bool asks_to_run(uint64_t ghcb)
{
	return asks(ghcb) && *field(ghcb, offsetof(struct ghcb, sw_exit_code)) == EXIT_RUN_VMPL;
}

static void empty_doorbells(void)
{
	for (unsigned int i = 0; i < found.other_count; i++)
		*(volatile uint16_t *)shared_view(found.others[i]) = 0;
}

/* Until the host has taken the exit. Too late, and Socle would read our input as a refusal. */
static void await_answer(uint64_t ghcb, uint64_t info_1)
{
	for (unsigned int i = 0; i < PATIENCE && asks(ghcb); i++)
		empty_doorbells();
	if (*field(ghcb, offsetof(struct ghcb, sw_exit_info_1)) == info_1)
		*field(ghcb, offsetof(struct ghcb, sw_exit_info_1)) = 0;
}

/* Puts them in the place of the exit that Socle is about to make. */
static void say(uint64_t ghcb, const struct words *words)
{
	put(ghcb, offsetof(struct ghcb, rax), words->rax);
	put(ghcb, offsetof(struct ghcb, rbx), words->rbx);
	put(ghcb, offsetof(struct ghcb, rcx), words->rcx);
	put(ghcb, offsetof(struct ghcb, rdx), words->rdx);
	put(ghcb, offsetof(struct ghcb, sw_scratch), words->scratch);
	*field(ghcb, offsetof(struct ghcb, sw_exit_info_1)) = words->info_1;
	*field(ghcb, offsetof(struct ghcb, sw_exit_info_2)) = words->info_2;
	*field(ghcb, offsetof(struct ghcb, sw_exit_code)) = words->code;
	await_answer(ghcb, words->info_1);
}

static void run_often(void)
{
	struct svsm_regs regs = { 0 };

	while (!over)
		(void)svsm_run(&regs);
}

/*
 * A Socle that was refused something, or told so, has halted, and goes on when its guest asks for
 * it: the host starts that again, from where it was.
 */
static void start_again(unsigned int id)
{
	(void)cpu_stop(id);
	(void)vmsa_start(id, 2, cpu_at(id)->vmsa);
	cpu_at(id)->up = true;
}

static void end_job(unsigned int id)
{
	for (unsigned int i = 1; __atomic_load_n(&cpu_at(id)->job, __ATOMIC_SEQ_CST); i++) {
		cpu_relax();
		if (i % PATIENCE == 0)
			start_again(id);
	}
}

/* The next exit by which CPU 1's Socle would run its guest. */
static void replace_exit(const struct words *words)
{
	bool done = false;

	over = false;
	cpu_begin(1, run_often);
	for (unsigned int tries = 1; !done; tries++) {
		if (tries % PATIENCE == 0)
			start_again(1);
		for (unsigned int i = 0; i < found.ghcb_count && !done; i++) {
			done = asks_to_run(found.ghcbs[i]);
			if (done)
				say(found.ghcbs[i], words);
		}
	}
	over = true;
	end_job(1);
}

/*
 * What the host would refuse to VMPL2 or do for it, asked for by VMPL0. Nothing of it gives the
 * guest more than the loss of that CPU, which it makes anew. Not here: what ends the VM, and what
 * takes Socle's pages away.
 */
static void speak(void)
{
	uint64_t page = page_new(), own = ghcb_gpa(), socle = places.svsm;
	const struct words list[] = {
		{ .code = EXIT_RUN_VMPL, .info_1 = 0 },
		{ .code = EXIT_RUN_VMPL, .info_1 = 1 },
		{ .code = EXIT_RUN_VMPL, .info_1 = 3 },
		{ .code = EXIT_RUN_VMPL, .info_1 = ~0ull },
		/* AP_CREATION for VMPL0 and VMPL1 of CPU 1: of a plain page, and of its VMSA. */
		{ .code = 0x80000013, .info_1 = 1ull << 32 | 1, .info_2 = page, .rax = 9 },
		{ .code = 0x80000013,
		  .info_1 = 1ull << 32 | 1,
		  .info_2 = cpu_at(1)->vmsa,
		  .rax = 1 },
		{ .code = 0x80000013,
		  .info_1 = 1ull << 32 | 1ull << 16 | 1,
		  .info_2 = page,
		  .rax = 9 },
		{ .code = 0x80000013, .info_1 = 99ull << 32 | 1, .info_2 = page, .rax = 9 },
		/* Guest requests whose pages are private, Socle's, and shared ones of the guest. */
		{ .code = 0x80000011, .info_1 = page, .info_2 = page + 0x1000 },
		{ .code = 0x80000011, .info_1 = socle, .info_2 = socle + 0x1000 },
		{ .code = 0x80000012, .info_1 = own, .info_2 = socle, .rax = socle, .rbx = ~0ull },
		/* String I/O from and to Socle's private memory, and to no port. */
		{ .code = 0x7b, .info_1 = 0x3f8ull << 16 | 0x21c, .info_2 = 1, .scratch = socle },
		{ .code = 0x7b, .info_1 = 0x3f8ull << 16 | 0x21d, .info_2 = 1, .scratch = socle },
		{ .code = 0x7b, .info_1 = 0xffffull << 16 | 0x410, .rax = 1 },
		/* MMIO, with Socle's memory as the buffer. */
		{ .code = 0x80000001, .info_1 = 0xfee00020, .info_2 = 4, .scratch = socle },
		{ .code = 0x80000002, .info_1 = socle, .info_2 = 8, .scratch = own },
		/* MSRs: APIC base off, NMI and INIT to itself, TSC, EFER, the GHCB itself. */
		{ .code = EXIT_MSR, .info_1 = 1, .rcx = X2APIC_ICR, .rax = 0x40400 },
		{ .code = EXIT_MSR, .info_1 = 1, .rcx = X2APIC_ICR, .rax = 0x44500 },
		{ .code = EXIT_MSR, .info_1 = 1, .rcx = 0x10 },
		{ .code = EXIT_MSR, .info_1 = 1, .rcx = 0xc0000080 },
		{ .code = EXIT_MSR, .info_1 = 1, .rcx = 0xc0010130, .rax = own },
		{ .code = EXIT_MSR, .info_1 = 1, .rcx = 0x1b, .rax = 0xfee00000 },
		/* The list of APIC ids into Socle's memory. */
		{ .code = 0x80000017, .info_1 = socle, .rax = 1 },
		/* The doorbell page: Socle's private memory, the guest's, none. */
		{ .code = 0x80000014, .info_1 = 1, .info_2 = socle },
		{ .code = 0x80000014, .info_1 = 1, .info_2 = own },
		{ .code = 0x80000014, .info_1 = 3 },
		{ .code = 0x72, .rax = 0 },
		{ .code = 0x78 },
		{ .code = 0x400, .info_1 = 4, .info_2 = socle },
		{ .code = ~0ull, .info_1 = ~0ull, .info_2 = ~0ull },
	};

	for (unsigned int i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		replace_exit(&list[i]);
		expect("a call", svsm_alive(), true);
	}
}

/* By each exit that is there to replace; how many. */
static unsigned int send_ipis(uint8_t vector)
{
	/* To VMPL0 of all CPUs but this one: a logical destination (APM volume 2, 16.14). */
	const struct words words = {
		.code = EXIT_MSR,
		.info_1 = 1,
		.rcx = X2APIC_ICR,
		.rax = ICR_LOGICAL | vector,
		.rdx = (1u << places.cpus) - 2,
	};
	unsigned int sent = 0;

	empty_doorbells();
	for (unsigned int i = 0; i < found.ghcb_count; i++) {
		if (!asks_to_run(found.ghcbs[i]))
			continue;
		say(found.ghcbs[i], &words);
		sent++;
	}
	return sent;
}

/*
 * #HV in the handler of #HV: the VMPL0s of the other CPUs, in this one's words, send IPIs to
 * themselves and each other. What the host writes into their doorbell pages is gone at once, so
 * that for the host nothing is pending there, and it signals again whatever VMPL0 does at that
 * moment.
 */
static void nest(void)
{
	unsigned int sent = 0;

	over = false;
	for (unsigned int i = 1; i < places.cpus; i++)
		cpu_begin(i, run_often);
	for (unsigned int looks = 1; sent < IPIS; looks++) {
		/* Of each priority class in turn: above the last one, which is in service. */
		sent += send_ipis((uint8_t)(sent % 14 * 16 + 0x21));
		if (looks % PATIENCE == 0)
			start_again(1);
	}
	over = true;
	for (unsigned int i = 1; i < places.cpus; i++)
		end_job(i);
}

const struct rule rules[] = {
	{ "Socle shares what it must and no more", "56421 2.3.2, 5", find, 1 },
	{ "events that the guest forges", "56421 5", forge, 2 },
	{ "a run that the guest calls refused", "56421 4.1, SNP Run VMPL", refuse, 2 },
	{ "#HV in the handler of #HV", "56421 5; APM 2, 15.36.16", nest, 3 },
	{ "exits of Socle in the guest's words", "56421 4", speak, 2 },
	{ "shared pages that the guest fills", "56421 5", fill, 1 },
	{ NULL, NULL, NULL, 0 },
};
