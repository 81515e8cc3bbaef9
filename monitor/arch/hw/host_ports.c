/* SPDX-License-Identifier: MIT */
/* The log's debug console and the 16550 of the host channel, both by IOIO exits. */
#include "monitor/arch/arch.h"
#include "monitor/cpu/wait.h"
#include "monitor/ghcb/ghcb.h"

#define UART_DATA 0u
#define UART_INTERRUPT_ENABLE 1u
#define UART_INTERRUPT_ID 2u /* read */
#define UART_FIFO_CONTROL 2u /* written */
#define UART_LINE_CONTROL 3u
#define UART_LINE_STATUS 5u
#define FIFO_ENABLE_CLEAR 0x07u
#define FIFO_ENABLE 0x01u
#define FIFO_TRIGGER_SHIFT 6
#define ID_MASK 0x0fu
#define ID_RECEIVED 0x04u /* as many bytes as the trigger says, or more */
#define ID_PAUSE 0x0cu	  /* fewer, and nobody has read or sent any for a while: at least one */
#define LINE_8N1 0x03u
#define STATUS_DATA_READY 0x01u
#define STATUS_TRANSMIT_EMPTY 0x20u
#define UART_FIFO_SIZE 16u
#define ENABLE_RECEIVED 0x01u
#define ENABLE_TRANSMIT_EMPTY 0x02u
#define ENABLED_UNKNOWN 0xffu
#define CHANNEL_VECTOR 0x42u
#define WAIT_MAX_NS 100000000ull
#define LOG_LINE_MAX 512u

static struct {
	bool ready;
	uint16_t debug_port;   /* 0: none */
	uint16_t channel_port; /* 0: none */
	uint32_t channel_pin;
	bool muted;	 /* nobody sleeps for the channel any more; read by all */
	uint8_t enabled; /* which interrupts the port raises, where that is known */
	uint8_t trigger; /* how many bytes make an interrupt; 0: not known */
	uint8_t known;	 /* bytes that are there to read, at least */
	bool told;	 /* of them, by the port's interrupt */
	bool silent;	 /* at the last look the port told of none */
	size_t used;
	char line[LOG_LINE_MAX];
} ports;

static void flush_log(size_t size)
{
	if (ports.debug_port)
		ghcb_io_write_string(ports.debug_port, ports.line, size);
	__atomic_store_n(&ports.used, 0, __ATOMIC_RELAXED);
}

/*
 * The log's lock keeps others out, but not a vCPU that dies: then, at worst, characters are lost or
 * mixed.
 */
void arch_log_putc(char c)
{
	size_t used = __atomic_load_n(&ports.used, __ATOMIC_RELAXED);

	if (used < LOG_LINE_MAX)
		ports.line[used++] = c;
	__atomic_store_n(&ports.used, used, __ATOMIC_RELAXED);
	if (ports.ready && cpu_this()->ghcb && (c == '\n' || used == LOG_LINE_MAX))
		flush_log(used);
}

/*
 * Makes the 16550 a line without parity, that is silent at first. False when there is none: an
 * empty bus reads as all ones, and the four upper bits of the interrupt enable register are always
 * zero (PC16550D).
 */
static bool start_uart(uint16_t port)
{
	uint8_t enabled;

	return ghcb_io_write8(port + UART_LINE_CONTROL, LINE_8N1) &&
	       ghcb_io_write8(port + UART_INTERRUPT_ENABLE, 0) &&
	       ghcb_io_read8(port + UART_INTERRUPT_ENABLE, &enabled) && enabled == 0 &&
	       ghcb_io_write8(port + UART_FIFO_CONTROL, FIFO_ENABLE_CLEAR);
}

void arch_ports_init(const struct socle_params *params)
{
	if (params->features & SOCLE_FEATURE_DEBUG_CONSOLE)
		ports.debug_port = params->debug_console_port;
	if (params->features & SOCLE_FEATURE_HOST_CHANNEL &&
	    start_uart(params->host_channel_port)) {
		ports.channel_port = params->host_channel_port;
		ports.channel_pin = params->host_channel_pin;
		(void)ghcb_ioapic_pin(ports.channel_pin, cpu_this()->index, CHANNEL_VECTOR);
	}
	ports.ready = true;
	if (ports.used)
		flush_log(ports.used);
}

static bool write_enable(uint8_t what)
{
	return ghcb_io_write8(ports.channel_port + UART_INTERRUPT_ENABLE, what);
}

/* From silence to one thing, so that what is there already is an edge of the interrupt. */
static bool enable(uint8_t what)
{
	bool done = what == ports.enabled ||
		    ((ports.enabled == 0 || write_enable(0)) && (what == 0 || write_enable(what)));

	ports.enabled = done ? what : ENABLED_UNKNOWN;
	return done;
}

/*
 * Sleeps until the port says that, or something else comes: whoever holds no lock and has moved
 * nothing looks again then. What has come since the look was an edge of the interrupt, and what is
 * there when that is let in is one. A timer that runs for the service is as good as one for this,
 * and without one an edge that the host loses would be missed for ever.
 */
