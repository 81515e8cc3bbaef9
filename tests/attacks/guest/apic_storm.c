/* SPDX-License-Identifier: MIT */
/*
 * A storm of IPIs and NMIs between all vCPUs by the APIC protocol, for STORM_SECONDS of the host's
 * clock. Each sender does what chance says, again and again:
 *
 *	acknowledged	sends one of its own vector, waits until the other's handler has said so
 *	replied		the same, halted: the handler answers by an IPI
 *	NMI		to a vCPU with an even number from the one before it alone, acknowledged
 *	burst		sends several at once, interrupts or NMIs, and waits for one of them: those
 *			that waited already when the next came are one with it, and are counted
 *			apart
 *
 * What was acknowledged must have been handled exactly once. Handlers let higher classes in, and
 * each vCPU keeps some out by CR8 now and then.
 */
#include "tests/attacks/guest/apic_client.h"

#define ACKNOWLEDGED 0x40u /* by sender */
#define REPLY 0x50u	   /* by who replies */
#define BURST 0x80u	   /* by sender */
#define REQUEST 0xc0u	   /* by sender */
#define OF(vector) ((vector)&0xf0u)
#define WHO(vector) ((vector)&0x0fu)

#define BURST_MAX 6u
#define WAITS_MAX 40000000u
#define RTC_INDEX 0x70u
#define RTC_DATA 0x71u

/* From a sender to a target. The sender alone counts sent, the target alone the rest. */
struct traffic {
	uint64_t sent, handled;
};

static struct traffic acknowledged[CPUS_MAX][CPUS_MAX]; /* [sender][target] */
static struct traffic requested[CPUS_MAX][CPUS_MAX];
static struct traffic bursts[CPUS_MAX][CPUS_MAX];
static struct traffic nmis[CPUS_MAX];	    /* by target, with an even number */
static uint64_t nmi_bursts, nmis_in_bursts; /* atomic, to targets with odd numbers */
static uint64_t finished, gave_up;	    /* atomic */
static bool over;

static uint64_t get(const uint64_t *number)
{
	return __atomic_load_n(number, __ATOMIC_SEQ_CST);
}

static void count(uint64_t *number)
{
	__atomic_fetch_add(number, 1, __ATOMIC_SEQ_CST);
}

static void send(unsigned int to, uint64_t what)
{
	expect("ICR", write_register(ICR, TO(to) | what), 0);
}

static void handle(uint64_t vector)
{
	unsigned int id = cpu_this()->id, who = WHO(vector);

	if (vector == 2) {
		if (id % 2 == 0)
			count(&nmis[id].handled);
		return;
	}
	if (OF(vector) == ACKNOWLEDGED) {
		let_in(); /* of a higher class */
		count(&acknowledged[who][id].handled);
	} else if (OF(vector) == BURST) {
		count(&bursts[who][id].handled);
	} else if (OF(vector) == REQUEST) {
		count(&requested[who][id].handled);
		send(who, REPLY + id);
	}
	end_of_interrupt();
}

/* Takes interrupts meanwhile, as the other one may wait for this one. */
static void wait(const uint64_t *number, uint64_t value, void (*idle)(void))
{
	for (unsigned int i = 0; get(number) < value; i++) {
		if (i == WAITS_MAX) {
			count(&gave_up);
			return;
		}
		idle();
	}
}

static void acknowledge(unsigned int id, unsigned int to)
{
	struct traffic *t = &acknowledged[id][to];

	count(&t->sent);
	send(to, ACKNOWLEDGED + id);
	wait(&t->handled, t->sent, let_in);
}

static void request(unsigned int id, unsigned int to)
{
	struct traffic *t = &requested[id][to];

	count(&t->sent);
	send(to, REQUEST + id);
	wait(&seen[id].count[REPLY + to], t->sent, halt);
}

static void send_nmi(unsigned int id)
{
	unsigned int to = (id + 1) % places.cpus;

	if (to % 2 != 0 || to == id)
		return;
	count(&nmis[to].sent);
	send(to, NMI);
	wait(&nmis[to].handled, nmis[to].sent, let_in);
}

static void burst(unsigned int id, unsigned int to, unsigned int length)
{
	struct traffic *t = &bursts[id][to];
	uint64_t before = get(&t->handled);

	for (unsigned int i = 0; i < length; i++) {
		count(&t->sent);
		send(to, BURST + id);
	}
	wait(&t->handled, before + 1, let_in);
}

static void nmi_burst(unsigned int to, unsigned int length)
{
	uint64_t before = count_of(to, 2);

	if (to % 2 == 0)
		return;
	count(&nmi_bursts);
	for (unsigned int i = 0; i < length; i++) {
		count(&nmis_in_bursts);
		send(to, NMI);
	}
	wait(&seen[to].count[2], before + 1, let_in);
}

static void keep_out(uint64_t class)
{
	__asm__ volatile("mov %0, %%cr8" : : "r"(class) : "memory");
	let_in();
	__asm__ volatile("mov %0, %%cr8" : : "r"(0ull) : "memory");
}

