/* SPDX-License-Identifier: MIT */
/*
 * The decisions of a relying party, one check each. A check has a name that stays the same, and
 * belongs to a class, which is the exit status when it is the first to fail.
 */
#ifndef SOCLE_TOOLS_VERIFY_CHECKS_H
#define SOCLE_TOOLS_VERIFY_CHECKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "tools/verify/evidence.h"

enum check_class {
	CHECK_CHAIN = 2,  /* signature or chain */
	CHECK_REPORT = 3, /* VMPL, policy, TCB */
	CHECK_MEASUREMENT = 4,
	CHECK_BINDING = 5, /* nonce, context, manifest, keys */
	CHECK_QUOTE = 6,
};

#define CHECK_PCRS_MAX 24u
#define CHECK_CRL_FILES_MAX 16u

/* A PCR that must have a value. */
struct expected_pcr {
	uint16_t bank;
	unsigned int pcr;
	uint8_t value[64];
	size_t size;
};

/* What the relying party demands. */
struct policy {
	bool trust_emulated;
	bool allow_masked_chip;	    /* CHIP_ID may be zero: any chip with such a certificate */
	bool allow_unknown_version; /* of the report, above those that are known */
	enum evidence_depth depth;
	time_t at;	    /* when certificates have to be valid; 0: now */
	uint32_t vmpl;	    /* that the report has to be of */
	const char *csp_id; /* NULL: any; else the report has to be by this cloud's VLEK */
	const char *crl_files[CHECK_CRL_FILES_MAX]; /* policy_load_crls() reads them */
	size_t crl_file_count;
	STACK_OF(X509_CRL) * crls; /* NULL: revocation is not looked at */
	struct report_tcb minimum_tcb;
	bool has_measurement;
	uint8_t measurement[PSP_MEASUREMENT_SIZE];
	struct expected_pcr pcrs[CHECK_PCRS_MAX];
	size_t pcr_count;
};

struct check_result {
	const char *name;
	enum check_class class;
	const char *error; /* NULL: passed */
};

#define CHECKS_MAX 40u
#define BINDINGS_MAX 3u

/* What is trusted, beyond the report itself, and by what. */
struct verdict {
	struct check_result results[CHECKS_MAX];
	size_t count;
	const struct check_result *first_failure; /* NULL: trusted */
	bool emulated;
	struct amd_signer_info signer; /* as far as the certificate could be read */
	/*
	 * Names of the bindings that hold, the one that made it trust first; 0 when it is refused.
	 */
	const char *bindings[BINDINGS_MAX];
	size_t binding_count;
};

/* Runs every check that policy asks for; a failed one does not keep the others from running. */
void checks_run(const struct evidence *evidence, const struct policy *policy,
		struct verdict *verdict);

#endif
