/* SPDX-License-Identifier: MIT */
#include "services/vtpm/oracle.h"

#include "core/bytes.h"
#include "core/selector.h"
#include "services/vtpm/tpm_command.h"

bool oracle_prepare(void)
{
	tpm_init(false);
	if (!tpm_power_on())
		return false;
	tpm_power_off();
	return true;
}

/*
 * What a guest can have changed for good: an authorization of the endorsement hierarchy, and that
 * TPM2_Clear is disabled. A freshly started TPM has an empty platform authorization and all of its
 * hierarchies enabled; so the platform clears, which leaves the endorsement seed as it is.
 */
static uint32_t create(const uint8_t *template, size_t size, struct tpm_primary *primary)
{
	uint32_t rc = tpm_create_primary(template, size, primary);

	if (rc != TPM_RC_BAD_AUTH_SESSION_1)
		return rc;
	rc = tpm_platform_clear();
	return rc ? rc : tpm_create_primary(template, size, primary);
}

static enum service_status put_key(struct serve_output *out, uint32_t rc,
				   const struct tpm_primary *primary)
{
	enum service_status status = serve_append(out, &rc, sizeof(rc));

	if (rc == TPM_RC_NONE)
		return SERVICE_ERR_FAILED;
	if (status != SERVICE_OK || rc)
		return status;
	return serve_append(out, primary->public_area, primary->public_size);
}

enum service_status oracle_handle(void *context, uint32_t op, const uint8_t *payload, size_t size,
				  struct serve_output *out)
{
	struct bytes_reader r = bytes_reader_init(payload, size);
	struct selector_template info;
	struct oracle_create request;
	struct oracle *oracle = context;
	struct tpm_primary primary;
	const uint8_t *state, *template;
	uint32_t rc;

	if (op != ORACLE_OP_CREATE)
		return SERVICE_ERR_UNSUPPORTED;
	bytes_copy(&r, &request, sizeof(request));
	state = bytes_take(&r, request.state_size);
	template = bytes_take(&r, request.template_size);
	if (!bytes_complete(&r) || !request.state_size ||
	    selector_template_check(&info, template, request.template_size))
		return SERVICE_ERR_FORMAT;
	/* A second TPM would start from what the first one left. */
	if (oracle->used)
		return SERVICE_ERR_FAILED;
	oracle->used = true;
	if (!tpm_load_permanent(state, request.state_size) || !tpm_power_on())
		return SERVICE_ERR_FAILED;
	rc = tpm_startup_clear();
	if (!rc)
		rc = create(template, request.template_size, &primary);
	return put_key(out, rc, &primary);
}
