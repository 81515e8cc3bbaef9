/* SPDX-License-Identifier: MIT */
/*
 * Verdicts over HTTPS: docs/verify-serve.md has what clients see. libmicrohttpd reads and writes
 * HTTP by a pool of threads, in which requests are judged; no client is waited for, and none stays
 * longer than the limits say.
 */
#ifndef SOCLE_TOOLS_VERIFY_SERVE_SERVICE_H
#define SOCLE_TOOLS_VERIFY_SERVE_SERVICE_H

#include "tools/verify_serve/judge.h"
#include "tools/verify_serve/metrics.h"

struct service_options {
	int listener;		       /* a socket that listens; the service closes it */
	const char *certificate, *key; /* PEM, of the TLS server */
	unsigned int threads, clients;
	unsigned int
		request_s; /* from a connection's start, or its last answer, to the next answer */
	size_t body_max;   /* bytes of a request's body */
	struct nonce_store *nonces;
	struct judge judge;
};

struct service;

/* NULL after a line on stderr. options stay the caller's, and there until service_stop(). */
struct service *service_start(const struct service_options *options);

/* Cuts the connections whose time is over; to be called twice a second or so. */
void service_tick(struct service *service);

/*
 * Takes no more connections, waits until requests that had begun are answered, STOP_MS at most, and
 * frees all.
 */
void service_stop(struct service *service);

#endif
