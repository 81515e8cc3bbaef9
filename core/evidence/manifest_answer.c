/* SPDX-License-Identifier: MIT */
#include "core/evidence/manifest_answer.h"

#include "core/tpm/profile.h"

static const char *key_id_error(uint32_t id, const struct selector_template *info)
{
	if (!profile_key_name(id))
		return "the selected key id is unknown";
	return profile_key_fits(id, info) ? NULL : "its key is not of the kind that was selected";
}

const char *manifest_answer_error(const struct vtpm_manifest *manifest,
				  const struct selector *selector)
{
	const struct vtpm_manifest_key *key = &manifest->keys[0];

	if (manifest->count != 1)
		return "it has more than the selected key";
	if (selector->kind == SVSM_SELECTOR_TEMPLATE &&
	    !selector_public_matches(selector->template, selector->template_size, key->data,
				     key->size))
		return "its key is not made from the selected template";
	if (selector->kind == SVSM_SELECTOR_KEY)
		return key_id_error(selector->id, &key->info);
	return NULL;
}
