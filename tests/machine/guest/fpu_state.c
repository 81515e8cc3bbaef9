/* SPDX-License-Identifier: MIT */
/*
 * x87 and SSE registers belong to a vCPU at a level: they are in its VMSA while another level runs
 * (APM volume 2, table B-4: MXCSR 0x408, x87 at 0x420, XMM at 0x470).
 */
#include <string.h>

#include "tests/machine/guest/guest.h"

void fpu_fill_low(void);       /* XMMn = bytes 0x10 + n; ST0 = 1.0; MXCSR 0x1fc0 */
void fpu_fill_high(void);      /* XMMn = bytes 0x80 + n; ST0 = pi, ST1 = 1.0; MXCSR 0x3f80 */
void fpu_save(uint8_t *image); /* FXSAVE64 */

static uint8_t here[512] __attribute__((aligned(16)));
static uint8_t there[512] __attribute__((aligned(16)));

static const uint8_t one[10] = { 0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f };
static const uint8_t pi[10] = { 0x35, 0xc2, 0x68, 0x21, 0xa2, 0xda, 0x0f, 0xc9, 0x00, 0x40 };

static void at_level2(void)
{
	fpu_save(there);
	fpu_fill_high();
	level2_return();
	memset(there, 0, sizeof(there));
	fpu_save(there);
	for (;;)
		level2_return();
}

/* XMM registers of which all bytes are first + n. */
static uint64_t matching(const uint8_t *registers, uint8_t first)
{
	uint64_t count = 0;

	for (unsigned int n = 0; n < 16; n++) {
		bool same = true;

		for (unsigned int i = 0; i < 16; i++)
			same = same && registers[16 * n + i] == first + n;
		count += same;
	}
	return count;
}

static uint32_t word(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

void test_main(void)
{
	uint8_t *vmsa = (uint8_t *)level2_create(at_level2);

	for (unsigned int i = 0; i < 256; i++)
		vmsa[0x470 + i] = (uint8_t)(0x50 + i / 16);
	level2_start();
	fpu_fill_low();
	check("run VMPL2", level2_run(), 0x017);
	fpu_save(here);
	check("VMPL2 started with the XMM registers of its VMSA", matching(there + 160, 0x50), 16);
	check("VMPL2 started with the MXCSR of its VMSA", word(there + 24), 0x1f80);
	check("VMPL0 has its XMM registers again", matching(here + 160, 0x10), 16);
	check("VMPL0 has its MXCSR again", word(here + 24), 0x1fc0);
	check("VMPL0 has its ST0 again: 1.0", memcmp(here + 32, one, 10), 0);
	check("XMM registers of VMPL2 in its VMSA at 0x470", matching(vmsa + 0x470, 0x80), 16);
	check("MXCSR of VMPL2 at 0x408", word(vmsa + 0x408), 0x3f80);
	check("ST0 of VMPL2 at 0x420: pi", memcmp(vmsa + 0x420, pi, 10), 0);
	check("ST1 of VMPL2 at 0x42a: 1.0", memcmp(vmsa + 0x42a, one, 10), 0);
	check("run VMPL2 again", level2_run(), 0x017);
	check("VMPL2 has its XMM registers again", matching(there + 160, 0x80), 16);
	check("VMPL2 has its ST0 again: pi", memcmp(there + 32, pi, 10), 0);
}
