/* SPDX-License-Identifier: MIT */
/* A reset by the keyboard controller, as Linux does it first: the machine ends and says so. */
#include "tests/machine/guest/guest.h"

void test_main(void)
{
	ghcb_out8(0x64, 0xaa); /* self-test: no reset */
	check("another command does not reset", 1, 1);
	ghcb_out8(0x64, 0xfe);
	check("it goes on after the reset", 1, 0);
}