static uint32_t chance(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void act(unsigned int id, uint32_t r)
{
	unsigned int to = (id + 1 + (r >> 8) % (places.cpus - 1)) % places.cpus;
	unsigned int length = 2 + (r >> 16) % (BURST_MAX - 1);

	switch (r & 7) {
	case 0:
	case 1:
		acknowledge(id, to);
		break;
	case 2:
	case 3:
		request(id, to);
		break;
	case 4:
		burst(id, to, length);
		break;
	case 5:
		nmi_burst(to, length);
		break;
	case 6:
		keep_out(r >> 24 & 15);
		break;
	default:
		send_nmi(id);
		break;
	}
}

static uint8_t rtc_seconds(void)
{
	ghcb_out8(RTC_INDEX, 0);
	return ghcb_in8(RTC_DATA);
}

/* On CPU 0 alone, for the index register is one. */
static void look_at_clock(void)
{
	static unsigned int seconds;
	static uint8_t last;
	static bool started;
	uint8_t now = rtc_seconds();

	if (started && now != last)
		seconds++;
	started = true;
	last = now;
	if (seconds > STORM_SECONDS)
		__atomic_store_n(&over, true, __ATOMIC_SEQ_CST);
}

static void storm_here(void)
{
	unsigned int id = cpu_this()->id;
	uint32_t state = 0x9e3779b9u * (id + 1);

	for (unsigned int i = 0; !__atomic_load_n(&over, __ATOMIC_SEQ_CST) && !get(&gave_up); i++) {
		if (id == 0 && i % 16 == 0)
			look_at_clock();
		act(id, chance(&state));
	}
	count(&finished);
	while (get(&finished) < places.cpus)
		let_in();
	for (unsigned int i = 0; i < HOST_PATIENCE; i++) /* what nobody waits for */
		let_in();
}

static void storm(void)
{
	start();
	apic_handler = handle;
	for (unsigned int i = 1; i < places.cpus; i++)
		cpu_begin(i, storm_here);
	storm_here();
	for (unsigned int i = 1; i < places.cpus; i++)
		cpu_end(i);
	apic_handler = NULL;
	expect("nobody waits in vain", gave_up, 0);
}

static void acknowledged_once(void)
{
	uint64_t all = 0;

	for (unsigned int from = 0; from < places.cpus; from++) {
		for (unsigned int to = 0; to < places.cpus; to++) {
			const struct traffic *t = &acknowledged[from][to];

			expect("handled", t->handled, t->sent);
			expect("interrupts", count_of(to, (uint8_t)(ACKNOWLEDGED + from)), t->sent);
			all += t->sent;
		}
	}
	note("%lu acknowledged IPIs", all);
	expect("there were some", all > places.cpus, true);
}

static void replied_once(void)
{
	uint64_t all = 0;

	for (unsigned int from = 0; from < places.cpus; from++) {
		for (unsigned int to = 0; to < places.cpus; to++) {
			const struct traffic *t = &requested[from][to];

			expect("handled", t->handled, t->sent);
			expect("replies", count_of(from, (uint8_t)(REPLY + to)), t->sent);
			all += t->sent;
		}
	}
	note("%lu requests, and as many replies", all);
	expect("there were some", all > places.cpus, true);
}

static void nmis_once(void)
{
	uint64_t all = 0;

	for (unsigned int to = 0; to < places.cpus; to += 2) {
		expect("handled", nmis[to].handled, nmis[to].sent);
		expect("NMIs", count_of(to, 2), nmis[to].sent);
		all += nmis[to].sent;
	}
	note("%lu acknowledged NMIs", all);
	expect("there were some", all != 0, true);
}

static void bursts_at_least_once(void)
{
	uint64_t sent = 0, handled = 0, nmis_handled = 0;

	for (unsigned int from = 0; from < places.cpus; from++) {
		for (unsigned int to = 0; to < places.cpus; to++) {
			const struct traffic *t = &bursts[from][to];

			expect("no more than were sent", t->handled <= t->sent, true);
			expect("some of each", t->handled * BURST_MAX >= t->sent, true);
			sent += t->sent;
			handled += t->handled;
		}
	}
	for (unsigned int to = 1; to < places.cpus; to += 2)
		nmis_handled += count_of(to, 2);
	expect("no more NMIs than were sent", nmis_handled <= nmis_in_bursts, true);
	note("%lu IPIs in bursts, %lu of them merged; %lu NMIs in %lu bursts, %lu of them merged",
	     sent, sent - handled, nmis_in_bursts, nmi_bursts, nmis_in_bursts - nmis_handled);
	expect("there were some", sent != 0 && nmis_handled != 0, true);
}

static void nothing_left(void)
{
	for (uint64_t reg = ISR; reg < IRR + 8; reg++)
		expect("nothing in service, nothing waits", read_register(reg), 0);
	for (unsigned int vector = 3; vector < 256; vector++) {
		uint64_t of = OF(vector);

		if (of == ACKNOWLEDGED || of == REPLY || of == BURST || of == REQUEST)
			continue;
		expect("no vector that nobody sent", count_of(cpu_this()->id, (uint8_t)vector), 0);
	}
}

static void nothing_left_anywhere(void)
{
	on_all(nothing_left);
}

#define SPEC "58019, APIC protocol"

const struct rule rules[] = {
	{ "a storm: each waits for what it sent", SPEC, storm, 2 },
	{ "acknowledged IPIs were handled once", "APM volume 2, 16.6", acknowledged_once, 2 },
	{ "so were requests, and their replies to halted vCPUs", "APM volume 2, 16.6", replied_once,
	  2 },
	{ "so were acknowledged NMIs", "APM volume 2, 15.21.10", nmis_once, 2 },
	{ "others were handled at least once", "APM volume 2, 16.6", bursts_at_least_once, 2 },
	{ "nothing is left", SPEC, nothing_left_anywhere, 2 },
	{ 0 },
};
