/* SPDX-License-Identifier: MIT */
/* What a profile has found ahead: primary RSA keys that a guest is expected to make. */
#include <string.h>

#include "abi/tpm.h"
#include "core/tpm/profile_parts.h"
#include "core/tpm/selector.h"

#define ALL_PROPERTIES 0x1u

static struct profile_ahead *current(struct profile_parser *p)
{
	return &p->profile->ahead[p->profile->ahead_count - 1];
}

/* The null hierarchy's seed is made to be gone with the next start. */
static uint32_t take_hierarchy(struct words *line)
{
	struct word word = words_next(line);

	if (word_is(word, "owner"))
		return TPM_RH_OWNER;
	return word_is(word, "endorsement") ? TPM_RH_ENDORSEMENT : 0;
}

const char *profile_begin_ahead(struct profile_parser *p, struct words *line)
{
	struct profile *profile = p->profile;
	uint32_t hierarchy = take_hierarchy(line);

	if (!hierarchy)
		return "what is found ahead is owner's or endorsement's";
	if (profile->ahead_count == PROFILE_AHEAD_MAX)
		return "too many keys to find ahead";
	p->block = PROFILE_BLOCK_AHEAD;
	profile->ahead[profile->ahead_count++] = (struct profile_ahead){ .hierarchy = hierarchy };
	return NULL;
}

static const char *parse_template(struct profile_parser *p, struct words *line)
{
	struct profile_ahead *ahead = current(p);

	return profile_take_template(line, ahead->template, &ahead->template_size);
}

const struct profile_properties profile_ahead_properties = {
	.unknown = "what is found ahead has no such property",
	.list = { { "template", parse_template } },
};

static bool is_same(const struct profile_ahead *a, const struct profile_ahead *b)
{
	return a->hierarchy == b->hierarchy && a->template_size == b->template_size &&
	       memcmp(a->template, b->template, a->template_size) == 0;
}

const char *profile_end_ahead(struct profile_parser *p)
{
	const struct profile_ahead *ahead = current(p);
	struct selector_template info;
	enum selector_result result;

	if (p->seen != ALL_PROPERTIES)
		return "what is found ahead lacks its template";
	result = selector_template_check(&info, ahead->template, ahead->template_size);
	if (result)
		return selector_result_text(result);
	if (info.type != TPM_ALG_RSA)
		return "only RSA keys have primes to be found ahead";
	for (const struct profile_ahead *other = p->profile->ahead; other < ahead; other++) {
		if (is_same(other, ahead))
			return "this key is found ahead already";
	}
	return NULL;
}
