/* SPDX-License-Identifier: MIT */
/* A policy that evidence meets: what a relying party starts from that knows nothing else yet. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/tpm.h"
#include "core/base/hex.h"
#include "core/evidence/vtpm_manifest.h"
#include "core/tpm/host/tpm_quote.h"
#include "tools/libverify/evidence.h"

#define FIRST "first use"

static bool is_zero(const void *bytes, size_t size)
{
	const uint8_t *b = bytes;
	uint8_t any = 0;

	for (size_t i = 0; i < size; i++)
		any |= b[i];
	return any == 0;
}

static json_t *hex_text(const void *bytes, size_t size)
{
	char text[HEX_TEXT_SIZE(TPM_NAME_MAX)];

	hex_write(text, bytes, size);
	return json_string(text);
}

/* A list of one value; none for zeros, which say nothing. */
static void put_value(json_t *policy, const char *rule, const void *bytes, size_t size)
{
	if (!is_zero(bytes, size))
		json_object_set_new(policy, rule, json_pack("{s:o}", FIRST, hex_text(bytes, size)));
}

static void put_bits(json_t *policy, uint64_t bits)
{
	json_t *required = json_array(), *forbidden = json_array();

	for (unsigned int bit = 0; bit < 64; bit++) {
		const char *name = report_policy_bit(bit);

		if (name)
			json_array_append_new(bits >> bit & 1 ? required : forbidden,
					      json_string(name));
	}
	json_object_set_new(policy, "policy_bits",
			    json_pack("{s:o, s:o}", "required", required, "forbidden", forbidden));
}

/* The parts that the product has. */
static void put_tcb(json_t *policy, const struct psp_report *r, enum report_product product)
{
	struct report_tcb tcb = report_tcb(r->reported_tcb, product),
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
			json_object_set_new(floor, parts[i].name, json_integer(parts[i].level));
	}
	json_object_set_new(policy, "minimum_tcb",
			    json_pack("{s:o}", report_product_name(product), floor));
}

static const char *put_signer(json_t *policy, const struct socle_evidence *e)
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
		json_object_set_new(policy, "allow", json_pack("{s:b}", "emulated", 1));
	amd_chain_free(&chain);
	if (error)
		return error;
	put_tcb(policy, &e->parts.report, signer.product);
	if (signer.csp_id[0])
		json_object_set_new(policy, "csp_ids", json_pack("{s:s}", FIRST, signer.csp_id));
	else
		put_value(policy, "chip_ids", e->parts.report.chip_id, PSP_CHIP_ID_SIZE);
	return NULL;
}

static void put_report(json_t *policy, const struct psp_report *r)
{
	put_value(policy, "measurements", r->measurement, sizeof(r->measurement));
	put_value(policy, "id_key_digests", r->id_key_digest, sizeof(r->id_key_digest));
	if (r->key_info & PSP_KEY_INFO_AUTHOR_KEY_EN)
		put_value(policy, "author_key_digests", r->author_key_digest,
			  sizeof(r->author_key_digest));
	put_value(policy, "family_ids", r->family_id, sizeof(r->family_id));
	put_value(policy, "image_ids", r->image_id, sizeof(r->image_id));
	put_value(policy, "host_data", r->host_data, sizeof(r->host_data));
	if (r->guest_svn)
		json_object_set_new(policy, "minimum_svn", json_integer(r->guest_svn));
	if (r->vmpl)
		json_object_set_new(policy, "vmpl", json_integer(r->vmpl));
	put_bits(policy, r->policy);
}

/* The keys that may sign a quote; where none is looked at, all. */
static const char *put_keys(json_t *policy, const struct socle_evidence *e, bool quote)
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
		json_object_set_new(keys, label, hex_text(name.bytes, name.size));
	}
	if (quote && e->parts.challenged)
		json_object_set_new(
			keys, FIRST ", challenged",
			hex_text(e->parts.challenge_ak.bytes, e->parts.challenge_ak.size));
	if (json_object_size(keys))
		json_object_set(policy, "keys", keys);
	json_decref(keys);
	return error;
}

static const char *bank_name(uint16_t bank)
{
	return bank == TPM_ALG_SHA256	? "sha256"
	       : bank == TPM_ALG_SHA384 ? "sha384"
	       : bank == TPM_ALG_SHA512 ? "sha512"
					: NULL;
}

static const char *put_pcrs(json_t *policy, const struct file_bytes *quoted)
{
	struct tpm_pcr_values values;
	const char *error = tpm_quote_read_values(&values, quoted->data, quoted->size);
	json_t *pcrs = json_object();
	char number[8];

	for (size_t i = 0; !error && i < values.selection.bank_count; i++) {
		uint16_t algorithm = values.selection.banks[i].algorithm;
		json_t *bank = json_object();

		for (unsigned int pcr = 0; bank_name(algorithm) && pcr < TPM_PCR_COUNT; pcr++) {
			size_t size = 0;
			const uint8_t *value = tpm_quote_value(&values, algorithm, pcr, &size);

			snprintf(number, sizeof(number), "%u", pcr);
			if (value)
				json_object_set_new(bank, number, hex_text(value, size));
		}
		if (json_object_size(bank))
			json_object_set(pcrs, bank_name(algorithm), bank);
		json_decref(bank);
	}
	if (json_object_size(pcrs))
		json_object_set(policy, "pcrs", pcrs);
	json_decref(pcrs);
	return error;
}

static const char *make(json_t *policy, const struct socle_evidence *e, const char *look_at)
{
	bool quote = strcmp(look_at, "quote") == 0;
	const char *error;

	if (!e->added[SOCLE_REPORT])
		return "the report is missing";
	error = put_signer(policy, e);
	if (error)
		return error;
	put_report(policy, &e->parts.report);
	if (strcmp(look_at, "report") == 0)
		return NULL;
	error = put_keys(policy, e, quote);
	return error || !quote || !e->parts.quote_pcrs.size
		       ? error
		       : put_pcrs(policy, &e->parts.quote_pcrs);
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
	json_t *policy = json_pack("{s:i, s:s, s:s}", "format", 1, "name",
				   "made from evidence on first use: worth as much as that was",
				   "look_at", look_at);
	struct host_error wrong;
	const char *why = policy ? make(policy, evidence, look_at) : "out of memory";
	char *text = why ? NULL : text_of(policy);

	json_decref(policy);
	if (!text && error) {
		host_fail(&wrong, "%s", why ? why : "out of memory");
		memcpy(error, wrong.text, sizeof(wrong.text));
	}
	return text;
}
