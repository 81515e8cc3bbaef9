/* SPDX-License-Identifier: MIT */
/* Calls to services, as this folder sees them. The rest of the monitor has service.h. */
#ifndef SOCLE_MONITOR_SERVICE_CALL_H
#define SOCLE_MONITOR_SERVICE_CALL_H

#include "abi/service.h"
#include "monitor/service/process.h"

/*
 * Runs the service, which is marked as running, until it waits for a request or has ended. At the
 * start, when nobody else knows it.
 */
void call_run(struct service *service);

/*
 * One request to the service; takes its lock. With SERVICE_OK *reply is the whole reply message,
 * header and payload, whose status is what the service said; the caller frees it. With another
 * result *reply is empty.
 */
enum service_status call_service(struct service *service, const struct process_request *request,
				 struct message *reply);

/*
 * The same, but SERVICE_ERR_BUSY where somebody uses the service, or is about to, or has it
 * suspended: who asks waits for nobody.
 */
enum service_status call_try(struct service *service, const struct process_request *request,
			     struct message *reply);

/*
 * The same in slices of about slice_ns: with *pending the slice was too short, the service is
 * suspended, its lock is free, and call_continue() or call_abort() is next; the request's payload
 * stays where it is until then. A suspended service that is parked answers everybody else
 * SERVICE_ERR_BUSY; any other comes to the end of what it does first, and its reply waits for
 * call_continue().
 */
enum service_status call_start(struct service *service, const struct process_request *request,
			       uint64_t slice_ns, struct message *reply, bool *pending);
enum service_status call_continue(struct service *service, uint64_t slice_ns, struct message *reply,
				  bool *pending);

/* Gives a suspended call up: a parked service is set back, any other ends. */
void call_abort(struct service *service);

#endif
