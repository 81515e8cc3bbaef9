/* SPDX-License-Identifier: MIT */
/* The library's policies and verdicts as its users see them: socle-verify.h. */
#include <jansson.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hex.h"
#include "core/evidence/host/amd_crl.h"
#include "tools/libverify/checks.h"
#include "tools/libverify/library.h"

#define CRLS_SIZE_MAX (1u << 20)

_Static_assert(SOCLE_ERROR_SIZE == sizeof(struct host_error), "an error is passed on whole");

struct socle_policy {
	struct policy rules;
};

struct socle_verdict {
	struct verdict checks;
	struct psp_report report;
	enum report_signing_key key;
};

const char *socle_verify_version(void)
{
	return SOCLE_VERSION;
}

const struct policy *library_rules(const struct socle_policy *policy)
{
	return &policy->rules;
}

bool library_fail(char *to, const struct host_error *error)
{
	if (to)
		memcpy(to, error->text, sizeof(error->text));
	return false;
}

struct socle_policy *socle_policy_read(const char *json, size_t size, char *error)
{
	struct socle_policy *policy = calloc(1, sizeof(*policy));
	struct host_error wrong;

	if (policy && policy_read(&policy->rules, json, size, &wrong))
		return policy;
	if (!policy)
		host_fail(&wrong, "out of memory");
	socle_policy_free(policy);
	library_fail(error, &wrong);
	return NULL;
}

bool socle_policy_add_crls(struct socle_policy *policy, const void *data, size_t size, char *error)
{
	STACK_OF(X509_CRL) *all = NULL;
	struct host_error wrong;
	const char *why = "more than 1 MiB, which no list has";

	ERR_set_mark();
	if (policy->rules.crls)
		all = sk_X509_CRL_deep_copy(policy->rules.crls, X509_CRL_dup, X509_CRL_free);
	if (policy->rules.crls && !all)
		why = "out of memory";
	else if (size <= CRLS_SIZE_MAX)
		why = amd_crl_read(&all, data, size);
	ERR_pop_to_mark();
	if (why) {
		sk_X509_CRL_pop_free(all, X509_CRL_free);
		host_fail(&wrong, "%s", why);
		return library_fail(error, &wrong);
	}
	sk_X509_CRL_pop_free(policy->rules.crls, X509_CRL_free);
	policy->rules.crls = all;
	return true;
}

void socle_policy_free(struct socle_policy *policy)
{
	if (!policy)
		return;
	policy_free(&policy->rules);
	free(policy);
}

/* A part that a depth needs, and whether only where there was a challenge. */
static const struct needed_part {
	enum evidence_depth depth;
	bool challenged;
	enum socle_part part;
	const char *what;
} needed_parts[] = {
	{ EVIDENCE_REPORT, false, SOCLE_REPORT, "the report" },
	{ EVIDENCE_REPORT, false, SOCLE_CERT_SIGNER, "the certificate of the report's key" },
	{ EVIDENCE_REPORT, false, SOCLE_CERT_ISSUER, "the certificate of its issuer" },
	{ EVIDENCE_REPORT, false, SOCLE_CERT_ARK, "the certificate of the root" },
	{ EVIDENCE_KEYS, false, SOCLE_OWN_NONCE, "the nonce, which has to be your own" },
	{ EVIDENCE_KEYS, false, SOCLE_MANIFEST, "the manifest" },
	{ EVIDENCE_FULL, true, SOCLE_EK, "the challenged EK" },
	{ EVIDENCE_FULL, true, SOCLE_AK, "the challenged AK" },
	{ EVIDENCE_FULL, true, SOCLE_ANSWER, "the answer to the challenge" },
	{ EVIDENCE_FULL, false, SOCLE_QUOTE, "the quote" },
	{ EVIDENCE_FULL, false, SOCLE_QUOTE_SIGNATURE, "the quote's signature" },
	{ EVIDENCE_FULL, true, SOCLE_QUOTE_PCRS, "the values of the quoted PCRs" },
};

static const char *missing_part(const struct socle_evidence *e, const struct policy *rules)
{
	const enum evidence_depth depth = rules->depth;

	for (size_t i = 0; i < sizeof(needed_parts) / sizeof(needed_parts[0]); i++) {
		const struct needed_part *n = &needed_parts[i];

		if (n->depth <= depth && (!n->challenged || e->parts.challenged) &&
		    !socle_evidence_has(e, n->part))
			return n->what;
	}
	if (depth == EVIDENCE_FULL && policy_has_boot(rules) &&
	    !socle_evidence_has(e, SOCLE_EVENT_LOG))
		return "the event log, which the policy's boot rules are about";
	if (depth != EVIDENCE_REPORT && !e->parts.ek_certificate != !e->parts.ca)
		return e->parts.ca ? "the certificate of an EK"
				   : "the authorities of the EK's certificate";
	return NULL;
}

