/* SPDX-License-Identifier: MIT */
/*
 * A policy's JSON, rule by rule. Everything is refused that this does not know, or that cannot
 * hold.
 */
#include "tools/libverify/policy.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/psp.h"
#include "abi/tpm.h"
#include "core/base/hex.h"
#include "core/base/host/time_text.h"
#include "core/base/number.h"
#include "core/evidence/host/amd_chain.h"

#define FORMAT 1
#define VMPL_MAX 3
#define PCR_MAX 23u

/* Where in the policy the reader is: what a refusal names. */
struct reader {
	struct policy *policy;
	struct host_error *error;
	char place[256];
};

static bool refuse(struct reader *r, const char *rule)
{
	return host_fail(r->error, "%s: %s", r->place, rule);
}

/* The place below: "a" becomes "a.b". The length of what it was, for leave(). */
static size_t enter(struct reader *r, const char *name)
{
	size_t length = strlen(r->place);

	snprintf(r->place + length, sizeof(r->place) - length, "%s%.80s", length ? "." : "", name);
	return length;
}

static void leave(struct reader *r, size_t length)
{
	r->place[length] = '\0';
}

/* What a field may be, and who reads it. which: for functions that read several. */
struct field {
	const char *name;
	bool (*read)(struct reader *r, const json_t *value, unsigned int which);
	unsigned int which;
};

/* Every member of an object by its row. */
static bool read_fields(struct reader *r, const json_t *object, const struct field *fields)
{
	const struct field *field;
	const char *name;
	json_t *value;

	if (!json_is_object(object))
		return refuse(r, "an object is wanted");
	if (json_object_size(object) == 0)
		return refuse(r, "nothing is in it");
	json_object_foreach((json_t *)object, name, value)
	{
		size_t length = enter(r, name);

		for (field = fields; field->name && strcmp(field->name, name) != 0; field++)
			;
		if (!field->name)
			return refuse(r, "there is no such field");
		if (!field->read(r, value, field->which))
			return false;
		leave(r, length);
	}
	return true;
}

static bool read_number(struct reader *r, const json_t *value, uint64_t most, uint64_t *number)
{
	char rule[64];

	if (json_is_integer(value) && json_integer_value(value) >= 0 &&
	    (uint64_t)json_integer_value(value) <= most) {
		*number = (uint64_t)json_integer_value(value);
		return true;
	}
	snprintf(rule, sizeof(rule), "a number from 0 to %llu is wanted", (unsigned long long)most);
	return refuse(r, rule);
}

static bool read_format(struct reader *r, const json_t *value, unsigned int which)
{
	(void)which;
	return (json_is_integer(value) && json_integer_value(value) == FORMAT) ||
	       refuse(r, "the format is not 1, the only one that is known here");
}

/* For people alone. */
static bool read_title(struct reader *r, const json_t *value, unsigned int which)
{
	(void)which;
	return json_is_string(value) || refuse(r, "a text is wanted");
}

bool policy_depth_named(const char *name, enum evidence_depth *depth)
{
	static const char *const names[] = { "report", "keys", "quote" };

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0) {
			*depth = (enum evidence_depth)i;
			return true;
		}
	}
	return false;
}

static bool read_depth(struct reader *r, const json_t *value, unsigned int which)
{
	(void)which;
	return (json_is_string(value) &&
		policy_depth_named(json_string_value(value), &r->policy->depth)) ||
	       refuse(r, "one of report, keys and quote is wanted");
}

static bool read_at(struct reader *r, const json_t *value, unsigned int which)
{
	(void)which;
	return (json_is_string(value) &&
		time_text_read(json_string_value(value), &r->policy->at)) ||
	       refuse(r, "YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ is wanted");
}

enum { ALLOW_EMULATED, ALLOW_MASKED, ALLOW_UNKNOWN };

static bool read_allow(struct reader *r, const json_t *value, unsigned int which)
{
	bool *const flags[] = { &r->policy->trust_emulated, &r->policy->allow_masked_chip,
				&r->policy->allow_unknown_version };

	if (!json_is_boolean(value))
		return refuse(r, "true or false is wanted");
	*flags[which] = json_is_true(value);
	return true;
}

