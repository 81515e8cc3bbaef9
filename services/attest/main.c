/* SPDX-License-Identifier: MIT */
/*
 * The attest service: binds what its caller gives into an attestation report at VMPL0
 * (abi/service.h, attest_op). It holds the message key; the monitor owns the counter.
 */
#include <openssl/crypto.h>
#include <string.h>

#include "core/base/bytes.h"
#include "services/attest/binding.h"
#include "services/attest/sealed.h"
#include "services/common/serve.h"
#include "services/main.h"

/* What services.conf grants. */
#define FD_AMD_SP 4

#define CERTIFICATES_MAX (16u << 10) /* what Linux takes at most */
#define REQUEST_MAX (16u << 10)	     /* nonce, selector, manifest */
#define REPLY_MAX (CERTIFICATES_MAX + ABI_PAGE_SIZE)

struct attest {
	uint8_t vmpck[SNP_VMPCK_SIZE];
};

static enum service_status next_seqno(uint64_t *seqno)
{
	uint8_t data[sizeof(*seqno)];
	struct serve_output reply = { .data = data, .capacity = sizeof(data) };
	enum service_status status = serve_call(FD_AMD_SP, AMDSP_OP_SEQNO, NULL, 0, &reply);
	struct bytes_reader r = bytes_reader_init(data, reply.size);

	*seqno = bytes_le64(&r);
	if (status == SERVICE_OK && !bytes_complete(&r))
		return SERVICE_ERR_FAILED;
	return status;
}

/* Splits the reply of AMDSP_OP_SEND: certificate bytes, response page, certificates. */
static enum service_status take_response(const struct serve_output *reply,
					 struct sealed_message *response,
					 struct serve_output *certificates)
{
	struct bytes_reader r = bytes_reader_init(reply->data, reply->size);
	uint32_t size = bytes_le32(&r);
	const uint8_t *from;

	bytes_copy(&r, response, sizeof(*response));
	from = bytes_take(&r, size);
	if (!bytes_complete(&r) || size > CERTIFICATES_MAX)
		return SERVICE_ERR_FAILED;
	return serve_append(certificates, from, size);
}

/* The report is for what we asked, at our level. The signature is for the relying party. */
static bool report_expected(const struct psp_report_rsp *rsp, size_t size,
			    const struct psp_report_req *req)
{
	return size == sizeof(*rsp) && rsp->status == PSP_STATUS_OK &&
	       rsp->size == sizeof(rsp->report) && rsp->report.vmpl == req->vmpl &&
	       memcmp(rsp->report.report_data, req->report_data, sizeof(req->report_data)) == 0;
}

static enum service_status get_report(const struct attest *attest, const struct psp_report_req *req,
				      struct psp_report *report, struct serve_output *certificates)
{
	static struct sealed_message request, response;
	uint8_t data[SERVE_CALL_MAX];
	struct serve_output reply = { .data = data, .capacity = sizeof(data) };
	struct psp_report_rsp rsp;
	enum service_status status;
	uint64_t seqno;
	size_t size;

	status = next_seqno(&seqno);
	if (status != SERVICE_OK)
		return status;
	if (!sealed_seal(&request, attest->vmpck, PSP_MSG_REPORT_REQ, seqno, req, sizeof(*req)))
		return SERVICE_ERR_FAILED;
	status = serve_call(FD_AMD_SP, AMDSP_OP_SEND, &request, sizeof(request), &reply);
	if (status == SERVICE_OK)
		status = take_response(&reply, &response, certificates);
	if (status != SERVICE_OK)
		return status;
	if (!sealed_open(&response, attest->vmpck, PSP_MSG_REPORT_RSP, seqno + 1, &rsp, sizeof(rsp),
			 &size) ||
	    !report_expected(&rsp, size, req)) {
		serve_log("attest: the AMD-SP's answer is not one to this request");
		return SERVICE_ERR_FAILED;
	}
	*report = rsp.report;
	return SERVICE_OK;
}

static enum service_status put_reply(struct serve_output *out, const struct psp_report *report,
				     const void *beside, size_t beside_size)
{
	struct attest_reply header = {
		.report_size = sizeof(*report),
		.certificates_size = (uint32_t)beside_size,
	};
	enum service_status status = serve_append(out, &header, sizeof(header));

	if (status == SERVICE_OK)
		status = serve_append(out, report, sizeof(*report));
	if (status == SERVICE_OK)
		status = serve_append(out, beside, beside_size);
	return status;
}

static enum service_status give_report(const struct attest *attest, const struct binding *binding,
				       struct serve_output *out)
{
	struct psp_report_req req = { .vmpl = 0 };
	uint8_t data[CERTIFICATES_MAX];
	struct serve_output certificates = { .data = data, .capacity = sizeof(data) };
	struct psp_report report;
	enum service_status status;

	memcpy(req.report_data, binding->report_data, sizeof(req.report_data));
	status = get_report(attest, &req, &report, &certificates);
	if (status != SERVICE_OK)
		return status;
	return binding->runtime_size
		       ? put_reply(out, &report, binding->runtime, binding->runtime_size)
		       : put_reply(out, &report, certificates.data, certificates.size);
}

static enum service_status handle(void *context, uint32_t op, const uint8_t *payload, size_t size,
				  struct serve_output *out)
{
	static struct binding binding;
	enum service_status status = binding_make(op, payload, size, &binding);

	return status == SERVICE_OK ? give_report(context, &binding, out) : status;
}

static bool fetch_key(struct attest *attest)
{
	struct serve_output reply = { .data = attest->vmpck, .capacity = sizeof(attest->vmpck) };

	return serve_call(FD_AMD_SP, AMDSP_OP_KEY, NULL, 0, &reply) == SERVICE_OK &&
	       reply.size == sizeof(attest->vmpck);
}

enum serve_end attest_main(void)
{
	static struct attest attest;

	/* The configuration file would be an unmeasured input, and there is no file system. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
	if (!fetch_key(&attest)) {
		serve_log("attest: no message key");
		return SERVE_FAILED;
	}
	serve_log("attest: ready");
	return serve(handle, &attest, REQUEST_MAX, REPLY_MAX);
}
