/* SPDX-License-Identifier: MIT */
/*
 * A service that breaks one rule, which the first character of the file on descriptor 6 names. For
 * machine tests: pack it with hostile.conf as services.conf and a file "mode" of two characters,
 * send one request to it (it has the role of the vTPM), and expect what docs/services.md promises:
 * SERVICE_ERR_FAILED for the caller, now and ever, a line in the log that says why, and a monitor
 * that goes on.
 *
 * No C library: what is done here must be exactly these instructions.
 *
 *	mode	what it does on its first request	the log says
 *	e	echoes it (the control: SERVICE_OK)	-
 *	c	stores to address 0			exception 14 ... an exception
 *	x	jumps into its own data			exception 14 ... an exception
 *	w	stores into its own code		exception 14 ... an exception
 *	k	reads the monitor's image		exception 14 ... an exception
 *	h	executes HLT				exception 13 ... an exception
 *	i	executes an undefined instruction	exception 6 ... an exception
 *	d	divides by zero				exception 0 ... an exception
 *	o	writes to an I/O port			exception 13 ... an exception
 *	s	overflows its stack			exception 14 ... an exception
 *	l	loops for ever				it ran past its budget
 *	y	makes system calls for ever		it ran past its budget
 *	2	replies twice				it answered without a request
 *	r	reads again without a reply		it asked for a request before it answered ...
 *	z	replies with a size that lies		its reply contradicts itself
 *	q	leaves					it left with an error
 *	p	offers the kernel every bad pointer it can think of, and then echoes: SERVICE_OK
 *	f	runs with every flag of RFLAGS that ring 3 can set, and then echoes: SERVICE_OK
 *	W	replies before any request, at its start: it answered without a request
 */
#include <stddef.h>
#include <stdint.h>

#include "abi/service.h"

#define FD_MODE 6
#define SYS_READ 0
#define SYS_WRITE 1
#define SYS_GETPID 39
#define SYS_EXIT_GROUP 231
#define BUFFER_SIZE 4096u
#define MONITOR_IMAGE 0xffffffff80000000ull
#define MONITOR_DIRECT 0xffff800000000000ull
#define EFAULT 14

static uint8_t buffer[BUFFER_SIZE];
static const uint8_t constant[16] = { 1 };

static int64_t call3(uint64_t number, uint64_t a, uint64_t b, uint64_t c)
{
	int64_t result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}

static _Noreturn void leave(int status)
{
	for (;;)
		call3(SYS_EXIT_GROUP, (uint64_t)status, 0, 0);
}

static size_t read_request(void)
{
	int64_t got = call3(SYS_READ, SERVICE_FD_REQUESTS, (uint64_t)buffer, sizeof(buffer));

	if (got < (int64_t)sizeof(struct service_request))
		leave(2);
	return (size_t)got;
}

/* Request and reply headers have one size: the payload stays where it is. */
static void reply(uint32_t status, size_t size, uint32_t lie)
{
	struct service_reply *header = (struct service_reply *)buffer;

	header->status = status;
	header->size = (uint32_t)(size - sizeof(*header)) + lie;
	call3(SYS_WRITE, SERVICE_FD_REQUESTS, (uint64_t)buffer, size);
}

static void store(uint64_t at)
{
	__asm__ volatile("movb $1, (%0)" : : "r"(at) : "memory");
}

static void overflow_stack(void)
{
	volatile uint8_t *at = (volatile uint8_t *)__builtin_frame_address(0);

	for (;; at -= 4096)
		*at = 1;
}

/* Each of these must be refused with EFAULT, and change nothing. */
static void offer_bad_pointers(void)
{
	static const uint64_t bad[] = {
		0,
		1,
		0xfff,
		MONITOR_IMAGE,
		MONITOR_DIRECT,
		UINT64_MAX - 7,
		0x00007ffffffff000ull,
		0x0000800000000000ull,
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (call3(SYS_WRITE, SERVICE_FD_LOG, bad[i], 16) != -EFAULT)
			leave(3);
		if (call3(SYS_WRITE, SERVICE_FD_REQUESTS, bad[i], 16) != -EFAULT)
			leave(4);
	}
	if (call3(SYS_READ, FD_MODE, (uint64_t)constant, 1) > 0)
		leave(5);
}

/* DF, AC, ID and NT set: the monitor's own code must not run with them. */
static void run_with_flags(void)
{
	__asm__ volatile("pushfq\n\t"
			 "orq $0x244400, (%%rsp)\n\t"
			 "popfq\n\t"
			 "mov $39, %%eax\n\t"
			 "syscall\n\t"
			 "pushfq\n\t"
			 "andq $~0x244400, (%%rsp)\n\t"
			 "popfq"
			 :
			 :
			 : "rax", "rcx", "r11", "memory", "cc");
}

static void break_a_rule(uint8_t mode, size_t size)
{
	switch (mode) {
	case 'c':
		store(8);
		break;
	case 'x':
		((void (*)(void))(uintptr_t)buffer)();
		break;
	case 'w':
		store((uint64_t)leave);
		break;
	case 'k':
		(void)*(volatile uint8_t *)MONITOR_IMAGE;
		break;
	case 'h':
		__asm__ volatile("hlt");
		break;
	case 'i':
		__asm__ volatile("ud2");
		break;
	case 'd':
		__asm__ volatile("xor %%ecx, %%ecx\n\tdiv %%ecx" : : : "rax", "rcx", "rdx", "cc");
		break;
	case 'o':
		__asm__ volatile("outb %%al, $0x80" : : "a"(0));
		break;
	case 's':
		overflow_stack();
		break;
	case 'l':
		for (;;)
			__asm__ volatile("");
	case 'y':
		for (;;)
			call3(SYS_GETPID, 0, 0, 0);
	case '2':
		reply(SERVICE_OK, size, 0);
		break;
	case 'r':
		read_request();
		break;
	case 'z':
		reply(SERVICE_OK, size, 1);
		break;
	case 'q':
		leave(1);
	case 'p':
		offer_bad_pointers();
		break;
	case 'f':
		run_with_flags();
		break;
	default:
		break;
	}
}

void hostile_main(void);

/* Called by _start with an aligned stack. */
void hostile_main(void)
{
	uint8_t mode = 'e';

	call3(SYS_READ, FD_MODE, (uint64_t)&mode, 1);
	if (mode == 'W')
		reply(SERVICE_OK, sizeof(struct service_reply), 0);
	for (;;) {
		size_t size = read_request();

		break_a_rule(mode, size);
		reply(SERVICE_OK, size, 0);
	}
}

__asm__(".globl _start\n"
	"_start:\n\t"
	"xor %ebp, %ebp\n\t"
	"and $-16, %rsp\n\t"
	"call hostile_main\n\t"
	"ud2\n");
