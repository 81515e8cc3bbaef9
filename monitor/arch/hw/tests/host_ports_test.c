/* SPDX-License-Identifier: MIT */
/*
 * The log's port and the host channel against a 16550 of a few lines (National's PC16550D: register
 * n is at port + n; 3 line control, 1 interrupt enable, 2 FIFO control with the trigger of 1, 4, 8
 * or 14 bytes in 7:6, and where it is read the interrupt's identity in 3:0, 4 for the trigger and
 * Ch for a pause; 5 line status with data ready in bit 0 and the empty transmitter in bit 5; FIFOs
 * of 16 bytes). Each test is a process of its own, for the ports are set up once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "monitor/arch/arch.h"
#include "monitor/base/die.h"
#include "monitor/cpu/wait.h"
#include "monitor/ghcb/ghcb.h"

#define DEBUG 0x402u
#define UART 0x3e8u
#define PIN 5u

static struct cpu *cpu;
static struct ghcb ghcb_page;
static char log_out[4096], line_out[256];
static size_t log_used, line_used, longest;
static unsigned int log_writes;
static uint8_t written[8], enabled, input[256];
static size_t in_used, in_size;
static unsigned int looks, singles, strings, identities;
static bool paused;    /* since the last byte that came or was read */
static bool dumb;      /* it has no interrupt to tell of */
static bool busy;      /* the transmitter is */
static char steps[64]; /* of a wait, a letter each */
static const char *refused_step = "";
static bool locked = true;  /* by the caller */
static const char *refused; /* what the host does not do: a letter for each kind of access */
static struct socle_params params;

static bool host_does(char what)
{
	return !refused || !strchr(refused, what);
}

static void step(char what)
{
	steps[strlen(steps)] = what;
}

/* The pin is the parameter block's, the vCPU the one that waits. */
bool ghcb_ioapic_pin(unsigned int pin, unsigned int index, uint8_t vector)
{
	assert_int_equal(pin, PIN);
	assert_int_equal(index, vector ? cpu->index : 0);
	assert_true(vector == 0 || (vector >= 32 && vector != 0x40));
	step(vector ? 'p' : 'm');
	return !strchr(refused_step, vector ? 'p' : 'm');
}

void arch_timer_arm(struct cpu *which, uint64_t deadline_ns, uint64_t period_ns)
{
	assert_ptr_equal(which, cpu);
	assert_int_not_equal(deadline_ns, 0);
	assert_int_equal(period_ns, 100000000);
	step('t');
	which->timer_deadline = strchr(refused_step, 't') ? 0 : deadline_ns;
}

void arch_timer_stop(struct cpu *which)
{
	assert_ptr_equal(which, cpu);
	step('s');
}

bool arch_poll_events(struct cpu *which)
{
	assert_ptr_equal(which, cpu);
	step('e');
	return true;
}

void wait_halt(struct cpu *which)
{
	assert_ptr_equal(which, cpu);
	step('h');
}

bool lock_any_held(void)
{
	return locked;
}

_Noreturn void die(enum die_reason reason, const char *why)
{
	(void)reason;
	(void)why;
	_exit(1);
}

bool ghcb_io_write8(uint16_t port, uint8_t value)
{
	assert_in_range(port, UART + 1, UART + 3);
	written[port - UART] = value;
	if (port == UART + 1)
		step(value ? value == 1 ? 'i' : 'o' : '0');
	return host_does('0' + (char)(port - UART));
}

static size_t there(void)
{
	return in_size - in_used < 16 ? in_size - in_used : 16;
}

/* A pause goes before the trigger, as QEMU has it. */
static uint8_t identity(void)
{
	static const uint8_t levels[] = { 1, 4, 8, 14 };

	if (dumb || !there())
		return 0x01;
	if (paused)
		return 0x0c;
	return there() >= levels[written[2] >> 6] ? 0x04 : 0x01;
}

/* No more than it was said to have. */
bool ghcb_io_read_string(uint16_t port, void *to, size_t size)
{
	assert_int_equal(port, UART);
	assert_in_range(size, 2, there());
	memcpy(to, input + in_used, size);
	in_used += size;
	strings++;
	paused = false;
	return host_does('r');
}