/* What is looked at: nothing beyond the depth decides anything. */
static void take_view(struct evidence *view, const struct socle_evidence *e,
		      enum evidence_depth depth)
{
	*view = e->parts;
	evidence_chain(e, &view->chain);
	view->chain_checked = evidence_chain_known(e, &view->chain);
	view->root_from_guest = !e->own_root;
	if (depth == EVIDENCE_REPORT)
		view->ek_certificate = NULL;
	if (depth != EVIDENCE_FULL)
		view->challenged = false;
}

struct socle_verdict *library_verify(const struct socle_evidence *evidence,
				     const struct policy *rules, char *error)
{
	const char *missing = missing_part(evidence, rules);
	struct socle_verdict *verdict = calloc(1, sizeof(*verdict));
	struct host_error wrong;
	struct evidence view;

	if (missing || !verdict) {
		host_fail(&wrong, missing ? "missing: %s" : "out of memory", missing);
		library_fail(error, &wrong);
		free(verdict);
		return NULL;
	}
	ERR_set_mark();
	take_view(&view, evidence, rules->depth);
	if (!view.chain.ark || !view.chain.issuer || !view.chain.signer) {
		amd_chain_free(&view.chain);
		ERR_pop_to_mark();
		host_fail(&wrong, "out of memory");
		library_fail(error, &wrong);
		free(verdict);
		return NULL;
	}
	checks_run(&view, rules, &verdict->checks);
	verdict->report = view.report;
	verdict->key = view.chain.key;
	amd_chain_free(&view.chain);
	ERR_pop_to_mark();
	return verdict;
}

struct socle_verdict *socle_verify(const struct socle_evidence *evidence,
				   const struct socle_policy *policy, char *error)
{
	return library_verify(evidence, &policy->rules, error);
}

enum socle_status socle_verdict_status(const struct socle_verdict *verdict)
{
	const struct check_result *first = verdict->checks.first_failure;

	return first ? (enum socle_status)first->class : SOCLE_TRUSTED;
}

bool socle_verdict_emulated(const struct socle_verdict *verdict)
{
	return verdict->checks.emulated;
}

const char *socle_verdict_check(const struct socle_verdict *verdict, size_t index,
				enum socle_status *status, const char **error, const char **found)
{
	const struct check_result *result;

	if (index >= verdict->checks.count)
		return NULL;
	result = &verdict->checks.results[index];
	if (status)
		*status = (enum socle_status)result->class;
	if (error)
		*error = result->error;
	if (found)
		*found = result->found[0] ? result->found : NULL;
	return result->name;
}

const char *socle_verdict_binding(const struct socle_verdict *verdict, size_t index)
{
	return index < verdict->checks.binding_count ? verdict->checks.bindings[index] : NULL;
}

static json_t *json_hex(const void *data, size_t size)
{
	char text[HEX_TEXT_SIZE(PSP_CHIP_ID_SIZE)];

	hex_write(text, data, size);
	return json_string(text);
}

/*
 * Takes value; when either is NULL, or memory short, there is no list any more: nothing is left
 * out.
 */
static void append(json_t **list, json_t *value)
{
	if (json_array_append_new(*list, value) == 0)
		return;
	json_decref(*list);
	*list = NULL;
}

/* The same for a member. */
static void put_value(json_t **object, const char *name, json_t *value)
{
	if (json_object_set_new(*object, name, value) == 0)
		return;
	json_decref(*object);
	*object = NULL;
}

/* And for a text that may not be there at all. */
static void put_text(json_t **object, const char *name, const char *text)
{
	if (text)
		put_value(object, name, json_string(text));
}

static json_t *json_policy_bits(uint64_t policy)
{
	json_t *list = json_array();

	for (unsigned int bit = 0; bit < 64; bit++) {
		const char *name = policy >> bit & 1 ? report_policy_bit(bit) : NULL;

		if (name)
			append(&list, json_string(name));
	}
	return list;
}

