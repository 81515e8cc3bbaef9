/* SPDX-License-Identifier: MIT */
/*
 * Socle's requests, rewritten: CPU 1 makes a call, and is held before the N-th step of its VMPL0
 * (the machine's `--hold N`). When that is an exit with the GHCB page, CPU 0 puts another request
 * in its place, by the page's shared view, and CPU 1 goes on. Which exit is met is N's choice:
 * before step 1 a line of the log, before step 2 RUN_VMPL and the timer's MSRs, before step 6 a
 * guest request. So each rule says how many it held, and the runner how many there must be.
 *
 * What must come of it is the table of docs/shared-pages.md: the host does what it is asked, for
 * VMPL0, and refuses what no VMPL may; at most the guest loses a vCPU, which it can make anew.
 * Nothing of the guest's ever runs at VMPL0, every answer to a call is true, and after each rule
 * all vCPUs are served and the monitor's memory is what it was (tests/attacks/memory.py).
 */
#include <string.h>

#include "tests/attacks/guest/found.h"
#include "tests/attacks/guest/hold.h"
#include "tests/attacks/guest/lives.h"

#define VICTIM 1u	/* whose request is rewritten */
#define DOOMED 2u	/* that AP_CREATION stops */
#define SPARE 3u	/* in whose name the guest's own VMSA would run at VMPL 0 */
#define PATIENCE 20000u /* looks at what may never come */
#define ATTEST_SERVICES 0x100000000ull

/* What Socle asks of the host once a guest runs (56421, section 4). */
#define EXIT_IOIO 0x7bull
#define EXIT_MSR 0x7cull
#define EXIT_GUEST_REQUEST 0x80000011ull
#define EXIT_EXTENDED_REQUEST 0x80000012ull
#define EXIT_RUN_VMPL 0x80000018ull

struct forgery {
	const char *what;
	uint64_t code, info_1, info_2;
	void (*fill)(volatile struct ghcb *page); /* what more it takes */
	void (*mend)(void);			  /* what it did to the guest */
	bool refused;				  /* by the host */
};

static unsigned int victim = 1; /* whose request is rewritten */
static struct found found;
static struct svsm_regs regs;
static struct svsm_attest_op *op;
static uint64_t own_page, own_vmsa, own_shared[2];
static volatile bool armed, answered, ran_at_vmpl0;
static uint8_t canary_stack[4096] __attribute__((aligned(16)));
static unsigned int held;
static uint64_t held_code; /* of the last of them */

/* ---- What is put in the place of a request ---- */

static void set_valid(volatile struct ghcb *page, size_t offset)
{
	page->valid_bitmap[offset / 64] |= (uint8_t)(1u << offset / 8 % 8);
}

static void put_request(volatile struct ghcb *page, const struct forgery *forgery)
{
	for (unsigned int i = 0; i < sizeof(page->valid_bitmap); i++)
		page->valid_bitmap[i] = 0;
	page->sw_exit_code = forgery->code;
	page->sw_exit_info_1 = forgery->info_1;
	page->sw_exit_info_2 = forgery->info_2;
	if (forgery->fill)
		forgery->fill(page);
	set_valid(page, offsetof(struct ghcb, sw_exit_info_1));
	set_valid(page, offsetof(struct ghcb, sw_exit_info_2));
	set_valid(page, offsetof(struct ghcb, sw_exit_code));
}

static void no_request(volatile struct ghcb *page)
{
	page->protocol_version = 2;
}

static void canary(void)
{
	ran_at_vmpl0 = true;
	for (;;)
		cpu_relax();
}

/*
 * A page of the guest as the VMSA of VMPL 0. RAX has SEV_FEATURES: those of Socle's, for a host may
 * take no others for a level.
 */
static void fill_vmsa(volatile struct ghcb *page)
{
	vmsa_fill((struct snp_vmsa *)own_vmsa, 0, canary, canary_stack + sizeof(canary_stack));
	page->sw_exit_info_2 = own_vmsa;
	page->rax = SNP_FEATURE_SNP | SNP_FEATURE_RESTRICTED_INJECTION;
	set_valid(page, offsetof(struct ghcb, rax));
}

