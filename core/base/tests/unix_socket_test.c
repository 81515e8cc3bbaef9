/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "core/base/host/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/scratch_dir.h"

static int bound(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strncpy(at.sun_path, path, sizeof(at.sun_path) - 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static struct unix_socket_file file;

/* What happens to the name between bind() and listen(). */
static void (*before_listen)(void);

int listen(int fd, int backlog)
{
	void (*first)(void) = before_listen;

	before_listen = NULL;
	if (first)
		first();
	return (int)syscall(SYS_listen, fd, backlog);
}

static int listen_at(const char *path)
{
	return unix_socket_listen(path, 0, 5, &file);
}

static bool answers(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bool connected;

	strncpy(at.sun_path, path, sizeof(at.sun_path) - 1);
	connected = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
	close(fd);
	return connected;
}

static void test_stale(void **state)
{
	int fd;

	(void)state;
	close(bound("a"));
	fd = listen_at("a");
	assert_true(fd >= 0 && answers("a"));
	close(fd);
	unix_socket_remove("a", &file);
	assert_int_equal(access("a", F_OK), -1);
}

static void test_in_use(void **state)
{
	int fd = listen_at("a");

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(listen_at("a"), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_true(answers("a"));
	close(fd);
	fd = listen_at("a");
	assert_true(fd >= 0);
	close(fd);
	unlink("a");
}

/* Somebody's file, folder, pipe, or link to a socket that is left. */
static void test_no_socket(void **state)
{
	static const char *const names[] = { "file", ".", "pipe", "link" };

	(void)state;
	close(open("file", O_CREAT | O_WRONLY, 0600));
	assert_int_equal(mkfifo("pipe", 0600), 0);
	close(bound("left"));
	assert_int_equal(symlink("left", "link"), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(listen_at(names[i]), -1);
		assert_int_equal(errno, EADDRINUSE);
	}
	assert_int_equal(access("file", F_OK) | access("pipe", F_OK) | access("link", F_OK), 0);
}

static void test_name_too_long(void **state)
{
	char name[200];

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(listen_at(name), -1);
	assert_int_equal(errno, ENAMETOOLONG);
}

/* Another one has taken the name since: it is not ours to remove. */
static void test_removes_its_own_only(void **state)
{
	struct unix_socket_file first;
	int fd = listen_at("b"), other;

	(void)state;
	first = file;
	assert_int_equal(rename("b", "c"), 0);
	other = listen_at("b");
	assert_true(fd >= 0 && other >= 0);
	unix_socket_remove("b", &first);
	assert_true(answers("b"));
	unix_socket_remove("b", &file);
	assert_int_equal(access("b", F_OK), -1);
	unix_socket_remove("c", &first);
	assert_int_equal(access("c", F_OK), -1);
	close(fd);
	close(other);
}

/* Nobody replaces a socket whom another one keeps from the folder's lock; and nobody waits long. */
static void test_lock_is_held(void **state)
{
	int folder = open(".", O_RDONLY | O_DIRECTORY), fd;

	(void)state;
	assert_int_equal(flock(folder, LOCK_EX), 0);
	close(bound("d"));
	assert_int_equal(listen_at("d"), -1);
	assert_int_equal(errno, EADDRINUSE);
	fd = listen_at("e");
	assert_true(fd >= 0 && answers("e"));
	close(fd);
	close(folder);
}

/* A server that has stopped, with as many connections waiting as it has room for. */
static void test_full_backlog(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "full" };
	int server = bound("full"), clients[16], folder = open(".", O_RDONLY | O_DIRECTORY);
	size_t count = 0;

	(void)state;
	assert_int_equal(listen(server, 1), 0);
	do {
		assert_true(count < sizeof(clients) / sizeof(clients[0]));
		clients[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	} while (connect(clients[count++], (struct sockaddr *)&at, sizeof(at)) == 0);
	assert_int_equal(errno, EAGAIN);
	alarm(20); /* the end of a test that waits for the server */
	assert_int_equal(listen_at("full"), -1);
	assert_int_equal(errno, EADDRINUSE);
	alarm(0);
	assert_int_equal(flock(folder, LOCK_EX | LOCK_NB), 0);
	close(folder);
	while (count)
		close(clients[--count]);
	close(server);
	assert_int_equal(unlink("full"), 0);
}

static int taker;

static void take_name(void)
{
	assert_int_equal(unlink("taken"), 0);
	taker = bound("taken");
	assert_int_equal(listen(taker, 5), 0);
}

/* The name goes to another one, who is left alone. */
static void test_taken_before_it_listens(void **state)
{
	(void)state;
	before_listen = take_name;
	assert_int_equal(listen_at("taken"), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_true(answers("taken"));
	close(taker);
	assert_int_equal(unlink("taken"), 0);
}

#define RACERS 6
#define ROUNDS 60

/* Starts with all others, says whether it has the name, and keeps it until the end of input. */
static void race(const char *path, int start, int said, int end)
{
	char byte = 0;
	int fd;

	if (read(start, &byte, 1) < 0)
		_exit(1);
	fd = listen_at(path);
	byte = fd >= 0;
	if (write(said, &byte, 1) != 1)
		_exit(1);
	(void)!read(end, &byte, 1);
	_exit(0);
}

/* One has it and answers, whoever came first, and however far it had come when others looked. */
static void test_one_of_many(void **state)
{
	(void)state;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		int start[2], said[2], end[2];
		unsigned int have = 0;
		char byte;

		close(bound("race"));
		assert_int_equal(pipe(start) | pipe(said) | pipe(end), 0);
		for (unsigned int i = 0; i < RACERS; i++) {
			pid_t pid = fork();

			assert_true(pid >= 0);
			if (pid == 0) {
				close(start[1]);
				close(end[1]);
				race("race", start[0], said[1], end[0]);
			}
		}
		close(said[1]);	 /* so that one that ends without a word is the end of input */
		close(start[1]); /* the end of input starts them all */
		for (unsigned int i = 0; i < RACERS; i++) {
			assert_int_equal(read(said[0], &byte, 1), 1);
			have += byte == 1;
		}
		assert_int_equal(have, 1);
		assert_true(answers("race"));
		close(end[1]);
		while (wait(NULL) > 0)
			;
		close(start[0]);
		close(said[0]);
		close(end[0]);
		assert_int_equal(unlink("race"), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_in_use),
		cmocka_unit_test(test_no_socket),
		cmocka_unit_test(test_name_too_long),
		cmocka_unit_test(test_removes_its_own_only),
		cmocka_unit_test(test_lock_is_held),
		cmocka_unit_test(test_full_backlog),
		cmocka_unit_test(test_taken_before_it_listens),
		cmocka_unit_test(test_one_of_many),
	};
	int failed;

	if (chdir(scratch_dir_make()) != 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	scratch_dir_remove();
	return failed;
}
