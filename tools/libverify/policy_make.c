/* SPDX-License-Identifier: MIT */
/* A policy that evidence meets: what a relying party starts from that knows nothing else yet. */
#include <jansson.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/tpm.h"
#include "core/base/hex.h"
#include "core/evidence/vtpm_manifest.h"
#include "core/tpm/host/tpm_quote.h"
#include "tools/libverify/evidence.h"

#define FIRST "first use"

/*
 * What is put together. Short memory must not leave a rule out: from the first failure on nothing
 * more is put in, and there is no policy.
 */
struct draft {
	json_t *json;
	bool short_of_memory;
};

/* Takes value, which may be NULL: then memory was short. */
static void put(struct draft *d, json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) != 0)
		d->short_of_memory = true;
}

static bool is_zero(const void *bytes, size_t size)
{
	const uint8_t *b = bytes;
	uint8_t any = 0;

	for (size_t i = 0; i < size; i++)
		any |= b[i];
	return any == 0;
}

/* Takes value; an object without members is left out. */
static void put_unless_empty(struct draft *d, json_t *object, const char *name, json_t *value)
{
	if (!value || json_object_size(value))
		put(d, object, name, value);
	else
		json_decref(value);
}

static json_t *hex_text(const void *bytes, size_t size)
{
	char text[HEX_TEXT_SIZE(TPM_NAME_MAX)];

	hex_write(text, bytes, size);
	return json_string(text);
}

/* A list of one value; none for zeros, which say nothing. */
static void put_value(struct draft *d, const char *rule, const void *bytes, size_t size)
{
	if (!is_zero(bytes, size))
		put(d, d->json, rule, json_pack("{s:o}", FIRST, hex_text(bytes, size)));
}

static void put_bits(struct draft *d, uint64_t bits)
{
	json_t *required = json_array(), *forbidden = json_array();

	for (unsigned int bit = 0; bit < 64; bit++) {
		const char *name = report_policy_bit(bit);

		if (name && json_array_append_new(bits >> bit & 1 ? required : forbidden,
						  json_string(name)) != 0)
			d->short_of_memory = true;
	}
	put(d, d->json, "policy_bits",
	    json_pack("{s:o, s:o}", "required", required, "forbidden", forbidden));
}

static struct report_tcb lower_tcb(struct report_tcb a, struct report_tcb b)
{
	return (struct report_tcb){
		.fmc = a.fmc < b.fmc ? a.fmc : b.fmc,
		.bootloader = a.bootloader < b.bootloader ? a.bootloader : b.bootloader,
		.tee = a.tee < b.tee ? a.tee : b.tee,
		.snp = a.snp < b.snp ? a.snp : b.snp,
		.microcode = a.microcode < b.microcode ? a.microcode : b.microcode,
	};
}

/*
 * The parts that the product has, of what a floor is held against: the TCB at launch may be a lower
 * one.
 */
static void put_tcb(struct draft *d, const struct psp_report *r, enum report_product product)
{
	struct report_tcb tcb = lower_tcb(lower_tcb(report_tcb(r->reported_tcb, product),
						    report_tcb(r->committed_tcb, product)),
					  report_tcb(r->launch_tcb, product)),
			  has = report_tcb(UINT64_MAX, product);
	const struct {
		const char *name;
		uint8_t level, most;
	} parts[] = {
		{ "fmc", tcb.fmc, has.fmc },
		{ "bootloader", tcb.bootloader, has.bootloader },
		{ "tee", tcb.tee, has.tee },
		{ "snp", tcb.snp, has.snp },
		{ "microcode", tcb.microcode, has.microcode },
	};
	json_t *floor = json_object();

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].most)
			put(d, floor, parts[i].name, json_integer(parts[i].level));
	}
	put(d, d->json, "minimum_tcb", json_pack("{s:o}", report_product_name(product), floor));
}

static const char *put_signer(struct draft *d, const struct socle_evidence *e)
{
	struct amd_signer_info signer;
	struct amd_chain chain;
	const char *error;

	evidence_chain(e, &chain);
	if (!chain.signer) {
		amd_chain_free(&chain);
		return "the certificate of the report's key is missing";
	}
	error = amd_chain_signer_info(&chain, &signer);
	if (!error && amd_chain_is_emulated(&chain))
		put(d, d->json, "allow", json_pack("{s:b}", "emulated", 1));
	amd_chain_free(&chain);
	if (error)
		return error;
	put_tcb(d, &e->parts.report, signer.product);
	if (signer.csp_id[0])
		put(d, d->json, "csp_ids", json_pack("{s:s}", FIRST, signer.csp_id));
	else
		put_value(d, "chip_ids", e->parts.report.chip_id, PSP_CHIP_ID_SIZE);
	return NULL;
}