static bool read_allowed(struct reader *r, const json_t *value, unsigned int which)
{
	static const struct field fields[] = {
		{ "emulated", read_allow, ALLOW_EMULATED },
		{ "masked_chip", read_allow, ALLOW_MASKED },
		{ "unknown_version", read_allow, ALLOW_UNKNOWN },
		{ 0 },
	};

	(void)which;
	return read_fields(r, value, fields);
}

static bool read_vmpl(struct reader *r, const json_t *value, unsigned int which)
{
	uint64_t number = 0;

	(void)which;
	if (!read_number(r, value, VMPL_MAX, &number))
		return false;
	r->policy->vmpl = (uint32_t)number;
	return true;
}

static bool read_svn(struct reader *r, const json_t *value, unsigned int which)
{
	uint64_t number = 0;

	(void)which;
	if (!read_number(r, value, UINT32_MAX, &number))
		return false;
	r->policy->minimum_svn = (uint32_t)number;
	return true;
}

/* What the values of a list are: bytes of one size, but for two. */
static const struct list_form {
	size_t size; /* in bytes; 0: it is no such list */
	const char *wants;
} list_forms[POLICY_LISTS] = {
	[POLICY_MEASUREMENTS] = { PSP_MEASUREMENT_SIZE, "96 hexadecimal digits are wanted" },
	[POLICY_ID_KEYS] = { 48, "96 hexadecimal digits are wanted" },
	[POLICY_AUTHOR_KEYS] = { 48, "96 hexadecimal digits are wanted" },
	[POLICY_HOST_DATA] = { 32, "64 hexadecimal digits are wanted" },
	[POLICY_FAMILY_IDS] = { 16, "32 hexadecimal digits are wanted" },
	[POLICY_IMAGE_IDS] = { 16, "32 hexadecimal digits are wanted" },
	[POLICY_CHIP_IDS] = { PSP_CHIP_ID_SIZE, "128 hexadecimal digits are wanted" },
	[POLICY_CSP_IDS] = { 0, "a text of 1 to 64 printable characters is wanted" },
	[POLICY_KEYS] = { 0, "the hexadecimal digits of a TPM's Name are wanted: 000b and 64, "
			     "000c and 96, or 000d and 128" },
	[POLICY_BOOT_SIGNERS] = { 32, "64 hexadecimal digits are wanted" },
	[POLICY_BOOT_FIRMWARE] = { 0, "64, 96 or 128 hexadecimal digits are wanted" },
	[POLICY_BOOT_PROGRAMS] = { 0, "64, 96 or 128 hexadecimal digits are wanted" },
	[POLICY_BOOT_FILES] = { 0, "64, 96 or 128 hexadecimal digits are wanted" },
};

/* The algorithm of a Name says how long it is. */
static bool is_name(const uint8_t *bytes, size_t size)
{
	static const size_t digest[] = { 32, 48, 64 };

	return size > 2 && bytes[0] == 0 && bytes[1] >= TPM_ALG_SHA256 &&
	       bytes[1] <= TPM_ALG_SHA512 && size == 2 + digest[bytes[1] - TPM_ALG_SHA256];
}

/* What a VLEK may have (core/evidence/host/amd_chain.c). */
static bool is_printable(const char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			return false;
	}
	return true;
}

static bool value_bytes(unsigned int kind, const char *text, uint8_t bytes[TPM_NAME_MAX],
			size_t *size)
{
	*size = strlen(text);
	if (kind == POLICY_CSP_IDS) {
		if (*size == 0 || *size > AMD_CSP_ID_MAX || !is_printable(text))
			return false;
		memcpy(bytes, text, *size);
		return true;
	}
	if (*size % 2 || *size > 2 * (size_t)TPM_NAME_MAX)
		return false;
	*size /= 2;
	if (!hex_read(text, bytes, *size))
		return false;
	switch (kind) {
	case POLICY_KEYS:
		return is_name(bytes, *size);
	case POLICY_BOOT_FIRMWARE:
	case POLICY_BOOT_PROGRAMS:
	case POLICY_BOOT_FILES:
		return *size == 32 || *size == 48 || *size == 64;
	default:
		return *size == list_forms[kind].size;
	}
}

