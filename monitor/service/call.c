/* SPDX-License-Identifier: MIT */
#include "monitor/service/call.h"

#include <string.h>

#include "monitor/arch/arch.h"
#include "monitor/log/log.h"
#include "monitor/service/syscalls.h"

#define NS_PER_MS 1000000ull

static void crash_fault(struct service *service)
{
	const struct user_fault *fault = &service->context.fault;

	log_printf(LOG_ERROR, "service %s: exception %u, error 0x%x, rip 0x%lx, address 0x%lx",
		   service->conf->name, fault->vector, fault->error,
		   (unsigned long)service->context.regs.rip, (unsigned long)fault->address);
	process_crash(service, "an exception");
}

static void fill_budget(struct service *service)
{
	service->budget_left_ns = service->conf->budget_ms * NS_PER_MS;
}

/* True when time is left for another slice. */
static bool spend_budget(struct service *service, uint64_t start)
{
	uint64_t spent = user_now_ns() - start;

	if (spent >= service->budget_left_ns)
		return false;
	service->budget_left_ns -= spent;
	return true;
}

/*
 * Runs the service until it waits for a request or has ended; or, in a call that is made in slices,
 * until one is over and there is some of its budget left: then it is running yet.
 */
static void run(struct service *service)
{
	uint64_t start = user_now_ns();
	uint64_t left = service->budget_left_ns, slice = service->task.slice_ns;
	bool sliced = slice && slice < left;

	service->context.deadline_ns = start + (sliced ? slice : left);
	while (service->state == PROCESS_RUNNING) {
		switch (user_enter(&service->context)) {
		case USER_EXIT_SYSCALL:
			syscall_do(service);
			break;
		case USER_EXIT_DEADLINE:
			if (sliced && spend_budget(service, start))
				return;
			process_crash(service, "it ran past its budget");
			break;
		case USER_EXIT_FAULT:
		default:
			crash_fault(service);
		}
	}
}

void call_prepare(struct service *service)
{
	service->starting = true;
	fill_budget(service);
	process_set_state(service, PROCESS_RUNNING);
}

/*
 * It is claimed, and who runs a service has claimed it: one that is running all the same is
 * suspended, in somebody's call or, as long as its start is not over, in nobody's.
 */
static bool is_suspended(const struct service *service)
{
	return service->state == PROCESS_RUNNING && service->request;
}

static bool is_to_start(const struct service *service)
{
	return service->state == PROCESS_RUNNING && !service->request;
}

static enum service_status check_request(const struct service *service,
					 const struct process_request *request)
{
	if (is_suspended(service))
		return SERVICE_ERR_BUSY;
	if ((service->state != PROCESS_READY && !is_to_start(service)) ||
	    request->size > SERVICE_MESSAGE_MAX - sizeof(struct service_request))
		return SERVICE_ERR_FAILED;
	return SERVICE_OK;
}

/*
 * A service whose buffer is too small for the request gets an error from its read(), and may read
 * again.
 */
static void begin(struct service *service, const struct process_request *request)
{
	service->task = *request;
	service->request = &service->task;
	service->request_taken = false;
	process_set_state(service, PROCESS_RUNNING);
	service->context.regs.rax = (uint64_t)channel_deliver(service);
	fill_budget(service);
}

/*
 * Its request waits until it has started, for which it has a budget of its own. One that cannot be
 * loaded ends.
 */
static void begin_start(struct service *service, const struct process_request *request)
{
	const char *why = service->file ? process_load(service) : NULL;

	service->task = *request;
	service->request = &service->task;
	service->request_taken = false;
	if (why)
		process_end(service, why);
}

/*
 * A parked service goes back to its snapshot. If the reply holds the memory that this needs, the
 * reply is dropped: the caller that made the service use so much gets no answer, but the next one
 * does.
 */
static bool set_back(struct service *service, struct message *reply)
{
	if (process_set_back(service))
		return true;
	message_free(reply);
	if (!process_set_back(service))
		process_end(service, "there is no memory to set it back");
	return false;
}

static bool is_good(const struct message *reply)
{
	struct service_reply header;

	memcpy(&header, reply->data, sizeof(header));
	return header.status == SERVICE_OK;
}

static bool keep(struct service *service, struct message *reply)
{
	if (process_keep(service)) {
		process_log_memory(service, "prepared");
		return true;
	}
	message_free(reply);
	process_end(service, "there is no memory for its snapshot");
	return false;
}

/* The reply counts once the service waits for its next request: until then it may still break. */
static struct call_result finish(struct service *service)
{
	bool answered = service->state == PROCESS_READY;
	bool keeps = answered && service->request->keep && is_good(&service->reply);
	struct message reply = { 0 };

	service->request = NULL;
	if (answered) {
		reply = service->reply;
		service->reply = (struct message){ 0 };
	}
	if (service->snapshot.pages)
		answered &= keeps ? keep(service, &reply) : set_back(service, &reply);
	return (struct call_result){ .status = answered ? SERVICE_OK : SERVICE_ERR_FAILED,
				     .reply = reply };
}

/* It is ready for the request that has waited, which is for the next slice, if there is one. */
static void end_start(struct service *service)
{
	const struct process_request waiting = service->task;

	process_started(service);
	if (service->state != PROCESS_READY)
		return;
	begin(service, &waiting);
	if (!waiting.slice_ns)
		run(service);
}

static struct call_result run_slice(struct service *service)
{
	run(service);
	if (service->starting && service->state == PROCESS_READY)
		end_start(service);
	if (is_suspended(service))
		return (struct call_result){ .pending = true };
	return finish(service);
}

/*
 * Claims it, if that can be had at once or the caller waits. What the service is in the middle
 * of for somebody else comes to its end then, which its budget sees to; but a parked one is
 * prepared for one caller at a time, who has it set back.
 */
static bool enter(struct service *service, bool waits)
{
	if (!waits)
		return claim_try(&service->claim);
	claim_take(&service->claim);
	if (is_suspended(service) && !service->conf->parked) {
		service->task.slice_ns = 0;
		service->kept_reply = run_slice(service).reply;
	}
	return true;
}

/* Leaves the address space first: another vCPU may enter it next, or free it. */
static void leave(struct service *service)
{
	user_leave();
	claim_release(&service->claim);
}

void call_run(struct service *service)
{
	claim_take(&service->claim);
	run(service);
	process_started(service);
	leave(service);
}

struct call_result call_start(struct service *service, const struct process_request *request)
{
	struct call_result result = { .status = SERVICE_ERR_BUSY };

	if (!enter(service, !request->hurried))
		return result;
	result.status = check_request(service, request);
	if (result.status == SERVICE_OK) {
		if (service->starting)
			begin_start(service, request);
		else
			begin(service, request);
		result = run_slice(service);
	}
	leave(service);
	return result;
}

struct call_result call_continue(struct service *service)
{
	struct call_result result = { .status = SERVICE_ERR_FAILED };

	claim_take(&service->claim);
	if (is_suspended(service)) {
		result = run_slice(service);
	} else if (service->kept_reply.data) {
		result = (struct call_result){ .reply = service->kept_reply };
		service->kept_reply = (struct message){ 0 };
	}
	leave(service);
	return result;
}

void call_abort(struct service *service)
{
	claim_take(&service->claim);
	if (is_suspended(service) && service->starting) {
		service->request = NULL;
	} else if (is_suspended(service)) {
		process_crash(service, "its caller gave up");
		(void)finish(service);
	}
	leave(service);
}
