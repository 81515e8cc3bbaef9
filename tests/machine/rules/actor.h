/* SPDX-License-Identifier: MIT */
/*
 * Actors: each of two vCPUs at each of four VMPLs, with a stack, a VMSA and a GHCB of its own.
 * VMPL0 of the first vCPU tells the others what to do, one at a time unless it says otherwise.
 */
#ifndef SOCLE_TESTS_MACHINE_ACTOR_H
#define SOCLE_TESTS_MACHINE_ACTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/snp.h"

#define ACTOR_CPUS 2u

/* What an exception makes of a task's result: its vector and its error code. */
#define RAISED(vector, error) (1ull << 63 | (uint64_t)(vector) << 32 | (error))
#define RAISED_UD RAISED(6, 0)
#define RAISED_GP RAISED(13, 0)
#define RAISED_VC(code) RAISED(29, code)
#define NOT_VALIDATED RAISED_VC(0x404) /* APM volume 2, 15.36.10 */

/* The host did not run it. */
#define ACTOR_DOES_NOT_RUN 0xd0e5407f00000000ull

typedef uint64_t (*actor_task)(uint64_t arg);

/* Stack, traps and GHCB of the first vCPU at VMPL0; runs main there, and does not return. */
_Noreturn void actors_start(void (*main)(void));

/* Makes the image reachable for VMPLs 1 to 3. 0, or what RMPADJUST said. */
uint64_t actors_grant_image(void);

/* Makes the VMSA and tells the host. SW_EXITINFO1 of the answer. Once, or after actor_end(). */
uint64_t actor_create(unsigned int cpu, unsigned int vmpl);
uint64_t actor_end(unsigned int cpu, unsigned int vmpl);

/* Result of task, run by that actor; RAISED() when it ended in an exception. */
uint64_t act(unsigned int cpu, unsigned int vmpl, actor_task task, uint64_t arg);

/* The same in two steps, for another vCPU: VMPL0 of the first goes on meanwhile. */
void act_begin(unsigned int cpu, unsigned int vmpl, actor_task task, uint64_t arg);
uint64_t act_finish(unsigned int cpu);
bool act_is_done(unsigned int cpu);

/* At any actor: runs task, and takes what it raises for its result. RIP of the exception, too. */
uint64_t actor_try(actor_task task, uint64_t arg);
uint64_t actor_raised_rip(void);
uint64_t actor_raised_rip_of(unsigned int cpu, unsigned int vmpl);

/* The same in ring 3, for one that never returns but by an exception. */
uint64_t actor_try_user(void (*entry)(void));

/*
 * The same by hand, for a level of this vCPU that may be preempted: what it does once it is run,
 * and the result when it was run to its end, which actor_resume() does.
 */
void actor_order(unsigned int cpu, unsigned int vmpl, actor_task task, uint64_t arg);
uint64_t actor_resume(unsigned int vmpl);

/* VMSA page of an actor. VMPL0 of the first vCPU runs on the one of the launch. */
struct snp_vmsa *actor_vmsa(unsigned int cpu, unsigned int vmpl);

/* The VMSA as actor_create() makes it. */
void actor_fill_vmsa(unsigned int cpu, unsigned int vmpl);

/* AP creation with any request: SW_EXITINFO1 << 32 | SW_EXITINFO2 31:0 of the answer. */
uint64_t actor_ap_creation(uint64_t info_1, uint64_t vmsa, uint64_t features);

/* Runs a level of this vCPU; the whole answer of the MSR protocol. */
uint64_t actor_run_level(unsigned int vmpl);

/* How often #HV came on that vCPU. It ends no task. */
uint64_t actor_hv_count(unsigned int cpu);

/* How many NMIs came to an actor between two tasks since it was asked last; they end none. */
uint64_t actor_stray_nmis(unsigned int cpu, unsigned int vmpl);

unsigned int actor_cpu(void);
unsigned int actor_level(void);

#endif
