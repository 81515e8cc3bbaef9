/* SPDX-License-Identifier: MIT */
#include "monitor/service/service.h"

#include <string.h>

#include "core/image/archive.h"
#include "monitor/base/die.h"
#include "monitor/base/direct.h"
#include "monitor/log/log.h"
#include "monitor/service/call.h"
#include "monitor/service/loader.h"
#include "monitor/vcpu/secrets.h"

#define SLICE_NS (SERVICE_SLICE_MS * 1000000ull)
/* How much RAM a page of states is about: two bits for each of its pages (mem/guest_pages.h). */
#define RAM_OF_STATES (4ull * ABI_PAGE_SIZE * ABI_PAGE_SIZE)

/* All services of this monitor. Filled by services_start(); later only by who has claimed them. */
static struct {
	struct conf conf;
	struct service list[CONF_SERVICES_MAX];
	struct service *roles[SERVICE_ROLES];
	struct amdsp amdsp;
	struct loader_archive archive;
} services;

static const struct call_result no_service = { .status = SERVICE_ERR_FAILED };

static struct archive_entry need_file(const struct loader_archive *archive, const char *name)
{
	struct archive_entry entry;

	if (archive_find(archive->data, archive->range.size, name, &entry) != ARCHIVE_ENTRY) {
		log_printf(LOG_ERROR, "the archive has no file %s, or is broken", name);
		die(DIE_PARAMS, "archive");
	}
	return entry;
}

static void read_conf(const struct loader_archive *archive)
{
	struct archive_entry file = need_file(archive, CONF_FILE);
	struct conf_error error;

	if (conf_parse(&services.conf, (const char *)file.data, file.size, &error))
		return;
	log_printf(LOG_ERROR, CONF_FILE ", line %u: %s", error.line, error.text);
	die(DIE_PARAMS, CONF_FILE);
}

/*
 * Where the host says how much RAM and how many vCPUs there are, it can say so much that services
 * lack what they may have. What grows with RAM is the states of its pages.
 */
static void refuse_size(const struct socle_params *params, size_t missing)
{
	const struct socle_range *last = &params->ram[params->ram_count - 1];
	uint64_t end = last->gpa + last->size, less = missing * RAM_OF_STATES;

	log_printf(
		LOG_ERROR,
		"%u vCPUs and RAM up to 0x%lx leave the services %zu KiB too little; with so many "
		"vCPUs there is room for RAM up to 0x%lx",
		params->cpu_count, end, missing * (ABI_PAGE_SIZE >> 10),
		end > less ? end - less : 0);
	die(DIE_MEMORY, "the host has more RAM or vCPUs than Socle has memory for");
}

/* Work ahead is for memory that all others leave. */
static bool is_spare(const struct conf_service *conf)
{
	return conf->role == SERVICE_AHEAD;
}

/*
 * Says when the free memory does not cover all budgets, as with very many vCPUs: one service can
 * then take what another needs. Where the image itself says how many there are, that is no reason
 * to stop, for nothing fails now that would not fail later. True when it covers work ahead, too.
 */
static bool check_memory(const struct socle_params *params)
{
	size_t free_pages, all_pages, wanted = 0, spare = 0;

	page_alloc_stats(&free_pages, &all_pages);
	for (unsigned int i = 0; i < services.conf.count; i++) {
		const struct conf_service *conf = &services.conf.services[i];

		*(is_spare(conf) ? &spare : &wanted) += conf->memory / ABI_PAGE_SIZE;
	}
	if (wanted > free_pages && params->host.size)
		refuse_size(params, wanted - free_pages);
	if (wanted > free_pages)
		log_printf(LOG_WARNING,
			   "the services may have %zu KiB in all, where %zu KiB are free: "
			   "one can take what another needs",
			   wanted * (ABI_PAGE_SIZE >> 10), free_pages * (ABI_PAGE_SIZE >> 10));
	return wanted + spare <= free_pages;
}

static struct channel make_channel(const struct conf_grant *grant,
				   const struct loader_archive *archive)
{
	struct channel channel = { .grant = grant };

	if (grant->kind == GRANT_AMDSP)
		channel.amdsp = &services.amdsp;
	if (grant->kind == GRANT_SERVICE)
		channel.service = &services.list[grant->service];
	if (grant->kind == GRANT_FILE) {
		struct archive_entry file = need_file(archive, grant->path);

		channel.data = file.data;
		channel.size = file.size;
	}
	return channel;
}

static void make_channels(struct service *service, const struct loader_archive *archive)
{
	const struct conf_service *conf = service->conf;

	for (unsigned int i = 0; i < conf->grant_count; i++) {
		const struct conf_grant *grant = &conf->grants[i];

		service->channels[grant->fd] = make_channel(grant, archive);
	}
}

static _Noreturn void cannot_be_loaded(const struct conf_service *conf, const char *why)
{
	log_printf(LOG_ERROR, "service %s: %s: %s", conf->name, conf->exec, why);
	die(DIE_SERVICE, conf->name);
}

/* All that a service needs but its executable's memory. */
static void prepare(struct service *service, const struct conf_service *conf,
		    const struct archive_entry *file)
{
	service->conf = conf;
	service->archive = &services.archive;
	service->file = file->data;
	service->file_size = file->size;
	secret_add(&service->registers[0], &service->context, sizeof(service->context));
	secret_add(&service->registers[1], &service->snapshot.context,
		   sizeof(service->snapshot.context));
	make_channels(service, &services.archive);
	if (!page_owner_init(&service->owner, conf->name, conf->memory / ABI_PAGE_SIZE, true) ||
	    !space_create(&service->space, &service->owner))
		cannot_be_loaded(conf, "there is no memory");
	call_prepare(service);
}

