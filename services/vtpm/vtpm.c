/* SPDX-License-Identifier: MIT */
#include "services/vtpm/vtpm.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/tpm/selector.h"
#include "services/vtpm/awaited.h"
#include "services/vtpm/evidence.h"
#include "services/vtpm/manifest.h"
#include "services/vtpm/rsa_factors.h"
#include "services/vtpm/select.h"
#include "services/vtpm/tpm_command.h"

const struct cache_entry *vtpm_profile_key(struct vtpm *vtpm, size_t index)
{
	const struct vtpm_template *t = &vtpm->templates[index];

	return cache_find(&vtpm->cache, TPM_RH_ENDORSEMENT, t->data, t->size);
}

bool vtpm_keep_key(struct vtpm *vtpm, size_t index, const struct tpm_primary *primary)
{
	const struct vtpm_template *t = &vtpm->templates[index];

	if (selector_public_matches(t->data, t->size, primary->public_area, primary->public_size) &&
	    cache_put(&vtpm->cache, TPM_RH_ENDORSEMENT, t->data, t->size, primary->public_area,
		      primary->public_size, true))
		return true;
	serve_logf("vtpm: %s is not what its template says",
		   profile_key_name(vtpm->profile->keys[index].id));
	return false;
}

bool vtpm_is_profile_template(const struct vtpm *vtpm, const uint8_t *template, size_t size)
{
	for (size_t i = 0; i < vtpm->profile->key_count; i++) {
		const struct vtpm_template *t = &vtpm->templates[i];

		if (t->size == size && memcmp(t->data, template, size) == 0)
			return true;
	}
	return false;
}

void vtpm_roll_back(struct tpm_checkpoint *checkpoint)
{
	if (tpm_rollback(checkpoint))
		return;
	serve_log("vtpm: the TPM's state is lost");
	exit(1);
}

uint32_t vtpm_started(const struct vtpm *vtpm)
{
	return vtpm->profile->platform_auth_random ? tpm_randomise_platform_auth() : TPM_RC_SUCCESS;
}

void vtpm_learn_ahead(struct vtpm *vtpm)
{
	struct ahead_wish wishes[AHEAD_KEYS_MAX];

	ahead_learn_unseen(&vtpm->ahead, wishes, awaited_wishes(vtpm, wishes));
}

/* Primes of keys that are gone are of no use to anybody, and secret still. */
static void forget_primes(struct vtpm *vtpm, uint32_t code)
{
	unsigned int changed = ahead_changed_by(code);

	if (changed || code == TPM_CC_CHANGE_PPS || code == TPM_CC_EVICT_CONTROL)
		rsa_factors_forget();
	if (changed)
		ahead_forget(&vtpm->ahead, changed);
}

/*
 * What the command may have changed is forgotten. A TPM that gave no answer is not asked for new
 * orders.
 */
static void renew_primes(struct vtpm *vtpm, uint32_t code, bool answered)
{
	forget_primes(vtpm, code);
	if (answered && ahead_changed_by(code) && vtpm->ahead.under_way)
		vtpm_learn_ahead(vtpm);
}

/*
 * A new endorsement seed makes every cached key void. That it changes has to be known before the
 * command runs, for the TPM stores the new seed before it answers.
 */
bool vtpm_execute(struct vtpm *vtpm, uint8_t locality, const uint8_t *command, size_t size,
		  uint8_t *response, size_t *response_size)
{
	uint32_t code = tpm_command_code(command, size);
	bool answered;

	vtpm->seed_changes = code == TPM_CC_CHANGE_EPS;
	answered = tpm_execute(locality, command, size, response, response_size);
	if (!answered || tpm_response_code(response, *response_size) == TPM_RC_SUCCESS) {
		if (vtpm->seed_changes)
			cache_new_seed(&vtpm->cache);
		renew_primes(vtpm, code, answered);
	}
	vtpm->seed_changes = false;
	/*
	 * TPM2_Startup(CLEAR) empties the platform's authorization. It succeeds only where the
	 * client starts the TPM (socle vtpm serve), which must not go on with an open platform
	 * hierarchy.
	 */
	if (answered && tpm_is_startup_clear(command, size) &&
	    tpm_response_code(response, *response_size) == TPM_RC_SUCCESS && vtpm_started(vtpm)) {
		serve_log("vtpm: the platform authorization cannot be set");
		exit(1);
	}
	return answered;
}

static enum service_status run_command(struct vtpm *vtpm, const uint8_t *payload, size_t size,
				       struct serve_output *out)
{
	struct bytes_reader r = bytes_reader_init(payload, size);
	struct vtpm_command header;
	struct vtpm_response about;
	uint8_t *response = out->data + sizeof(about);
	const uint8_t *command;
	bool evidence;

