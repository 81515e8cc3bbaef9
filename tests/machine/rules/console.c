/* SPDX-License-Identifier: MIT */
#include "tests/machine/rules/console.h"

#include <stdarg.h>
#include <stddef.h>

#include "core/base/printf.h"
#include "tests/machine/guest/exits.h"

#define PORT 0x3f8u
#define FIFO_CONTROL (PORT + 2)
#define FIFO_ENABLE 1u
#define LINE_STATUS (PORT + 5)
#define TRANSMITTER_EMPTY (1u << 5)
#define FIFO_SIZE 16u
#define PATIENCE 1000000u
#define OUTS_BYTES (SVM_IOIO_STRING | SVM_IOIO_REP | SVM_IOIO_SIZE8 | SVM_IOIO_ADDR64)

static char buffer[FIFO_SIZE];
static unsigned int used;
static bool started;

/* One exit for as many bytes as the port takes at once. */
static void flush(void)
{
	volatile struct ghcb *ghcb = ghcb_own();

	if (!started)
		ghcb_out8(FIFO_CONTROL, FIFO_ENABLE);
	started = true;
	for (unsigned int i = 0; i < PATIENCE && !(ghcb_in8(LINE_STATUS) & TRANSMITTER_EMPTY); i++)
		;
	for (unsigned int i = 0; i < used; i++)
		ghcb->shared_buffer[i] = (uint8_t)buffer[i];
	ghcb->sw_scratch = ghcb_gpa() + offsetof(struct ghcb, shared_buffer);
	ghcb_set_valid(offsetof(struct ghcb, sw_scratch));
	(void)ghcb_exit(SVM_EXIT_IOIO, (uint64_t)PORT << SVM_IOIO_PORT_SHIFT | OUTS_BYTES, used);
	used = 0;
}

static void put(void *context, char c)
{
	(void)context;
	buffer[used++] = c;
	if (used == FIFO_SIZE || c == '\n')
		flush();
}

void console_print(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf_write(put, NULL, fmt, args);
	va_end(args);
}
