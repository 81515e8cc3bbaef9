/* SPDX-License-Identifier: MIT */
/*
 * The TPM of `--tpm`, by its command response buffer: TCG PC Client Platform TPM Profile 1.05, 6.5
 * (registers), and QEMU's hw/tpm/tpm_crb.c, which has the buffer behind them. It is one that nobody
 * has started yet.
 */
#include "tests/machine/guest/guest.h"

#define TPM 0xfed40000ull
#define LOC_STATE 0x00u
#define LOC_CTRL 0x08u
#define LOC_STS 0x0cu
#define INTF_ID 0x30u
#define CTRL_REQ 0x40u
#define CTRL_STS 0x44u
#define CTRL_START 0x4cu
#define CMD_SIZE 0x58u
#define CMD_LOW 0x5cu
#define BUFFER 0x80u
#define PATIENCE 2000000u
#define INVALID_INPUT 5u

static uint32_t get(uint32_t reg)
{
	return (uint32_t)ghcb_mmio_read(TPM + reg, 4);
}

static void set(uint32_t reg, uint32_t value)
{
	ghcb_mmio_write(TPM + reg, 4, value);
}

/*
 * The host's reason to refuse a read that goes on behind the page, 0 where it answers: such a one
 * is at no multiple of its size (GHCB specification, table of SW_EXITINFO2 of malformed input).
 */
static uint64_t refusal(uint32_t reg, unsigned int size)
{
	struct ghcb_answer answer;

	ghcb_own()->sw_scratch = ghcb_gpa() + offsetof(struct ghcb, shared_buffer);
	ghcb_set_valid(offsetof(struct ghcb, sw_scratch));
	answer = ghcb_exit(0x80000001, TPM + reg, size);
	return answer.result == 2 ? answer.info_2 : 0;
}

/* The code of the response; ~0 when there is none. */
static uint32_t startup(void)
{
	static const uint8_t command[12] = { 0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0 };
	uint32_t code = 0;

	for (unsigned int i = 0; i < sizeof(command); i++)
		ghcb_mmio_write(TPM + BUFFER + i, 1, command[i]);
	set(CTRL_START, 1);
	for (unsigned int i = 0; get(CTRL_START); i++)
		if (i == PATIENCE)
			return ~0u;
	for (unsigned int i = 6; i < 10; i++)
		code = code << 8 | (uint32_t)ghcb_mmio_read(TPM + BUFFER + i, 1);
	return code;
}

static void registers(void)
{
	check("registers are valid, and no locality is active", get(LOC_STATE) & 0x9f, 0x81);
	check("a buffer, and no FIFO", get(INTF_ID) & 0x600f, 0x4001);
	check("the buffer is behind the registers", get(CMD_LOW), TPM + BUFFER);
	check("  and ends with their page", get(CMD_SIZE), 0x1000 - BUFFER);
	check("eight bytes are two registers", ghcb_mmio_read(TPM + CMD_SIZE, 8),
	      (TPM + BUFFER) << 32 | (0x1000 - BUFFER));
	ghcb_mmio_write(TPM + BUFFER, 8, 0x8877665544332211ull);
	check("  and of the buffer, both halves",
	      ghcb_mmio_read(TPM + BUFFER + 3, 1) << 8 | ghcb_mmio_read(TPM + BUFFER + 4, 1),
	      0x4455);
	check("  and read back", ghcb_mmio_read(TPM + BUFFER, 8), 0x8877665544332211ull);
	check("another locality's registers are not there", ghcb_mmio_read(TPM + 0x1000, 1), 0xff);
	check("  nor by an access that begins before", refusal(0xffc, 8), INVALID_INPUT);
	check("  or of four bytes", refusal(0xffe, 4), INVALID_INPUT);
}

static void commands(void)
{
	set(LOC_CTRL, 1);
	check("locality 0 is granted", get(LOC_STS) & 1, 1);
	set(CTRL_REQ, 1);
	check("the TPM is ready", get(CTRL_STS) & 3, 0);
	check("TPM2_Startup", startup(), 0);
	check("  once", startup(), 0x100); /* TPM_RC_INITIALIZE */
}

void test_main(void)
{
	registers();
	commands();
}
