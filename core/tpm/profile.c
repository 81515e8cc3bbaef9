/* SPDX-License-Identifier: MIT */
#include "core/tpm/profile.h"

#include <string.h>

#include "abi/tpm.h"
#include "core/base/number.h"
#include "core/tpm/profile_parts.h"

#define TIMEOUT_MAX_MS 60000u
#define REQUIRED_GLOBALS 0x1fu /* the first five of the table in profile_global() */

static uint16_t bank_algorithm(struct word word)
{
	static const struct {
		const char *name;
		uint16_t id; /* TCG Algorithm Registry, table 3 */
	} algorithms[] = {
		{ "sha1", 0x0004 },
		{ "sha256", TPM_ALG_SHA256 },
		{ "sha384", TPM_ALG_SHA384 },
		{ "sha512", TPM_ALG_SHA512 },
	};

	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		if (word_is(word, algorithms[i].name))
			return algorithms[i].id;
	}
	return 0;
}

static const char *parse_name(struct profile_parser *p, struct words *line)
{
	struct profile *profile = p->profile;
	return word_name(words_next(line), profile->name, sizeof(profile->name));
}

/* The words of the line as they stand there; what they mean is the TPM library's matter. */
static const char *take_json(struct word word, struct words *line, char *json)
{
	const char *start = word.at, *end = start;
	size_t size;

	for (; word.length; word = words_next(line))
		end = word.at + word.length;
	size = (size_t)(end - start);
	if (end[-1] != '}')
		return "a tpm-profile in braces ends with one, on its line";
	if (size >= PROFILE_TPM_PROFILE_MAX)
		return "a tpm-profile has at most 2047 bytes";
	for (size_t i = 0; i < size; i++) {
		if ((start[i] < ' ' && start[i] != '\t') || start[i] > '~')
			return "a tpm-profile has printable characters of ASCII only";
	}
	memcpy(json, start, size);
	json[size] = '\0';
	return NULL;
}

/* The TPM library knows its profiles by name, and takes others as JSON. */
static const char *parse_tpm_profile(struct profile_parser *p, struct words *line)
{
	struct profile *profile = p->profile;
	struct word word = words_next(line);

	if (word.length && *word.at == '{')
		return take_json(word, line, profile->tpm_profile);
	return word_name(word, profile->tpm_profile, PROFILE_NAME_MAX);
}

static const char *parse_banks(struct profile_parser *p, struct words *line)
{
	struct profile *profile = p->profile;
	struct word word = words_next(line);

	if (!word.length)
		return "pcr-banks wants at least one algorithm";
	for (; word.length; word = words_next(line)) {
		uint16_t id = bank_algorithm(word);

		if (!id)
			return "unknown PCR bank";
		for (size_t i = 0; i < profile->bank_count; i++) {
			if (profile->banks[i] == id)
				return "this PCR bank was named before";
		}
		profile->banks[profile->bank_count++] = id;
	}
	return NULL;
}

static const char *parse_platform_auth(struct profile_parser *p, struct words *line)
{
	struct profile *profile = p->profile;
	struct word word = words_next(line);

	if (!word_is(word, "random") && !word_is(word, "empty"))
		return "platform-auth is random or empty";
	profile->platform_auth_random = word_is(word, "random");
	return NULL;
}

static const char *parse_manifests(struct profile_parser *p, struct words *line)
{
	struct profile *profile = p->profile;
	struct word word = words_next(line);

	if (!word.length)
		return "manifests wants at least one version";
	for (; word.length; word = words_next(line)) {
		uint32_t version;

		if (!word_number(word, 1, &version))
			return "a manifest version is 0 or 1";
		if (profile->manifests & PROFILE_MANIFEST_VERSION(version))
			return "this manifest version was named before";
		profile->manifests |= PROFILE_MANIFEST_VERSION(version);
	}
	return NULL;
}

static const char *parse_certificates(struct profile_parser *p, struct words *line)
{
	struct profile *profile = p->profile;
	struct word word = words_next(line);

	if (word_is(word, "none"))
		profile->certificates = PROFILE_CERTIFICATES_NONE;
	else if (word_is(word, "optional"))
		profile->certificates = PROFILE_CERTIFICATES_OPTIONAL;
	else if (word_is(word, "required"))
		profile->certificates = PROFILE_CERTIFICATES_REQUIRED;
	else
		return "certificates is none, optional or required";
	return NULL;
}

static const char *parse_attest_when(struct profile_parser *p, struct words *line)
{
	struct profile *profile = p->profile;
	struct word word = words_next(line);

	if (!word_is(word, "yes") && !word_is(word, "no"))
		return "attest-when-eh-disabled is yes or no";
	profile->attest_when_eh_disabled = word_is(word, "yes");
	return NULL;
}

