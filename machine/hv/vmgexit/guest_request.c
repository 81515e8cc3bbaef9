/* SPDX-License-Identifier: MIT */
#include "machine/hv/vmgexit/handlers.h"

#include "machine/hv/base/fault_plan.h"
#include "machine/hv/device/host_call.h"
#include "machine/hv/device/psp.h"
#include "machine/hv/memory/guest.h"

#define CERTS_PAGES_MAX (sizeof(((struct mailbox *)NULL)->certs) / ABI_PAGE_SIZE)
#define RESULT_CERTS_TOO_SMALL (1ull << 32)
#define RESULT_BUSY ((uint64_t)PSP_VMM_ERR_BUSY << 32)

/* Request and response: two different shared pages. NULL: the answer is an error. */
static const uint8_t *request_page(struct ghcb_call *c)
{
	const uint8_t *request = NULL;

	if (c->info_1 % ABI_PAGE_SIZE == 0 && c->info_2 % ABI_PAGE_SIZE == 0 &&
	    (c->info_1 & ~HV_C_BIT) != (c->info_2 & ~HV_C_BIT) &&
	    guest_ptr(c->info_2, ABI_PAGE_SIZE, GUEST_SHARED) != NULL)
		request = guest_ptr(c->info_1, ABI_PAGE_SIZE, GUEST_SHARED);
	if (request == NULL)
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
	return request;
}

static void answer(struct ghcb_call *c, uint64_t result, const uint8_t *response)
{
	uint64_t to = c->info_2;

	c->result_2 = result;
	/* Nobody looks at the response of a request that the VMM failed. */
	if (result >> 32 == 0 && !guest_write_shared(to, response, ABI_PAGE_SIZE))
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
}

static bool certs_place_ok(const struct ghcb_call *c)
{
	if (c->rax % ABI_PAGE_SIZE != 0)
		return false;
	for (uint64_t i = 0; i < c->rbx && i < CERTS_PAGES_MAX; i++) {
		if (guest_ptr(c->rax + i * ABI_PAGE_SIZE, ABI_PAGE_SIZE, GUEST_SHARED) == NULL)
			return false;
	}
	return true;
}

/* False: the answer is there already. */
static bool add_certs(struct ghcb_call *c, uint64_t result, struct psp_certs *certs)
{
	if (result == RESULT_CERTS_TOO_SMALL) {
		c->result_2 = result;
		c->rbx = certs->pages;
		c->output |= GHCB_FIELD_RBX;
		return false;
	}
	if (certs->pages > CERTS_PAGES_MAX || certs->pages > c->rbx)
		certs->pages = 0;
	if (result == 0 && !guest_write_shared(c->rax, certs->data, certs->pages * ABI_PAGE_SIZE)) {
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
		return false;
	}
	return true;
}

void nae_guest_request(struct ghcb_call *c)
{
	struct psp_certs certs = { .pages = c->rbx };
	bool extended = c->code == GHCB_EXIT_EXT_GUEST_REQUEST;
	const uint8_t *request, *response;
	uint64_t result;

	host_call_wait();
	request = request_page(c);
	if (request == NULL)
		return;
	if (extended && !certs_place_ok(c)) {
		ghcb_error(c, GHCB_ERROR_INVALID_INPUT);
		return;
	}
	if (c->p->vmpl == 0 && fault_strikes(MAILBOX_FAULT_AMD_SP_BUSY)) {
		c->result_2 = RESULT_BUSY;
		return;
	}
	result = psp_guest_request(c->p->vmpl, request, &response, extended ? &certs : NULL);
	if (!extended || add_certs(c, result, &certs))
		answer(c, result, response);
}
