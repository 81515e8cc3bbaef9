/* SPDX-License-Identifier: MIT */
/*
 * Attestation protocol (58019, section 7; call 2: docs/spec/create-and-attest.md): the vtpm's
 * manifest, the attest service's report over it, and up to three buffers of the guest that get all
 * of it or nothing.
 */
#include "monitor/protocol/attest.h"

#include <string.h>

#include "abi/snp.h"
#include "core/base/bytes.h"
#include "core/evidence/services_manifest.h"
#include "core/tpm/profile.h"
#include "monitor/lock/claim.h"
#include "monitor/mem/guest_copy.h"
#include "monitor/protocol/protocol.h"
#include "monitor/protocol/result.h"

/* More than all keys of a profile take. */
#define MANIFEST_MAX (16u << 10)
/* Report and 16 KiB of certificates, which is all that Linux has room for. */
#define REPLY_MAX (32u << 10)
/* Nothing larger is ever written to a buffer of the guest. */
#define PART_MAX REPLY_MAX

static struct {
	struct claim claim; /* not a lock: attest sleeps while the host is busy */
	uint8_t request[sizeof(struct attest_request) + SVSM_SELECTOR_MAX + MANIFEST_MAX];
	size_t size;
	/* What the guest gets as the manifest: in call 0 more than the vtpm's own. */
	uint8_t manifest[sizeof(struct services_manifest) + MANIFEST_MAX];
	size_t manifest_size;
	uint8_t reply[REPLY_MAX];
} buffers;

/* What goes to the guest. */
struct parts {
	const uint8_t *report, *manifest, *certificates;
	uint32_t report_size, manifest_size, certificates_size;
};

static const struct abi_guid vtpm_guid = SVSM_GUID_VTPM;

/* ---- Decoding ---- */

static bool buffer_ok(unsigned int vmpl, const struct svsm_loc *loc)
{
	uint32_t size = loc->size < PART_MAX ? loc->size : PART_MAX;

	return size == 0 || guest_range_ok(vmpl, gpa(loc->gpa), size, SNP_RMPADJUST_WRITE);
}

static bool reserved_ok(const struct svsm_attest_op_ex *op)
{
	return !op->base.report.reserved && !op->base.nonce.reserved &&
	       !op->base.manifest.reserved && !op->base.certificates.reserved &&
	       !op->base.reserved && !op->selector.reserved;
}

/*
 * The vtpm interprets the selector; here it is only copied. One that selects nothing counts as
 * none.
 */
static uint32_t decode_selector(unsigned int vmpl, struct attest_call *out)
{
	const struct svsm_loc *selector = &out->block.selector;

	if (selector->size == 0)
		return SVSM_SUCCESS;
	if (!guest_copy_in(vmpl, out->selector, gpa(selector->gpa), selector->size))
		return SVSM_ERR_INVALID_ADDRESS;
	if (selector_is_none(out->selector, selector->size))
		explicit_bzero(out->selector, sizeof(out->selector));
	else
		out->selector_size = selector->size;
	return SVSM_SUCCESS;
}

static uint32_t decode(const struct svsm_call *call, size_t op_size, struct attest_call *out)
{
	const struct svsm_attest_op *op = &out->block.base;
	unsigned int vmpl = call->caller.vmpl;

	memset(out, 0, sizeof(*out));
	if (!guest_copy_in(vmpl, &out->block, gpa(call->rcx), op_size))
		return SVSM_ERR_INVALID_ADDRESS;
	if (!reserved_ok(&out->block) || op->nonce.size != SVSM_NONCE_SIZE)
		return SVSM_ERR_INVALID_PARAMETER;
	if (out->block.selector.size > SVSM_SELECTOR_MAX)
		return SVSM_ERR_ATTEST_SELECTOR;
	if (!guest_copy_in(vmpl, out->nonce, gpa(op->nonce.gpa), SVSM_NONCE_SIZE))
		return SVSM_ERR_INVALID_ADDRESS;
	if (!buffer_ok(vmpl, &op->report) || !buffer_ok(vmpl, &op->manifest) ||
	    !buffer_ok(vmpl, &op->certificates))
		return SVSM_ERR_INVALID_ADDRESS;
	return decode_selector(vmpl, out);
}

