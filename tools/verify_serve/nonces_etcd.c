/* SPDX-License-Identifier: MIT */
/*
 * Nonces as keys of etcd, by the JSON of its gRPC gateway (etcd API reference, v3: LeaseGrant, Txn): bytes
 * are base64, numbers of 64 bits are text.
 *
 * A nonce ends with its lease. A change of etcd's leader prolongs leases, so the key's value says when it
 * was given out, too, by the clock of the instance that did it; whoever takes it compares.
 */
#include <curl/curl.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/hex.h"
#include "tools/verify_serve/nonces.h"

#define CONNECT_MS 1000L
#define ANSWER_MS 3000L
#define ANSWER_SIZE_MAX (64u << 10)
#define URL_SIZE_MAX 512u
#define KEY_SIZE_MAX 256u
#define IDLE_MAX 16u

struct etcd {
	struct nonce_store store;
	struct etcd_address address;
	uint64_t most;
	_Atomic uint64_t held;
	pthread_mutex_t lock; /* of what follows: connections that nobody uses */
	CURL *idle[IDLE_MAX];
	size_t idle_count;
};

struct answer {
	char *text;
	size_t size;
};

static size_t take_answer(char *data, size_t one, size_t size, void *to)
{
	struct answer *answer = to;
	char *text;

	if (size > ANSWER_SIZE_MAX - answer->size)
		return 0;
	text = realloc(answer->text, answer->size + size + 1);
	if (!text)
		return 0;
	memcpy(text + answer->size, data, size);
	answer->text = text;
	answer->size += size;
	return one * size;
}

static CURL *connection_get(struct etcd *e)
{
	CURL *curl = NULL;

	pthread_mutex_lock(&e->lock);
	if (e->idle_count)
		curl = e->idle[--e->idle_count];
	pthread_mutex_unlock(&e->lock);
	return curl ? curl : curl_easy_init();
}

static void connection_put(struct etcd *e, CURL *curl)
{
	bool kept = false;

	pthread_mutex_lock(&e->lock);
	if (e->idle_count < IDLE_MAX) {
		e->idle[e->idle_count++] = curl;
		kept = true;
	}
	pthread_mutex_unlock(&e->lock);
	if (!kept)
		curl_easy_cleanup(curl);
}

static void set_up(const struct etcd *e, CURL *curl, const char *url, const char *body,
		   struct answer *answer)
{
	curl_easy_reset(curl); /* which keeps the connection */
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, ANSWER_MS);
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	if (e->address.ca)
		curl_easy_setopt(curl, CURLOPT_CAINFO, e->address.ca);
	if (e->address.certificate)
		curl_easy_setopt(curl, CURLOPT_SSLCERT, e->address.certificate);
	if (e->address.key)
		curl_easy_setopt(curl, CURLOPT_SSLKEY, e->address.key);
}

/*
 * What etcd answers. Another address is asked only when nobody has heard the question yet: asked twice, the
 * second answer would be of what the first left.
 */
static json_t *post(struct etcd *e, CURL *curl, const char *path, const char *body)
{
	struct answer answer = { 0 };
	CURLcode code = CURLE_COULDNT_CONNECT;
	json_t *json = NULL;
	char url[URL_SIZE_MAX];

	for (size_t i = 0; i < e->address.url_count && code == CURLE_COULDNT_CONNECT; i++) {
		snprintf(url, sizeof(url), "%s%s", e->address.urls[i], path);
		set_up(e, curl, url, body, &answer);
		code = curl_easy_perform(curl);
	}
	if (code == CURLE_OK && answer.text)
		json = json_loadb(answer.text, answer.size, JSON_REJECT_DUPLICATES, NULL);
	free(answer.text);
	return json;
}

