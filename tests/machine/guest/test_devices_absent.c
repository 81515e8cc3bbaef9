/* SPDX-License-Identifier: MIT */
/*
 * What an option gives is not there without it: it reads as anything without a device, and a write
 * does nothing. Ports of --test-devices and --test-channel, and the window of --svsm-disk.
 */
#include "tests/machine/guest/guest.h"

#define TESTER_COM4 0x2e8u
#define SCRATCH 7u /* line control, divisor and scratch registers of a 16550 read as written */

static void is_absent(const char *rule, uint16_t port)
{
	ghcb_out8(port, 0x12);
	check(rule, ghcb_in8(port), 0xff);
}

void test_main(void)
{
	is_absent("no echo", 0xe0);
	is_absent("no exit port", 0xf4);
	is_absent("no fourth serial port", TESTER_COM4 + SCRATCH);
}
