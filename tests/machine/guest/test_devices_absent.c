/* SPDX-License-Identifier: MIT */
/*
 * What an option gives is not there without it: it reads as anything without a device, and a write
 * does nothing. Ports of --test-devices and --test-channel, and the registers of --tpm.
 */
#include "tests/machine/guest/guest.h"

#define TESTER_COM4 0x2e8u
#define TPM 0xfed40000ull /* its registers and what they are: tpm.c */
#define TPM_START 0x4cu
#define TPM_BUFFER 0x80u
#define SCRATCH 7u /* line control, divisor and scratch registers of a 16550 read as written */

static void is_absent(const char *rule, uint16_t port)
{
	ghcb_out8(port, 0x12);
	check(rule, ghcb_in8(port), 0xff);
}

/* Firmware takes a TPM whose registers read so for none (edk2, Tpm2DeviceLibDTpm, PTP presence). */
static void has_no_tpm(void)
{
	ghcb_mmio_write(TPM + TPM_START, 4, 1);
	check("no TPM", ghcb_mmio_read(TPM, 1), 0xff);
	check("  nor its buffer", ghcb_mmio_read(TPM + TPM_BUFFER, 8), ~0ull);
}

void test_main(void)
{
	is_absent("no echo", 0xe0);
	is_absent("no exit port", 0xf4);
	is_absent("no fourth serial port", TESTER_COM4 + SCRATCH);
	has_no_tpm();
}
