/* SPDX-License-Identifier: MIT */
/* The log's debug console and the 16550 of the host channel, both by IOIO exits. */
#include "monitor/arch/arch.h"
#include "monitor/arch/hw/host.h"
#include "monitor/ghcb/ghcb.h"

#define UART_DATA 0u
#define UART_FIFO_CONTROL 2u
#define UART_LINE_CONTROL 3u
#define UART_LINE_STATUS 5u
#define FIFO_ENABLE_CLEAR 0x07u
#define LINE_8N1 0x03u
#define STATUS_DATA_READY 0x01u
#define STATUS_TRANSMIT_EMPTY 0x20u
#define UART_FIFO_SIZE 16u
#define UART_NOTHING 0xffu /* what an empty bus reads as */
#define TRANSMIT_POLLS 100000u
#define LOG_LINE_MAX 512u

static struct {
	bool ready;
	uint16_t debug_port; /* 0: none */
	uint16_t channel_port;
	size_t used;
	char line[LOG_LINE_MAX];
} ports;

static void flush_log(void)
{
	if (ports.debug_port)
		ghcb_io_write_string(ports.debug_port, ports.line, ports.used);
	ports.used = 0;
}

void arch_log_putc(char c)
{
	if (ports.used < LOG_LINE_MAX)
		ports.line[ports.used++] = c;
	if (ports.ready && cpu_this()->ghcb && (c == '\n' || ports.used == LOG_LINE_MAX))
		flush_log();
}

void host_ports_init(const struct socle_params *params)
{
	if (params->features & SOCLE_FEATURE_DEBUG_CONSOLE)
		ports.debug_port = params->debug_console_port;
	if (params->features & SOCLE_FEATURE_HOST_CHANNEL) {
		ports.channel_port = params->host_channel_port;
		ghcb_io_write8(ports.channel_port + UART_FIFO_CONTROL, FIFO_ENABLE_CLEAR);
		ghcb_io_write8(ports.channel_port + UART_LINE_CONTROL, LINE_8N1);
	}
	ports.ready = true;
	if (ports.used)
		flush_log();
}

/* False when the port is not there, or stays full for longer than anyone should wait. */
static bool wait_transmit(void)
{
	for (unsigned int i = 0; i < TRANSMIT_POLLS; i++) {
		uint8_t status;

		if (!ghcb_io_read8(ports.channel_port + UART_LINE_STATUS, &status) ||
		    status == UART_NOTHING)
			return false;
		if (status & STATUS_TRANSMIT_EMPTY)
			return true;
	}
	return false;
}

size_t arch_host_channel_write(const void *from, size_t size)
{
	const uint8_t *bytes = from;
	size_t done = 0;

	while (ports.channel_port && done < size && wait_transmit()) {
		size_t step = size - done < UART_FIFO_SIZE ? size - done : UART_FIFO_SIZE;

		if (!ghcb_io_write_string(ports.channel_port + UART_DATA, bytes + done, step))
			break;
		done += step;
	}
	return done;
}

static bool read_byte(uint8_t *byte)
{
	uint8_t status;

	if (!ghcb_io_read8(ports.channel_port + UART_LINE_STATUS, &status) ||
	    status == UART_NOTHING || !(status & STATUS_DATA_READY))
		return false;
	return ghcb_io_read8(ports.channel_port + UART_DATA, byte);
}

size_t arch_host_channel_read(void *to, size_t size)
{
	uint8_t *bytes = to;
	size_t done = 0;

	while (ports.channel_port && done < size && read_byte(&bytes[done]))
		done++;
	return done;
}