bool ghcb_io_read8(uint16_t port, uint8_t *value)
{
	switch (port) {
	case UART:
		/* Nothing is to be had there before it says so. */
		assert_true(in_used < in_size);
		*value = input[in_used++];
		singles++;
		paused = false;
		return host_does('d');
	case UART + 1:
		*value = enabled;
		return host_does('e');
	case UART + 2:
		identities++;
		assert_int_equal(written[1] & 1, 1); /* it tells of what is enabled only */
		*value = 0xc0 | identity();
		return host_does('i');
	case UART + 5:
		looks++;
		*value = 0xde & ~0x20; /* everything else means nothing here */
		if (in_used < in_size)
			*value |= 1;
		if (!busy)
			*value |= 0x20;
		return host_does('s');
	default:
		fail();
		return false;
	}
}

bool ghcb_io_write_string(uint16_t port, const void *from, size_t size)
{
	if (port == DEBUG) {
		memcpy(log_out + log_used, from, size);
		log_used += size;
		log_writes++;
		return true;
	}
	assert_int_equal(port, UART);
	/* Not before the transmitter was seen empty, and no more than it has room for. */
	assert_true(looks != 0 && !busy);
	looks = 0;
	if (size > longest)
		longest = size;
	memcpy(line_out + line_used, from, size);
	line_used += size;
	return host_does('w');
}

static void put(const char *text)
{
	while (*text)
		arch_log_putc(*text++);
}

static void init(uint64_t features)
{
	params = (struct socle_params){ .features = features,
					.host_channel_port = UART,
					.host_channel_pin = PIN,
					.debug_console_port = DEBUG };
	arch_ports_init(&params);
}

static void alone(void (*test)(void))
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		cpu = fake_cpu_block();
		fake_cpu_reset(cpu);
		cpu->ghcb = &ghcb_page;
		test();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* In a child, where cmocka's assertions would not end the process. */
static void need(bool holds)
{
	if (!holds)
		_exit(1);
}

static bool logged(const char *text)
{
	return log_used == strlen(text) && memcmp(log_out, text, log_used) == 0;
}

static void early_lines(void)
{
	put("first\nsec");
	need(log_used == 0);
	init(1);
	need(logged("first\nsec"));
	put("ond\n");
	need(logged("first\nsecond\n"));
	need(log_writes == 2);
}

static void what_was_logged_early_goes_out(void **state)
{
	(void)state;
	alone(early_lines);
}

static void whole_lines(void)
{
	init(1);
	need(log_writes == 0); /* nothing was said yet */
	put("half");
	need(log_used == 0);
	cpu->ghcb = NULL; /* a vCPU that has no page yet leaves it to others */
	put(" of it\n");
	need(log_used == 0);
	cpu->ghcb = &ghcb_page;
	put("x\n");
	need(logged("half of it\nx\n"));
}

static void lines_go_out_whole(void **state)
{
	(void)state;
	alone(whole_lines);
}

static void long_line(void)
{
	init(1);
	for (unsigned int i = 0; i < 511; i++)
		arch_log_putc('a');
	need(log_used == 0);
	put("b");
	need(log_used == 512 && log_out[511] == 'b' && log_writes == 1);
	put("c\n");
	need(log_used == 514 && memcmp(log_out + 512, "c\n", 2) == 0);
}

static void a_long_line_goes_out_in_parts(void **state)
{
	(void)state;
	alone(long_line);
}

/* Before there is a port, what does not fit is lost, and the start of it is kept. */
static void early_flood(void)
{
	for (unsigned int i = 0; i < 600; i++)
		arch_log_putc(i < 512 ? 'a' : 'z');
	init(1);
	need(log_used == 512 && !memchr(log_out, 'z', 512));
}

static void too_much_of_an_early_log_is_cut(void **state)
{
	(void)state;
	alone(early_flood);
}

static void no_ports(void)
{
	size_t moved = 9;

	put("early\n");
	init(0);
	put("late\n");
	need(log_used == 0);
	need(!arch_host_channel_write("x", 1, &moved) && moved == 0);
	moved = 9;
	need(!arch_host_channel_read(input, 1, &moved) && moved == 0);
	need(written[3] == 0);
}

