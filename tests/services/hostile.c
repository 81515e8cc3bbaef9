/* SPDX-License-Identifier: MIT */
/*
 * A service that breaks one rule, which the first character of the file on descriptor 6 names, when
 * it gets its first request. hostile_test.py packs a few of them and one that calls them, and knows
 * what the monitor owes to the caller and what its log must say (docs/services.md).
 *
 * No C library: what is done here must be exactly these instructions.
 *
 *	C	the caller: at its start it calls the services on descriptors 8, 9, ... twice each,
 *		and logs both statuses: "8=44 9=00". Then it waits for requests
 *	e	echoes (the control)
 *	c	stores near address 0
 *	x	jumps into its own data
 *	w	stores into its own code
 *	k	reads the monitor's image
 *	m	reads the monitor's direct map
 *	h	executes HLT
 *	i	executes an undefined instruction
 *	d	divides by zero
 *	o	writes to an I/O port
 *	v	executes VMGEXIT, then echoes
 *	t	executes PVALIDATE
 *	n	sets its stack pointer to an address that is none, and makes a system call
 *	u	jumps to an address that is none
 *	j	makes a system call with the trap flag set, then echoes
 *	s	overflows its stack
 *	l	loops for ever
 *	y	makes system calls for ever
 *	2	replies twice
 *	r	reads again without a reply
 *	z	replies with a size that lies
 *	q	leaves
 *	p	offers the kernel every bad pointer it can think of, then echoes
 *	f	makes a system call with DF, NT, AC and ID set, and one whose two bytes lie on two
 *		pages; leaves with an error if it does not find what SYSCALL leaves; then echoes
 *	a	takes all the memory it can get, then echoes
 *	A	sends the AMD-SP (descriptor 4) a message that is not sealed with the key, then
 *		another under the same number: the first fails, the second closes the channel. Then
 *		echoes
 *	W	replies before any request, at its start
 *	b	executes CPUID for ever
 *	T	executes CPUID with the trap flag set
 *	R	makes system calls with its stack pointer in every stack of the monitor and
 *		everywhere else that is not its own, then echoes
 *	D	makes system calls with selectors of its own in DS, ES, FS and GS, behind a load of
 *		SS, and with x87 and SSE exceptions unmasked and one of them waiting, leaves all
 *		that, and echoes
 *	B	says in the log that it waits, and does so until its TSC leaps, as it does when the
 *		host was stopped for a while; then echoes
 *	K	leaves with an error if any of what D does, or its own last run, can be seen in its
 *		registers; then echoes
 *	M	takes all the memory that mmap() gives, leaves with an error if it is not zero,
 *		gives a page back and reads it
 *	O	writes a page, takes the right to that away, and writes it
 *	P	parked: executes the instruction whose number the operation is, of those that ring 3
 *		must not have; echoes behind the last one
 *	F	parked: makes system calls at random, by a seed that is the operation, then echoes;
 *		with the operation 0 it echoes at once
 *	G	the caller of F: at its start it calls descriptor 8 with the operations 1 to 200 and
 *		then 0, and logs the last status: "8=0". Then it waits for requests
 *	S	the caller of P: at its start it calls descriptor 8 with the operations 1, 2, ...
 *		until one is answered, and logs how many were not: "8=56". Then it waits for
 *		requests
 */
#include <stddef.h>
#include <stdint.h>

#include "abi/psp.h"
#include "abi/service.h"

#define FD_AMDSP 4
#define FD_MODE 6
#define FD_FIRST 8 /* of services to call */
#define FDS 16
#define SYS_READ 0
#define SYS_WRITE 1
#define SYS_MMAP 9
#define SYS_MPROTECT 10
#define SYS_MUNMAP 11
#define SYS_BRK 12
#define SYS_GETPID 39
#define SYS_EXIT_GROUP 231
#define BUFFER_SIZE 4096u
#define MONITOR_IMAGE 0xffffffff80000000ull
#define MONITOR_DIRECT 0xffff800000000000ull
#define MONITOR_CPU 0xffffffffc0000000ull /* block of the first vCPU: monitor/base/cpu_layout.h */
#define CALLS_WITH_STACK 60u
#define TSC_LEAP (1ull << 32) /* a second or two */
#define RANDOM_CALLS 300u     /* for one request */
#define RANDOM_SEEDS 200u
#define MMAP_MIN 0x0000100000000000ull
#define FORBIDDEN_SIZE 16u /* of a slot in forbidden.S */
#define EFAULT 14
#define EBADF 9

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

