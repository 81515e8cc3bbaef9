/* SPDX-License-Identifier: MIT */
/* Encodings of APM volume 3, by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "machine/hv/insn/decode.h"

struct sample {
	uint8_t bytes[INSN_MAX];
	size_t size;
	bool long_mode;
	enum insn_kind kind;
	unsigned int length, control, reg;
};

static const struct sample samples[] = {
	{ { 0xf3, 0x0f, 0x01, 0xd9 }, 4, true, INSN_VMGEXIT, 4, 0, 0 },
	{ { 0xf2, 0x0f, 0x01, 0xd9 }, 4, true, INSN_VMGEXIT, 4, 0, 0 },
	{ { 0x0f, 0x01, 0xd9, 0xf3 }, 4, true, INSN_VMMCALL, 3, 0, 0 },
	{ { 0x66, 0x0f, 0x01, 0xd9 }, 4, false, INSN_VMMCALL, 4, 0, 0 },
	{ { 0xf2, 0x0f, 0x01, 0xff }, 4, true, INSN_PVALIDATE, 4, 0, 0 },
	{ { 0xf3, 0x0f, 0x01, 0xfe }, 4, true, INSN_RMPADJUST, 4, 0, 0 },
	{ { 0xf3, 0x0f, 0x01, 0xff }, 4, true, INSN_OTHER, 4, 0, 0 }, /* PSMASH */
	{ { 0xf2, 0x0f, 0x01, 0xfe }, 4, true, INSN_OTHER, 4, 0, 0 }, /* RMPUPDATE */
	{ { 0xf3, 0x0f, 0x01, 0xfd }, 4, true, INSN_RMPQUERY, 4, 0, 0 },
	{ { 0xf2, 0x0f, 0x01, 0xfd }, 4, true, INSN_OTHER, 4, 0, 0 }, /* RMPREAD */
	{ { 0x0f, 0x01, 0xfe }, 3, true, INSN_INVLPGB, 3, 0, 0 },
	{ { 0x67, 0x0f, 0x01, 0xfe }, 4, true, INSN_INVLPGB, 4, 0, 0 },
	{ { 0x0f, 0x01, 0xff }, 3, false, INSN_TLBSYNC, 3, 0, 0 },
	{ { 0x0f, 0x31 }, 2, true, INSN_RDTSC, 2, 0, 0 },
	{ { 0x66, 0x0f, 0x31 }, 3, false, INSN_RDTSC, 3, 0, 0 },
	{ { 0x0f, 0x01, 0xf9 }, 3, true, INSN_RDTSCP, 3, 0, 0 },
	{ { 0x0f, 0x22, 0xc0 }, 3, true, INSN_MOV_TO_CR, 3, 0, 0 },
	{ { 0x0f, 0x22, 0xdf }, 3, false, INSN_MOV_TO_CR, 3, 3, 7 },
	{ { 0x41, 0x0f, 0x22, 0xdc }, 4, true, INSN_MOV_TO_CR, 4, 3, 12 },
	{ { 0x44, 0x0f, 0x20, 0xc0 }, 4, true, INSN_MOV_FROM_CR, 4, 8, 0 },
	{ { 0x0f, 0x01, 0xf1 }, 3, false, INSN_LMSW_REGISTER, 3, 0, 1 },
	{ { 0xf0, 0x0f, 0x22, 0xc1 }, 4, false, INSN_MOV_TO_CR, 4, 8, 1 }, /* LOCK: CR8 */
	{ { 0x0f, 0x01, 0xe2 }, 3, true, INSN_SMSW_REGISTER, 3, 0, 2 },
	{ { 0x48, 0x0f, 0xc7, 0x27 }, 4, true, INSN_XSAVEC, 4, 0, 0 },
	{ { 0x48, 0x0f, 0xc7, 0x2f }, 4, true, INSN_XSAVES, 4, 0, 0 },
	{ { 0x48, 0x0f, 0xc7, 0x9c, 0x24, 0, 1, 0, 0 }, 9, true, INSN_XRSTORS, 9, 0, 0 },
	{ { 0x65, 0x0f, 0xae, 0x6c, 0x88, 0x10 }, 6, true, INSN_XRSTOR, 6, 0, 0 },
	{ { 0x0f, 0xae, 0x2d, 0, 1, 0, 0 }, 7, true, INSN_XRSTOR, 7, 0, 0 },
	{ { 0xf3, 0x0f, 0xc7, 0x27 }, 4, true, INSN_OTHER, 4, 0, 0 },
	{ { 0x0f, 0xc7, 0xe7 }, 3, true, INSN_OTHER, 3, 0, 0 }, /* a register */
	{ { 0x0f, 0xae, 0xe8 }, 3, true, INSN_OTHER, 3, 0, 0 }, /* LFENCE */
	{ { 0x0f, 0xc7, 0x67 }, 3, true, INSN_OTHER, 0, 0, 0 }, /* cut off */
	{ { 0x0f, 0x30 }, 2, true, INSN_WRMSR, 2, 0, 0 },
	{ { 0x2e, 0x48, 0x0f, 0x32 }, 4, true, INSN_RDMSR, 4, 0, 0 },
	{ { 0xf4 }, 1, true, INSN_HLT, 1, 0, 0 },
	{ { 0xf3, 0xf4 }, 2, false, INSN_HLT, 2, 0, 0 },
	{ { 0x90 }, 1, true, INSN_OTHER, 1, 0, 0 },
	{ { 0xf1 }, 1, true, INSN_ICEBP, 1, 0, 0 },
	{ { 0x66, 0xf1 }, 2, false, INSN_ICEBP, 2, 0, 0 },
	{ { 0xf0, 0xf1 }, 2, true, INSN_OTHER, 2, 0, 0 },
	/* 48 is no prefix outside 64-bit code. */
	{ { 0x48, 0x0f, 0x32 }, 3, false, INSN_OTHER, 1, 0, 0 },
};

