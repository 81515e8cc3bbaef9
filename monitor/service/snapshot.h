/* SPDX-License-Identifier: MIT */
/*
 * What a parked service was when it first waited for a request, or when it had last been prepared:
 * its memory map, the contents of its private pages, its registers and how far it had read its
 * files. The service pays for the copy.
 */
#ifndef SOCLE_MONITOR_SERVICE_SNAPSHOT_H
#define SOCLE_MONITOR_SERVICE_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/image/services_conf.h"
#include "monitor/base/addr.h"
#include "monitor/trap/user.h"

struct service;

enum snapshot_content {
	SNAPSHOT_IN_PLACE, /* a page of the archive: only its rights can change */
	SNAPSHOT_ZERO,	   /* private, all zeros */
	SNAPSHOT_COPY,	   /* private; what it held is in copy */
};

struct snapshot_page {
	uint64_t number : 48; /* of the page: its address divided by the page size */
	uint64_t rights : 8;  /* MAP_* */
	uint64_t content : 8; /* enum snapshot_content */
	gpa_t copy;
};
ABI_SIZE(struct snapshot_page, 16);

struct snapshot {
	struct snapshot_page *pages; /* by address; NULL: no snapshot was taken */
	size_t count;
	gpa_t first; /* the pages that hold this list */
	size_t span;
	struct user_context context;
	uint64_t heap_end;
	va_t read_buffer;
	size_t read_size;
	size_t positions[CONF_FDS];
};

/* Takes the snapshot of a ready service that has none. False: no memory, and nothing was taken. */
bool snapshot_take(struct service *service);

/*
 * Makes the service what its snapshot says; it runs nowhere. Pages that it got since are wiped and
 * freed. False when a page that it had given away cannot be had again: the rest is done then, and
 * repeating it does no harm.
 */
bool snapshot_restore(struct service *service);

/* Frees the snapshot, if there is one. */
void snapshot_free(struct service *service);

#endif
