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
	bool cut, begun, judged, answered;
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

static bool is_over(const struct links *links, struct link *link, uint64_t now)
{
	uint64_t amount = amount_of(link->fd);

	if (amount != link->amount || link->judged || has_unread(link->fd)) {
		link->amount = amount;
		link->moved = now;
	}
	return now >= link->ends || now >= link->moved + links->quiet_ms;
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
		if (link->cut || link->fd < 0)
			continue;
		link->ends += late;
		link->moved += late;
		if (!is_over(links, link, now))
			continue;
		/* One that waits is ended as if the client had: with a word of TLS. Who does not read hears none. */
		shutdown(link->fd, link->begun ? SHUT_RDWR : SHUT_RD);
		link->cut = true;
		cut++;
	}
	pthread_mutex_unlock(&links->lock);
	return cut;
}
