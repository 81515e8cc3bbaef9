/* SPDX-License-Identifier: MIT */
/* Challenges: a secret that only the TPM of the attested EK gives back, if it has the AK, too. */
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hex.h"
#include "core/tpm/host/tpm_credential.h"
#include "tools/libverify/library.h"
#include "tools/libverify/subject.h"

#define SECRET_SIZE 32u /* a digest of every name algorithm is as long */

struct socle_challenge {
	struct tpm_credential credential;
	char *record;
};

/*
 * What of a policy can be judged before the challenge is answered: no quote. The keys that may have
 * signed one are not those of the manifest.
 */
static struct policy rules_before(const struct policy *rules)
{
	struct policy before = *rules;

	before.depth = EVIDENCE_KEYS;
	before.pcrs = NULL;
	before.pcr_count = 0;
	if (rules->depth != EVIDENCE_KEYS)
		before.lists[POLICY_KEYS] = (struct policy_list){ 0 };
	return before;
}

/* The first check that the evidence fails, or that it could not be judged; false then. */
static bool is_trusted(const struct socle_evidence *evidence, const struct policy *rules,
		       struct host_error *error)
{
	char wrong[SOCLE_ERROR_SIZE];
	struct socle_verdict *verdict = library_verify(evidence, rules, wrong);
	const char *name, *failure = NULL;
	bool ok = verdict && socle_verdict_status(verdict) == SOCLE_TRUSTED;

	if (!verdict)
		host_fail(error, "%s", wrong);
	for (size_t i = 0; verdict && !ok && !failure &&
			   (name = socle_verdict_check(verdict, i, NULL, &failure, NULL));
	     i++) {
		if (failure)
			host_fail(error, "the evidence is not trusted: %s: %s", name, failure);
	}
	socle_verdict_free(verdict);
	return ok;
}

/* The EK that the guest sent is the one; without it, the first of the manifest that can decrypt. */
static bool find_ek(const struct evidence *e, struct tpm_name *name)
{
	struct vtpm_manifest manifest;

	if (vtpm_manifest_read(&manifest, e->manifest.data, e->manifest.size))
		return false;
	for (size_t i = 0; i < manifest.count; i++) {
		const struct vtpm_manifest_key *key = &manifest.keys[i];
		struct wire_public area;
		EVP_PKEY *number = NULL;
		bool same;

		if (key->info.signing || wire_read_public(&area, key->data, key->size) != WIRE_OK)
			continue;
		if (e->ek)
			number = tpm_public_key(&area);
		same = !e->ek || (number && EVP_PKEY_eq(number, e->ek) == 1);
		EVP_PKEY_free(number);
		if (same)
			return tpm_public_name(key->data, key->size, name);
	}
	return false;
}

/* Takes apart what a challenge would be for; NULL, or what is wrong. */
static const char *take_keys(struct subject *s, struct evidence *view)
{
	if (!view->ak_area.data)
		return view->ak ? "the AK has to be a public area (tpm2_readpublic -f tss): a PEM "
				  "has "
				  "no Name"
				: "missing: the AK that is to be challenged";
	if (!tpm_public_name(view->ak_area.data, view->ak_area.size, &view->challenge_ak))
		return "the AK's Name is by no algorithm that is known here";
	if (!find_ek(view, &view->challenge_ek))
		return view->ek ? "the EK is no endorsement key of the manifest"
				: "the manifest has no endorsement key";
	view->challenged = true;
	subject_take_binding(s);
	subject_take_quote(s);
	return check_challenge_ak(s);
}

/* A key that a policy does not know would be refused with its quote. */
static const char *unknown_key(const struct policy *rules, const struct subject *s)
{
	if (rules->depth != EVIDENCE_FULL || rules->lists[POLICY_KEYS].count == 0)
		return NULL;
	return subject_find_value(s, POLICY_KEYS, s->ak.name.bytes, s->ak.name.size)
		       ? NULL
		       : "the AK is none of the known keys";
}

