/* SPDX-License-Identifier: MIT */
#include "core/image/host/lzma.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"

/* Chances are of a 0, in parts of 2048; each bit that comes moves its own by a 32nd. */
#define CHANCE_BITS 11u
#define CHANCE_START (1u << (CHANCE_BITS - 1))
#define CHANCE_SHIFT 5u
#define RANGE_MIN (1u << 24)

#define STATES 12u
#define LITERAL_STATES 7u /* those below follow a literal */
#define PLACES 16u	  /* at most: what the last bits of a place can be */
#define LITERAL_SIZE 0x300u
#define LITERAL_BITS_MAX \
	4u /* of the byte before and of the place; more is possible, and nobody uses it */
#define LENGTH_MIN 2u
#define SLOT_BITS 6u
#define SLOT_SETS 4u
#define SLOT_FULL 14u /* from here on the lowest bits have chances of their own */
#define DISTANCES 115u
#define ALIGN_BITS 4u
#define DISTANCE_END UINT32_MAX

typedef uint16_t chance;

struct lengths {
	chance choice[2];
	chance low[PLACES][1u << 3], middle[PLACES][1u << 3], high[1u << 8];
};

/* All chances, and nothing else. */
struct chances {
	chance literals[LITERAL_SIZE << LITERAL_BITS_MAX];
	chance is_match[STATES][PLACES];
	chance is_repeat[STATES], is_other[STATES], is_third[STATES], is_fourth[STATES];
	chance is_long[STATES][PLACES];
	chance slots[SLOT_SETS][1u << SLOT_BITS];
	chance distances[DISTANCES], align[1u << ALIGN_BITS];
	struct lengths match, repeat;
};

struct decoder {
	struct bytes_reader from;
	uint32_t range, code;
	bool cut; /* there was less than it took */
	uint8_t *to;
	size_t at, size;
	unsigned int before_bits, place_bits, literal_place_bits;
	unsigned int state;
	uint32_t distances[4]; /* of the last matches, the newest first; 0 is the byte before */
	struct chances chances;
};

static void take_byte(struct decoder *d)
{
	d->cut = d->cut || bytes_left(&d->from) == 0;
	d->range <<= 8;
	d->code = d->code << 8 | bytes_u8(&d->from);
}

static unsigned int read_bit(struct decoder *d, chance *zero)
{
	const uint32_t bound = (d->range >> CHANCE_BITS) * *zero;
	const unsigned int bit = d->code >= bound;

	if (bit) {
		d->range -= bound;
		d->code -= bound;
		*zero = (chance)(*zero - (*zero >> CHANCE_SHIFT));
	} else {
		d->range = bound;
		*zero = (chance)(*zero + (((1u << CHANCE_BITS) - *zero) >> CHANCE_SHIFT));
	}
	if (d->range < RANGE_MIN)
		take_byte(d);
	return bit;
}

/* Bits as likely as not, the highest first. */
static uint32_t read_even(struct decoder *d, unsigned int bits)
{
	uint32_t value = 0;

	while (bits--) {
		unsigned int bit;

		d->range >>= 1;
		bit = d->code >= d->range;
		if (bit)
			d->code -= d->range;
		if (d->range < RANGE_MIN)
			take_byte(d);
		value = value << 1 | bit;
	}
	return value;
}

/* The highest bit first; each has its chance by those before it. */
static unsigned int read_tree(struct decoder *d, chance *tree, unsigned int bits)
{
	unsigned int node = 1;

	for (unsigned int i = 0; i < bits; i++)
		node = node << 1 | read_bit(d, &tree[node]);
	return node - (1u << bits);
}

/* The lowest bit first. */
static unsigned int read_tree_reversed(struct decoder *d, chance *tree, unsigned int bits)
{
	unsigned int node = 1, value = 0;

	for (unsigned int i = 0; i < bits; i++) {
		const unsigned int bit = read_bit(d, &tree[node]);

		node = node << 1 | bit;
		value |= bit << i;
	}
	return value;
}

static unsigned int place(const struct decoder *d)
{
	return d->at & ((1u << d->place_bits) - 1);
}

static unsigned int read_length(struct decoder *d, struct lengths *l)
{
	if (!read_bit(d, &l->choice[0]))
		return LENGTH_MIN + read_tree(d, l->low[place(d)], 3);
	if (!read_bit(d, &l->choice[1]))
		return LENGTH_MIN + 8 + read_tree(d, l->middle[place(d)], 3);
	return LENGTH_MIN + 16 + read_tree(d, l->high, 8);
}

static uint32_t read_distance(struct decoder *d, unsigned int length)
{
	const unsigned int set = length - LENGTH_MIN < SLOT_SETS ? length - LENGTH_MIN
								 : SLOT_SETS - 1;
	const unsigned int slot = read_tree(d, d->chances.slots[set], SLOT_BITS);
	const unsigned int bits = (slot >> 1) - 1;
	uint32_t distance;

	if (slot < 4)
		return slot;
	distance = (2u | (slot & 1)) << bits;
	if (slot < SLOT_FULL)
		return distance +
		       read_tree_reversed(d, d->chances.distances + distance - slot, bits);
	distance += read_even(d, bits - ALIGN_BITS) << ALIGN_BITS;
	return distance + read_tree_reversed(d, d->chances.align, ALIGN_BITS);
}

/* A literal that follows a match is unlike the byte that would have gone on with it. */
static unsigned int read_unlike(struct decoder *d, chance *tree, unsigned int other)
{
	unsigned int node = 1;

	while (node < 0x100) {
		const unsigned int expected = other >> 7 & 1;
		const unsigned int bit = read_bit(d, &tree[((1 + expected) << 8) + node]);

		other <<= 1;
		node = node << 1 | bit;
		if (bit != expected)
			break;
	}
	while (node < 0x100)
		node = node << 1 | read_bit(d, &tree[node]);
	return node;
}

