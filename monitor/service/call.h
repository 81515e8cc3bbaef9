/* SPDX-License-Identifier: MIT */
/* Calls to services, as this folder sees them. The rest of the monitor has service.h. */
#ifndef SOCLE_MONITOR_SERVICE_CALL_H
#define SOCLE_MONITOR_SERVICE_CALL_H

#include "abi/service.h"
#include "monitor/service/process.h"

/* It starts, within its budget, when it runs next, and is loaded before if it is not yet. */
void call_prepare(struct service *service);

/*
 * Runs the service, which is loaded, until it waits for its first request or has ended: then it
 * is not available. Before the guest runs, so it may wait for the host. One that is not run so
 * is loaded and starts in its first call.
 */
void call_run(struct service *service);

struct call_result {
	enum service_status status;
	bool pending;	      /* the slice was too short, and the service is suspended */
	struct message reply; /* whole, header and payload; empty when pending or not SERVICE_OK */
};

/*
 * One request to the service; claims it, and releases it afterwards. With SERVICE_OK the caller
 * frees the reply, whose status is what the service said.
 *
 * A hurried request waits for nobody: it is SERVICE_ERR_BUSY where somebody uses the service, or is
 * about to, or has it suspended.
 *
 * The first request to one that was only prepared is its start, too: that and the request have a
 * budget each, and no slice has both. A start that fails is the end of the service.
 *
 * One in slices may be pending after about the first; then call_continue(), for the next, or
 * call_abort() follows, and the payload stays where it is until then. A suspended service that is
 * parked answers everybody else SERVICE_ERR_BUSY; any other comes to the end of what it does first,
 * and its reply waits for call_continue().
 */
struct call_result call_start(struct service *service, const struct process_request *request);
struct call_result call_continue(struct service *service);

/*
 * Gives a suspended call up: a parked service is set back, any other ends. One that has not started
 * yet goes on with that in the next call.
 */
void call_abort(struct service *service);

#endif
