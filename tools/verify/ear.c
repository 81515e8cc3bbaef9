/* SPDX-License-Identifier: MIT */
#include "tools/verify/ear.h"

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hex.h"
#include "core/base/host/file.h"
#include "tools/cmd.h"

#define KEY_FILE_SIZE_MAX (16u << 10)
#define SIGNATURE_SIZE_MAX 256u
#define DEVELOPER "Socle"

const char *const ear_profile_words[2] = { "veraison", "ietf-04" };

/* ---- What is claimed ---- */

/* Each is a submodule, by this name. */
enum attester { SNP, VTPM, ATTESTERS };

static const char *const attester_names[ATTESTERS] = { "snp", "vtpm" };

enum claim { INSTANCE, CONFIGURATION, EXECUTABLES, HARDWARE, RUNTIME, CLAIMS };

/* The claim's name, and its value when all of its checks passed (AR4SI, trustworthiness claims). */
static const struct claim_row {
	const char *name;
	int affirming;
} claim_rows[CLAIMS] = {
	[INSTANCE] = { "instance-identity", 2 }, [CONFIGURATION] = { "configuration", 2 },
	[EXECUTABLES] = { "executables", 3 }, /* those of the boot */
	[HARDWARE] = { "hardware", 2 },		 [RUNTIME] = { "runtime-opaque", 2 },
};

#define CRYPTO_FAILED 99
/*
 * AR4SI leaves -33 to -96 to verifiers: warnings of their own kind. This one: there is no hardware.
 */
#define EMULATED (-33)

/* What a check is about: the claim, and its value when the check failed. */
struct claim_rule {
	const char *check;
	enum attester who;
	enum claim claim;
	int failed;
	bool weak; /* that it passed is no reason to claim anything */
};

static const struct claim_rule rules[] = {
	{ "root", SNP, HARDWARE, 97, false },
	{ "revocation", SNP, HARDWARE, 96, false },
	{ "report-format", SNP, HARDWARE, 97, false },
	{ "product", SNP, HARDWARE, 97, false },
	{ "chip-id", SNP, HARDWARE, 97, false },
	{ "known-chip", SNP, INSTANCE, 97, false },
	{ "csp-id", SNP, INSTANCE, 97, false },
	{ "tcb", SNP, HARDWARE, 97, false },
	{ "tcb-order", SNP, HARDWARE, 97, false },
	{ "tcb-minimum", SNP, HARDWARE, 32, false },
	{ "guest-svn", SNP, EXECUTABLES, 32, true },
	{ "family-id", SNP, EXECUTABLES, 33, true },
	{ "image-id", SNP, EXECUTABLES, 33, true },
	{ "known-key", VTPM, INSTANCE, 97, false },
	{ "ek-certificate", VTPM, INSTANCE, 97, false },
	{ "ek-certificate-key", VTPM, INSTANCE, 97, false },
	{ "pcr-values", VTPM, EXECUTABLES, 33, false },
	{ "event-log", VTPM, EXECUTABLES, 33, true },
	{ "event-log-quote", VTPM, EXECUTABLES, 33, true },
	{ "secure-boot", VTPM, CONFIGURATION, 96, false },
	{ "boot-signers", VTPM, EXECUTABLES, 33, true },
	{ "boot-programs", VTPM, EXECUTABLES, 33, false },
	{ "boot-firmware", VTPM, EXECUTABLES, 33, false },
	{ "boot-files", VTPM, EXECUTABLES, 33, false },
	{ "boot-command-line", VTPM, CONFIGURATION, 96, false },
};

/* Of all others, by the class. */
static struct claim_rule rule_of(const char *check, enum socle_status class)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (strcmp(rules[i].check, check) == 0)
			return rules[i];
	}
	switch (class) {
	case SOCLE_REFUSED_CHAIN:
		return (struct claim_rule){ check, SNP, HARDWARE, CRYPTO_FAILED, false };
	case SOCLE_REFUSED_REPORT:
		return (struct claim_rule){ check, SNP, CONFIGURATION, 96, false };
	case SOCLE_REFUSED_MEASUREMENT:
		return (struct claim_rule){ check, SNP, EXECUTABLES, 33, false };
	default:
		return (struct claim_rule){ check, VTPM, INSTANCE, CRYPTO_FAILED, false };
	}
}

