/* SPDX-License-Identifier: MIT */
/*
 * The end by pvpanic (QEMU, docs/specs/pvpanic): the port says which events it knows, one that it
 * is not told of changes nothing, and the panic ends the machine.
 */
#include "tests/machine/guest/guest.h"

#define PORT 0x505u
#define PANICKED 1u
#define CRASH_LOADED 2u

void test_main(void)
{
	check("pvpanic knows the panic alone", ghcb_in8(PORT), PANICKED);
	ghcb_out8(PORT, CRASH_LOADED);
	check("another event is no end", ghcb_in8(PORT), PANICKED);
	ghcb_out8(PORT, PANICKED | CRASH_LOADED);
	check("the machine ends with the panic", 1, 0);
}
