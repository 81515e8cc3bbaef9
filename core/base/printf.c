/* SPDX-License-Identifier: MIT */
#include "core/base/printf.h"

#include <stdbool.h>
#include <stdint.h>

struct spec {
	bool zero, is_long, is_size;
	unsigned int width;
};

static void put_string(printf_put put, void *context, const char *s)
{
	while (*s)
		put(context, *s++);
}

static void put_number(printf_put put, void *context, uint64_t value, unsigned int base,
		       bool negative, const struct spec *spec)
{
	char digits[20];
	unsigned int count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);

	unsigned int used = count + negative;

	if (negative && spec->zero)
		put(context, '-');
	for (; used < spec->width; used++)
		put(context, spec->zero ? '0' : ' ');
	if (negative && !spec->zero)
		put(context, '-');
	while (count)
		put(context, digits[--count]);
}

static uint64_t take_unsigned(va_list *args, const struct spec *spec)
{
	if (spec->is_long || spec->is_size)
		return va_arg(*args, uint64_t);
	return va_arg(*args, unsigned int);
}

static void put_signed(printf_put put, void *context, va_list *args, const struct spec *spec)
{
	int64_t value = spec->is_long ? va_arg(*args, int64_t) : va_arg(*args, int);
	bool negative = value < 0;

	put_number(put, context, negative ? -(uint64_t)value : (uint64_t)value, 10, negative, spec);
}

static const char *parse_spec(const char *fmt, struct spec *spec)
{
	*spec = (struct spec){ .zero = *fmt == '0' };
	for (; *fmt >= '0' && *fmt <= '9'; fmt++)
		spec->width = spec->width * 10 + (unsigned int)(*fmt - '0');
	for (; *fmt == 'l'; fmt++)
		spec->is_long = true;
	if (*fmt == 'z') {
		spec->is_size = true;
		fmt++;
	}
	return fmt;
}

static void put_conversion(printf_put put, void *context, char conversion, va_list *args,
			   const struct spec *spec)
{
	switch (conversion) {
	case 'c':
		put(context, (char)va_arg(*args, int));
		break;
	case 's':
		put_string(put, context, va_arg(*args, const char *));
		break;
	case 'd':
		put_signed(put, context, args, spec);
		break;
	case 'u':
		put_number(put, context, take_unsigned(args, spec), 10, false, spec);
		break;
	case 'x':
		put_number(put, context, take_unsigned(args, spec), 16, false, spec);
		break;
	case 'p':
		put_string(put, context, "0x");
		put_number(put, context, (uintptr_t)va_arg(*args, void *), 16, false, spec);
		break;
	default:
		put(context, '%');
		put(context, conversion);
		break;
	}
}

void printf_write(printf_put put, void *context, const char *fmt, va_list args)
{
	va_list rest;

	va_copy(rest, args);
	for (; *fmt; fmt++) {
		struct spec spec;

		if (*fmt != '%') {
			put(context, *fmt);
			continue;
		}
		fmt = parse_spec(fmt + 1, &spec);
		if (!*fmt)
			break;
		if (*fmt == '%')
			put(context, '%');
		else
			put_conversion(put, context, *fmt, &rest, &spec);
	}
	va_end(rest);
}

struct buffer {
	char *at;
	char *last; /* where the zero goes at the latest */
};

static void put_buffer(void *context, char c)
{
	struct buffer *buffer = context;

	if (buffer->at < buffer->last)
		*buffer->at++ = c;
}

void printf_text(char *to, size_t size, const char *fmt, ...)
{
	struct buffer buffer = { .at = to, .last = to + size - 1 };
	va_list args;

	va_start(args, fmt);
	printf_write(put_buffer, &buffer, fmt, args);
	va_end(args);
	*buffer.at = '\0';
}
