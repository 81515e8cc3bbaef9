/* SPDX-License-Identifier: MIT */
#include "tools/libverify/evidence.h"

#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/hex.h"
#include "core/evidence/host/amd_certificates.h"
#include "core/evidence/host/cert_table.h"
#include "core/evidence/host/ek_certificate.h"
#include "core/evidence/host/report_input.h"

/* The bytes of a part, as the caller has them. */
struct blob {
	const uint8_t *data;
	size_t size;
};

static bool take_table(struct socle_evidence *e, const void *data, size_t size,
		       struct host_error *error)
{
	struct amd_chain table = { .key = e->parts.chain.key };
	/* Nothing at all, as the kernel has it where the host gave none. */
	const char *wrong = size ? cert_table_read(&table, table.key, data, size) : NULL;

	if (wrong)
		return host_fail(error, "%s", wrong);
	amd_chain_free(&e->table);
	e->table = table;
	return true;
}

static bool add_report(struct socle_evidence *e, const struct blob *b, struct host_error *error)
{
	struct report_input input;
	const char *wrong = report_input_read(&input, b->data, b->size);
	bool ok;

	if (wrong)
		return host_fail(error, "%s", wrong);
	e->parts.report = input.report;
	e->parts.chain.key = report_signing_key(&input.report) == REPORT_KEY_VLEK ? REPORT_KEY_VLEK
										  : REPORT_KEY_VCEK;
	ok = take_table(e, input.table.data, input.table.size, error);
	report_input_free(&input);
	return ok;
}

static bool add_table(struct socle_evidence *e, const struct blob *b, struct host_error *error)
{
	return take_table(e, b->data, b->size, error);
}

/* What certificates are called, as files and in errors, by place and by whether a VLEK signed. */
static const char *const place_names[][2] = {
	[AMD_CHAIN_ARK] = { "ark.pem", "ark.pem" },
	[AMD_CHAIN_ISSUER] = { "ask.pem", "asvk.pem" },
	[AMD_CHAIN_SIGNER] = { "vcek.pem", "vlek.pem" },
};

static bool take_certificate(struct socle_evidence *e, const struct blob *b,
			     enum amd_chain_place place, X509 **to, struct host_error *error)
{
	enum report_signing_key key = e->parts.chain.key;

	*to = amd_chain_pick_certificate(b->data, b->size, place, key);
	return *to || host_fail(error, "no certificate in PEM or DER that can be the %s",
				place_names[place][key == REPORT_KEY_VLEK]);
}

static bool add_ark(struct socle_evidence *e, const struct blob *b, struct host_error *error)
{
	return take_certificate(e, b, AMD_CHAIN_ARK, &e->parts.chain.ark, error);
}

static bool add_issuer(struct socle_evidence *e, const struct blob *b, struct host_error *error)
{
	return take_certificate(e, b, AMD_CHAIN_ISSUER, &e->parts.chain.issuer, error);
}

static bool add_signer(struct socle_evidence *e, const struct blob *b, struct host_error *error)
{
	return take_certificate(e, b, AMD_CHAIN_SIGNER, &e->parts.chain.signer, error);
}

static bool add_own_root(struct socle_evidence *e, const struct blob *b, struct host_error *error)
{
	return take_certificate(e, b, AMD_CHAIN_ARK, &e->own_root, error);
}

static bool keep(struct file_bytes *to, const struct blob *b, struct host_error *error)
{
	to->data = malloc(b->size ? b->size : 1);
	if (!to->data)
		return host_fail(error, "out of memory");
	memcpy(to->data, b->data, b->size);
	to->size = b->size;
	return true;
}

static bool add_manifest(struct socle_evidence *e, const struct blob *b, struct host_error *error)
{
	return keep(&e->parts.manifest, b, error);
}

static bool add_selector(struct socle_evidence *e, const struct blob *b, struct host_error *error)
{
	return keep(&e->parts.selector, b, error);
}

static bool add_context(struct socle_evidence *e, const struct blob *b, struct host_error *error)
{
	return keep(&e->parts.context, b, error);
}

static EVP_PKEY *read_pem_key(const struct blob *b)
{
	BIO *bio = BIO_new_mem_buf(b->data, (int)b->size);
	EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, "") : NULL; /* never asks */

	BIO_free(bio);
	return key;
}

static bool add_ek(struct socle_evidence *e, const struct blob *b, struct host_error *error)
{
	e->parts.ek = read_pem_key(b);
	return e->parts.ek || host_fail(error, "no public key in PEM");
}

/* A TPM2B_PUBLIC is the TPMT_PUBLIC in it. False unless it is one of them by its form. */
static bool strip_public(struct blob *b)
{
	struct bytes_reader r = bytes_reader_init(b->data, b->size);
	struct wire_public area;
	size_t size;
	const uint8_t *inner = wire_take_sized(&r, &size);

	if (inner && bytes_complete(&r))
		*b = (struct blob){ inner, size };
	return b->size <= TPM_PUBLIC_AREA_MAX &&
	       wire_read_public(&area, b->data, b->size) == WIRE_OK;
}