static void without_features_there_is_no_port(void **state)
{
	(void)state;
	alone(no_ports);
}

static void debug_only(void)
{
	size_t moved;

	init(1);
	need(!arch_host_channel_write("x", 1, &moved));
	put("log\n");
	need(logged("log\n"));
}

static void channel_only(void)
{
	size_t moved;

	init(2);
	put("log\n");
	need(log_used == 0);
	need(arch_host_channel_write("x", 1, &moved) && moved == 1);
}

static void each_feature_is_for_one_port(void **state)
{
	(void)state;
	alone(debug_only);
	alone(channel_only);
}

static void set_up(void)
{
	written[1] = 0xff;
	init(2);
	need(written[3] == 0x03); /* 8 bits, no parity, one stop bit, divisor latch closed */
	need(written[1] == 0x00); /* no interrupts */
	need(written[2] == 0x07); /* FIFOs on, both emptied */
}

static void the_line_is_set_up(void **state)
{
	(void)state;
	alone(set_up);
}

static void no_uart(void)
{
	static const char *const kinds[] = { "3", "1", "e", "2" };
	size_t moved;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		refused = kinds[i];
		init(2);
		need(!arch_host_channel_write("x", 1, &moved));
	}
	refused = NULL;
	enabled = 0xff; /* an empty bus */
	init(2);
	need(!arch_host_channel_write("x", 1, &moved));
	need(!arch_host_channel_read(input, 1, &moved));
}

static void where_no_uart_answers_there_is_none(void **state)
{
	(void)state;
	alone(no_uart);
}

static void writes(void)
{
	const char *text = "0123456789abcdefGHIJKLMNOPQRSTUVwx";
	size_t moved = 0;

	init(2);
	need(arch_host_channel_write(text, 34, &moved));
	need(moved == 34 && line_used == 34 && memcmp(line_out, text, 34) == 0);
	need(longest == 16);
	need(arch_host_channel_write(text, 0, &moved) && moved == 0);
	line_used = 0;
	need(arch_host_channel_write(text, 16, &moved) && moved == 16 && line_used == 16);
}

/* A host that takes nothing is no broken channel, and one look at it is enough. */
static void stuck(void)
{
	size_t moved = 9;

	init(2);
	busy = true;
	in_size = 1; /* data that has come in is no room for what goes out */
	need(arch_host_channel_write("x", 1, &moved));
	need(moved == 0 && line_used == 0);
	need(looks == 1);
	busy = false;
	need(arch_host_channel_write("x", 1, &moved) && moved == 1);
}

static void refuses_to_write(void)
{
	size_t moved = 0;

	init(2);
	refused = "s";
	need(!arch_host_channel_write("x", 1, &moved) && moved == 0);
	refused = "w";
	need(!arch_host_channel_write("x", 1, &moved) && moved == 0);
}

static void bytes_go_out_as_there_is_room(void **state)
{
	(void)state;
	alone(writes);
	alone(stuck);
	alone(refuses_to_write);
}

static void reads(void)
{
	uint8_t bytes[8] = { 0 };
	size_t moved = 9;

	init(2);
	need(arch_host_channel_read(bytes, 8, &moved) && moved == 0);
	memcpy(input, "abcdef", 6);
	in_size = 6;
	need(arch_host_channel_read(bytes, 4, &moved) && moved == 4);
	need(memcmp(bytes, "abcd\0", 5) == 0);
	need(arch_host_channel_read(bytes, 4, &moved) && moved == 2);
	need(memcmp(bytes, "efcd", 4) == 0);
	in_used = 0;
	refused = "s";
	need(!arch_host_channel_read(bytes, 4, &moved) && moved == 0);
	refused = "d";
	need(!arch_host_channel_read(bytes, 4, &moved) && moved == 0);
}

/*
 * Of 100 bytes that come as fast as they are read, all but the last by strings; what it took, in
 * exits.
 */
