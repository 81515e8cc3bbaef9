/* SPDX-License-Identifier: MIT */
/*
 * What the checks look at: the evidence, and what is in it, taken apart once. Each check returns
 * NULL, or what is wrong as a constant string; checks.c says which run, and docs/evidence.md what
 * each is for.
 */
#ifndef SOCLE_TOOLS_LIBVERIFY_SUBJECT_H
#define SOCLE_TOOLS_LIBVERIFY_SUBJECT_H

#include "core/evidence/host/event_log.h"
#include "core/evidence/vtpm_manifest.h"
#include "core/tpm/host/tpm_quote.h"
#include "tools/libverify/checks.h"

/* A key of the manifest. */
struct subject_key {
	const struct vtpm_manifest_key *key; /* NULL: there is none */
	struct wire_public public_area;
	struct tpm_name name;
};

struct subject {
	const struct evidence *evidence;
	const struct policy *policy;
	time_t at; /* when certificates have to be valid */
	struct amd_signer_info signer;
	const char *signer_error;

	struct selector selector;
	enum selector_result selector_result;
	uint8_t context[SELECTOR_CONTEXT_MAX]; /* what selector and manifest version imply */
	size_t context_size;
	struct vtpm_manifest manifest;
	const char *manifest_error;
	struct subject_key ek; /* the endorsement key that the challenge was made for */
	struct subject_key ak; /* the challenged key, or the attested one that the quote names */
	/* Of the challenged key, which need not be in the manifest. */
	struct vtpm_manifest_key challenged_ak;
	uint8_t challenged_area[TPM_PUBLIC_AREA_MAX];
	const char *challenged_ak_error;

	struct tpm_quote quote;
	const char *quote_error;
	struct tpm_pcr_values values;
	const char *values_error;

	struct event_log log;
	bool boot_known;       /* the log holds, and replays to the quoted values */
	unsigned int replayed; /* bit n: bank n of the log does, in every PCR that it extends */
	struct host_error *boot_errors; /* by enum boot_check */
};

/* Takes apart what the bindings are about: selector, context, manifest, and the keys in it. */
void subject_take_binding(struct subject *s);

/* Takes apart the quote and its values. After it, the key that has to have signed it is known. */
void subject_take_quote(struct subject *s);

/* Takes apart the event log, if there is one, and holds it against the quoted values. */
void subject_take_boot(struct subject *s);

/* What the firmware said before it came to boot, of a log that holds. */
enum policy_secure_boot subject_secure_boot(const struct subject *s);

/*
 * Puts what was booted into the verdict, if the log holds; short memory leaves it out as a whole.
 */
void subject_describe_boot(const struct subject *s, struct verdict *verdict);

/* The value of a list of the policy with these bytes; NULL when there is none. */
const struct policy_value *subject_find_value(const struct subject *s, enum policy_list_kind kind,
					      const void *bytes, size_t size);

/*
 * Writes what the evidence has where the check of this name looks: one line, or nothing where there
 * is nothing to show.
 */
void subject_describe(const struct subject *s, const char *check, char text[CHECK_FOUND_SIZE]);

const char *check_root(const struct subject *s);
const char *check_chain(const struct subject *s);
const char *check_revocation(const struct subject *s);
const char *check_vcek(const struct subject *s);
const char *check_signature(const struct subject *s);
const char *check_format(const struct subject *s);
const char *check_signing_key(const struct subject *s);
const char *check_product(const struct subject *s);
const char *check_chip_id(const struct subject *s);
const char *check_csp_id(const struct subject *s);
const char *check_tcb(const struct subject *s);
const char *check_tcb_order(const struct subject *s);
const char *check_tcb_minimum(const struct subject *s);
const char *check_policy(const struct subject *s);
const char *check_vmpl(const struct subject *s);
const char *check_policy_bits(const struct subject *s);
const char *check_guest_svn(const struct subject *s);
const char *check_known_chip(const struct subject *s);
const char *check_id_key(const struct subject *s);
const char *check_author_key(const struct subject *s);
const char *check_family_id(const struct subject *s);
const char *check_image_id(const struct subject *s);
const char *check_host_data(const struct subject *s);
const char *check_measurement(const struct subject *s);

const char *check_context(const struct subject *s);
const char *check_report_data(const struct subject *s);
const char *check_manifest(const struct subject *s);
const char *check_known_key(const struct subject *s);
const char *check_ek(const struct subject *s);
const char *check_challenge_ek(const struct subject *s);
const char *check_challenge_ak(const struct subject *s);
const char *check_challenge_answer(const struct subject *s);
const char *check_attested_ak(const struct subject *s);
const char *check_ek_certificate(const struct subject *s);
const char *check_ek_certificate_key(const struct subject *s);

const char *check_quote_signature(const struct subject *s);
const char *check_quote_format(const struct subject *s);
const char *check_quote_signer(const struct subject *s);
const char *check_quote_nonce(const struct subject *s);
const char *check_quote_pcrs(const struct subject *s);
const char *check_pcr_values(const struct subject *s);

const char *check_event_log(const struct subject *s);
const char *check_event_log_quote(const struct subject *s);
const char *check_secure_boot(const struct subject *s);
const char *check_boot_signers(const struct subject *s);
const char *check_boot_firmware(const struct subject *s);
const char *check_boot_programs(const struct subject *s);
const char *check_boot_files(const struct subject *s);
const char *check_boot_command_line(const struct subject *s);

#endif
