/* SPDX-License-Identifier: MIT */
/*
 * Services as the rest of the monitor sees them: a name, and one message for one reply. How they
 * are loaded, run and confined is this folder's business.
 */
#ifndef SOCLE_MONITOR_SERVICE_SERVICE_H
#define SOCLE_MONITOR_SERVICE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "abi/params.h"
#include "abi/service.h"
#include "core/image/services_conf.h"
#include "monitor/service/message.h"

/*
 * Loads and starts every service of services.conf that is not on-demand, and waits until each of
 * these has asked for its first request; the others are loaded by the first call to them. Called
 * once, on the first vCPU, before the guest runs. A broken archive is our own bug: die(). So ends a
 * start without a service that services.conf requires, and the guest never runs.
 */
void services_start(const struct socle_params *params);

/*
 * Before the guest runs: the service has shown that it cannot do what the guest is to have it for.
 * It ends, with why in the log, as if it had never become ready; so the start ends where
 * services.conf requires it.
 */
void service_give_up(enum service_role role, const char *why);

/* True when there is the service and it has not crashed; an on-demand one may not be loaded yet. */
bool service_available(enum service_role role);

/*
 * Sends one request (op, then the payload) and waits for the reply. Claims the service,
 * as the caller has claimed the one from which it calls, if any. While the host's AMD-SP is busy
 * the vCPU sleeps, if the caller holds no lock. At most reply_max payload
 * bytes are copied to reply; *reply_size is their number. A service that crashed, ran past its
 * budget, misused a system call or answered nonsense gives SERVICE_ERR_FAILED, now and ever after.
 * A reply that is larger than reply_max gives SERVICE_ERR_NO_MEMORY and *reply_size the need.
 */
enum service_status service_call(enum service_role role, uint32_t op, const void *payload,
				 size_t size, void *reply, size_t reply_max, size_t *reply_size);

/*
 * The same, but SERVICE_ERR_BUSY where others use the service or have it suspended: nobody is
 * waited for.
 */
enum service_status service_try(enum service_role role, uint32_t op, const void *payload,
				size_t size, void *reply, size_t reply_max, size_t *reply_size);

/*
 * A reply that stays in the pages it came in, which are wiped when it is freed. With any status but
 * SERVICE_OK there is no payload. One of all zeros is empty and may be freed.
 */
struct service_answer {
	enum service_status status;
	const uint8_t *payload;
	size_t size;
	struct message message;
};

/* As service_call() and service_try(), for replies of any size. The caller frees the answer. */
void service_ask(enum service_role role, uint32_t op, const void *payload, size_t size,
		 struct service_answer *answer);
void service_try_ask(enum service_role role, uint32_t op, const void *payload, size_t size,
		     struct service_answer *answer);
void service_answer_free(struct service_answer *answer);

enum service_progress {
	SERVICE_FINISHED, /* *answer tells */
	SERVICE_PENDING,  /* the service is suspended, no lock is held; *answer is empty */
};

/* How long a resumable call keeps the vCPU at a time. */
#define SERVICE_SLICE_MS 10u

/*
 * A call that comes back after a slice of time, to go on when service_call_continue() says so. The
 * slices are measured by the monitor's timer; when the host loses its events they end at the
 * service's next system call behind them, so that the call is, in effect, finished at once. payload
 * stays where it is until the call is finished or given up. The service's budget is for all slices
 * together, not for what lies between them. A parked service that is suspended in somebody's call
 * gives SERVICE_ERR_BUSY to all others, so it is for the callers to take turns; any other finishes
 * that call for whoever comes, and has the answer when it is continued. With keep a parked service
 * is prepared: what SERVICE_OK leaves it as is what it is set back to from then on.
 */
enum service_progress service_call_start(enum service_role role, uint32_t op, const void *payload,
					 size_t size, bool keep, struct service_answer *answer);
enum service_progress service_call_continue(enum service_role role, struct service_answer *answer);

/*
 * Gives up a pending call, if there is one: a parked service is set back, any other
 * is ended.
 */
void service_call_abort(enum service_role role);

#endif
