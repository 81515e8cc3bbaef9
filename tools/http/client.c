/* SPDX-License-Identifier: MIT */
#include "tools/http/client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tools/load_library.h"

#define LIBRARY "libcurl.so.4"
#define USER_AGENT "socle/" SOCLE_VERSION
#define IDLE_MAX 16u
#define AGAIN_MAX_S 86400

/* What of libcurl is used. */
struct curl_calls {
	__typeof__(curl_global_init) *global_init;
	__typeof__(curl_easy_init) *init;
	__typeof__(curl_easy_reset) *reset;
	__typeof__(curl_easy_setopt) *set;
	__typeof__(curl_easy_perform) *perform;
	__typeof__(curl_easy_getinfo) *get;
	__typeof__(curl_easy_strerror) *text;
	__typeof__(curl_easy_cleanup) *end;
	__typeof__(curl_slist_append) *append;
	__typeof__(curl_slist_free_all) *free_list;
};

struct http_client {
	const struct http_policy *policy;
	struct curl_calls curl;
	struct curl_slist *headers; /* of a question in JSON */
	pthread_mutex_t lock;	    /* of what follows: connections that nobody uses */
	CURL *idle[IDLE_MAX];
	size_t idle_count;
};

static bool load(struct curl_calls *calls, struct host_error *error)
{
	const struct library_symbol symbols[] = {
		{ "curl_global_init", (void **)&calls->global_init },
		{ "curl_easy_init", (void **)&calls->init },
		{ "curl_easy_reset", (void **)&calls->reset },
		{ "curl_easy_setopt", (void **)&calls->set },
		{ "curl_easy_perform", (void **)&calls->perform },
		{ "curl_easy_getinfo", (void **)&calls->get },
		{ "curl_easy_strerror", (void **)&calls->text },
		{ "curl_easy_cleanup", (void **)&calls->end },
		{ "curl_slist_append", (void **)&calls->append },
		{ "curl_slist_free_all", (void **)&calls->free_list },
	};

	return load_library(LIBRARY, symbols, sizeof(symbols) / sizeof(symbols[0]), error) &&
	       (calls->global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ||
		host_fail(error, "libcurl cannot be used"));
}

struct body {
	struct file_bytes bytes;
	size_t max;
	bool too_large;
};

static size_t receive(char *data, size_t size, size_t count, void *to)
{
	struct body *body = to;
	uint8_t *more;

	size *= count;
	if (size > body->max - body->bytes.size) {
		body->too_large = true;
		return 0;
	}
	more = realloc(body->bytes.data, body->bytes.size + size + 1);
	if (!more)
		return 0;
	memcpy(more + body->bytes.size, data, size);
	body->bytes.data = more;
	body->bytes.size += size;
	return size;
}

static CURL *connection_get(struct http_client *c)
{
	CURL *curl = NULL;

	pthread_mutex_lock(&c->lock);
	if (c->idle_count)
		curl = c->idle[--c->idle_count];
	pthread_mutex_unlock(&c->lock);
	return curl ? curl : c->curl.init();
}

static void connection_put(struct http_client *c, CURL *curl)
{
	bool kept = false;

	pthread_mutex_lock(&c->lock);
	if (c->idle_count < IDLE_MAX) {
		c->idle[c->idle_count++] = curl;
		kept = true;
	}
	pthread_mutex_unlock(&c->lock);
	if (!kept)
		c->curl.end(curl);
}

