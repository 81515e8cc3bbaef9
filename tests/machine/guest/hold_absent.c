/* SPDX-License-Identifier: MIT */
/* Without `--hold` there is no such port: it reads as any port without a device. */
#include "tests/machine/guest/guest.h"

void test_main(void)
{
	check("port 0xea reads all ones", ghcb_in8(0xea), 0xff);
	ghcb_out8(0xea, 1);
	check("  also when it was written to", ghcb_in8(0xea), 0xff);
}
