/* SPDX-License-Identifier: MIT */
/* Instructions and exits that test guests of any VMPL need. */
#ifndef SOCLE_TESTS_MACHINE_EXITS_H
#define SOCLE_TESTS_MACHINE_EXITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/ghcb.h"
#include "abi/snp.h"

/* The first GiB is mapped twice: privately at its own addresses, and shared from here on. */
#define SHARED_OFFSET (1ull << 30)

/* Private memory without the C-bit: the shared view of the same page. */
static inline volatile void *shared_view(uint64_t gpa)
{
	return (volatile void *)(gpa + SHARED_OFFSET);
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
void invlpgb(uint64_t rax, uint64_t ecx, uint64_t edx);
void tlbsync(void);
uint64_t msr_read(uint32_t msr);
void msr_write(uint32_t msr, uint64_t value);

/* The GHCB MSR protocol: writes the request, exits, reads the answer. */
uint64_t ghcb_msr_call(uint64_t request);

/* Page state changes by the MSR protocol; the whole answer. */
uint64_t page_make_private(uint64_t gpa);
uint64_t page_make_shared(uint64_t gpa);

/*
 * The GHCB of this CPU, by its shared view: registered, and shared with the host. Whoever links
 * this says which it is. ghcb_gpa() is its address.
 */
volatile struct ghcb *ghcb_own(void);
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

/* One byte to a port, or from it. */
void ghcb_out8(uint16_t port, uint8_t value);
uint8_t ghcb_in8(uint16_t port);

/*
 * Of a device's memory, 1, 2, 4 or 8 bytes at a multiple of size (GHCB specification, 4.1.8,
 * 4.1.9).
 */
void ghcb_mmio_write(uint64_t address, unsigned int size, uint64_t value);
uint64_t ghcb_mmio_read(uint64_t address, unsigned int size);

/* MSRs through the GHCB; true when the host did it. */
bool ghcb_msr_write(uint32_t msr, uint64_t value);
bool ghcb_msr_read(uint32_t msr, uint64_t *value);

#endif
