/* SPDX-License-Identifier: MIT */
/* Keys of a profile: their names and their properties. */
#include <string.h>

#include "core/tpm/profile_parts.h"
#include "core/tpm/selector.h"
#include "core/tpm/wire.h"

#define PERSISTENT_FIRST 0x81000000u /* the owner's half of the persistent handles */
#define PERSISTENT_LAST 0x817fffffu

/* Verifiers rely on the type and purpose of an id (create-and-attest, section 5). */
static const struct kind {
	uint32_t id;
	const char *name;
	uint16_t type;
	uint16_t size; /* RSA: bits; ECC: curve */
} kinds[] = {
	{ SVSM_KEY_EK_RSA2048, "ek-rsa2048", TPM_ALG_RSA, 2048 },
	{ SVSM_KEY_EK_ECC_P256, "ek-ecc-p256", TPM_ALG_ECC, TPM_ECC_P256 },
	{ SVSM_KEY_EK_H1_RSA2048, "ek-h1-rsa2048", TPM_ALG_RSA, 2048 },
	{ SVSM_KEY_EK_H2_ECC_P256, "ek-h2-ecc-p256", TPM_ALG_ECC, TPM_ECC_P256 },
	{ SVSM_KEY_EK_H3_ECC_P384, "ek-h3-ecc-p384", TPM_ALG_ECC, TPM_ECC_P384 },
	{ SVSM_KEY_EK_H4_ECC_P521, "ek-h4-ecc-p521", TPM_ALG_ECC, TPM_ECC_P521 },
	{ SVSM_KEY_EK_H6_RSA3072, "ek-h6-rsa3072", TPM_ALG_RSA, 3072 },
	{ SVSM_KEY_EK_H7_RSA4096, "ek-h7-rsa4096", TPM_ALG_RSA, 4096 },
	{ SVSM_KEY_AK_RSA2048, "ak-rsa2048", TPM_ALG_RSA, 2048 },
	{ SVSM_KEY_AK_ECC_P256, "ak-ecc-p256", TPM_ALG_ECC, TPM_ECC_P256 },
	{ SVSM_KEY_AK_ECC_P384, "ak-ecc-p384", TPM_ALG_ECC, TPM_ECC_P384 },
	/* Aliases, after the names that are reported: no EK of the low range has this curve. */
	{ SVSM_KEY_EK_H3_ECC_P384, "ek-ecc-p384", TPM_ALG_ECC, TPM_ECC_P384 },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* The kind of an id that is one. */
static const struct kind *find_kind(uint32_t id)
{
	for (size_t i = 0; i < KINDS; i++) {
		if (kinds[i].id == id)
			return &kinds[i];
	}
	return NULL;
}

const char *profile_key_name(uint32_t id)
{
	const struct kind *kind = find_kind(id);

	return kind ? kind->name : NULL;
}

uint32_t profile_key_id(const char *name, size_t length)
{
	for (size_t i = 0; i < KINDS; i++) {
		if (word_is((struct word){ name, length }, kinds[i].name))
			return kinds[i].id;
	}
	return 0;
}

const char *profile_key_name_at(size_t index)
{
	return index < KINDS ? kinds[index].name : NULL;
}

static bool is_kind(const struct kind *kind, const struct selector_template *info)
{
	return info->type == kind->type &&
	       kind->size == (info->type == TPM_ALG_RSA ? info->bits : info->curve);
}

bool profile_key_fits(uint32_t id, const struct selector_template *info)
{
	const struct kind *kind = find_kind(id);

	return kind && is_kind(kind, info) && info->signing == (id >= SVSM_KEY_AK_RSA2048);
}

const struct profile_key *profile_find_key(const struct profile *profile, uint32_t id)
{
	for (size_t i = 0; i < profile->key_count; i++) {
		if (profile->keys[i].id == id)
			return &profile->keys[i];
	}
	return NULL;
}

static struct profile_key *current(struct profile_parser *p)
{
	return &p->profile->keys[p->profile->key_count - 1];
}

static const char *take_id(struct words *line, uint32_t *id)
{
	struct word word = words_next(line);

	if (!word.length)
		return "a key's name is missing";
	*id = profile_key_id(word.at, word.length);
	return *id ? NULL : "there is no key of this name";
}

const char *profile_take_key_name(const struct profile *profile, struct words *line, size_t *index)
{
	uint32_t id = 0;
	const char *error = take_id(line, &id);

	if (error)
		return error;
	for (*index = 0; *index < profile->key_count; (*index)++) {
		if (profile->keys[*index].id == id)
			return NULL;
	}
	return "the profile has no such key before this line";
}

const char *profile_begin_key(struct profile_parser *p, struct words *line)
{
	struct profile *profile = p->profile;
	uint32_t id = 0;
	const char *error = take_id(line, &id);

	if (error)
		return error;
	if (profile_find_key(profile, id))
		return "this key was defined before";
	if (profile->key_count == PROFILE_KEYS_MAX)
		return "too many keys";
	p->block = PROFILE_BLOCK_KEY;
	profile->keys[profile->key_count++] = (struct profile_key){ .id = (enum svsm_key_id)id };
	return NULL;
}

static const char *parse_role(struct profile_parser *p, struct words *line)
{
	struct profile_key *key = current(p);
	struct word word = words_next(line);

	if (!word_is(word, "ek") && !word_is(word, "ak"))
		return "a role is ek or ak";
	key->role = word_is(word, "ek") ? PROFILE_ROLE_EK : PROFILE_ROLE_AK;
	return NULL;
}

/* Attestation is about the endorsement hierarchy: no other one ties a key to this TPM's seed. */
static const char *parse_hierarchy(struct profile_parser *p, struct words *line)
{
	(void)p;
	return word_is(words_next(line), "endorsement") ? NULL : "the hierarchy is endorsement";
}

const char *profile_take_template(struct words *line, uint8_t template[PROFILE_TEMPLATE_MAX],
				  size_t *size)
{
	const char *reason = NULL;
	struct word word;

	for (word = words_next(line); word.length && !reason; word = words_next(line))
		reason = word_bytes(word, template, PROFILE_TEMPLATE_MAX, size);
	if (!reason && !*size)
		reason = "the template is empty";
	return reason;
}

static const char *parse_template(struct profile_parser *p, struct words *line)
{
	struct profile_key *key = current(p);

	return profile_take_template(line, key->template, &key->template_size);
}

static const char *parse_unique(struct profile_parser *p, struct words *line)
{
	struct profile_key *key = current(p);
	struct word word = words_next(line);

	if (word_is(word, "given"))
		key->unique = PROFILE_UNIQUE_GIVEN;
	else if (word_is(word, "zero"))
		key->unique = PROFILE_UNIQUE_ZERO;
	else if (word_is(word, "random"))
		key->unique = PROFILE_UNIQUE_RANDOM;
	else
		return "unique is given, zero or random";
	return NULL;
}

static const char *parse_handle(struct profile_parser *p, struct words *line)
{
	struct profile_key *key = current(p);
	struct word word = words_next(line);

	if (word_is(word, "none"))
		return NULL;
	if (!word_number(word, PERSISTENT_LAST, &key->handle) || key->handle < PERSISTENT_FIRST)
		return "handle is none or from 0x81000000 to 0x817fffff";
	return NULL;
}

const struct profile_properties profile_key_properties = {
	.unknown = "a key has no such property",
	.list = { { "role", parse_role },
		  { "hierarchy", parse_hierarchy },
		  { "template", parse_template },
		  { "unique", parse_unique },
		  { "handle", parse_handle } },
};

/* Makes room for a unique field as long as the key, of zeros. */
static const char *fill_unique(struct profile_key *key, const struct selector_template *info)
{
	struct bytes_writer w = bytes_writer_init(key->template, sizeof(key->template));
	size_t size = info->type == TPM_ALG_RSA ? info->bits / 8u : wire_curve_size(info->curve);

	if (info->unique_size)
		return "the template's unique field must be empty to be filled";
	w.size = info->unique_offset;
	for (int parts = info->type == TPM_ALG_ECC ? 2 : 1; parts > 0; parts--) {
		bytes_put_be16(&w, (uint16_t)size);
		bytes_put_zeros(&w, size);
	}
	key->template_size = w.size;
	return w.bad ? "the template is too long" : NULL;
}

/* No two keys have one persistent handle, or are the same key. */
static const char *check_distinct(const struct profile *profile, const struct profile_key *key)
{
	for (const struct profile_key *other = profile->keys; other < key; other++) {
		if (key->handle && other->handle == key->handle)
			return "another key has this persistent handle";
		if (other->unique != PROFILE_UNIQUE_RANDOM &&
		    other->template_size == key->template_size &&
		    memcmp(other->template, key->template, key->template_size) == 0)
			return "another key has this template";
	}
	return NULL;
}

static const char *check_kind(const struct profile_key *key, const struct selector_template *info)
{
	const struct kind *kind = find_kind(key->id);

	if ((key->role == PROFILE_ROLE_AK) != (key->id >= SVSM_KEY_AK_RSA2048))
		return "the key's name is not one of its role";
	if (info->signing != (key->role == PROFILE_ROLE_AK))
		return "an ek decrypts, an ak signs";
	if (!kind || !is_kind(kind, info))
		return "the template's type or size is not that of the key's name";
	return NULL;
}

const char *profile_end_key(struct profile_parser *p)
{
	struct profile_key *key = current(p);
	const char *reason = NULL;
	struct selector_template info;
	enum selector_result result;

	if (p->seen != 0x1f)
		return "the key lacks role, hierarchy, template, unique or handle";
	result = selector_template_check(&info, key->template, key->template_size);
	if (result)
		return selector_result_text(result);
	reason = check_kind(key, &info);
	if (reason)
		return reason;
	if (key->unique != PROFILE_UNIQUE_GIVEN)
		reason = fill_unique(key, &info);
	return reason ? reason : check_distinct(p->profile, key);
}