/* The record of a challenge, as SOCLE_OWN_CHALLENGE takes it. NULL when memory is short. */
static char *record_of(const struct evidence *e, const uint8_t secret[SECRET_SIZE])
{
	char ek[HEX_TEXT_SIZE(TPM_NAME_MAX)], ak[HEX_TEXT_SIZE(TPM_NAME_MAX)],
		text[HEX_TEXT_SIZE(SECRET_SIZE)];
	json_t *record;
	char *made;

	hex_write(ek, e->challenge_ek.bytes, e->challenge_ek.size);
	hex_write(ak, e->challenge_ak.bytes, e->challenge_ak.size);
	hex_write(text, secret, SECRET_SIZE);
	record = json_pack("{s:s, s:s, s:s}", "ek_name", ek, "ak_name", ak, "secret", text);
	made = record ? json_dumps(record, JSON_INDENT(2)) : NULL;
	json_decref(record);
	OPENSSL_cleanse(text, sizeof(text));
	return made;
}

static const char *fill(struct socle_challenge *challenge, const struct subject *s)
{
	uint8_t secret[SECRET_SIZE];
	const char *error = "no random numbers";

	if (RAND_priv_bytes(secret, sizeof(secret)) == 1)
		error = tpm_credential_make(&s->ek.public_area, &s->evidence->challenge_ak, secret,
					    sizeof(secret), &challenge->credential);
	if (!error) {
		challenge->record = record_of(s->evidence, secret);
		error = challenge->record ? NULL : "out of memory";
	}
	OPENSSL_cleanse(secret, sizeof(secret));
	return error;
}

static const char *make(struct socle_challenge *challenge, const struct socle_evidence *evidence,
			const struct policy *rules)
{
	struct evidence view = evidence->parts;
	struct subject subject = { .evidence = &view, .policy = rules };
	const char *error = take_keys(&subject, &view);

	if (!error)
		error = unknown_key(rules, &subject);
	return error ? error : fill(challenge, &subject);
}

struct socle_challenge *socle_challenge_make(const struct socle_evidence *evidence,
					     const struct socle_policy *policy, char *error)
{
	struct socle_challenge *challenge = calloc(1, sizeof(*challenge));
	struct policy before = rules_before(library_rules(policy));
	struct host_error wrong;
	const char *why = challenge ? NULL : "out of memory";

	if (challenge && library_rules(policy)->depth == EVIDENCE_REPORT)
		why = "look_at is report: what a manifest says would be anybody's word";
	ERR_set_mark();
	if (!why && !is_trusted(evidence, &before, &wrong))
		why = wrong.text;
	else if (!why)
		why = make(challenge, evidence, library_rules(policy));
	if (why && why != wrong.text)
		host_fail(&wrong, "%s", why);
	ERR_pop_to_mark();
	if (!why)
		return challenge;
	socle_challenge_free(challenge);
	library_fail(error, &wrong);
	return NULL;
}

const void *socle_challenge_credential(const struct socle_challenge *challenge, size_t *size)
{
	*size = challenge->credential.size;
	return challenge->credential.data;
}

const char *socle_challenge_record(const struct socle_challenge *challenge)
{
	return challenge->record;
}

void socle_challenge_free(struct socle_challenge *challenge)
{
	if (!challenge)
		return;
	if (challenge->record)
		OPENSSL_cleanse(challenge->record, strlen(challenge->record));
	free(challenge->record);
	free(challenge);
}

bool socle_challenge_open(const void *record, size_t record_size, const void *answer, size_t size,
			  bool *right, char *error)
{
	struct evidence challenge = { 0 };
	struct host_error wrong;
	bool ok = evidence_read_challenge(&challenge, record, record_size, &wrong);

	*right = ok && size == challenge.secret_size &&
		 CRYPTO_memcmp(answer, challenge.secret, challenge.secret_size) == 0;
	OPENSSL_cleanse(challenge.secret, sizeof(challenge.secret));
	return ok || library_fail(error, &wrong);
}
