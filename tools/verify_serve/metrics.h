/* SPDX-License-Identifier: MIT */
/*
 * What a service counts, in the text format of Prometheus 0.0.4. Any thread may count at any time.
 */
#ifndef SOCLE_TOOLS_VERIFY_SERVE_METRICS_H
#define SOCLE_TOOLS_VERIFY_SERVE_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* What was asked for; the last is everything else. */
enum endpoint {
	ENDPOINT_NONCE,
	ENDPOINT_CHALLENGE,
	ENDPOINT_VERDICT,
	ENDPOINT_METRICS,
	ENDPOINT_OTHER,
	ENDPOINTS
};

extern const char *const endpoint_names[ENDPOINTS];

#define METRICS_STATUSES 16u
#define METRICS_BUCKETS 8u

struct metrics {
	_Atomic uint64_t requests[ENDPOINTS][METRICS_STATUSES];
	_Atomic uint64_t buckets[METRICS_BUCKETS]; /* by how long requests took */
	_Atomic uint64_t took_us;
	_Atomic uint64_t trusted, refused, challenges;
	_Atomic uint64_t nonces_given, nonces_taken, nonces_unknown, nonces_full, store_lost;
	_Atomic uint64_t connections_all, connections_idle_closed, connections_cut;
	_Atomic uint64_t lines_lost; /* of the log */
	_Atomic int64_t connections, in_flight;
};

/* Counts a request that was answered with this status, 0: not at all. */
void metrics_count(struct metrics *m, enum endpoint endpoint, unsigned int status, uint64_t us);

/* The text, for free(); NULL when memory is short. */
char *metrics_text(struct metrics *m, size_t nonces_held);

#endif