bool policy_add(struct policy *policy, enum policy_list_kind kind, const char *name,
		const void *bytes, size_t size)
{
	struct policy_list *list = &policy->lists[kind];
	struct policy_value *more, *value;

	if (list->count == POLICY_VALUES_MAX)
		return false;
	more = realloc(list->values, (list->count + 1) * sizeof(*more));
	if (!more)
		return false;
	list->values = more;
	value = &list->values[list->count++];
	*value = (struct policy_value){ .size = size };
	snprintf(value->name, sizeof(value->name), "%s", name);
	memcpy(value->bytes, bytes, size);
	return true;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
	uint8_t any = 0;

	for (size_t i = 0; i < size; i++)
		any |= bytes[i];
	return any == 0;
}

static bool check_name(struct reader *r, const char *name)
{
	_Static_assert(POLICY_NAME_MAX == 127, "as the words say");
	if (strlen(name) == 0 || strlen(name) > POLICY_NAME_MAX)
		return refuse(r, "a name of 1 to 127 bytes is wanted");
	return true;
}

static bool read_value(struct reader *r, const json_t *value, unsigned int kind, const char *name)
{
	const char *text = json_string_value(value);
	uint8_t bytes[TPM_NAME_MAX] = { 0 };
	size_t size = 0;

	if (!check_name(r, name))
		return false;
	if (!text || !value_bytes(kind, text, bytes, &size))
		return refuse(r, list_forms[kind].wants);
	if (kind == POLICY_CHIP_IDS && is_zero(bytes, size))
		return refuse(r, "it can never hold: no chip has zeros as its id");
	/* A report without an ID block has them: then any image would do. */
	if ((kind == POLICY_ID_KEYS || kind == POLICY_AUTHOR_KEYS) && is_zero(bytes, size))
		return refuse(r, "zeros are no key's digest");
	return policy_add(r->policy, (enum policy_list_kind)kind, name, bytes, size) ||
	       refuse(r, "more than 256 values, or no memory for them");
}

/* {"NAME": "VALUE", ...} */
static bool read_list(struct reader *r, const json_t *value, unsigned int kind)
{
	const char *name;
	json_t *member;

	if (!json_is_object(value))
		return refuse(r, "an object with names and values is wanted");
	if (json_object_size(value) == 0)
		return refuse(r, "it can never hold: no value will do");
	json_object_foreach((json_t *)value, name, member)
	{
		size_t length = enter(r, name);

		if (!read_value(r, member, kind, name))
			return false;
		leave(r, length);
	}
	return true;
}

static bool read_bits(struct reader *r, const json_t *value, unsigned int forbidden)
{
	uint64_t *bits = forbidden ? &r->policy->bits_forbidden : &r->policy->bits_required;
	json_t *member;
	size_t i;

	if (!json_is_array(value) || json_array_size(value) == 0)
		return refuse(r, "a list of names is wanted");
	json_array_foreach((json_t *)value, i, member)
	{
		const char *name = json_string_value(member);
		unsigned int bit = 0;

		while (bit < 64 && (!name || !report_policy_bit(bit) ||
				    strcmp(report_policy_bit(bit), name) != 0))
			bit++;
		if (bit == 64)
			return refuse(r, "a bit of the guest policy has another name");
		*bits |= 1ull << bit;
	}
	return true;
}

static bool read_policy_bits(struct reader *r, const json_t *value, unsigned int which)
{
	static const struct field fields[] = {
		{ "required", read_bits, false },
		{ "forbidden", read_bits, true },
		{ 0 },
	};

	(void)which;
	return read_fields(r, value, fields);
}

/* A part of a TCB, and where it is. */
static const struct tcb_part {
	const char *name;
	size_t at;
} tcb_parts[] = {
	{ "fmc", offsetof(struct report_tcb, fmc) },
	{ "bootloader", offsetof(struct report_tcb, bootloader) },
	{ "tee", offsetof(struct report_tcb, tee) },
	{ "snp", offsetof(struct report_tcb, snp) },
	{ "microcode", offsetof(struct report_tcb, microcode) },
};
#define TCB_PARTS (sizeof(tcb_parts) / sizeof(tcb_parts[0]))

