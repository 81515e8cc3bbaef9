/* SPDX-License-Identifier: MIT */
/*
 * Checked reading of untrusted bytes, and checked writing. A reader never passes its end: the first
 * read that would makes it bad, and from then on every read yields zeros. So a parser reads a whole
 * structure and asks once, at the end, whether all of it was there. A writer does the same.
 */
#ifndef SOCLE_CORE_BASE_BYTES_H
#define SOCLE_CORE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes_reader {
	const uint8_t *data;
	size_t size;
	size_t pos;
	bool bad;
};

/* A reader over size bytes at data, which the caller keeps alive and unchanged. */
struct bytes_reader bytes_reader_init(const void *data, size_t size);

/* Bytes not read yet; 0 for a bad reader. */
size_t bytes_left(const struct bytes_reader *r);

/* True when nothing was read past the end and nothing is left. */
bool bytes_complete(const struct bytes_reader *r);

/* The next size bytes in place, or NULL when they are not all there or the reader is bad. */
const uint8_t *bytes_take(struct bytes_reader *r, size_t size);

/* Copies the next size bytes; zeros when they are not all there. Returns !bad. */
bool bytes_copy(struct bytes_reader *r, void *to, size_t size);

uint8_t bytes_u8(struct bytes_reader *r);
uint16_t bytes_le16(struct bytes_reader *r);
uint32_t bytes_le32(struct bytes_reader *r);
uint64_t bytes_le64(struct bytes_reader *r);
uint16_t bytes_be16(struct bytes_reader *r); /* TPM structures are big-endian */
uint32_t bytes_be32(struct bytes_reader *r);
uint64_t bytes_be64(struct bytes_reader *r);

struct bytes_writer {
	uint8_t *data;
	size_t room;
	size_t size; /* written */
	bool bad;
};

/* A writer into room bytes at data, which the caller keeps alive. */
struct bytes_writer bytes_writer_init(void *data, size_t room);

/*
 * Room for size bytes in place, filled with zeros; NULL when there is none, or the writer is bad.
 */
uint8_t *bytes_put_zeros(struct bytes_writer *w, size_t size);

void bytes_put(struct bytes_writer *w, const void *data, size_t size);
void bytes_put_u8(struct bytes_writer *w, uint8_t value);
void bytes_put_be16(struct bytes_writer *w, uint16_t value);
void bytes_put_be32(struct bytes_writer *w, uint32_t value);

/* True when all of size bytes are 0. */
bool bytes_are_zero(const void *data, size_t size);

/* True when [offset, offset + size) lies within [0, limit), without overflow. */
bool bytes_range_ok(uint64_t offset, uint64_t size, uint64_t limit);

#endif
