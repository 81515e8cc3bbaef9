/* SPDX-License-Identifier: MIT */
/* NV objects of a profile. */
#include <string.h>

#include "abi/tpm.h"
#include "core/tpm/profile_parts.h"

#define NV_FIRST 0x01000000u
#define NV_LAST 0x01ffffffu

/* TPM 2.0 Library part 2, TPMA_NV. */
#define NV_PPWRITE (1u << 0)
#define NV_AUTHWRITE (1u << 2)
#define NV_TYPE (0xfu << 4)
#define NV_POLICY_DELETE (1u << 10)
#define NV_WRITELOCKED (1u << 11)
#define NV_WRITEALL (1u << 12)
#define NV_WRITEDEFINE (1u << 13)
#define NV_WRITE_STCLEAR (1u << 14)
#define NV_READ_ANY (0xfu << 16)
#define NV_AUTHREAD (1u << 18)
#define NV_READLOCKED (1u << 28)
#define NV_WRITTEN (1u << 29)
#define NV_PLATFORMCREATE (1u << 30)
#define NV_RESERVED ((3u << 8) | (0x1fu << 20))

static struct profile_nv *current(struct profile_parser *p)
{
	return &p->profile->nv[p->profile->nv_count - 1];
}

const char *profile_begin_nv(struct profile_parser *p, struct words *line)
{
	struct profile *profile = p->profile;
	uint32_t index;

	if (!word_number(words_next(line), NV_LAST, &index) || index < NV_FIRST)
		return "an NV index is from 0x01000000 to 0x01ffffff";
	for (size_t i = 0; i < profile->nv_count; i++) {
		if (profile->nv[i].index == index)
			return "this NV index was defined before";
	}
	if (profile->nv_count == PROFILE_NV_MAX)
		return "too many NV objects";
	p->block = PROFILE_BLOCK_NV;
	profile->nv[profile->nv_count++] = (struct profile_nv){ .index = index,
								.key = PROFILE_NO_KEY };
	return NULL;
}

static const char *parse_attributes(struct profile_parser *p, struct words *line)
{
	return word_number(words_next(line), UINT32_MAX, &current(p)->attributes)
		       ? NULL
		       : "attributes wants a number";
}

static const char *parse_policy(struct profile_parser *p, struct words *line)
{
	struct profile_nv *nv = current(p);
	struct word word = words_next(line);
	const char *reason;

	if (word_is(word, "none"))
		return NULL;
	reason = word_bytes(word, nv->policy, sizeof(nv->policy), &nv->policy_size);
	if (reason)
		return reason;
	return nv->policy_size == 32 ? NULL : "policy is none or a SHA-256 digest";
}

static const char *parse_blob(struct profile_parser *p, struct words *line)
{
	struct profile *profile = p->profile;
	struct profile_nv *nv = current(p);
	const char *reason = NULL;
	struct word word;

	nv->blob_offset = profile->blobs_size;
	for (word = words_next(line); word.length && !reason; word = words_next(line))
		reason = word_bytes(word, profile->blobs, sizeof(profile->blobs),
				    &profile->blobs_size);
	nv->blob_size = profile->blobs_size - nv->blob_offset;
	if (reason)
		return reason;
	if (nv->blob_size == 0)
		return "the blob is empty";
	return nv->blob_size <= PROFILE_NV_SIZE_MAX ? NULL : "the blob is too long";
}

/* The index whose writing has evidence made anew, if there is one. */
static const char *parse_user_data(struct profile_nv *nv, struct words *line)
{
	struct words ahead = *line;

	if (!words_next(&ahead).length)
		return NULL;
	if (!word_number(words_next(line), NV_LAST, &nv->user_data) || nv->user_data < NV_FIRST)
		return "an NV index is from 0x01000000 to 0x01ffffff";
	return NULL;
}

