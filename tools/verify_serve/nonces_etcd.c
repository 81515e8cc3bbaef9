/* SPDX-License-Identifier: MIT */
/*
 * Nonces as keys of etcd, by the JSON of its gRPC gateway (etcd API reference, v3: LeaseGrant,
 * Txn): bytes are base64, numbers of 64 bits are text.
 *
 * A nonce ends with its lease. A change of etcd's leader prolongs leases, so the key's value says
 * when it was given out, too, by the clock of the instance that did it; whoever takes it compares.
 * Behind a blank stands the record of its challenge, if there is one.
 *
 * An etcd that hangs would keep each thread that asks for as long as an answer may take, and with
 * it all that this thread serves. So once it did not answer, one thread at a time asks, and the
 * others have their answer at once, until it does.
 */
#include <inttypes.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/hex.h"
#include "core/base/host/clock.h"
#include "tools/http/client.h"
#include "tools/verify_serve/nonces.h"

#define CONNECT_MS 1000u
#define ANSWER_MS 3000u
#define ANSWER_SIZE_MAX (64u << 10)
#define PAUSE_MS 1000u /* between two questions that nobody answers */
#define URL_SIZE_MAX 512u
#define KEY_SIZE_MAX 256u
#define VALUE_SIZE_MAX (32u + NONCE_RECORD_MAX)

struct etcd {
	struct nonce_store store;
	struct etcd_address address;
	struct http_policy policy;
	struct http_client *client;
	uint64_t most;
	_Atomic uint64_t held;
	_Atomic size_t first; /* the address that is asked first */
	/* 0: it answers; else until when nobody asks, unless it is who asks just now */
	_Atomic uint64_t silent_until;
	_Atomic uint64_t answered_at; /* the last time, by clock_ms() */
};

/*
 * Whether this thread is to ask now. Of an etcd that is known to be silent one at a time asks;
 * those who had begun before that was known wait for theirs.
 */
static bool may_ask(struct etcd *e)
{
	const uint64_t asked = CONNECT_MS * ETCD_URLS_MAX + ANSWER_MS, now = clock_ms();
	uint64_t until = e->silent_until;

	return until == 0 || (now >= until && atomic_compare_exchange_strong(&e->silent_until,
									     &until, now + asked));
}

/* Who has begun before the last answer came, and has none, knows nothing of etcd as it is now. */
static void note_outcome(struct etcd *e, bool answered, uint64_t begun)
{
	uint64_t now = clock_ms();

	if (answered) {
		e->answered_at = now;
		e->silent_until = 0;
	} else if (e->answered_at < begun) {
		e->silent_until = now + PAUSE_MS;
	}
}

/*
 * What etcd answers, asked at the address that answered last, or else at the others. Another is
 * asked only when nobody has heard the question yet: asked twice, the second answer would be of
 * what the first left.
 */
static json_t *post(struct etcd *e, const char *path, const char *body)
{
	enum http_outcome outcome = HTTP_UNHEARD;
	struct http_answer answer = { 0 };
	size_t first = e->first, i;
	uint64_t begun = clock_ms();
	struct host_error error;
	json_t *json = NULL;
	char url[URL_SIZE_MAX];

	if (!may_ask(e))
		return NULL;
	for (i = 0; i < e->address.url_count && outcome == HTTP_UNHEARD; i++) {
		const char *server = e->address.urls[(first + i) % e->address.url_count];

		snprintf(url, sizeof(url), "%s%s", server, path);
		outcome = http_ask(
			e->client,
			&(const struct http_question){
				.url = url, .json = body, .ms = ANSWER_MS, .max = ANSWER_SIZE_MAX },
			&answer, &error);
	}
	if (outcome == HTTP_ANSWERED && i > 1)
		e->first = (first + i - 1) % e->address.url_count;
	note_outcome(e, outcome == HTTP_ANSWERED, begun);
	if (outcome == HTTP_ANSWERED && answer.status == 200 && answer.bytes.size)
		json = json_loadb((const char *)answer.bytes.data, answer.bytes.size,
				  JSON_REJECT_DUPLICATES, NULL);
	file_free(&answer.bytes);
	return json;
}

