/* SPDX-License-Identifier: MIT */
#include "core/tpm/selector.h"

#include <string.h>

#include "core/tpm/wire.h"

#define ATTRIBUTES_KNOWN                                                                         \
	(TPMA_OBJECT_FIXED_TPM | TPMA_OBJECT_ST_CLEAR | TPMA_OBJECT_FIXED_PARENT |               \
	 TPMA_OBJECT_SENSITIVE_DATA_ORIGIN | TPMA_OBJECT_USER_WITH_AUTH |                        \
	 TPMA_OBJECT_ADMIN_WITH_POLICY | TPMA_OBJECT_NO_DA | TPMA_OBJECT_ENCRYPTED_DUPLICATION | \
	 TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT | TPMA_OBJECT_SIGN | TPMA_OBJECT_X509_SIGN)
#define ATTRIBUTES_FIXED (TPMA_OBJECT_FIXED_TPM | TPMA_OBJECT_FIXED_PARENT)
#define RSA_EXPONENT_DEFAULT 65537u

/* Bytes of a digest; 0 for an algorithm that is not offered. */
static size_t digest_size(uint16_t algorithm)
{
	return algorithm == TPM_ALG_SHA1 ? 0 : wire_digest_size(algorithm);
}

static enum selector_result check_attributes(uint32_t attributes)
{
	uint32_t purpose = attributes & (TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT);

	if (attributes & ~ATTRIBUTES_KNOWN)
		return SELECTOR_TEMPLATE_RESERVED;
	if ((attributes & ATTRIBUTES_FIXED) != ATTRIBUTES_FIXED ||
	    attributes & TPMA_OBJECT_ENCRYPTED_DUPLICATION)
		return SELECTOR_TEMPLATE_MOVABLE;
	if (!(attributes & TPMA_OBJECT_SENSITIVE_DATA_ORIGIN))
		return SELECTOR_TEMPLATE_ORIGIN;
	if (!(attributes & TPMA_OBJECT_RESTRICTED))
		return SELECTOR_TEMPLATE_UNRESTRICTED;
	if ((purpose != TPMA_OBJECT_SIGN && purpose != TPMA_OBJECT_DECRYPT) ||
	    attributes & TPMA_OBJECT_X509_SIGN)
		return SELECTOR_TEMPLATE_PURPOSE;
	return SELECTOR_OK;
}

static bool symmetric_ok(const struct wire_public *p, bool signing)
{
	if (signing)
		return p->symmetric == TPM_ALG_NULL;
	return p->symmetric == TPM_ALG_AES && p->symmetric_mode == TPM_ALG_CFB &&
	       (p->symmetric_bits == 128 || p->symmetric_bits == 256);
}

static bool scheme_ok(const struct wire_public *p, bool signing)
{
	if (!signing)
		return p->scheme == TPM_ALG_NULL;
	if (!digest_size(p->scheme_hash))
		return false;
	if (p->type == TPM_ALG_RSA)
		return p->scheme == TPM_ALG_RSASSA || p->scheme == TPM_ALG_RSAPSS;
	return p->scheme == TPM_ALG_ECDSA;
}

/* Bytes of a modulus or a coordinate; 0 for a key that is not offered. */
static size_t key_size(const struct wire_public *p)
{
	if (p->type == TPM_ALG_RSA) {
		if (p->exponent != 0 && p->exponent != RSA_EXPONENT_DEFAULT)
			return 0;
		return p->bits == 2048 || p->bits == 3072 || p->bits == 4096 ? p->bits / 8u : 0;
	}
	return p->kdf == TPM_ALG_NULL ? wire_curve_size(p->curve) : 0;
}

static enum selector_result check_public(const struct wire_public *p)
{
	enum selector_result result;
	bool signing = p->attributes & TPMA_OBJECT_SIGN;