static int64_t map_page(void)
{
	register uint64_t flags __asm__("r10") = 0x22; /* private, anonymous */
	int64_t result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(SYS_MMAP), "D"(0), "S"(4096), "d"(3), "r"(flags)
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

/* Until brk() and mmap() give nothing more; each page is written, so each is there. */
static void take_all_memory(void)
{
	int64_t at = call3(SYS_BRK, 0, 0, 0), next;

	while ((next = call3(SYS_BRK, (uint64_t)at + 4096, 0, 0)) != at) {
		*(volatile uint8_t *)(at + 4095) = 1;
		at = next;
	}
	while ((at = map_page()) > 0)
		*(volatile uint8_t *)at = 1;
}

/* What others have had is wiped, and what was given back is gone from the TLB too. */
static void read_memory_given_back(void)
{
	const volatile uint64_t *page = NULL;
	int64_t at;

	while ((at = map_page()) > 0) {
		page = (const volatile uint64_t *)at;
		for (size_t i = 0; i < 512; i++) {
			if (page[i])
				leave(15);
		}
	}
	if (page && call3(SYS_MUNMAP, (uint64_t)page, 4096, 0) == 0)
		(void)*page;
}

static void store(uint64_t at)
{
	__asm__ volatile("movb $1, (%0)" : : "r"(at) : "memory");
}

static void write_what_is_read_only(void)
{
	uint64_t at = (uint64_t)map_page();

	store(at);
	if (call3(SYS_MPROTECT, at, 4096, 1) == 0)
		store(at);
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

extern const uint8_t straddling_call[], straddling_call_end[]; /* forbidden.S */

/* RCX is the next instruction, R11 the flags, RF clear (APM volume 3, SYSCALL). */
static void look_at_call(void)
{
	uint64_t result = SYS_GETPID, next, flags, before, rbx = 0x1234567890abcdef;

	__asm__ volatile("stc\n\t"
			 "std\n\t"
			 "pushfq\n\t"
			 "popq %[before]\n\t"
			 "call straddling_call\n\t"
			 "cld\n\t"
			 "mov %%r11, %[flags]"
			 : "+a"(result), "=&c"(next),
			   "+b"(rbx), [before] "=&r"(before), [flags] "=&r"(flags)
			 :
			 : "r11", "memory", "cc");
	if ((uint64_t)straddling_call % 4096 != 4095)
		leave(16);
	if (result != 1 || rbx != 0x1234567890abcdef)
		leave(17);
	if (next != (uint64_t)straddling_call_end)
		leave(18);
	if (flags != before)
		leave(19);
}

/* Each a stack pointer that ring 0 finds when SYSCALL, #HV or NMI takes the CPU away. */
static void point_stack_elsewhere(void)
{
	static const uint64_t stacks[] = {
		MONITOR_CPU + 0x9f00, /* the run loop's, and that of exceptions */
		MONITOR_CPU + 0x9fd8, /* the frame that the CPU pushes there */
		MONITOR_CPU + 0x2000, /* its end */
		MONITOR_CPU + 0xbf00, /* double fault, machine check */
		MONITOR_CPU + 0xbfd8, /* the frame that the CPU pushes there */
		MONITOR_CPU + 0x10,   /* struct cpu */
		MONITOR_CPU + 0x10000,
		MONITOR_IMAGE + 0x1000,
		MONITOR_DIRECT,
		0x8000000000000000ull,
		0x00007fffffffffffull,
		UINT64_MAX,
		0,
		7,
	};

	for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++) {
		uint64_t calls = CALLS_WITH_STACK;

		__asm__ volatile("mov %%rsp, %%rbx\n\t"
				 "mov %1, %%rsp\n"
				 "1: mov $39, %%eax\n\t"
				 "syscall\n\t"
				 "dec %0\n\t"
				 "jnz 1b\n\t"
				 "mov %%rbx, %%rsp"
				 : "+r"(calls)
				 : "r"(stacks[i])
				 : "rax", "rbx", "rcx", "r11", "memory", "cc");
	}
}

/*
 * FCW 0 and MXCSR 0: every exception unmasked. The division's waits for the next x87 instruction.
 */
static void leave_registers(void)
{
	static const uint32_t zero;

	__asm__ volatile("fninit\n\t"
			 "fldcw %0\n\t"
			 "ldmxcsr %0\n\t"
			 "fld1\n\t"
			 "fldz\n\t"
			 "fdivrp\n\t"
			 "pcmpeqd %%xmm7, %%xmm7\n\t"
			 "mov $0x1b, %%eax\n\t"
			 "mov %%eax, %%ds\n\t"
			 "mov %%eax, %%es\n\t"
			 "mov %%eax, %%fs\n\t"
			 "mov %%eax, %%gs\n\t"
			 "mov %%eax, %%ss\n\t"
			 "mov $39, %%eax\n\t"
			 "syscall"
			 :
			 : "m"(zero)
			 : "rax", "rcx", "r11", "memory");
}

/* What a new process has, for this file is compiled without x87 and SSE. */
static void look_at_registers(void)
{
	static uint8_t fx[512] __attribute__((aligned(16)));
	uint32_t ds, es, fs, gs;
	uint64_t flags, others = 0;

	__asm__ volatile("fxsave64 %0" : "=m"(fx));
	__asm__ volatile("mov %%ds, %0\n\tmov %%es, %1\n\tmov %%fs, %2\n\tmov %%gs, %3"
			 : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
	__asm__ volatile("pushfq\n\tpopq %0" : "=r"(flags));
	for (size_t i = 32; i < 416; i++)
		others |= fx[i]; /* ST0..7, XMM0..15 */
	if (ds | es | fs | gs)
		leave(11);
	if (fx[0] != 0x7f || fx[1] != 3 || fx[2] || fx[3] || fx[24] != 0x80 || fx[25] != 0x1f)
		leave(12);
	if (others)
		leave(13);
	if (flags & 0x247700) /* TF, IF, DF, NT, IOPL, AC, ID */
		leave(14);
}

struct sealed {
	struct service_request request;
	struct psp_msg_header header;
	uint8_t payload[96];
};

/* Status of one request to the AMD-SP channel whose reply has no payload, or 99. */
static uint32_t ask_amdsp(const void *request, size_t size)
{
	struct service_reply answer;

	if (call3(SYS_WRITE, FD_AMDSP, (uint64_t)request, size) != (int64_t)size)
		return 99;
	if (call3(SYS_READ, FD_AMDSP, (uint64_t)&answer, sizeof(answer)) != sizeof(answer))
		return 99;
	/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.UndefReturn): read() wrote it. */
	return answer.status;
}

static uint32_t send_sealed(uint64_t number, uint8_t text)
{
	struct sealed message = {
		.request.op = AMDSP_OP_SEND,
		.request.size = sizeof(message) - sizeof(message.request),
		.header = {
			.seqno = number,
			.algo = PSP_MSG_ALGO_AES_256_GCM,
			.header_version = PSP_MSG_HEADER_VERSION,
			.header_size = PSP_MSG_HEADER_SIZE,
			.type = PSP_MSG_REPORT_REQ,
			.version = PSP_MSG_VERSION,
			.size = sizeof(message.payload),
		},
		.payload = { text },
	};

	return ask_amdsp(&message, sizeof(message));
}

static void misuse_amdsp(void)
{
	static const struct service_request number = { .op = AMDSP_OP_SEQNO, .size = 0 };
	static uint8_t done; /* a closed channel has nothing more to show */

	if (done++)
		return;
	if (send_sealed(3, 1) != SERVICE_ERR_FORMAT)
		leave(6);
	if (send_sealed(1, 1) != SERVICE_ERR_FAILED)
		leave(7);
	if (ask_amdsp(&number, sizeof(number)) != SERVICE_ERR_FAILED)
		leave(8); /* the message has no answer yet, so there is no next number */
	if (send_sealed(1, 2) != SERVICE_ERR_FAILED)
		leave(9);
	if (send_sealed(1, 1) != SERVICE_ERR_FAILED)
		leave(10);
}

static uint64_t read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static void wait_for_leap(void)
{
	static const char line[] = "waiting\n";
	uint64_t last, now;

	call3(SYS_WRITE, SERVICE_FD_LOG, (uint64_t)line, sizeof(line) - 1);
	now = read_tsc();
	do {
		last = now;
		now = read_tsc();
	} while (now - last < TSC_LEAP);
}

static void execute_cpuid(void)
{
	uint32_t eax = 0;

	__asm__ volatile("cpuid" : "+a"(eax) : : "rbx", "rcx", "rdx");
}

extern const uint8_t forbidden[], forbidden_end[]; /* forbidden.S */

static void execute_forbidden(uint32_t number)
{
	const uint8_t *code = forbidden + (size_t)(number - 1) * FORBIDDEN_SIZE;

	if (number == 0 || code >= forbidden_end)
		return;
	__asm__ volatile("call *%0" : : "r"(code), "a"(buffer), "c"(0), "d"(0) : "memory", "cc");
}

static int64_t call6(uint64_t number, const uint64_t arg[6])
{
	register uint64_t r10 __asm__("r10") = arg[3];
	register uint64_t r8 __asm__("r8") = arg[4];
	register uint64_t r9 __asm__("r9") = arg[5];
	int64_t result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(arg[0]), "S"(arg[1]), "d"(arg[2]), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/* xorshift64; the state is not 0. */
static uint64_t draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t draw_argument(uint64_t *state)
{
	const uint64_t interesting[] = {
		0,
		1,
		4095,
		4096,
		16u << 20,
		1ull << 32,
		1ull << 63,
		UINT64_MAX,
		UINT64_MAX - 4095,
		(uint64_t)buffer,
		(uint64_t)buffer + 4090,
		(uint64_t)constant,
		(uint64_t)leave & ~4095ull,
		(uint64_t)call3(SYS_BRK, 0, 0, 0),
		MMAP_MIN,
		0x00007ffffffff000ull,
		(uint64_t)&state & ~4095ull,
		MONITOR_IMAGE,
	};
	uint64_t value = draw(state);

	switch (value >> 62) {
	case 0:
		return interesting[value % (sizeof(interesting) / sizeof(interesting[0]))];
	case 1:
		return value % 16; /* a descriptor, rights, flags */
	case 2:
		return MMAP_MIN + value % 64 * 4096;
	default:
		return value >> (value % 64);
	}
}

/* The calls that there are, the larger ones more often; the ends of the run are the last two. */
static const uint16_t numbers[] = {
	SYS_READ,   SYS_WRITE,	SYS_MMAP, SYS_MMAP, SYS_MMAP,	SYS_MPROTECT,
	SYS_MUNMAP, SYS_MUNMAP, SYS_BRK,  SYS_BRK,  SYS_GETPID, 158,
	201,	    202,	228,	  318,	    60,		SYS_EXIT_GROUP,
};

/* Any call with anything, but most mmap() of anything would be refused at once. */
static void call_at_random(uint64_t seed)
{
	uint64_t state = seed * 0x9e3779b97f4a7c15ull;
	uint64_t arg[6];

	for (unsigned int i = 0; i < RANDOM_CALLS; i++) {
		uint64_t which = draw(&state) % 1024;

		for (size_t j = 0; j < 6; j++)
			arg[j] = draw_argument(&state);
		if (which % 2) {
			arg[2] = 3;    /* readable, writable */
			arg[3] = 0x22; /* private, anonymous */
		}
		if (which < 16)
			call6(arg[0], arg);
		else if (which < 18)
			call6(numbers[which], arg);
		else
			call6(numbers[which % 16], arg);
	}
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
	case 'm':
		(void)*(volatile uint8_t *)MONITOR_DIRECT;
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
	case 'v':
		__asm__ volatile(".byte 0xf3, 0x0f, 0x01, 0xd9" : : : "memory"); /* VMGEXIT */
		break;
	case 't':
		__asm__ volatile(".byte 0xf2, 0x0f, 0x01, 0xff" /* PVALIDATE */
				 :
				 : "a"(buffer), "c"(0), "d"(0)
				 : "memory", "cc");
		break;
	case 'n':
		__asm__ volatile("mov %0, %%rsp\n\tmov $39, %%eax\n\tsyscall\n\tpush %%rax"
				 :
				 : "r"(0x8000000000000000ull)
				 : "rax", "rcx", "r11", "memory");
		break;
	case 'u':
		__asm__ volatile("jmp *%0" : : "r"(0x0000800000000000ull));
		break;
	case 'j':
		__asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tsyscall"
				 :
				 : "a"(SYS_GETPID)
				 : "rcx", "r11", "memory", "cc");
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
		look_at_call();
		break;
	case 'A':
		misuse_amdsp();
		break;
	case 'a':
		take_all_memory();
		break;
	case 'b':
		for (;;)
			execute_cpuid();
	case 'T':
		__asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tcpuid\n\tnop"
				 :
				 : "a"(0)
				 : "rbx", "rcx", "rdx", "memory", "cc");
		break;
	case 'R':
		point_stack_elsewhere();
		break;
	case 'B':
		wait_for_leap();
		break;
	case 'D':
		leave_registers();
		break;
	case 'K':
		look_at_registers();
		break;
	case 'M':
		read_memory_given_back();
		break;
	case 'O':
		write_what_is_read_only();
		break;
	case 'F':
		if (((const struct service_request *)buffer)->op)
			call_at_random(((const struct service_request *)buffer)->op);
		break;
	case 'P':
		execute_forbidden(((const struct service_request *)buffer)->op);
		break;
	default:
		break;
	}
}

