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

/* Whether an NV object holds what is made of the key's public area, not only its template. */
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
		vtpm->awaited[i] = vtpm->attested && prime_wrapped() && !profile->keys[i].handle &&
				   is_rsa(&profile->keys[i]) && !is_stored(profile, i);
	vtpm->awaited_generation = vtpm->cache.generation;
}

static enum prime_answer cancel(void *context, const struct prime_order *order,
				struct prime_found *found)
{
	(void)context;
	(void)order;
	(void)found;
	return PRIME_CANCEL;
}

static void ignore(void *context, const struct prime_found *found)
{
	(void)context;
	(void)found;
}

uint32_t awaited_try(const struct vtpm_template *template, struct tpm_primary *primary)
{
	static const struct prime_source nobody = { cancel, ignore, NULL };
	uint32_t rc;

	prime_ask(&nobody);
	rc = tpm_create_primary(template->data, template->size, primary);
	prime_ask(NULL);
	return rc;
}

/* A new seed has other keys, which are made as they are selected. */
static bool is_awaited(const struct vtpm *vtpm, size_t index)
{
	return vtpm->awaited[index] && vtpm->awaited_generation == vtpm->cache.generation;
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

	if (key || !is_awaited(vtpm, index) || !make_unseen(vtpm, index))
		return key;
	return vtpm_profile_key(vtpm, index);
}

bool awaited_make_one(struct vtpm *vtpm, uint32_t *left)
{
	bool made = false;

	*left = 0;
	for (size_t i = 0; i < vtpm->profile->key_count; i++) {
		if (!is_awaited(vtpm, i) || vtpm_profile_key(vtpm, i))
			continue;
		if (made)
			++*left;
		else if (!make_unseen(vtpm, i))
			return false;
		made = true;
	}
	return true;
}

bool awaited_lacks_others(struct vtpm *vtpm)
{
	for (size_t i = 0; i < vtpm->profile->key_count; i++) {
		if (!is_awaited(vtpm, i) && !vtpm_profile_key(vtpm, i))
			return true;
	}
	return false;
}

/* A key keeps its place among the wishes, made or not, and so does what is behind it. */
size_t awaited_wishes(struct vtpm *vtpm, struct ahead_wish *wishes)
{
	const struct profile *profile = vtpm->profile;
	size_t count = 0;

	for (size_t i = 0; i < profile->key_count; i++) {
		const struct vtpm_template *t = &vtpm->templates[i];

		if (!vtpm->awaited[i])
			continue;
		wishes[count++] = is_awaited(vtpm, i) && !vtpm_profile_key(vtpm, i)
					  ? (struct ahead_wish){ TPM_RH_ENDORSEMENT, t->data,
								 t->size }
					  : (struct ahead_wish){ 0 };
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
