/* SPDX-License-Identifier: MIT */
/*
 * What the relying party demands, as the checks want it, and how it is read from JSON:
 * docs/policy.md has each rule.
 */
#ifndef SOCLE_TOOLS_LIBVERIFY_POLICY_H
#define SOCLE_TOOLS_LIBVERIFY_POLICY_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "core/base/host/error.h"
#include "core/snp/report.h"
#include "core/tpm/host/tpm_public.h"

/* How much there is to look at. */
enum evidence_depth {
	EVIDENCE_REPORT, /* the report and its certificates alone */
	EVIDENCE_KEYS,	 /* and the manifest: which keys it attests, nothing that they signed */
	EVIDENCE_FULL,	 /* and a quote */
};

/* What look_at says; false for any other word. */
bool policy_depth_named(const char *name, enum evidence_depth *depth);

#define POLICY_SIZE_MAX (256u << 10) /* of the JSON */
#define POLICY_NAME_MAX 127u
#define POLICY_VALUES_MAX 256u /* of one list */
#define POLICY_PRODUCTS (REPORT_PRODUCT_VENICE + 1)

/* One of several that will do. */
struct policy_value {
	char name[POLICY_NAME_MAX + 1];
	uint8_t bytes[TPM_NAME_MAX];
	size_t size;
};

/* Each is a list of values, one of which the evidence has to have; an empty one demands nothing. */
enum policy_list_kind {
	POLICY_MEASUREMENTS,
	POLICY_ID_KEYS,
	POLICY_AUTHOR_KEYS,
	POLICY_HOST_DATA,
	POLICY_FAMILY_IDS,
	POLICY_IMAGE_IDS,
	POLICY_CHIP_IDS,
	POLICY_CSP_IDS,	      /* text, as long as size says */
	POLICY_KEYS,	      /* Names of TPM keys */
	POLICY_BOOT_SIGNERS,  /* SHA-256 of certificates */
	POLICY_BOOT_FIRMWARE, /* digests of a bank of PCRs */
	POLICY_BOOT_PROGRAMS, /* and so are these */
	POLICY_BOOT_FILES,
	POLICY_LISTS,
};

struct policy_list {
	struct policy_value *values;
	size_t count;
};

#define POLICY_TEXT_MAX 4096u /* bytes */
#define POLICY_TEXT_FORMS 4u  /* in ASCII and in UTF-16, each without and with a NUL */

/* Lists of texts that were measured while the system started. */
enum policy_text_kind {
	POLICY_BOOT_WORDS,
	POLICY_BOOT_COMMAND_LINES,
	POLICY_TEXT_LISTS,
};

/* A value that a PCR may have; of several for one PCR, one will do. */
struct expected_pcr {
	uint16_t bank;
	unsigned int pcr;
	uint8_t value[64];
	size_t size;
};

/* A bank of PCRs that a policy can name. */
struct policy_bank {
	const char *name;
	uint16_t algorithm;
	size_t size; /* of a value */
};
#define POLICY_BANKS 3u
extern const struct policy_bank policy_banks[POLICY_BANKS];

/* A text, and what it is measured as: by form and by bank. */
struct policy_text {
	char name[POLICY_NAME_MAX + 1];
	char *text;
	uint8_t digests[POLICY_TEXT_FORMS][POLICY_BANKS][64];
};

struct policy_texts {
	struct policy_text *values;
	size_t count;
};

enum policy_secure_boot { SECURE_BOOT_UNSAID, SECURE_BOOT_OFF, SECURE_BOOT_ON };

/* NULL for one that it cannot. */
const char *policy_bank_name(uint16_t algorithm);

struct policy {
	bool trust_emulated;
	bool allow_masked_chip;	    /* CHIP_ID may be zero: any chip with such a certificate */
	bool allow_unknown_version; /* of the report, above those that are known */
	enum evidence_depth depth;
	time_t at;     /* when certificates have to be valid; 0: now */
	uint32_t vmpl; /* that the report has to be of */
	uint32_t minimum_svn;
	uint64_t bits_required, bits_forbidden; /* of the guest policy */
	STACK_OF(X509_CRL) * crls;		/* NULL: revocation is not looked at */
	struct report_tcb minimum_tcb;		/* of every product */
	bool by_product; /* then only the products that have a floor of their own will do */
	bool has_floor[POLICY_PRODUCTS];
	struct report_tcb floor[POLICY_PRODUCTS];
	struct policy_list lists[POLICY_LISTS];
	struct expected_pcr *pcrs;
	size_t pcr_count;
	enum policy_secure_boot secure_boot;
	struct policy_texts texts[POLICY_TEXT_LISTS];
};

/* Whether what was booted decides anything, so that there has to be an event log. */
bool policy_has_boot(const struct policy *policy);

/*
 * Reads a policy; false when it is none, with the place and the rule. policy_free() is due either
 * way.
 */
bool policy_read(struct policy *policy, const char *json, size_t size, struct host_error *error);

/* One more value of a list; false when memory is short, or the list full. */
bool policy_add(struct policy *policy, enum policy_list_kind kind, const char *name,
		const void *bytes, size_t size);

void policy_free(struct policy *policy);

#endif