/* Takes the question over; NULL also when there is none. */
static json_t *ask(struct etcd *e, const char *path, json_t *question)
{
	char *body = question ? json_dumps(question, JSON_COMPACT) : NULL;
	json_t *answer = body ? post(e, path, body) : NULL;

	free(body);
	json_decref(question);
	return answer;
}

/* Of a key or a value. */
static json_t *json_bytes(const char *text)
{
	char encoded[VALUE_SIZE_MAX * 2];

	EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)text, (int)strlen(text));
	return json_string(encoded);
}

/* prefix/HEX; the prefix fits, for its length was looked at. */
static json_t *json_key(const struct etcd *e, const uint8_t nonce[NONCE_SIZE])
{
	char key[KEY_SIZE_MAX + 8], hex[HEX_TEXT_SIZE(NONCE_SIZE)];

	hex_write(hex, nonce, NONCE_SIZE);
	snprintf(key, sizeof(key), "%.100s/%s", e->address.prefix, hex);
	return json_bytes(key);
}

/* All keys from prefix/ to prefix0, whose last character is the one behind the slash. */
static json_t *json_count(const struct etcd *e)
{
	char from[KEY_SIZE_MAX], to[KEY_SIZE_MAX];

	snprintf(from, sizeof(from), "%.100s/", e->address.prefix);
	snprintf(to, sizeof(to), "%.100s0", e->address.prefix);
	return json_pack("{s:{s:o, s:o, s:b}}", "requestRange", "key", json_bytes(from), "rangeEnd",
			 json_bytes(to), "countOnly", true);
}

static uint64_t number_of(const json_t *text)
{
	return json_is_string(text) ? strtoull(json_string_value(text), NULL, 10) : 0;
}

/* A lease's number as etcd writes it; NULL when there is none. */
static json_t *grant(struct etcd *e)
{
	json_t *answer = ask(e, "/v3/lease/grant", json_pack("{s:i}", "TTL", NONCE_LIFE_S));
	json_t *lease = json_incref(json_object_get(answer, "ID"));

	json_decref(answer);
	return lease;
}

static void revoke(struct etcd *e, json_t *lease)
{
	json_decref(ask(e, "/v3/lease/revoke", json_pack("{s:O}", "ID", lease)));
}

/* The key, if it is not there yet, and how many there are then. */
static json_t *put_question(const struct etcd *e, const uint8_t nonce[NONCE_SIZE],
			    const char *record, json_t *lease)
{
	char value[VALUE_SIZE_MAX];

	snprintf(value, sizeof(value), "%lld%s%s", (long long)time(NULL), record ? " " : "",
		 record ? record : "");
	return json_pack("{s:[{s:s, s:s, s:o, s:s}], s:[{s:{s:o, s:o, s:O}}, o]}", "compare",
			 "target", "CREATE", "result", "EQUAL", "key", json_key(e, nonce),
			 "createRevision", "0", "success", "requestPut", "key", json_key(e, nonce),
			 "value", json_bytes(value), "lease", lease, json_count(e));
}

static const json_t *response(const json_t *answer, size_t index, const char *name)
{
	return json_object_get(json_array_get(json_object_get(answer, "responses"), index), name);
}