/* Takes the question over; NULL also when there is none. */
static json_t *ask(struct etcd *e, const char *path, json_t *question)
{
	char *body = question ? json_dumps(question, JSON_COMPACT) : NULL;
	CURL *curl = body ? connection_get(e) : NULL;
	json_t *answer = NULL;

	if (curl) {
		answer = post(e, curl, path, body);
		connection_put(e, curl);
	}
	free(body);
	json_decref(question);
	return answer;
}

static json_t *json_bytes(const char *text)
{
	char encoded[KEY_SIZE_MAX * 2];

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
static json_t *put_question(const struct etcd *e, const uint8_t nonce[NONCE_SIZE], json_t *lease)
{
	char now[32];

	snprintf(now, sizeof(now), "%lld", (long long)time(NULL));
	return json_pack("{s:[{s:s, s:s, s:o, s:s}], s:[{s:{s:o, s:o, s:O}}, o]}", "compare",
			 "target", "CREATE", "result", "EQUAL", "key", json_key(e, nonce),
			 "createRevision", "0", "success", "requestPut", "key", json_key(e, nonce),
			 "value", json_bytes(now), "lease", lease, json_count(e));
}

static const json_t *response(const json_t *answer, size_t index, const char *name)
{
	return json_object_get(json_array_get(json_object_get(answer, "responses"), index), name);
}

static enum nonce_result etcd_put(struct nonce_store *store, const uint8_t nonce[NONCE_SIZE],
				  uint64_t now)
{
	struct etcd *e = (struct etcd *)store;
	enum nonce_result result = NONCE_LOST;
	json_t *lease = grant(e), *answer;

	(void)now;
	if (!lease)
		return NONCE_LOST;
	answer = ask(e, "/v3/kv/txn", put_question(e, nonce, lease));
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

/* Seconds since 1970 in the value of a key that was deleted. */
static bool is_young(const json_t *answer)
{
	const json_t *keys = json_object_get(response(answer, 0, "response_delete_range"),
					     "prev_kvs");
	const char *value = json_string_value(json_object_get(json_array_get(keys, 0), "value"));
	char text[64] = "";
	int64_t age;

	if (!value || strlen(value) > 40 || strlen(value) % 4 != 0 ||
	    EVP_DecodeBlock((unsigned char *)text, (const unsigned char *)value,
			    (int)strlen(value)) < 0)
		return false;
	age = (int64_t)time(NULL) - strtoll(text, NULL, 10);
	/* Another instance's clock may be ahead a little. */
	return age >= -(int64_t)NONCE_LIFE_S && age <= (int64_t)NONCE_LIFE_S;
}

static enum nonce_result etcd_take(struct nonce_store *store, const uint8_t nonce[NONCE_SIZE],
				   uint64_t now)
{
	struct etcd *e = (struct etcd *)store;
	enum nonce_result result = NONCE_UNKNOWN;
	json_t *answer = ask(e, "/v3/kv/txn",
			     json_pack("{s:[{s:s, s:s, s:o, s:s}], s:[{s:{s:o, s:b}}]}", "compare",
				       "target", "VERSION", "result", "GREATER", "key",
				       json_key(e, nonce), "version", "0", "success",
				       "requestDeleteRange", "key", json_key(e, nonce), "prevKv",
				       true));

	(void)now;
	if (!answer)
		return NONCE_LOST;
	if (json_is_true(json_object_get(answer, "succeeded")) && is_young(answer))
		result = NONCE_OK;
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

	while (e->idle_count)
		curl_easy_cleanup(e->idle[--e->idle_count]);
	pthread_mutex_destroy(&e->lock);
	free(e);
	curl_global_cleanup();
}

struct nonce_store *nonces_in_etcd(const struct etcd_address *address, size_t most)
{
	struct etcd *e = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? malloc(sizeof(*e))
									   : NULL;

	if (!e)
		return NULL;
	*e = (struct etcd){ { etcd_put, etcd_take, etcd_held, etcd_free },
			    .address = *address,
			    .most = most,
			    .lock = PTHREAD_MUTEX_INITIALIZER };
	return &e->store;
}
