/* SPDX-License-Identifier: MIT */
#include "core/image/archive.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/hex.h"

#define MODE_TYPE_MASK 0170000u
#define MODE_REGULAR 0100000u

struct newc_header {
	uint32_t mode, file_size, name_size, check;
};

/* Eight hexadecimal digits; anything else makes the reader bad. */
static uint32_t take_hex(struct bytes_reader *r)
{
	const uint8_t *digits = bytes_take(r, 8);
	uint32_t value = 0;

	for (size_t i = 0; digits && i < 8; i++) {
		int digit = hex_digit((char)digits[i]);

		if (digit < 0) {
			r->bad = true;
			return 0;
		}
		value = value << 4 | (uint32_t)digit;
	}
	return value;
}

static bool read_header(struct bytes_reader *r, struct newc_header *h)
{
	const uint8_t *magic = bytes_take(r, 6);

	if (!magic || memcmp(magic, "070701", 6) != 0)
		return false;
	take_hex(r); /* inode */
	h->mode = take_hex(r);
	for (int i = 0; i < 4; i++)
		take_hex(r); /* owner, group, links, time */
	h->file_size = take_hex(r);
	for (int i = 0; i < 4; i++)
		take_hex(r); /* device numbers */
	h->name_size = take_hex(r);
	h->check = take_hex(r);
	return !r->bad && h->name_size >= 1 && h->name_size <= ARCHIVE_NAME_MAX && h->check == 0;
}

/* Only NULs may follow the name: two readers must not see two names. */
static bool name_ok(const char *name, size_t size)
{
	size_t length = 0;

	while (length < size && name[length])
		length++;
	if (length == 0 || length == size)
		return false;
	for (size_t i = length; i < size; i++) {
		if (name[i])
			return false;
	}
	return true;
}

static void skip_to_multiple_of_4(struct bytes_reader *r)
{
	bytes_take(r, -r->pos & 3u);
}

static bool read_entry(struct bytes_reader *r, struct archive_entry *entry)
{
	struct newc_header h;

	if (!read_header(r, &h))
		return false;
	entry->name = (const char *)bytes_take(r, h.name_size);
	skip_to_multiple_of_4(r);
	entry->data = bytes_take(r, h.file_size);
	entry->size = h.file_size;
	entry->mode = h.mode;
	/* The padding may be missing behind the trailer, where the archive ends. */
	if (!r->bad && bytes_left(r) >= (-r->pos & 3u))
		skip_to_multiple_of_4(r);
	return !r->bad && name_ok(entry->name, h.name_size);
}

struct archive archive_init(const void *data, size_t size)
{
	return (struct archive){ .data = data, .size = size };
}

enum archive_result archive_next(struct archive *archive, struct archive_entry *entry)
{
	struct bytes_reader r = bytes_reader_init(archive->data, archive->size);

	if (archive->bad)
		return ARCHIVE_BAD;
	if (archive->ended)
		return ARCHIVE_END;
	r.pos = archive->pos;
	if (!read_entry(&r, entry)) {
		archive->bad = true;
		return ARCHIVE_BAD;
	}
	archive->pos = r.pos;
	if (strcmp(entry->name, ARCHIVE_TRAILER) != 0)
		return ARCHIVE_ENTRY;
	archive->ended = true;
	return ARCHIVE_END;
}

bool archive_is_file(const struct archive_entry *entry)
{
	return (entry->mode & MODE_TYPE_MASK) == MODE_REGULAR;
}

enum archive_result archive_find(const void *data, size_t size, const char *name,
				 struct archive_entry *entry)
{
	struct archive archive = archive_init(data, size);
	struct archive_entry next;
	enum archive_result result;
	bool found = false;

	while ((result = archive_next(&archive, &next)) == ARCHIVE_ENTRY) {
		if (!archive_is_file(&next) || strcmp(next.name, name) != 0)
			continue;
		if (found)
			return ARCHIVE_BAD;
		found = true;
		*entry = next;
	}
	if (result == ARCHIVE_BAD)
		return ARCHIVE_BAD;
	return found ? ARCHIVE_ENTRY : ARCHIVE_END;
}
