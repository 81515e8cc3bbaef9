/* SPDX-License-Identifier: MIT */
#include "services/vtpm/twin.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/tpm/selector.h"
#include "services/vtpm/tpm_command.h"

/* A restricted signing key, ECDSA with SHA-256 on P-256, without policy. */
static const uint8_t any_key[] = { 0x00, 0x23, 0x00, 0x0b, 0x00, 0x05, 0x00, 0x72,
				   0x00, 0x00, 0x00, 0x10, 0x00, 0x18, 0x00, 0x0b,
				   0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00 };

/*
 * A TPM tests its algorithms before it first uses them, and libcrypto looks for its own. Those of
 * elliptic curves, whose keys are quick to make, and of a proof are used here, so that no key has
 * to wait for it.
 */
static uint32_t warm_up(const struct twin *twin)
{
	static const uint8_t challenge[TWIN_PROOF_SIZE];
	struct tpm_certified certified;
	struct tpm_primary primary;
	uint32_t rc = tpm_create_primary(any_key, sizeof(any_key), &primary);

	if (!rc)
		rc = tpm_certify_creation(twin->proof_key, &primary, challenge, sizeof(challenge),
					  &certified);
	return rc ? rc : tpm_flush(primary.handle);
}

static enum service_status load(struct twin *twin, const uint8_t *payload, size_t size)
{
	const struct twin_load *header = (const void *)payload;
	uint32_t rc;

	if (twin->used)
		return SERVICE_ERR_FAILED;
	if (size <= sizeof(*header))
		return SERVICE_ERR_FORMAT;
	if (twin->loaded)
		tpm_power_off();
	twin->loaded = false;
	rc = tpm_start_cleared(payload + sizeof(*header), size - sizeof(*header));
	if (!rc)
		rc = tpm_create_hmac_key(header->proof_key, &twin->proof_key);
	if (!rc)
		rc = warm_up(twin);
	if (rc) {
		serve_logf("twin: the TPM does not start: response code 0x%x", rc);
		return SERVICE_ERR_FAILED;
	}
	twin->loaded = true;
	return SERVICE_OK;
}

/* The key, and the TPM's word that it is one that it has made. */
static enum service_status put_made(const struct twin *twin, const struct twin_order *order,
				    const struct tpm_primary *primary, struct serve_output *out)
{
	struct twin_made made = { .public_size = (uint32_t)primary->public_size };
	struct tpm_certified certified;
	enum service_status status;
	uint32_t rc = tpm_certify_creation(twin->proof_key, primary, order->challenge,
					   sizeof(order->challenge), &certified);

	if (rc) {
		serve_logf("twin: a key cannot be certified: response code 0x%x", rc);
		return SERVICE_ERR_FAILED;
	}
	made.attest_size = (uint32_t)certified.attest_size;
	memcpy(made.mac, certified.mac, sizeof(made.mac));
	status = serve_append(out, &made, sizeof(made));
	if (status == SERVICE_OK)
		status = serve_append(out, primary->public_area, primary->public_size);
	if (status == SERVICE_OK)
		status = serve_append(out, certified.attest, certified.attest_size);
	return status;
}

static enum service_status make_key(struct twin *twin, const uint8_t *payload, size_t size,
				    struct serve_output *out)
{
	struct bytes_reader r = bytes_reader_init(payload, size);
	struct selector_template info;
	struct twin_order order;
	struct tpm_primary primary;
	enum service_status status;
	const uint8_t *template;
	uint32_t rc;

	bytes_copy(&r, &order, sizeof(order));
	size = bytes_left(&r);
	template = bytes_take(&r, size);
	if (r.bad || selector_template_check(&info, template, size))
		return SERVICE_ERR_FORMAT;
	if (!twin->loaded || twin->used)
		return SERVICE_ERR_FAILED;
	twin->used = true;
	rc = tpm_create_primary(template, size, &primary);
	if (rc == TPM_RC_NONE)
		return SERVICE_ERR_FAILED;
	status = serve_append(out, &rc, sizeof(rc));
	if (status != SERVICE_OK || rc)
		return status;
	return put_made(twin, &order, &primary, out);
}

enum service_status twin_handle(void *context, uint32_t op, const uint8_t *payload, size_t size,
				struct serve_output *out)
{
	switch (op) {
	case TWIN_OP_LOAD:
		return load(context, payload, size);
	case TWIN_OP_CREATE:
		return make_key(context, payload, size, out);
	default:
		return SERVICE_ERR_UNSUPPORTED;
	}
}
