/* SPDX-License-Identifier: MIT */
/*
 * The model: arch.h in plain C, for host processes. Guest memory is an array, the RMP is
 * core/snp/rmp. A test scripts what a hostile guest and host do: it sees each operation before it
 * happens, and may change memory and RMP then, or make the operation fail. The host is one that
 * converts: it assigns a page that somebody needs. Such a page is not validated, so PVALIDATE goes
 * on with it, and every other operation faults, as on hardware. One thread; arch_cpu_index() is
 * what the test says.
 */
#ifndef SOCLE_MONITOR_ARCH_MODEL_MODEL_H
#define SOCLE_MONITOR_ARCH_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/ghcb.h"
#include "core/snp/rmp.h"
#include "monitor/base/addr.h"

#define MODEL_PAGES 4096u /* 16 MiB from gPA 0 */
#define MODEL_SIZE ((uint64_t)MODEL_PAGES * ABI_PAGE_SIZE)
#define MODEL_SEV_FEATURES 0x1ull
/* What a page holds that the host has just assigned. */
#define MODEL_SCRAMBLED 0xa5

enum model_op {
	MODEL_READ,
	MODEL_WRITE,
	MODEL_ZERO,
	MODEL_EXCHANGE,
	MODEL_PVALIDATE,
	MODEL_RMPADJUST,
	MODEL_RMPQUERY,
	MODEL_FLUSH,
	MODEL_RUNNABLE,
	MODEL_OPS,
};

/*
 * One operation. argument: the bit of PVALIDATE and of RUNNABLE, the operand of RMPADJUST and
 * RMPQUERY.
 */
struct model_event {
	enum model_op op;
	gpa_t at;
	uint64_t size; /* bytes */
	uint64_t argument;
};

/*
 * Called before each operation, and may change memory, RMP and states as any other vCPU or the host
 * does meanwhile. Returns false to make it fail as a fault does.
 */
typedef bool (*model_hook)(void *context, const struct model_event *event);

/* Empty memory, nothing assigned, no hook, empty journal, CPU 0. */
void model_reset(void);

/* Calls hook from now on; NULL ends that. */
void model_set_hook(model_hook hook, void *context);

/* Makes the nth operation of that kind from now on fail, 1 being the next; 0 none. */
void model_fail(enum model_op op, unsigned int nth);

/* PVALIDATE, RMPADJUST and RMPQUERY return this EAX at the nth time from now on, and do nothing. */
void model_fail_with(enum model_op op, unsigned int nth, uint32_t eax);

/* So much later is it. */
void model_pass(uint64_t ns);

/* Which vCPU arch_cpu_index() says. */
void model_set_cpu(unsigned int cpu);

/* The journal: operations so far, oldest first; those beyond its end are counted only. */
#define MODEL_JOURNAL_MAX 4096u
const struct model_event *model_journal(size_t *count);
void model_journal_clear(void);

/* Memory behind the guest's and the monitor's back, and the RMP as the host sees it. */
uint8_t *model_memory(gpa_t at);
struct rmp *model_rmp(void);

/* The host takes pages away, and gives others of unknown content. */
void model_host_unassign(gpa_t page, uint64_t pages);
void model_host_assign(gpa_t page, uint64_t pages);

/*
 * What the guest's APIC has asked of the host: how often for that vCPU, for that vector; and its
 * end.
 */
unsigned int model_kicks(unsigned int cpu);
unsigned int model_eois(uint8_t vector);
struct model_alternate_end {
	bool ended;
	uint8_t tpr;
	bool shadow, interrupts;
};
struct model_alternate_end model_alternate_ended(void);

/* Whether a vCPU of vmpl has all rights in perms (RMP_PERM_*) on the page now. */
bool model_allows(gpa_t page, unsigned int vmpl, unsigned int perms);

#endif
