/* SPDX-License-Identifier: MIT */
#include "services/vtpm/manufacture.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "abi/tpm.h"
#include "core/tpm/selector.h"
#include "services/vtpm/awaited.h"
#include "services/vtpm/certificates.h"
#include "services/vtpm/evidence.h"
#include "services/vtpm/manifest.h"
#include "services/vtpm/state.h"
#include "services/vtpm/tpm_command.h"

static bool done(uint32_t rc, const char *what)
{
	if (rc)
		serve_logf("vtpm: %s: TPM response code 0x%x", what, rc);
	return rc == TPM_RC_SUCCESS;
}

static void log_library(const char *what, const char *needs)
{
	uint32_t version = tpm_library_version();

	serve_logf("vtpm: %s needs %s; this is libtpms %u.%u.%u", what, needs, version >> 16,
		   version >> 8 & 0xff, version & 0xff);
}

static bool choose_profile(const char *profile)
{
	char what[PROFILE_NAME_MAX + sizeof("tpm-profile ")];

	if (!profile[0] || tpm_choose_profile(profile))
		return true;
	snprintf(what, sizeof(what), "tpm-profile %.*s", (int)PROFILE_NAME_MAX,
		 profile[0] == '{' ? "{...}" : profile);
	log_library(what, "a libtpms, from 0.10 on, that takes it");
	return false;
}

/* PCR banks change with a reset, so the TPM is powered on twice. */
static bool start(const struct profile *profile)
{
	if (!tpm_power_on()) {
		serve_log("vtpm: no TPM can be manufactured");
		return false;
	}
	if (!done(tpm_startup_clear(), "first startup") ||
	    !done(tpm_pcr_allocate(profile->banks, profile->bank_count), "PCR banks") ||
	    !done(tpm_shutdown_clear(), "shutdown"))
		return false;
	tpm_power_off();
	if (!tpm_power_on()) {
		serve_log("vtpm: the new TPM does not start");
		return false;
	}
	tpm_stop_keeping();
	return done(tpm_startup_clear(), "startup");
}

/* The bytes of a unique field but for its sizes, which lie before x and before y. */
static bool fill_random(struct vtpm_template *template)
{
	struct selector_template info;
	uint8_t *x;
	size_t half;

	if (selector_template_check(&info, template->data, template->size))
		return false;
	x = template->data + info.unique_offset + 2;
	if (info.type == TPM_ALG_RSA)
		return RAND_bytes(x, (int)info.unique_size) == 1;
	half = info.unique_size / 2;
	return RAND_bytes(x, (int)half) == 1 && RAND_bytes(x + half + 2, (int)half) == 1;
}

static bool prepare_template(struct vtpm_template *template, const struct profile_key *key)
{
	memcpy(template->data, key->template, key->template_size);
	template->size = key->template_size;
	return key->unique != PROFILE_UNIQUE_RANDOM || fill_random(template);
}

/* Of the keys that a profile may have this is the only one that some versions of libtpms lack. */
static bool made_key(const struct profile_key *key, uint32_t rc)
{
	const char *name = profile_key_name(key->id);

	if (rc == TPM_RC_VALUE_2 && key->id == SVSM_KEY_EK_H7_RSA4096)
		log_library(name, "RSA 4096, which libtpms 0.11 has with tpm-profile default-v2");
	return done(rc, name);
}

/* One that is left for later is found out about now: a key that cannot be made ends the start. */
static bool make_key(struct vtpm *vtpm, size_t index)
{
	const struct profile_key *key = &vtpm->profile->keys[index];
	struct vtpm_template *t = &vtpm->templates[index];
	struct tpm_primary primary;
	uint32_t rc;
	bool ok;

	if (!prepare_template(t, key))
		return done(TPM_RC_NONE, "random numbers");
	rc = vtpm->awaited[index] ? awaited_try(t, &primary)
				  : tpm_create_primary(t->data, t->size, &primary);
	if (vtpm->awaited[index] && rc == TPM_RC_CANCELED)
		return true;
	if (!made_key(key, rc))
		return false;
	ok = vtpm_keep_key(vtpm, index, &primary);
	if (ok && key->handle)
		ok = done(tpm_make_persistent(primary.handle, key->handle), "persistent handle");
	return ok && done(tpm_flush(primary.handle), "flush");
}

static bool make_keys(struct vtpm *vtpm)
{
	awaited_choose(vtpm);
	for (size_t i = 0; i < vtpm->profile->key_count; i++) {
		if (!make_key(vtpm, i))
			return false;
	}
	return true;
}

/* The bytes of an NV object. No bytes: there is no certificate, and so no object. */
struct content {
	const uint8_t *data;
	size_t size;
	uint8_t evidence[PROFILE_NV_SIZE_MAX];
};

static bool find_content(struct vtpm *vtpm, const struct profile_nv *nv,
			 const struct certificates *certificates, struct content *content)
{
	content->size = 0;
	switch (nv->content) {
	case PROFILE_CONTENT_TEMPLATE:
		content->data = vtpm->templates[nv->key].data;
		content->size = vtpm->templates[nv->key].size;
		return true;
	case PROFILE_CONTENT_CERTIFICATE:
		content->data = certificates->der[nv->key].data;
		content->size = certificates->der[nv->key].size;
		return true;
	case PROFILE_CONTENT_PLATFORM:
		content->data = certificates->platform.data;
		content->size = certificates->platform.size;
		return true;
	case PROFILE_CONTENT_BLOB:
		content->data = vtpm->profile->blobs + nv->blob_offset;
		content->size = nv->blob_size;
		return true;
	case PROFILE_CONTENT_EVIDENCE:
		content->data = content->evidence;
		if (!vtpm->attested) {
			serve_logf("vtpm: no NV index 0x%08x: nothing attests this TPM", nv->index);
			return true;
		}
		return evidence_make(vtpm_profile_key(vtpm, nv->key), content->evidence,
				     sizeof(content->evidence), &content->size);
	default:
		return false;
	}
}

