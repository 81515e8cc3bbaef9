/* SPDX-License-Identifier: MIT */
/* Times of repeated work, and their median. */
#ifndef SOCLE_BENCH_SAMPLES_H
#define SOCLE_BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#define SAMPLES_MAX 2000u

struct samples {
	uint64_t ns[SAMPLES_MAX];
	size_t count;
};

uint64_t samples_now(void);

/* Adds the time since start, which samples_now() gave. */
void samples_add(struct samples *samples, uint64_t start);

/* In microseconds; sorts the samples. */
double samples_median(struct samples *samples);

#endif
