/* SPDX-License-Identifier: MIT */
#include "monitor/log/log.h"

#include <stdarg.h>

#include "core/base/printf.h"
#include "monitor/arch/arch.h"
#include "monitor/lock/lock.h"

static struct lock log_lock = { .rank = LOCK_RANK_LOG };

static void put_log(void *context, char c)
{
	(void)context;
	arch_log_putc(c);
}

static void put_string(const char *text)
{
	while (*text)
		arch_log_putc(*text++);
}

static const char *level_prefix(enum log_level level)
{
	switch (level) {
	case LOG_ERROR:
		return "error: ";
	case LOG_WARNING:
		return "warning: ";
	case LOG_INFO:
		break;
	}
	return "";
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	va_list args;

	lock_acquire(&log_lock);
	put_string("socle: ");
	put_string(level_prefix(level));
	va_start(args, fmt);
	printf_write(put_log, NULL, fmt, args);
	va_end(args);
	arch_log_putc('\n');
	lock_release(&log_lock);
}

static bool printable(char c)
{
	return c >= ' ' && c <= '~';
}

void log_text(const char *name, const char *text, size_t size)
{
	size_t at = 0;

	lock_acquire(&log_lock);
	while (at < size) {
		put_string("socle: [");
		put_string(name);
		put_string("] ");
		for (; at < size && text[at] != '\n'; at++)
			arch_log_putc(printable(text[at]) ? text[at] : '.');
		arch_log_putc('\n');
		at++;
	}
	lock_release(&log_lock);
}

void log_emergency(const char *what, const char *why)
{
	put_string("\nsocle: ");
	put_string(what);
	put_string(": ");
	put_string(why);
	arch_log_putc('\n');
}