/* Calls the service on fd. The status, or '-' for no such service. */
static char call_service(unsigned int fd, uint32_t op)
{
	struct service_request request = { .op = op, .size = 0 };
	struct service_reply answer;
	int64_t put = call3(SYS_WRITE, fd, (uint64_t)&request, sizeof(request));

	if (put == -EBADF)
		return '-';
	if (put != sizeof(request))
		return 'w';
	if (call3(SYS_READ, fd, (uint64_t)&answer, sizeof(answer)) != sizeof(answer))
		return 'r';
	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): read() wrote it. */
	return (char)('0' + answer.status);
}

static void call_all(void)
{
	char line[FDS * 6];
	size_t size = 0;

	for (unsigned int fd = FD_FIRST; fd < FDS; fd++) {
		char first = call_service(fd, 1);

		if (first == '-')
			continue;
		if (fd >= 10)
			line[size++] = '1';
		line[size++] = (char)('0' + fd % 10);
		line[size++] = '=';
		line[size++] = first;
		line[size++] = call_service(fd, 1);
		line[size++] = ' ';
	}
	line[size ? size - 1 : size++] = '\n';
	call3(SYS_WRITE, SERVICE_FD_LOG, (uint64_t)line, size);
}

#define SWEEP_CALLS 64u /* more than there are instructions in forbidden.S */

/* Its statuses in their order. */
static void call_in_turn(void)
{
	char line[2 + SWEEP_CALLS + 1] = "8=";

	for (uint32_t op = 1; op <= SWEEP_CALLS; op++)
		line[1 + op] = call_service(FD_FIRST, op);
	line[sizeof(line) - 1] = '\n';
	call3(SYS_WRITE, SERVICE_FD_LOG, (uint64_t)line, sizeof(line));
}

static void call_with_seeds(void)
{
	char line[] = "8=0\n";

	for (uint32_t op = 1; op <= RANDOM_SEEDS; op++)
		call_service(FD_FIRST, op);
	line[2] = call_service(FD_FIRST, 0);
	call3(SYS_WRITE, SERVICE_FD_LOG, (uint64_t)line, sizeof(line) - 1);
}

void hostile_main(void);

/* Called by _start with an aligned stack. */
void hostile_main(void)
{
	uint8_t mode = 'e';

	call3(SYS_READ, FD_MODE, (uint64_t)&mode, 1);
	if (mode == 'C')
		call_all();
	if (mode == 'G')
		call_with_seeds();
	if (mode == 'S')
		call_in_turn();
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
