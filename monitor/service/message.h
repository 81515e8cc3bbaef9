/* SPDX-License-Identifier: MIT */
/*
 * Messages on their way between a service and somebody else: whole pages in a row, private to us.
 */
#ifndef SOCLE_MONITOR_SERVICE_MESSAGE_H
#define SOCLE_MONITOR_SERVICE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/mem/alloc.h"
#include "monitor/mem/map.h"

/* Empty when data is NULL; a message of all zeros is an empty one. */
struct message {
	struct page_owner *owner; /* pays for the pages */
	gpa_t first;
	uint8_t *data;
	size_t size; /* bytes in use */
	size_t pages;
};

/*
 * Makes a message of size bytes, 1..SERVICE_MESSAGE_MAX, all zero. False: too large, or owner has
 * no memory.
 */
bool message_alloc(struct message *message, struct page_owner *owner, size_t size);

/* Wipes and frees the pages; the message is empty afterwards. An empty one may be freed. */
void message_free(struct message *message);

/* A new message from size bytes of a service's memory. False: as above, or a bad address. */
bool message_from_space(struct message *message, struct page_owner *owner,
			const struct address_space *space, va_t from, size_t size);

#endif
