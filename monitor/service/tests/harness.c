/* SPDX-License-Identifier: MIT */
#include "monitor/service/tests/harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "abi/psp.h"
#include "core/image/elf.h"
#include "monitor/arch/arch.h"
#include "monitor/base/direct.h"
#include "monitor/lock/lock.h"
#include "monitor/log/log.h"
#include "monitor/service/linux.h"
#include "monitor/vcpu/secrets.h"

#define C_BIT (1ull << 47)
#define NEWC_HEADER 110u

struct harness harness;

static uint8_t region[SOCLE_REGION_SIZE] __attribute__((aligned(ABI_PAGE_SIZE)));
static uint64_t kernel_root[512];
static size_t archive_size;
static bool archive_ended;
static jmp_buf die_jump;
static bool die_expected;
static const struct address_space *active; /* that the CPU is in; NULL: the monitor's own */

/* ---- Tests ---- */

void check_at(bool holds, const char *what, const char *file, int line)
{
	if (holds)
		return;
	fprintf(stderr, "%s:%d: %s\nlog:\n%s", file, line, what, harness.log);
	_exit(1);
}

void run_alone(void (*body)(void))
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		body();
		/* The CPU is in no service's space after a call (monitor/trap/user.h). */
		check(!active);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

enum die_reason dies(void (*body)(void))
{
	die_expected = true;
	if (setjmp(die_jump) == 0)
		body();
	die_expected = false;
	return harness.died;
}

/* ---- The rest of the monitor, and the CPU ---- */

void *direct_ptr(gpa_t at)
{
	check(at.raw >= HARNESS_REGION && at.raw - HARNESS_REGION < sizeof(region));
	return region + (at.raw - HARNESS_REGION);
}

uint64_t map_c_bit(void)
{
	return C_BIT;
}

const uint64_t *map_kernel_root(void)
{
	return kernel_root;
}

bool map_direct_sealed(gpa_t page, uint64_t size, uint64_t *alike)
{
	(void)size;
	*alike = ABI_PAGE_SIZE;
	return !harness.unsealed && page.raw >= HARNESS_REGION + HARNESS_ARCHIVE_OFFSET;
}

/* The end of die(), which is the monitor's own. */
_Noreturn void arch_terminate(uint32_t reason)
{
	if (!die_expected)
		check_at(false, harness.last_words, "die()", (int)reason);
	harness.died = reason;
	longjmp(die_jump, 1);
}

void log_emergency(const char *what, const char *why)
{
	(void)what;
	harness.last_words = why;
}

void secrets_wipe(void)
{
}

static void log_bytes(const char *text, size_t size)
{
	check(size < sizeof(harness.log) - harness.log_size);
	memcpy(harness.log + harness.log_size, text, size);
	harness.log_size += size;
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	char line[256];
	va_list args;
	int size;

	(void)level;
	va_start(args, fmt);
	size = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	check(size >= 0 && (size_t)size < sizeof(line));
	log_bytes(line, (size_t)size);
	log_bytes("\n", 1);
}

void log_text(const char *name, const char *text, size_t size)
{
	log_bytes("[", 1);
	log_bytes(name, strlen(name));
	log_bytes("] ", 2);
	log_bytes(text, size);
	log_bytes("\n", 1);
}

unsigned int arch_cpu_index(void)
{
	return harness.cpu;
}

bool arch_random(void *to, size_t size)
{
	memset(to, 0xa5, size);
	return !harness.no_random;
}

uint64_t arch_now_ns(void)
{
	return harness.now_ns += 1000000;
}

bool arch_sleep(uint64_t ns)
{
	if (lock_any_held())
		return false;
	harness.now_ns += ns;
	if (harness.asleep)
		harness.asleep();
	return true;
}

bool arch_host_channel_write(const void *from, size_t size, size_t *moved)
{
	*moved = size < harness.host_takes ? size : harness.host_takes;
	memcpy(harness.host_out + harness.host_out_size, from, *moved);
	harness.host_out_size += *moved;
	harness.host_takes -= *moved;
	return !harness.no_host;
}

