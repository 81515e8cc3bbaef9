/* SPDX-License-Identifier: MIT */
/*
 * Services without a CPU: the monitor's own allocator, address spaces and locks over an array, and
 * programs in C in place of ring 3. A program is a function that is called at each entry and says
 * why it "left": mostly with a system call in the registers. Every test runs in a process of its
 * own, for the monitor starts only once.
 */
#ifndef SOCLE_MONITOR_SERVICE_TESTS_HARNESS_H
#define SOCLE_MONITOR_SERVICE_TESTS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/params.h"
#include "monitor/base/die.h"
#include "monitor/service/loader.h"
#include "monitor/service/process.h"

#define HARNESS_REGION 0x10000000ull
#define HARNESS_ARCHIVE_OFFSET (8u << 20)
#define PROGRAM_DATA 0x402000ull /* a writable page of every program: scratch memory */
#define PROGRAM_TEXT 0x401000ull

/* step counts the entries from 0. */
typedef enum user_exit (*program)(struct user_context *context, unsigned int step);

/* Everything a test looks at or sets. Fresh in each test. */
struct harness {
	char log[16384];
	size_t log_size;
	enum die_reason died; /* 0: no */
	const char *last_words;
	uint64_t now_ns;
	bool no_random;
	bool unsealed; /* the direct map shows the archive writable */
	program programs[CONF_SERVICES_MAX];
	/* Host channel: what the host has sent, what it got, and how much it takes at once. */
	const char *host_in;
	char host_out[8192];
	size_t host_out_size, host_takes;
	bool no_host; /* no such channel */
	/* AMD-SP */
	uint64_t guest_request_result;
	unsigned int guest_requests;
	unsigned int busy;    /* so many of the next are answered by a host that is busy */
	void (*asleep)(void); /* what happens while the vCPU sleeps */
	unsigned int cpu;     /* that the test is on */
};
extern struct harness harness;

/* Runs body in a process of its own; fails the cmocka test when a check() in it failed. */
void run_alone(void (*body)(void));

void check_at(bool holds, const char *what, const char *file, int line);
#define check(what) check_at((what), #what, __FILE__, __LINE__)

/* Pages of memory, empty archive. Called first in a body. */
void harness_init(void);

/* Adds a file to the archive, its bytes at the start of a page. Returns where they are. */
uint8_t *harness_add(const char *name, const void *data, size_t size);

/* Adds the file without that care. */
uint8_t *harness_add_packed(const char *name, const void *data, size_t size);

/* Ends the archive and describes it. */
struct socle_params harness_params(void);
struct loader_archive harness_archive(void);

/* A good executable whose program is harness.programs[index]. Returns its size, whole pages. */
size_t harness_elf(uint8_t *file, unsigned int index);
#define HARNESS_ELF_SIZE (3u * ABI_PAGE_SIZE)

/* Adds the executable of programs[index] under name, and the program. */
void harness_add_program(const char *name, unsigned int index, program code);

/* Lets a program make a system call. */
enum user_exit sys(struct user_context *context, uint64_t number, uint64_t a, uint64_t b,
		   uint64_t c);

/* Lets a program reply with status and payload (through PROGRAM_DATA). */
enum user_exit sys_reply(struct user_context *context, uint32_t status, const void *payload,
			 size_t size);

/* Result of the last system call. */
int64_t result_of(const struct user_context *context);

/* Memory of a program, which must be there. */
void poke(struct user_context *context, uint64_t at, const void *from, size_t size);
void peek(struct user_context *context, void *to, uint64_t from, size_t size);

/* Calls body and returns the reason of its die(), or 0 when it returned. */
enum die_reason dies(void (*body)(void));

#endif