static enum nonce_result etcd_put(struct nonce_store *store, const uint8_t nonce[NONCE_SIZE],
				  const char *record, uint64_t now)
{
	struct etcd *e = (struct etcd *)store;
	enum nonce_result result = NONCE_LOST;
	json_t *lease = grant(e), *answer;

	(void)now;
	if (!lease)
		return NONCE_LOST;
	answer = ask(e, "/v3/kv/txn", put_question(e, nonce, record, lease));
	if (json_is_true(json_object_get(answer, "succeeded"))) {
		uint64_t count =
			number_of(json_object_get(response(answer, 1, "response_range"), "count"));

		e->held = count;
		result = count <= e->most ? NONCE_OK : NONCE_FULL;
	}
	if (result != NONCE_OK)
		revoke(e, lease);
	json_decref(answer);
	json_decref(lease);
	return result;
}

/* The value of a key that was deleted; false when it is none that put() could have written. */
static bool read_value(const json_t *answer, char text[VALUE_SIZE_MAX + 8])
{
	const json_t *keys = json_object_get(response(answer, 0, "response_delete_range"),
					     "prev_kvs");
	const char *value = json_string_value(json_object_get(json_array_get(keys, 0), "value"));

	memset(text, 0, VALUE_SIZE_MAX + 8);
	return value && strlen(value) % 4 == 0 && strlen(value) / 4 * 3 <= VALUE_SIZE_MAX + 2 &&
	       EVP_DecodeBlock((unsigned char *)text, (const unsigned char *)value,
			       (int)strlen(value)) >= 0;
}

/* Seconds since 1970, and a record. */
static bool take_value(const char *text, char record[NONCE_RECORD_MAX])
{
	char *end;
	int64_t age = (int64_t)time(NULL) - strtoll(text, &end, 10);

	if (*end == ' ')
		snprintf(record, NONCE_RECORD_MAX, "%s", end + 1);
	/* Another instance's clock may be ahead a little. */
	return (*end == ' ' || *end == '\0') && age >= -(int64_t)NONCE_LIFE_S &&
	       age <= (int64_t)NONCE_LIFE_S;
}

static enum nonce_result etcd_take(struct nonce_store *store, const uint8_t nonce[NONCE_SIZE],
				   char record[NONCE_RECORD_MAX], uint64_t now)
{
	struct etcd *e = (struct etcd *)store;
	enum nonce_result result = NONCE_UNKNOWN;
	char value[VALUE_SIZE_MAX + 8];
	json_t *answer = ask(e, "/v3/kv/txn",
			     json_pack("{s:[{s:s, s:s, s:o, s:s}], s:[{s:{s:o, s:b}}]}", "compare",
				       "target", "VERSION", "result", "GREATER", "key",
				       json_key(e, nonce), "version", "0", "success",
				       "requestDeleteRange", "key", json_key(e, nonce), "prevKv",
				       true));

	(void)now;
	record[0] = '\0';
	if (!answer)
		return NONCE_LOST;
	if (json_is_true(json_object_get(answer, "succeeded")) && read_value(answer, value) &&
	    take_value(value, record))
		result = NONCE_OK;
	else
		record[0] = '\0';
	OPENSSL_cleanse(value, sizeof(value));
	json_decref(answer);
	return result;
}

static size_t etcd_held(struct nonce_store *store, uint64_t now)
{
	struct etcd *e = (struct etcd *)store;

	(void)now;
	return e->held;
}

static void etcd_free(struct nonce_store *store)
{
	struct etcd *e = (struct etcd *)store;

	http_close(e->client);
	free(e);
}

struct nonce_store *nonces_in_etcd(const struct etcd_address *address, size_t most,
				   struct host_error *error)
{
	struct etcd *e = malloc(sizeof(*e));

	if (!e) {
		host_fail(error, "out of memory");
		return NULL;
	}
	*e = (struct etcd){ { etcd_put, etcd_take, etcd_held, etcd_free },
			    .address = *address,
			    .policy = { .authorities = address->ca,
					.certificate = address->certificate,
					.key = address->key,
					.connect_ms = CONNECT_MS,
					.plain = true,
					.direct = true },
			    .most = most };
	e->client = http_open(&e->policy, error);
	if (!e->client) {
		free(e);
		return NULL;
	}
	return &e->store;
}