static void fill_list(volatile struct ghcb *page)
{
	volatile struct ghcb_psc_header *header = (volatile void *)page->shared_buffer;
	volatile uint64_t *entry = (volatile uint64_t *)(header + 1);

	header->cur_entry = header->end_entry = 0;
	header->reserved = 0;
	*entry = own_page | (uint64_t)PSC_SHARED << 52;
	for (unsigned int i = 0; i < found.ghcb_count; i++) {
		if (shared_view(found.ghcbs[i]) == (volatile void *)page)
			page->sw_scratch = found.ghcbs[i] + offsetof(struct ghcb, shared_buffer);
	}
	set_valid(page, offsetof(struct ghcb, sw_scratch));
}

/* Socle knows that the page is not valid; whether it is shared only the host does. */
static void mend_page(void)
{
	expect("the page was shared", found_shared(own_page), true);
	expect("it comes back", page_get_back(own_page), 0);
	expect("and is given up for the next time", svsm_pvalidate(own_page), 0);
}

/* REP OUTSB of a byte of Socle's first page, which is private. */
static void fill_string(volatile struct ghcb *page)
{
	page->sw_scratch = places.svsm;
	set_valid(page, offsetof(struct ghcb, sw_scratch));
}

/* WRMSR of the EOI register: RCX has the MSR, EDX:EAX the value. */
static void fill_eoi(volatile struct ghcb *page)
{
	page->rcx = 0x80b;
	page->rax = page->rdx = 0;
	set_valid(page, offsetof(struct ghcb, rcx));
	set_valid(page, offsetof(struct ghcb, rax));
	set_valid(page, offsetof(struct ghcb, rdx));
}

/* A message of the guest's own, which is none: in two pages that are shared. */
static void fill_message(volatile struct ghcb *page)
{
	page->sw_exit_info_1 = own_shared[0];
	page->sw_exit_info_2 = own_shared[1];
}

static void fill_doorbell(volatile struct ghcb *page)
{
	page->sw_exit_info_2 = own_shared[0];
}

static void mend_doomed(void)
{
	vcpu_replace(DOOMED);
}

/* Its Socle is gone with the VMSA that the host was told to take: the guest's own loss. */
static void give_up_spare(void)
{
	cpu_at(SPARE)->up = false;
}

static const struct forgery forgeries[] = {
	{ "nothing is asked for", 0, 0, 0, no_request, NULL, true },
	{ "an exit that does not exist", 0x80001234, 0, 0, NULL, NULL, true },
	{ "run VMPL 0", EXIT_RUN_VMPL, 0, 0, NULL, NULL, true },
	{ "run VMPL 1", EXIT_RUN_VMPL, 1, 0, NULL, NULL, true },
	{ "run VMPL 3", EXIT_RUN_VMPL, 3, 0, NULL, NULL, true },
	{ "run VMPL 4", EXIT_RUN_VMPL, 4, 0, NULL, NULL, true },
	/*
	 * A host takes the address; VMRUN then refuses the page, which the RMP does not know as a
	 * VMSA.
	 */
	{ "start a page of the guest at VMPL 0", 0x80000013, (uint64_t)SPARE << 32 | 1, 0,
	  fill_vmsa, give_up_spare, false },
	{ "start it when INIT comes", 0x80000013, (uint64_t)SPARE << 32, 0, fill_vmsa,
	  give_up_spare, false },
	{ "stop VMPL 2 of another vCPU", 0x80000013, (uint64_t)DOOMED << 32 | 2u << 16 | 2, 0, NULL,
	  mend_doomed, false },
	{ "stop VMPL 0 of this one", 0x80000013, 1ull << 32 | 2, 0, NULL, NULL, true },
	{ "make a page of the guest shared", 0x80000010, 0, 0, fill_list, mend_page, false },
	{ "write a private page of Socle to a port", EXIT_IOIO, FOUND_OUTSB_INFO, 1, fill_string,
	  NULL, true },
	{ "end of interrupt", EXIT_MSR, 1, 0, fill_eoi, NULL, false },
	{ "an event for VMPL0", 0x80000015, 1ull << 32 | 0x41, 0, NULL, NULL, false },
	{ "a message of the guest's", EXIT_GUEST_REQUEST, 0, 0, fill_message, NULL, false },
};

