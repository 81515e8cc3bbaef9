/* SPDX-License-Identifier: MIT */
/* printf for places without a C library: the log of the monitor and of the hypervisor. */
#ifndef SOCLE_CORE_BASE_PRINTF_H
#define SOCLE_CORE_BASE_PRINTF_H

#include <stdarg.h>
#include <stddef.h>

/* Takes one character of the output. */
typedef void (*printf_put)(void *context, char c);

/*
 * Writes fmt to put. Knows %c %s %d %u %x %p %%, with the length modifiers l, ll and z, a width
 * and a leading 0. An unknown conversion is written as it stands.
 */
void printf_write(printf_put put, void *context, const char *fmt, va_list args);

/* The same into the size bytes at to, which end in a zero whatever fits. size is not 0. */
void printf_text(char *to, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
