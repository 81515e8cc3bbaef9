/* SPDX-License-Identifier: MIT */
/*
 * A second level of an attack guest, the next less privileged one, on the first CPU. It runs when
 * the first level has something for it to do, and comes back when that is done: so both use one
 * program, in whose pages it has all rights, and whatever else the first level gives to it.
 */
#ifndef SOCLE_TESTS_ATTACKS_LOWER_H
#define SOCLE_TESTS_ATTACKS_LOWER_H

#include "tests/attacks/guest/attack.h"

#define RIGHTS_ALL 0xf00ull
#define RIGHT_READ 0x100ull
#define RIGHTS_USE 0x300ull /* read and write */

/* Its number. */
unsigned int lower_vmpl(void);

/* RMPADJUST of the first level: what the second may do on the page from now on. */
void lower_give(uint64_t gpa, uint64_t rights);

/*
 * Makes it, of the pages vmsa and caa, and gives it program and calling area; false when Socle or
 * the host refuses. lower_end() deletes it and takes all back; both pages are plain ones then.
 */
bool lower_start(uint64_t vmsa, uint64_t caa);
void lower_end(void);

/* Has it do something, and waits for that; from its job, lower_back() goes back in between. */
void lower_run(void (*job)(void));
void lower_back(void);

/* Goes on with a job that went back. False: the host does not run it, for its VMSA is none. */
bool lower_go_on(void);

/* Its calling area, and the state of its CPU, for what it shall find there. */
struct cpu *lower_cpu(void);

#endif
