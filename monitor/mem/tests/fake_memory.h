/* SPDX-License-Identifier: MIT */
/* An array as the memory behind the direct map, and die() as a failure that a test can expect. */
#ifndef SOCLE_MONITOR_MEM_TESTS_FAKE_MEMORY_H
#define SOCLE_MONITOR_MEM_TESTS_FAKE_MEMORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define FAKE_BASE 0x1f000000ull /* gPA of the first page */
#define FAKE_PAGES 1024u

/* Fills all of the array with one byte. */
void fake_memory_fill(uint8_t byte);

#endif