static const struct forgery other_doorbell = { "another doorbell page", 0x80000014, 1,	  0,
					       fill_doorbell,		NULL,	    false };

/* ---- The calls ---- */

static void set_query(void)
{
	regs = (struct svsm_regs){ .rax = CORE_QUERY_PROTOCOL, .rcx = 1 };
}

static void set_attest(void)
{
	regs = (struct svsm_regs){ .rax = ATTEST_SERVICES, .rcx = (uint64_t)op };
}

static void new_op(void)
{
	op = (struct svsm_attest_op *)page_new();
	op->report = (struct svsm_loc){ .gpa = page_new(), .size = 0x1000 };
	op->nonce = (struct svsm_loc){ .gpa = page_new(), .size = 64 };
	op->manifest = (struct svsm_loc){ .gpa = page_new(), .size = 0x1000 };
}

static void make_call(void)
{
	*(volatile uint8_t *)cpu_this()->caa = 1;
	hold_arm();
	armed = true;
	answered = svsm_run(&regs);
}

/* ---- One race ---- */

/* The page in which an exit waits for its VMGEXIT; in all others the host has answered. */
static volatile struct ghcb *page_that_asks(void)
{
	for (unsigned int i = 0; i < found.ghcb_count; i++) {
		volatile struct ghcb *page = shared_view(found.ghcbs[i]);

		if (page->valid_bitmap[0x390 / 64] & 1u << (0x390 / 8 % 8))
			return page;
	}
	return NULL;
}

static bool returned(void)
{
	for (unsigned int i = 0; i < PATIENCE; i++) {
		if (!__atomic_load_n(&cpu_at(victim)->job, __ATOMIC_SEQ_CST))
			return true;
		cpu_relax();
	}
	return false;
}

/* The code of the exit that was held and rewritten, 0: it was another step, or there was none. */
static uint64_t rewrite(void (*set)(void), const struct forgery *forgery)
{
	volatile struct ghcb *page;
	uint64_t code = 0;

	set();
	armed = answered = false;
	cpu_begin(victim, make_call);
	while (!armed)
		cpu_relax();
	hold_wait();
	page = hold_state() == HOLD_HELD ? page_that_asks() : NULL;
	if (page) {
		code = page->sw_exit_code;
		put_request(page, forgery);
		held++;
		held_code = code;
	}
	hold_go_on();
	return code;
}

static bool is_request(uint64_t code)
{
	return code == EXIT_GUEST_REQUEST || code == EXIT_EXTENDED_REQUEST;
}

/* Only these are asked for while a guest runs, whatever the call and the step. */
static bool may_ask(uint64_t code)
{
	return code == 0 || code == EXIT_IOIO || code == EXIT_MSR || code == EXIT_RUN_VMPL ||
	       is_request(code);
}

static void tell(void)
{
	note("held %u exits, the last 0x%lx", held, held_code);
}

/*
 * A host that did what was asked in the place of "run VMPL 2" is asked again; a refusal is final.
 */
static void run_race(void (*set)(void), const struct forgery *forgery)
{
	uint64_t code = rewrite(set, forgery);

	expect("an exit that may be", may_ask(code), true);
	if (code == EXIT_RUN_VMPL && forgery->refused) {
		expect(forgery->what, returned(), false);
		vcpu_replace(victim);
	} else {
		cpu_end(victim);
		expect("VMPL0 ran", answered, true);
		/* Of a message that was not sent there is no answer. */
		if (!is_request(code) || regs.rax != 0x80001001)
			expect(forgery->what, regs.rax, 0);
	}
	if (code && forgery->mend)
		forgery->mend();
	expect("nothing of ours ran at VMPL 0", ran_at_vmpl0, false);
}