enum tier { TIER_NONE, TIER_AFFIRMING, TIER_WARNING, TIER_CONTRAINDICATED };

static const char *const tier_names[] = { "none", "affirming", "warning", "contraindicated" };

static enum tier tier_of(int value)
{
	if (value >= -1 && value <= 1)
		return TIER_NONE;
	if (value >= -32 && value < 32)
		return TIER_AFFIRMING;
	return value >= -96 && value < 96 ? TIER_WARNING : TIER_CONTRAINDICATED;
}

/* The claims of an attester; 0: none is made. */
struct vector {
	int value[CLAIMS];
};

static void claim_check(struct vector *v, const struct claim_rule *rule, bool passed, bool emulated)
{
	int value = !passed    ? rule->failed
		    : emulated ? EMULATED
			       : claim_rows[rule->claim].affirming;
	int *claimed = &v->value[rule->claim];

	/* The worst counts. */
	if (!*claimed || tier_of(value) > tier_of(*claimed))
		*claimed = value;
}

static void make_vectors(const struct socle_verdict *verdict, struct vector vectors[ATTESTERS])
{
	bool emulated = socle_verdict_emulated(verdict);
	struct vector *snp = &vectors[SNP];
	const char *check, *error, *found;
	enum socle_status class;

	for (size_t i = 0; (check = socle_verdict_check(verdict, i, &class, &error, &found)); i++) {
		struct claim_rule rule = rule_of(check, class);

		/* pcr-values passes, too, where no values were demanded. */
		if (!error && (rule.weak || (rule.claim == EXECUTABLES && !found)))
			continue;
		claim_check(&vectors[rule.who], &rule, !error, emulated);
	}
	/* Memory is what the hardware, without a debugger or a migration agent, encrypts. */
	if (tier_of(snp->value[HARDWARE]) == TIER_AFFIRMING &&
	    tier_of(snp->value[CONFIGURATION]) == TIER_AFFIRMING)
		snp->value[RUNTIME] = claim_rows[RUNTIME].affirming;
}

/*
 * The tier of a submodule. Whoever looks at one alone must not trust what was refused for the
 * other: a refusal is one of both, and no worse claim has to stand for it.
 */
static enum tier status_of(const struct vector *v, bool trusted)
{
	enum tier worst = TIER_NONE;

	for (size_t i = 0; i < CLAIMS; i++) {
		if (tier_of(v->value[i]) > worst)
			worst = tier_of(v->value[i]);
	}
	return trusted ? worst : TIER_CONTRAINDICATED;
}

/* ---- The claims as JSON ---- */

static const struct profile_row {
	const char *tag, *verifier, *status, *vector, *policy, *attester_claims, *verifier_claims;
	bool policies; /* there is a list of them */
} profiles[] = {
	[EAR_VERAISON] = { "tag:github.com,2023:veraison/ear", "ear.verifier-id", "ear.status",
			   "ear.trustworthiness-vector", "ear.appraisal-policy-id",
			   "ear.veraison.annotated-evidence", "ear.veraison.policy-claims", false },
	[EAR_IETF_04] = { "tag:ietf.org,2026:rats/ear#04", "ear_verifier_id", "ear_status",
			  "ear_trustworthiness_vector", "ear_appraisal_policy_ids",
			  "ear_attester_claims", "ear_verifier_claims", true },
};

static json_t *json_vector(const struct vector *v)
{
	json_t *object = json_object();

	for (size_t i = 0; i < CLAIMS; i++) {
		if (v->value[i])
			json_object_set_new(object, claim_rows[i].name, json_integer(v->value[i]));
	}
	return object;
}

/* What the verifier says besides: of a verdict's JSON the members that decide. */
static json_t *json_verifier_claims(const json_t *verdict)
{
	static const struct {
		const char *claim, *member;
	} members[] = {
		{ "socle.verdict", "verdict" },	  { "socle.emulated", "emulated" },
		{ "socle.status", "status" },	  { "socle.failed", "failed" },
		{ "socle.bindings", "bindings" },
	};
	json_t *object = json_object();

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		json_t *member = json_object_get(verdict, members[i].member);

		if (member)
			json_object_set(object, members[i].claim, member);
	}
	return object;
}

