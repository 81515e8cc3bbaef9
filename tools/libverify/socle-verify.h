/* SPDX-License-Identifier: MIT */
/*
 * libsocle-verify: decides whether the evidence of an SEV-SNP guest, and of the vTPM that an SVSM
 * gives it, is to be trusted.
 *
 *	struct socle_policy *policy = socle_policy_read(json, json_size, error);
 *	struct socle_evidence *evidence = socle_evidence_new();
 *	struct socle_verdict *verdict;
 *
 *	socle_evidence_add(evidence, SOCLE_REPORT, report, report_size, error);
 *	socle_evidence_add(evidence, SOCLE_CERT_SIGNER, vcek, vcek_size, error);
 *	verdict = socle_verify(evidence, policy, error);
 *	if (verdict && socle_verdict_status(verdict) == SOCLE_TRUSTED)
 *		...
 *
 * The library itself reads memory and nothing else, writes nothing, ends no process, installs no
 * handler and keeps no state besides the objects below, and a library context of OpenSSL's without
 * algorithms, in which certificates are read; it stays loaded after dlclose(), for OpenSSL calls it
 * when a certificate is freed. Under it OpenSSL reads its configuration
 * (openssl.cnf, OPENSSL_CONF), whose providers do the cryptography: that is part of what you trust,
 * unless your program calls OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) first, as the
 * command `socle` does. Errors of yours in OpenSSL's queue stay there, and none is added. jansson
 * reads /dev/urandom once. The clock is read where the policy does not say the time.
 *
 * Threads: an object that is only read (const) may be used by any number of threads at once;
 * whoever changes or frees one has it alone.
 *
 * Errors: a function that can fail has error, NULL or SOCLE_ERROR_SIZE bytes. On failure it holds
 * one line without a line end, for people, in which nothing but printable characters stands; on
 * success it is untouched. A refusal is no failure: then there is a verdict, which says so.
 *
 * Ownership: what a function takes it copies. What it gives lives as long as the object that it
 * comes from, and an object until its _free(), which takes NULL, too.
 *
 * Compatibility: within libsocle-verify.so.1 symbols, values of enums and the meaning of a policy
 * stay; more may come, so expect a value of an enum that this header does not have.
 */
#ifndef SOCLE_VERIFY_H
#define SOCLE_VERIFY_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SOCLE_ERROR_SIZE 512

/* The version of Socle that the library is of: "0.1.0". */
const char *socle_verify_version(void);

/* ---- What the relying party demands: docs/policy.md ---- */

struct socle_policy;

/*
 * A policy is one JSON object. {"format": 1, "look_at": "report"} is the least: what is then
 * demanded is said in docs/policy.md. A field that is not known, one that is there twice, and a
 * rule that can never hold are refused: error has the place and the rule. NULL on failure.
 */
struct socle_policy *socle_policy_read(const char *json, size_t size, char *error);

/*
 * Adds the revocation lists in size bytes of PEM or DER, 16 in all: from then on the chain must not
 * be revoked. On failure none of them counts.
 */
bool socle_policy_add_crls(struct socle_policy *policy, const void *data, size_t size, char *error);

void socle_policy_free(struct socle_policy *policy);

/* ---- What it has in its hands: docs/evidence.md ---- */

struct socle_evidence;

enum socle_part {
	/* From the guest, or whoever sent the evidence. The report comes before everything else. */
	SOCLE_REPORT = 1,      /* in any of its forms; a table within it is as SOCLE_CERT_TABLE */
	SOCLE_CERT_TABLE = 2,  /* the host's; empty: there is none */
	SOCLE_CERT_ARK = 3,    /* PEM or DER; of several certificates, the one that fits */
	SOCLE_CERT_ISSUER = 4, /* ASK or ASVK, as the report says which key signed it */
	SOCLE_CERT_SIGNER = 5, /* VCEK or VLEK */
	SOCLE_MANIFEST = 6,    /* of the vTPM, version 0 or 1 */
	SOCLE_SELECTOR = 7,
	SOCLE_CONTEXT = 8,
	SOCLE_EK = 9,	   /* PEM */
	SOCLE_AK = 10,	   /* PEM, TPMT_PUBLIC or TPM2B_PUBLIC */
	SOCLE_ANSWER = 11, /* to the challenge */
	SOCLE_QUOTE = 12,  /* TPMS_ATTEST */
	SOCLE_QUOTE_SIGNATURE = 13,
	SOCLE_QUOTE_PCRS = 14,	   /* as tpm2_quote -o writes them */
	SOCLE_EK_CERTIFICATE = 15, /* goes with SOCLE_OWN_CA */
	SOCLE_EVENT_LOG = 16,	   /* of the boot: binary_bios_measurements, as Linux has it */

	/* The relying party's own: never from the guest. */
	SOCLE_OWN_NONCE = 64,	  /* 64 bytes */
	SOCLE_OWN_CHALLENGE = 65, /* JSON: the record of the challenge that it sent */
	SOCLE_OWN_ROOT = 66,	  /* an ARK, as SOCLE_CERT_ARK: an emulated one has to be its own */
	SOCLE_OWN_CA = 67,	  /* the authorities that may have certified an EK, PEM or DER */
};

/* NULL when memory is short. */
struct socle_evidence *socle_evidence_new(void);

/*
 * Adds a part, each once. Only its form is looked at, and whether its size (64 KiB at most, 128 of
 * a report, 512 of an event log) is bounded: nothing is believed. False when it cannot be what it
 * is said to be; then the evidence is as it was before.
 */
bool socle_evidence_add(struct socle_evidence *evidence, enum socle_part part, const void *data,
			size_t size, char *error);

/*
 * Whether this part is there: it was added, or, of a certificate, it is in the host's table, or is
 * one of those of AMD that the library knows and fits.
 */
