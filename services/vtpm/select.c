/* SPDX-License-Identifier: MIT */
#include "services/vtpm/select.h"

#include <openssl/rand.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/tpm/selector.h"
#include "services/vtpm/awaited.h"
#include "services/vtpm/manifest.h"
#include "services/vtpm/proof.h"
#include "services/vtpm/tpm_command.h"

/* Where a selector leads: a template, unless the outcome says otherwise. */
struct target {
	enum vtpm_select outcome; /* SELECT_CREATE as long as only the template is known */
	uint32_t code;
	const uint8_t *template;
	size_t template_size;
	uint8_t nv[SELECTOR_TEMPLATE_MAX];
};

uint32_t select_allowed(const struct vtpm *vtpm)
{
	struct tpm_checkpoint checkpoint;
	bool enabled = false;
	uint32_t rc;

	if (vtpm->profile->attest_when_eh_disabled)
		return TPM_RC_SUCCESS;
	/* Even TPM2_GetCapability would end a guest's exclusive audit session. */
	if (!tpm_checkpoint(&checkpoint))
		return TPM_RC_NONE;
	rc = tpm_endorsement_enabled(&enabled);
	vtpm_roll_back(&checkpoint);
	if (rc)
		return rc;
	return enabled ? TPM_RC_SUCCESS : TPM_RC_HIERARCHY_1;
}

/* Reads the index as anybody could: by its own authorization, an empty one. */
static uint32_t read_nv(uint32_t index, uint8_t *data, size_t max, size_t *size)
{
	uint32_t rc = tpm_nv_size(index, size);

	if (rc)
		return rc;
	if (*size > max)
		return TPM_RC_SUCCESS; /* too large for a template: the caller sees the size */
	return tpm_nv_read(index, data, *size);
}

/*
 * The index is read as the guest would read it, with locks and authorization, and then the TPM is
 * rolled back: no attempt is counted and no session ended.
 */
static void select_nv(struct target *target, uint32_t index)
{
	struct tpm_checkpoint checkpoint;
	size_t size = 0;
	uint32_t rc;

	if (!tpm_checkpoint(&checkpoint)) {
		*target = (struct target){ .outcome = SELECT_TPM_ERROR, .code = TPM_RC_NONE };
		return;
	}
	rc = read_nv(index, target->nv, sizeof(target->nv), &size);
	vtpm_roll_back(&checkpoint);
	if (rc) {
		target->outcome = SELECT_TPM_ERROR;
		target->code = rc;
		return;
	}
	target->template = target->nv;
	target->template_size = size;
}

static void select_profile_key(const struct vtpm *vtpm, struct target *target, uint32_t id)
{
	for (size_t i = 0; i < vtpm->profile->key_count; i++) {
		if (vtpm->profile->keys[i].id != id)
			continue;
		target->template = vtpm->templates[i].data;
		target->template_size = vtpm->templates[i].size;
		return;
	}
	target->outcome = SELECT_REFUSED;
}

static void resolve(const struct vtpm *vtpm, const struct selector *selector, struct target *target)
{
	struct selector_template info;

	switch (selector->kind) {
	case SVSM_SELECTOR_TEMPLATE:
		target->template = selector->template;
		target->template_size = selector->template_size;
		break;
	case SVSM_SELECTOR_KEY:
		select_profile_key(vtpm, target, selector->id);
		break;
	case SVSM_SELECTOR_NV:
		select_nv(target, selector->id);
		break;
	default:
		target->outcome = SELECT_REFUSED;
		break;
	}
	if (target->outcome == SELECT_CREATE &&
	    (target->template_size > SELECTOR_TEMPLATE_MAX ||
	     selector_template_check(&info, target->template, target->template_size)))
		target->outcome = SELECT_REFUSED;
}

static enum service_status put_outcome(const struct vtpm *vtpm, struct serve_output *out,
				       enum vtpm_select outcome, uint32_t code)
{
	struct vtpm_select_reply reply = {
		.outcome = outcome,
		.code = code,
		.seed_generation = vtpm->cache.generation,
	};

	/* A TPM that does not answer gives no response code to pass on. */
	if (code == TPM_RC_NONE)
		return SERVICE_ERR_FAILED;
	return serve_append(out, &reply, sizeof(reply));
}

static enum service_status put_key(const struct vtpm *vtpm, uint32_t version,
				   const struct cache_entry *key, struct serve_output *out)
{
	enum service_status status = put_outcome(vtpm, out, SELECT_MANIFEST, 0);

	return status == SERVICE_OK ? manifest_of_key(version, key, out) : status;
}

/* What the twin shall make, and prove that it has. */
static enum service_status put_order(const struct vtpm *vtpm, const struct target *target,
				     struct serve_output *out)
{
	struct twin_order order;
	enum service_status status;

	if (RAND_bytes(order.challenge, sizeof(order.challenge)) != 1)
		return SERVICE_ERR_FAILED;
	status = put_outcome(vtpm, out, SELECT_CREATE, 0);
	if (status == SERVICE_OK)
		status = serve_append(out, &order, sizeof(order));
	if (status == SERVICE_OK)
		status = serve_append(out, target->template, target->template_size);
	return status;
}

