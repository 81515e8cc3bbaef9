/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "core/base/host/unix_socket.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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

static void test_stale(void **state)
{
	(void)state;
	close(bound("a"));
	assert_true(unix_socket_remove_stale("a"));
	assert_int_equal(access("a", F_OK), -1);
	assert_false(unix_socket_remove_stale("a"));
}

static void test_in_use(void **state)
{
	int fd = bound("a");

	(void)state;
	listen(fd, 1);
	assert_false(unix_socket_remove_stale("a"));
	assert_int_equal(access("a", F_OK), 0);
	close(fd);
	assert_true(unix_socket_remove_stale("a"));
}

/* Somebody's file, folder, pipe, or link to a socket that is left. */
static void test_no_socket(void **state)
{
	(void)state;
	close(open("file", O_CREAT | O_WRONLY, 0600));
	assert_int_equal(mkfifo("pipe", 0600), 0);
	close(bound("left"));
	assert_int_equal(symlink("left", "link"), 0);
	assert_false(unix_socket_remove_stale("file"));
	assert_false(unix_socket_remove_stale("."));
	assert_false(unix_socket_remove_stale("pipe"));
	assert_false(unix_socket_remove_stale("link"));
	assert_int_equal(access("file", F_OK) | access("pipe", F_OK) | access("link", F_OK), 0);
}

static void test_name_too_long(void **state)
{
	char name[200];

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_false(unix_socket_remove_stale(name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_in_use),
		cmocka_unit_test(test_no_socket),
		cmocka_unit_test(test_name_too_long),
	};
	int failed;

	if (chdir(scratch_dir_make()) != 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	scratch_dir_remove();
	return failed;
}