static bool read_tcb(struct reader *r, const json_t *value, struct report_tcb *tcb)
{
	const char *name;
	json_t *member;

	if (!json_is_object(value) || json_object_size(value) == 0)
		return refuse(r, "an object with parts of a TCB is wanted");
	json_object_foreach((json_t *)value, name, member)
	{
		size_t length = enter(r, name), i = 0;
		uint64_t number = 0;

		while (i < TCB_PARTS && strcmp(tcb_parts[i].name, name) != 0)
			i++;
		if (i == TCB_PARTS)
			return refuse(r, "there is no such field");
		if (!read_number(r, member, UINT8_MAX, &number))
			return false;
		((uint8_t *)tcb)[tcb_parts[i].at] = (uint8_t)number;
		leave(r, length);
	}
	return true;
}

/* The highest TCB of a product: 0 in the parts that it does not have. */
static bool tcb_can_hold(enum report_product product, struct report_tcb tcb)
{
	return report_tcb_at_least(report_tcb(UINT64_MAX, product), tcb);
}

static bool read_floor(struct reader *r, const json_t *value, const char *name)
{
	enum report_product product = report_product_named(name);

	if (strcmp(name, "any") == 0)
		return read_tcb(r, value, &r->policy->minimum_tcb);
	if (product == REPORT_PRODUCT_UNKNOWN || strchr(name, '-'))
		return refuse(r, "the product is not known: any, Milan, Genoa, Turin or Venice");
	r->policy->by_product = r->policy->has_floor[product] = true;
	if (!read_tcb(r, value, &r->policy->floor[product]))
		return false;
	return tcb_can_hold(product, r->policy->floor[product]) ||
	       refuse(r, "it can never hold: this product lacks such a part of a TCB");
}

static bool read_floors(struct reader *r, const json_t *value, unsigned int which)
{
	const char *name;
	json_t *member;

	(void)which;
	if (!json_is_object(value) || json_object_size(value) == 0)
		return refuse(r, "an object with products is wanted");
	json_object_foreach((json_t *)value, name, member)
	{
		size_t length = enter(r, name);

		if (!read_floor(r, member, name))
			return false;
		leave(r, length);
	}
	return true;
}

const struct policy_bank policy_banks[POLICY_BANKS] = {
	{ "sha256", TPM_ALG_SHA256, 32 },
	{ "sha384", TPM_ALG_SHA384, 48 },
	{ "sha512", TPM_ALG_SHA512, 64 },
};

const char *policy_bank_name(uint16_t algorithm)
{
	for (size_t i = 0; i < POLICY_BANKS; i++) {
		if (policy_banks[i].algorithm == algorithm)
			return policy_banks[i].name;
	}
	return NULL;
}

static bool add_pcr(struct reader *r, const struct policy_bank *bank, unsigned int pcr,
		    const json_t *value)
{
	struct policy *p = r->policy;
	const char *text = json_string_value(value);
	struct expected_pcr *more;

	if (p->pcr_count == POLICY_VALUES_MAX)
		return refuse(r, "more than 256 values of PCRs");
	more = realloc(p->pcrs, (p->pcr_count + 1) * sizeof(*more));
	if (!more)
		return refuse(r, "out of memory");
	p->pcrs = more;
	more += p->pcr_count;
	*more = (struct expected_pcr){ .bank = bank->algorithm, .pcr = pcr, .size = bank->size };
	if (!text || !hex_read(text, more->value, more->size))
		return refuse(r, "as many hexadecimal digits are wanted as the bank's values have");
	p->pcr_count++;
	return true;
}

/* "HEX", or several of which one will do. */
static bool read_pcr(struct reader *r, const json_t *value, const struct policy_bank *bank,
		     const char *name)
{
	uint64_t pcr = 0;
	json_t *member;
	size_t i;

	if (!number_read(name, strlen(name), NUMBER_DECIMAL, 0, PCR_MAX, &pcr))
		return refuse(r, "a PCR from 0 to 23 is wanted");
	if (!json_is_array(value))
		return add_pcr(r, bank, (unsigned int)pcr, value);
	if (json_array_size(value) == 0)
		return refuse(r, "it can never hold: no value will do");
	json_array_foreach((json_t *)value, i, member)
	{
		if (!add_pcr(r, bank, (unsigned int)pcr, member))
			return false;
	}
	return true;
}

