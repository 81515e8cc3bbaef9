/* SPDX-License-Identifier: MIT */
#include "machine/hv/device/psp.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "machine/hv/base/lock.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"

static bool busy; /* a request is in the mailbox; under the big lock */

void psp_wait(void)
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

uint64_t psp_guest_request(unsigned int vmpl, const uint8_t request[ABI_PAGE_SIZE],
			   const uint8_t **response, struct psp_certs *certs)
{
	struct mailbox *m = hv_mailbox();
	uint64_t result;

	if (busy)
		hv_panic("two requests to the host process at once");
	busy = true;
	memcpy(m->request_page, request, ABI_PAGE_SIZE);
	m->request = certs != NULL ? MAILBOX_REQ_EXT_GUEST_REQUEST : MAILBOX_REQ_GUEST_REQUEST;
	m->arg[0] = vmpl;
	m->arg[1] = certs != NULL ? certs->pages : 0;
	m->result = 0;
	m->certs_pages = 0;
	__atomic_store_n(&m->state, MAILBOX_REQUEST, __ATOMIC_RELEASE);
	hv_event(MAILBOX_EVENT_REQUEST);
	wait_for_answer(m);
	result = m->result;
	*response = m->response_page;
	if (certs != NULL) {
		certs->data = m->certs;
		certs->pages = m->certs_pages;
	}
	__atomic_store_n(&m->state, MAILBOX_IDLE, __ATOMIC_RELEASE);
	busy = false;
	return result;
}
