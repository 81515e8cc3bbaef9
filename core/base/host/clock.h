/* SPDX-License-Identifier: MIT */
/* A clock that is never set: for how long things take, and until when to wait. */
#ifndef SOCLE_CORE_BASE_HOST_CLOCK_H
#define SOCLE_CORE_BASE_HOST_CLOCK_H

#include <stdint.h>

uint64_t clock_ns(void);
uint64_t clock_ms(void);

#endif