static bool read_bank(struct reader *r, const json_t *value, unsigned int which)
{
	const char *name;
	json_t *member;

	if (!json_is_object(value) || json_object_size(value) == 0)
		return refuse(r, "an object with PCRs is wanted");
	json_object_foreach((json_t *)value, name, member)
	{
		size_t length = enter(r, name);

		if (!read_pcr(r, member, &policy_banks[which], name))
			return false;
		leave(r, length);
	}
	return true;
}

static bool read_pcrs(struct reader *r, const json_t *value, unsigned int which)
{
	struct field fields[POLICY_BANKS + 1] = { 0 };

	(void)which;
	for (unsigned int i = 0; i < POLICY_BANKS; i++)
		fields[i] = (struct field){ policy_banks[i].name, read_bank, i };
	return read_fields(r, value, fields);
}

static bool read_secure_boot(struct reader *r, const json_t *value, unsigned int which)
{
	(void)which;
	if (!json_is_boolean(value))
		return refuse(r, "true or false is wanted");
	r->policy->secure_boot = json_is_true(value) ? SECURE_BOOT_ON : SECURE_BOOT_OFF;
	return true;
}

/* Form 0 and 1 are ASCII, 2 and 3 are UTF-16, of which each second has a NUL behind it. */
static bool digest_text(struct policy_text *text)
{
	static const EVP_MD *(*const hashes[POLICY_BANKS])(void) = { EVP_sha256, EVP_sha384,
								     EVP_sha512 };
	const size_t length = strlen(text->text);
	uint8_t wide[2 * POLICY_TEXT_MAX + 2] = { 0 };
	bool ok = true;

	for (size_t i = 0; i < length; i++)
		wide[2 * i] = (uint8_t)text->text[i];
	for (unsigned int form = 0; form < POLICY_TEXT_FORMS; form++) {
		const void *bytes = form < 2 ? (const void *)text->text : wide;
		size_t size = (length + form % 2) * (form < 2 ? 1 : 2);

		for (unsigned int bank = 0; bank < POLICY_BANKS; bank++)
			ok = ok && EVP_Digest(bytes, size, text->digests[form][bank], NULL,
					      hashes[bank](), NULL) == 1;
	}
	return ok;
}

/* Room for one more; NULL when the list is full, or memory short. */
static struct policy_text *next_text(struct policy_texts *list)
{
	struct policy_text *more;

	if (list->count == POLICY_VALUES_MAX)
		return NULL;
	more = realloc(list->values, (list->count + 1) * sizeof(*more));
	if (!more)
		return NULL;
	list->values = more;
	return &list->values[list->count];
}

static bool add_text(struct policy_texts *list, const char *name, const char *text)
{
	struct policy_text *value = next_text(list);
	const size_t size = strlen(text) + 1;

	if (!value)
		return false;
	memset(value, 0, sizeof(*value));
	value->text = malloc(size);
	if (!value->text)
		return false;
	list->count++;
	memcpy(value->text, text, size);
	snprintf(value->name, sizeof(value->name), "%s", name);
	return digest_text(value);
}

static bool read_text(struct reader *r, const json_t *value, unsigned int kind, const char *name)
{
	const char *text = json_string_value(value);

	if (!check_name(r, name))
		return false;
	if (!text || !text[0] || strlen(text) > POLICY_TEXT_MAX || !is_printable(text))
		return refuse(r, "a text of 1 to 4096 printable characters is wanted");
	return add_text(&r->policy->texts[kind], name, text) ||
	       refuse(r, "more than 256 values, or no memory for them");
}

/* {"NAME": "TEXT", ...} */
static bool read_texts(struct reader *r, const json_t *value, unsigned int kind)
{
	const char *name;
	json_t *member;

	if (!json_is_object(value))
		return refuse(r, "an object with names and texts is wanted");
	if (json_object_size(value) == 0)
		return refuse(r, "it can never hold: no text will do");
	json_object_foreach((json_t *)value, name, member)
	{
		size_t length = enter(r, name);

		if (!read_text(r, member, kind, name))
			return false;
		leave(r, length);
	}
	return true;
}

