/* SPDX-License-Identifier: MIT */
#include "tools/verify_serve/judge.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hex.h"

#define HTTP_OK 200u
#define HTTP_BAD_REQUEST 400u
#define HTTP_FORBIDDEN 403u
#define HTTP_UNPROCESSABLE 422u
#define HTTP_UNAVAILABLE 503u

/*
 * The files of a guest's folder, by the names that docs/evidence.md has for them. The report comes
 * first: it says which key signed it, and so which certificates are looked at.
 */
static const struct file_row {
	const char *name;
	enum socle_part part;
	const char *key; /* looked at where this key signed the report; NULL: always */
} file_rows[] = {
	{ "report.bin", SOCLE_REPORT, NULL },
	{ "ark.pem", SOCLE_CERT_ARK, NULL },
	{ "ask.pem", SOCLE_CERT_ISSUER, "vcek" },
	{ "vcek.pem", SOCLE_CERT_SIGNER, "vcek" },
	{ "asvk.pem", SOCLE_CERT_ISSUER, "vlek" },
	{ "vlek.pem", SOCLE_CERT_SIGNER, "vlek" },
	{ "certs.bin", SOCLE_CERT_TABLE, NULL },
	{ "manifest.bin", SOCLE_MANIFEST, NULL },
	{ "selector.bin", SOCLE_SELECTOR, NULL },
	{ "context.bin", SOCLE_CONTEXT, NULL },
	{ "ek.pub", SOCLE_EK, NULL },
	{ "ak.pub", SOCLE_AK, NULL },
	{ "answer.bin", SOCLE_ANSWER, NULL },
	{ "quote.msg", SOCLE_QUOTE, NULL },
	{ "quote.sig", SOCLE_QUOTE_SIGNATURE, NULL },
	{ "quote.pcrs", SOCLE_QUOTE_PCRS, NULL },
	{ "eventlog.bin", SOCLE_EVENT_LOG, NULL },
	{ "ek.crt", SOCLE_EK_CERTIFICATE, NULL },
};

#define FILES (sizeof(file_rows) / sizeof(file_rows[0]))

struct judge_request {
	uint8_t nonce[NONCE_SIZE];
	struct file_bytes files[FILES]; /* data is NULL for those that are not there */
};

void judge_refuse(struct judge_answer *answer, unsigned int status, const char *format, ...)
{
	json_t *said, *root;
	va_list args;

	*answer = (struct judge_answer){ .status = status, .verdict = "error" };
	va_start(args, format);
	vsnprintf(answer->word, sizeof(answer->word), format, args);
	va_end(args);
	said = json_string(answer->word);
	if (!said) /* a text of the client's was cut within a character */
		said = json_string("the reason is no text");
	root = json_pack("{s:i, s:s, s:i, s:o, s:[], s:[]}", "format", 1, "verdict", "error",
			 "status", 1, "error", said, "bindings", "checks");
	answer->text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
	if (!answer->text)
		answer->status = HTTP_UNAVAILABLE;
	json_decref(root);
}

static bool is_base64(const char *text, size_t length)
{
	size_t digits = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789+/");

	return length % 4 == 0 && length - digits <= 2 &&
	       digits + strspn(text + digits, "=") == length;
}

/* RFC 4648, 4; false when it is none, or memory is short. */
static bool decode(const json_t *value, struct file_bytes *bytes)
{
	const char *text = json_string_value(value);
	size_t length = text ? json_string_length(value) : 0;

	if (!text || strlen(text) != length || !is_base64(text, length))
		return false;
	bytes->data = malloc(length / 4 * 3 + 1);
	if (!bytes->data ||
	    EVP_DecodeBlock(bytes->data, (const unsigned char *)text, (int)length) < 0)
		return false;
	bytes->size = length / 4 * 3 - (length - strcspn(text, "="));
	return true;
}

static const struct file_row *find_row(const char *name)
{
	for (size_t i = 0; i < FILES; i++) {
		if (strcmp(file_rows[i].name, name) == 0)
			return &file_rows[i];
	}
	return NULL;
}

static bool take_files(struct judge_request *request, json_t *evidence, struct judge_answer *answer)
{
	const char *name;
	json_t *value;

	if (!json_is_object(evidence)) {
		judge_refuse(answer, HTTP_BAD_REQUEST, "evidence: an object of files is wanted");
		return false;
	}
	json_object_foreach(evidence, name, value)
	{
		const struct file_row *row = find_row(name);

		if (!row) {
			judge_refuse(answer, HTTP_BAD_REQUEST,
				     "evidence: there is no file \"%.64s\"", name);
			return false;
		}
		if (!decode(value, &request->files[row - file_rows])) {
			judge_refuse(answer, HTTP_BAD_REQUEST, "evidence.%s: base64 is wanted",
				     name);
			return false;
		}
	}
	return true;
}