static json_t *json_policy(const struct profile_row *profile, const char *policy)
{
	if (!policy)
		return NULL;
	return profile->policies ? json_pack("[s]", policy) : json_string(policy);
}

static json_t *json_appraisal(const struct profile_row *profile, const struct vector *v,
			      const json_t *verdict, const char *policy)
{
	bool trusted = json_integer_value(json_object_get(verdict, "status")) == SOCLE_TRUSTED;

	return json_pack("{s:s, s:o, s:o*, s:o}", profile->status,
			 tier_names[status_of(v, trusted)], profile->vector, json_vector(v),
			 profile->policy, json_policy(profile, policy), profile->verifier_claims,
			 json_verifier_claims(verdict));
}

/* What the evidence itself says goes with the report. */
static void add_evidence(const struct profile_row *profile, json_t *appraisal,
			 const json_t *verdict)
{
	json_t *claims = json_pack("{s:O, s:O}", "socle.report", json_object_get(verdict, "report"),
				   "socle.signer", json_object_get(verdict, "signer"));

	json_object_set_new(appraisal, profile->attester_claims, claims);
}

static json_t *json_submods(const struct socle_verdict *verdict, const json_t *said,
			    const struct ear_about *about)
{
	const struct profile_row *profile = &profiles[about->profile];
	struct vector vectors[ATTESTERS] = { 0 };
	static const struct vector nothing;
	json_t *submods = json_object();

	make_vectors(verdict, vectors);
	for (size_t i = 0; i < ATTESTERS; i++) {
		json_t *appraisal;

		if (memcmp(&vectors[i], &nothing, sizeof(nothing)) == 0)
			continue;
		appraisal = json_appraisal(profile, &vectors[i], said, about->policy);
		if (appraisal && i == SNP)
			add_evidence(profile, appraisal, said);
		json_object_set_new(submods, attester_names[i], appraisal);
	}
	return submods;
}

/* ---- The token ---- */

struct ear_key {
	EVP_PKEY *key;
	const struct algorithm *algorithm;
	char id[HEX_TEXT_SIZE(32)]; /* SHA-256 of the public key (SubjectPublicKeyInfo) */
};

/* RFC 7518, 3.4; RFC 8037. */
static const struct algorithm {
	const char *name;
	const char *curve; /* as OpenSSL calls it; NULL: Ed25519 */
	size_t number;	   /* bytes of each of the two of an ECDSA signature */
	const EVP_MD *(*digest)(void);
} algorithms[] = {
	{ "ES256", "prime256v1", 32, EVP_sha256 },
	{ "ES384", "secp384r1", 48, EVP_sha384 },
	{ "EdDSA", NULL, 0, NULL },
};

static const struct algorithm *algorithm_of(const EVP_PKEY *key)
{
	char curve[32] = "";

	if (EVP_PKEY_is_a(key, "EC"))
		EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL);
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		const struct algorithm *a = &algorithms[i];

		if (a->curve ? strcmp(a->curve, curve) == 0 : EVP_PKEY_is_a(key, "ED25519"))
			return a;
	}
	return NULL;
}

static bool make_id(struct ear_key *key)
{
	unsigned char *der = NULL, digest[32];
	int size = i2d_PUBKEY(key->key, &der);
	bool ok = size > 0 && EVP_Digest(der, (size_t)size, digest, NULL, EVP_sha256(), NULL) == 1;

	if (ok)
		hex_write(key->id, digest, sizeof(digest));
	OPENSSL_free(der);
	return ok;
}

/* Nobody is asked for a passphrase. */
static int no_passphrase(char *text, int size, int writing, void *user)
{
	(void)text, (void)size, (void)writing, (void)user;
	return -1;
}

static EVP_PKEY *parse_key(const struct file_bytes *bytes)
{
	BIO *bio = BIO_new_mem_buf(bytes->data, (int)bytes->size);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return key;
}

struct ear_key *ear_key_read(const char *path)
{
	struct ear_key *key = calloc(1, sizeof(*key));
	const char *wrong = NULL;
	struct file_bytes bytes;