	if (!digest_size(p->name_alg))
		return SELECTOR_TEMPLATE_NAME_ALG;
	result = check_attributes(p->attributes);
	if (result)
		return result;
	if (p->policy_size != 0 && p->policy_size != digest_size(p->name_alg))
		return SELECTOR_TEMPLATE_POLICY;
	if (!symmetric_ok(p, signing))
		return SELECTOR_TEMPLATE_SYMMETRIC;
	if (!scheme_ok(p, signing))
		return SELECTOR_TEMPLATE_SCHEME;
	if (!key_size(p))
		return SELECTOR_TEMPLATE_KEY;
	if (p->x_size > key_size(p) || p->y_size > key_size(p))
		return SELECTOR_TEMPLATE_UNIQUE;
	return SELECTOR_OK;
}

static enum selector_result read_and_check(struct wire_public *p, const void *data, size_t size)
{
	static const enum selector_result results_of[] = {
		[WIRE_TYPE] = SELECTOR_TEMPLATE_TYPE,
		[WIRE_TRUNCATED] = SELECTOR_TEMPLATE_TRUNCATED,
		[WIRE_TRAILING] = SELECTOR_TEMPLATE_TRAILING,
	};
	enum wire_result result;

	if (size == 0 || size > SELECTOR_TEMPLATE_MAX)
		return SELECTOR_TEMPLATE_SIZE;
	result = wire_read_public(p, data, size);
	return result ? results_of[result] : check_public(p);
}

enum selector_result selector_template_check(struct selector_template *info, const void *data,
					     size_t size)
{
	struct wire_public p;
	enum selector_result result = read_and_check(&p, data, size);

	*info = (struct selector_template){ 0 };
	if (result)
		return result;
	*info = (struct selector_template){
		.type = p.type,
		.name_alg = p.name_alg,
		.attributes = p.attributes,
		.signing = p.attributes & TPMA_OBJECT_SIGN,
		.bits = p.bits,
		.curve = p.curve,
		.unique_offset = p.unique_offset,
		.unique_size = p.x_size + p.y_size,
	};
	return SELECTOR_OK;
}

bool selector_public_matches(const void *template, size_t template_size, const void *public_area,
			     size_t public_size)
{
	struct wire_public want, have;

	if (read_and_check(&want, template, template_size) ||
	    read_and_check(&have, public_area, public_size))
		return false;
	/* Equal bytes before it put unique at the same place in both. */
	return want.unique_offset == have.unique_offset &&
	       memcmp(template, public_area, want.unique_offset) == 0 &&
	       have.x_size == key_size(&have) &&
	       (have.type == TPM_ALG_RSA || have.y_size == key_size(&have));
}

static enum selector_result parse_template(struct selector *s, struct bytes_reader *r)
{
	struct selector_template info;

	s->template_size = bytes_left(r);
	s->template = bytes_take(r, s->template_size);
	return selector_template_check(&info, s->template, s->template_size);
}

static enum selector_result parse_id(struct selector *s, struct bytes_reader *r)
{
	s->id = bytes_le32(r);
	if (!bytes_complete(r))
		return SELECTOR_BAD_SIZE;
	if (s->kind == SVSM_SELECTOR_NV && (s->id & TPM_HT_MASK) != TPM_HT_NV_INDEX)
		return SELECTOR_BAD_INDEX;
	return SELECTOR_OK;
}

static enum selector_result parse_kind(struct selector *s, struct bytes_reader *r)
{
	uint64_t kind = bytes_le64(r);

	if (r->bad)
		return SELECTOR_TOO_SHORT;
	if (kind > SVSM_SELECTOR_NV)
		return SELECTOR_UNKNOWN_KIND;
	s->kind = (enum svsm_selector_kind)kind;
	if (s->kind == SVSM_SELECTOR_NONE)
		return bytes_complete(r) ? SELECTOR_OK : SELECTOR_BAD_SIZE;
	return s->kind == SVSM_SELECTOR_TEMPLATE ? parse_template(s, r) : parse_id(s, r);
}

