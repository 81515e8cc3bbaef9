/* SPDX-License-Identifier: MIT */
/*
 * One service: a process with one thread, its memory and its descriptors. Whoever runs it or looks
 * into it has claimed it; only state may be read without.
 *
 * Its addresses, from below: the executable where it was linked, the heap (brk) behind it, mapped
 * memory in [PROCESS_MMAP_MIN, PROCESS_MMAP_MAX), the stack below PROCESS_STACK_TOP.
 */
#ifndef SOCLE_MONITOR_SERVICE_PROCESS_H
#define SOCLE_MONITOR_SERVICE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/image/services_conf.h"
#include "monitor/lock/claim.h"
#include "monitor/mem/alloc.h"
#include "monitor/mem/map.h"
#include "monitor/mem/secret.h"
#include "monitor/service/channel.h"
#include "monitor/service/message.h"
#include "monitor/service/snapshot.h"
#include "monitor/trap/user.h"

#define PROCESS_IMAGE_MAX 0x0000000080000000ull /* the executable ends below */
#define PROCESS_HEAP_MAX 0x0000000100000000ull
#define PROCESS_MMAP_MIN 0x0000100000000000ull
#define PROCESS_MMAP_MAX (PROCESS_MMAP_MIN + CONF_MEMORY_MAX)
#define PROCESS_STACK_TOP 0x00007fffff000000ull
#define PROCESS_STACK_SIZE (256u << 10)

enum process_state {
	PROCESS_ABSENT,
	/*
	 * Or waits for a service. If nobody has claimed it, it is suspended, or waits for its first
	 * call, not loaded yet.
	 */
	PROCESS_RUNNING,
	PROCESS_READY,	 /* waits in read() for its next request */
	PROCESS_BROKEN,	 /* parked: this run is over, and it is about to be set back */
	PROCESS_CRASHED, /* for good; its memory is wiped and freed */
};

/* A request that the service shall answer; the payload belongs to the caller of the service. */
struct process_request {
	uint32_t op;
	const void *payload;
	size_t size;
	bool keep;    /* parked services only: what a good answer leaves is the next snapshot */
	bool hurried; /* waits for nobody who uses the service */
	uint64_t slice_ns; /* comes back after so much time, to be continued; 0: when it is done */
};

struct loader_archive;

struct service {
	const struct conf_service *conf;
	/* Its executable, as long as it is not loaded, and the archive that this lies in. */
	const uint8_t *file;
	size_t file_size;
	const struct loader_archive *archive;
	struct claim claim; /* no lock: in a call the vCPU may sleep */
	enum process_state state;
	struct page_owner owner;
	struct address_space space;
	struct user_context context;
	struct snapshot snapshot;      /* parked services only */
	struct secret registers[2];    /* of both contexts, for die() to wipe */
	uint64_t heap_start, heap_end; /* heap_end is the break, not rounded */
	bool starting;		       /* it has not come to its first read() of a request yet */
	/*
	 * The request channel. While it starts a request waits for that, or there is none: then it
	 * is suspended in nobody's call.
	 */
	const struct process_request *request; /* the task, or NULL: none */
	bool request_taken;		       /* the service has read it */
	struct process_request task;
	uint64_t budget_left_ns;
	struct message reply; /* header and payload; empty: it has not answered */
	/* What a run came to that somebody else brought to its end, for whoever continues it. */
	struct message kept_reply;
	va_t read_buffer; /* of the read() that a ready service waits in */
	size_t read_size;
	struct channel channels[CONF_FDS];
};

/* Says in the log what the service is, and how much memory it uses. */
void process_log_memory(const struct service *service, const char *what);

/* Reads the state without the claim: true when a call may succeed. */
bool process_available(const struct service *service);

/* Changes the state, which others may look at meanwhile. The service is claimed. */
void process_set_state(struct service *service, enum process_state state);

/*
 * Puts the executable into the service's memory, so that it starts when it runs. Returns NULL, or
 * why not in words.
 */
const char *process_load(struct service *service);

/*
 * The end of a start: takes away what the service needed only for that, and copies one that is
 * parked. It runs nowhere, and is ready for its first request then, or has ended.
 */
void process_started(struct service *service);

/*
 * Ends the run of a parked service, which is broken then, or any other service for good, and says
 * why in the log. It may be running or ready.
 */
void process_crash(struct service *service, const char *why);

/*
 * Sets a parked service back to its snapshot, in which it is ready. False when there is no memory
 * for pages that it gave away: then it is broken, and this may be tried again.
 */
bool process_set_back(struct service *service);

/*
 * Makes what a parked service is now, ready, its snapshot. False when there is no memory for that:
 * then it has none any more, and must end.
 */
bool process_keep(struct service *service);

/* Ends the service for good, parked or not; says why in the log. */
void process_end(struct service *service, const char *why);

/* Wipes and frees all that the service has. Its state is not touched. */
void process_free(struct service *service);

/* brk(2): moves the break to at if it can. Returns where it is then. */
uint64_t process_brk(struct service *service, uint64_t at);

/*
 * Anonymous private readable and writable memory of size bytes, rounded up to pages, where there is
 * room. Returns its address, or minus an enum linux_errno.
 */
int64_t process_mmap(struct service *service, uint64_t size);

/* Unmaps memory that process_mmap() gave, or a part of it. 0 or minus an enum linux_errno. */
int64_t process_munmap(struct service *service, uint64_t at, uint64_t size);

/*
 * Takes rights away: rights (MAP_*) must be a part of what every page has. 0 or minus an enum
 * linux_errno; then nothing changed.
 */
int64_t process_protect(struct service *service, uint64_t at, uint64_t size, unsigned int rights);

#endif
