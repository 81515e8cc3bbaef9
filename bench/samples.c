/* SPDX-License-Identifier: MIT */
#include "bench/samples.h"

#include <stdlib.h>
#include <time.h>

uint64_t samples_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void samples_add(struct samples *samples, uint64_t start)
{
	if (samples->count < SAMPLES_MAX)
		samples->ns[samples->count++] = samples_now() - start;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

double samples_median(struct samples *samples)
{
	size_t middle = samples->count / 2;

	if (samples->count == 0)
		return 0;
	qsort(samples->ns, samples->count, sizeof(samples->ns[0]), compare);
	if (samples->count % 2)
		return (double)samples->ns[middle] / 1000;
	return (double)(samples->ns[middle - 1] + samples->ns[middle]) / 2000;
}
