/* SPDX-License-Identifier: MIT */
/* Checks on what the report is about: nonce, context, manifest, and the keys in it. */
#include <openssl/crypto.h>
#include <string.h>

#include "abi/tpm.h"
#include "core/evidence/host/ek_certificate.h"
#include "core/evidence/host/public_key.h"
#include "core/evidence/host/report_data.h"
#include "core/evidence/manifest_answer.h"
#include "tools/libverify/subject.h"

/* The L-1 endorsement key of the TCG EK Credential Profile: all but the modulus. */
static const uint8_t ek_l1[] = {
	0x00, 0x01, 0x00, 0x0b, 0x00, 0x03, 0x00, 0xb2, 0x00, 0x20, 0x83, 0x71, 0x97, 0x67, 0x44,
	0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e,
	0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa, 0x00, 0x06, 0x00,
	0x80, 0x00, 0x43, 0x00, 0x10, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00,
};
#define EK_L1_SIZE (sizeof(ek_l1) + 256)

static bool is_ek_l1(const struct vtpm_manifest_key *key)
{
	return key->size == EK_L1_SIZE && memcmp(key->data, ek_l1, sizeof(ek_l1)) == 0;
}

/* The rules for keys of a manifest are about what it says; this is about the numbers in it. */
static const char *numbers_error(const struct vtpm_manifest_key *key)
{
	struct wire_public area;
	EVP_PKEY *number = wire_read_public(&area, key->data, key->size) == WIRE_OK
				   ? tpm_public_key(&area)
				   : NULL;
	const char *error = public_key_error(number);

	EVP_PKEY_free(number);
	return error;
}

static bool same_numbers(const struct vtpm_manifest_key *a, const struct vtpm_manifest_key *b)
{
	struct wire_public one, other;

	return wire_read_public(&one, a->data, a->size) == WIRE_OK &&
	       wire_read_public(&other, b->data, b->size) == WIRE_OK && one.type == other.type &&
	       one.x_size == other.x_size && memcmp(one.x, other.x, one.x_size) == 0 &&
	       one.y_size == other.y_size &&
	       (one.y_size == 0 || memcmp(one.y, other.y, one.y_size) == 0);
}

/* Each key of a manifest is a key of its own, and one that may be trusted. */
static const char *keys_error(const struct vtpm_manifest *manifest)
{
	for (size_t i = 0; i < manifest->count; i++) {
		const char *error = numbers_error(&manifest->keys[i]);

		if (error)
			return error;
		for (size_t k = 0; k < i; k++) {
			if (same_numbers(&manifest->keys[i], &manifest->keys[k]))
				return "two keys of the manifest are the same";
		}
	}
	return NULL;
}

static void take_key(struct subject_key *to, const struct vtpm_manifest_key *key)
{
	if (wire_read_public(&to->public_area, key->data, key->size) == WIRE_OK &&
	    tpm_public_name(key->data, key->size, &to->name))
		to->key = key;
}

/* The decryption key that the challenge names, or else the first: the check on it then fails. */
static void take_challenged_ek(struct subject *s)
{
	for (size_t i = 0; !s->manifest_error && i < s->manifest.count; i++) {
		struct subject_key key = { 0 };

		if (s->manifest.keys[i].info.signing)
			continue;
		take_key(&key, &s->manifest.keys[i]);
		if (!s->ek.key)
			s->ek = key;
		if (key.key && tpm_name_equal(&key.name, &s->evidence->challenge_ek)) {
			s->ek = key;
			return;
		}
	}
}

void subject_take_binding(struct subject *s)
{
	static const struct abi_guid service = SVSM_GUID_VTPM;
	const struct evidence *e = s->evidence;

	s->selector_result = selector_parse(&s->selector, e->selector.data, e->selector.size);
	s->context_size = selector_context(
		s->context, &service, vtpm_manifest_version(e->manifest.data, e->manifest.size),
		e->selector.data, e->selector.size);
	s->manifest_error = vtpm_manifest_read(&s->manifest, e->manifest.data, e->manifest.size);
	if (e->challenged)
		take_challenged_ek(s);
}

/* Whether the quote names this key as its signer. */
static bool signs_as(const struct subject_key *key, const struct tpm_name *signer)
{
	struct tpm_name qualified;

	return key->key && tpm_public_primary_name(TPM_RH_ENDORSEMENT, &key->name, &qualified) &&
	       tpm_name_equal(&qualified, signer);
}

/* The signing key that the quote names, or else the first: the check on the signer then fails. */
static void take_attested_ak(struct subject *s)
{
	for (size_t i = 0; !s->manifest_error && i < s->manifest.count; i++) {
		struct subject_key key = { 0 };

		if (!s->manifest.keys[i].info.signing)
			continue;
		take_key(&key, &s->manifest.keys[i]);
		if (!s->ak.key)
			s->ak = key;
		if (!s->quote_error && signs_as(&key, &s->quote.signer)) {
			s->ak = key;
			return;
		}
	}
}

/*
 * The AK with the challenge's Name. Its public area is there, or is found by the Name; either way
 * it is held against the rules for keys of a manifest.
 */
static const char *take_challenged_ak(struct subject *s)
{
	const struct evidence *e = s->evidence;
	const uint8_t *area = e->ak_area.data;
	size_t size = e->ak_area.size;
	const char *error;

	if (!area) {
		area = s->challenged_area;
		size = tpm_public_find_ak(e->ak, &e->challenge_ak, s->challenged_area);
	}
	if (size == 0)
		return "the AK's key has not the challenge's Name as any signing key that may be "
		       "attested and has no policy";
	error = vtpm_manifest_read_key(&s->challenged_ak, area, size);
	if (error)
		return error;
	if (!s->challenged_ak.info.signing)
		return "the AK is no signing key";
	error = numbers_error(&s->challenged_ak);
	if (error)
		return error;
	take_key(&s->ak, &s->challenged_ak);
	return tpm_name_equal(&s->ak.name, &e->challenge_ak)
		       ? NULL
		       : "the AK has another Name than the challenge's";
}