static void read_literal(struct decoder *d)
{
	const unsigned int before = d->at ? d->to[d->at - 1] : 0;
	const size_t where = d->at & ((1u << d->literal_place_bits) - 1);
	chance *tree = d->chances.literals + LITERAL_SIZE * ((where << d->before_bits) +
							     (before >> (8 - d->before_bits)));

	d->to[d->at] = d->state < LITERAL_STATES
			       ? (uint8_t)read_tree(d, tree, 8)
			       : (uint8_t)read_unlike(d, tree, d->to[d->at - d->distances[0] - 1]);
	d->at++;
	if (d->state < 4)
		d->state = 0;
	else
		d->state -= d->state < 10 ? 3 : 6;
}

/* One of the last distances comes again, and is the newest then. */
static void choose_distance(struct decoder *d)
{
	unsigned int which = 1;
	uint32_t distance;

	if (read_bit(d, &d->chances.is_third[d->state]))
		which = 2 + read_bit(d, &d->chances.is_fourth[d->state]);
	distance = d->distances[which];
	memmove(d->distances + 1, d->distances, which * sizeof(d->distances[0]));
	d->distances[0] = distance;
}

static const char *copy(struct decoder *d, size_t length)
{
	if (d->distances[0] >= d->at)
		return "it repeats what comes before its start";
	if (length > d->size - d->at)
		return "it is longer than it says";
	for (; length; length--, d->at++)
		d->to[d->at] = d->to[d->at - d->distances[0] - 1];
	return NULL;
}

static const char *read_repeat(struct decoder *d)
{
	const bool literal = d->state < LITERAL_STATES;

	if (read_bit(d, &d->chances.is_other[d->state])) {
		choose_distance(d);
	} else if (!read_bit(d, &d->chances.is_long[d->state][place(d)])) {
		d->state = literal ? 9 : 11;
		return copy(d, 1);
	}
	d->state = literal ? 8 : 11;
	return copy(d, read_length(d, &d->chances.repeat));
}

static const char too_short[] = "it ends before it is as long as it says";

static const char *read_match(struct decoder *d)
{
	const unsigned int length = read_length(d, &d->chances.match);

	memmove(d->distances + 1, d->distances, 3 * sizeof(d->distances[0]));
	d->distances[0] = read_distance(d, length);
	d->state = d->state < LITERAL_STATES ? 7 : 10;
	if (d->distances[0] == DISTANCE_END)
		return too_short;
	return copy(d, length);
}

/* What is whole leaves nothing over but, as some write it, a mark of the end. */
static bool ends(struct decoder *d)
{
	if (d->code == 0)
		return true;
	return read_bit(d, &d->chances.is_match[d->state][place(d)]) &&
	       !read_bit(d, &d->chances.is_repeat[d->state]) && read_match(d) == too_short &&
	       d->code == 0 && !d->cut;
}

static const char *read_all(struct decoder *d)
{
	const char *error = NULL;

	while (!error && d->at < d->size) {
		if (!read_bit(d, &d->chances.is_match[d->state][place(d)]))
			read_literal(d);
		else if (read_bit(d, &d->chances.is_repeat[d->state]))
			error = read_repeat(d);
		else
			error = read_match(d);
		if (d->cut)
			error = "it is cut short";
	}
	return error || ends(d) ? error : "it is damaged";
}

static void set_chances(struct chances *chances)
{
	chance *one = (chance *)(void *)chances;

	for (size_t i = 0; i < sizeof(*chances) / sizeof(*one); i++)
		one[i] = CHANCE_START;
}

/* The 13 bytes before the stream, and the first 5 of it. */
static const char *read_head(struct decoder *d, size_t size_max, uint64_t *size)
{
	const unsigned int properties = bytes_u8(&d->from);

	bytes_le32(&d->from); /* of the window: here it is all there is */
	*size = bytes_le64(&d->from);
	d->before_bits = properties % 9;
	d->literal_place_bits = properties / 9 % 5;
	d->place_bits = properties / 45;
	if (bytes_left(&d->from) < 5 || d->place_bits > 4)
		return "it is no LZMA file";
	if (d->before_bits + d->literal_place_bits > LITERAL_BITS_MAX)
		return "its properties are none that are used";
	if (*size > size_max)
		return "it is too large";
	if (bytes_u8(&d->from) != 0)
		return "it is no LZMA file";
	d->code = bytes_be32(&d->from);
	d->range = UINT32_MAX;
	return NULL;
}

static const char *read_file(struct decoder *d, size_t size_max, struct file_bytes *to)
{
	uint64_t size;
	const char *error = read_head(d, size_max, &size);

	if (error)
		return error;
	to->data = malloc(size ? size : 1);
	if (!to->data)
		return "out of memory";
	to->size = d->size = size;
	d->to = to->data;
	set_chances(&d->chances);
	return read_all(d);
}

bool lzma_read(const void *data, size_t size, size_t size_max, struct file_bytes *to,
	       struct host_error *error)
{
	struct decoder *d = calloc(1, sizeof(*d));
	const char *wrong = "out of memory";

	*to = (struct file_bytes){ 0 };
	if (d) {
		d->from = bytes_reader_init(data, size);
		wrong = read_file(d, size_max, to);
	}
	free(d);
	if (!wrong)
		return true;
	file_free(to);
	return host_fail(error, "%s", wrong);
}
