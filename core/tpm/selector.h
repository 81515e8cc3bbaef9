/* SPDX-License-Identifier: MIT */
/*
 * Selectors of an extended attestation of the vTPM, and the rules that say which keys may be
 * attested (docs/spec/create-and-attest.md, sections 5 and 8). Nothing here touches a TPM: the
 * rules look at a TPMT_PUBLIC, be it a template or the public area made from it.
 */
#ifndef SOCLE_CORE_TPM_SELECTOR_H
#define SOCLE_CORE_TPM_SELECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/svsm.h"

#define SELECTOR_HEADER_SIZE 8u
#define SELECTOR_TEMPLATE_MAX (SVSM_SELECTOR_MAX - SELECTOR_HEADER_SIZE)

/* Why a selector or a template is refused; the order is that in which the rules are applied. */
enum selector_result {
	SELECTOR_OK = 0,
	/* Selectors. */
	SELECTOR_TOO_SHORT,    /* less than its kind */
	SELECTOR_TOO_LONG,     /* more than SVSM_SELECTOR_MAX */
	SELECTOR_UNKNOWN_KIND, /* no enum svsm_selector_kind */
	SELECTOR_BAD_SIZE,     /* not as long as its kind wants */
	SELECTOR_BAD_INDEX,    /* no handle of an NV index */
	/* Templates. */
	SELECTOR_TEMPLATE_SIZE,		/* empty, or more than SELECTOR_TEMPLATE_MAX */
	SELECTOR_TEMPLATE_TYPE,		/* neither RSA nor ECC */
	SELECTOR_TEMPLATE_TRUNCATED,	/* ends within the structure */
	SELECTOR_TEMPLATE_TRAILING,	/* bytes follow the structure */
	SELECTOR_TEMPLATE_NAME_ALG,	/* Name algorithm not SHA-256, SHA-384 or SHA-512 */
	SELECTOR_TEMPLATE_RESERVED,	/* a reserved attribute is set */
	SELECTOR_TEMPLATE_MOVABLE,	/* fixedTPM or fixedParent clear, or encryptedDuplication */
	SELECTOR_TEMPLATE_ORIGIN,	/* sensitiveDataOrigin clear */
	SELECTOR_TEMPLATE_UNRESTRICTED, /* restricted clear */
	SELECTOR_TEMPLATE_PURPOSE,	/* both or neither of sign and decrypt, or x509sign */
	SELECTOR_TEMPLATE_POLICY,	/* authPolicy neither empty nor a digest of nameAlg */
	SELECTOR_TEMPLATE_SYMMETRIC,	/* not AES-CFB to decrypt, not none to sign */
	SELECTOR_TEMPLATE_SCHEME,	/* not a SHA-2 signature to sign, not none to decrypt */
	SELECTOR_TEMPLATE_KEY,		/* RSA size or exponent, ECC curve or key derivation */
	SELECTOR_TEMPLATE_UNIQUE,	/* unique is longer than the key */
	SELECTOR_RESULTS,		/* how many there are */
};

/* A selector taken apart. */
struct selector {
	enum svsm_selector_kind kind;
	uint32_t id;		 /* KEY: enum svsm_key_id, not looked up; NV: the index */
	const uint8_t *template; /* TEMPLATE: in the bytes it was read from, checked */
	size_t template_size;
};

/* What the rules have found a TPMT_PUBLIC to be. */
struct selector_template {
	uint16_t type; /* TPM_ALG_RSA or TPM_ALG_ECC */
	uint16_t name_alg;
	uint32_t attributes;
	bool signing;	      /* otherwise it decrypts */
	uint16_t bits;	      /* RSA */
	uint16_t curve;	      /* ECC */
	size_t unique_offset; /* where unique, the last member, starts */
	size_t unique_size;   /* RSA: of the modulus; ECC: of x and y together */
};

/*
 * Takes a selector apart; no bytes at all are one of kind NONE. A template of kind TEMPLATE has
 * been checked too. On any result but SELECTOR_OK *selector is zeros.
 */
enum selector_result selector_parse(struct selector *selector, const void *data, size_t size);

/* Whether a selector of any bytes is of kind NONE: no bytes at all, or that kind alone. */
bool selector_is_none(const void *selector, size_t size);

/*
 * Applies the rules to one TPMT_PUBLIC: a template of a selector, of a profile, or out of NV
 * memory, or a public area. On any result but SELECTOR_OK *info is zeros.
 */
enum selector_result selector_template_check(struct selector_template *info, const void *data,
					     size_t size);

/*
 * Whether public_area is what a TPM makes of template: both pass the rules, all bytes before unique
 * are equal, and the key has its full length.
 */
bool selector_public_matches(const void *template, size_t template_size, const void *public_area,
			     size_t public_size);

/* The name of a result for logs and test vectors: lower case, words joined by '-'. */
const char *selector_result_name(enum selector_result result);

/* What a result means, for people. */
const char *selector_result_text(enum selector_result result);

#define SELECTOR_CONTEXT_MAX (sizeof(struct svsm_attest_context) + SVSM_SELECTOR_MAX)

/*
 * Writes the context that REPORT_DATA covers between nonce and manifest: struct
 * svsm_attest_context and the selector. Returns its size: 0 for a selector of kind NONE, or none,
 * and for one that is longer than SVSM_SELECTOR_MAX.
 */
size_t selector_context(uint8_t context[SELECTOR_CONTEXT_MAX], const struct abi_guid *service,
			uint32_t manifest_version, const void *selector, size_t size);

#endif
