/* SPDX-License-Identifier: MIT */
#include "tests/machine/rules/actor.h"

#include <stddef.h>

#include "tests/machine/guest/exits.h"
#include "tests/machine/guest/traps.h"
#include "tests/machine/guest/vmsa.h"

#define STACK_SIZE 16384ull
#define PAUSES_MAX 2000000000ull /* some seconds, also where two vCPUs share a CPU */
#define GRANT_ALL 0xf00ull
#define VMSA_BIT (1ull << 16)
#define VECTOR_NMI 2u
#define RUN_VMPL 0x016ull
#define RUN_VMPL_DONE 0x017ull

/* At the bottom of its stack, so that an actor finds it by its stack pointer. */
struct actor {
	unsigned int cpu, vmpl;
	volatile struct ghcb *ghcb; /* NULL until it is registered */
	uint64_t *guard;	    /* stack pointer of the innermost actor_guard() */
	uint64_t raised_rip;
	uint64_t stray_nmis;
	actor_task task;
	uint64_t arg, result;
	bool busy; /* atomic */
};

/* What the first vCPU asks of another. */
struct order {
	unsigned int vmpl;
	actor_task task;
	uint64_t arg, result;
	bool open; /* atomic */
};

uint64_t actor_guard(actor_task task, uint64_t arg, uint64_t *rsp);
_Noreturn void actor_call_on(void (*function)(void), uint8_t *stack_top);
extern char actor_guard_end[], image_start[], image_end[];

static uint8_t stacks[ACTOR_CPUS][SNP_VMPL_COUNT][STACK_SIZE] __attribute__((aligned(STACK_SIZE)));
static uint8_t vmsas[ACTOR_CPUS][SNP_VMPL_COUNT][4096] __attribute__((aligned(4096)));
static uint8_t ghcbs[ACTOR_CPUS][SNP_VMPL_COUNT][4096] __attribute__((aligned(4096)));
static struct order orders[ACTOR_CPUS];
static uint64_t hv_counts[ACTOR_CPUS]; /* atomic */
static struct actor *in_user;	       /* whose exception the next one from ring 3 is */

static struct actor *actor_at(unsigned int cpu, unsigned int vmpl)
{
	return (struct actor *)stacks[cpu][vmpl];
}

static struct actor *self(void)
{
	return (struct actor *)((uint64_t)__builtin_frame_address(0) & ~(STACK_SIZE - 1));
}

unsigned int actor_cpu(void)
{
	return self()->cpu;
}

unsigned int actor_level(void)
{
	return self()->vmpl;
}

struct snp_vmsa *actor_vmsa(unsigned int cpu, unsigned int vmpl)
{
	return (struct snp_vmsa *)vmsas[cpu][vmpl];
}

volatile struct ghcb *ghcb_own(void)
{
	struct actor *a = self();
	uint64_t gpa = (uint64_t)ghcbs[a->cpu][a->vmpl];

	if (a->ghcb == NULL) {
		(void)ghcb_msr_call(0x012 | gpa);
		a->ghcb = (volatile struct ghcb *)(gpa + SHARED_OFFSET);
		ghcb_clear();
	}
	return a->ghcb;
}

static void share_ghcb(uint8_t *page)
{
	(void)pvalidate((uint64_t)page, 0, 0);
	(void)page_make_shared((uint64_t)page);
	for (size_t i = 0; i < 4096 / 8; i++)
		((volatile uint64_t *)shared_view((uint64_t)page))[i] = 0;
}