/* The AK comes as a key, or as the public area that tpm2-tools write unless they are told. */
static bool add_ak(struct socle_evidence *e, const struct blob *b, struct host_error *error)
{
	struct blob area = *b;

	e->parts.ak = read_pem_key(b);
	if (e->parts.ak)
		return true;
	if (strip_public(&area))
		return keep(&e->parts.ak_area, &area, error);
	return host_fail(error, "no public key in PEM, and no public area of a TPM");
}

static bool add_answer(struct socle_evidence *e, const struct blob *b, struct host_error *error)
{
	return keep(&e->parts.answer, b, error);
}

static bool add_quote(struct socle_evidence *e, const struct blob *b, struct host_error *error)
{
	return keep(&e->parts.quote, b, error);
}

static bool add_quote_signature(struct socle_evidence *e, const struct blob *b,
				struct host_error *error)
{
	return keep(&e->parts.quote_signature, b, error);
}

static bool add_quote_pcrs(struct socle_evidence *e, const struct blob *b, struct host_error *error)
{
	return keep(&e->parts.quote_pcrs, b, error);
}

static bool add_ek_certificate(struct socle_evidence *e, const struct blob *b,
			       struct host_error *error)
{
	e->parts.ek_certificate = ek_certificate_read(b->data, b->size);
	return e->parts.ek_certificate || host_fail(error, "no certificate in PEM or DER");
}

/* What is in it is judged with the quote. */
static bool add_event_log(struct socle_evidence *e, const struct blob *b, struct host_error *error)
{
	if (b->size == 0)
		return host_fail(error, "an empty event log");
	return keep(&e->parts.event_log, b, error);
}

static bool add_nonce(struct socle_evidence *e, const struct blob *b, struct host_error *error)
{
	if (b->size != sizeof(e->parts.nonce))
		return host_fail(error, "%zu bytes, where a nonce has %zu", b->size,
				 sizeof(e->parts.nonce));
	memcpy(e->parts.nonce, b->data, b->size);
	return true;
}

static bool json_hex(const json_t *object, const char *name, uint8_t *bytes, size_t capacity,
		     size_t *size)
{
	const char *text = json_string_value(json_object_get(object, name));

	*size = text ? strlen(text) / 2 : 0;
	return *size > 0 && *size <= capacity && hex_read(text, bytes, *size);
}

bool evidence_read_challenge(struct evidence *parts, const void *record, size_t size,
			     struct host_error *error)
{
	json_error_t wrong;
	json_t *root = NULL;

	if (size > EVIDENCE_PART_SIZE_MAX)
		return host_fail(error, "%zu bytes, where %u are the most", size,
				 EVIDENCE_PART_SIZE_MAX);
	root = json_loadb(record, size, JSON_REJECT_DUPLICATES, &wrong);
	if (!root)
		return host_fail(error, "no JSON, line %d, column %d", wrong.line, wrong.column);
	parts->challenged = json_hex(root, "ek_name", parts->challenge_ek.bytes, TPM_NAME_MAX,
				     &parts->challenge_ek.size) &&
			    json_hex(root, "ak_name", parts->challenge_ak.bytes, TPM_NAME_MAX,
				     &parts->challenge_ak.size) &&
			    json_hex(root, "secret", parts->secret, EVIDENCE_SECRET_MAX,
				     &parts->secret_size);
	json_decref(root);
	if (!parts->challenged)
		return host_fail(error, "ek_name, ak_name or secret is missing or not hexadecimal");
	parts->challenged = parts->secret_size >= EVIDENCE_SECRET_MIN;
	return parts->challenged ||
	       host_fail(error, "the secret has less than %u bytes: it could be guessed",
			 EVIDENCE_SECRET_MIN);
}

static bool add_challenge(struct socle_evidence *e, const struct blob *b, struct host_error *error)
{
	return evidence_read_challenge(&e->parts, b->data, b->size, error);
}

static bool add_ca(struct socle_evidence *e, const struct blob *b, struct host_error *error)
{
	e->parts.ca = ek_certificate_read_ca(b->data, b->size);
	return e->parts.ca || host_fail(error, "no certificate in PEM or DER");
}

typedef bool part_reader(struct socle_evidence *e, const struct blob *b, struct host_error *error);

static part_reader *const part_readers[SOCLE_OWN_CA + 1] = {
	[SOCLE_REPORT] = add_report,
	[SOCLE_CERT_TABLE] = add_table,
	[SOCLE_CERT_ARK] = add_ark,
	[SOCLE_CERT_ISSUER] = add_issuer,
	[SOCLE_CERT_SIGNER] = add_signer,
	[SOCLE_MANIFEST] = add_manifest,
	[SOCLE_SELECTOR] = add_selector,
	[SOCLE_CONTEXT] = add_context,
	[SOCLE_EK] = add_ek,
	[SOCLE_AK] = add_ak,
	[SOCLE_ANSWER] = add_answer,
	[SOCLE_QUOTE] = add_quote,
	[SOCLE_QUOTE_SIGNATURE] = add_quote_signature,
	[SOCLE_QUOTE_PCRS] = add_quote_pcrs,
	[SOCLE_EK_CERTIFICATE] = add_ek_certificate,
	[SOCLE_EVENT_LOG] = add_event_log,
	[SOCLE_OWN_NONCE] = add_nonce,
	[SOCLE_OWN_CHALLENGE] = add_challenge,
	[SOCLE_OWN_ROOT] = add_own_root,
	[SOCLE_OWN_CA] = add_ca,
};

