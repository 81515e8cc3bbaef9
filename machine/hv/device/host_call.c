/* SPDX-License-Identifier: MIT */
#include "machine/hv/device/host_call.h"

#include <stdbool.h>

#include "machine/hv/base/lock.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"

static bool busy; /* a request is in the mailbox; under the big lock */

void host_call_wait(void)
{
	while (busy) {
		hv_unlock();
		x86_pause();
		hv_lock();
	}
}

static void wait_for_answer(struct mailbox *m)
{
	hv_unlock();
	while (__atomic_load_n(&m->state, __ATOMIC_ACQUIRE) != MAILBOX_DONE)
		x86_pause();
	hv_lock();
}

uint64_t host_call(enum mailbox_request request)
{
	struct mailbox *m = hv_mailbox();

	if (busy)
		hv_panic("two requests to the host process at once");
	busy = true;
	m->request = request;
	m->result = 0;
	__atomic_store_n(&m->state, MAILBOX_REQUEST, __ATOMIC_RELEASE);
	hv_event(MAILBOX_EVENT_REQUEST);
	wait_for_answer(m);
	__atomic_store_n(&m->state, MAILBOX_IDLE, __ATOMIC_RELEASE);
	busy = false;
	return m->result;
}