bool arch_host_channel_read(void *to, size_t size, size_t *moved)
{
	*moved = strnlen(harness.host_in, size);
	memcpy(to, harness.host_in, *moved);
	harness.host_in += *moved;
	return !harness.no_host;
}

uint64_t arch_guest_request(const void *request, void *response, void *certificates,
			    size_t *cert_size)
{
	struct psp_msg_header header;

	harness.guest_requests++;
	if (harness.busy) {
		harness.busy--;
		return (uint64_t)PSP_VMM_ERR_BUSY << 32;
	}
	memcpy(&header, request, sizeof(header));
	header.seqno++;
	memcpy(response, &header, sizeof(header));
	if (certificates) {
		memcpy(certificates, "certificates", 12);
		*cert_size = 12;
	}
	return harness.guest_request_result;
}

const uint8_t *secrets_vmpck0(void)
{
	return (const uint8_t *)"0123456789abcdef0123456789ABCDEF";
}

void user_context_init(struct user_context *context, struct address_space *space, va_t entry,
		       va_t stack)
{
	memset(context, 0, sizeof(*context));
	context->space = space;
	context->regs.rip = entry.raw;
	context->regs.rsp = stack.raw;
}

uint64_t user_now_ns(void)
{
	return arch_now_ns();
}

/* The entry point names the program, rbx counts. */
enum user_exit user_enter(struct user_context *context)
{
	uint64_t index = context->regs.rip - PROGRAM_TEXT;

	check(index < CONF_SERVICES_MAX && harness.programs[index]);
	active = context->space;
	if (context->deadline_ns && arch_now_ns() >= context->deadline_ns)
		return USER_EXIT_DEADLINE;
	return harness.programs[index](context, (unsigned int)context->regs.rbx++);
}

void user_leave(void)
{
	active = NULL;
}

/* ---- Archive and executables ---- */

static uint8_t *archive_at(size_t offset)
{
	return region + HARNESS_ARCHIVE_OFFSET + offset;
}

