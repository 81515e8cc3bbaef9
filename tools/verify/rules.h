/* SPDX-License-Identifier: MIT */
/*
 * The rules of `socle verify`: the policy's file, and the options that stand for a rule of it,
 * which come before the file's of the same name (docs/policy.md).
 */
#ifndef SOCLE_TOOLS_VERIFY_RULES_H
#define SOCLE_TOOLS_VERIFY_RULES_H

#include <jansson.h>

#include "tools/policy_options.h"
#include "tools/verify/folder.h"

#define RULE_VALUES_MAX 16u
#define RULE_PCRS_MAX 72u

/* The values of an option that may be given more than once, as they stand on the command line. */
struct rule_values {
	const char *text[RULE_VALUES_MAX];
	size_t count;
};

struct rule_pcr {
	const char *bank;
	unsigned int pcr;
	const char *value;
};

struct rules {
	const char *file;     /* NULL: none */
	unsigned int look_at; /* RULES_LOOK_AT() of a depth; 0: as the file says, or a quote */
	bool emulated, masked_chip, unknown_version;
	uint64_t vmpl, minimum_svn; /* or RULES_UNSET */
	const char *at;
	struct option_measurement measurement;
	const char *measured_by; /* what gave it */
	struct option_tcb minimum_tcb;
	struct option_files crls;
	struct rule_values id_keys, author_keys, host_data, family_ids, image_ids, chip_ids,
		csp_ids;
	struct rule_pcr pcrs[RULE_PCRS_MAX];
	size_t pcr_count;
};

#define RULES_UNSET UINT64_MAX /* of a number: no option gave it; 0 replaces what a policy says */
#define RULES_LOOK_AT(depth) ((unsigned int)(depth) + 1)

/*
 * Readers for a table of options, into a struct rule_values, but for those that say otherwise:
 * NULL, or what is wanted.
 */
const char *rules_read_digest(void *values, char *text); /* 48 bytes in hexadecimal */
const char *rules_read_host_data(void *values, char *text);
const char *rules_read_id(void *values, char *text); /* of a family or an image */
const char *rules_read_chip(void *values, char *text);
const char *rules_read_csp(void *values, char *text);
const char *rules_read_time(void *text_pointer, char *text); /* into a const char * */
const char *rules_read_pcr(void *to, char *text);	     /* into a struct rules */

/*
 * Puts the rules of options in the place of policy's of the same name, which have to be well-formed
 * all the same. False after a line on stderr; then policy is of no use. rules->file: what the
 * policy is called.
 */
bool rules_put(json_t *policy, const struct rules *rules);

/* The policy of rules as JSON, for rules_policy(); NULL after a line on stderr. */
json_t *rules_json(struct rules *rules, const char *image, const struct folder_paths *paths,
		   enum folder_depth *depth);

/*
 * The policy of rules, with its revocation lists; *depth is how much it looks at. NULL after a line
 * on stderr. paths: where the measurement is looked for when no rule says it.
 */
struct socle_policy *rules_policy(struct rules *rules, const char *image,
				  const struct folder_paths *paths, enum folder_depth *depth);

/*
 * The policy with the revocation lists of files; freed, and NULL, after a line on stderr. NULL
 * stays NULL.
 */
struct socle_policy *rules_with_crls(struct socle_policy *policy, const struct option_files *files);

#endif
