/* SPDX-License-Identifier: MIT */
/*
 * The run loop: what it does, in order, against a host and a guest that are scripted. Each step is
 * a letter: p looks at events, s serves, S does so when there was one since the guest ran, l leaves
 * the service's space, a does work ahead, A arms the timer for it, t stops the timer, r runs the
 * guest, h halts, w warns. The order is that of run/run.c's and cpu/wait.h's contract. What runs is
 * the level that was served, VMPL2 or, by an R, another one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/arch/arch.h"
#include "monitor/base/die.h"
#include "monitor/cpu/wait.h"
#include "monitor/log/log.h"
#include "monitor/protocol/ahead.h"
#include "monitor/run/run.h"
#include "monitor/run/serve.h"
#include "monitor/trap/trap.h"
#include "monitor/trap/user.h"

#define ROUNDS_MAX 512u

static struct cpu *cpu;
static char steps[8 * ROUNDS_MAX];
static unsigned int count, runs;
static const char *guest;      /* one letter for each serve: g VMPL2, 3 VMPL3, n there is none */
static unsigned int level;     /* that serve has said */
static bool lower_interrupted; /* VMPL3, at the last serve */
static const char *host;       /* one letter for each run: r returned, e event, x refused */
/* One letter for each look at events: y there was one; then there is none. */
static const char *events;
/* One letter for each look for work ahead: y it was done, n it waits; then there is none. */
static const char *work;
static uint64_t now_ns, due_ns, armed_ns, serve_ns;
static bool has_run;	  /* so the VMSA of the boot vCPU says */
static bool says_it_once; /* and then the opposite */
static bool locked;
static enum die_reason reason;
static jmp_buf over;

static void step(char what)
{
	steps[count++] = what;
	steps[count] = '\0';
}

bool arch_poll_events(struct cpu *which)
{
	assert_ptr_equal(which, cpu);
	step('p');
	return *events && *events++ == 'y';
}

bool ahead_turn(unsigned int index)
{
	assert_int_equal(index, cpu->index);
	if (*work == 'y')
		step('a');
	return *work == 'y';
}

uint64_t ahead_due(unsigned int index)
{
	assert_int_equal(index, cpu->index);
	return *work && *work++ ? due_ns : 0;
}

uint64_t arch_now_ns(void)
{
	return now_ns;
}

void arch_timer_arm(struct cpu *which, uint64_t deadline_ns, uint64_t period_ns)
{
	assert_ptr_equal(which, cpu);
	assert_int_equal(deadline_ns, due_ns);
	cpu->timer_deadline = deadline_ns;
	armed_ns = period_ns;
	step('A');
}

unsigned int serve_vcpu(unsigned int index, unsigned int interrupted)
{
	assert_int_equal(index, cpu->index);
	if (!*guest)
		longjmp(over, 1);
	step(interrupted & 1u << 2 ? 'S' : 's');
	assert_int_equal(interrupted & ~0xeu, 0);
	lower_interrupted = interrupted & 1u << 3;
	now_ns += serve_ns;
	level = *guest == 'g' ? 2 : *guest == '3' ? 3 : VMPL0;
	guest++;
	return level;
}

bool serve_has_run(unsigned int index)
{
	bool answer = has_run;

	assert_int_equal(index, 0);
	if (says_it_once)
		has_run = false;
	return answer;
}

void user_leave(void)
{
	step('l');
}

void arch_timer_stop(struct cpu *which)
{
	assert_ptr_equal(which, cpu);
	step('t');
}

enum arch_run arch_run_vmpl(unsigned int vmpl)
{
	char answer = *host;

	assert_int_equal(vmpl, level);
	step(vmpl == 2 ? 'r' : 'R');
	runs++;
	if (host[1])
		host++; /* the last one stays */
	return answer == 'r'   ? ARCH_RUN_RETURNED
	       : answer == 'e' ? ARCH_RUN_EVENT
			       : ARCH_RUN_REFUSED;
}

bool lock_any_held(void)
{
	return locked;
}

void wait_halt(struct cpu *which)
{
	assert_ptr_equal(which, cpu);
	step('h');
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)fmt;
	assert_int_equal(level, LOG_WARNING);
	step('w');
}

_Noreturn void die(enum die_reason why, const char *text)
{
	(void)text;
	reason = why;
	longjmp(over, 1);
}

