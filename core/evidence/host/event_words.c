/* SPDX-License-Identifier: MIT */
#include "core/evidence/host/event_words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/evidence/host/uefi_variable.h"

#define BOOT_ORDER_SHOWN 16u

struct line {
	char *text;
	size_t size; /* without the NUL */
};

static void put_char(struct line *line, unsigned int c)
{
	static const char cut[] = "...";

	if (line->size + sizeof(cut) >= EVENT_WORDS_MAX) {
		memcpy(line->text + line->size, cut, sizeof(cut));
		return;
	}
	line->text[line->size++] = c >= ' ' && c < 0x7f ? (char)c : '?';
	line->text[line->size] = '\0';
}

__attribute__((format(printf, 2, 3))) static void put(struct line *line, const char *format, ...)
{
	char text[128];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (size_t i = 0; text[i] != '\0'; i++)
		put_char(line, (unsigned char)text[i]);
}

static void put_ascii(struct line *line, const uint8_t *data, size_t size)
{
	while (size > 0 && data[size - 1] == '\0')
		size--;
	for (size_t i = 0; i < size; i++)
		put_char(line, data[i]);
}

/* UTF-16LE up to its NUL or the end. Returns the bytes that it takes, with the NUL. */
static size_t put_utf16(struct line *line, const uint8_t *data, size_t size)
{
	size_t i;

	for (i = 0; i + 1 < size; i += 2) {
		unsigned int c = data[i] | (unsigned int)data[i + 1] << 8;

		if (c == 0)
			return i + 2;
		put_char(line, c);
	}
	return i;
}

/* Text as firmware and loaders write it: UTF-16 where every second byte is 0, ASCII elsewhere. */
static void put_text(struct line *line, const uint8_t *data, size_t size)
{
	bool wide = size >= 2 && size % 2 == 0;

	for (size_t i = 1; wide && i < size; i += 2)
		wide = data[i] == 0;
	if (wide)
		put_utf16(line, data, size);
	else
		put_ascii(line, data, size);
}

static void put_guid(struct line *line, const uint8_t *g)
{
	put(line, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", g[3],
	    g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14],
	    g[15]);
}

/*
 * EFI_LOAD_OPTION, UEFI specification 3.1.3: attributes, length of the paths, description, paths,
 * whose last node is the end of all. False, and nothing is written, for anything else.
 */
static bool put_load_option(struct line *line, const uint8_t *data, size_t size)
{
	static const uint8_t end[] = { 0x7f, 0xff, 0x04, 0x00 };
	struct bytes_reader r = bytes_reader_init(data, size);
	const uint8_t *description, *paths;
	size_t length;

	bytes_le32(&r);
	length = bytes_le16(&r);
	description = data + r.pos;
	while (bytes_left(&r) >= 2 && bytes_le16(&r) != 0)
		;
	paths = length >= sizeof(end) ? bytes_take(&r, length) : NULL;
	if (!paths || memcmp(paths + length - sizeof(end), end, sizeof(end)) != 0)
		return false;
	put(line, "boot entry \"");
	put_utf16(line, description, (size_t)(paths - description));
	put(line, "\"");
	return true;
}

static void put_boot_order(struct line *line, const uint8_t *data, size_t size)
{
	struct bytes_reader r = bytes_reader_init(data, size);

	put(line, "boot order");
	for (unsigned int i = 0; i < BOOT_ORDER_SHOWN && bytes_left(&r) >= 2; i++)
		put(line, " %04X", bytes_le16(&r));
	if (bytes_left(&r) >= 2)
		put(line, " and %zu more", bytes_left(&r) / 2);
}

/* Boot0000 to BootFFFF, UEFI specification 3.3. */
static bool is_boot_entry(const struct uefi_variable *v)
{
	static const uint8_t name[] = { 'B', 0, 'o', 0, 'o', 0, 't', 0 };

	return memcmp(v->vendor, &uefi_global_variable, sizeof(uefi_global_variable)) == 0 &&
	       v->name_size == 16 && memcmp(v->name, name, sizeof(name)) == 0;
}

/* What it says of secure boot is the firmware's word only where the firmware measures that. */
static void put_variable(struct line *line, const struct event_log_event *event,
			 const struct uefi_variable *v)
{
	if (event->pcr == 7 && event->type == EVENT_EFI_VARIABLE_DRIVER_CONFIG && v->whole &&
	    v->value_size <= 1 && uefi_variable_is(v, &uefi_global_variable, "SecureBoot")) {
		put(line, "secure boot is %s", v->value_size && v->value[0] ? "on" : "off");
	} else if (uefi_variable_is(v, &uefi_global_variable, "BootOrder")) {
		put_boot_order(line, v->value, v->value_size);
	} else if (is_boot_entry(v)) {
		put_utf16(line, v->name, v->name_size);
		put(line, ": ");
		put_load_option(line, v->value, v->value_size);
	} else {
		put(line, "variable ");
		put_utf16(line, v->name, v->name_size);
		put(line, " of ");
		put_guid(line, v->vendor);
		put(line, ": %zu bytes", v->value_size);
	}
}

/* Of a variable alone the value may be proved: then nothing says which one it is. */
static void put_boot_value(struct line *line, const uint8_t *data, size_t size)
{
	if (!put_load_option(line, data, size))
		put_boot_order(line, data, size);
}

/* UEFI_GPT_DATA: the header, number of partitions, partitions. */
static void put_partitions(struct line *line, const struct event_words *words)
{
	struct bytes_reader r = bytes_reader_init(words->data, words->size);
	const uint8_t *header = bytes_take(&r, 92);
	uint64_t count = bytes_le64(&r);

	if (r.bad)
		return;
	put(line, "disk ");
	put_guid(line, header + 56);
	put(line, " of %llu partitions", (unsigned long long)count);
}

static void put_words(struct line *line, const struct event_log_event *event,
		      const struct event_words *words)
{
	struct uefi_variable v;

	switch (event->type) {
	case EVENT_SEPARATOR:
		break;
	case EVENT_EFI_VARIABLE_BOOT:
	case EVENT_EFI_VARIABLE_BOOT2:
		if (words->data != event->data) {
			put_boot_value(line, words->data, words->size);
			break;
		}
		/* fallthrough */
	case EVENT_EFI_VARIABLE_DRIVER_CONFIG:
	case EVENT_EFI_VARIABLE_AUTHORITY:
		if (uefi_variable_read(&v, words->data, words->size))
			put_variable(line, event, &v);
		break;
	case EVENT_EFI_GPT_EVENT:
	case EVENT_EFI_GPT_EVENT2:
		put_partitions(line, words);
		break;
	default:
		put_text(line, words->data, words->size);
	}
}

void event_words_write(const struct event_log_event *event, const struct event_words *words,
		       char line[EVENT_WORDS_MAX])
{
	const struct event_words whole = { event->data, event->size };
	struct line out = { .text = line };

	line[0] = '\0';
	switch (event->type) {
	case EVENT_NO_ACTION:
		return;
	case EVENT_EFI_BOOT_SERVICES_APPLICATION:
	case EVENT_EFI_BOOT_SERVICES_DRIVER:
	case EVENT_EFI_RUNTIME_SERVICES_DRIVER:
		put(&out, "a program, by its digest");
		return;
	default:
		put_words(&out, event, words ? words : &whole);
	}
}
