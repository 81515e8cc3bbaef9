/* SPDX-License-Identifier: MIT */
#include "tools/certs/fetch.h"

#include <time.h>

#include "core/base/host/clock.h"
#include "tools/http/client.h"

#define TRIES 4u
#define CONNECT_MS 10000u

static const char *status_text(unsigned int status)
{
	static const struct {
		unsigned int status;
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

/*
 * What an answer that came means. *pause: how long the server wants to be left alone, in seconds.
 */
static enum outcome ask(struct http_client *client, const struct http_question *question,
			struct file_bytes *bytes, unsigned int *pause, struct host_error *error)
{
	struct http_answer answer;

	*pause = 0;
	if (http_ask(client, question, &answer, error) != HTTP_ANSWERED)
		return FAILED;
	if (answer.status == 200) {
		*bytes = answer.bytes;
		return DONE;
	}
	file_free(&answer.bytes);
	*pause = answer.again_s;
	host_fail(error, "%s (status %u)", status_text(answer.status), answer.status);
	return (answer.status == 429 || answer.status == 503) && *pause > 0 ? AGAIN : FAILED;
}

static bool ask_until(struct http_client *client, struct http_question *question, uint64_t end,
		      struct file_bytes *bytes, struct host_error *error)
{
	enum outcome outcome = AGAIN;
	unsigned int pause = 0;

	for (unsigned int i = 0; outcome == AGAIN && i < TRIES; i++) {
		uint64_t now = clock_ms();

		if (i && now + pause * 1000ull >= end)
			return host_fail(error,
					 "the server wants us to come again in %u s, which is more "
					 "than there is time for",
					 pause);
		if (i)
			nanosleep(&(struct timespec){ .tv_sec = pause }, NULL);
		now = clock_ms();
		question->ms = now < end ? (unsigned int)(end - now) : 1;
		outcome = ask(client, question, bytes, &pause, error);
	}
	return outcome == DONE;
}

bool fetch_get(const char *url, const struct fetch_limits *limits, size_t max,
	       struct file_bytes *bytes, struct host_error *error)
{
	const struct http_policy policy = { .authorities = limits->authorities,
					    .connect_ms = CONNECT_MS };
	struct http_question question = { .url = url, .max = max };
	struct http_client *client = http_open(&policy, error);
	bool ok;

	*bytes = (struct file_bytes){ 0 };
	if (!client)
		return false;
	ok = ask_until(client, &question, clock_ms() + limits->seconds * 1000ull, bytes, error);
	http_close(client);
	if (ok && !bytes->data)
		ok = host_fail(error, "it is empty");
	return ok;
}
