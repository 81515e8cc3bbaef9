/* SPDX-License-Identifier: MIT */
/*
 * Connections, and how long they may stay: so long from the start, or the last answer, to the next
 * answer, however busy they are; and so long without a byte. What a connection has not moved
 * because this process did not run (a busy computer, a virtual machine that was moved) is no
 * client's fault: it counts for neither, and bytes that lie unread are this side's to take.
 * libmicrohttpd's own limit would close such a connection with a request waiting in it.
 */
#ifndef SOCLE_TOOLS_VERIFY_SERVE_LINKS_H
#define SOCLE_TOOLS_VERIFY_SERVE_LINKS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINKS_TICK_MS 500u

/* A connection, for as long as it is open. */
struct link;

struct links {
	uint64_t request_ms, quiet_ms; /* how long they may stay */
	uint64_t ticked;	       /* when they were last looked at, of clock_ms(); 0: never */
	pthread_mutex_t lock;	       /* of the list, and of what is in it */
	struct link *first;
};

void links_init(struct links *links, uint64_t request_ms, uint64_t quiet_ms);
void links_end(struct links *links);

/* NULL when memory is short. fd is open until after links_remove(). Times are of clock_ms(). */
struct link *links_add(struct links *links, int fd, uint64_t now);

/* Whether a request was ever answered on it. link may be NULL. */
bool links_remove(struct links *links, struct link *link);

/* A request has begun. */
void links_begin(struct links *links, struct link *link);

/*
 * The whole of it is here, and it is this side's turn until links_reply(), which has an answer to
 * send.
 */
void links_judge(struct links *links, struct link *link);
void links_reply(struct links *links, struct link *link, uint64_t now);

/* It was answered: the next has its own time. */
void links_answered(struct links *links, struct link *link, uint64_t now);

/*
 * Ends those whose time is over, each once, and says how many: the other end sees it, and so does
 * libmicrohttpd. To be called every LINKS_TICK_MS; that it comes later means that nothing ran.
 */
size_t links_tick(struct links *links, uint64_t now);

#endif