static int start(void **state)
{
	(void)state;
	cpu = fake_cpu_block();
	fake_cpu_reset(cpu);
	count = runs = 0;
	has_run = says_it_once = false;
	events = work = "";
	now_ns = 1000;
	due_ns = 200001000;
	armed_ns = serve_ns = 0;
	reason = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(cpu);
	return 0;
}

static const char *run(unsigned int index, const char *of_guest, const char *of_host)
{
	cpu->index = index;
	guest = of_guest;
	host = of_host;
	count = 0;
	if (setjmp(over) == 0)
		run_loop();
	return steps;
}

/* No lock waits with this vCPU: the host says for how long that is. */
static void nobody_sleeps_with_a_lock(void **state)
{
	(void)state;
	locked = true;
	assert_string_equal(run(1, "nn", "r"), "ps");
	assert_int_equal(reason, DIE_BUG);
	locked = false;
}

static void each_round_looks_serves_and_runs(void **state)
{
	(void)state;
	assert_string_equal(run(0, "gg", "r"), "psltrpsltrp");
	assert_string_equal(run(3, "gg", "r"), "psltrpsltrp");
}

static void the_level_that_was_served_runs(void **state)
{
	(void)state;
	assert_string_equal(run(1, "g33g", "r"), "psltrpsltRpsltRpsltrp");
	assert_string_equal(run(1, "3g", "xr"), "psltRwhpsltrp");
}

/* It is what the guest's exit may have been about, until it has run again. */
static void an_event_is_remembered_until_the_guest_runs(void **state)
{
	(void)state;
	events = "nynnn";
	assert_string_equal(run(1, "gggg", "r"), "psltrpSltrpsltrpsltrp");
	events = "ynnyn";
	assert_string_equal(run(1, "gggg", "eexr"), "pSltrpSltrpSltrwhpSltrp");
	events = "yn";
	assert_string_equal(run(1, "ngg", "r"), "pShpSltrpsltrp");
}

/*
 * A run of VMPL3 says nothing of VMPL2's exit; and whoever runs, that of VMPL3 has been looked at.
 */
static void an_event_is_remembered_until_the_first_level_runs(void **state)
{
	(void)state;
	events = "yn";
	assert_string_equal(run(1, "3", "r"), "pSltRp");
	assert_true(lower_interrupted);
	events = "ynnn";
	assert_string_equal(run(1, "3g", "r"), "pSltRpSltrp");
	assert_false(lower_interrupted);
	events = "ynnn";
	assert_string_equal(run(1, "33gg", "r"), "pSltRpSltRpSltrpsltrp");
	events = "ynn";
	assert_string_equal(run(1, "33", "xr"), "pSltRwhpSltRp");
	assert_true(lower_interrupted);
	events = "yn";
	assert_string_equal(run(1, "g3", "r"), "pSltrpsltRp");
	assert_false(lower_interrupted);
}

static void a_vcpu_without_a_guest_halts(void **state)
{
	(void)state;
	assert_string_equal(run(1, "nng", "r"), "pshpshpsltrp");
	assert_string_equal(run(0, "n", "r"), "pshp");
}

/* An event has to be looked at first; the guest is served anew, for it may have run meanwhile. */
static void an_event_begins_a_new_round(void **state)
{
	(void)state;
	assert_string_equal(run(1, "ggg", "eer"), "psltrpsltrpsltrp");
	assert_int_equal(reason, 0);
}

/* Work ahead is done between two runs of the guest, and its timer is armed once for each time. */
static void work_ahead_is_come_back_for(void **state)
{
	(void)state;
	work = "n";
	assert_string_equal(run(1, "gg", "r"), "pslArpsltrp");
	assert_int_equal(armed_ns, 200000000);
	cpu->timer_deadline = 0;
	work = "nnn";
	assert_string_equal(run(1, "ggg", "r"), "pslArpslrpslrp");
	/*
	 * What took the timer has it armed anew, and so has a tick that came early; never for
	 * nothing.
	 */
	work = "nnn";
	cpu->timer_deadline = 77;
	assert_string_equal(run(1, "gg", "r"), "pslArpslrp");
	cpu->tick = true;
	now_ns = due_ns - 5;
	work = "nn";
	assert_string_equal(run(1, "gg", "r"), "pslArpslrp");
	assert_int_equal(armed_ns, 1000000);
	assert_false(cpu->tick);
	/* Done, or due in the past, it comes back soon. */
	work = "y";
	cpu->timer_deadline = 0;
	now_ns = due_ns + 1;
	assert_string_equal(run(1, "gg", "r"), "psalArpsltrp");
	assert_int_equal(armed_ns, 1000000);
	/* Not behind a call that took its time. */
	work = "yy";
	cpu->timer_deadline = 0;
	serve_ns = 1000000;
	assert_string_equal(run(1, "gg", "r"), "pslArpslrp");
	serve_ns--;
	work = "y";
	assert_string_equal(run(1, "gg", "r"), "psalrpsltrp");
	serve_ns = 0;
	/* A vCPU without a guest halts no longer than that. */
	work = "n";
	cpu->timer_deadline = 0;
	assert_string_equal(run(1, "nn", "r"), "psAhpshp");
}