static bool read_boot(struct reader *r, const json_t *value, unsigned int which)
{
	static const struct field fields[] = {
		{ "secure_boot", read_secure_boot, 0 },
		{ "signers", read_list, POLICY_BOOT_SIGNERS },
		{ "firmware", read_list, POLICY_BOOT_FIRMWARE },
		{ "programs", read_list, POLICY_BOOT_PROGRAMS },
		{ "files", read_list, POLICY_BOOT_FILES },
		{ "words", read_texts, POLICY_BOOT_WORDS },
		{ "command_lines", read_texts, POLICY_BOOT_COMMAND_LINES },
		{ 0 },
	};

	(void)which;
	return read_fields(r, value, fields);
}

bool policy_has_boot(const struct policy *policy)
{
	return policy->secure_boot || policy->lists[POLICY_BOOT_SIGNERS].count ||
	       policy->lists[POLICY_BOOT_FIRMWARE].count ||
	       policy->lists[POLICY_BOOT_PROGRAMS].count ||
	       policy->lists[POLICY_BOOT_FILES].count || policy->texts[POLICY_BOOT_WORDS].count ||
	       policy->texts[POLICY_BOOT_COMMAND_LINES].count;
}

static const struct field policy_fields[] = {
	{ "format", read_format, 0 },
	{ "name", read_title, 0 },
	{ "look_at", read_depth, 0 },
	{ "at", read_at, 0 },
	{ "allow", read_allowed, 0 },
	{ "vmpl", read_vmpl, 0 },
	{ "minimum_svn", read_svn, 0 },
	{ "minimum_tcb", read_floors, 0 },
	{ "policy_bits", read_policy_bits, 0 },
	{ "measurements", read_list, POLICY_MEASUREMENTS },
	{ "id_key_digests", read_list, POLICY_ID_KEYS },
	{ "author_key_digests", read_list, POLICY_AUTHOR_KEYS },
	{ "host_data", read_list, POLICY_HOST_DATA },
	{ "family_ids", read_list, POLICY_FAMILY_IDS },
	{ "image_ids", read_list, POLICY_IMAGE_IDS },
	{ "chip_ids", read_list, POLICY_CHIP_IDS },
	{ "csp_ids", read_list, POLICY_CSP_IDS },
	{ "keys", read_list, POLICY_KEYS },
	{ "pcrs", read_pcrs, 0 },
	{ "boot", read_boot, 0 },
	{ 0 },
};

/*
 * An image that nobody is asked about is anybody's: what its manifest says would be worth nothing.
 */
static bool says_which_image(const struct policy *p)
{
	return p->depth == EVIDENCE_REPORT || p->lists[POLICY_MEASUREMENTS].count ||
	       p->lists[POLICY_ID_KEYS].count || p->lists[POLICY_AUTHOR_KEYS].count;
}

/*
 * GUEST_SVN, FAMILY_ID and IMAGE_ID come from an ID block, which anybody can sign: the host, too
 * (SNP firmware ABI, SNP_LAUNCH_FINISH). They mean something where the key that signed it is
 * demanded with them. The name of the first rule that lacks it, or NULL.
 */
static const char *host_word(const struct policy *p)
{
	if (p->lists[POLICY_ID_KEYS].count || p->lists[POLICY_AUTHOR_KEYS].count)
		return NULL;
	return p->minimum_svn			   ? "minimum_svn"
	       : p->lists[POLICY_FAMILY_IDS].count ? "family_ids"
	       : p->lists[POLICY_IMAGE_IDS].count  ? "image_ids"
						   : NULL;
}

static bool any_can_hold(const struct policy *p)
{
	for (unsigned int i = REPORT_PRODUCT_MILAN; i < POLICY_PRODUCTS; i++) {
		if (tcb_can_hold((enum report_product)i, p->minimum_tcb) &&
		    (!p->by_product || p->has_floor[i]))
			return true;
	}
	return false;
}

/* Rules that hold each by itself, but not with another one. */
/* Whether there are rules about what a loader or a system measured. */
static bool names_measured(const struct policy *p)
{
	return p->lists[POLICY_BOOT_FILES].count || p->texts[POLICY_BOOT_WORDS].count ||
	       p->texts[POLICY_BOOT_COMMAND_LINES].count;
}

