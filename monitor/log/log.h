/* SPDX-License-Identifier: MIT */
/*
 * The monitor's log: text that the host reads, so nothing secret goes there. Lines of two vCPUs do
 * not mix. Each line starts with "socle: ".
 */
#ifndef SOCLE_MONITOR_LOG_LOG_H
#define SOCLE_MONITOR_LOG_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_ERROR,
	LOG_WARNING,
	LOG_INFO,
};

/*
 * Writes one line, formatted by core/base/printf; the newline is added. Takes the lock "log", which
 * comes last of all, so any lock may be held.
 */
void log_printf(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Writes size bytes of untrusted text (of a service, say) as lines of their own: "socle: [name] ".
 * Unprintable bytes become dots.
 */
void log_text(const char *name, const char *text, size_t size);

/* "what: why" without the log's lock: only for die(), which may come while it is held. */
void log_emergency(const char *what, const char *why);

#endif
