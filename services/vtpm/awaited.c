/* SPDX-License-Identifier: MIT */
#include "services/vtpm/awaited.h"

#include <string.h>

#include "core/tpm/selector.h"
#include "services/vtpm/tpm_command.h"

static bool is_rsa(const struct profile_key *key)
{
	struct selector_template info;

	return !selector_template_check(&info, key->template, key->template_size) &&
	       info.type == TPM_ALG_RSA;
}

/* Whether an NV object holds what is made of the key's public area; its template is there at once. */
static bool is_stored(const struct profile *profile, size_t key)
{
	for (size_t i = 0; i < profile->nv_count; i++) {
		const struct profile_nv *nv = &profile->nv[i];

		if (nv->key == key && (nv->content == PROFILE_CONTENT_CERTIFICATE ||
				       nv->content == PROFILE_CONTENT_EVIDENCE))
			return true;
	}
	return false;
}

void awaited_choose(struct vtpm *vtpm)
{
	const struct profile *profile = vtpm->profile;

	for (size_t i = 0; i < profile->key_count; i++)
		vtpm->awaited[i] = vtpm->attested && !profile->keys[i].handle &&
				   is_rsa(&profile->keys[i]) && !is_stored(profile, i);
}

static bool make(struct vtpm *vtpm, size_t index)
{
	const struct vtpm_template *t = &vtpm->templates[index];
	struct tpm_primary primary;

	return !tpm_create_primary(t->data, t->size, &primary) &&
	       vtpm_keep_key(vtpm, index, &primary);
}

static bool make_unseen(struct vtpm *vtpm, size_t index)
{
	struct tpm_checkpoint checkpoint;
	bool ok;

	if (!tpm_checkpoint(&checkpoint))
		return false;
	tpm_power_off();
	ok = !tpm_start_cleared(checkpoint.permanent.data, checkpoint.permanent.size) &&
	     make(vtpm, index);
	vtpm_roll_back(&checkpoint);
	if (!ok)
		serve_logf("vtpm: %s cannot be made",
			   profile_key_name(vtpm->profile->keys[index].id));
	return ok;
}

const struct cache_entry *awaited_key(struct vtpm *vtpm, size_t index)
{
	const struct cache_entry *key = vtpm_profile_key(vtpm, index);

	if (key || !vtpm->awaited[index] || !make_unseen(vtpm, index))
		return key;
	return vtpm_profile_key(vtpm, index);
}

bool awaited_make_all(struct vtpm *vtpm)
{
	bool ok = true;

	for (size_t i = 0; i < vtpm->profile->key_count; i++)
		ok = (!vtpm->awaited[i] || awaited_key(vtpm, i)) && ok;
	return ok;
}

/* A key keeps its place among the wishes, made or not. */
size_t awaited_wishes(struct vtpm *vtpm, struct ahead_wish *wishes)
{
	const struct profile *profile = vtpm->profile;
	size_t count = 0;

	for (size_t i = 0; i < profile->key_count; i++) {
		const struct vtpm_template *t = &vtpm->templates[i];

		if (!vtpm->awaited[i])
			continue;
		wishes[count++] = vtpm_profile_key(vtpm, i)
					  ? (struct ahead_wish){ 0 }
					  : (struct ahead_wish){ TPM_RH_ENDORSEMENT, t->data,
								 t->size };
	}
	return count + ahead_listed(profile, wishes + count);
}

static bool is_known(struct vtpm *vtpm, size_t index)
{
	size_t place = 0;

	for (size_t i = 0; i < index; i++)
		place += vtpm->awaited[i];
	return vtpm->awaited[index] && ahead_has(&vtpm->ahead, place);
}

const struct cache_entry *awaited_ready(struct vtpm *vtpm, const uint8_t *template, size_t size)
{
	for (size_t i = 0; i < vtpm->profile->key_count; i++) {
		const struct vtpm_template *t = &vtpm->templates[i];

		if (t->size == size && memcmp(t->data, template, size) == 0 && is_known(vtpm, i))
			return awaited_key(vtpm, i);
	}
	return NULL;
}
