/* SPDX-License-Identifier: MIT */
/*
 * The request loop where the channel is short of memory, which under Linux it never is: write() is
 * the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/types.h>

#include "abi/service.h"
#include "services/common/serve.h"

#define REPLY_SIZE 100u

/* What the monitor has for replies, and what came of two requests. */
static struct {
	size_t room;
	int error;
	unsigned int requests, replies;
	struct service_reply last;
} monitor;

ssize_t __wrap_read(int fd, void *to, size_t size);
ssize_t __wrap_write(int fd, const void *from, size_t size);

ssize_t __wrap_read(int fd, void *to, size_t size)
{
	struct service_request request = { .op = 1 };

	assert_int_equal(fd, SERVICE_FD_REQUESTS);
	assert_true(size >= sizeof(request));
	if (monitor.requests == 2)
		return 0;
	monitor.requests++;
	memcpy(to, &request, sizeof(request));
	return sizeof(request);
}

ssize_t __wrap_write(int fd, const void *from, size_t size)
{
	assert_int_equal(fd, SERVICE_FD_REQUESTS);
	if (size > monitor.room) {
		errno = monitor.error;
		return -1;
	}
	monitor.replies++;
	memcpy(&monitor.last, from, sizeof(monitor.last));
	assert_int_equal(size, sizeof(monitor.last) + monitor.last.size);
	return (ssize_t)size;
}

static enum service_status answer(void *context, uint32_t op, const uint8_t *payload, size_t size,
				  struct serve_output *out)
{
	static const uint8_t bytes[REPLY_SIZE];

	(void)context, (void)op, (void)payload, (void)size;
	return serve_append(out, bytes, sizeof(bytes));
}

static int run(size_t room, int error)
{
	memset(&monitor, 0, sizeof(monitor));
	monitor.room = room;
	monitor.error = error;
	return serve(answer, NULL, 0, REPLY_SIZE);
}

static void sends_replies(void **state)
{
	(void)state;
	assert_int_equal(run(sizeof(struct service_reply) + REPLY_SIZE, ENOMEM), 0);
	assert_int_equal(monitor.replies, 2);
	assert_int_equal(monitor.last.status, SERVICE_OK);
	assert_int_equal(monitor.last.size, REPLY_SIZE);
}

static void outlives_a_reply_that_finds_no_memory(void **state)
{
	(void)state;
	assert_int_equal(run(sizeof(struct service_reply), ENOMEM), 0);
	assert_int_equal(monitor.replies, 2);
	assert_int_equal(monitor.last.status, SERVICE_ERR_NO_MEMORY);
	assert_int_equal(monitor.last.size, 0);
}

static void ends_where_nothing_can_be_sent(void **state)
{
	(void)state;
	assert_int_equal(run(0, ENOMEM), 1);
	assert_int_equal(monitor.requests, 1);
	assert_int_equal(run(sizeof(struct service_reply), EPIPE), 1);
	assert_int_equal(monitor.replies, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_replies),
		cmocka_unit_test(outlives_a_reply_that_finds_no_memory),
		cmocka_unit_test(ends_where_nothing_can_be_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