static bool take_fields(struct judge_request *request, json_t *root, struct judge_answer *answer)
{
	const char *nonce = json_string_value(json_object_get(root, "nonce")), *name;
	json_t *value;

	if (!json_is_object(root)) {
		judge_refuse(answer, HTTP_BAD_REQUEST, "an object is wanted");
		return false;
	}
	json_object_foreach(root, name, value)
	{
		if (strcmp(name, "nonce") != 0 && strcmp(name, "evidence") != 0) {
			judge_refuse(answer, HTTP_BAD_REQUEST, "%.64s: there is no such field",
				     name);
			return false;
		}
	}
	if (!nonce || !hex_read(nonce, request->nonce, NONCE_SIZE)) {
		judge_refuse(answer, HTTP_BAD_REQUEST, "nonce: %u hexadecimal digits are wanted",
			     2 * NONCE_SIZE);
		return false;
	}
	return take_files(request, json_object_get(root, "evidence"), answer);
}

struct judge_request *judge_read(const char *text, size_t size, struct judge_answer *answer)
{
	struct judge_request *request = calloc(1, sizeof(*request));
	json_error_t wrong;
	json_t *root;

	if (!request) {
		judge_refuse(answer, HTTP_UNAVAILABLE, "out of memory");
		return NULL;
	}
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &wrong);
	if (!root)
		judge_refuse(answer, HTTP_BAD_REQUEST, "line %d, column %d: %.300s", wrong.line,
			     wrong.column, wrong.text);
	else if (take_fields(request, root, answer)) {
		json_decref(root);
		return request;
	}
	json_decref(root);
	judge_free(request);
	return NULL;
}

const uint8_t *judge_nonce(const struct judge_request *request)
{
	return request->nonce;
}

void judge_free(struct judge_request *request)
{
	if (!request)
		return;
	for (size_t i = 0; i < FILES; i++)
		file_free(&request->files[i]);
	free(request);
}

static bool add(struct socle_evidence *evidence, enum socle_part part, const char *name,
		const struct file_bytes *bytes, char wrong[2 * SOCLE_ERROR_SIZE])
{
	char why[SOCLE_ERROR_SIZE];

	if (socle_evidence_add(evidence, part, bytes->data, bytes->size, why))
		return true;
	snprintf(wrong, 2 * SOCLE_ERROR_SIZE, "%s: %s", name, why);
	return false;
}

static bool has_file(const struct judge_request *request, const char *name)
{
	const struct file_row *row = find_row(name);

	return row && request->files[row - file_rows].data;
}

/* As in a folder, the host's table is for the certificates that have no file. */
static bool wants_table(const struct judge *judge, const struct judge_request *request, bool vlek)
{
	return !(judge->root.size || has_file(request, "ark.pem")) ||
	       !has_file(request, vlek ? "asvk.pem" : "ask.pem") ||
	       !has_file(request, vlek ? "vlek.pem" : "vcek.pem");
}

static bool is_looked_at(const struct file_row *row, const struct judge *judge,
			 const struct judge_request *request, const struct socle_evidence *evidence)
{
	const char *key = socle_evidence_key(evidence);

	switch (row->part) {
	case SOCLE_CERT_ARK:
		return !judge->root.size;
	case SOCLE_CERT_TABLE:
		return wants_table(judge, request, key && strcmp(key, "vlek") == 0);
	default:
		return !row->key || (key && strcmp(row->key, key) == 0);
	}
}

static bool add_all(struct socle_evidence *evidence, const struct judge *judge,
		    const struct judge_request *request, char wrong[2 * SOCLE_ERROR_SIZE])
{
	const struct file_bytes nonce = { (uint8_t *)request->nonce, NONCE_SIZE };

	for (size_t i = 0; i < FILES; i++) {
		const struct file_row *row = &file_rows[i];

		if (request->files[i].data && is_looked_at(row, judge, request, evidence) &&
		    !add(evidence, row->part, row->name, &request->files[i], wrong))
			return false;
	}
	if (judge->root.size && !add(evidence, SOCLE_OWN_ROOT, "ark.pem", &judge->root, wrong))
		return false;
	/* The authorities are there for a certificate that needs them. */
	if (judge->ca.size && socle_evidence_has(evidence, SOCLE_EK_CERTIFICATE) &&
	    !add(evidence, SOCLE_OWN_CA, "ca.crt", &judge->ca, wrong))
		return false;
	return add(evidence, SOCLE_OWN_NONCE, "nonce.bin", &nonce, wrong);
}

/* The token as a member of the verdict; NULL when it cannot be made. */
static char *with_token(const struct judge *judge, const struct judge_request *request,
			const struct socle_verdict *verdict, char *text)
{
	struct ear_about about = { .profile = judge->profile,
				   .nonce = request->nonce,
				   .nonce_size = NONCE_SIZE,
				   .policy = judge->policy_name,
				   .at = time(NULL) };
	char *token = ear_sign(judge->signer, verdict, &about), *all = NULL;
	json_t *json = text && token ? json_loads(text, 0, NULL) : NULL;

	if (json && json_object_set_new(json, "ear", json_string(token)) == 0)
		all = json_dumps(json, JSON_INDENT(2));
	json_decref(json);
	free(token);
	socle_text_free(text);
	return all;
}

static const char *failed_check(const struct socle_verdict *verdict)
{
	const char *name, *error;

	for (size_t i = 0; (name = socle_verdict_check(verdict, i, NULL, &error, NULL)); i++) {
		if (error)
			return name;
	}
	return "";
}

