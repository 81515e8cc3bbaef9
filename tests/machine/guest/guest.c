/* SPDX-License-Identifier: MIT */
#include "tests/machine/guest/guest.h"

#include <stdarg.h>

#include "core/base/printf.h"

#define DEBUG_PORT 0xe9u
#define TERM_SET_TEST 0xau /* a set of our own: the runner looks for it */
#define TERM_PASSED 0x00u
#define TERM_FAILED 0x01u
#define TERM_TRAP 0x02u
#define TERM_NO_GHCB 0x03u

_Noreturn void guest_start(void);

volatile struct ghcb *ghcb;

static uint8_t ghcb_page[4096] __attribute__((aligned(4096)));
static unsigned int failures;

static _Noreturn void terminate(unsigned int code)
{
	for (;;)
		(void)ghcb_msr_call(0x100 | (uint64_t)TERM_SET_TEST << 12 | (uint64_t)code << 16);
}

volatile struct ghcb *ghcb_own(void)
{
	return ghcb;
}

static void start_ghcb(void)
{
	uint64_t gpa = (uint64_t)ghcb_page;

	if (pvalidate(gpa, 0, 0).eax != 0 || page_make_shared(gpa) != 0x015 ||
	    ghcb_msr_call(0x012 | gpa) != (0x013 | gpa))
		terminate(TERM_NO_GHCB);
	ghcb = (volatile struct ghcb *)(gpa + SHARED_OFFSET);
	for (size_t i = 0; i < sizeof(*ghcb); i++)
		((volatile uint8_t *)ghcb)[i] = 0;
	ghcb_clear();
}

/* Output. */

static void put(void *context, char c)
{
	(void)context;
	ghcb_out8(DEBUG_PORT, (uint8_t)c);
}

static void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void print(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf_write(put, NULL, fmt, args);
	va_end(args);
}

void say(const char *text)
{
	print("%s\n", text);
}

void check(const char *rule, uint64_t got, uint64_t want)
{
	if (got == want) {
		print("ok %s\n", rule);
		return;
	}
	failures++;
	print("not ok %s: 0x%lx, want 0x%lx\n", rule, got, want);
}

_Noreturn void trap_unhandled(const struct trap_frame *frame)
{
	print("not ok exception %lu, error 0x%lx, RIP 0x%lx\n", frame->vector, frame->error,
	      frame->rip);
	terminate(TERM_TRAP);
}

_Noreturn void guest_start(void)
{
	traps_start();
	start_ghcb();
	test_main();
	print("end %u\n", failures);
	terminate(failures ? TERM_FAILED : TERM_PASSED);
}
