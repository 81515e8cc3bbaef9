/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi/channel.h"
#include "core/base/frame.h"

/* "nonce" as a frame of type NONCE. The CRC-32 of "nonce" is by zlib. */
static const uint8_t nonce_frame[] = {
	'S',  'C',  'F',  '1',	2,   0,	  0,   0,   5,	 0, 0, 0, /* magic, type, length */
	0xfd, 0x92, 0x24, 0xb2, 'n', 'o', 'n', 'c', 'e',
};

static const struct frame_kind kind = { CHANNEL_MAGIC, CHANNEL_PAYLOAD_MAX };

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct frame_parser));
	return *state == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void assert_nonce(struct frame_parser *parser)
{
	struct frame frame;

	assert_true(frame_next(parser, &kind, &frame));
	assert_int_equal(frame.type, CHANNEL_NONCE);
	assert_int_equal(frame.size, 5);
	assert_memory_equal(frame.payload, "nonce", 5);
}

static void test_header_bytes(void **state)
{
	struct frame_header header = frame_header(CHANNEL_MAGIC, CHANNEL_NONCE, "nonce", 5);

	(void)state;
	assert_memory_equal(&header, nonce_frame, sizeof(header));
}

static void test_byte_by_byte(void **state)
{
	struct frame_parser *parser = *state;
	struct frame frame;
	size_t i;

	for (i = 0; i + 1 < sizeof(nonce_frame); i++) {
		assert_int_equal(frame_push(parser, nonce_frame + i, 1), 1);
		assert_false(frame_next(parser, &kind, &frame));
	}
	assert_int_equal(frame_push(parser, nonce_frame + i, 1), 1);
	assert_nonce(parser);
	assert_false(frame_next(parser, &kind, &frame));
}

static void test_two_in_one_read(void **state)
{
	struct frame_parser *parser = *state;
	struct frame frame;

	frame_push(parser, nonce_frame, sizeof(nonce_frame));
	frame_push(parser, nonce_frame, sizeof(nonce_frame));
	assert_nonce(parser);
	assert_nonce(parser);
	assert_false(frame_next(parser, &kind, &frame));
}

static void test_noise_is_skipped(void **state)
{
	struct frame_parser *parser = *state;

	frame_push(parser, "login: SCSCFSCF0", 16);
	frame_push(parser, nonce_frame, sizeof(nonce_frame));
	assert_nonce(parser);
}

static void test_wrong_checksum_is_skipped(void **state)
{
	struct frame_parser *parser = *state;
	uint8_t wrong[sizeof(nonce_frame)];
	struct frame frame;

	memcpy(wrong, nonce_frame, sizeof(wrong));
	wrong[16] ^= 1;
	frame_push(parser, wrong, sizeof(wrong));
	assert_false(frame_next(parser, &kind, &frame));
	frame_push(parser, nonce_frame, sizeof(nonce_frame));
	assert_nonce(parser);
}

static void test_too_long_is_skipped(void **state)
{
	struct frame_parser *parser = *state;
	/* One byte more than CHANNEL_PAYLOAD_MAX. */
	static const uint8_t longer[] = { 'S', 'C', 'F', '1', 3, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0 };

	frame_push(parser, longer, sizeof(longer));
	frame_push(parser, nonce_frame, sizeof(nonce_frame));
	assert_nonce(parser);
}

static void test_largest(void **state)
{
	struct frame_parser *parser = *state;
	uint8_t *payload = malloc(CHANNEL_PAYLOAD_MAX);
	struct frame_header header;
	struct frame frame;
	size_t done = 0;

	assert_non_null(payload);
	memset(payload, 'x', CHANNEL_PAYLOAD_MAX);
	header = frame_header(CHANNEL_MAGIC, CHANNEL_FILE, payload, CHANNEL_PAYLOAD_MAX);
	/* With noise before it there is not room for all of it at first. */
	frame_push(parser, "noise", 5);
	frame_push(parser, &header, sizeof(header));
	while (!frame_next(parser, &kind, &frame)) {
		assert_true(frame_room(parser) > 0);
		done += frame_push(parser, payload + done, CHANNEL_PAYLOAD_MAX - done);
	}
	assert_int_equal(done, CHANNEL_PAYLOAD_MAX);
	assert_int_equal(frame.size, CHANNEL_PAYLOAD_MAX);
	assert_memory_equal(frame.payload, payload, CHANNEL_PAYLOAD_MAX);
	free(payload);
}

static void test_full_of_noise(void **state)
{
	struct frame_parser *parser = *state;
	struct frame frame;

	while (frame_room(parser) > 0)
		frame_push(parser, "SCF1SCF1", 8);
	assert_false(frame_next(parser, &kind, &frame));
	assert_true(frame_room(parser) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_bytes),
		cmocka_unit_test_setup_teardown(test_byte_by_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_in_one_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_noise_is_skipped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_checksum_is_skipped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_long_is_skipped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_largest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_of_noise, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
