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
	{ { 0xf3, 0x0f, 0x01, 0xfd }, 4, true, INSN_OTHER, 4, 0, 0 }, /* RMPQUERY */
	{ { 0x0f, 0x01, 0xfe }, 3, true, INSN_INVLPGB, 3, 0, 0 },
	{ { 0x67, 0x0f, 0x01, 0xfe }, 4, true, INSN_INVLPGB, 4, 0, 0 },
	{ { 0x0f, 0x01, 0xff }, 3, false, INSN_TLBSYNC, 3, 0, 0 },
	{ { 0x0f, 0x22, 0xc0 }, 3, true, INSN_MOV_TO_CR, 3, 0, 0 },
	{ { 0x0f, 0x22, 0xdf }, 3, false, INSN_MOV_TO_CR, 3, 3, 7 },
	{ { 0x41, 0x0f, 0x22, 0xdc }, 4, true, INSN_MOV_TO_CR, 4, 3, 12 },
	{ { 0x44, 0x0f, 0x20, 0xc0 }, 4, true, INSN_MOV_FROM_CR, 4, 8, 0 },
	{ { 0x0f, 0x01, 0xf1 }, 3, false, INSN_LMSW_REGISTER, 3, 0, 1 },
	{ { 0x0f, 0x30 }, 2, true, INSN_WRMSR, 2, 0, 0 },
	{ { 0x2e, 0x48, 0x0f, 0x32 }, 4, true, INSN_RDMSR, 4, 0, 0 },
	{ { 0xf4 }, 1, true, INSN_HLT, 1, 0, 0 },
	{ { 0xf3, 0xf4 }, 2, false, INSN_HLT, 2, 0, 0 },
	{ { 0x90 }, 1, true, INSN_OTHER, 1, 0, 0 },
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_only_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
