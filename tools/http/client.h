/* SPDX-License-Identifier: MIT */
/*
 * HTTP as a client, for all that asks others: by libcurl, which is loaded by the first. What holds
 * for everyone: TLS is 1.2 or later, and the server's certificate has to be good; no redirection is
 * followed; of an answer not one byte more than allowed is kept, whatever the server announces;
 * nothing waits longer than it was told.
 */
#ifndef SOCLE_TOOLS_HTTP_CLIENT_H
#define SOCLE_TOOLS_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/host/file.h"

struct http_policy {
	/* A file of the CAs that a server's certificate may be by; NULL: the system's. */
	const char *authorities;
	const char *certificate, *key; /* PEM files to show it; NULL: none */
	unsigned int connect_ms;
	bool plain;  /* http:// is allowed, too, which nobody protects: on the way to a neighbour */
	bool direct; /* no proxy, whatever the environment says */
};

struct http_question {
	const char *url;
	const char *json; /* POST this; NULL: GET */
	unsigned int ms;  /* to the end of the answer */
	size_t max;	  /* bytes of it */
};

struct http_answer {
	unsigned int status;
	unsigned int again_s;	 /* when to ask again (Retry-After); 0: it says nothing of that */
	struct file_bytes bytes; /* of any status; the caller's, for file_free() */
};

enum http_outcome {
	HTTP_ANSWERED,
	HTTP_UNHEARD, /* the question was not sent: another server may be asked */
	HTTP_LOST,    /* it may have been heard; there is no whole answer */
};

struct http_client;

/*
 * policy stays the caller's, and there until http_close(). The first is opened before there are
 * threads. NULL with a line that says why: libcurl is not there, or this build does without.
 */
struct http_client *http_open(const struct http_policy *policy, struct host_error *error);

/*
 * Any number of threads may ask at once. Connections are kept for whoever asks next. Without
 * HTTP_ANSWERED the answer is empty, and error has a line.
 */
enum http_outcome http_ask(struct http_client *client, const struct http_question *question,
			   struct http_answer *answer, struct host_error *error);

/* When nobody asks any more; NULL is none. */
void http_close(struct http_client *client);

#endif
