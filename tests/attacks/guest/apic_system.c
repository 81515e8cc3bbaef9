/* SPDX-License-Identifier: MIT */
/*
 * A small system of several processors whose interrupts are the SVSM's (docs/spec/apic-client.md).
 * A timer of the host, the i8254 at pin 2 of the IOAPIC, ticks at CPU 0 by the one vector that is
 * allowed; CPU 0 passes the tick on by IPI. Each CPU has threads, which the tick preempts, and
 * halts when none can run. Threads call functions on other CPUs, and wake those.
 *
 * A thread belongs to its CPU, for its stack is within the CPU's block (layout.h). What is per CPU
 * is touched by that CPU alone, with interrupts off.
 */
#include "tests/attacks/guest/apic_system.h"
#include "tests/attacks/guest/apic_client.h"

#define TIMER 0x61u /* the host's */
#define TICK 0x71u
#define CALL 0x81u
#define WAKE 0x91u

#define PIT_CHANNEL_0 0x40u
#define PIT_COMMAND 0x43u
#define PIT_RATE_GENERATOR 0x34u /* channel 0, both bytes, mode 2 */
#define PIT_COUNT 11932u	 /* 100 Hz of 1193182 */
#define PIN_TIMER 2u

#define TICKS 25u  /* that computing threads run for */
#define CALLS 20u  /* of each CPU to all others */
#define PASSES 60u /* of the token */
#define STACK_SIZE 3072u

enum { COMPUTES, CALLS_OTHERS, PASSES_TOKEN, THREADS };

struct thread {
	uint64_t rsp;
	uint64_t not_before; /* of ticks */
	bool waits_for_token, done;
	uint64_t progress, sum;
};

/* One CPU's. */
struct queue {
	struct thread threads[THREADS], idle, *current;
	uint64_t ticks, preemptions, halts, calls_taken;
};

static struct queue queues[CPUS_MAX];
static uint64_t ticks;			    /* atomic, CPU 0 counts */
static uint64_t token_at, passes, finished; /* atomic */
static uint64_t calls_done[CPUS_MAX];	    /* atomic: answers to the call that CPU waits for */
static uint64_t caller[CPUS_MAX];	    /* atomic: whose call a CPU is to take, by bit */

static uint64_t get(const uint64_t *number)
{
	return __atomic_load_n(number, __ATOMIC_SEQ_CST);
}

static struct queue *own_queue(void)
{
	return &queues[cpu_this()->id];
}

/* ---- Scheduling: interrupts are off ---- */

static bool is_ready(const struct thread *t)
{
	return !t->done && get(&ticks) >= t->not_before &&
	       (!t->waits_for_token || get(&token_at) == cpu_this()->id || get(&passes) >= PASSES);
}

/* The next one in turn; the idle one when none can run. */
static struct thread *choose(struct queue *q)
{
	size_t now = q->current == &q->idle ? 0 : (size_t)(q->current - q->threads);

	for (size_t i = 1; i <= THREADS; i++)
		if (is_ready(&q->threads[(now + i) % THREADS]))
			return &q->threads[(now + i) % THREADS];
	return &q->idle;
}

static void schedule(void)
{
	struct queue *q = own_queue();
	struct thread *old = q->current, *new = choose(q);

	if (new == old)
		return;
	q->current = new;
	switch_stacks(&old->rsp, new->rsp);
}

static void preempt(void)
{
	struct queue *q = own_queue();

	q->preemptions += q->current != &q->idle;
	schedule();
}

/* ---- Interrupts ---- */

static void send(uint64_t what)
{
	expect("ICR", write_register(ICR, what), 0);
}

static void take_calls(void)
{
	unsigned int id = cpu_this()->id;
	uint64_t from = __atomic_exchange_n(&caller[id], 0, __ATOMIC_SEQ_CST);

	for (unsigned int i = 0; i < places.cpus; i++) {
		if (!(from >> i & 1))
			continue;
		queues[id].calls_taken++;
		__atomic_fetch_add(&calls_done[i], 1, __ATOMIC_SEQ_CST);
	}
}

