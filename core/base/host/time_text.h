/* SPDX-License-Identifier: MIT */
/* A moment as text, in UTC. */
#ifndef SOCLE_CORE_BASE_HOST_TIME_TEXT_H
#define SOCLE_CORE_BASE_HOST_TIME_TEXT_H

#include <stdbool.h>
#include <time.h>

/* YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ, after the start of 1970; false for anything else. */
bool time_text_read(const char *text, time_t *at);

#endif
