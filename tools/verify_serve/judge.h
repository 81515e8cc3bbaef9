/* SPDX-License-Identifier: MIT */
/* What a client sends for a verdict, and the answer: JSON both (docs/verify-serve.md). */
#ifndef SOCLE_TOOLS_VERIFY_SERVE_JUDGE_H
#define SOCLE_TOOLS_VERIFY_SERVE_JUDGE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/host/file.h"
#include "tools/verify/ear.h"
#include "tools/verify_serve/nonces.h"

/* The relying party's own, which no client changes. */
struct judge {
	const struct socle_policy *policy;
	bool keys_only; /* it looks at no quote, so there is nothing to challenge a key for */
	struct file_bytes root, ca;   /* empty: none */
	const struct ear_key *signer; /* NULL: there are no attestation results */
	enum ear_profile profile;
	const char *policy_name; /* for them */
};

struct judge_answer {
	unsigned int status; /* of HTTP */
	char *text;	     /* JSON, for free(); NULL: memory is short, and the status is 503 */
	const char *verdict; /* for the log: "trusted", "refused", "challenged" or "error" */
	char word[SOCLE_ERROR_SIZE]; /* for the log: the check that failed, or what was wrong */
};

struct judge_request;

/*
 * Reads a request; nothing of the evidence is looked at but that it is base64. NULL after an answer
 * that says what is wrong.
 */
struct judge_request *judge_read(const char *text, size_t size, struct judge_answer *answer);

const uint8_t *judge_nonce(const struct judge_request *request);

/*
 * Judges the evidence of a request, whose nonce was this service's. record: of the challenge that
 * was made for it, as judge_challenge() left it, or "".
 */
void judge_run(const struct judge *judge, const struct judge_request *request, const char *record,
	       struct judge_answer *answer);

/*
 * Makes a challenge for the AK among the evidence and an EK of the manifest, if it is to be trusted
 * as far as it goes before a quote. The status is 200 then, and record what the nonce has to be
 * kept with; else record is "".
 */
void judge_challenge(const struct judge *judge, const struct judge_request *request,
		     char record[NONCE_RECORD_MAX], struct judge_answer *answer);

void judge_free(struct judge_request *request);

/* An answer without a verdict, in the form of verdict.schema.json. */
__attribute__((format(printf, 3, 4))) void
judge_refuse(struct judge_answer *answer, unsigned int status, const char *format, ...);

#endif
