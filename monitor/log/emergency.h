/* SPDX-License-Identifier: MIT */
#ifndef SOCLE_MONITOR_LOG_EMERGENCY_H
#define SOCLE_MONITOR_LOG_EMERGENCY_H

/* "what: why" into the log without its lock: only for die(), which may come while it is held. */
void log_emergency(const char *what, const char *why);

#endif
