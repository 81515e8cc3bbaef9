/* SPDX-License-Identifier: MIT */
/*
 * The ports of --test-devices: QEMU's hw/misc/pc-testdev.c (an echo of four bytes at 0xe0, little
 * endian) and hw/misc/debugexit.c (a write ends the machine with the value, reads are 0).
 */
#include "tests/machine/guest/guest.h"

#define ECHO 0xe0u
#define EXIT 0xf4u
#define OTHERS 0xe4u /* of pc-testdev, which the machine has not */
#define INVALID_INPUT 5u

static struct ghcb_answer out(uint16_t port, unsigned int size, uint64_t value)
{
	ghcb->rax = value;
	ghcb_set_valid(0x1f8);
	return ghcb_exit(0x7b, (uint64_t)port << 16 | size << 4, 0);
}

static uint64_t in(uint16_t port, unsigned int size)
{
	ghcb->rax = 0;
	(void)ghcb_exit(0x7b, (uint64_t)port << 16 | size << 4 | 1, 0);
	return ghcb->rax;
}

static void sizes(void)
{
	(void)out(ECHO, 4, 0xffffffff89abcdef);
	check("four bytes read as they were written", in(ECHO, 4), 0x89abcdef);
	check("  the first of them", in(ECHO, 1), 0xef);
	check("  the last", in(ECHO + 3, 1), 0x89);
	check("  two in the middle", in(ECHO + 1, 2), 0xabcd);
	(void)out(ECHO + 1, 1, 0x55);
	(void)out(ECHO + 2, 2, 0x1234);
	check("bytes and words are written in their place", in(ECHO, 4), 0x123455ef);
}

static void edges(void)
{
	(void)out(ECHO + 3, 2, 0);
	(void)out(ECHO + 1, 4, 0);
	(void)out(ECHO - 1, 4, 0);
	check("what reaches beyond it is not written", in(ECHO, 4), 0x123455ef);
	check("  nor read behind it", in(ECHO + 3, 2), 0xffff);
	check("  nor before it", in(ECHO - 2, 4), 0xffffffff);
	check("three bytes are no size", out(ECHO, 3, 0).info_2, INVALID_INPUT);
	check("  nor are none", out(ECHO, 0, 0).info_2, INVALID_INPUT);
	(void)out(OTHERS, 4, 0);
	check("pc-testdev's other ports are not there", in(OTHERS, 4), 0xffffffff);
	check("  nor its bytes", in(OTHERS + 4, 1), 0xff);
}

/* OUTS and INS, by the GHCB's shared buffer: the last word stays. */
static void strings(void)
{
	volatile uint16_t *words = (volatile uint16_t *)ghcb->shared_buffer;

	for (uint16_t i = 0; i < 4; i++)
		words[i] = (uint16_t)(0x1111 * (i + 1));
	ghcb->sw_scratch = ghcb_gpa() + 0x800;
	ghcb_set_valid(0x3a8);
	(void)ghcb_exit(0x7b, (uint64_t)ECHO << 16 | 1u << 9 | 1u << 5 | 1u << 3 | 1u << 2, 4);
	check("of a string the last word stays", in(ECHO, 2), 0x4444);
	ghcb_set_valid(0x3a8);
	(void)ghcb_exit(0x7b, (uint64_t)ECHO << 16 | 1u << 9 | 1u << 5 | 1u << 3 | 1u << 2 | 1, 4);
	check("  and comes back in each", words[0] == 0x4444 && words[3] == 0x4444, 1);
}

/* It does not return: how the run ends is the runner's to look at. */
static void end(void)
{
	check("the exit port reads 0", in(EXIT, 4), 0);
	(void)out(EXIT + 2, 4, 1);
	(void)out(EXIT - 1, 2, 1);
	check("what reaches beyond it does not end the machine", in(EXIT, 1), 0);
	(void)out(EXIT, 4, 0xffffffffcafe1234);
}

void test_main(void)
{
	check("the echo is 0 at first", in(ECHO, 4), 0);
	sizes();
	edges();
	strings();
	end();
}