static void run_races(void (*set)(void))
{
	held = 0;
	for (unsigned int i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
		run_race(set, &forgeries[i]);
		if (set == set_attest)
			expect("an honest one", svsm_call(ATTEST_SERVICES, (uint64_t)op, 0, 0), 0);
	}
}

/* The word of the valid bitmap that has the bit of SW_EXITINFO1: 56421, layout of the GHCB. */
static volatile uint16_t *answered_bit(unsigned int i)
{
	return shared_view(found.ghcbs[i] + 0x3f0 + 0x390 / 64);
}

/*
 * A line of the log, which Socle writes when the host refuses to run the guest: once for each vCPU,
 * so this is done three times and no more. The answer to "run VMPL 2" is there before the guest
 * runs, and without its bit it is a refusal. Then the line is the first step, and the vCPU waits.
 */
static void rewrite_line(unsigned int id, const struct forgery *forgery)
{
	uint16_t before[FOUND_MAX] = { 0 };

	victim = id;
	for (unsigned int i = 0; i < found.ghcb_count; i++) {
		before[i] = *answered_bit(i);
		*answered_bit(i) = 0;
	}
	expect("a write to a port", rewrite(set_query, forgery), EXIT_IOIO);
	expect("it waits", returned(), false);
	for (unsigned int i = 0; i < found.ghcb_count; i++) {
		if (*answered_bit(i) == 0)
			*answered_bit(i) = before[i];
	}
	vcpu_replace(victim);
	victim = 1;
	if (forgery->mend)
		forgery->mend();
	expect("nothing of ours ran at VMPL 0", ran_at_vmpl0, false);
}

/* The first step of any call proves that its VMSA does not run: then N is 1. */
static bool holds_first_step(void)
{
	bool first;

	set_query();
	armed = false;
	cpu_begin(victim, make_call);
	while (!armed)
		cpu_relax();
	hold_wait();
	first = hold_state() == HOLD_HELD && !page_that_asks();
	hold_go_on();
	cpu_end(victim);
	return first;
}

static void rewrite_log(void)
{
	unsigned int id = 1;

	held = 0;
	if (!holds_first_step())
		return;
	/* SPARE's own line comes first: what follows costs it its Socle. */
	for (unsigned int i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
		if (forgeries[i].fill == fill_list)
			rewrite_line(SPARE, &forgeries[i]);
	}
	for (unsigned int i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
		if (forgeries[i].fill == fill_vmsa)
			rewrite_line(id++, &forgeries[i]);
	}
	tell();
}

static void find(void)
{
	found_look(&found);
	expect("a GHCB of each vCPU", found.ghcb_count, places.cpus);
	own_page = page_new();
	own_vmsa = page_new();
	expect("a page is not valid any more", svsm_pvalidate(own_page), 0);
	pages_keep(own_page, 1, "invalid");
	pages_keep(own_vmsa, 1, NULL);
	for (unsigned int i = 0; i < 2; i++) {
		own_shared[i] = page_new();
		expect("a page is given up", page_give_up(own_shared[i]), 0);
		pages_keep(own_shared[i], 1, "shared");
	}
}

static void rewrite_attest(void)
{
	new_op();
	run_races(set_attest);
	tell();
}

/* The last of all has CPU 1's events for VMPL0 go elsewhere from then on. */
static void rewrite_query(void)
{
	run_races(set_query);
	run_race(set_query, &other_doorbell);
	tell();
}

const struct rule rules[] = {
	{ "Socle's GHCBs are found", "56421 2.3.2", find, 4 },
	{ "lines of the log, rewritten", "docs/shared-pages.md", rewrite_log, 4 },
	{ "exits of an attestation, rewritten", "docs/shared-pages.md", rewrite_attest, 4 },
	{ "exits of a call, rewritten", "docs/shared-pages.md", rewrite_query, 4 },
	{ NULL, NULL, NULL, 0 },
};