	if (!bytes_copy(&r, &header, sizeof(header)))
		return SERVICE_ERR_FORMAT;
	if (header.reserved[0] || header.reserved[1] || header.reserved[2] || header.locality > 4)
		return SERVICE_ERR_FORMAT;
	if (out->capacity < sizeof(about) + TPM_BUFFER_MAX || bytes_left(&r) > VTPM_COMMAND_MAX)
		return SERVICE_ERR_FORMAT;
	size = bytes_left(&r);
	command = bytes_take(&r, size);
	if (!vtpm_execute(vtpm, header.locality, command, size, response, &out->size))
		return SERVICE_ERR_FAILED;
	evidence = evidence_is_asked(vtpm, command, size, response, out->size);
	about.flags = (evidence ? VTPM_EVIDENCE_ASKED : 0) |
		      (ahead_waits(&vtpm->ahead) ? VTPM_AHEAD_WAITS : 0);
	memcpy(out->data, &about, sizeof(about));
	out->size += sizeof(about);
	return SERVICE_OK;
}

/*
 * Version 1, when all of its keys are made. One search in a request: the monitor ends a service
 * that takes longer than its budget. A manifest that must fail has none made.
 */
static enum service_status next_of_all(struct vtpm *vtpm, struct serve_output *out)
{
	uint32_t left;

	if (awaited_lacks_others(vtpm) || !awaited_make_one(vtpm, &left))
		return SERVICE_ERR_FAILED;
	return left ? SERVICE_OK : manifest_of_profile(vtpm, 1, out);
}

static enum service_status give_manifest(struct vtpm *vtpm, const uint8_t *payload, size_t size,
					 struct serve_output *out)
{
	struct bytes_reader r = bytes_reader_init(payload, size);
	uint32_t version = bytes_le32(&r);

	if (!bytes_complete(&r))
		return SERVICE_ERR_FORMAT;
	if (version > 1 || !(vtpm->profile->manifests & PROFILE_MANIFEST_VERSION(version)))
		return SERVICE_ERR_UNSUPPORTED;
	if (select_allowed(vtpm))
		return SERVICE_ERR_FAILED;
	return version ? next_of_all(vtpm, out) : manifest_of_profile(vtpm, 0, out);
}

static enum service_status make_key(struct vtpm *vtpm, size_t size, struct serve_output *out)
{
	uint32_t left;

	if (size)
		return SERVICE_ERR_FORMAT;
	if (!awaited_make_one(vtpm, &left))
		return SERVICE_ERR_FAILED;
	return serve_append(out, &left, sizeof(left));
}

/* The first to ask is who finds primes from then on. */
static enum service_status next_ahead(struct vtpm *vtpm, size_t size, struct serve_output *out)
{
	const struct prime_order *order;

	if (size)
		return SERVICE_ERR_FORMAT;
	if (!vtpm->ahead.under_way) {
		ahead_init(&vtpm->ahead);
		vtpm_learn_ahead(vtpm);
	}
	order = ahead_next(&vtpm->ahead);
	return order ? serve_append(out, order, sizeof(*order)) : SERVICE_OK;
}

static enum service_status take_ahead(struct vtpm *vtpm, const uint8_t *payload, size_t size)
{
	struct bytes_reader r = bytes_reader_init(payload, size);
	struct prime_found found;
	enum service_status status = SERVICE_ERR_FORMAT;

	bytes_copy(&r, &found, sizeof(found));
	if (bytes_complete(&r) && prime_ok(&found)) {
		ahead_take(&vtpm->ahead, &found);
		status = SERVICE_OK;
	}
	explicit_bzero(&found, sizeof(found));
	return status;
}

enum service_status vtpm_handle(void *context, uint32_t op, const uint8_t *payload, size_t size,
				struct serve_output *out)
{
	switch (op) {
	case VTPM_OP_COMMAND:
		return run_command(context, payload, size, out);
	case VTPM_OP_MANIFEST:
		return give_manifest(context, payload, size, out);
	case VTPM_OP_SELECT:
		return select_key(context, payload, size, out);
	case VTPM_OP_REMEMBER:
		return select_remember(context, payload, size, out);
	case VTPM_OP_SEEDS:
		return select_seeds(context, size, out);
	case VTPM_OP_EVIDENCE_OF:
		return evidence_of(context, size, out);
	case VTPM_OP_EVIDENCE:
		return evidence_take(context, payload, size);
	case VTPM_OP_AHEAD_NEXT:
		return next_ahead(context, size, out);
	case VTPM_OP_AHEAD_FOUND:
		return take_ahead(context, payload, size);
	case VTPM_OP_KEYS:
		return make_key(context, size, out);
	default:
		return SERVICE_ERR_UNSUPPORTED;
	}
}