static size_t multiple_of_4(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

static uint8_t *add_entry(const char *name, size_t name_size, const void *data, size_t size)
{
	char header[NEWC_HEADER + 1];
	uint8_t *at;

	snprintf(header, sizeof(header),
		 "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1, 0100644, 0, 0, 1,
		 0, (uint32_t)size, 0, 0, 0, 0, (uint32_t)name_size, 0);
	memcpy(archive_at(archive_size), header, NEWC_HEADER);
	memset(archive_at(archive_size + NEWC_HEADER), 0, name_size);
	memcpy(archive_at(archive_size + NEWC_HEADER), name, strlen(name));
	archive_size = multiple_of_4(archive_size + NEWC_HEADER + name_size);
	at = archive_at(archive_size);
	memcpy(at, data, size);
	archive_size = multiple_of_4(archive_size + size);
	return at;
}

uint8_t *harness_add_packed(const char *name, const void *data, size_t size)
{
	return add_entry(name, strlen(name) + 1, data, size);
}

uint8_t *harness_add(const char *name, const void *data, size_t size)
{
	size_t name_size = strlen(name) + 1;

	while (multiple_of_4(archive_size + NEWC_HEADER + name_size) % ABI_PAGE_SIZE)
		name_size++;
	return add_entry(name, name_size, data, size);
}

void harness_init(void)
{
	memset(&harness, 0, sizeof(harness));
	harness.host_in = "";
	harness.host_takes = sizeof(harness.host_out);
	archive_size = 0;
	archive_ended = false;
	check(page_alloc_init(gpa(HARNESS_REGION), HARNESS_ARCHIVE_OFFSET / ABI_PAGE_SIZE));
}

struct socle_params harness_params(void)
{
	if (!archive_ended)
		harness_add_packed("TRAILER!!!", "", 0);
	archive_ended = true;
	return (struct socle_params){
		.archive = { HARNESS_REGION + HARNESS_ARCHIVE_OFFSET, archive_size },
	};
}

struct loader_archive harness_archive(void)
{
	return (struct loader_archive){
		.data = archive_at(0),
		.range = harness_params().archive,
	};
}

static uint8_t *put(uint8_t *at, uint64_t value, size_t size)
{
	memcpy(at, &value, size);
	return at + size;
}

static uint8_t *put_segment(uint8_t *at, uint32_t type, uint32_t flags, uint64_t offset,
			    uint64_t file_size, uint64_t memory_size)
{
	at = put(at, type, 4);
	at = put(at, flags, 4);
	at = put(at, offset, 8);
	at = put(at, 0x400000 + offset, 8);
	at = put(at, 0x400000 + offset, 8);
	at = put(at, file_size, 8);
	at = put(at, memory_size, 8);
	return put(at, ABI_PAGE_SIZE, 8);
}

size_t harness_elf(uint8_t *file, unsigned int index)
{
	static const uint8_t ident[16] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };
	uint8_t *at = file;

	memset(file, 0, HARNESS_ELF_SIZE);
	memcpy(at, ident, sizeof(ident));
	at = put(at + sizeof(ident), ELF_TYPE_EXEC, 2);
	at = put(at, 62, 2);
	at = put(at, 1, 4);
	at = put(at, PROGRAM_TEXT + index, 8);
	at = put(at, 64, 8);
	at = put(at, 0, 8);
	at = put(at, 0, 4);
	at = put(at, 64, 2);
	at = put(at, ELF_SEGMENT_SIZE, 2);
	at = put(at, 4, 2);
	at = put(at, 0, 2 + 2 + 2);
	at = put_segment(at, ELF_SEGMENT_LOAD, ELF_FLAG_READ, 0, 64 + 4 * ELF_SEGMENT_SIZE,
			 64 + 4 * ELF_SEGMENT_SIZE);
	at = put_segment(at, ELF_SEGMENT_LOAD, ELF_FLAG_READ | ELF_FLAG_EXEC, 0x1000, 0x100, 0x100);
	at = put_segment(at, ELF_SEGMENT_LOAD, ELF_FLAG_READ | ELF_FLAG_WRITE, 0x2000, 0x800,
			 0x3000);
	put_segment(at, ELF_SEGMENT_GNU_STACK, ELF_FLAG_READ | ELF_FLAG_WRITE, 0, 0, 0);
	memset(file + 0x2000, 0xd0, ABI_PAGE_SIZE);
	return HARNESS_ELF_SIZE;
}

void harness_add_program(const char *name, unsigned int index, program code)
{
	uint8_t file[HARNESS_ELF_SIZE];

	harness_add(name, file, harness_elf(file, index));
	harness.programs[index] = code;
}

/* ---- Programs ---- */

enum user_exit sys(struct user_context *context, uint64_t number, uint64_t a, uint64_t b,
		   uint64_t c)
{
	context->regs.rax = number;
	context->regs.rdi = a;
	context->regs.rsi = b;
	context->regs.rdx = c;
	return USER_EXIT_SYSCALL;
}

int64_t result_of(const struct user_context *context)
{
	return (int64_t)context->regs.rax;
}

void poke(struct user_context *context, uint64_t at, const void *from, size_t size)
{
	check(space_write(context->space, (va_t){ at }, from, size));
}

void peek(struct user_context *context, void *to, uint64_t from, size_t size)
{
	check(space_read(context->space, to, (va_t){ from }, size));
}

enum user_exit sys_reply(struct user_context *context, uint32_t status, const void *payload,
			 size_t size)
{
	struct service_reply header = { .status = status, .size = (uint32_t)size };

	poke(context, PROGRAM_DATA, &header, sizeof(header));
	poke(context, PROGRAM_DATA + sizeof(header), payload, size);
	return sys(context, LINUX_WRITE, SERVICE_FD_REQUESTS, PROGRAM_DATA, sizeof(header) + size);
}