bool socle_evidence_has(const struct socle_evidence *evidence, enum socle_part part);

/*
 * Which key signed the report, as it says: "vcek", "vlek", or NULL for neither, or without a
 * report.
 */
const char *socle_evidence_key(const struct socle_evidence *evidence);

void socle_evidence_free(struct socle_evidence *evidence);

/*
 * Many reports of one chip, or one cloud, have the same certificates above them. A chain is what
 * evidence has of them, its own root included, after all was checked but what may be another thing
 * tomorrow: dates and revocation. socle_verify() of evidence that it was added to spares that. NULL
 * when a certificate is missing or the chain does not hold. Any number of threads may use one.
 */
struct socle_chain;
struct socle_chain *socle_chain_of(const struct socle_evidence *evidence, char *error);
void socle_chain_free(struct socle_chain *chain);

/*
 * Its certificates are for those that are not added one by one. The root is yours if it was where
 * the chain came from. The report is there before; false when another kind of key signed it, and
 * for a second chain.
 */
bool socle_evidence_add_chain(struct socle_evidence *evidence, const struct socle_chain *chain,
			      char *error);

/*
 * A policy that this evidence meets, as JSON: image, keys, chip or cloud, TCB, PCRs, as far as
 * look_at ("report", "keys", "quote") goes. Nothing has been judged: whoever uses it trusts the
 * evidence on first use, and at least runs socle_verify() with it once. The caller frees it with
 * socle_text_free(); NULL when the evidence cannot be read.
 */
char *socle_policy_make(const struct socle_evidence *evidence, const char *look_at, char *error);

/* ---- Asking a TPM for proof that it has a key ---- */

struct socle_challenge;

/*
 * A challenge for the AK among evidence (SOCLE_AK, as a public area), and for the EK of the
 * manifest; where there are several, for SOCLE_EK. Whoever answers it has both in one TPM. The
 * evidence has to be trusted by policy as far as that can be before a quote. NULL on failure.
 */
struct socle_challenge *socle_challenge_make(const struct socle_evidence *evidence,
					     const struct socle_policy *policy, char *error);

/* What the guest is sent: as tpm2_makecredential writes it, and tpm2_activatecredential reads. */
const void *socle_challenge_credential(const struct socle_challenge *challenge, size_t *size);

/* What you keep, and nobody else may see: JSON, for SOCLE_OWN_CHALLENGE. */
const char *socle_challenge_record(const struct socle_challenge *challenge);

void socle_challenge_free(struct socle_challenge *challenge);

/*
 * *right: whether answer is that of the challenge with this record, compared in constant time.
 * False where the record is none. socle_verify() does the same for SOCLE_ANSWER.
 */
bool socle_challenge_open(const void *record, size_t record_size, const void *answer, size_t size,
			  bool *right, char *error);

/* ---- What follows ---- */

struct socle_verdict;

/* The class of the first check that failed; the exit status of `socle verify`. */
enum socle_status {
	SOCLE_TRUSTED = 0,
	SOCLE_REFUSED_CHAIN = 2,       /* signature or chain */
	SOCLE_REFUSED_REPORT = 3,      /* what the report says */
	SOCLE_REFUSED_MEASUREMENT = 4, /* another image */
	SOCLE_REFUSED_BINDING = 5,     /* of nonce, context, manifest and keys */
	SOCLE_REFUSED_QUOTE = 6,
	SOCLE_REFUSED_BOOT = 7, /* the event log, or what it says was booted */
};

/*
 * Runs all checks that policy asks for. NULL when a part is missing that they need, and the error
 * says which: nothing is guessed. Neither argument has to live longer than the call.
 */
struct socle_verdict *socle_verify(const struct socle_evidence *evidence,
				   const struct socle_policy *policy, char *error);

enum socle_status socle_verdict_status(const struct socle_verdict *verdict);

/* An emulated machine's, trusted or not: it proves nothing about any hardware. */
bool socle_verdict_emulated(const struct socle_verdict *verdict);

/*
 * The name of a check that ran, in the order of docs/evidence.md; NULL behind the last. Names stay
 * the same for ever. status is what the verdict has if it is the first to fail; error is NULL, or
 * why it failed, and found what the evidence has there, or NULL where there is nothing to show:
 * both for people. Each of the three may be NULL.
 */
const char *socle_verdict_check(const struct socle_verdict *verdict, size_t index,
				enum socle_status *status, const char **error, const char **found);

/*
 * What a trusted one rests on: "challenge", "attested-ak", "ek-certificate", "manifest". NULL
 * behind the last.
 */
const char *socle_verdict_binding(const struct socle_verdict *verdict, size_t index);

/*
 * How far the words of a measured event are to be believed: they are what was measured; or the
 * policy has the digest, and these words for it; or whoever sent the log says so, and nothing else
 * does, which is for no decision.
 */
enum socle_standing {
	SOCLE_PROVED = 1,
	SOCLE_NAMED = 2,
	SOCLE_CLAIMED = 3,
};

/*
 * What an event of the boot says, in the log's order: one line; NULL behind the last, and where
 * there was no event log, one that does not hold, or evidence that failed before it. pcr and
 * standing may be NULL.
 */
const char *socle_verdict_boot(const struct socle_verdict *verdict, size_t index, unsigned int *pcr,
			       enum socle_standing *standing);

/*
 * All of it as one JSON object (docs/verdict.schema.json), with what was found if explain. The
 * caller frees it with socle_text_free(); NULL when memory is short.
 */
char *socle_verdict_json(const struct socle_verdict *verdict, bool explain);

void socle_verdict_free(struct socle_verdict *verdict);

void socle_text_free(char *text);

#ifdef __cplusplus
}
#endif

#endif
