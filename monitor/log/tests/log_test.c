/* SPDX-License-Identifier: MIT */
/* What the host reads: whole lines, each with a mark of its own, and of a service only text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/arch/arch.h"
#include "monitor/lock/lock.h"
#include "monitor/log/log.h"

static char out[1024];
static size_t used;
static unsigned int held, taken;

void arch_log_putc(char c)
{
	assert_true(used < sizeof(out) - 1);
	out[used++] = c;
}

void lock_acquire(struct lock *lock)
{
	/* The last of all locks, so that whoever holds others may log. */
	assert_int_equal(lock->rank, LOCK_RANK_LOG);
	assert_int_equal(held, 0);
	held++;
	taken++;
}

void lock_release(struct lock *lock)
{
	assert_int_equal(lock->rank, LOCK_RANK_LOG);
	assert_int_equal(held, 1);
	held--;
}

static int start(void **state)
{
	(void)state;
	memset(out, 0, sizeof(out));
	used = taken = held = 0;
	return 0;
}

static void a_line_has_its_mark_and_level(void **state)
{
	(void)state;
	log_printf(LOG_INFO, "vCPU %u: 0x%lx %s", 7u, 0xabcul, "text");
	log_printf(LOG_WARNING, "w");
	log_printf(LOG_ERROR, "e");
	assert_string_equal(out, "socle: vCPU 7: 0xabc text\nsocle: warning: w\nsocle: error: e\n");
	assert_int_equal(taken, 3);
	assert_int_equal(held, 0);
}

static void text_of_a_service_is_split_and_cleaned(void **state)
{
	(void)state;
	/* The ends of what is printable in ASCII, and what lies beside them. */
	log_text("vtpm", "a ~\x1f\x7f\x80\x1b[2J\nb\n\nc", 15);
	assert_string_equal(out, "socle: [vtpm] a ~....[2J\nsocle: [vtpm] b\nsocle: [vtpm] \n"
				 "socle: [vtpm] c\n");
	assert_int_equal(taken, 1); /* the lines of one text stay together */
	assert_int_equal(held, 0);
}

static void no_more_than_the_text_is_written(void **state)
{
	(void)state;
	log_text("a", "xyz", 2);
	assert_string_equal(out, "socle: [a] xy\n");
	log_text("a", "q\n", 2);
	assert_string_equal(out, "socle: [a] xy\nsocle: [a] q\n");
	log_text("a", "never", 0);
	assert_string_equal(out, "socle: [a] xy\nsocle: [a] q\n");
	assert_int_equal(held, 0);
}

static void last_words_take_no_lock(void **state)
{
	(void)state;
	log_emergency("the monitor ends", "why");
	assert_string_equal(out, "\nsocle: the monitor ends: why\n");
	assert_int_equal(taken, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_line_has_its_mark_and_level, start),
		cmocka_unit_test_setup(text_of_a_service_is_split_and_cleaned, start),
		cmocka_unit_test_setup(no_more_than_the_text_is_written, start),
		cmocka_unit_test_setup(last_words_take_no_lock, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