void subject_take_quote(struct subject *s)
{
	const struct evidence *e = s->evidence;

	s->quote_error = tpm_quote_read(&s->quote, e->quote.data, e->quote.size);
	s->values_error = tpm_quote_read_values(&s->values, e->quote_pcrs.data, e->quote_pcrs.size);
	if (e->challenged)
		s->challenged_ak_error = take_challenged_ak(s);
	else
		take_attested_ak(s);
}

const char *check_context(const struct subject *s)
{
	const struct file_bytes *context = &s->evidence->context;

	if (s->selector_result)
		return selector_result_text(s->selector_result);
	if (context->size != s->context_size ||
	    (context->size && memcmp(context->data, s->context, context->size) != 0))
		return "the context is not what selector and manifest version imply";
	return NULL;
}

/* The context is computed here, never taken from the evidence. */
const char *check_report_data(const struct subject *s)
{
	const struct evidence *e = s->evidence;
	uint8_t digest[PSP_REPORT_DATA_SIZE];

	return report_data_make(e->nonce, s->context, s->context_size, e->manifest.data,
				e->manifest.size, digest) &&
			       memcmp(digest, e->report.report_data, sizeof(digest)) == 0
		       ? NULL
		       : "REPORT_DATA is not that of this nonce, context and manifest";
}

/* Every key is one that cannot leave its TPM and that nobody else knows: vtpm_manifest_read(). */
const char *check_manifest(const struct subject *s)
{
	const char *error = s->manifest_error ? s->manifest_error : keys_error(&s->manifest);

	if (error)
		return error;
	if (s->selector_result == SELECTOR_OK && s->selector.kind != SVSM_SELECTOR_NONE)
		return manifest_answer_error(&s->manifest, &s->selector);
	if (s->manifest.version == 0 && !is_ek_l1(&s->manifest.keys[0]))
		return "its key is not an L-1 endorsement key";
	return NULL;
}

static bool is_known(const struct subject *s, const struct subject_key *key)
{
	return key->key && subject_find_value(s, POLICY_KEYS, key->name.bytes, key->name.size);
}

/* The key that signed the quote; where none is looked at, every key that the manifest attests. */
const char *check_known_key(const struct subject *s)
{
	if (s->policy->depth == EVIDENCE_FULL)
		return is_known(s, &s->ak) ? NULL : "the AK is none of the known keys";
	for (size_t i = 0; !s->manifest_error && i < s->manifest.count; i++) {
		struct subject_key key = { 0 };

		take_key(&key, &s->manifest.keys[i]);
		if (!is_known(s, &key))
			return "a key of the manifest is none of the known ones";
	}
	return s->manifest_error;
}

static bool same_key(const struct subject_key *key, const EVP_PKEY *other)
{
	EVP_PKEY *mine = key->key ? tpm_public_key(&key->public_area) : NULL;
	bool same = mine && EVP_PKEY_eq(mine, other) == 1;

	EVP_PKEY_free(mine);
	return same;
}

const char *check_ek(const struct subject *s)
{
	return same_key(&s->ek, s->evidence->ek) ? NULL : "the EK is not the manifest's";
}

const char *check_challenge_ek(const struct subject *s)
{
	return s->ek.key && tpm_name_equal(&s->ek.name, &s->evidence->challenge_ek)
		       ? NULL
		       : "the challenge was made for no endorsement key of the manifest";
}

const char *check_challenge_ak(const struct subject *s)
{
	return s->challenged_ak_error;
}

const char *check_challenge_answer(const struct subject *s)
{
	const struct evidence *e = s->evidence;

	return e->answer.size == e->secret_size &&
			       CRYPTO_memcmp(e->answer.data, e->secret, e->secret_size) == 0
		       ? NULL
		       : "the answer is not the challenge's secret";
}

/* The directory's own public area of the AK, if it has one, is the manifest's. */
static bool same_area(const struct subject *s)
{
	const struct file_bytes *area = &s->evidence->ak_area;

	return !area->data || (area->size == s->ak.key->size &&
			       memcmp(area->data, s->ak.key->data, area->size) == 0);
}

const char *check_attested_ak(const struct subject *s)
{
	if (!s->ak.key)
		return "the manifest attests no signing key, and you gave no challenge "
		       "(--challenge, or challenge.json in the folder of --mine)";
	if ((s->evidence->ak && !same_key(&s->ak, s->evidence->ak)) || !same_area(s))
		return "the AK is not the manifest's";
	return NULL;
}

const char *check_ek_certificate(const struct subject *s)
{
	return ek_certificate_error(s->evidence->ek_certificate, s->evidence->ca, s->at);
}

const char *check_ek_certificate_key(const struct subject *s)
{
	const EVP_PKEY *certified = X509_get0_pubkey(s->evidence->ek_certificate);

	for (size_t i = 0; !s->manifest_error && i < s->manifest.count; i++) {
		struct subject_key key = { 0 };

		if (s->manifest.keys[i].info.signing)
			continue;
		take_key(&key, &s->manifest.keys[i]);
		if (certified && same_key(&key, certified))
			return NULL;
	}
	return "the certificate's key is no endorsement key of the manifest";
}