static void reads_many(void)
{
	uint8_t bytes[128];
	size_t done = 0, moved, calls = 0;

	init(2);
	locked = false;
	cpu->timer_deadline = 1;
	need(arch_host_channel_read(bytes, 100, &moved) && moved == 0); /* now data is told of */
	for (unsigned int i = 0; i < 100; i++)
		input[i] = (uint8_t)(i * 7);
	in_size = 100;
	looks = identities = 0;
	while (done < 100 && calls < 100) {
		need(arch_host_channel_read(bytes + done, 100 - done, &moved));
		done += moved;
		calls++;
	}
	/* Seven times 14, then the last two one by one: each told of once. */
	need(done == 100 && memcmp(bytes, input, 100) == 0);
	need(strings == 7 && singles == 2 && identities == 9 && looks == 0);
}

/*
 * What is left behind a whole number of 14 is told of by a lower trigger, and never read beyond the
 * want.
 */
static void reads_the_rest(void)
{
	uint8_t bytes[16];
	size_t moved;

	init(2);
	locked = false;
	cpu->timer_deadline = 1;
	need(arch_host_channel_read(bytes, 13, &moved) && moved == 0);
	need(written[2] >> 6 == 2);
	memcpy(input, "abcdefghijklmnopqrst", 20);
	in_size = 20;
	need(arch_host_channel_read(bytes, 13, &moved) && moved == 8);
	need(arch_host_channel_read(bytes + 8, 5, &moved) && moved == 4);
	need(written[2] >> 6 == 1);
	need(arch_host_channel_read(bytes + 12, 1, &moved) && moved == 1);
	need(memcmp(bytes, "abcdefghijklm", 13) == 0 && in_used == 13 && strings == 2);
	refused = "r";
	need(!arch_host_channel_read(bytes, 4, &moved) && moved == 0);
	refused = "i";
	need(!arch_host_channel_read(bytes, 4, &moved) && moved == 0);
	refused = "2";
	need(!arch_host_channel_read(bytes, 16, &moved) && moved == 0);
}

/* What the host refused is tried again, not believed: more would be read than is there. */
static void reads_after_a_refusal(void)
{
	uint8_t bytes[16];
	size_t moved;

	init(2);
	locked = false;
	cpu->timer_deadline = 1;
	need(arch_host_channel_read(bytes, 1, &moved) && moved == 0);
	need(written[2] >> 6 == 0);
	refused = "2";
	need(!arch_host_channel_read(bytes, 16, &moved) && moved == 0);
	refused = NULL;
	written[2] = 0x01; /* the host has not done it */
	memcpy(input, "abcde", 5);
	in_size = 5;
	need(arch_host_channel_read(bytes, 16, &moved) && moved == 0);
	need(written[2] >> 6 == 3);
	/* Nor is the last one that it did, for a refused one may have been done. */
	refused = "2";
	need(!arch_host_channel_read(bytes, 4, &moved) && moved == 0);
	refused = NULL;
	written[2] = 0x01;
	in_size = 0;
	need(arch_host_channel_read(bytes, 16, &moved) && moved == 0);
	need(written[2] >> 6 == 3);
}

/*
 * Fewer than were waited for, and then a pause; and a port that never tells is asked the second
 * time.
 */
static void reads_after_a_pause(void)
{
	uint8_t bytes[16];
	size_t moved;

	init(2);
	locked = false;
	cpu->timer_deadline = 1;
	need(arch_host_channel_read(bytes, 16, &moved) && moved == 0);
	memcpy(input, "abc", 3);
	in_size = 3;
	paused = true;
	need(arch_host_channel_read(bytes, 16, &moved) && moved == 1 && bytes[0] == 'a');
	need(looks == 1);
	dumb = true;
	need(arch_host_channel_read(bytes, 16, &moved) && moved == 0);
	need(arch_host_channel_read(bytes, 16, &moved) && moved == 2 &&
	     memcmp(bytes, "bc", 2) == 0);
}

static void bytes_come_in_as_they_are_there(void **state)
{
	(void)state;
	alone(reads);
	alone(reads_many);
	alone(reads_the_rest);
	alone(reads_after_a_refusal);
	alone(reads_after_a_pause);
}

