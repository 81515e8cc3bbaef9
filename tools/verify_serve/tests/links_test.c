/* SPDX-License-Identifier: MIT */
/*
 * How long connections may stay, over connections of the kernel's, which counts their bytes, and by
 * a clock of the test's.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* cmocka wants the above first. */
#include <cmocka.h>

#include "tools/verify_serve/links.h"

#define REQUEST_MS 30000u
#define QUIET_MS 10000u

struct pair {
	int ours, theirs;
	struct links links;
	struct link *link;
	uint64_t now;
};

static int set_up(void **state)
{
	static struct pair p;
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	p = (struct pair){ .theirs = socket(AF_INET, SOCK_STREAM, 0), .now = 1000 };
	if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &size) ||
	    connect(p.theirs, (struct sockaddr *)&address, size))
		return -1;
	p.ours = accept(listener, NULL, NULL);
	close(listener);
	links_init(&p.links, REQUEST_MS, QUIET_MS);
	p.link = links_add(&p.links, p.ours, p.now);
	*state = &p;
	return p.ours < 0 || !p.link;
}

static int tear_down(void **state)
{
	struct pair *p = *state;

	if (p->link)
		links_remove(&p->links, p->link);
	links_end(&p->links);
	close(p->ours);
	close(p->theirs);
	return 0;
}

/* Ticks as they come, for so long; how many connections were ended. */
static size_t pass(struct pair *p, uint64_t ms)
{
	size_t cut = 0;

	for (uint64_t end = p->now + ms; p->now < end;) {
		p->now += end - p->now < LINKS_TICK_MS ? end - p->now : LINKS_TICK_MS;
		cut += links_tick(&p->links, p->now);
	}
	return cut;
}

/* Nothing ran for so long. */
static size_t stall(struct pair *p, uint64_t ms)
{
	p->now += ms;
	return links_tick(&p->links, p->now);
}

static void send_byte(struct pair *p, bool taken)
{
	char byte = 'x';

	assert_int_equal(send(p->theirs, &byte, 1, 0), 1);
	/* It is there when it can be looked at. */
	assert_int_equal(recv(p->ours, &byte, 1, taken ? 0 : MSG_PEEK), 1);
}

static bool is_ended(const struct pair *p)
{
	char byte;

	return recv(p->ours, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

static bool can_send(const struct pair *p)
{
	return send(p->ours, "x", 1, MSG_NOSIGNAL) == 1;
}

static void test_quiet(void **state)
{
	struct pair *p = *state;

	assert_int_equal(pass(p, QUIET_MS - 1), 0);
	assert_false(is_ended(p));
	assert_int_equal(pass(p, 1), 1);
	assert_true(is_ended(p));
	assert_true(can_send(p));			/* it can still be told */
	assert_int_equal(pass(p, REQUEST_MS), 0);	/* once */
	assert_false(can_send(p));			/* who does not go by itself is gone then */
	assert_false(links_remove(&p->links, p->link)); /* no request was answered */
	p->link = NULL;
}

static void test_busy(void **state)
{
	struct pair *p = *state;
	uint64_t begun = p->now;

	links_begin(&p->links, p->link);
	while (p->now + QUIET_MS / 2 < begun + REQUEST_MS) {
		send_byte(p, true);
		assert_int_equal(pass(p, QUIET_MS / 2), 0);
	}
	send_byte(p, true);
	assert_int_equal(pass(p, begun + REQUEST_MS - p->now), 1); /* bytes alone are no request */
	assert_true(is_ended(p));
}

/* A request that lies unread is this side's: the other limit holds for it alone. */
static void test_unread(void **state)
{
	struct pair *p = *state;

	assert_int_equal(pass(p, QUIET_MS - LINKS_TICK_MS), 0);
	send_byte(p, false);
	assert_int_equal(pass(p, REQUEST_MS - QUIET_MS), 0);
	assert_int_equal(pass(p, LINKS_TICK_MS), 1);
}

static void test_stall(void **state)
{
	struct pair *p = *state;

	assert_int_equal(pass(p, LINKS_TICK_MS), 0);
	assert_int_equal(stall(p, 10 * REQUEST_MS), 0);
	assert_int_equal(pass(p, QUIET_MS - 3 * LINKS_TICK_MS), 0);
	assert_int_equal(pass(p, 3 * LINKS_TICK_MS), 1); /* what was left of its time */
}

/* While an answer is made the client can do nothing; then it has to take it. */
static void test_judged(void **state)
{
	struct pair *p = *state;

	links_begin(&p->links, p->link);
	links_judge(&p->links, p->link);
	assert_int_equal(pass(p, 2 * QUIET_MS), 0);
	links_reply(&p->links, p->link, p->now);
	assert_int_equal(pass(p, QUIET_MS - 1), 0);
	assert_int_equal(pass(p, 1), 1);
}

static void test_answered(void **state)
{
	struct pair *p = *state;

	for (unsigned int i = 0; i < 5; i++) {
		links_begin(&p->links, p->link);
		assert_int_equal(pass(p, QUIET_MS - LINKS_TICK_MS), 0);
		links_answered(&p->links, p->link, p->now);
	}
	assert_int_equal(pass(p, QUIET_MS - 1), 0);
	assert_int_equal(pass(p, 1), 1);
	assert_true(links_remove(&p->links, p->link));
	p->link = NULL;
}

/* Only the one whose time is over; any may go first. */
static void test_several(void **state)
{
	struct pair *p = *state;
	struct link *others[3];
	int fd = dup(p->ours);

	for (unsigned int i = 0; i < 3; i++)
		others[i] = links_add(&p->links, -1, p->now + i);
	assert_false(links_remove(&p->links, others[1]));
	assert_int_equal(pass(p, QUIET_MS), 1); /* there is no socket to end for the others */
	assert_false(links_remove(&p->links, others[2]));
	assert_false(links_remove(&p->links, p->link));
	p->link = NULL;
	assert_false(links_remove(&p->links, others[0]));
	assert_false(links_remove(&p->links, NULL));
	assert_null(p->links.first);
	close(fd);
}

int main(void)
{
#define ON_A_PAIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ON_A_PAIR(test_quiet),	 ON_A_PAIR(test_busy),	 ON_A_PAIR(test_unread),
		ON_A_PAIR(test_stall),	 ON_A_PAIR(test_judged), ON_A_PAIR(test_answered),
		ON_A_PAIR(test_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