/* The vTPM is the one service that has a manifest. */
static uint32_t check_service(const struct attest_call *in)
{
	if (memcmp(&in->block.base.service, &vtpm_guid, sizeof(vtpm_guid)) != 0)
		return SVSM_ERR_INVALID_PARAMETER;
	return SVSM_SUCCESS;
}

/* ---- The report. The buffers are this call's. ---- */

static void append(const void *data, size_t size)
{
	memcpy(buffers.request + buffers.size, data, size);
	buffers.size += size;
}

/*
 * What the call asked for, and what the vtpm says to it: what that may mean is attest's to judge.
 */
static void make_request(const struct attest_call *in, uint32_t version, const uint8_t *manifest,
			 size_t manifest_size)
{
	struct attest_request header = {
		.manifest_version = version,
		.selector_size = in->selector_size,
		.manifest_size = (uint32_t)manifest_size,
	};

	memcpy(header.nonce, in->nonce, sizeof(header.nonce));
	buffers.size = 0;
	append(&header, sizeof(header));
	append(in->selector, in->selector_size);
	append(manifest, manifest_size);
}

/* The manifest as the guest gets it: that of all services goes before the one service's own. */
static void make_manifest(bool all, const uint8_t *manifest, size_t size)
{
	struct services_manifest services = services_manifest_of((uint32_t)size);
	size_t before = all ? sizeof(services) : 0;

	memcpy(buffers.manifest, &services, before);
	memcpy(buffers.manifest + before, manifest, size);
	buffers.manifest_size = before + size;
}

/* The service is not trusted to count: its sizes must add up to what it sent. */
static bool parse_reply(size_t size, struct parts *parts)
{
	struct bytes_reader r = bytes_reader_init(buffers.reply, size);
	struct attest_reply sizes;

	bytes_copy(&r, &sizes, sizeof(sizes));
	*parts = (struct parts){
		.report = bytes_take(&r, sizes.report_size),
		.report_size = sizes.report_size,
		.manifest = buffers.manifest,
		.manifest_size = (uint32_t)buffers.manifest_size,
		.certificates = bytes_take(&r, sizes.certificates_size),
		.certificates_size = sizes.certificates_size,
	};
	return bytes_complete(&r) && sizes.report_size != 0;
}

static bool write_part(unsigned int vmpl, const struct svsm_loc *loc, const uint8_t *part,
		       uint32_t size)
{
	return size == 0 || guest_copy_out(vmpl, gpa(loc->gpa), part, size);
}

/*
 * A guest that offers no room for certificates does not want them. Registers change only here,
 * where the sizes are known: Linux takes any new value for a length that it should try again with.
 */
static uint32_t deliver(struct svsm_call *call, const struct svsm_attest_op *op,
			struct parts *parts)
{
	unsigned int vmpl = call->caller.vmpl;

	if (op->certificates.size == 0)
		parts->certificates_size = 0;
	call->rcx = parts->manifest_size;
	call->rdx = parts->certificates_size;
	call->r8 = parts->report_size;
	if (parts->report_size > op->report.size || parts->manifest_size > op->manifest.size ||
	    parts->certificates_size > op->certificates.size)
		return SVSM_ERR_INVALID_PARAMETER;
	if (!write_part(vmpl, &op->report, parts->report, parts->report_size) ||
	    !write_part(vmpl, &op->manifest, parts->manifest, parts->manifest_size) ||
	    !write_part(vmpl, &op->certificates, parts->certificates, parts->certificates_size))
		return SVSM_ERR_INVALID_ADDRESS;
	return SVSM_SUCCESS;
}

