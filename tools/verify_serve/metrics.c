/* SPDX-License-Identifier: MIT */
#include "tools/verify_serve/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *const endpoint_names[ENDPOINTS] = { "nonce", "challenge", "verdict", "metrics",
						"other" };

/*
 * Those that are given; the last slot is for what no row has. 0: the client was gone before an
 * answer.
 */
static const unsigned int statuses[METRICS_STATUSES] = { 200, 400, 403, 404, 405, 409, 411,
							 413, 415, 422, 500, 503, 0 };

static const double bounds[METRICS_BUCKETS] = { 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 10 };

static size_t slot_of(unsigned int status)
{
	for (size_t i = 0; i < METRICS_STATUSES - 1; i++) {
		if (statuses[i] == status)
			return i;
	}
	return METRICS_STATUSES - 1;
}

void metrics_count(struct metrics *m, enum endpoint endpoint, unsigned int status, uint64_t us)
{
	m->requests[endpoint][slot_of(status)]++;
	m->took_us += us;
	for (size_t i = 0; i < METRICS_BUCKETS; i++) {
		if ((double)us <= bounds[i] * 1e6)
			m->buckets[i]++;
	}
}

static void head(FILE *out, const char *name, const char *kind, const char *help)
{
	fprintf(out, "# HELP socle_verify_%s %s\n# TYPE socle_verify_%s %s\n", name, help, name,
		kind);
}

static uint64_t put_requests(FILE *out, struct metrics *m)
{
	uint64_t all = 0;

	head(out, "requests_total", "counter",
	     "Requests, by what was asked for and the status of the answer (0: the client had "
	     "gone).");
	for (size_t e = 0; e < ENDPOINTS; e++) {
		for (size_t s = 0; s < METRICS_STATUSES; s++) {
			uint64_t count = m->requests[e][s];

			if (count)
				fprintf(out,
					"socle_verify_requests_total{endpoint=\"%s\",status=\"%u\"}"
					" "
					"%" PRIu64 "\n",
					endpoint_names[e], statuses[s], count);
			all += count;
		}
	}
	return all;
}

static void put_histogram(FILE *out, struct metrics *m, uint64_t all)
{
	head(out, "request_seconds", "histogram",
	     "How long requests took, from their head to the last byte of the answer.");
	for (size_t i = 0; i < METRICS_BUCKETS; i++) {
		uint64_t count = m->buckets[i];

		/* A request that is counted just now must not make a bucket larger than all. */
		fprintf(out, "socle_verify_request_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
			bounds[i], count < all ? count : all);
	}
	fprintf(out,
		"socle_verify_request_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n"
		"socle_verify_request_seconds_sum %.6f\nsocle_verify_request_seconds_count %" PRIu64
		"\n",
		all, (double)m->took_us / 1e6, all);
}

static void put_one(FILE *out, const char *name, const char *kind, const char *help, int64_t value)
{
	head(out, name, kind, help);
	fprintf(out, "socle_verify_%s %" PRId64 "\n", name, value);
}

static int64_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long long pages = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%*s %lld", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

static void put_all(FILE *out, struct metrics *m, size_t held)
{
	put_histogram(out, m, put_requests(out, m));
	head(out, "verdicts_total", "counter", "Verdicts.");
	fprintf(out,
		"socle_verify_verdicts_total{verdict=\"trusted\"} %" PRIu64 "\n"
		"socle_verify_verdicts_total{verdict=\"refused\"} %" PRIu64 "\n",
		m->trusted, m->refused);
	put_one(out, "challenges_total", "counter", "Challenges that were made.",
		(int64_t)m->challenges);
	head(out, "nonces_total", "counter",
	     "Nonces that were given out, came back in time, came back when they were not known, "
	     "or were not "
	     "given out since the store was full or lost.");
	fprintf(out,
		"socle_verify_nonces_total{what=\"given\"} %" PRIu64 "\n"
		"socle_verify_nonces_total{what=\"taken\"} %" PRIu64 "\n"
		"socle_verify_nonces_total{what=\"unknown\"} %" PRIu64 "\n"
		"socle_verify_nonces_total{what=\"full\"} %" PRIu64 "\n"
		"socle_verify_nonces_total{what=\"lost\"} %" PRIu64 "\n",
		m->nonces_given, m->nonces_taken, m->nonces_unknown, m->nonces_full, m->store_lost);
	put_one(out, "nonces_held", "gauge", "Nonces in the store.", (int64_t)held);
	put_one(out, "connections_open", "gauge", "Connections that are open.", m->connections);
	put_one(out, "connections_total", "counter", "Connections.", (int64_t)m->connections_all);
	put_one(out, "connections_without_request_total", "counter",
		"Connections that ended without a request that could be read.",
		(int64_t)m->connections_idle_closed);
	put_one(out, "connections_cut_total", "counter", "Connections whose time was over.",
		(int64_t)m->connections_cut);
	put_one(out, "requests_in_flight", "gauge", "Requests that wait for their answer.",
		m->in_flight);
	put_one(out, "log_lines_lost_total", "counter",
		"Lines of the log that nobody took in time.", (int64_t)m->lines_lost);
	put_one(out, "resident_bytes", "gauge", "Memory of the process.", resident_bytes());
}

char *metrics_text(struct metrics *m, size_t nonces_held)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	put_all(out, m, nonces_held);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