static const char *parse_content(struct profile_parser *p, struct words *line)
{
	static const struct {
		const char *name;
		enum profile_content content;
	} kinds[] = {
		{ "template", PROFILE_CONTENT_TEMPLATE },
		{ "certificate", PROFILE_CONTENT_CERTIFICATE },
		{ "evidence", PROFILE_CONTENT_EVIDENCE },
	};
	struct profile_nv *nv = current(p);
	struct word word = words_next(line);
	const char *reason;

	if (word_is(word, "blob")) {
		nv->content = PROFILE_CONTENT_BLOB;
		return parse_blob(p, line);
	}
	if (word_is(word, "platform-certificate")) {
		nv->content = PROFILE_CONTENT_PLATFORM;
		return NULL;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!word_is(word, kinds[i].name))
			continue;
		nv->content = kinds[i].content;
		reason = profile_take_key_name(p->profile, line, &nv->key);
		if (!reason && nv->content == PROFILE_CONTENT_EVIDENCE)
			reason = parse_user_data(nv, line);
		return reason;
	}
	return "content is template, certificate, platform-certificate, evidence or blob";
}

static const char *parse_locked(struct profile_parser *p, struct words *line)
{
	struct word word = words_next(line);

	if (!word_is(word, "yes") && !word_is(word, "no"))
		return "locked is yes or no";
	current(p)->locked = word_is(word, "yes");
	return NULL;
}

const struct profile_properties profile_nv_properties = {
	.unknown = "an NV object has no such property",
	.list = { { "attributes", parse_attributes },
		  { "policy", parse_policy },
		  { "content", parse_content },
		  { "locked", parse_locked } },
};

/*
 * Only the platform's authorization defines, writes and locks: what a guest could define again
 * would be worth nothing as evidence.
 */
static const char *check_attributes(const struct profile_nv *nv)
{
	uint32_t a = nv->attributes;

	if (a & (NV_RESERVED | NV_WRITELOCKED | NV_READLOCKED | NV_WRITTEN))
		return "attributes has a bit that the TPM itself sets, or a reserved one";
	if (a & NV_TYPE)
		return "attributes must be those of an ordinary index";
	if (!(a & NV_PLATFORMCREATE) || !(a & NV_PPWRITE))
		return "attributes must have PLATFORMCREATE and PPWRITE";
	if (a & NV_POLICY_DELETE)
		return "attributes must not have POLICY_DELETE";
	if (a & NV_WRITEALL)
		return "attributes must not have WRITEALL: long contents are written in pieces";
	if (!(a & NV_READ_ANY))
		return "attributes must let somebody read";
	if (nv->locked && !(a & (NV_WRITEDEFINE | NV_WRITE_STCLEAR)))
		return "locked wants WRITEDEFINE or WRITE_STCLEAR in attributes";
	return NULL;
}

/*
 * Evidence that is made anew is written by an authorization of the index that the vtpm alone knows,
 * so nobody reads by that.
 */
static const char *check_renewed(const struct profile *profile, const struct profile_nv *nv)
{
	if (!nv->user_data)
		return NULL;
	if (nv->locked || !(nv->attributes & NV_AUTHWRITE) || nv->attributes & NV_AUTHREAD)
		return "evidence that is made anew wants AUTHWRITE, and neither AUTHREAD nor "
		       "locked";
	for (const struct profile_nv *other = profile->nv; other < nv; other++) {
		if (other->user_data)
			return "other evidence is made anew already";
	}
	return NULL;
}

const char *profile_end_nv(struct profile_parser *p)
{
	const struct profile_nv *nv = current(p);
	const struct profile *profile = p->profile;
	const char *reason;

	if (p->seen != 0xf)
		return "the NV object lacks attributes, policy, content or locked";
	reason = check_attributes(nv);
	if (reason)
		return reason;
	if (nv->content == PROFILE_CONTENT_EVIDENCE &&
	    profile->keys[nv->key].template[1] != TPM_ALG_RSA)
		return "evidence names an RSA key";
	reason = check_renewed(profile, nv);
	if (reason)
		return reason;
	if (nv->content == PROFILE_CONTENT_CERTIFICATE &&
	    profile->certificates == PROFILE_CERTIFICATES_NONE)
		return "a certificate is wanted, but the profile says certificates none";
	return NULL;
}
