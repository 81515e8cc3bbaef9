/* SPDX-License-Identifier: MIT */
#include "machine/host/stdio_console.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "core/base/host/clock.h"

#define NS_PER_S ((uint64_t)1000000000)
#define QUIET_NS (2 * NS_PER_S) /* so long there is no line of progress */

#define CTRL_A '\x01'
#define ERASE "\r\x1b[K"
#define SVSM_COLOUR "\x1b[36m"
#define MACHINE_COLOUR "\x1b[2m"
#define NO_COLOUR "\x1b[0m"

/* Keys as they come, without echo; Ctrl-C is the guest's. Output stays as it is. */
static bool make_raw(struct stdio_console *c)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &c->before) != 0)
		return false;
	raw = c->before;
	raw.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | INPCK | ISTRIP | IXON);
	raw.c_lflag &= ~(tcflag_t)(ECHO | ICANON | IEXTEN | ISIG);
	raw.c_cc[VMIN] = 1; /* with 0 a read may end with no key, as if there were none any more */
	raw.c_cc[VTIME] = 0;
	return tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

void stdio_console_open(struct stdio_console *c, enum stdio_console_mode mode)
{
	*c = (struct stdio_console){ .in = -1, .quiet_since = clock_ns() };
	if (mode == STDIO_CONSOLE_NOTHING)
		return;
	c->out = stdout;
	c->terminal = isatty(STDOUT_FILENO);
	if (mode == STDIO_CONSOLE_ALL && isatty(STDIN_FILENO) && make_raw(c))
		c->in = STDIN_FILENO;
}

void stdio_console_end_keys(struct stdio_console *c)
{
	if (c->in >= 0)
		tcsetattr(c->in, TCSADRAIN, &c->before);
	c->in = -1;
}

void stdio_console_close(struct stdio_console *c)
{
	if (c->out && c->progress)
		fputs(ERASE, c->out);
	if (c->out)
		fflush(c->out);
	stdio_console_end_keys(c);
	*c = (struct stdio_console){ .in = -1 };
}

/* Takes the line of progress away, as something else is printed. */
static void wake(struct stdio_console *c)
{
	if (c->progress)
		fputs(ERASE, c->out);
	c->progress = false;
	c->quiet_since = clock_ns();
}

void stdio_console_guest(struct stdio_console *c, const char *data, size_t size)
{
	if (!c->out || size == 0)
		return;
	wake(c);
	/* A full disk must not end the machine. */
	(void)fwrite(data, 1, size, c->out);
	fflush(c->out);
	c->in_line = data[size - 1] != '\n';
}

static void print_line(struct stdio_console *c, const char *colour, const char *mark,
		       const char *line)
{
	if (!c->out)
		return;
	wake(c);
	if (c->in_line)
		fputc('\n', c->out);
	fprintf(c->out, c->terminal ? "%s%s" NO_COLOUR : "%.0s%s", colour, mark);
	fputs(line, c->out);
	fputc('\n', c->out);
	fflush(c->out);
	c->in_line = false;
}

void stdio_console_svsm(struct stdio_console *c, const char *line)
{
	print_line(c, SVSM_COLOUR, "svsm| ", line);
}

void stdio_console_machine(struct stdio_console *c, uint64_t ms, const char *line)
{
	char mark[48];

	snprintf(mark, sizeof(mark), "[%4" PRIu64 ".%03" PRIu64 "] machine: ", ms / 1000,
		 ms % 1000);
	print_line(c, MACHINE_COLOUR, mark, line);
}

bool stdio_console_ticks(const struct stdio_console *c)
{
	return c->out && c->terminal;
}

void stdio_console_tick(struct stdio_console *c, uint64_t now_ns, uint64_t exits)
{
	uint64_t quiet = now_ns > c->quiet_since ? now_ns - c->quiet_since : 0;

	/* Where the guest waits within a line, it asks for something. */
	if (!stdio_console_ticks(c) || c->in_line || quiet < QUIET_NS)
		return;
	fprintf(c->out, ERASE "nothing printed for %" PRIu64 " s, %" PRIu64 " exits of the guest",
		quiet / NS_PER_S, exits);
	fflush(c->out);
	c->progress = true;
}

bool stdio_console_keys(struct stdio_console *c, char *keys, size_t *size)
{
	size_t count = 0;

	for (size_t i = 0; i < *size; i++) {
		char key = keys[i];

		if (!c->in_escape && key == CTRL_A) {
			c->in_escape = true;
			continue;
		}
		if (c->in_escape && (key == 'x' || key == 'X'))
			return true;
		if (c->in_escape)
			key = CTRL_A;
		/* Ctrl-A and any other key than these is dropped, as a slip. */
		if (!c->in_escape || keys[i] == CTRL_A || keys[i] == 'a' || keys[i] == 'A')
			keys[count++] = key;
		c->in_escape = false;
	}
	*size = count;
	return false;
}