enum selector_result selector_parse(struct selector *selector, const void *data, size_t size)
{
	struct bytes_reader r = bytes_reader_init(data, size);
	struct selector s = { 0 };
	enum selector_result result = SELECTOR_OK;

	if (size > SVSM_SELECTOR_MAX)
		result = SELECTOR_TOO_LONG;
	else if (size > 0)
		result = parse_kind(&s, &r);
	*selector = result ? (struct selector){ 0 } : s;
	return result;
}

static const struct {
	const char *name, *text;
} results[SELECTOR_RESULTS] = {
	[SELECTOR_OK] = { "ok", "it may be attested" },
	[SELECTOR_TOO_SHORT] = { "too-short", "the selector ends within its kind" },
	[SELECTOR_TOO_LONG] = { "too-long", "the selector is too long" },
	[SELECTOR_UNKNOWN_KIND] = { "unknown-kind", "the selector's kind is unknown" },
	[SELECTOR_BAD_SIZE] = { "bad-size", "the selector has another size than its kind wants" },
	[SELECTOR_BAD_INDEX] = { "bad-index", "the selector names no NV index" },
	[SELECTOR_TEMPLATE_SIZE] = { "template-size", "the template is empty or too long" },
	[SELECTOR_TEMPLATE_TYPE] = { "template-type", "the key is neither RSA nor ECC" },
	[SELECTOR_TEMPLATE_TRUNCATED] = { "template-truncated", "the template is cut short" },
	[SELECTOR_TEMPLATE_TRAILING] = { "template-trailing", "bytes follow the template" },
	[SELECTOR_TEMPLATE_NAME_ALG] = { "template-name-alg", "the Name algorithm is not SHA-2" },
	[SELECTOR_TEMPLATE_RESERVED] = { "template-reserved", "a reserved attribute is set" },
	[SELECTOR_TEMPLATE_MOVABLE] = { "template-movable", "the key could leave its TPM" },
	[SELECTOR_TEMPLATE_ORIGIN] = { "template-origin", "somebody else could know the key" },
	[SELECTOR_TEMPLATE_UNRESTRICTED] = { "template-unrestricted",
					     "the key would serve for anything" },
	[SELECTOR_TEMPLATE_PURPOSE] = { "template-purpose",
					"the key is not for exactly one of sign and decrypt" },
	[SELECTOR_TEMPLATE_POLICY] = { "template-policy", "the policy is no digest" },
	[SELECTOR_TEMPLATE_SYMMETRIC] = { "template-symmetric",
					  "the symmetric algorithm does not fit the purpose" },
	[SELECTOR_TEMPLATE_SCHEME] = { "template-scheme",
				       "the signing scheme does not fit the purpose" },
	[SELECTOR_TEMPLATE_KEY] = { "template-key", "the key's size or curve is not offered" },
	[SELECTOR_TEMPLATE_UNIQUE] = { "template-unique", "unique is longer than the key" },
};

const char *selector_result_name(enum selector_result result)
{
	return results[result].name;
}

const char *selector_result_text(enum selector_result result)
{
	return results[result].text;
}

/* Kind NONE is the same as no selector at all, and so binds the same. */
bool selector_is_none(const void *selector, size_t size)
{
	struct bytes_reader r = bytes_reader_init(selector, size);

	return size == 0 || (size == SELECTOR_HEADER_SIZE && bytes_le64(&r) == SVSM_SELECTOR_NONE);
}

size_t selector_context(uint8_t context[SELECTOR_CONTEXT_MAX], const struct abi_guid *service,
			uint32_t manifest_version, const void *selector, size_t size)
{
	struct svsm_attest_context header = {
		.tag = SVSM_CONTEXT_TAG,
		.service = *service,
		.manifest_version = manifest_version,
		.selector_size = (uint32_t)size,
	};

	if (selector_is_none(selector, size) || size > SVSM_SELECTOR_MAX)
		return 0;
	memcpy(context, &header, sizeof(header));
	memcpy(context + sizeof(header), selector, size);
	return sizeof(header) + size;
}