/* What the certificate of the report's key says, as far as it says it. */
static json_t *json_signer(const struct socle_verdict *v)
{
	const struct amd_signer_info *signer = &v->checks.signer;

	json_t *object = json_pack("{s:s}", "kind", v->key == REPORT_KEY_VLEK ? "vlek" : "vcek");

	put_text(&object, "product", signer->product_name[0] ? signer->product_name : NULL);
	put_text(&object, "csp_id", signer->csp_id[0] ? signer->csp_id : NULL);
	return object;
}

static json_t *json_report(const struct psp_report *report)
{
	return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "version",
			 (json_int_t)report->version, "vmpl", (json_int_t)report->vmpl, "policy",
			 json_sprintf("%016llx", (unsigned long long)report->policy), "policy_bits",
			 json_policy_bits(report->policy), "reported_tcb",
			 json_sprintf("%016llx", (unsigned long long)report->reported_tcb),
			 "measurement", json_hex(report->measurement, sizeof(report->measurement)),
			 "report_data", json_hex(report->report_data, sizeof(report->report_data)),
			 "chip_id", json_hex(report->chip_id, sizeof(report->chip_id)));
}

static json_t *json_bindings(const struct verdict *verdict)
{
	json_t *list = json_array();

	for (size_t i = 0; i < verdict->binding_count; i++)
		append(&list, json_string(verdict->bindings[i]));
	return list;
}

/* NULL where memory is short. */
static json_t *json_boot(const struct verdict *verdict)
{
	static const char *const standings[] = {
		[BOOT_PROVED] = "proved", [BOOT_NAMED] = "named", [BOOT_CLAIMED] = "claimed"
	};
	json_t *list = json_array(), *boot;

	for (size_t i = 0; i < verdict->boot_count; i++) {
		const struct boot_line *line = &verdict->boot[i];

		append(&list, json_pack("{s:I, s:I, s:s, s:s}", "event", (json_int_t)line->number,
					"pcr", (json_int_t)line->pcr, "standing",
					standings[line->standing], "words", line->words));
	}
	boot = json_pack("{s:o}", "events", list);
	if (boot && verdict->secure_boot)
		put_value(&boot, "secure_boot",
			  json_boolean(verdict->secure_boot == SECURE_BOOT_ON));
	return boot;
}

static json_t *json_checks(const struct verdict *verdict, bool explain)
{
	json_t *list = json_array();

	for (size_t i = 0; i < verdict->count; i++) {
		const struct check_result *r = &verdict->results[i];

		json_t *check = json_pack("{s:s, s:i, s:s}", "name", r->name, "class",
					  (int)r->class, "result", r->error ? "fail" : "pass");

		put_text(&check, "error", r->error);
		put_text(&check, "found", explain && r->found[0] ? r->found : NULL);
		append(&list, check);
	}
	return list;
}

char *socle_verdict_json(const struct socle_verdict *verdict, bool explain)
{
	const struct verdict *v = &verdict->checks;
	json_t *root = json_pack("{s:i, s:s, s:b, s:i}", "format", 1, "verdict",
				 v->first_failure ? "refused" : "trusted", "emulated", v->emulated,
				 "status", (int)socle_verdict_status(verdict));
	char *text = NULL;

	put_text(&root, "failed", v->first_failure ? v->first_failure->name : NULL);
	put_text(&root, "binding", v->bindings[0]);
	put_value(&root, "bindings", json_bindings(v));
	put_value(&root, "report", json_report(&verdict->report));
	put_value(&root, "signer", json_signer(verdict));
	put_value(&root, "checks", json_checks(v, explain));
	if (v->boot)
		put_value(&root, "boot", json_boot(v));
	if (root)
		text = json_dumps(root, JSON_INDENT(2));
	json_decref(root);
	return text;
}

const char *socle_verdict_boot(const struct socle_verdict *verdict, size_t index, unsigned int *pcr,
			       enum socle_standing *standing)
{
	const struct boot_line *line;

	if (index >= verdict->checks.boot_count)
		return NULL;
	line = &verdict->checks.boot[index];
	if (pcr)
		*pcr = line->pcr;
	if (standing)
		*standing = (enum socle_standing)line->standing;
	return line->words;
}

void socle_verdict_free(struct socle_verdict *verdict)
{
	if (!verdict)
		return;
	checks_free(&verdict->checks);
	free(verdict);
}

/* jansson's texts are malloc()'s: nobody here sets other functions. */
void socle_text_free(char *text)
{
	free(text);
}
