/* SPDX-License-Identifier: MIT */
#include "tools/verify/rules.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hex.h"
#include "core/base/host/time_text.h"
#include "core/base/number.h"
#include "tools/cmd.h"

#define POLICY_SIZE_MAX (256u << 10)
#define CRL_FILE_SIZE_MAX (1u << 20)
#define PCR_COUNT 24u

/* A digest that says nothing: where a rule is judged that wants some other one beside it. */
static const char any_digest[] = "1111111111111111111111111111111111111111111111111111111111111111"
				 "11111111111111111111111111111111";

static const char *add_value(struct rule_values *values, const char *text)
{
	if (values->count == RULE_VALUES_MAX)
		return "16 values at most";
	values->text[values->count++] = text;
	return NULL;
}

static const char *add_hex(void *values, const char *text, size_t size, const char *wants)
{
	uint8_t bytes[64];

	return hex_read(text, bytes, size) ? add_value(values, text) : wants;
}

const char *rules_read_digest(void *values, char *text)
{
	return add_hex(values, text, 48, "the 96 hexadecimal digits of a digest");
}

const char *rules_read_host_data(void *values, char *text)
{
	return add_hex(values, text, 32, "64 hexadecimal digits");
}

const char *rules_read_id(void *values, char *text)
{
	return add_hex(values, text, 16, "32 hexadecimal digits");
}

const char *rules_read_chip(void *values, char *text)
{
	return add_hex(values, text, 64, "the 128 hexadecimal digits of a chip's id");
}

const char *rules_read_csp(void *values, char *text)
{
	bool ok = strlen(text) >= 1 && strlen(text) <= 64;

	for (const char *c = text; *c; c++)
		ok = ok && *c >= ' ' && *c <= '~';
	return ok ? add_value(values, text) : "1 to 64 printable characters";
}

const char *rules_read_time(void *text_pointer, char *text)
{
	time_t at;

	*(const char **)text_pointer = text;
	return time_text_read(text, &at) ? NULL : "YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ";
}

static const struct pcr_bank {
	const char *name;
	size_t size;
} pcr_banks[] = {
	{ "sha256", 32 },
	{ "sha384", 48 },
	{ "sha512", 64 },
};

static const struct pcr_bank *find_bank(const char *text)
{
	for (size_t i = 0; i < sizeof(pcr_banks) / sizeof(pcr_banks[0]); i++) {
		size_t length = strlen(pcr_banks[i].name);

		if (strncmp(text, pcr_banks[i].name, length) == 0 && text[length] == ':')
			return &pcr_banks[i];
	}
	return NULL;
}

static bool has_pcr(const struct rules *rules, const char *bank, uint64_t pcr)
{
	for (size_t i = 0; i < rules->pcr_count; i++) {
		if (rules->pcrs[i].pcr == pcr && strcmp(rules->pcrs[i].bank, bank) == 0)
			return true;
	}
	return false;
}

/* BANK:N=HEX */
const char *rules_read_pcr(void *to, char *text)
{
	static const char wants[] = "BANK:N=HEX, each PCR of a bank once";
	const struct pcr_bank *bank = find_bank(text);
	const char *value = strchr(text, '=');
	struct rules *rules = to;
	uint8_t bytes[64];
	uint64_t pcr;

	if (rules->pcr_count == RULE_PCRS_MAX || !bank || !value)
		return wants;
	text += strlen(bank->name) + 1;
	if (value < text ||
	    !number_read(text, (size_t)(value - text), NUMBER_DECIMAL, 0, PCR_COUNT - 1, &pcr) ||
	    !hex_read(value + 1, bytes, bank->size) || has_pcr(rules, bank->name, pcr))
		return wants;
	rules->pcrs[rules->pcr_count++] = (struct rule_pcr){ bank->name, (unsigned int)pcr,
							     value + 1 };
	return NULL;
}

static struct socle_policy *read_policy(const char *name, const char *json, size_t size)
{
	char wrong[SOCLE_ERROR_SIZE];
	struct socle_policy *policy = socle_policy_read(json, size, wrong);

	if (!policy && name)
		cmd_file_error(name, "%s", wrong);
	else if (!policy)
		cmd_error("verify: %s", wrong);
	return policy;
}

/*
 * The policy that is put together. Nothing may be left out of it, whatever fails: then it is no
 * policy, and a line on stderr says why.
 */
struct draft {
	json_t *json;
	const char *file; /* that it began with; NULL: none */
	bool ok;
};

/* Takes value, which may be NULL: then memory was short. */
static void put(struct draft *d, json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) == 0)
		return;
	if (d->ok)
		cmd_error("out of memory");
	d->ok = false;
}