/* Its end comes before another thread goes on, which may take long to come back here. */
static void interrupt(uint64_t vector)
{
	if (vector == TIMER) {
		__atomic_fetch_add(&ticks, 1, __ATOMIC_SEQ_CST);
		send(OTHERS | TICK);
	}
	if (vector == CALL)
		take_calls();
	end_of_interrupt();
	own_queue()->ticks += vector == TIMER || vector == TICK;
	if (vector != CALL)
		preempt();
}

/* ---- Threads: interrupts are on, but for calls to the SVSM ---- */

static void interrupts_off(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static void interrupts_on(void)
{
	__asm__ volatile("sti" : : : "memory");
}

static void send_from_thread(uint64_t what)
{
	interrupts_off();
	send(what);
	interrupts_on();
}

static void sleep_until(struct thread *t, uint64_t tick)
{
	interrupts_off();
	t->not_before = tick;
	schedule();
	interrupts_on();
}

static uint64_t mix(uint64_t sum, uint64_t round)
{
	sum ^= sum << 13;
	sum ^= sum >> 7;
	sum ^= sum << 17;
	return sum + round;
}

/* Gives nobody the CPU: others run on it by preemption alone. */
static void compute(struct thread *t)
{
	uint64_t sum = 1, round = 0;

	while (get(&ticks) < TICKS)
		sum = mix(sum, round++);
	t->progress = round;
	t->sum = sum;
}

static void call_others(struct thread *t)
{
	unsigned int id = cpu_this()->id;

	for (unsigned int i = 0; i < CALLS; i++) {
		__atomic_store_n(&calls_done[id], 0, __ATOMIC_SEQ_CST);
		for (unsigned int to = 0; to < places.cpus; to++)
			if (to != id)
				__atomic_fetch_or(&caller[to], 1ull << id, __ATOMIC_SEQ_CST);
		send_from_thread(OTHERS | CALL);
		while (get(&calls_done[id]) < places.cpus - 1)
			cpu_relax();
		t->progress++;
		if (i % 8 == 7)
			sleep_until(t, get(&ticks) + 1);
	}
}

static void pass_token(struct thread *t)
{
	unsigned int id = cpu_this()->id, next = (id + 1) % places.cpus;

	sleep_until(t, TICKS + 1);
	sleep_until(t,
		    get(&ticks) + 2); /* the others are done by then, so CPUs are idle meanwhile */
	while (get(&passes) < PASSES) {
		if (get(&token_at) == id) {
			t->progress++;
			__atomic_fetch_add(&passes, 1, __ATOMIC_SEQ_CST);
			__atomic_store_n(&token_at, next, __ATOMIC_SEQ_CST);
			send_from_thread(TO(next) | WAKE);
		}
		interrupts_off();
		t->waits_for_token = true;
		schedule();
		t->waits_for_token = false;
		interrupts_on();
	}
	send_from_thread(ALL | WAKE); /* whoever waits looks whether it is over */
}

static void (*const bodies[THREADS])(struct thread *t) = { compute, call_others, pass_token };

static void run_thread(void)
{
	struct queue *q = own_queue();
	struct thread *t = q->current;

	interrupts_on();
	bodies[t - q->threads](t);
	interrupts_off();
	t->done = true;
	schedule();
}

/* As if it had called switch_stacks(), from run_thread()'s first instruction. */
static void make_thread(struct thread *t, uint8_t *stack)
{
	uint64_t *top = (uint64_t *)(((uint64_t)stack + STACK_SIZE) & ~15ull);

	*--top = 0;
	*--top = (uint64_t)run_thread;
	for (unsigned int i = 0; i < SWITCHED_WORDS; i++)
		*--top = 0;
	*t = (struct thread){ .rsp = (uint64_t)top };
}

static bool all_done(const struct queue *q)
{
	for (unsigned int i = 0; i < THREADS; i++)
		if (!q->threads[i].done)
			return false;
	return true;
}

/*
 * A CPU's life: its threads' stacks are here. Other CPUs' calls and ticks come until they are
 * through.
 */
static void run_here(void)
{
	uint8_t stacks[THREADS][STACK_SIZE];
	struct queue *q = own_queue();

	*q = (struct queue){ .current = &q->idle };
	for (unsigned int i = 0; i < THREADS; i++)
		make_thread(&q->threads[i], stacks[i]);
	while (!all_done(q)) {
		schedule();
		if (all_done(q))
			break;
		q->halts++;
		halt();
	}
	__atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
	while (get(&finished) < places.cpus)
		let_in();
}

static void timer_start(void)
{
	expect("allow the timer's vector", svsm_call(CONFIGURE_VECTOR, 0x100 | TIMER, 0, 0), 0);
	ghcb_out8(PIT_COMMAND, PIT_RATE_GENERATOR);
	ghcb_out8(PIT_CHANNEL_0, PIT_COUNT & 0xff);
	ghcb_out8(PIT_CHANNEL_0, PIT_COUNT >> 8);
	pin_write(PIN_TIMER, TIMER);
}

static void timer_stop(void)
{
	pin_write(PIN_TIMER, PIN_MASKED);
	expect("forbid it", svsm_call(CONFIGURE_VECTOR, TIMER, 0, 0), 0);
	for (unsigned int i = 0; i < HOST_PATIENCE; i++) /* one may wait */
		let_in();
}

static void boot(void)
{
	start();
	apic_handler = interrupt;
	timer_start();
	for (unsigned int i = 1; i < places.cpus; i++)
		cpu_begin(i, run_here);
	run_here();
	for (unsigned int i = 1; i < places.cpus; i++)
		cpu_end(i);
	timer_stop();
	for (unsigned int i = 0; i < places.cpus; i++)
		expect("all threads came to their end", all_done(&queues[i]), true);
}

static void ticked(void)
{
	uint64_t now;

	expect("the timer ticked", queues[0].ticks >= TICKS, true);
	expect("it is edge-triggered", read_register(TMR + TIMER / 32), 0);
	for (unsigned int i = 1; i < places.cpus; i++) {
		expect("each CPU had some", queues[i].ticks != 0, true);
		expect("and none too many", queues[i].ticks <= get(&ticks), true);
	}
	now = get(&ticks);
	for (unsigned int i = 0; i < HOST_PATIENCE; i++)
		let_in();
	expect("it is off", get(&ticks), now);
}

static void preempted(void)
{
	for (unsigned int i = 0; i < places.cpus; i++) {
		const struct thread *t = &queues[i].threads[COMPUTES];
		uint64_t sum = 1;

		for (uint64_t round = 0; round < t->progress; round++)
			sum = mix(sum, round);
		expect("what it computed", t->sum, sum);
		expect("others ran meanwhile", queues[i].threads[CALLS_OTHERS].progress, CALLS);
		expect("for it was preempted", queues[i].preemptions != 0, true);
	}
}

static void called(void)
{
	for (unsigned int i = 0; i < places.cpus; i++)
		expect("each call once", queues[i].calls_taken,
		       (uint64_t)CALLS * (places.cpus - 1));
}

static void passed(void)
{
	uint64_t all = 0;

	for (unsigned int i = 0; i < places.cpus; i++) {
		uint64_t progress = queues[i].threads[PASSES_TOKEN].progress;

		expect("in turn", progress >= PASSES / places.cpus, true);
		expect("idle CPUs halt", queues[i].halts != 0, true);
		all += progress;
	}
	expect("so often", all, PASSES);
	note("%lu ticks, %lu preemptions and %lu halts of CPU 0", get(&ticks),
	     queues[0].preemptions, queues[0].halts);
}

#define CLIENT "docs/spec/apic-client.md"

const struct rule rules[] = {
	{ "the system boots, and comes to its end", CLIENT, boot, 1 },
	{ "a timer of the host ticks by an allowed vector", CLIENT, ticked, 1 },
	{ "threads are preempted, and do not notice", CLIENT, preempted, 1 },
	{ "functions are called on other CPUs", CLIENT, called, 1 },
	{ "idle CPUs halt, and are woken", CLIENT, passed, 1 },
	{ 0 },
};
