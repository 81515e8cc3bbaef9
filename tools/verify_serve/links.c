/* SPDX-License-Identifier: MIT */
#include "tools/verify_serve/links.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

struct link {
	struct link *next, *before;
	int fd;
	uint64_t ends;
	uint64_t moved;	 /* when the last bytes came or went, as far as was seen */
	uint64_t amount; /* of them, then */
	bool begun, judged, answered;
	bool told;  /* nothing more is read from it, so that libmicrohttpd ends it in order */
	bool ended; /* the kernel has */
};

void links_init(struct links *links, uint64_t request_ms, uint64_t quiet_ms)
{
	*links = (struct links){ .request_ms = request_ms,
				 .quiet_ms = quiet_ms,
				 .lock = PTHREAD_MUTEX_INITIALIZER };
}

void links_end(struct links *links)
{
	pthread_mutex_destroy(&links->lock);
}

struct link *links_add(struct links *links, int fd, uint64_t now)
{
	struct link *link = calloc(1, sizeof(*link));

	if (!link)
		return NULL;
	link->fd = fd;
	link->ends = now + links->request_ms;
	link->moved = now;
	pthread_mutex_lock(&links->lock);
	link->next = links->first;
	if (link->next)
		link->next->before = link;
	links->first = link;
	pthread_mutex_unlock(&links->lock);
	return link;
}

bool links_remove(struct links *links, struct link *link)
{
	bool answered;

	if (!link)
		return false;
	pthread_mutex_lock(&links->lock);
	if (link->next)
		link->next->before = link->before;
	*(link->before ? &link->before->next : &links->first) = link->next;
	pthread_mutex_unlock(&links->lock);
	answered = link->answered;
	free(link);
	return answered;
}

void links_begin(struct links *links, struct link *link)
{
	if (!link)
		return;
	pthread_mutex_lock(&links->lock);
	link->begun = true;
	pthread_mutex_unlock(&links->lock);
}

void links_judge(struct links *links, struct link *link)
{
	if (!link)
		return;
	pthread_mutex_lock(&links->lock);
	link->judged = true;
	pthread_mutex_unlock(&links->lock);
}

void links_reply(struct links *links, struct link *link, uint64_t now)
{
	if (!link)
		return;
	pthread_mutex_lock(&links->lock);
	link->judged = false;
	link->moved = now;
	pthread_mutex_unlock(&links->lock);
}

void links_answered(struct links *links, struct link *link, uint64_t now)
{
	if (!link)
		return;
	pthread_mutex_lock(&links->lock);
	link->begun = false;
	link->answered = true;
	link->ends = now + links->request_ms;
	link->moved = now;
	pthread_mutex_unlock(&links->lock);
}

/* Bytes that came, and those that the other end has: the kernel counts them while nobody reads. */
static uint64_t amount_of(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
		return 0;
	return info.tcpi_bytes_received + info.tcpi_bytes_acked;
}

static bool has_unread(int fd)
{
	int size = 0;

	return ioctl(fd, SIOCINQ, &size) == 0 && size > 0;
}

static bool is_quiet(const struct links *links, struct link *link, uint64_t now)
{
	uint64_t amount = amount_of(link->fd);

	if (amount != link->amount || link->judged || has_unread(link->fd)) {
		link->amount = amount;
		link->moved = now;
	}
	return now >= link->moved + links->quiet_ms;
}

/*
 * Whether it was its first end. One that waits is told; one that does not take its answer would not
 * hear.
 */
static bool end_if_over(const struct links *links, struct link *link, uint64_t now)
{
	bool before = link->told || link->ended, quiet;

	if (link->ended || link->fd < 0)
		return false;
	quiet = is_quiet(links, link, now);
	link->ended = now >= link->ends || (quiet && link->begun);
	link->told = link->told || quiet;
	if (link->ended)
		shutdown(link->fd, SHUT_RDWR);
	else if (link->told && !before)
		shutdown(link->fd, SHUT_RD);
	return !before && (link->told || link->ended);
}

size_t links_tick(struct links *links, uint64_t now)
{
	uint64_t late = links->ticked && now > links->ticked + 2 * LINKS_TICK_MS
				? now - links->ticked - LINKS_TICK_MS
				: 0;
	size_t cut = 0;

	links->ticked = now;
	pthread_mutex_lock(&links->lock);
	for (struct link *link = links->first; link; link = link->next) {
		link->ends += late;
		link->moved += late;
		cut += end_if_over(links, link, now);
	}
	pthread_mutex_unlock(&links->lock);
	return cut;
}
