/* SPDX-License-Identifier: MIT */
/*
 * vTPM protocol (58019, section 8). The guest's buffer is one page long and holds first the
 * request, then the response. A TPM's own failure is a response; only what keeps the command from
 * the TPM, or the response from the guest, is a result code.
 */
#include <string.h>

#include "monitor/lock/lock.h"
#include "monitor/mem/guest_copy.h"
#include "monitor/mem/secret.h"
#include "monitor/protocol/evidence.h"
#include "monitor/protocol/protocol.h"
#include "monitor/protocol/result.h"
#include "monitor/service/service.h"

#define BUFFER_SIZE ABI_PAGE_SIZE
#define COMMAND_MAX (BUFFER_SIZE - sizeof(struct svsm_vtpm_cmd_req))
#define RESPONSE_MAX (BUFFER_SIZE - SVSM_VTPM_RESPONSE_HEADER)

_Static_assert(SVSM_VTPM_RESPONSE_HEADER == sizeof(struct vtpm_response), "they share a place");
_Static_assert(COMMAND_MAX <= VTPM_COMMAND_MAX, "the service takes what fits the guest's buffer");

/* What goes to the service, and what goes back into the guest's buffer. */
static struct {
	struct lock lock;
	struct {
		struct vtpm_command header;
		uint8_t command[COMMAND_MAX];
	} request;
	/* The service's reply; the guest gets the response's size in place of what is about it. */
	struct {
		union {
			struct vtpm_response about;
			uint32_t size;
		};
		uint8_t bytes[RESPONSE_MAX];
	} response;
} buffers = { .lock = { .rank = LOCK_RANK_CALL } };

void svsm_vtpm_init(void)
{
	static struct secret secrets[2];

	secret_add(&secrets[0], &buffers.request, sizeof(buffers.request));
	secret_add(&secrets[1], &buffers.response, sizeof(buffers.response));
}

uint32_t svsm_vtpm_query(struct svsm_call *call)
{
	call->rcx = service_available(SERVICE_VTPM) ? SVSM_VTPM_QUERY_COMMANDS : 0;
	call->rdx = 0;
	return SVSM_SUCCESS;
}

/*
 * Locality 0 only: higher ones are for a dynamic root of trust and for firmware, and whoever can
 * make this call at VMPL2 is neither.
 */
static uint32_t decode(const struct svsm_call *call, size_t *size)
{
	struct svsm_vtpm_cmd_req req;
	gpa_t buffer = gpa(call->rcx);

	if (!guest_range_ok(buffer, BUFFER_SIZE) || !guest_copy_in(&req, buffer, sizeof(req)))
		return SVSM_ERR_INVALID_ADDRESS;
	if (req.command != SVSM_VTPM_SEND_COMMAND)
		return SVSM_ERR_INVALID_REQUEST;
	if (req.locality != 0 || req.size == 0 || req.size > COMMAND_MAX)
		return SVSM_ERR_INVALID_PARAMETER;
	buffers.request.header = (struct vtpm_command){ .locality = req.locality };
	if (!guest_copy_in(buffers.request.command, gpa(buffer.raw + sizeof(req)), req.size))
		return SVSM_ERR_INVALID_ADDRESS;
	*size = req.size;
	return SVSM_SUCCESS;
}

/* The response is written in one piece, and only when there is one that fits. */
static uint32_t run(gpa_t buffer, size_t command_size)
{
	const size_t before = sizeof(buffers.response.about);
	size_t size = 0;
	enum service_status status = service_call(SERVICE_VTPM, VTPM_OP_COMMAND, &buffers.request,
						  sizeof(buffers.request.header) + command_size,
						  &buffers.response, sizeof(buffers.response),
						  &size);

	if (status != SERVICE_OK)
		return svsm_result_of_service(status);
	if (size <= before || size > sizeof(buffers.response))
		return SVSM_ERR_SERVICE_FAILED;
	if (buffers.response.about.flags & VTPM_EVIDENCE_ASKED)
		evidence_renew();
	size -= before;
	buffers.response.size = (uint32_t)size;
	if (!guest_copy_out(buffer, &buffers.response, SVSM_VTPM_RESPONSE_HEADER + size))
		return SVSM_ERR_INVALID_ADDRESS;
	return SVSM_SUCCESS;
}

uint32_t svsm_vtpm_cmd(struct svsm_call *call)
{
	uint32_t result;
	size_t size;

	lock_acquire(&buffers.lock);
	result = decode(call, &size);
	if (result == SVSM_SUCCESS)
		result = run(gpa(call->rcx), size);
	/* Commands carry authorization values: nothing of one stays longer than it takes. */
	explicit_bzero(&buffers.request, sizeof(buffers.request));
	explicit_bzero(&buffers.response, sizeof(buffers.response));
	lock_release(&buffers.lock);
	return result;
}
