/* SPDX-License-Identifier: MIT */
#include "machine/hv/device/psp.h"

#include <stddef.h>
#include <string.h>

#include "machine/hv/base/log.h"
#include "machine/hv/device/host_call.h"

uint64_t psp_guest_request(unsigned int vmpl, const uint8_t request[ABI_PAGE_SIZE],
			   const uint8_t **response, struct psp_certs *certs)
{
	struct mailbox *m = hv_mailbox();
	uint64_t result;

	memcpy(m->request_page, request, ABI_PAGE_SIZE);
	m->arg[0] = vmpl;
	m->arg[1] = certs != NULL ? certs->pages : 0;
	m->certs_pages = 0;
	result = host_call(certs != NULL ? MAILBOX_REQ_EXT_GUEST_REQUEST
					 : MAILBOX_REQ_GUEST_REQUEST);
	*response = m->response_page;
	if (certs != NULL) {
		certs->data = m->certs;
		certs->pages = m->certs_pages;
	}
	return result;
}
