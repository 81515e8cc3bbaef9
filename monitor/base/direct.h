/* SPDX-License-Identifier: MIT */
#ifndef SOCLE_MONITOR_BASE_DIRECT_H
#define SOCLE_MONITOR_BASE_DIRECT_H

#include "monitor/base/addr.h"

/*
 * Where the direct map shows gPA at: SOCLE_VA_DIRECT + at, never executable. Says nothing about
 * whether the page is RAM, valid, or ours. Host tests put an array behind it instead.
 */
void *direct_ptr(gpa_t at);

#endif