static uint32_t report_and_deliver(struct svsm_call *call, const struct attest_call *in,
				   enum attest_op op)
{
	struct parts parts;
	size_t size = 0;
	enum service_status status = service_call(SERVICE_ATTEST, op, buffers.request, buffers.size,
						  buffers.reply, REPLY_MAX, &size);

	/*
	 * What the guest wrote was judged before: nothing here is its mistake. A vtpm whose answer
	 * attest refuses has failed.
	 */
	if (status == SERVICE_ERR_BUSY)
		return SVSM_ERR_SERVICE_BUSY;
	if (status != SERVICE_OK || size > REPLY_MAX || !parse_reply(size, &parts))
		return SVSM_ERR_SERVICE_FAILED;
	return deliver(call, &in->block.base, &parts);
}

static uint32_t attest(struct svsm_call *call, const struct attest_call *in, bool all,
		       const uint8_t *manifest, size_t manifest_size)
{
	uint32_t result;

	if (manifest_size > MANIFEST_MAX)
		return SVSM_ERR_SERVICE_FAILED;
	claim_take(&buffers.claim);
	make_request(in, all ? 0 : in->block.base.manifest_version, manifest, manifest_size);
	make_manifest(all, manifest, manifest_size);
	result = report_and_deliver(call, in, all ? ATTEST_OP_SERVICES : ATTEST_OP_SINGLE);
	claim_release(&buffers.claim);
	return result;
}

/* ---- The calls ---- */

/*
 * The vtpm makes one key at a time of those that it has left for later: each has a budget of its
 * own, and what others want of the vtpm comes in between.
 */
static void ask_manifest(uint32_t version, struct service_answer *answer)
{
	for (unsigned int i = 0; i < PROFILE_KEYS_MAX; i++) {
		service_ask(SERVICE_VTPM, VTPM_OP_MANIFEST, &version, sizeof(version), answer);
		if (answer->status != SERVICE_OK || answer->size)
			return;
		service_answer_free(answer);
	}
	answer->status = SERVICE_ERR_FAILED;
}

/* The manifest that the vtpm has ready, alone or within that of all services. */
static uint32_t attest_ready(struct svsm_call *call, const struct attest_call *in, bool all)
{
	uint32_t version = all ? 0 : in->block.base.manifest_version;
	struct service_answer answer;
	uint32_t result;

	ask_manifest(version, &answer);
	result = svsm_result_of_service(answer.status);
	if (result == SVSM_SUCCESS)
		result = attest(call, in, all, answer.payload, answer.size);
	service_answer_free(&answer);
	return result;
}

static uint32_t attest_selected(struct svsm_call *call, const struct attest_call *in)
{
	struct service_answer selected;
	uint32_t result = attest_select(in, call->caller.vmsa, &selected);

	if (result != SVSM_SUCCESS)
		return result;
	result = attest(call, in, false, selected.payload + ATTEST_SELECTED_OFFSET,
			selected.size - ATTEST_SELECTED_OFFSET);
	service_answer_free(&selected);
	return result;
}

uint32_t svsm_attest_services(struct svsm_call *call)
{
	struct attest_call in;
	uint32_t result = decode(call, SVSM_ATTEST_SERVICES_SIZE, &in);

	return result == SVSM_SUCCESS ? attest_ready(call, &in, true) : result;
}

static uint32_t attest_single(struct svsm_call *call, size_t op_size)
{
	struct attest_call in;
	uint32_t result = decode(call, op_size, &in);

	if (result == SVSM_SUCCESS)
		result = check_service(&in);
	if (result != SVSM_SUCCESS)
		return result;
	return in.selector_size ? attest_selected(call, &in) : attest_ready(call, &in, false);
}

uint32_t svsm_attest_single_service(struct svsm_call *call)
{
	return attest_single(call, sizeof(struct svsm_attest_op));
}

uint32_t svsm_attest_single_service_ex(struct svsm_call *call)
{
	return attest_single(call, sizeof(struct svsm_attest_op_ex));
}
