/* SPDX-License-Identifier: MIT */
#include "monitor/service/call.h"

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

void call_run(struct service *service)
{
	service->context.deadline_ns = arch_now_ns() + service->conf->budget_ms * NS_PER_MS;
	while (service->state == PROCESS_RUNNING) {
		switch (user_enter(&service->context)) {
		case USER_EXIT_SYSCALL:
			syscall_do(service);
			break;
		case USER_EXIT_DEADLINE:
			process_crash(service, "it ran past its budget");
			break;
		case USER_EXIT_FAULT:
		default:
			crash_fault(service);
		}
	}
}

/* A service that did not take the offered request because its buffer is too small may try again. */
static void deliver_and_run(struct service *service)
{
	process_set_state(service, PROCESS_RUNNING);
	service->context.regs.rax = (uint64_t)channel_deliver(service);
	call_run(service);
}

/* The reply counts once the service waits for its next request: until then it may still break. */
static enum service_status exchange(struct service *service, const struct process_request *request,
				    struct message *reply)
{
	if (service->state != PROCESS_READY ||
	    request->size > SERVICE_MESSAGE_MAX - sizeof(struct service_request))
		return SERVICE_ERR_FAILED;
	service->request = request;
	service->request_taken = false;
	service->answered = false;
	deliver_and_run(service);
	service->request = NULL;
	if (service->state != PROCESS_READY)
		return SERVICE_ERR_FAILED;
	*reply = service->reply;
	service->reply = (struct message){ 0 };
	return SERVICE_OK;
}

enum service_status call_service(struct service *service, const struct process_request *request,
				 struct message *reply)
{
	enum service_status status;

	*reply = (struct message){ 0 };
	lock_acquire(&service->lock);
	status = exchange(service, request, reply);
	/* Another vCPU may enter it next, and its memory may go. */
	user_leave();
	lock_release(&service->lock);
	return status;
}
