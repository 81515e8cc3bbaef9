/* SPDX-License-Identifier: MIT */
/* What ends a translation, and what does not: for the tests of rights that were lost. */
#ifndef SOCLE_TESTS_MACHINE_TRANSLATIONS_H
#define SOCLE_TESTS_MACHINE_TRANSLATIONS_H

#include <stdint.h>

#define CR4_PSE (1ull << 4)
#define CR4_PGE (1ull << 7)

/* What try_store() says of a store to a page that is not validated (APM volume 2, 15.36.10). */
#define NOT_VALIDATED 0x1d0404ull

/* INVLPGB of all that the VM has: RAX bits 2, 3 and 5 (APM volume 3). */
#define WHOLE_VM 0x2cull

/* From now on exceptions end the store that raised them. For try_store(), on all CPUs. */
void translations_start(void);

/*
 * Stores to a private page at its own address. Vector << 16 | error code of what it raises, or 0.
 */
uint64_t try_store(uint64_t gpa);

/* Writes CR4 with these bits changed. */
void change_cr4(uint64_t bits);

void reload_cr3(void);
void invlpg(uint64_t address);

#endif