static void note_exception(struct trap_frame *frame)
{
	struct actor *a = frame->cs & 3 ? in_user : self();

	if (a != NULL && frame->vector == X86_VECTOR_HV) {
		(void)__atomic_add_fetch(&hv_counts[a->cpu], 1, __ATOMIC_SEQ_CST);
		return;
	}
	if (a != NULL && a->guard == NULL && frame->vector == VECTOR_NMI) {
		a->stray_nmis++;
		return;
	}
	if (a == NULL || a->guard == NULL)
		trap_unhandled(frame);
	a->raised_rip = frame->rip;
	frame->rip = (uint64_t)actor_guard_end;
	frame->rsp = *a->guard;
	frame->rax = RAISED(frame->vector, frame->error);
	frame->cs = 0x08;
	frame->ss = 0x10;
	frame->rflags = 2;
}

uint64_t actor_try(actor_task task, uint64_t arg)
{
	struct actor *a = self();
	uint64_t *before = a->guard, rsp, result;

	a->guard = &rsp;
	result = actor_guard(task, arg, &rsp);
	a->guard = before;
	return result;
}

uint64_t actor_raised_rip(void)
{
	return self()->raised_rip;
}

uint64_t actor_raised_rip_of(unsigned int cpu, unsigned int vmpl)
{
	return actor_at(cpu, vmpl)->raised_rip;
}

static uint64_t enter_user(uint64_t entry)
{
	static uint8_t user_stack[4096] __attribute__((aligned(16)));

	user_run(entry, (uint64_t)user_stack + sizeof(user_stack) - 8);
	return 0;
}

uint64_t actor_try_user(void (*entry)(void))
{
	in_user = self();
	return actor_try(enter_user, (uint64_t)entry);
}

uint64_t actor_hv_count(unsigned int cpu)
{
	return __atomic_load_n(&hv_counts[cpu], __ATOMIC_SEQ_CST);
}

uint64_t actor_stray_nmis(unsigned int cpu, unsigned int vmpl)
{
	uint64_t count = actor_at(cpu, vmpl)->stray_nmis;

	actor_at(cpu, vmpl)->stray_nmis = 0;
	return count;
}

uint64_t actor_run_level(unsigned int vmpl)
{
	return ghcb_msr_call(RUN_VMPL | (uint64_t)vmpl << 32);
}

/* Levels 1 to 3: each run is one task. */
static void lower_level(void)
{
	for (;;) {
		struct actor *a = self();

		a->result = actor_try(a->task, a->arg);
		a->busy = false;
		(void)ghcb_msr_call(RUN_VMPL);
	}
}

void actor_order(unsigned int cpu, unsigned int vmpl, actor_task task, uint64_t arg)
{
	struct actor *a = actor_at(cpu, vmpl);

	a->task = task;
	a->arg = arg;
	a->busy = true;
}

uint64_t actor_resume(unsigned int vmpl)
{
	const struct actor *a = actor_at(actor_cpu(), vmpl);

	if (actor_run_level(vmpl) != RUN_VMPL_DONE || __atomic_load_n(&a->busy, __ATOMIC_ACQUIRE))
		return ACTOR_DOES_NOT_RUN;
	return a->result;
}

static uint64_t act_here(unsigned int vmpl, actor_task task, uint64_t arg)
{
	if (vmpl == 0)
		return actor_try(task, arg);
	actor_order(actor_cpu(), vmpl, task, arg);
	return actor_resume(vmpl);
}

/* VMPL0 of the second vCPU. */
static void serve_orders(void)
{
	struct order *o = &orders[actor_cpu()];

	for (;;) {
		while (!__atomic_load_n(&o->open, __ATOMIC_ACQUIRE))
			__asm__ volatile("pause");
		o->result = act_here(o->vmpl, o->task, o->arg);
		__atomic_store_n(&o->open, false, __ATOMIC_RELEASE);
	}
}

void act_begin(unsigned int cpu, unsigned int vmpl, actor_task task, uint64_t arg)
{
	orders[cpu] = (struct order){ .vmpl = vmpl, .task = task, .arg = arg };
	__atomic_store_n(&orders[cpu].open, true, __ATOMIC_RELEASE);
}

bool act_is_done(unsigned int cpu)
{
	return !__atomic_load_n(&orders[cpu].open, __ATOMIC_ACQUIRE);
}