/* What the vtpm writes later it writes by an authorization that nobody else knows. */
static bool make_auth(struct vtpm *vtpm, const struct profile_nv *nv, struct tpm_auth *auth)
{
	*auth = (struct tpm_auth){ 0 };
	if (!nv->user_data)
		return true;
	*auth = (struct tpm_auth){ vtpm->evidence_auth, sizeof(vtpm->evidence_auth) };
	return RAND_bytes(vtpm->evidence_auth, sizeof(vtpm->evidence_auth)) == 1 ||
	       done(TPM_RC_NONE, "random numbers");
}

static bool make_nv(struct vtpm *vtpm, const struct profile_nv *nv, const struct content *content)
{
	struct tpm_nv_public public_area = {
		.index = nv->index,
		.attributes = nv->attributes,
		.policy = nv->policy,
		.policy_size = nv->policy_size,
		.size = (uint16_t)content->size,
	};

	return make_auth(vtpm, nv, &public_area.auth) &&
	       done(tpm_nv_define(&public_area), "NV define") &&
	       done(tpm_nv_write(nv->index, content->data, content->size), "NV write") &&
	       (!nv->locked || done(tpm_nv_write_lock(nv->index), "NV lock"));
}

static bool make_nv_objects(struct vtpm *vtpm, const struct certificates *certificates)
{
	static struct content content;

	for (size_t i = 0; i < vtpm->profile->nv_count; i++) {
		const struct profile_nv *nv = &vtpm->profile->nv[i];

		if (!find_content(vtpm, nv, certificates, &content)) {
			serve_logf("vtpm: no content for NV index 0x%08x", nv->index);
			return false;
		}
		if (content.size && !make_nv(vtpm, nv, &content)) {
			serve_logf("vtpm: NV index 0x%08x cannot be made", nv->index);
			return false;
		}
	}
	return true;
}

static bool is_defined(uint32_t index)
{
	size_t size;

	return tpm_nv_size(index, &size) == TPM_RC_SUCCESS;
}

bool manufacture_certify(struct vtpm *vtpm, const struct certificates *certificates)
{
	static struct content content;

	for (size_t i = 0; i < vtpm->profile->nv_count; i++) {
		const struct profile_nv *nv = &vtpm->profile->nv[i];

		if ((nv->content != PROFILE_CONTENT_CERTIFICATE &&
		     nv->content != PROFILE_CONTENT_PLATFORM) ||
		    !find_content(vtpm, nv, certificates, &content) || !content.size)
			continue;
		if (is_defined(nv->index) && !done(tpm_nv_undefine(nv->index), "NV undefine"))
			return false;
		if (!make_nv(vtpm, nv, &content))
			return false;
		serve_logf("vtpm: certificate at 0x%08x", nv->index);
	}
	return true;
}

/* Asks the CA. Missing certificates are left empty; false when the profile requires them. */
static bool get_certificates(struct vtpm *vtpm, struct certificates *certificates)
{
	const char *reason;

	*certificates = (struct certificates){ 0 };
	if (vtpm->profile->certificates == PROFILE_CERTIFICATES_NONE)
		return true;
	reason = vtpm->attested ? certificates_get(vtpm, certificates) : "nothing attests this TPM";
	if (!reason)
		return true;
	certificates_free(certificates);
	serve_logf("vtpm: no certificates: %s", reason);
	return vtpm->profile->certificates == PROFILE_CERTIFICATES_OPTIONAL;
}

static bool manifests_fit(const struct vtpm *vtpm)
{
	if (manifest_size(vtpm) <= VTPM_MANIFEST_MAX)
		return true;
	serve_log("vtpm: the manifest of all keys is too large");
	return false;
}

static bool make_new(struct vtpm *vtpm)
{
	struct certificates certificates;
	bool ok;

	if (!choose_profile(vtpm->profile->tpm_profile) || !start(vtpm->profile) ||
	    !make_keys(vtpm) || !manifests_fit(vtpm) || !get_certificates(vtpm, &certificates))
		return false;
	ok = make_nv_objects(vtpm, &certificates);
	certificates_free(&certificates);
	return ok;
}

bool manufacture(struct vtpm *vtpm)
{
	cache_new_seed(&vtpm->cache);
	tpm_init(true);
	return make_new(vtpm) && done(vtpm_started(vtpm), "platform authorization");
}

bool manufacture_resume(struct vtpm *vtpm, const uint8_t *state, size_t size,
			const struct tpm_state *volatile_state)
{
	cache_new_seed(&vtpm->cache);
	tpm_init(false);
	if (!state_read(vtpm, state, size) ||
	    (volatile_state->size &&
	     !tpm_load_volatile(volatile_state->data, volatile_state->size))) {
		serve_log("vtpm: the state is none of this profile");
		return false;
	}
	if (tpm_power_on())
		return true;
	serve_log("vtpm: the TPM does not start from its state");
	return false;
}
