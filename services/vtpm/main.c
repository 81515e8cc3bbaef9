/* SPDX-License-Identifier: MIT */
/* The vtpm service: a TPM 2.0 behind request messages (abi/service.h, vtpm_op). */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/bytes.h"
#include "services/common/serve.h"
#include "services/main.h"
#include "services/vtpm/profile.h"
#include "services/vtpm/tpm.h"

#define FD_PROFILE 6		     /* services.conf grants the profile's file here */
#define MANIFEST_V0_KEY "ek-rsa2048" /* L-1 of the TCG EK Credential Profile */

struct vtpm {
	uint8_t ek_public[TPM_PUBLIC_MAX]; /* TPMT_PUBLIC; it cannot change while the vTPM runs */
	size_t ek_public_size;
};

static bool read_profile(struct profile *profile, struct profile_error *error)
{
	static char text[PROFILE_SIZE_MAX];
	size_t size = 0;
	ssize_t got;

	while ((got = read(FD_PROFILE, text + size, sizeof(text) - size)) > 0)
		size += (size_t)got;
	error->line = 0;
	error->reason = "it cannot be read";
	if (got < 0)
		return false;
	error->reason = "it is too large";
	if (size == sizeof(text))
		return false;
	return profile_parse(profile, text, size, error);
}

static bool provision(struct vtpm *vtpm, const struct profile *profile)
{
	const struct profile_key *key = profile_find_key(profile, MANIFEST_V0_KEY);
	char line[96];
	uint32_t rc;

	if (!key) {
		serve_log("vtpm: the profile has no key " MANIFEST_V0_KEY);
		return false;
	}
	rc = tpm_start(profile);
	if (!rc)
		rc = tpm_endorsement_public(key->template, key->template_size, vtpm->ek_public,
					    &vtpm->ek_public_size);
	if (!rc)
		return true;
	snprintf(line, sizeof(line), "vtpm: provisioning failed, TPM response code 0x%x", rc);
	serve_log(line);
	return false;
}

static enum service_status run_command(const uint8_t *payload, size_t size,
				       struct serve_output *out)
{
	struct bytes_reader r = bytes_reader_init(payload, size);
	struct vtpm_command header;

	if (!bytes_copy(&r, &header, sizeof(header)))
		return SERVICE_ERR_FORMAT;
	if (header.reserved[0] || header.reserved[1] || header.reserved[2] || header.locality > 4)
		return SERVICE_ERR_FORMAT;
	if (out->capacity < TPM_BUFFER_MAX || bytes_left(&r) > VTPM_COMMAND_MAX)
		return SERVICE_ERR_FORMAT;
	size = bytes_left(&r);
	if (!tpm_execute(header.locality, bytes_take(&r, size), size, out->data, &out->size))
		return SERVICE_ERR_FAILED;
	return SERVICE_OK;
}

static enum service_status give_manifest(const struct vtpm *vtpm, const uint8_t *payload,
					 size_t size, struct serve_output *out)
{
	struct bytes_reader r = bytes_reader_init(payload, size);
	uint32_t version = bytes_le32(&r);

	if (!bytes_complete(&r))
		return SERVICE_ERR_FORMAT;
	if (version != 0)
		return SERVICE_ERR_UNSUPPORTED;
	return serve_append(out, vtpm->ek_public, vtpm->ek_public_size);
}

static enum service_status handle(void *context, uint32_t op, const uint8_t *payload, size_t size,
				  struct serve_output *out)
{
	switch (op) {
	case VTPM_OP_COMMAND:
		return run_command(payload, size, out);
	case VTPM_OP_MANIFEST:
		return give_manifest(context, payload, size, out);
	default:
		return SERVICE_ERR_UNSUPPORTED;
	}
}

int vtpm_main(void)
{
	static struct profile profile;
	static struct vtpm vtpm;
	struct profile_error error;
	char line[96];

	if (!read_profile(&profile, &error)) {
		snprintf(line, sizeof(line), "vtpm: profile, line %u: %s", error.line,
			 error.reason);
		serve_log(line);
		return 1;
	}
	if (!provision(&vtpm, &profile))
		return 1;
	snprintf(line, sizeof(line), "vtpm: ready, profile %s", profile.name);
	serve_log(line);
	return serve(handle, &vtpm);
}