/*
 * The guest has stopped this vCPU at the host, or not started it yet: one line, and no busy loop.
 */
static void a_refusal_is_waited_out(void **state)
{
	(void)state;
	assert_string_equal(run(1, "ggg", "x"), "psltrwhpsltrhpsltrhp");
	assert_string_equal(run(1, "gg", "xr"), "psltrwhpsltrp");
	/* The boot vCPU too, when its guest has run. */
	has_run = true;
	assert_string_equal(run(0, "ggg", "rx"), "psltrpsltrwhpsltrhp");
	assert_int_equal(reason, 0);
}

static void the_guest_must_run_once(void **state)
{
	char rounds[ROUNDS_MAX + 1];

	(void)state;
	memset(rounds, 'g', ROUNDS_MAX);
	rounds[ROUNDS_MAX] = '\0';
	(void)run(0, rounds, "x");
	assert_int_equal(reason, 5);
	assert_int_equal(runs, 100);
	assert_null(strchr(steps, 'h'));

	/* A host that only says that it ran. */
	reason = 0;
	(void)run(0, rounds, "rx");
	assert_int_equal(reason, 5);

	/* No other vCPU is ours to start, and an event is no refusal. */
	reason = 0;
	(void)run(1, rounds, "x");
	assert_int_equal(reason, 0);
	(void)run(0, rounds, "e");
	assert_int_equal(reason, 0);
}

/* A guest that runs writes "refused" into the GHCB page before each of its exits. */
static void refusals_of_the_guest_end_nothing(void **state)
{
	char rounds[ROUNDS_MAX + 1];

	(void)state;
	memset(rounds, 'g', ROUNDS_MAX);
	rounds[ROUNDS_MAX] = '\0';
	has_run = true;
	(void)run(0, rounds, "x");
	assert_int_equal(reason, 0);
	assert_int_equal(runs, ROUNDS_MAX);

	/* One that has run, and has the host enter its VMSA where it cannot run. */
	says_it_once = true;
	runs = 0;
	(void)run(0, rounds, "rx");
	assert_int_equal(reason, 0);
	assert_int_equal(runs, ROUNDS_MAX);

	/*
	 * One that has the host take its first VMSA away, and makes another that says "never left".
	 */
	has_run = false;
	rounds[0] = 'n';
	(void)run(0, rounds, "x");
	assert_int_equal(reason, 0);
	assert_int_equal(runs, 2 * ROUNDS_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody_sleeps_with_a_lock, start, end),
		cmocka_unit_test_setup_teardown(each_round_looks_serves_and_runs, start, end),
		cmocka_unit_test_setup_teardown(the_level_that_was_served_runs, start, end),
		cmocka_unit_test_setup_teardown(an_event_is_remembered_until_the_guest_runs, start,
						end),
		cmocka_unit_test_setup_teardown(an_event_is_remembered_until_the_first_level_runs,
						start, end),
		cmocka_unit_test_setup_teardown(a_vcpu_without_a_guest_halts, start, end),
		cmocka_unit_test_setup_teardown(an_event_begins_a_new_round, start, end),
		cmocka_unit_test_setup_teardown(work_ahead_is_come_back_for, start, end),
		cmocka_unit_test_setup_teardown(a_refusal_is_waited_out, start, end),
		cmocka_unit_test_setup_teardown(the_guest_must_run_once, start, end),
		cmocka_unit_test_setup_teardown(refusals_of_the_guest_end_nothing, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
