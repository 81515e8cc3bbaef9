/* SPDX-License-Identifier: MIT */
/*
 * The end: everything is wiped before the host is asked for it, also when several vCPUs die or one
 * dies of dying, and no lock is taken. Each test is a process of its own, for a monitor dies once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "monitor/arch/arch.h"
#include "monitor/base/die.h"
#include "monitor/lock/lock.h"
#include "monitor/mem/alloc.h"
#include "monitor/mem/secret.h"
#include "monitor/trap/user.h"
#include "monitor/vcpu/secrets.h"

static struct {
	char did[32]; /* a letter for each thing */
	unsigned int cpu;
	char dies_in;  /* once, in the step with that letter */
	char other_in; /* another vCPU dies while this one is in that step */
	unsigned int ends;
	uint32_t reason;
	jmp_buf end;
	char log[256];
} t;

static void note(char letter)
{
	t.did[strlen(t.did)] = letter;
	if (t.dies_in == letter) {
		t.dies_in = 0;
		die(DIE_EXCEPTION, "of dying");
	}
	if (t.other_in == letter) {
		jmp_buf mine;

		t.other_in = 0;
		memcpy(mine, t.end, sizeof(mine));
		t.cpu = 1;
		if (!setjmp(t.end))
			die(DIE_BUG, "the other");
		t.cpu = 0;
		memcpy(t.end, mine, sizeof(mine));
	}
}

void secrets_wipe(void)
{
	note('s');
}

void user_leave(void)
{
	note('u');
}

void secret_wipe(void)
{
	note('m');
}

void page_wipe_secret(void)
{
	note('p');
}

unsigned int arch_cpu_index(void)
{
	return t.cpu;
}

void arch_log_putc(char c)
{
	t.log[strlen(t.log)] = c;
	if (c == '\n' && strlen(t.log) > 1)
		note('l');
}

_Noreturn void arch_terminate(uint32_t reason)
{
	note('T');
	t.ends++;
	t.reason = reason;
	longjmp(t.end, 1);
}

/* Whoever holds the log's lock is the one that does not come back. */
void lock_acquire(struct lock *lock)
{
	(void)lock;
	abort();
}

void lock_release(struct lock *lock)
{
	(void)lock;
	abort();
}

/* True when check() holds in a process in which nobody has died yet. */
static bool in_new_process(bool (*check)(void))
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(check() ? 0 : 1);
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void run(void)
{
	if (!setjmp(t.end))
		die(DIE_HOST, "a reason");
}

static bool did(const char *steps)
{
	if (strcmp(t.did, steps) == 0)
		return true;
	printf("did %s, not %s\n", t.did, steps);
	return false;
}

static bool alone(void)
{
	run();
	return did("sumplT") && t.reason == DIE_HOST &&
	       strcmp(t.log, "\nsocle: the monitor ends: a reason\n") == 0;
}

/* Each on a vCPU of its own, the first of which has written to the log. */
static bool of_dying(void)
{
	static const char steps[] = "sump";

	for (unsigned int i = 0; i < 4; i++) {
		memset(&t, 0, sizeof(t));
		t.cpu = i;
		t.dies_in = steps[i];
		run();
		if (!did(i ? "sumpT" : "sumplT") || t.ends != 1 || t.reason != DIE_EXCEPTION)
			return false;
	}
	return true;
}

static bool in_the_log(void)
{
	t.dies_in = 'l';
	run();
	return did("sumplT") && t.ends == 1 && t.reason == DIE_EXCEPTION;
}

/* The other one does all of it again, and asks for no end before. */
static bool at_once_in_wiping(void)
{
	t.other_in = 's';
	run();
	return did("ssumplTumpT") && t.ends == 2;
}

static bool at_once_in_the_log(void)
{
	t.other_in = 'l';
	run();
	return did("sumplsumpTT") && t.ends == 2 && !strstr(t.log, "the other");
}

static void everything_is_wiped_first(void **state)
{
	(void)state;
	assert_true(in_new_process(alone));
}

static void who_dies_of_dying_goes_on_behind_it(void **state)
{
	(void)state;
	assert_true(in_new_process(of_dying));
	assert_true(in_new_process(in_the_log));
}

static void two_vcpus_die_at_once(void **state)
{
	(void)state;
	assert_true(in_new_process(at_once_in_wiping));
	assert_true(in_new_process(at_once_in_the_log));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_wiped_first),
		cmocka_unit_test(who_dies_of_dying_goes_on_behind_it),
		cmocka_unit_test(two_vcpus_die_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