static void wait_for(uint8_t what, size_t moved)
{
	struct cpu *cpu = cpu_this();

	if (moved || __atomic_load_n(&ports.muted, __ATOMIC_RELAXED) || lock_any_held())
		return;
	if (!cpu->timer_deadline)
		arch_timer_arm(cpu, WAIT_MAX_NS, WAIT_MAX_NS);
	if (cpu->timer_deadline && enable(what))
		wait_event(cpu);
	arch_poll_events(cpu);
}

/*
 * Whatever it believes of the port; either is enough, so that one which the host refuses does not
 * keep the other from it.
 */
void arch_host_channel_mute(void)
{
	__atomic_store_n(&ports.muted, true, __ATOMIC_RELAXED);
	if (!ports.channel_port)
		return;
	ports.enabled = ENABLED_UNKNOWN;
	(void)enable(0);
	(void)ghcb_ioapic_pin(ports.channel_pin, 0, 0);
}

bool arch_host_channel_write(const void *from, size_t size, size_t *moved)
{
	const uint8_t *bytes = from;
	uint8_t status;

	*moved = 0;
	if (!ports.channel_port)
		return false;
	while (*moved < size) {
		size_t step = size - *moved < UART_FIFO_SIZE ? size - *moved : UART_FIFO_SIZE;

		if (!ghcb_io_read8(ports.channel_port + UART_LINE_STATUS, &status))
			return false;
		if (!(status & STATUS_TRANSMIT_EMPTY)) {
			wait_for(ENABLE_TRANSMIT_EMPTY, *moved);
			break;
		}
		if (!ghcb_io_write_string(ports.channel_port + UART_DATA, bytes + *moved, step))
			return false;
		*moved += step;
	}
	return true;
}

/*
 * Has the port interrupt when as many bytes are there as its FIFO can tell of, but no more than are
 * wanted: the last of a message make one, too.
 */
static bool set_trigger(size_t wanted)
{
	static const uint8_t levels[] = { 1, 4, 8, 14 };
	uint8_t i = sizeof(levels) - 1;

	while (i && levels[i] > wanted)
		i--;
	if (ports.trigger == levels[i])
		return true;
	ports.trigger = 0;
	if (!ghcb_io_write8(ports.channel_port + UART_FIFO_CONTROL,
			    (uint8_t)(FIFO_ENABLE | i << FIFO_TRIGGER_SHIFT)))
		return false;
	ports.trigger = levels[i];
	return true;
}

/* What the port's interrupt says of bytes, of which then one exit fetches all. */
static bool look_at_interrupt(void)
{
	uint8_t id;

	if (!ghcb_io_read8(ports.channel_port + UART_INTERRUPT_ID, &id))
		return false;
	id &= ID_MASK;
	ports.known = id == ID_RECEIVED ? ports.trigger : id == ID_PAUSE;
	ports.told = ports.known;
	return true;
}

/*
 * Finds out how many bytes are there, at least. A port that twice told of none is asked for one: it
 * may not tell.
 */
static bool look(void)
{
	uint8_t status;

	if (ports.enabled == ENABLE_RECEIVED) {
		bool silent = ports.silent;

		if (!look_at_interrupt())
			return false;
		ports.silent = !ports.known;
		if (ports.known || !silent)
			return true;
	}
	if (!ghcb_io_read8(ports.channel_port + UART_LINE_STATUS, &status))
		return false;
	ports.known = status & STATUS_DATA_READY;
	ports.told = false;
	return true;
}

/* Reads some of those. */
static bool take(uint8_t *to, size_t size)
{
	bool done = size > 1 ? ghcb_io_read_string(ports.channel_port + UART_DATA, to, size)
			     : ghcb_io_read8(ports.channel_port + UART_DATA, to);

	ports.known -= (uint8_t)size;
	return done;
}

/* Reads of what is there as much as is wanted, or as can be told without waiting. */
static bool take_next(uint8_t *to, size_t wanted, size_t *taken)
{
	*taken = 0;
	if (!set_trigger(wanted) || (!ports.known && !look()))
		return false;
	*taken = wanted < ports.known ? wanted : ports.known;
	return !*taken || take(to, *taken);
}

/*
 * Those that an interrupt told of are read: others make another one, which is cheaper to wait for.
 */
static bool all_told(void)
{
	return ports.told && !ports.known;
}

bool arch_host_channel_read(void *to, size_t size, size_t *moved)
{
	uint8_t *bytes = to;

	*moved = 0;
	if (!ports.channel_port)
		return false;
	while (*moved < size && !(*moved && all_told())) {
		size_t taken;

		if (!take_next(bytes + *moved, size - *moved, &taken))
			return false;
		if (!taken) {
			wait_for(ENABLE_RECEIVED, *moved);
			break;
		}
		*moved += taken;
	}
	return true;
}
