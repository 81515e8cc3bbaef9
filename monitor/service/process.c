/* SPDX-License-Identifier: MIT */
#include "monitor/service/process.h"

#include "monitor/log/log.h"
#include "monitor/service/linux.h"
#include "monitor/service/loader.h"

void process_log_memory(const struct service *service, const char *what)
{
	const unsigned int kib = ABI_PAGE_SIZE >> 10;

	log_printf(LOG_INFO, "service %s is %s, %u of %u KiB used, %u at most", service->conf->name,
		   what, service->owner.used * kib, service->owner.limit * kib,
		   service->owner.peak * kib);
}

bool process_available(const struct service *service)
{
	enum process_state state = __atomic_load_n(&service->state, __ATOMIC_RELAXED);

	return state == PROCESS_READY || state == PROCESS_RUNNING || state == PROCESS_BROKEN;
}

void process_set_state(struct service *service, enum process_state state)
{
	__atomic_store_n(&service->state, state, __ATOMIC_RELAXED);
}

static void free_messages(struct service *service)
{
	for (unsigned int i = 0; i < CONF_FDS; i++)
		message_free(&service->channels[i].reply);
	message_free(&service->reply);
	message_free(&service->kept_reply);
}

void process_free(struct service *service)
{
	free_messages(service);
	snapshot_free(service);
	space_destroy(&service->space);
}

void process_end(struct service *service, const char *why)
{
	log_printf(LOG_ERROR, "service %s ended: %s", service->conf->name, why);
	user_leave();
	process_free(service);
	process_set_state(service, PROCESS_CRASHED);
}

const char *process_load(struct service *service)
{
	const uint8_t *file = service->file;

	service->file = NULL;
	return loader_load(service, service->archive, file, service->file_size);
}

/*
 * A service loses what it needed only to become ready: whoever takes it over later does not get at
 * that.
 */
static void close_start_channels(struct service *service)
{
	const struct conf_service *conf = service->conf;

	for (unsigned int i = 0; i < conf->grant_count; i++) {
		struct channel *channel = &service->channels[conf->grants[i].fd];

		if (!conf->grants[i].at_start)
			continue;
		message_free(&channel->reply);
		*channel = (struct channel){ 0 };
	}
}

void process_started(struct service *service)
{
	user_leave();
	service->starting = false;
	close_start_channels(service);
	if (service->state == PROCESS_READY && service->conf->parked && !snapshot_take(service))
		process_end(service, "there is no memory for its snapshot");
	if (service->state == PROCESS_READY)
		process_log_memory(service, "ready");
}

void process_crash(struct service *service, const char *why)
{
	if (!service->snapshot.pages) {
		process_end(service, why);
		return;
	}
	log_printf(LOG_WARNING, "service %s is set back: %s", service->conf->name, why);
	process_set_state(service, PROCESS_BROKEN);
}

bool process_set_back(struct service *service)
{
	user_leave();
	free_messages(service);
	process_set_state(service, PROCESS_BROKEN);
	if (!snapshot_restore(service))
		return false;
	process_set_state(service, PROCESS_READY);
	return true;
}

bool process_keep(struct service *service)
{
	user_leave();
	free_messages(service);
	snapshot_free(service);
	return snapshot_take(service);
}

static void unmap_range(struct service *service, uint64_t from, uint64_t to)
{
	for (uint64_t at = from; at < to; at += ABI_PAGE_SIZE)
		space_unmap(&service->space, va(at));
}

/* Fresh pages in [from, to): all of them or none. */
static bool map_range(struct service *service, uint64_t from, uint64_t to)
{
	for (uint64_t at = from; at < to; at += ABI_PAGE_SIZE) {
		if (space_map_new(&service->space, va(at), MAP_READ | MAP_WRITE))
			continue;
		unmap_range(service, from, at);
		return false;
	}
	return true;
}

uint64_t process_brk(struct service *service, uint64_t at)
{
	uint64_t mapped = page_up(service->heap_end);

	if (at < service->heap_start || at > PROCESS_HEAP_MAX)
		return service->heap_end;
	if (page_up(at) > mapped && !map_range(service, mapped, page_up(at)))
		return service->heap_end;
	unmap_range(service, page_up(at), mapped);
	service->heap_end = at;
	return at;
}

static bool is_mapped(const struct service *service, uint64_t at)
{
	unsigned int rights;
	gpa_t page;

	return space_lookup(&service->space, va(at), &page, &rights);
}

/*
 * First fit. The page tables are the only record of what is in use; the area is as large as the
 * largest budget, so the search is short.
 */
static bool find_gap(const struct service *service, uint64_t size, uint64_t *start)
{
	uint64_t from = PROCESS_MMAP_MIN;

	for (uint64_t at = from; at < PROCESS_MMAP_MAX; at += ABI_PAGE_SIZE) {
		if (is_mapped(service, at)) {
			from = at + ABI_PAGE_SIZE;
		} else if (at + ABI_PAGE_SIZE - from >= size) {
			*start = from;
			return true;
		}
	}
	return false;
}

int64_t process_mmap(struct service *service, uint64_t size)
{
	uint64_t start;

	if (size == 0)
		return -LINUX_EINVAL;
	if (size > CONF_MEMORY_MAX || !find_gap(service, page_up(size), &start) ||
	    !map_range(service, start, start + page_up(size)))
		return -LINUX_ENOMEM;
	return (int64_t)start;
}

int64_t process_munmap(struct service *service, uint64_t at, uint64_t size)
{
	if (at % ABI_PAGE_SIZE || size == 0 || at < PROCESS_MMAP_MIN || at >= PROCESS_MMAP_MAX ||
	    size > PROCESS_MMAP_MAX - at)
		return -LINUX_EINVAL;
	unmap_range(service, at, at + page_up(size));
	return 0;
}

int64_t process_protect(struct service *service, uint64_t at, uint64_t size, unsigned int rights)
{
	uint64_t end;
	unsigned int has;
	gpa_t page;

	if (at % ABI_PAGE_SIZE)
		return -LINUX_EINVAL;
	if (at >= SPACE_USER_MAX || size > SPACE_USER_MAX - at)
		return -LINUX_ENOMEM;
	end = at + page_up(size);
	for (uint64_t i = at; i < end; i += ABI_PAGE_SIZE) {
		if (!space_lookup(&service->space, va(i), &page, &has))
			return -LINUX_ENOMEM;
		if (rights & ~has)
			return -LINUX_EACCES;
	}
	for (uint64_t i = at; i < end; i += ABI_PAGE_SIZE)
		space_protect(&service->space, va(i), rights);
	return 0;
}