/* Judges one rule of a file alone, in a policy in which any rule could stand. */
static bool rule_ok(const char *file, const char *name, json_t *value)
{
	const bool level = strcmp(name, "vmpl") == 0;
	json_t *probe = json_pack("{s:i, s:s, s:{s:s}, s:{s:s}}", "format", 1, "look_at",
				  level ? "report" : "quote", "measurements", "any", any_digest,
				  "id_key_digests", "any", any_digest);
	char *text = json_object_set(probe, name, value) == 0 ? json_dumps(probe, 0) : NULL;
	struct socle_policy *policy = NULL;
	bool ok;

	if (text)
		policy = read_policy(file, text, strlen(text));
	else
		cmd_error("out of memory");
	ok = policy;
	socle_policy_free(policy);
	free(text);
	json_decref(probe);
	return ok;
}

/* An option's rule replaces the file's, which has to be one all the same. */
static void set(struct draft *d, const char *name, json_t *value)
{
	json_t *replaced = json_object_get(d->json, name);

	if (replaced && d->file && d->ok)
		d->ok = rule_ok(d->file, name, replaced);
	put(d, d->json, name, value);
}

/* Values of options have no names of their own: they are called after the option. */
static void set_values(struct draft *d, const char *name, const char *option,
		       const struct rule_values *values)
{
	json_t *object;
	char label[64];

	if (!values->count)
		return;
	object = json_object();
	for (size_t i = 0; i < values->count; i++) {
		snprintf(label, sizeof(label), i ? "%s (%zu)" : "%s", option, i + 1);
		put(d, object, label, json_string(values->text[i]));
	}
	set(d, name, object);
}

static void set_measurement(struct draft *d, const struct rules *rules)
{
	char text[HEX_TEXT_SIZE(OPTION_MEASUREMENT_SIZE)];

	if (!rules->measurement.given)
		return;
	hex_write(text, rules->measurement.value, OPTION_MEASUREMENT_SIZE);
	set(d, "measurements", json_pack("{s:s}", rules->measured_by, text));
}

/* A copy with one member more: what the file has there is judged as it stood. */
static void set_allowed(struct draft *d, const char *name, bool allowed)
{
	const json_t *there = json_object_get(d->json, "allow");
	json_t *object;

	if (!allowed)
		return;
	object = json_is_object(there) ? json_copy((json_t *)there) : json_object();
	put(d, object, name, json_true());
	set(d, "allow", object);
}

static void set_tcb(struct draft *d, const struct option_tcb *tcb)
{
	if (tcb->given)
		set(d, "minimum_tcb",
		    json_pack("{s:{s:i, s:i, s:i, s:i, s:i}}", "any", "fmc", tcb->fmc, "bootloader",
			      tcb->bootloader, "tee", tcb->tee, "snp", tcb->snp, "microcode",
			      tcb->microcode));
}

static void set_pcrs(struct draft *d, const struct rules *rules)
{
	json_t *pcrs;
	char number[8];

	if (!rules->pcr_count)
		return;
	pcrs = json_object();
	for (size_t i = 0; i < rules->pcr_count; i++) {
		const struct rule_pcr *p = &rules->pcrs[i];

		snprintf(number, sizeof(number), "%u", p->pcr);
		if (!json_object_get(pcrs, p->bank))
			put(d, pcrs, p->bank, json_object());
		put(d, json_object_get(pcrs, p->bank), number, json_string(p->value));
	}
	set(d, "pcrs", pcrs);
}

static const char *const depth_names[] = { "report", "keys", "quote" };

static void set_all(struct draft *d, const struct rules *r)
{
	if (r->look_at)
		set(d, "look_at", json_string(depth_names[r->look_at - 1]));
	if (r->at)
		set(d, "at", json_string(r->at));
	if (r->vmpl != RULES_UNSET)
		set(d, "vmpl", json_integer((json_int_t)r->vmpl));
	if (r->minimum_svn != RULES_UNSET)
		set(d, "minimum_svn", json_integer((json_int_t)r->minimum_svn));
	set_allowed(d, "emulated", r->emulated);
	set_allowed(d, "masked_chip", r->masked_chip);
	set_allowed(d, "unknown_version", r->unknown_version);
	set_tcb(d, &r->minimum_tcb);
	set_values(d, "id_key_digests", "--id-key-digest", &r->id_keys);
	set_values(d, "author_key_digests", "--author-key-digest", &r->author_keys);
	set_values(d, "host_data", "--host-data", &r->host_data);
	set_values(d, "family_ids", "--family-id", &r->family_ids);
	set_values(d, "image_ids", "--image-id", &r->image_ids);
	set_values(d, "chip_ids", "--chip-id", &r->chip_ids);
	set_values(d, "csp_ids", "--csp-id", &r->csp_ids);
	set_pcrs(d, r);
}

bool rules_put(json_t *policy, const struct rules *rules)
{
	struct draft d = { .json = policy, .file = rules->file, .ok = true };

	set_all(&d, rules);
	return d.ok;
}

static enum folder_depth depth_of(const json_t *policy)
{
	const char *name = json_string_value(json_object_get(policy, "look_at"));

	for (unsigned int i = FOLDER_REPORT; name && i < FOLDER_QUOTE; i++) {
		if (strcmp(name, depth_names[i]) == 0)
			return (enum folder_depth)i;
	}
	return FOLDER_QUOTE;
}