static void say(const struct judge *judge, const struct judge_request *request,
		const struct socle_verdict *verdict, struct judge_answer *answer)
{
	bool trusted = socle_verdict_status(verdict) == SOCLE_TRUSTED;

	*answer = (struct judge_answer){ .status = trusted ? HTTP_OK : HTTP_FORBIDDEN,
					 .text = socle_verdict_json(verdict, false),
					 .verdict = trusted ? "trusted" : "refused" };
	snprintf(answer->word, sizeof(answer->word), "%s", failed_check(verdict));
	if (judge->signer)
		answer->text = with_token(judge, request, verdict, answer->text);
	/*
	 * Text of a certificate that is no UTF-8 is one reason, and the client's; short memory is
	 * the other.
	 */
	if (!answer->text)
		judge_refuse(answer, HTTP_UNPROCESSABLE, "the verdict cannot be written");
}

/* NULL after *wrong. */
static struct socle_evidence *take_evidence(const struct judge *judge,
					    const struct judge_request *request,
					    char wrong[2 * SOCLE_ERROR_SIZE])
{
	struct socle_evidence *evidence = socle_evidence_new();

	snprintf(wrong, 2 * SOCLE_ERROR_SIZE, "out of memory");
	if (evidence && !has_file(request, "report.bin"))
		snprintf(wrong, 2 * SOCLE_ERROR_SIZE, "missing: the report");
	else if (evidence && add_all(evidence, judge, request, wrong))
		return evidence;
	socle_evidence_free(evidence);
	return NULL;
}

/*
 * An answer that nobody asked for is a mistake of the client's, as if it had another nonce in hand.
 */
static bool add_record(struct socle_evidence *evidence, const char *record,
		       char wrong[2 * SOCLE_ERROR_SIZE])
{
	const struct file_bytes bytes = { (uint8_t *)record, strlen(record) };

	if (record[0])
		return add(evidence, SOCLE_OWN_CHALLENGE, "challenge.json", &bytes, wrong);
	if (!socle_evidence_has(evidence, SOCLE_ANSWER))
		return true;
	snprintf(wrong, 2 * SOCLE_ERROR_SIZE, "answer.bin: no challenge was made for this nonce");
	return false;
}

void judge_run(const struct judge *judge, const struct judge_request *request, const char *record,
	       struct judge_answer *answer)
{
	char wrong[2 * SOCLE_ERROR_SIZE];
	struct socle_evidence *evidence = take_evidence(judge, request, wrong);
	struct socle_verdict *verdict = NULL;

	if (evidence && add_record(evidence, record, wrong))
		verdict = socle_verify(evidence, judge->policy, wrong);
	if (verdict)
		say(judge, request, verdict, answer);
	else
		judge_refuse(answer, HTTP_UNPROCESSABLE, "%s", wrong);
	socle_verdict_free(verdict);
	socle_evidence_free(evidence);
}

/* {"credential": BASE64, "expires_in": SECONDS}; NULL when memory is short. */
static char *credential_text(const struct socle_challenge *challenge)
{
	size_t size, room;
	const void *credential = socle_challenge_credential(challenge, &size);
	char *encoded, *text = NULL;

	room = (size + 2) / 3 * 4 + 1;
	encoded = malloc(room);
	if (!encoded)
		return NULL;
	EVP_EncodeBlock((unsigned char *)encoded, credential, (int)size);
	if (asprintf(&text, "{\"credential\": \"%s\", \"expires_in\": %u}\n", encoded,
		     NONCE_LIFE_S) < 0)
		text = NULL;
	free(encoded);
	return text;
}

static void say_challenge(const struct socle_challenge *challenge, char record[NONCE_RECORD_MAX],
			  struct judge_answer *answer)
{
	const char *made = socle_challenge_record(challenge);

	*answer = (struct judge_answer){ .status = HTTP_OK,
					 .text = credential_text(challenge),
					 .verdict = "challenged" };
	if (!answer->text || strlen(made) >= NONCE_RECORD_MAX) {
		free(answer->text);
		judge_refuse(answer, HTTP_UNAVAILABLE, "out of memory");
		return;
	}
	snprintf(record, NONCE_RECORD_MAX, "%s", made);
}

void judge_challenge(const struct judge *judge, const struct judge_request *request,
		     char record[NONCE_RECORD_MAX], struct judge_answer *answer)
{
	char wrong[2 * SOCLE_ERROR_SIZE];
	struct socle_evidence *evidence = take_evidence(judge, request, wrong);
	struct socle_challenge *challenge = NULL;

	record[0] = '\0';
	if (evidence && has_file(request, "answer.bin"))
		snprintf(wrong, sizeof(wrong), "answer.bin: it answers no challenge yet");
	else if (evidence)
		challenge = socle_challenge_make(evidence, judge->policy, wrong);
	if (challenge)
		say_challenge(challenge, record, answer);
	else
		judge_refuse(answer, HTTP_UNPROCESSABLE, "%s", wrong);
	socle_challenge_free(challenge);
	socle_evidence_free(evidence);
}