static bool fits_together(const struct policy *p, struct host_error *error)
{
	const char *wrong = NULL, *unsigned_rule = host_word(p);

	if (unsigned_rule)
		return host_fail(error,
				 "%s: it is the host's word without id_key_digests or "
				 "author_key_digests: whoever signs an ID block writes it",
				 unsigned_rule);
	if (p->vmpl && p->depth != EVIDENCE_REPORT)
		wrong = "vmpl: it can never hold unless look_at is report: what a manifest says "
			"rests on VMPL 0";
	else if (!says_which_image(p))
		wrong = "measurements: they are missing; without them, or the digests of an ID or "
			"author key, look_at has to be report";
	else if (p->pcr_count && p->depth != EVIDENCE_FULL)
		wrong = "pcrs: they can never hold unless look_at is quote";
	else if (policy_has_boot(p) && p->depth != EVIDENCE_FULL)
		wrong = "boot: it can never hold unless look_at is quote";
	else if (p->lists[POLICY_BOOT_SIGNERS].count && p->secure_boot != SECURE_BOOT_ON)
		wrong = "boot.signers: nobody asks for signatures unless secure_boot is true";
	else if (p->lists[POLICY_BOOT_FIRMWARE].count && !p->lists[POLICY_MEASUREMENTS].count)
		wrong = "boot.firmware: it means nothing without measurements";
	else if (names_measured(p) && !p->lists[POLICY_BOOT_PROGRAMS].count &&
		 !p->lists[POLICY_BOOT_SIGNERS].count)
		wrong = "boot: files, words and command_lines mean nothing without programs or "
			"signers: whatever else was started can have measured them";
	else if (p->lists[POLICY_KEYS].count && p->depth == EVIDENCE_REPORT)
		wrong = "keys: they can never hold where look_at is report";
	else if (p->bits_required & p->bits_forbidden)
		wrong = "policy_bits: they can never hold: a bit is required and forbidden";
	else if (p->bits_required & (PSP_POLICY_DEBUG | PSP_POLICY_MIGRATE_MA))
		wrong = "policy_bits: they can never hold: debug and migrate-ma are refused always";
	else if (p->bits_forbidden & PSP_POLICY_RESERVED_ONE)
		wrong = "policy_bits: they can never hold: reserved-one is set in every policy";
	else if (!any_can_hold(p))
		wrong = "minimum_tcb: it can never hold: no product has all these parts of a TCB";
	return !wrong || host_fail(error, "%s", wrong);
}

/* An error quotes what is in the file, which must not forge lines. */
static void clean(struct host_error *error)
{
	for (char *c = error->text; *c; c++) {
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			*c = '?';
	}
}

bool policy_read(struct policy *policy, const char *json, size_t size, struct host_error *error)
{
	struct reader r = { .policy = policy, .error = error };
	json_error_t wrong;
	json_t *root = NULL;
	bool ok;

	*policy = (struct policy){ .depth = EVIDENCE_FULL };
	if (size > POLICY_SIZE_MAX)
		return host_fail(error, "over 256 KiB, which no policy has");
	root = json_loadb(json, size, JSON_REJECT_DUPLICATES, &wrong);
	if (!root) {
		host_fail(error, "line %d, column %d: %s", wrong.line, wrong.column, wrong.text);
		clean(error);
		return false;
	}
	if (!json_is_object(root))
		ok = host_fail(error, "an object is wanted");
	else if (!json_object_get(root, "format"))
		ok = host_fail(error, "format: it is missing");
	else
		ok = read_fields(&r, root, policy_fields) && fits_together(policy, error);
	json_decref(root);
	if (!ok)
		clean(error);
	return ok;
}

void policy_free(struct policy *policy)
{
	sk_X509_CRL_pop_free(policy->crls, X509_CRL_free);
	for (size_t i = 0; i < POLICY_LISTS; i++)
		free(policy->lists[i].values);
	for (size_t i = 0; i < POLICY_TEXT_LISTS; i++) {
		for (size_t k = 0; k < policy->texts[i].count; k++)
			free(policy->texts[i].values[k].text);
		free(policy->texts[i].values);
	}
	free(policy->pcrs);
	*policy = (struct policy){ 0 };
}