/* Whether the policy itself says which image it wants, by one of the rules that do. */
static bool says_image(const json_t *policy)
{
	return json_object_get(policy, "measurements") ||
	       json_object_get(policy, "id_key_digests") ||
	       json_object_get(policy, "author_key_digests");
}

/* The measurement to expect: of an image, a number, the file's, or what the own folder says. */
static bool find_measurement(struct rules *rules, const char *image,
			     const struct folder_paths *paths, struct draft *d,
			     enum folder_depth depth)
{
	struct option_measurement *m = &rules->measurement;

	if (image && m->given) {
		cmd_error("--image and --measurement exclude each other");
		return false;
	}
	rules->measured_by = image ? m->name : "--measurement";
	if (image && !option_measure_image(image, m))
		return false;
	if (!m->given && !json_object_get(d->json, "measurements") &&
	    folder_has_measurement(paths)) {
		rules->measured_by = "measurement.hex";
		m->given = folder_load_measurement(paths, m->value);
		if (!m->given)
			return false;
	}
	set_measurement(d, rules);
	if (depth == FOLDER_REPORT || says_image(d->json))
		return true;
	cmd_file_error("measurement.hex", "it has to be yours, not the guest's: give --image FILE, "
					  "--measurement HEX, --policy FILE, or --mine DIR with "
					  "it");
	return false;
}

/* Options that do not go together, or not with the depth. */
static bool options_fit(const struct rules *rules, const struct folder_paths *paths,
			enum folder_depth depth)
{
	const char *wrong = NULL;

	if (!paths->ek_certificate != !paths->ca)
		wrong = "--ek-cert and --ca belong together";
	else if (paths->ek_certificate && depth == FOLDER_REPORT)
		wrong = "--ek-cert and --report-only exclude each other";
	else if (rules->pcr_count && depth != FOLDER_QUOTE)
		wrong = "--pcr needs a quote, which was not to be looked at";
	else if (rules->vmpl != RULES_UNSET && rules->vmpl && depth != FOLDER_REPORT)
		wrong = "--vmpl needs --report-only: what a manifest says rests on VMPL 0";
	if (wrong)
		cmd_error("verify: %s", wrong);
	return !wrong;
}

/* The file alone: it has to be a policy, but for what options may bring. */
static json_t *load_file(const char *path)
{
	struct socle_policy *policy;
	struct file_bytes bytes;
	json_error_t wrong;
	json_t *json;

	if (!cmd_read_file(path, POLICY_SIZE_MAX, &bytes))
		return NULL;
	json = json_loadb((const char *)bytes.data, bytes.size, JSON_REJECT_DUPLICATES, &wrong);
	if (!json_is_object(json)) {
		policy = read_policy(path, (const char *)bytes.data, bytes.size);
		if (policy)
			cmd_error("out of memory");
		socle_policy_free(policy);
		json_decref(json);
		json = NULL;
	}
	file_free(&bytes);
	return json;
}

static struct socle_policy *policy_of(const struct rules *rules, const json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);
	struct socle_policy *policy = NULL;

	if (text)
		policy = read_policy(rules->file, text, strlen(text));
	else
		cmd_error("verify: out of memory");
	free(text);
	return policy;
}

static bool add_crls(struct socle_policy *policy, const char *path)
{
	char wrong[SOCLE_ERROR_SIZE];
	struct file_bytes bytes;
	bool ok;

	if (!cmd_read_file(path, CRL_FILE_SIZE_MAX, &bytes))
		return false;
	ok = socle_policy_add_crls(policy, bytes.data, bytes.size, wrong);
	if (!ok)
		cmd_file_error(path, "%s", wrong);
	file_free(&bytes);
	return ok;
}

struct socle_policy *rules_with_crls(struct socle_policy *policy, const struct option_files *files)
{
	for (size_t i = 0; policy && i < files->count; i++) {
		if (!add_crls(policy, files->paths[i])) {
			socle_policy_free(policy);
			return NULL;
		}
	}
	return policy;
}

json_t *rules_json(struct rules *rules, const char *image, const struct folder_paths *paths,
		   enum folder_depth *depth)
{
	struct draft d = { .file = rules->file, .ok = true };

	d.json = rules->file ? load_file(rules->file) : json_pack("{s:i}", "format", 1);
	if (!d.json) {
		if (!rules->file)
			cmd_error("out of memory");
		return NULL;
	}
	set_all(&d, rules);
	*depth = depth_of(d.json);
	if (d.ok && options_fit(rules, paths, *depth) &&
	    find_measurement(rules, image, paths, &d, *depth) && d.ok)
		return d.json;
	json_decref(d.json);
	return NULL;
}

struct socle_policy *rules_policy(struct rules *rules, const char *image,
				  const struct folder_paths *paths, enum folder_depth *depth)
{
	json_t *json = rules_json(rules, image, paths, depth);
	struct socle_policy *policy = NULL;

	if (json)
		policy = rules_with_crls(policy_of(rules, json), &rules->crls);
	json_decref(json);
	return policy;
}
