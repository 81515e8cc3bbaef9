/* SPDX-License-Identifier: MIT */
/*
 * The decisions of a relying party, one check each. A check has a name that stays the same, and
 * belongs to a class, which is the exit status when it is the first to fail.
 */
#ifndef SOCLE_TOOLS_LIBVERIFY_CHECKS_H
#define SOCLE_TOOLS_LIBVERIFY_CHECKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "core/evidence/host/event_words.h"
#include "tools/libverify/evidence.h"
#include "tools/libverify/policy.h"

enum check_class {
	CHECK_CHAIN = 2,  /* signature or chain */
	CHECK_REPORT = 3, /* VMPL, policy, TCB */
	CHECK_MEASUREMENT = 4,
	CHECK_BINDING = 5, /* nonce, context, manifest, keys */
	CHECK_QUOTE = 6,
	CHECK_BOOT = 7, /* what was booted, by the event log */
};

#define CHECK_FOUND_SIZE 512u

struct check_result {
	const char *name;
	enum check_class class;
	const char *error; /* NULL: passed */
	/* What the evidence has there, for people; "": nothing to show. */
	char found[CHECK_FOUND_SIZE];
};

#define CHECKS_MAX 56u
#define BINDINGS_MAX 3u

/* What is wrong with a boot names the event: so these have texts of their own. */
enum boot_check {
	BOOT_LOG,
	BOOT_QUOTE,
	BOOT_SIGNERS,
	BOOT_PROGRAMS,
	BOOT_FIRMWARE,
	BOOT_FILES,
	BOOT_CHECKS,
};

/* How far the words of an event are to be believed. */
enum boot_standing {
	BOOT_PROVED = 1,  /* they are what was measured */
	BOOT_NAMED = 2,	  /* the digest is one of the policy's, which has the words */
	BOOT_CLAIMED = 3, /* anybody's */
};

/* An event of a log that holds. */
struct boot_line {
	uint32_t number, pcr;
	enum boot_standing standing;
	char words[EVENT_WORDS_MAX];
};

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
	struct host_error boot_errors[BOOT_CHECKS];
	struct boot_line *boot; /* NULL: there was no log, or it does not hold */
	size_t boot_count;
	enum policy_secure_boot secure_boot; /* as the log proves it */
};

/* What a verdict holds besides itself. */
void checks_free(struct verdict *verdict);

/* Runs every check that policy asks for; a failed one does not keep the others from running. */
void checks_run(const struct evidence *evidence, const struct policy *policy,
		struct verdict *verdict);

#endif