struct socle_evidence *socle_evidence_new(void)
{
	return calloc(1, sizeof(struct socle_evidence));
}

static bool add_part(struct socle_evidence *e, unsigned int part, const struct blob *b,
		     struct host_error *error)
{
	const size_t most = part == SOCLE_REPORT      ? EVIDENCE_REPORT_SIZE_MAX
			    : part == SOCLE_EVENT_LOG ? EVIDENCE_LOG_SIZE_MAX
						      : EVIDENCE_PART_SIZE_MAX;

	if (part > SOCLE_OWN_CA || !part_readers[part])
		return host_fail(error, "part %u is not known", part);
	if (e->added[part])
		return host_fail(error, "part %u is there already", part);
	if (part != SOCLE_REPORT && !e->added[SOCLE_REPORT])
		return host_fail(error, "the report has to come before everything else");
	if (b->size > most)
		return host_fail(error, "%zu bytes, where %zu are the most", b->size, most);
	if (!part_readers[part](e, b, error))
		return false;
	e->added[part] = 1;
	return true;
}

bool socle_evidence_add(struct socle_evidence *evidence, enum socle_part part, const void *data,
			size_t size, char *error)
{
	struct blob b = { data ? data : (const uint8_t *)"", data ? size : 0 };
	struct host_error wrong;
	bool ok;

	ERR_set_mark();
	ok = add_part(evidence, part, &b, &wrong);
	ERR_pop_to_mark();
	if (ok)
		return true;
	if (error)
		memcpy(error, wrong.text, sizeof(wrong.text));
	return false;
}

static void take_first(X509 **place, X509 *certificate)
{
	if (!*place && certificate && X509_up_ref(certificate) == 1)
		*place = certificate;
}

static void take_chain(struct amd_chain *chain, const struct amd_chain *from)
{
	take_first(&chain->ark, from->ark);
	take_first(&chain->issuer, from->issuer);
	take_first(&chain->signer, from->signer);
}

void evidence_chain(const struct socle_evidence *evidence, struct amd_chain *chain)
{
	const struct amd_chain *added = &evidence->parts.chain, *known = &evidence->known,
			       *table = &evidence->table;

	*chain = (struct amd_chain){ .key = added->key };
	take_first(&chain->ark, evidence->own_root);
	take_chain(chain, added);
	take_chain(chain, known);
	take_chain(chain, table);
	amd_certificates_fill(chain);
}

bool evidence_chain_known(const struct socle_evidence *evidence, const struct amd_chain *chain)
{
	const struct amd_chain *known = &evidence->known;

	return known->signer && chain->signer == known->signer && chain->issuer == known->issuer &&
	       chain->ark == known->ark;
}

bool socle_evidence_has(const struct socle_evidence *evidence, enum socle_part part)
{
	struct amd_chain chain;
	bool has;

	if (part < SOCLE_CERT_ARK || part > SOCLE_CERT_SIGNER)
		return part > 0 && part <= SOCLE_OWN_CA && evidence->added[part];
	ERR_set_mark();
	evidence_chain(evidence, &chain);
	has = (part == SOCLE_CERT_ARK	   ? chain.ark
	       : part == SOCLE_CERT_ISSUER ? chain.issuer
					   : chain.signer) != NULL;
	amd_chain_free(&chain);
	ERR_pop_to_mark();
	return has;
}

const char *socle_evidence_key(const struct socle_evidence *evidence)
{
	if (!evidence->added[SOCLE_REPORT])
		return NULL;
	switch (report_signing_key(&evidence->parts.report)) {
	case REPORT_KEY_VCEK:
		return "vcek";
	case REPORT_KEY_VLEK:
		return "vlek";
	default:
		return NULL;
	}
}

void socle_evidence_free(struct socle_evidence *evidence)
{
	struct evidence *e;

	if (!evidence)
		return;
	e = &evidence->parts;
	amd_chain_free(&e->chain);
	amd_chain_free(&evidence->table);
	amd_chain_free(&evidence->known);
	X509_free(evidence->own_root);
	EVP_PKEY_free(e->ek);
	EVP_PKEY_free(e->ak);
	X509_free(e->ek_certificate);
	sk_X509_pop_free(e->ca, X509_free);
	file_free(&e->ak_area);
	file_free(&e->manifest);
	file_free(&e->selector);
	file_free(&e->context);
	file_free(&e->answer);
	file_free(&e->quote);
	file_free(&e->quote_signature);
	file_free(&e->quote_pcrs);
	file_free(&e->event_log);
	OPENSSL_cleanse(e->secret, sizeof(e->secret));
	free(evidence);
}