static void start(struct service *service)
{
	const char *why = process_load(service);

	if (why)
		cannot_be_loaded(service->conf, why);
	call_run(service);
}

/*
 * Who knows services.conf by its measurement can rely on it that a running guest had this service.
 */
static void check_required(const struct service *service)
{
	if (!service->conf->required || service->state == PROCESS_READY)
		return;
	log_printf(LOG_ERROR, "service %s is required: the guest is not started",
		   service->conf->name);
	die(DIE_REQUIRED, "a required service is not ready");
}

/* What the service before it has is not looked for again: most have one executable. */
static void find_executable(const struct conf_service *conf, struct archive_entry *file)
{
	if (conf == services.conf.services || strcmp(conf[-1].exec, conf->exec) != 0)
		*file = need_file(&services.archive, conf->exec);
}

void services_start(const struct socle_params *params)
{
	struct archive_entry file = { 0 };
	bool spare_fits;

	services.archive = (struct loader_archive){ .data = direct_ptr(gpa(params->archive.gpa)),
						    .range = params->archive };
	read_conf(&services.archive);
	spare_fits = check_memory(params);
	amdsp_init(&services.amdsp, secrets_vmpck0());
	for (unsigned int i = 0; i < services.conf.count; i++) {
		const struct conf_service *conf = &services.conf.services[i];
		struct service *service = &services.list[i];

		find_executable(conf, &file);
		if (is_spare(conf) && !spare_fits) {
			log_printf(LOG_INFO, "service %s is not started: others need the memory",
				   conf->name);
			continue;
		}
		prepare(service, conf, &file);
		if (conf->role < SERVICE_ROLES)
			services.roles[conf->role] = service;
		if (!conf->on_demand)
			start(service);
		check_required(service);
	}
}

bool service_available(enum service_role role)
{
	return role < SERVICE_ROLES && services.roles[role] &&
	       process_available(services.roles[role]);
}

void service_give_up(enum service_role role, const char *why)
{
	struct service *service = role < SERVICE_ROLES ? services.roles[role] : NULL;

	if (!service)
		return;
	if (process_available(service))
		process_end(service, why);
	check_required(service);
}

static struct service *role_service(enum service_role role)
{
	return service_available(role) ? services.roles[role] : NULL;
}

/* What a call came to: what the whole reply message says, or the status that stands for none. */
static enum service_progress tell(struct service_answer *answer, struct call_result result)
{
	struct service_reply header = { .status = result.status };

	if (result.reply.data)
		memcpy(&header, result.reply.data, sizeof(header));
	*answer = (struct service_answer){ .status = header.status };
	if (header.status != SERVICE_OK) {
		message_free(&result.reply);
	} else if (result.reply.data) {
		answer->message = result.reply;
		answer->payload = result.reply.data + sizeof(header);
		answer->size = header.size;
	}
	return result.pending ? SERVICE_PENDING : SERVICE_FINISHED;
}

static enum service_progress ask(enum service_role role, const struct process_request *request,
				 struct service_answer *answer)
{
	struct service *service = role_service(role);

	return tell(answer, service ? call_start(service, request) : no_service);
}

void service_answer_free(struct service_answer *answer)
{
	message_free(&answer->message);
	*answer = (struct service_answer){ .status = SERVICE_OK };
}

static enum service_status copy_answer(struct service_answer *answer, void *reply, size_t reply_max,
				       size_t *reply_size)
{
	enum service_status status = answer->status;

	*reply_size = answer->size;
	if (answer->size > reply_max)
		status = SERVICE_ERR_NO_MEMORY;
	else if (answer->size)
		memcpy(reply, answer->payload, answer->size);
	service_answer_free(answer);
	return status;
}

void service_ask(enum service_role role, uint32_t op, const void *payload, size_t size,
		 struct service_answer *answer)
{
	const struct process_request request = { .op = op, .payload = payload, .size = size };

	(void)ask(role, &request, answer);
}

enum service_status service_call(enum service_role role, uint32_t op, const void *payload,
				 size_t size, void *reply, size_t reply_max, size_t *reply_size)
{
	struct service_answer answer;

	service_ask(role, op, payload, size, &answer);
	return copy_answer(&answer, reply, reply_max, reply_size);
}

void service_try_ask(enum service_role role, uint32_t op, const void *payload, size_t size,
		     struct service_answer *answer)
{
	const struct process_request request = {
		.op = op, .payload = payload, .size = size, .hurried = true
	};

	(void)ask(role, &request, answer);
}

enum service_status service_try(enum service_role role, uint32_t op, const void *payload,
				size_t size, void *reply, size_t reply_max, size_t *reply_size)
{
	struct service_answer answer;

	service_try_ask(role, op, payload, size, &answer);
	return copy_answer(&answer, reply, reply_max, reply_size);
}

enum service_progress service_call_start(enum service_role role, uint32_t op, const void *payload,
					 size_t size, bool keep, struct service_answer *answer)
{
	const struct process_request request = {
		.op = op, .payload = payload, .size = size, .keep = keep, .slice_ns = SLICE_NS
	};

	return ask(role, &request, answer);
}

enum service_progress service_call_continue(enum service_role role, struct service_answer *answer)
{
	struct service *service = role_service(role);

	return tell(answer, service ? call_continue(service) : no_service);
}

void service_call_abort(enum service_role role)
{
	struct service *service = role_service(role);

	if (service)
		call_abort(service);
}
