/* SPDX-License-Identifier: MIT */
/* A reset by the chipset's reset control register: bit 2 resets, bit 1 says how. */
#include "tests/machine/guest/guest.h"

void test_main(void)
{
	ghcb_out8(0xcf9, 0x02);
	check("bit 1 alone does not reset", 1, 1);
	ghcb_out8(0xcf8, 0x06);
	check("nor does the port before it", 1, 1);
	ghcb_out8(0xcf9, 0x06);
	check("it goes on after the reset", 1, 0);
}