static void test_samples(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const struct sample *s = &samples[i];
		struct insn insn = insn_decode(s->bytes, s->size, s->long_mode);

		assert_int_equal(insn.kind, s->kind);
		assert_int_equal(insn.length, s->length);
		if (insn.kind != INSN_MOV_TO_CR && insn.kind != INSN_MOV_FROM_CR)
			continue;
		assert_int_equal(insn.control, s->control);
		assert_int_equal(insn.reg, s->reg);
	}
}

static void test_cut_off(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		for (size_t size = 0; size < samples[i].length; size++)
			assert_int_equal(
				insn_decode(samples[i].bytes, size, samples[i].long_mode).kind,
				INSN_OTHER);
}

static void test_only_prefixes(void **state)
{
	uint8_t bytes[32];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = 0xf3;
	assert_int_equal(insn_decode(bytes, sizeof(bytes), true).kind, INSN_OTHER);
	bytes[14] = 0x0f; /* fifteen bytes are the limit */
	bytes[15] = 0x01;
	bytes[16] = 0xd9;
	assert_int_equal(insn_decode(bytes, sizeof(bytes), true).kind, INSN_OTHER);
}

/* Operands in memory: APM volume 3, 1.4.1 and 1.4.2. */
static void test_addresses(void **state)
{
	static const struct {
		uint8_t bytes[INSN_MAX];
		struct insn_address want;
	} operands[] = {
		{ { 0x48, 0x0f, 0xc7, 0x27 }, { 7, 0xff, 0, 0, false, false, false, 0 } },
		{ { 0x49, 0x0f, 0xc7, 0x67, 0x80 }, { 15, 0xff, 0, 0, false, false, false, -128 } },
		{ { 0x48, 0x0f, 0xc7, 0xa4, 0x24, 0x40, 0, 0, 0 },
		  { 4, 0xff, 0, 0, false, false, true, 64 } },
		{ { 0x4a, 0x0f, 0xc7, 0x64, 0xe3, 0x10 },
		  { 3, 12, 3, 0, false, false, false, 16 } },
		{ { 0x48, 0x0f, 0xc7, 0x25, 0, 0, 0, 0x80 },
		  { 0xff, 0xff, 0, 0, true, false, false, INT32_MIN } },
		{ { 0x65, 0x48, 0x0f, 0xc7, 0x24, 0x25, 0, 1, 0, 0 },
		  { 0xff, 0xff, 0, 0x65, false, false, false, 256 } },
		{ { 0x67, 0x0f, 0xc7, 0x60, 1 }, { 0, 0xff, 0, 0, false, true, false, 1 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(operands) / sizeof(operands[0]); i++) {
		struct insn insn = insn_decode(operands[i].bytes, INSN_MAX, true);
		const struct insn_address *want = &operands[i].want, *got = &insn.address;

		assert_int_equal(insn.kind, INSN_XSAVEC);
		assert_int_equal(got->base, want->base);
		assert_int_equal(got->index, want->index);
		if (want->index != 0xff)
			assert_int_equal(got->scale, want->scale);
		assert_int_equal(got->segment, want->segment);
		assert_int_equal(got->from_next, want->from_next);
		assert_int_equal(got->narrow, want->narrow);
		assert_int_equal(got->on_stack, want->on_stack);
		assert_int_equal(got->displacement, want->displacement);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_only_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
