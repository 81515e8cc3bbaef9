/* SPDX-License-Identifier: MIT */
/*
 * Attestation protocol (58019, section 7): one request to the attest service, whose reply goes to
 * up to three buffers of the guest, all of it or nothing.
 */
#include <string.h>

#include "core/bytes.h"
#include "monitor/lock/lock.h"
#include "monitor/mem/guest_copy.h"
#include "monitor/protocol/protocol.h"
#include "monitor/protocol/result.h"
#include "monitor/service/service.h"

/* Report, manifest and 16 KiB of certificates, which is all that Linux has room for. */
#define REPLY_MAX (32u << 10)

static struct {
	struct lock lock;
	uint8_t bytes[REPLY_MAX];
} reply = { .lock = LOCK_INIT("attest reply", LOCK_RANK_CALL) };

/* A call, decoded. */
struct attest_call {
	uint32_t op;
	struct attest_request request;
	struct svsm_loc report, manifest, certificates;
};

/* The service's reply, taken apart. */
struct attest_answer {
	const uint8_t *report, *manifest, *certificates;
	struct attest_reply sizes;
};

/* Nothing larger than the reply is ever written, so the rest of a buffer may be anything. */
static bool buffer_ok(const struct svsm_loc *loc)
{
	uint32_t size = loc->size < REPLY_MAX ? loc->size : REPLY_MAX;

	return size == 0 || guest_range_ok(gpa(loc->gpa), size);
}

static bool reserved_ok(const struct svsm_attest_op *op)
{
	return !op->report.reserved && !op->nonce.reserved && !op->manifest.reserved &&
	       !op->certificates.reserved && !op->reserved;
}

static uint32_t decode(const struct svsm_call *call, uint32_t service_op, size_t op_size,
		       struct attest_call *out)
{
	struct svsm_attest_op op = { .reserved = 0 };

	if (!guest_copy_in(&op, gpa(call->rcx), op_size))
		return SVSM_ERR_INVALID_ADDRESS;
	if (!reserved_ok(&op) || op.nonce.size != SVSM_NONCE_SIZE)
		return SVSM_ERR_INVALID_PARAMETER;
	*out = (struct attest_call){
		.op = service_op,
		.request = { .service = op.service, .manifest_version = op.manifest_version },
		.report = op.report,
		.manifest = op.manifest,
		.certificates = op.certificates,
	};
	if (!guest_copy_in(out->request.nonce, gpa(op.nonce.gpa), SVSM_NONCE_SIZE))
		return SVSM_ERR_INVALID_ADDRESS;
	if (!buffer_ok(&op.report) || !buffer_ok(&op.manifest) || !buffer_ok(&op.certificates))
		return SVSM_ERR_INVALID_ADDRESS;
	return SVSM_SUCCESS;
}

/* The service is not trusted to count: its sizes must add up to what it sent. */
static bool parse_answer(const uint8_t *bytes, size_t size, struct attest_answer *answer)
{
	struct bytes_reader r = bytes_reader_init(bytes, size);

	bytes_copy(&r, &answer->sizes, sizeof(answer->sizes));
	answer->report = bytes_take(&r, answer->sizes.report_size);
	answer->manifest = bytes_take(&r, answer->sizes.manifest_size);
	answer->certificates = bytes_take(&r, answer->sizes.certificates_size);
	return bytes_complete(&r) && answer->sizes.report_size != 0;
}

static bool write_part(const struct svsm_loc *loc, const uint8_t *part, uint32_t size)
{
	return size == 0 || guest_copy_out(gpa(loc->gpa), part, size);
}

/* A guest that offers no room for certificates does not want them. */
static uint32_t deliver(struct svsm_call *call, const struct attest_call *in,
			struct attest_answer *answer)
{
	struct attest_reply *sizes = &answer->sizes;

	if (in->certificates.size == 0)
		sizes->certificates_size = 0;
	call->rcx = sizes->manifest_size;
	call->rdx = sizes->certificates_size;
	call->r8 = sizes->report_size;
	if (sizes->report_size > in->report.size || sizes->manifest_size > in->manifest.size ||
	    sizes->certificates_size > in->certificates.size)
		return SVSM_ERR_INVALID_PARAMETER;
	if (!write_part(&in->report, answer->report, sizes->report_size) ||
	    !write_part(&in->manifest, answer->manifest, sizes->manifest_size) ||
	    !write_part(&in->certificates, answer->certificates, sizes->certificates_size))
		return SVSM_ERR_INVALID_ADDRESS;
	return SVSM_SUCCESS;
}

static uint32_t ask_and_deliver(struct svsm_call *call, const struct attest_call *in)
{
	struct attest_answer answer;
	size_t size = 0;
	enum service_status status = service_call(SERVICE_ATTEST, in->op, &in->request,
						  sizeof(in->request), reply.bytes, REPLY_MAX,
						  &size);

	if (status != SERVICE_OK)
		return svsm_result_of_service(status);
	if (size > REPLY_MAX || !parse_answer(reply.bytes, size, &answer))
		return SVSM_ERR_SERVICE_FAILED;
	return deliver(call, in, &answer);
}

/*
 * Registers change only when the sizes are known: Linux takes any new value for a length that it
 * should try again with.
 */
static uint32_t attest(struct svsm_call *call, uint32_t service_op, size_t op_size)
{
	struct attest_call in;
	uint32_t result = decode(call, service_op, op_size, &in);

	if (result != SVSM_SUCCESS)
		return result;
	lock_acquire(&reply.lock);
	result = ask_and_deliver(call, &in);
	lock_release(&reply.lock);
	return result;
}

uint32_t svsm_attest_services(struct svsm_call *call)
{
	return attest(call, ATTEST_OP_SERVICES, SVSM_ATTEST_SERVICES_SIZE);
}

uint32_t svsm_attest_single_service(struct svsm_call *call)
{
	return attest(call, ATTEST_OP_SINGLE_SERVICE, sizeof(struct svsm_attest_op));
}
