/* SPDX-License-Identifier: MIT */
/*
 * The attest service: binds a service's manifest and the caller's nonce into an attestation report
 * at VMPL0 (abi/service.h, attest_op). It holds the message key; the monitor owns the counter.
 */
#include <openssl/crypto.h>
#include <string.h>

#include "core/bytes.h"
#include "services/attest/manifest.h"
#include "services/attest/sealed.h"
#include "services/common/serve.h"
#include "services/main.h"

/* What services.conf grants. */
#define FD_AMD_SP 4
#define FD_VTPM 5

#define MANIFEST_MAX 4096u
#define CERTIFICATES_MAX (16u << 10) /* what Linux takes at most */

static const struct abi_guid vtpm_guid = SVSM_GUID_VTPM;

struct attest {
	uint8_t vmpck[SNP_VMPCK_SIZE];
};

struct buffer {
	uint8_t data[SERVE_PAYLOAD_MAX];
	struct serve_output out;
};

static struct serve_output *buffer_init(struct buffer *buffer)
{
	buffer->out = (struct serve_output){ .data = buffer->data,
					     .capacity = sizeof(buffer->data) };
	return &buffer->out;
}

static enum service_status next_seqno(uint64_t *seqno)
{
	static struct buffer buffer;
	struct serve_output *reply = buffer_init(&buffer);
	enum service_status status = serve_call(FD_AMD_SP, AMDSP_OP_SEQNO, NULL, 0, reply);
	struct bytes_reader r = bytes_reader_init(reply->data, reply->size);

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
	static struct buffer buffer;
	struct serve_output *reply = buffer_init(&buffer);
	struct psp_report_rsp rsp;
	enum service_status status;
	uint64_t seqno;
	size_t size;

	status = next_seqno(&seqno);
	if (status != SERVICE_OK)
		return status;
	if (!sealed_seal(&request, attest->vmpck, PSP_MSG_REPORT_REQ, seqno, req, sizeof(*req)))
		return SERVICE_ERR_FAILED;
	status = serve_call(FD_AMD_SP, AMDSP_OP_SEND, &request, sizeof(request), reply);
	if (status == SERVICE_OK)
		status = take_response(reply, &response, certificates);
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

static enum service_status get_manifest(uint32_t op, const struct attest_request *request,
					struct serve_output *out)
{
	static struct buffer buffer;
	struct serve_output *vtpm = buffer_init(&buffer);
	enum service_status status;
	uint32_t version = op == ATTEST_OP_SINGLE_SERVICE ? request->manifest_version : 0;

	if (op == ATTEST_OP_SINGLE_SERVICE &&
	    memcmp(&request->service, &vtpm_guid, sizeof(vtpm_guid)) != 0)
		return SERVICE_ERR_UNSUPPORTED;
	status = serve_call(FD_VTPM, VTPM_OP_MANIFEST, &version, sizeof(version), vtpm);
	if (status != SERVICE_OK)
		return status;
	if (vtpm->size > MANIFEST_MAX)
		return SERVICE_ERR_FAILED;
	if (op == ATTEST_OP_SINGLE_SERVICE)
		return serve_append(out, vtpm->data, vtpm->size);
	return manifest_all_services(out, &vtpm_guid, vtpm->data, vtpm->size);
}

static enum service_status put_reply(struct serve_output *out, const struct psp_report *report,
				     const struct serve_output *manifest,
				     const struct serve_output *certificates)
{
	struct attest_reply header = {
		.report_size = sizeof(*report),
		.manifest_size = (uint32_t)manifest->size,
		.certificates_size = (uint32_t)certificates->size,
	};
	enum service_status status = serve_append(out, &header, sizeof(header));

	if (status == SERVICE_OK)
		status = serve_append(out, report, sizeof(*report));
	if (status == SERVICE_OK)
		status = serve_append(out, manifest->data, manifest->size);
	if (status == SERVICE_OK)
		status = serve_append(out, certificates->data, certificates->size);
	return status;
}

static enum service_status attest_services(const struct attest *attest, uint32_t op,
					   const struct attest_request *request,
					   struct serve_output *out)
{
	static struct buffer manifest_buffer, certificate_buffer;
	struct serve_output *manifest = buffer_init(&manifest_buffer);
	struct serve_output *certificates = buffer_init(&certificate_buffer);
	struct psp_report_req req = { .vmpl = 0 };
	struct psp_report report;
	enum service_status status;

	status = get_manifest(op, request, manifest);
	if (status != SERVICE_OK)
		return status;
	if (!manifest_report_data(request->nonce, manifest->data, manifest->size, req.report_data))
		return SERVICE_ERR_FAILED;
	status = get_report(attest, &req, &report, certificates);
	if (status != SERVICE_OK)
		return status;
	return put_reply(out, &report, manifest, certificates);
}

static enum service_status handle(void *context, uint32_t op, const uint8_t *payload, size_t size,
				  struct serve_output *out)
{
	struct bytes_reader r = bytes_reader_init(payload, size);
	struct attest_request request;

	if (op != ATTEST_OP_SERVICES && op != ATTEST_OP_SINGLE_SERVICE)
		return SERVICE_ERR_UNSUPPORTED;
	bytes_copy(&r, &request, sizeof(request));
	if (!bytes_complete(&r) || request.reserved)
		return SERVICE_ERR_FORMAT;
	return attest_services(context, op, &request, out);
}

static bool fetch_key(struct attest *attest)
{
	static struct buffer buffer;
	struct serve_output *reply = buffer_init(&buffer);
	bool ok = serve_call(FD_AMD_SP, AMDSP_OP_KEY, NULL, 0, reply) == SERVICE_OK &&
		  reply->size == sizeof(attest->vmpck);

	if (ok)
		memcpy(attest->vmpck, reply->data, sizeof(attest->vmpck));
	OPENSSL_cleanse(reply->data, reply->size);
	return ok;
}

int attest_main(void)
{
	static struct attest attest;

	/* The configuration file would be an unmeasured input, and there is no file system. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
	if (!fetch_key(&attest)) {
		serve_log("attest: no message key");
		return 1;
	}
	serve_log("attest: ready");
	return serve(handle, &attest);
}