	if (!key || !cmd_read_file(path, KEY_FILE_SIZE_MAX, &bytes)) {
		free(key);
		return NULL;
	}
	key->key = parse_key(&bytes);
	OPENSSL_cleanse(bytes.data, bytes.size);
	file_free(&bytes);
	key->algorithm = key->key ? algorithm_of(key->key) : NULL;
	if (!key->key)
		wrong = "no private key in PEM, without a passphrase";
	else if (!key->algorithm)
		wrong = "a key on P-256 or P-384, or an Ed25519 key, is wanted";
	else if (!make_id(key))
		wrong = "its public key cannot be had";
	if (!wrong)
		return key;
	cmd_file_error(path, "%s", wrong);
	ear_key_free(key);
	return NULL;
}

void ear_key_free(struct ear_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->key);
	free(key);
}

/* RFC 4648, 5, without padding; the caller free()s it. */
static char *base64url(const void *data, size_t size)
{
	char *text = malloc((size + 2) / 3 * 4 + 1);

	if (!text)
		return NULL;
	EVP_EncodeBlock((unsigned char *)text, data, (int)size);
	text[strcspn(text, "=")] = '\0';
	for (char *c = text; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	return text;
}

/* ECDSA-Sig-Value to the two numbers in their full length. */
static bool flatten(const struct algorithm *a, const uint8_t *der, size_t size, uint8_t *flat)
{
	ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)size);
	int number = (int)a->number;
	bool ok = signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), flat, number) == number &&
		  BN_bn2binpad(ECDSA_SIG_get0_s(signature), flat + number, number) == number;

	ECDSA_SIG_free(signature);
	return ok;
}

static char *sign_text(const struct ear_key *key, const char *text)
{
	const struct algorithm *a = key->algorithm;
	uint8_t made[SIGNATURE_SIZE_MAX], flat[SIGNATURE_SIZE_MAX];
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t size = sizeof(made);
	char *encoded = NULL;
	bool ok = context &&
		  EVP_DigestSignInit(context, NULL, a->digest ? a->digest() : NULL, NULL,
				     key->key) == 1 &&
		  EVP_DigestSign(context, made, &size, (const uint8_t *)text, strlen(text)) == 1;

	EVP_MD_CTX_free(context);
	if (ok && !a->curve)
		encoded = base64url(made, size);
	else if (ok && flatten(a, made, size, flat))
		encoded = base64url(flat, 2 * a->number);
	ERR_clear_error();
	return encoded;
}

/* Two texts with a dot between; both are freed. */
static char *join(char *first, char *second)
{
	size_t size = first && second ? strlen(first) + strlen(second) + 2 : 0;
	char *text = size ? malloc(size) : NULL;

	if (text)
		snprintf(text, size, "%s.%s", first, second);
	free(first);
	free(second);
	return text;
}

static char *encode_json(json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	char *encoded = text ? base64url(text, strlen(text)) : NULL;

	free(text);
	json_decref(json);
	return encoded;
}

static json_t *json_claims(const struct socle_verdict *verdict, const struct ear_about *about)
{
	const struct profile_row *profile = &profiles[about->profile];
	char *text = socle_verdict_json(verdict, false);
	json_t *said = text ? json_loads(text, 0, NULL) : NULL;
	char *nonce = about->nonce ? base64url(about->nonce, about->nonce_size) : NULL;
	json_t *claims = NULL;

	if (said && (nonce || !about->nonce))
		claims = json_pack("{s:s, s:I, s:{s:s, s:s+}, s:s*, s:o}", "eat_profile",
				   profile->tag, "iat", (json_int_t)about->at, profile->verifier,
				   "developer", DEVELOPER, "build", "socle ",
				   socle_verify_version(), "eat_nonce", nonce, "submods",
				   json_submods(verdict, said, about));
	json_decref(said);
	socle_text_free(text);
	free(nonce);
	return claims;
}

char *ear_sign(const struct ear_key *key, const struct socle_verdict *verdict,
	       const struct ear_about *about)
{
	json_t *header = json_pack("{s:s, s:s, s:s}", "alg", key->algorithm->name, "typ", "JWT",
				   "kid", key->id);
	char *text = join(encode_json(header), encode_json(json_claims(verdict, about)));
	char *signature = text ? sign_text(key, text) : NULL;

	return join(text, signature);
}
