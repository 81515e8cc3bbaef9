/* SPDX-License-Identifier: MIT */
/*
 * What stands on standard output, in which order, and what becomes of keys.
 * tests/machine/console_test.py has a terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/host/clock.h"
#include "machine/host/stdio_console.h"

struct fixture {
	struct stdio_console c;
	char *text;
	size_t size;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->c = (struct stdio_console){ .in = -1, .quiet_since = clock_ns() };
	f->c.out = open_memstream(&f->text, &f->size);
	*state = f;
	return f->c.out ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fclose(f->c.out);
	free(f->text);
	free(f);
	return 0;
}

static void guest(struct fixture *f, const char *text)
{
	stdio_console_guest(&f->c, text, strlen(text));
}

/* Nobody's line is cut by another's but the guest's, which goes on in a line of its own. */
static void test_lines(void **state)
{
	struct fixture *f = *state;

	guest(f, "one\ntw");
	stdio_console_svsm(&f->c, "ready");
	guest(f, "o\r\n");
	stdio_console_machine(&f->c, 12034, "stop");
	guest(f, "");
	assert_string_equal(f->text, "one\ntw\nsvsm| ready\no\r\n[  12.034] machine: stop\n");
}

/* Without a terminal there is neither colour nor progress. */
static void test_progress(void **state)
{
	struct fixture *f = *state;
	const uint64_t later = f->c.quiet_since + 5000000000u;

	stdio_console_tick(&f->c, later, 7);
	assert_false(stdio_console_ticks(&f->c));
	assert_int_equal(ftell(f->c.out), 0);
	f->c.terminal = true;
	assert_true(stdio_console_ticks(&f->c));
	stdio_console_tick(&f->c, f->c.quiet_since + 1900000000u, 7);
	assert_int_equal(ftell(f->c.out), 0);
	stdio_console_tick(&f->c, later, 7);
	guest(f, "login: ");
	stdio_console_tick(&f->c, later + 5000000000u, 8); /* it waits for an answer */
	stdio_console_svsm(&f->c, "x");
	assert_string_equal(f->text, "\r\x1b[Knothing printed for 5 s, 7 exits of the guest"
				     "\r\x1b[Klogin: \n\x1b[36msvsm| \x1b[0mx\n");
}

static void assert_keys(struct fixture *f, const char *typed, const char *sent, bool leaves)
{
	char keys[16];
	size_t size = strlen(typed);

	memcpy(keys, typed, size);
	assert_int_equal(stdio_console_keys(&f->c, keys, &size), leaves);
	if (leaves)
		return;
	assert_int_equal(size, strlen(sent));
	assert_memory_equal(keys, sent, size);
}

static void test_keys(void **state)
{
	struct fixture *f = *state;

	assert_keys(f, "ls\r\x03", "ls\r\x03", false);
	assert_keys(f, "\x01", "", false);
	assert_keys(f, "ab",
		    "\x01"
		    "b",
		    false);
	assert_keys(f, "\x01\x01x", "\x01x", false);
	assert_keys(f, "\x01qx", "x", false);
	assert_keys(f, "x\x01x", "", true);
	f->c.in_escape = true;
	assert_keys(f, "X", "", true);
}

/* In a child whose standard input is a terminal that reads without waiting (VMIN 0, termios(3)). */
static void on_terminal(const char *name)
{
	int fd = open(name, O_RDWR);
	struct stdio_console c;
	struct termios set, now;

	if (fd < 0 || dup2(fd, STDIN_FILENO) != STDIN_FILENO || tcgetattr(fd, &set) != 0)
		_exit(1);
	set.c_cc[VMIN] = 0;
	set.c_cc[VTIME] = 3;
	if (tcsetattr(fd, TCSANOW, &set) != 0)
		_exit(2);
	stdio_console_open(&c, STDIO_CONSOLE_ALL);
	if (tcgetattr(fd, &now) != 0 || c.in != STDIN_FILENO || now.c_lflag & (ICANON | ECHO))
		_exit(3);
	if (now.c_cc[VMIN] != 1 || now.c_cc[VTIME] != 0)
		_exit(4);
	stdio_console_end_keys(&c);
	if (tcgetattr(fd, &now) != 0 || c.in != -1 || now.c_lflag != set.c_lflag)
		_exit(5);
	if (now.c_cc[VMIN] != 0 || now.c_cc[VTIME] != 3)
		_exit(6);
	stdio_console_close(&c);
	_exit(0);
}

/*
 * A read waits for a key, whatever the terminal was set to; and it is as it was when there are no
 * more.
 */
static void test_terminal(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), status = -1;
	pid_t child;

	(void)state;
	assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		on_terminal(ptsname(master));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(master);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_progress, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keys, setup, teardown),
		cmocka_unit_test(test_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
