/* SPDX-License-Identifier: MIT */
#include "monitor/service/call.h"

#include <string.h>

#include "monitor/arch/arch.h"
#include "monitor/log/log.h"
#include "monitor/service/syscalls.h"

#define NS_PER_MS 1000000ull
#define WHOLE_BUDGET UINT64_MAX

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
 * Runs the service until it waits for a request or has ended: true; or until a slice is over and
 * there is some of its budget left: false.
 */
static bool run(struct service *service, uint64_t slice_ns)
{
	uint64_t start = user_now_ns();
	uint64_t left = service->budget_left_ns;

	service->context.deadline_ns = start + (slice_ns < left ? slice_ns : left);
	while (service->state == PROCESS_RUNNING) {
		switch (user_enter(&service->context)) {
		case USER_EXIT_SYSCALL:
			syscall_do(service);
			break;
		case USER_EXIT_DEADLINE:
			if (slice_ns < left && spend_budget(service, start))
				return false;
			process_crash(service, "it ran past its budget");
			break;
		case USER_EXIT_FAULT:
		default:
			crash_fault(service);
		}
	}
	return true;
}

void call_run(struct service *service)
{
	fill_budget(service);
	(void)run(service, WHOLE_BUDGET);
}

static enum service_status check_request(const struct service *service,
					 const struct process_request *request)
{
	if (service->suspended)
		return SERVICE_ERR_BUSY;
	if (service->state != PROCESS_READY ||
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
	service->request = request;
	service->request_taken = false;
	service->answered = false;
	process_set_state(service, PROCESS_RUNNING);
	service->context.regs.rax = (uint64_t)channel_deliver(service);
	fill_budget(service);
}

/*
 * A parked service goes back to its snapshot. If the reply holds the memory that this needs, the
 * reply is dropped: the caller that made the service use so much gets no answer, but the next one
 * does.
 */
static enum service_status set_back(struct service *service, struct message *reply)
{
	if (process_set_back(service))
		return SERVICE_OK;
	message_free(reply);
	if (!process_set_back(service))
		process_end(service, "there is no memory to set it back");
	return SERVICE_ERR_FAILED;
}

static bool is_good(const struct message *reply)
{
	struct service_reply header;

	memcpy(&header, reply->data, sizeof(header));
	return header.status == SERVICE_OK;
}

static enum service_status keep(struct service *service, struct message *reply)
{
	if (process_keep(service)) {
		process_log_memory(service, "prepared");
		return SERVICE_OK;
	}
	message_free(reply);
	process_end(service, "there is no memory for its snapshot");
	return SERVICE_ERR_FAILED;
}

/* The reply counts once the service waits for its next request: until then it may still break. */
static enum service_status finish(struct service *service, struct message *reply)
{
	bool answered = service->state == PROCESS_READY;
	bool keeps = answered && service->request->keep && is_good(&service->reply);
	enum service_status status = SERVICE_OK;

	service->request = NULL;
	if (answered) {
		*reply = service->reply;
		service->reply = (struct message){ 0 };
	}
	if (service->snapshot.pages)
		status = keeps ? keep(service, reply) : set_back(service, reply);
	return answered ? status : SERVICE_ERR_FAILED;
}

/* Leaves the address space before the lock: another vCPU may enter it next, or free it. */
static void leave(struct service *service)
{
	user_leave();
	lock_release(&service->lock);
}

static enum service_status run_slice(struct service *service, uint64_t slice_ns,
				     struct message *reply, bool *pending)
{
	*pending = !run(service, slice_ns);
	service->suspended = *pending;
	return *pending ? SERVICE_OK : finish(service, reply);
}

/*
 * Somebody else wants the service: what it is in the middle of comes to its end first. A parked one
 * is prepared for one caller at a time, who has it set back.
 */
static void finish_first(struct service *service)
{
	if (!service->suspended || service->snapshot.pages)
		return;
	(void)run(service, WHOLE_BUDGET); /* it ends with its budget, if not before */
	service->suspended = false;
	service->kept = true;
	(void)finish(service, &service->kept_reply);
}

/* The lock is held. */
static enum service_status start(struct service *service, const struct process_request *request,
				 uint64_t slice_ns, struct message *reply, bool *pending)
{
	enum service_status status = check_request(service, request);

	if (status != SERVICE_OK)
		return status;
	service->task = *request;
	begin(service, &service->task);
	return run_slice(service, slice_ns, reply, pending);
}

enum service_status call_start(struct service *service, const struct process_request *request,
			       uint64_t slice_ns, struct message *reply, bool *pending)
{
	enum service_status status;

	*reply = (struct message){ 0 };
	*pending = false;
	lock_acquire(&service->lock);
	finish_first(service);
	status = start(service, request, slice_ns, reply, pending);
	leave(service);
	return status;
}

enum service_status call_try(struct service *service, const struct process_request *request,
			     struct message *reply)
{
	enum service_status status;
	bool pending = false;

	*reply = (struct message){ 0 };
	if (!lock_try(&service->lock))
		return SERVICE_ERR_BUSY;
	status = start(service, request, WHOLE_BUDGET, reply, &pending);
	leave(service);
	return status;
}

enum service_status call_service(struct service *service, const struct process_request *request,
				 struct message *reply)
{
	bool pending;

	return call_start(service, request, WHOLE_BUDGET, reply, &pending);
}

enum service_status call_continue(struct service *service, uint64_t slice_ns, struct message *reply,
				  bool *pending)
{
	enum service_status status = SERVICE_ERR_FAILED;

	*reply = (struct message){ 0 };
	*pending = false;
	lock_acquire(&service->lock);
	if (service->suspended) {
		status = run_slice(service, slice_ns, reply, pending);
	} else if (service->kept) {
		*reply = service->kept_reply;
		status = reply->data ? SERVICE_OK : SERVICE_ERR_FAILED;
		service->kept_reply = (struct message){ 0 };
		service->kept = false;
	}
	leave(service);
	return status;
}

void call_abort(struct service *service)
{
	struct message none = { 0 };

	lock_acquire(&service->lock);
	if (service->suspended) {
		service->suspended = false;
		process_crash(service, "its caller gave up");
		(void)finish(service, &none);
	}
	leave(service);
}
