/* SPDX-License-Identifier: MIT */
#include "tools/certs/http.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRIES 4u
#define CONNECT_SECONDS 10L
#define USER_AGENT "socle/" SOCLE_VERSION

/* What of libcurl is used. */
struct curl_calls {
	__typeof__(curl_global_init) *global_init;
	__typeof__(curl_easy_init) *init;
	__typeof__(curl_easy_setopt) *set;
	__typeof__(curl_easy_perform) *perform;
	__typeof__(curl_easy_getinfo) *get;
	__typeof__(curl_easy_strerror) *text;
	__typeof__(curl_easy_cleanup) *end;
};

static bool find_calls(void *library, struct curl_calls *calls)
{
	const struct {
		const char *name;
		void **to;
	} symbols[] = {
		{ "curl_global_init", (void **)&calls->global_init },
		{ "curl_easy_init", (void **)&calls->init },
		{ "curl_easy_setopt", (void **)&calls->set },
		{ "curl_easy_perform", (void **)&calls->perform },
		{ "curl_easy_getinfo", (void **)&calls->get },
		{ "curl_easy_strerror", (void **)&calls->text },
		{ "curl_easy_cleanup", (void **)&calls->end },
	};

	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		*symbols[i].to = dlsym(library, symbols[i].name);
		if (!*symbols[i].to)
			return false;
	}
	return true;
}

/* It stays loaded: OpenSSL may have become its own to end. */
static bool load(struct curl_calls *calls, struct host_error *error)
{
	void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);

	if (!library)
		return host_fail(error,
				 "fetching needs libcurl (libcurl.so.4), which is not there");
	if (!find_calls(library, calls) || calls->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return host_fail(error, "libcurl cannot be used");
	return true;
}

struct body {
	struct file_bytes bytes;
	size_t max;
	bool too_large;
};

/* Not one byte more than there may be is kept, whatever the server announces. */
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

/* HTTPS alone; the server's certificate has to be good; nobody is sent elsewhere. */
static bool prepare(const struct curl_calls *c, CURL *request, const char *url,
		    const struct http_limits *limits, struct body *body,
		    char message[CURL_ERROR_SIZE])
{
	return c->set(request, CURLOPT_URL, url) == CURLE_OK &&
	       c->set(request, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
	       c->set(request, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       c->set(request, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
	       c->set(request, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
	       c->set(request, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
	       (!limits->authorities ||
		c->set(request, CURLOPT_CAINFO, limits->authorities) == CURLE_OK) &&
	       c->set(request, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS) == CURLE_OK &&
	       c->set(request, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       c->set(request, CURLOPT_USERAGENT, USER_AGENT) == CURLE_OK &&
	       c->set(request, CURLOPT_ERRORBUFFER, message) == CURLE_OK &&
	       c->set(request, CURLOPT_WRITEFUNCTION, receive) == CURLE_OK &&
	       c->set(request, CURLOPT_WRITEDATA, body) == CURLE_OK;
}

static time_t now(void)
{
	struct timespec t = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static const char *status_text(long status)
{
	static const struct {
		long status;
		const char *text;
	} texts[] = {
		{ 404, "the server has none such" },
		{ 429, "the server was asked too often" },
		{ 503, "the server is not ready" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i].status == status)
			return texts[i].text;
	}
	return status >= 300 && status < 400
		       ? "the server sends us elsewhere, which is not followed"
		       : "the server does not give it";
}

enum outcome { DONE, AGAIN, FAILED };

/* What an answer that came means. *pause: how long the server wants to be left alone. */
static enum outcome judge_status(const struct curl_calls *c, CURL *request, curl_off_t *pause,
				 struct host_error *error)
{
	long status = 0;

	*pause = 0;
	c->get(request, CURLINFO_RESPONSE_CODE, &status);
	c->get(request, CURLINFO_RETRY_AFTER, pause);
	if (status == 200)
		return DONE;
	host_fail(error, "%s (status %ld)", status_text(status), status);
	return (status == 429 || status == 503) && *pause > 0 ? AGAIN : FAILED;
}

static enum outcome ask(const struct curl_calls *c, CURL *request, long seconds, struct body *body,
			const char *message, curl_off_t *pause, struct host_error *error)
{
	CURLcode code;

	body->bytes.size = 0;
	if (c->set(request, CURLOPT_TIMEOUT, seconds) != CURLE_OK) {
		host_fail(error, "libcurl cannot be used");
		return FAILED;
	}
	code = c->perform(request);
	if (code == CURLE_OK)
		return judge_status(c, request, pause, error);
	if (body->too_large)
		host_fail(error, "it has more than %zu bytes", body->max);
	else
		host_fail(error, "%s", message[0] ? message : c->text(code));
	return FAILED;
}

static bool ask_until(const struct curl_calls *c, CURL *request, const struct http_limits *limits,
		      struct body *body, const char *message, struct host_error *error)
{
	time_t end = now() + (time_t)limits->seconds;
	enum outcome outcome = AGAIN;
	curl_off_t pause = 0;

	for (unsigned int i = 0; outcome == AGAIN && i < TRIES; i++) {
		time_t left = end - now();

		if (i && pause >= left) {
			host_fail(error,
				  "the server wants us to come again in %lld s, which is more "
				  "than there is time for",
				  (long long)pause);
			return false;
		}
		if (i)
			nanosleep(&(struct timespec){ .tv_sec = (time_t)pause }, NULL);
		left = end - now();
		outcome = ask(c, request, left > 0 ? (long)left : 1, body, message, &pause, error);
	}
	return outcome == DONE;
}

bool http_get(const char *url, const struct http_limits *limits, size_t max,
	      struct file_bytes *bytes, struct host_error *error)
{
	struct body body = { .max = max };
	char message[CURL_ERROR_SIZE] = "";
	struct curl_calls calls;
	CURL *request;
	bool ok;

	*bytes = (struct file_bytes){ 0 };
	if (!load(&calls, error))
		return false;
	request = calls.init();
	ok = request && prepare(&calls, request, url, limits, &body, message);
	if (!ok)
		host_fail(error, "libcurl cannot be used");
	else
		ok = ask_until(&calls, request, limits, &body, message, error);
	calls.end(request);
	if (ok && !body.bytes.data)
		ok = host_fail(error, "it is empty");
	if (ok)
		*bytes = body.bytes;
	else
		file_free(&body.bytes);
	return ok;
}