/* Seconds, as in services.conf. */
static const char *parse_timeout(struct profile_parser *p, struct words *line)
{
	struct profile *profile = p->profile;
	static const struct number_unit unit = { "s", 1000 };
	struct word word = words_next(line);
	uint64_t ms;

	if (!number_read_unit(word.at, word.length, NUMBER_DECIMAL, &unit, 1, &ms))
		return "certificate-timeout is a number of seconds with s";
	if (ms == 0 || ms > TIMEOUT_MAX_MS)
		return "certificate-timeout is from 1s to 60s";
	profile->certificate_timeout_ms = (uint32_t)ms;
	return NULL;
}

static const struct profile_properties globals = {
	.unknown = "unknown keyword",
	.list = { { "profile", parse_name },
		  { "pcr-banks", parse_banks },
		  { "platform-auth", parse_platform_auth },
		  { "manifests", parse_manifests },
		  { "certificates", parse_certificates },
		  { "attest-when-eh-disabled", parse_attest_when },
		  { "certificate-timeout", parse_timeout },
		  { "tpm-profile", parse_tpm_profile } },
};

/* attest-when-eh-disabled has a default: attestation is about the TPM, not about its use. */
static const char *end_globals(const struct profile_parser *p)
{
	const struct profile *profile = p->profile;

	if ((p->seen & REQUIRED_GLOBALS) != REQUIRED_GLOBALS)
		return "profile, pcr-banks, platform-auth, manifests or certificates is missing";
	if (profile->certificates != PROFILE_CERTIFICATES_NONE && !profile->certificate_timeout_ms)
		return "certificate-timeout is missing";
	if (profile->certificates == PROFILE_CERTIFICATES_NONE && profile->certificate_timeout_ms)
		return "certificate-timeout without certificates";
	return NULL;
}

static const char *end_block(struct profile_parser *p)
{
	switch (p->block) {
	case PROFILE_BLOCK_KEY:
		return profile_end_key(p);
	case PROFILE_BLOCK_NV:
		return profile_end_nv(p);
	case PROFILE_BLOCK_AHEAD:
		return profile_end_ahead(p);
	default:
		return end_globals(p);
	}
}

typedef const char *begin_function(struct profile_parser *p, struct words *line);

/* NULL for a word that begins none. */
static begin_function *find_block(struct word keyword)
{
	static const struct {
		const char *name;
		begin_function *begin;
	} blocks[] = {
		{ "key", profile_begin_key },
		{ "nv", profile_begin_nv },
		{ "ahead", profile_begin_ahead },
	};

	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		if (word_is(keyword, blocks[i].name))
			return blocks[i].begin;
	}
	return NULL;
}

static const char *parse_property(struct profile_parser *p, struct word keyword, struct words *line)
{
	static const struct profile_properties *const of_blocks[] = {
		[PROFILE_BLOCK_NONE] = &globals,
		[PROFILE_BLOCK_KEY] = &profile_key_properties,
		[PROFILE_BLOCK_NV] = &profile_nv_properties,
		[PROFILE_BLOCK_AHEAD] = &profile_ahead_properties,
	};
	const struct profile_properties *known = of_blocks[p->block];

	for (size_t i = 0; known->list[i].name; i++) {
		if (!word_is(keyword, known->list[i].name))
			continue;
		if (p->seen & 1u << i)
			return "this property was given before";
		p->seen |= 1u << i;
		return known->list[i].parse(p, line);
	}
	return known->unknown;
}

/* An error in a block as a whole is reported at the line that starts it. */
static bool finish_block(struct profile_parser *p, struct profile_error *error)
{
	const char *reason = end_block(p);

	if (!reason)
		return true;
	error->line = p->block_line;
	error->reason = reason;
	return false;
}

static bool parse_line(struct profile_parser *p, struct words *line, struct profile_error *error)
{
	struct word keyword = words_next(line);
	begin_function *begin = find_block(keyword);

	if (!keyword.length)
		return true;
	if (begin) {
		if (!finish_block(p, error))
			return false;
		p->seen = 0;
		p->block_line = error->line;
		error->reason = begin(p, line);
	} else {
		error->reason = parse_property(p, keyword, line);
	}
	if (!error->reason && words_next(line).length)
		error->reason = "something follows where the line should end";
	return !error->reason;
}

/* Manifest version 0 has always been the public area of this key. */
static const char *check_whole(const struct profile *profile)
{
	if (profile->manifests & PROFILE_MANIFEST_VERSION(0) &&
	    !profile_find_key(profile, SVSM_KEY_EK_RSA2048))
		return "manifest version 0 wants the key ek-rsa2048";
	return profile->key_count ? NULL : "the profile has no key";
}

bool profile_parse(struct profile *profile, const char *text, size_t size,
		   struct profile_error *error)
{
	struct profile_parser p = { .profile = profile };
	const char *end = text + size;

	*profile = (struct profile){ .attest_when_eh_disabled = true };
	*error = (struct profile_error){ 0 };
	while (text < end) {
		struct words line = { text, words_line_end(text, end) };

		text = line.end < end ? line.end + 1 : end;
		error->line++;
		if (!parse_line(&p, &line, error))
			return false;
	}
	if (!finish_block(&p, error))
		return false;
	error->line = 0;
	error->reason = check_whole(profile);
	return !error->reason;
}