static bool reads_nothing(void)
{
	uint8_t bytes[8];
	size_t moved = 9;

	memset(steps, 0, sizeof(steps));
	return arch_host_channel_read(bytes, 8, &moved) && moved == 0;
}

static bool writes_nothing(void)
{
	size_t moved = 9;

	memset(steps, 0, sizeof(steps));
	return arch_host_channel_write("x", 1, &moved) && moved == 0;
}

/*
 * The pin is open for the whole start. What the port raises is changed only where the wait is for
 * another thing, by way of nothing, so that what is there already is an edge. Without a timer that
 * runs, there is one for the wait.
 */
static void waits(void)
{
	cpu->index = 3;
	init(2);
	need(strcmp(steps, "0p") == 0);
	locked = false;
	need(reads_nothing() && strcmp(steps, "tihe") == 0);
	need(reads_nothing() && strcmp(steps, "he") == 0);
	busy = true;
	need(writes_nothing() && strcmp(steps, "0ohe") == 0);
	need(writes_nothing() && strcmp(steps, "he") == 0);
	need(reads_nothing() && strcmp(steps, "0ihe") == 0);
	memset(steps, 0, sizeof(steps));
	arch_host_channel_mute();
	need(strcmp(steps, "0m") == 0);
	need(reads_nothing() && strcmp(steps, "") == 0); /* from then on nobody sleeps */
}

/* Who is not heard, or has no timer to wake it, does not sleep, and tries again the next time. */
static void waits_in_vain(void)
{
	cpu->index = 3;
	cpu->timer_deadline = 1;
	init(2);
	locked = false;
	refused = "1";
	need(reads_nothing() && strcmp(steps, "ie") == 0);
	need(reads_nothing() && strcmp(steps, "0e") == 0); /* what the port does is not known */
	refused = NULL;
	need(reads_nothing() && strcmp(steps, "0ihe") == 0);
	cpu->timer_deadline = 0;
	refused_step = "t";
	need(reads_nothing() && strcmp(steps, "te") == 0);
	refused_step = "";
	need(reads_nothing() && strcmp(steps, "the") == 0);
}

/* Whatever it believes of the port, and though the host refuses the one or the other. */
static void is_mute_twice(void)
{
	cpu->index = 3;
	init(2);
	memset(steps, 0, sizeof(steps));
	refused = "1";
	refused_step = "m";
	arch_host_channel_mute();
	arch_host_channel_mute();
	need(strcmp(steps, "0m0m") == 0);
}

/* Nor who has something, wants nothing, has others wait for a lock, or has no channel. */
static void waits_for_nothing(void)
{
	uint8_t bytes[8];
	size_t moved;

	cpu->index = 3;
	init(2);
	need(reads_nothing() && steps[0] == 0);
	locked = false;
	need(arch_host_channel_read(bytes, 0, &moved) && moved == 0);
	need(arch_host_channel_write("x", 0, &moved) && moved == 0);
	in_size = 1;
	need(arch_host_channel_read(bytes, 8, &moved) && moved == 1);
	need(steps[0] == 0);
}

static void is_mute_without_a_channel(void)
{
	init(1);
	arch_host_channel_mute();
	need(steps[0] == 0);
}

static void who_waits_is_woken_by_the_interrupt(void **state)
{
	(void)state;
	alone(waits);
	alone(waits_in_vain);
	alone(waits_for_nothing);
	alone(is_mute_twice);
	alone(is_mute_without_a_channel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_logged_early_goes_out),
		cmocka_unit_test(lines_go_out_whole),
		cmocka_unit_test(a_long_line_goes_out_in_parts),
		cmocka_unit_test(too_much_of_an_early_log_is_cut),
		cmocka_unit_test(without_features_there_is_no_port),
		cmocka_unit_test(each_feature_is_for_one_port),
		cmocka_unit_test(the_line_is_set_up),
		cmocka_unit_test(where_no_uart_answers_there_is_none),
		cmocka_unit_test(bytes_go_out_as_there_is_room),
		cmocka_unit_test(bytes_come_in_as_they_are_there),
		cmocka_unit_test(who_waits_is_woken_by_the_interrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
