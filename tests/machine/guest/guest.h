/* SPDX-License-Identifier: MIT */
/*
 * What the test guests share: start, output, exceptions, the GHCB, and a vCPU at VMPL2. Each test
 * is a program of its own that proves one rule of the specifications at VMPL0 of the machine,
 * without Socle, and says so line by line:
 *
 *	ok RULE
 *	not ok RULE: GOT, want WANTED
 *
 * What is wanted is written down from the specifications, and never computed by code that the
 * machine uses too.
 */
#ifndef SOCLE_TESTS_MACHINE_GUEST_H
#define SOCLE_TESTS_MACHINE_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/ghcb.h"
#include "abi/snp.h"

/* RAM that is not loaded at launch: a test validates what it uses of it. */
#define TEST_PAGE 0x1000000ull

/* The test itself; when it returns, the guest ends. */
void test_main(void);

/* Says whether got is what the specification wants. */
void check(const char *rule, uint64_t got, uint64_t want);

/* Writes text as it is, without a result. */
void say(const char *text);

/* Private memory without the C-bit: the shared view of the same page. */
static inline volatile void *shared_view(uint64_t gpa)
{
	return (volatile void *)(gpa + (1ull << 30));
}

static inline volatile void *private_view(uint64_t gpa)
{
	return (volatile void *)gpa;
}

/* Instructions. */

struct pvalidate_result {
	uint32_t eax;
	bool carry;
};
struct pvalidate_result pvalidate(uint64_t gpa, uint32_t size, uint32_t validate);
uint32_t rmpadjust(uint64_t gpa, uint64_t size, uint64_t rdx);
uint64_t msr_read(uint32_t msr);
void msr_write(uint32_t msr, uint64_t value);

/* The GHCB MSR protocol: writes the request, exits, reads the answer. */
uint64_t ghcb_msr_call(uint64_t request);

/* Page state changes by the MSR protocol; the whole answer. */
uint64_t page_make_private(uint64_t gpa);
uint64_t page_make_shared(uint64_t gpa);

/* The GHCB page, registered and shared by guest_start(). */
extern volatile struct ghcb *ghcb;
uint64_t ghcb_gpa(void);

/* Marks a field of the GHCB valid; offset as in struct ghcb. */
void ghcb_set_valid(size_t offset);

/* Clears the bitmap of valid fields. */
void ghcb_clear(void);

/* Exits with the GHCB as it is, at gpa. */
void ghcb_exit_at(uint64_t gpa);

/* A whole exit: code and infos, with nothing else valid but what ghcb_set_valid() marked since. */
struct ghcb_answer {
	uint32_t result; /* SW_EXITINFO1 31:0 */
	uint64_t info_2;
};
struct ghcb_answer ghcb_exit(uint64_t code, uint64_t info_1, uint64_t info_2);

/* MSRs through the GHCB; true when the host did it. */
bool ghcb_msr_write(uint32_t msr, uint64_t value);
bool ghcb_msr_read(uint32_t msr, uint64_t *value);

/* Exceptions. */

struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/* Called for every exception; without one, an exception is a failure of the test. */
extern void (*trap_handler)(struct trap_frame *frame);

/* Runs ring 3 at rip until the handler calls user_leave(). */
void user_run(uint64_t rip, uint64_t rsp);
void user_leave(struct trap_frame *frame);

/* A vCPU at VMPL2, on the same CPU. */

/*
 * Makes one that starts at entry, with the image granted to it. Its VMSA, for the test to change.
 */
struct snp_vmsa *level2_create(void (*entry)(void));

/* Marks its VMSA page as such and makes the host know it. */
void level2_start(void);

/* Runs it until it asks for VMPL0 again; the answer of the MSR protocol. */
uint64_t level2_run(void);

/* At VMPL2: asks for VMPL0. Returns when it runs VMPL2 again. */
void level2_return(void);

/* The gPA of its VMSA. */
uint64_t level2_vmsa(void);

/* A second CPU, at VMPL0. It has no GHCB, and its exceptions are this one's. */
void second_cpu_start(void (*entry)(void));

extern char image_start[], image_end[];

#endif