static enum service_status put_target(struct vtpm *vtpm, uint32_t version,
				      const struct target *target, struct serve_output *out)
{
	const struct cache_entry *key;

	if (target->outcome != SELECT_CREATE)
		return put_outcome(vtpm, out, target->outcome, target->code);
	key = cache_find(&vtpm->cache, TPM_RH_ENDORSEMENT, target->template, target->template_size);
	if (!key)
		key = awaited_ready(vtpm, target->template, target->template_size);
	if (key)
		return put_key(vtpm, version, key, out);
	return put_order(vtpm, target, out);
}

static bool serves_version(const struct vtpm *vtpm, uint32_t version)
{
	return version <= 1 && (vtpm->profile->manifests & PROFILE_MANIFEST_VERSION(version));
}

enum service_status select_key(struct vtpm *vtpm, const uint8_t *payload, size_t size,
			       struct serve_output *out)
{
	struct bytes_reader r = bytes_reader_init(payload, size);
	uint32_t version = bytes_le32(&r), rc;
	struct target target = { .outcome = SELECT_CREATE };
	struct selector selector;
	enum service_status status;
	size_t left = bytes_left(&r);

	if (r.bad)
		return SERVICE_ERR_FORMAT;
	if (!serves_version(vtpm, version))
		return SERVICE_ERR_UNSUPPORTED;
	if (selector_parse(&selector, bytes_take(&r, left), left))
		return put_outcome(vtpm, out, SELECT_REFUSED, 0);
	rc = select_allowed(vtpm);
	if (rc)
		return put_outcome(vtpm, out, SELECT_TPM_ERROR, rc);
	if (selector.kind == SVSM_SELECTOR_NONE) {
		status = put_outcome(vtpm, out, SELECT_MANIFEST, 0);
		return status == SERVICE_OK ? manifest_of_profile(vtpm, version, out) : status;
	}
	resolve(vtpm, &selector, &target);
	return put_target(vtpm, version, &target, out);
}

/* An order, and what the twin has made of it. */
struct made {
	struct vtpm_remember header;
	struct twin_order order;
	const uint8_t *template;
	size_t template_size;
	struct proof proof;
};

static bool parse_made(struct made *made, const uint8_t *payload, size_t size)
{
	struct bytes_reader r = bytes_reader_init(payload, size);
	const uint8_t *answer;

	if (!bytes_copy(&r, &made->header, sizeof(made->header)) || made->header.reserved ||
	    made->header.order_size < sizeof(made->order))
		return false;
	bytes_copy(&r, &made->order, sizeof(made->order));
	made->template_size = made->header.order_size - sizeof(made->order);
	made->template = bytes_take(&r, made->template_size);
	answer = bytes_take(&r, made->header.made_size);
	return bytes_complete(&r) && proof_read(&made->proof, answer, made->header.made_size);
}

/*
 * The key is made from the template, by the twin's TPM. Without that proof it may be anybody's key.
 */
static bool is_ours(const struct vtpm *vtpm, const struct made *made)
{
	return selector_public_matches(made->template, made->template_size, made->proof.public_area,
				       made->proof.header.public_size) &&
	       vtpm->has_proof_key &&
	       proof_holds(&made->proof, vtpm->proof_key, made->order.challenge);
}

enum service_status select_remember(struct vtpm *vtpm, const uint8_t *payload, size_t size,
				    struct serve_output *out)
{
	const struct cache_entry *key;
	struct made made;
	uint32_t rc;

	if (!parse_made(&made, payload, size))
		return SERVICE_ERR_FORMAT;
	if (!serves_version(vtpm, made.header.manifest_version))
		return SERVICE_ERR_UNSUPPORTED;
	/* The seed has changed since the order: the key is no longer this TPM's. */
	if (made.header.seed_generation != vtpm->cache.generation)
		return put_outcome(vtpm, out, SELECT_CREATE, 0);
	if (!is_ours(vtpm, &made)) {
		serve_log("vtpm: the twin's key is not one that it has made of the template");
		return SERVICE_ERR_FORMAT;
	}
	key = cache_put(&vtpm->cache, TPM_RH_ENDORSEMENT, made.template, made.template_size,
			made.proof.public_area, made.proof.header.public_size,
			vtpm_is_profile_template(vtpm, made.template, made.template_size));
	if (!key)
		return SERVICE_ERR_FAILED;
	rc = select_allowed(vtpm); /* the guest may have disabled the hierarchy meanwhile */
	if (rc)
		return put_outcome(vtpm, out, SELECT_TPM_ERROR, rc);
	return put_key(vtpm, made.header.manifest_version, key, out);
}

/* A new proof key with each load: what a twin of older seeds has certified is worth nothing. */
enum service_status select_seeds(struct vtpm *vtpm, size_t size, struct serve_output *out)
{
	struct vtpm_seeds seeds = { .generation = vtpm->cache.generation };
	enum service_status status;
	struct tpm_state state;

	if (size)
		return SERVICE_ERR_FORMAT;
	vtpm->has_proof_key = RAND_bytes(vtpm->proof_key, sizeof(vtpm->proof_key)) == 1;
	if (!vtpm->has_proof_key || !tpm_permanent_state(&state))
		return SERVICE_ERR_FAILED;
	status = serve_append(out, &seeds, sizeof(seeds));
	if (status == SERVICE_OK)
		status = serve_append(out, vtpm->proof_key, sizeof(vtpm->proof_key));
	if (status == SERVICE_OK)
		status = serve_append(out, state.data, state.size);
	tpm_free_state(&state);
	return status;
}