/* What everybody is held to. */
static bool set_policy(const struct http_client *c, CURL *curl)
{
	__typeof__(curl_easy_setopt) *set = c->curl.set;
	const struct http_policy *p = c->policy;

	return set(curl, CURLOPT_PROTOCOLS_STR, p->plain ? "http,https" : "https") == CURLE_OK &&
	       set(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       set(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
	       set(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
	       set(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
	       set(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       set(curl, CURLOPT_USERAGENT, USER_AGENT) == CURLE_OK &&
	       set(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)p->connect_ms) == CURLE_OK &&
	       (!p->direct || set(curl, CURLOPT_NOPROXY, "*") == CURLE_OK) &&
	       (!p->authorities || set(curl, CURLOPT_CAINFO, p->authorities) == CURLE_OK) &&
	       (!p->certificate || set(curl, CURLOPT_SSLCERT, p->certificate) == CURLE_OK) &&
	       (!p->key || set(curl, CURLOPT_SSLKEY, p->key) == CURLE_OK);
}

static bool set_question(const struct http_client *c, CURL *curl, const struct http_question *q,
			 struct body *body, char message[CURL_ERROR_SIZE])
{
	__typeof__(curl_easy_setopt) *set = c->curl.set;

	return set(curl, CURLOPT_URL, q->url) == CURLE_OK &&
	       (!q->json || (set(curl, CURLOPT_POSTFIELDS, q->json) == CURLE_OK &&
			     set(curl, CURLOPT_HTTPHEADER, c->headers) == CURLE_OK)) &&
	       set(curl, CURLOPT_TIMEOUT_MS, (long)q->ms) == CURLE_OK &&
	       set(curl, CURLOPT_ERRORBUFFER, message) == CURLE_OK &&
	       set(curl, CURLOPT_WRITEFUNCTION, receive) == CURLE_OK &&
	       set(curl, CURLOPT_WRITEDATA, body) == CURLE_OK;
}

static enum http_outcome say_lost(const struct http_client *c, CURL *curl, CURLcode code,
				  const struct body *body, const char *message,
				  struct host_error *error)
{
	long sent = 0;

	if (body->too_large)
		host_fail(error, "it has more than %zu bytes", body->max);
	else
		host_fail(error, "%s", message[0] ? message : c->curl.text(code));
	return c->curl.get(curl, CURLINFO_REQUEST_SIZE, &sent) == CURLE_OK && sent == 0
		       ? HTTP_UNHEARD
		       : HTTP_LOST;
}

static enum http_outcome perform(const struct http_client *c, CURL *curl,
				 const struct http_question *question, struct body *body,
				 struct http_answer *answer, struct host_error *error)
{
	char message[CURL_ERROR_SIZE] = "";
	curl_off_t again = 0;
	long status = 0;
	CURLcode code;

	c->curl.reset(curl); /* which keeps the connection */
	if (!set_policy(c, curl) || !set_question(c, curl, question, body, message)) {
		host_fail(error, "libcurl cannot be used");
		return HTTP_UNHEARD;
	}
	code = c->curl.perform(curl);
	if (code != CURLE_OK)
		return say_lost(c, curl, code, body, message, error);
	c->curl.get(curl, CURLINFO_RESPONSE_CODE, &status);
	c->curl.get(curl, CURLINFO_RETRY_AFTER, &again);
	answer->status = (unsigned int)status;
	answer->again_s = again < 0 ? 0 : (unsigned int)(again < AGAIN_MAX_S ? again : AGAIN_MAX_S);
	return HTTP_ANSWERED;
}

enum http_outcome http_ask(struct http_client *client, const struct http_question *question,
			   struct http_answer *answer, struct host_error *error)
{
	struct body body = { .max = question->max };
	CURL *curl = connection_get(client);
	enum http_outcome outcome = HTTP_UNHEARD;

	*answer = (struct http_answer){ 0 };
	if (!curl) {
		host_fail(error, "libcurl cannot be used");
		return HTTP_UNHEARD;
	}
	outcome = perform(client, curl, question, &body, answer, error);
	connection_put(client, curl);
	if (outcome == HTTP_ANSWERED)
		answer->bytes = body.bytes;
	else
		file_free(&body.bytes);
	return outcome;
}

struct http_client *http_open(const struct http_policy *policy, struct host_error *error)
{
	struct http_client *c = calloc(1, sizeof(*c));

	if (!c) {
		host_fail(error, "out of memory");
		return NULL;
	}
	c->policy = policy;
	if (load(&c->curl, error)) {
		c->headers = c->curl.append(NULL, "Content-Type: application/json");
		if (c->headers && pthread_mutex_init(&c->lock, NULL) == 0)
			return c;
		host_fail(error, "out of memory");
		c->curl.free_list(c->headers);
	}
	free(c);
	return NULL;
}

void http_close(struct http_client *client)
{
	if (!client)
		return;
	while (client->idle_count)
		client->curl.end(client->idle[--client->idle_count]);
	client->curl.free_list(client->headers);
	pthread_mutex_destroy(&client->lock);
	free(client);
}