uint64_t act_finish(unsigned int cpu)
{
	for (uint64_t i = 0; i < PAUSES_MAX; i++) {
		if (act_is_done(cpu))
			return orders[cpu].result;
		__asm__ volatile("pause");
	}
	return ACTOR_DOES_NOT_RUN;
}

uint64_t act(unsigned int cpu, unsigned int vmpl, actor_task task, uint64_t arg)
{
	if (cpu == 0)
		return act_here(vmpl, task, arg);
	act_begin(cpu, vmpl, task, arg);
	return act_finish(cpu);
}

void actor_fill_vmsa(unsigned int cpu, unsigned int vmpl)
{
	struct snp_vmsa *vmsa = actor_vmsa(cpu, vmpl);

	vmsa_fill(vmsa, (uint8_t)vmpl, vmpl == 0 ? serve_orders : lower_level,
		  stacks[cpu][vmpl] + STACK_SIZE);
	if (vmpl == 0)
		vmsa->sev_features = msr_read(SNP_MSR_SEV_STATUS) >> SNP_SEV_STATUS_FEATURES_SHIFT;
	else
		vmsa->tr = (struct snp_segment){ 0x28, 0x8b, 0x67, traps_tss() };
	actor_at(cpu, vmpl)->ghcb = NULL;
	actor_at(cpu, vmpl)->guard = NULL;
}

uint64_t actor_ap_creation(uint64_t info_1, uint64_t vmsa, uint64_t features)
{
	struct ghcb_answer answer;

	ghcb_own()->rax = features;
	ghcb_set_valid(0x1f8);
	answer = ghcb_exit(0x80000013, info_1, vmsa);
	return (uint64_t)answer.result << 32 | (uint32_t)answer.info_2;
}

uint64_t actor_create(unsigned int cpu, unsigned int vmpl)
{
	struct snp_vmsa *vmsa = actor_vmsa(cpu, vmpl);
	uint32_t adjusted;

	actor_fill_vmsa(cpu, vmpl);
	adjusted = rmpadjust((uint64_t)vmsa, 0, VMSA_BIT | 1);
	if (adjusted != 0)
		return adjusted;
	return actor_ap_creation((uint64_t)cpu << 32 | vmpl << 16 | 1, (uint64_t)vmsa,
				 vmsa->sev_features) >>
	       32;
}

uint64_t actor_end(unsigned int cpu, unsigned int vmpl)
{
	uint64_t answer = actor_ap_creation((uint64_t)cpu << 32 | vmpl << 16 | 2, 0, 0) >> 32;

	return answer ? answer : rmpadjust((uint64_t)actor_vmsa(cpu, vmpl), 0, 1);
}

static bool is_own(uint64_t gpa, const void *pages, size_t size)
{
	return gpa >= (uint64_t)pages && gpa < (uint64_t)pages + size;
}

uint64_t actors_grant_image(void)
{
	uint64_t results = 0;

	for (uint64_t at = (uint64_t)image_start; at < (uint64_t)image_end; at += 4096) {
		if (is_own(at, vmsas, sizeof(vmsas)) || is_own(at, ghcbs, sizeof(ghcbs)))
			continue;
		for (unsigned int vmpl = 1; vmpl < SNP_VMPL_COUNT; vmpl++)
			results |= rmpadjust(at, 0, GRANT_ALL | vmpl);
	}
	return results;
}

_Noreturn void actors_start(void (*main)(void))
{
	for (unsigned int cpu = 0; cpu < ACTOR_CPUS; cpu++) {
		for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++) {
			actor_at(cpu, vmpl)->cpu = cpu;
			actor_at(cpu, vmpl)->vmpl = vmpl;
			share_ghcb(ghcbs[cpu][vmpl]);
		}
	}
	traps_start();
	trap_handler = note_exception;
	actor_call_on(main, stacks[0][0] + STACK_SIZE);
}