/* What an ID block says is worth something only with the key that signed it. */
static void put_id_block(struct draft *d, const struct psp_report *r)
{
	bool author = r->key_info & PSP_KEY_INFO_AUTHOR_KEY_EN;

	put_value(d, "id_key_digests", r->id_key_digest, sizeof(r->id_key_digest));
	if (author)
		put_value(d, "author_key_digests", r->author_key_digest,
			  sizeof(r->author_key_digest));
	if (is_zero(r->id_key_digest, sizeof(r->id_key_digest)))
		return;
	put_value(d, "family_ids", r->family_id, sizeof(r->family_id));
	put_value(d, "image_ids", r->image_id, sizeof(r->image_id));
	if (r->guest_svn)
		put(d, d->json, "minimum_svn", json_integer(r->guest_svn));
}

static void put_report(struct draft *d, const struct psp_report *r)
{
	put_value(d, "measurements", r->measurement, sizeof(r->measurement));
	put_id_block(d, r);
	put_value(d, "host_data", r->host_data, sizeof(r->host_data));
	if (r->vmpl)
		put(d, d->json, "vmpl", json_integer(r->vmpl));
	put_bits(d, r->policy);
}

/* The keys that may sign a quote; where none is looked at, all. */
static const char *put_keys(struct draft *d, const struct socle_evidence *e, bool quote)
{
	struct vtpm_manifest manifest;
	const char *error = vtpm_manifest_read(&manifest, e->parts.manifest.data,
					       e->parts.manifest.size);
	json_t *keys = json_object();
	char label[48];

	for (size_t i = 0; !error && i < manifest.count; i++) {
		struct tpm_name name;

		if ((quote && !manifest.keys[i].info.signing) ||
		    !tpm_public_name(manifest.keys[i].data, manifest.keys[i].size, &name))
			continue;
		snprintf(label, sizeof(label), FIRST ", key %zu", i + 1);
		put(d, keys, label, hex_text(name.bytes, name.size));
	}
	if (quote && e->parts.challenged)
		put(d, keys, FIRST ", challenged",
		    hex_text(e->parts.challenge_ak.bytes, e->parts.challenge_ak.size));
	put_unless_empty(d, d->json, "keys", keys);
	return error;
}

static void put_bank(struct draft *d, json_t *pcrs, const struct tpm_pcr_values *values,
		     uint16_t algorithm)
{
	json_t *bank = json_object();
	char number[8];

	for (unsigned int pcr = 0; pcr < TPM_PCR_COUNT; pcr++) {
		size_t size = 0;
		const uint8_t *value = tpm_quote_value(values, algorithm, pcr, &size);

		snprintf(number, sizeof(number), "%u", pcr);
		if (value)
			put(d, bank, number, hex_text(value, size));
	}
	put_unless_empty(d, pcrs, policy_bank_name(algorithm), bank);
}

static const char *put_pcrs(struct draft *d, const struct file_bytes *quoted)
{
	struct tpm_pcr_values values;
	const char *error = tpm_quote_read_values(&values, quoted->data, quoted->size);
	json_t *pcrs = json_object();

	for (size_t i = 0; !error && i < values.selection.bank_count; i++) {
		uint16_t algorithm = values.selection.banks[i].algorithm;

		if (policy_bank_name(algorithm))
			put_bank(d, pcrs, &values, algorithm);
	}
	put_unless_empty(d, d->json, "pcrs", pcrs);
	return error;
}

static const char *make(struct draft *d, const struct socle_evidence *e, const char *look_at)
{
	bool quote = strcmp(look_at, "quote") == 0;
	const char *error;

	if (!e->added[SOCLE_REPORT])
		return "the report is missing";
	error = put_signer(d, e);
	if (error)
		return error;
	put_report(d, &e->parts.report);
	if (strcmp(look_at, "report") == 0)
		return NULL;
	error = put_keys(d, e, quote);
	return error || !quote || !e->parts.quote_pcrs.size ? error
							    : put_pcrs(d, &e->parts.quote_pcrs);
}

/* With the line end of a text file; NULL when memory is short. */
static char *text_of(const json_t *policy)
{
	char *text = json_dumps(policy, JSON_INDENT(2)), *line = NULL;
	size_t length = text ? strlen(text) : 0;

	if (text)
		line = realloc(text, length + 2);
	if (line)
		memcpy(line + length, "\n", 2);
	else
		free(text);
	return line;
}

char *socle_policy_make(const struct socle_evidence *evidence, const char *look_at, char *error)
{
	struct draft d = { 0 };
	struct host_error wrong;
	const char *why = NULL;
	char *text = NULL;

	ERR_set_mark();
	if (!policy_depth_named(look_at, &(enum evidence_depth){ 0 }))
		why = "look_at: one of report, keys and quote is wanted";
	else
		d.json = json_pack("{s:i, s:s, s:s}", "format", 1, "name",
				   "made from evidence on first use: worth as much as that was",
				   "look_at", look_at);
	if (d.json)
		why = make(&d, evidence, look_at);
	if (d.json && !why && !d.short_of_memory)
		text = text_of(d.json);
	json_decref(d.json);
	ERR_pop_to_mark();
	if (!text && error) {
		host_fail(&wrong, "%s", why ? why : "out of memory");
		memcpy(error, wrong.text, sizeof(wrong.text));
	}
	return text;
}
