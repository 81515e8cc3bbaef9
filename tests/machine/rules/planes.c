/* SPDX-License-Identifier: MIT */
/*
 * Planes: each VMPL of a vCPU has an APIC and pending events of its own, and the most privileged
 * one that can run does (GHCB specification, "Run VMPL" and "SNP AP Creation"; the series "KVM
 * Planes + SEV-SNP Support" of June 2026, by patch: docs/planes.md). The vector is 31, the last one
 * that the image has a gate for; an interrupt ends the task that it comes in.
 */
#include "tests/machine/rules/families.h"

#define APICS "KVM planes, patches 41, 42, 48; APM volume 2, chapter 16"
#define ORDER "KVM planes, patch 35"
#define CREATION "KVM planes, patches 30 and 57; GHCB specification, SNP AP Creation"
#define RUN "GHCB specification, Run VMPL; KVM planes, patch 58"
#define RESET_HOLD "GHCB specification, AP Reset Hold"

#define ID 0x802u
#define TPR 0x808u
#define PPR 0x80au
#define EOI 0x80bu
#define SVR 0x80fu
#define ISR_0 0x810u
#define IRR_0 0x820u
#define ICR 0x830u
#define LVT_TIMER 0x832u
#define INITIAL_COUNT 0x838u
#define CURRENT_COUNT 0x839u
#define DIVIDE 0x83eu
#define DIVIDE_BY_1 0xbu
#define LVT_MASKED 0x10000u

#define VECTOR 31u
#define BIT_31 (1ull << 31)
#define SELF 0x40000ull
#define OTHERS 0xc0000ull
#define NMI 0x400ull
#define SIPI 0x600ull
#define TO(id) ((uint64_t)(id) << 32)
#define TAKEN RAISED(31, 0)
#define NMI_TAKEN RAISED(2, 0)

#define NOTHING 0x600dull /* what a level says that let interrupts in, and none came */
#define RAN 0x017ull
#define SOON 20000u /* of the APIC's timer */
#define SOON_MAX (1ull << 28)
#define PATIENCE 2000000u
#define LOOKS 2000u
#define CPU_1 1u

static uint64_t flag, turns; /* atomic */

static uint64_t get(const uint64_t *number)
{
	return __atomic_load_n(number, __ATOMIC_SEQ_CST);
}

static void set(uint64_t *number, uint64_t value)
{
	__atomic_store_n(number, value, __ATOMIC_SEQ_CST);
}

/* ---- What a level does ---- */

static uint64_t let_in(uint64_t looks)
{
	for (uint64_t i = 0; i < looks; i++)
		__asm__ volatile("sti; nop; nop; cli" : : : "memory");
	return NOTHING;
}

static uint64_t read_register(uint64_t reg)
{
	uint64_t value = 0;

	return ghcb_msr_read((uint32_t)reg, &value) ? value : ~0ull;
}

static uint64_t send(uint64_t icr)
{
	return !ghcb_msr_write(ICR, icr);
}

static uint64_t end_of_interrupt(uint64_t arg)
{
	(void)arg;
	return !ghcb_msr_write(EOI, 0);
}

static uint64_t nmi_complete(uint64_t arg)
{
	(void)arg;
	return ghcb_exit(0x80000003, 0, 0).result;
}

static uint64_t set_tpr(uint64_t value)
{
	return !ghcb_msr_write(TPR, value);
}

static uint64_t start_timer(uint64_t count)
{
	return !ghcb_msr_write(DIVIDE, DIVIDE_BY_1) || !ghcb_msr_write(LVT_TIMER, VECTOR) ||
	       !ghcb_msr_write(INITIAL_COUNT, count);
}

/* The APIC on, nothing in service, and no timer. */
static uint64_t clean(uint64_t arg)
{
	(void)arg;
	if (!apic_start() || !ghcb_msr_write(TPR, 0) || !ghcb_msr_write(INITIAL_COUNT, 0))
		return 1;
	for (unsigned int i = 0; i < 3; i++)
		(void)ghcb_msr_write(EOI, 0);
	return !ghcb_msr_write(LVT_TIMER, LVT_MASKED | VECTOR);
}

/* ---- What rules have in common ---- */

/* Nothing waits at that level. 0. */
static uint64_t quiet(unsigned int cpu, unsigned int vmpl)
{
	uint64_t bad = act(cpu, vmpl, clean, 0);

	for (unsigned int i = 0; i < 4; i++) {
		uint64_t came = act(cpu, vmpl, let_in, 2);

		if (came == NMI_TAKEN)
			bad |= act(cpu, vmpl, nmi_complete, 0);
		else if (came == TAKEN)
			bad |= act(cpu, vmpl, end_of_interrupt, 0);
	}
	return bad;
}

static uint64_t all_quiet(unsigned int cpus)
{
	uint64_t bad = 0;

	set(&flag, 0);
	set(&turns, 0);
	for (unsigned int cpu = 0; cpu < cpus; cpu++)
		for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
			bad |= quiet(cpu, vmpl);
	return bad;
}

/* Whether all levels of that vCPU but one say what is wanted: 0, or what another one says. */
static uint64_t others_say(unsigned int cpu, unsigned int but, actor_task task, uint64_t arg,
			   uint64_t want)
{
	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++) {
		uint64_t said = vmpl == but ? want : act(cpu, vmpl, task, arg);

		if (said != want)
			return said ? said : 1;
	}
	return 0;
}

/* ---- An APIC for each ---- */

static uint64_t ipi_stays(const struct rule_case *c)
{
	uint64_t bad = all_quiet(1) | act(0, c->vmpl, send, SELF | VECTOR) |
		       others_say(0, c->vmpl, let_in, LOOKS, NOTHING);

	return bad ? bad : act(0, c->vmpl, let_in, LOOKS);
}

static uint64_t nmi_stays(const struct rule_case *c)
{
	uint64_t bad = all_quiet(1) | act(0, c->vmpl, set_tpr, 0), came;

	came = act(0, c->vmpl, send, SELF | NMI);
	if (came == 0) /* it need not come at the exit that sends it */
		came = act(0, c->vmpl, let_in, LOOKS);
	bad |= others_say(0, c->vmpl, let_in, LOOKS, NOTHING);
	bad |= act(0, c->vmpl, nmi_complete, 0);
	return bad ? bad : came;
}

static uint64_t irr_is_own(const struct rule_case *c)
{
	uint64_t bad = all_quiet(1) | act(0, c->vmpl, send, SELF | VECTOR) |
		       others_say(0, c->vmpl, read_register, IRR_0, 0);

	return bad ? bad : act(0, c->vmpl, read_register, IRR_0);
}

static uint64_t isr_is_own(const struct rule_case *c)
{
	uint64_t bad = all_quiet(1) | act(0, c->vmpl, send, SELF | VECTOR);

	if (bad || act(0, c->vmpl, let_in, LOOKS) != TAKEN)
		return 1;
	bad = others_say(0, c->vmpl, read_register, ISR_0, 0) |
	      others_say(0, c->vmpl, read_register, PPR, 0);
	return bad ? bad : act(0, c->vmpl, read_register, ISR_0);
}

/* What is in service at one level keeps nothing out of another. */
static uint64_t served_beside(const struct rule_case *c)
{
	uint64_t bad = all_quiet(1) | act(0, 0, send, SELF | VECTOR);

	if (bad || act(0, 0, let_in, LOOKS) != TAKEN)
		return 1;
	bad = act(0, c->vmpl, send, SELF | VECTOR);
	return bad ? bad : act(0, c->vmpl, let_in, LOOKS);
}

static uint64_t eoi_is_own(const struct rule_case *c)
{
	uint64_t bad = all_quiet(1) | act(0, c->vmpl, send, SELF | VECTOR);

	if (bad || act(0, c->vmpl, let_in, LOOKS) != TAKEN)
		return 1;
	bad = others_say(0, c->vmpl, end_of_interrupt, 0, 0);
	return bad ? bad : act(0, c->vmpl, read_register, ISR_0);
}

static uint64_t tpr_is_own(const struct rule_case *c)
{
	uint64_t bad = all_quiet(1);

	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
		bad |= act(0, vmpl, set_tpr, 0x10 * (vmpl + 3) + vmpl);
	bad |= act(0, 0, let_in, LOOKS) != NOTHING;
	return bad ? bad : act(0, c->vmpl, read_register, TPR) - 0x11ull * c->vmpl;
}

static uint64_t write_cr8(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr8" : : "r"(value));
	return 0;
}

static uint64_t read_cr8(uint64_t arg)
{
	uint64_t value;

	(void)arg;
	__asm__ volatile("mov %%cr8, %0" : "=r"(value));
	return value;
}

static uint64_t cr8_is_own(const struct rule_case *c)
{
	uint64_t bad = all_quiet(1), cr8;

	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
		bad |= act(0, vmpl, write_cr8, vmpl + 7);
	cr8 = act(0, c->vmpl, read_cr8, 0);
	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
		bad |= act(0, vmpl, write_cr8, 0);
	return bad ? bad : cr8 - c->vmpl;
}

static uint64_t write_svr(uint64_t value)
{
	return !ghcb_msr_write(SVR, value);
}

/* One that is off takes nothing, and the others are on. */
static uint64_t off_is_own(const struct rule_case *c)
{
	uint64_t bad = all_quiet(1) | act(0, c->vmpl, write_svr, 0xff);

	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
		if (vmpl != c->vmpl)
			bad |= act(0, vmpl, send, SELF | VECTOR) |
			       (act(0, vmpl, let_in, LOOKS) != TAKEN);
	return bad ? bad : act(0, c->vmpl, read_register, SVR);
}

static uint64_t id_is_the_vcpus(const struct rule_case *c)
{
	return all_quiet(1) | act(CPU_1, c->vmpl, clean, 0) |
	       (act(0, c->vmpl, read_register, ID) << 8) | act(CPU_1, c->vmpl, read_register, ID);
}

/* ---- IPIs between vCPUs; the target's plane waits meanwhile ---- */

static uint64_t ipi_across(const struct rule_case *c)
{
	uint64_t bad = all_quiet(2) | act(0, c->vmpl, send, c->rule->arg);

	bad |= others_say(CPU_1, c->vmpl, let_in, LOOKS, NOTHING);
	bad |= others_say(0, SNP_VMPL_COUNT, let_in, LOOKS, NOTHING);
	return bad ? bad : act(CPU_1, c->vmpl, let_in, LOOKS);
}

/*
 * It comes as soon as the plane runs, before its task has begun; less privileged ones are not run
 * before, for it would preempt them.
 */
static uint64_t nmi_across(const struct rule_case *c)
{
	uint64_t bad = all_quiet(2), came, strays = 0;

	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
		(void)actor_stray_nmis(CPU_1, vmpl);
	bad |= act(0, c->vmpl, send, c->rule->arg);
	for (unsigned int vmpl = 0; vmpl < c->vmpl; vmpl++)
		bad |= act(CPU_1, vmpl, let_in, LOOKS) != NOTHING;
	bad |= others_say(0, SNP_VMPL_COUNT, let_in, LOOKS, NOTHING);
	came = act(CPU_1, c->vmpl, let_in, LOOKS) == NMI_TAKEN;
	came += actor_stray_nmis(CPU_1, c->vmpl);
	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
		strays += actor_stray_nmis(CPU_1, vmpl);
	bad |= act(CPU_1, c->vmpl, nmi_complete, 0);
	return bad ? bad : came | strays << 8;
}

/* Two that wait are one; nothing is left. */
static uint64_t ipis_merge(const struct rule_case *c)
{
	uint64_t bad = all_quiet(2), first;

	for (unsigned int i = 0; i < 3; i++)
		bad |= act(0, c->vmpl, send, TO(CPU_1) | VECTOR);
	first = act(CPU_1, c->vmpl, let_in, LOOKS);
	bad |= act(CPU_1, c->vmpl, end_of_interrupt, 0);
	bad |= act(CPU_1, c->vmpl, let_in, LOOKS) != NOTHING;
	return bad ? bad : first;
}

/* ---- Creation, and planes that never were ---- */

static uint64_t anew(unsigned int cpu, unsigned int vmpl)
{
	return actor_end(cpu, vmpl) | actor_create(cpu, vmpl);
}

static uint64_t created_without(const struct rule_case *c)
{
	uint64_t bad = all_quiet(1) | act(0, c->vmpl, set_tpr, 0x50) |
		       act(0, c->vmpl, send, SELF | VECTOR);

	bad |= anew(0, c->vmpl) | act(0, c->vmpl, clean, 0);
	bad |= act(0, c->vmpl, read_register, TPR) | act(0, c->vmpl, read_register, IRR_0);
	return bad ? bad : act(0, c->vmpl, let_in, LOOKS);
}

static uint64_t created_beside(const struct rule_case *c)
{
	uint64_t bad = all_quiet(1), other = c->vmpl % 3 + 1;

	bad |= act(0, (unsigned int)other, send, SELF | VECTOR) | act(0, 0, send, SELF | VECTOR);
	bad |= anew(0, c->vmpl) | act(0, c->vmpl, clean, 0);
	bad |= act(0, 0, let_in, LOOKS) != TAKEN;
	return bad ? bad : act(0, (unsigned int)other, let_in, LOOKS);
}

/* The host has not to say that it refuses; when the plane comes to be, there is nothing. */
static uint64_t to_none(const struct rule_case *c)
{
	uint64_t bad = all_quiet(2) | actor_end(CPU_1, c->vmpl);

	bad |= act(0, c->vmpl, send, TO(CPU_1) | VECTOR);
	bad |= act(0, c->vmpl, send, OTHERS | NMI);
	bad |= act(0, c->vmpl, send, OTHERS | VECTOR);
	bad |= others_say(CPU_1, c->vmpl, let_in, LOOKS, NOTHING);
	bad |= actor_create(CPU_1, c->vmpl) | act(CPU_1, c->vmpl, clean, 0);
	return bad ? bad : act(CPU_1, c->vmpl, let_in, LOOKS);
}

static uint64_t none_runs(const struct rule_case *c)
{
	uint64_t bad = actor_end(0, c->vmpl), ran = actor_run_level(c->vmpl) == RAN;

	bad |= actor_create(0, c->vmpl);
	return bad ? bad : ran | (act(0, c->vmpl, let_in, 1) != NOTHING) << 8;
}

/* ---- Who runs ---- */

static uint64_t spin(uint64_t arg)
{
	(void)arg;
	for (unsigned int i = 0; i < PATIENCE * 100; i++) {
		__atomic_fetch_add(&turns, 1, __ATOMIC_SEQ_CST);
		if (get(&flag))
			return NOTHING;
		__asm__ volatile("pause");
	}
	return 1;
}

static uint64_t halt(uint64_t arg)
{
	(void)arg;
	while (!get(&flag)) {
		__atomic_fetch_add(&turns, 1, __ATOMIC_SEQ_CST);
		(void)ghcb_exit(0x78, 0, 0); /* HLT, with interrupts off */
	}
	return NOTHING;
}

/* VMPL0, with interrupts on, is called back from a level that does not ask for it. */
static uint64_t run_open(uint64_t vmpl)
{
	uint64_t answer;

	__asm__ volatile("sti");
	answer = actor_run_level((unsigned int)vmpl);
	for (unsigned int i = 0; i < PATIENCE; i++)
		__asm__ volatile("nop");
	__asm__ volatile("cli");
	return answer;
}

/* Until it has gone on: a timer that is over before the level is entered says nothing. 0. */
static uint64_t call_back(unsigned int vmpl)
{
	uint64_t bad = 0, last = get(&turns);

	for (uint64_t soon = SOON; get(&turns) == last && soon < SOON_MAX; soon *= 2) {
		bad |= act(0, 0, start_timer, soon);
		bad |= actor_try(run_open, vmpl) != TAKEN;
		bad |= act(0, 0, end_of_interrupt, 0);
	}
	return bad | (get(&turns) == last) << 4;
}

static uint64_t called_back(const struct rule_case *c, actor_task task)
{
	uint64_t bad = all_quiet(1), end;

	actor_order(0, c->vmpl, task, 0);
	bad |= call_back(c->vmpl);
	set(&flag, 1);
	end = actor_resume(c->vmpl);
	return bad ? bad : end;
}

static uint64_t preempts(const struct rule_case *c)
{
	return called_back(c, spin);
}

static uint64_t preempts_halted(const struct rule_case *c)
{
	return called_back(c, halt);
}

/* Its own interrupts are off: the event waits, and the level comes to its end. */
static uint64_t closed_waits(const struct rule_case *c)
{
	uint64_t bad = all_quiet(1) | act(0, 0, start_timer, SOON), end;

	end = act(0, c->vmpl, let_in, 100 * LOOKS);
	bad |= end != NOTHING;
	return bad ? bad : act(0, 0, let_in, LOOKS * 100);
}

/* What a less privileged plane has keeps nobody from running, and comes when it runs. */
static uint64_t lower_waits(const struct rule_case *c)
{
	uint64_t bad = all_quiet(1) | act(0, c->vmpl, start_timer, SOON);

	for (unsigned int i = 0; i < PATIENCE; i++)
		__asm__ volatile("sti; nop; cli");
	bad |= get(&turns) != 0;
	return bad ? bad : act(0, c->vmpl, let_in, LOOKS * 100);
}

/* Its timer counts while another plane runs. */
static uint64_t timer_counts(const struct rule_case *c)
{
	uint64_t bad = all_quiet(1), before, after;

	bad |= act(0, c->vmpl, start_timer, 0xffffffff);
	before = act(0, c->vmpl, read_register, CURRENT_COUNT);
	(void)act(0, 0, let_in, LOOKS);
	after = act(0, c->vmpl, read_register, CURRENT_COUNT);
	bad |= act(0, c->vmpl, clean, 0);
	return bad | (after >= before) | (after == 0) << 1;
}

/* HLT of VMPL0 ends by an interrupt of its own, and not by one that a lower level has. */
static uint64_t halt_for_own(uint64_t arg)
{
	(void)arg;
	__asm__ volatile("sti");
	for (unsigned int i = 0; i < LOOKS; i++)
		(void)ghcb_exit(0x78, 0, 0);
	__asm__ volatile("cli");
	return NOTHING;
}

static uint64_t halted_beside(const struct rule_case *c)
{
	uint64_t bad = all_quiet(1) | act(0, c->vmpl, send, SELF | VECTOR), came;

	bad |= act(0, 0, start_timer, SOON * 10);
	came = actor_try(halt_for_own, 0);
	bad |= act(0, 0, end_of_interrupt, 0);
	bad |= came != TAKEN;
	return bad ? bad : act(0, c->vmpl, let_in, LOOKS);
}

/* As often as VMPL0 is called back, the level goes on. */
#define CALLS_BACK 20u

static uint64_t progress(const struct rule_case *c)
{
	uint64_t bad = all_quiet(1), end;

	actor_order(0, c->vmpl, spin, 0);
	for (unsigned int i = 0; i < CALLS_BACK; i++)
		bad |= call_back(c->vmpl);
	set(&flag, 1);
	end = actor_resume(c->vmpl);
	return bad ? bad : end;
}

/* ---- AP reset hold ---- */

static uint64_t hold(uint64_t arg)
{
	(void)arg;
	set(&turns, 1);
	(void)ghcb_exit(0x80000004, 0, 0);
	set(&turns, 2);
	return NOTHING;
}

/*
 * SIPI of another level does not end it, nor does an interrupt, which waits; that of its own does.
 */
static uint64_t held(const struct rule_case *c)
{
	uint64_t bad = all_quiet(2);

	act_begin(CPU_1, c->vmpl, hold, 0);
	for (unsigned int i = 0; i < PATIENCE * 10 && get(&turns) != 1; i++)
		__asm__ volatile("pause");
	bad |= others_say(0, c->vmpl, send, TO(CPU_1) | SIPI, 0);
	bad |= act(0, c->vmpl, send, TO(CPU_1) | VECTOR);
	for (unsigned int i = 0; i < PATIENCE / 10; i++)
		__asm__ volatile("pause");
	bad |= get(&turns) != 1;
	bad |= act(0, c->vmpl, send, TO(CPU_1) | SIPI);
	bad |= act_finish(CPU_1) != NOTHING;
	return bad ? bad : act(CPU_1, c->vmpl, let_in, LOOKS);
}

#define LOWER_ROW(name, section, run, want)                                          \
	{                                                                            \
		name, section, RULE_HOST, LEVELS_LOWER, 1, NEED_LEVELS, run, 0, want \
	}
#define TWO_ROW(name, section, run, arg, want)                                         \
	{                                                                              \
		name, section, RULE_HOST, LEVELS_LOWER, 2, NEED_LEVELS, run, arg, want \
	}

static const struct rule rules[] = {
	LOWER_ROW("an IPI to itself reaches no other plane", APICS, ipi_stays, TAKEN),
	LOWER_ROW("an NMI to itself reaches no other plane", APICS, nmi_stays, NMI_TAKEN),
	LOWER_ROW("IRR is the plane's own", APICS, irr_is_own, BIT_31),
	LOWER_ROW("ISR and PPR are the plane's own", APICS, isr_is_own, BIT_31),
	LOWER_ROW("one in service at VMPL0 keeps none out", APICS, served_beside, TAKEN),
	LOWER_ROW("EOI ends the plane's own", APICS, eoi_is_own, BIT_31),
	LOWER_ROW("TPR stays over switches", APICS, tpr_is_own, 0x30),
	LOWER_ROW("CR8 stays over switches", APICS, cr8_is_own, 7),
	LOWER_ROW("an APIC that is off is one plane's", APICS, off_is_own, 0xff),
	TWO_ROW("the APIC's id is the vCPU's", APICS, id_is_the_vcpus, 0, 1),
	TWO_ROW("an IPI to a vCPU reaches that plane of it alone", APICS, ipi_across,
		TO(CPU_1) | VECTOR, TAKEN),
	TWO_ROW("an IPI to all others reaches that plane of theirs alone", APICS, ipi_across,
		OTHERS | VECTOR, TAKEN),
	TWO_ROW("an NMI to a vCPU reaches that plane of it alone", APICS, nmi_across,
		TO(CPU_1) | NMI, 1),
	TWO_ROW("IPIs to a plane that does not run are kept, as one", APICS, ipis_merge, 0, TAKEN),
	LOWER_ROW("a plane that is made anew has an APIC as at reset", CREATION, created_without,
		  NOTHING),
	LOWER_ROW("a plane that is made anew leaves the others alone", CREATION, created_beside,
		  TAKEN),
	TWO_ROW("IPIs and NMIs to a plane that is not there are gone", CREATION, to_none, 0,
		NOTHING),
	LOWER_ROW("a plane that is not there does not run", RUN, none_runs, 0),
	LOWER_ROW("VMPL0 preempts a plane that runs", ORDER, preempts, NOTHING),
	LOWER_ROW("VMPL0 preempts a plane that has halted", ORDER, preempts_halted, NOTHING),
	LOWER_ROW("VMPL0 does not while its interrupts are off", ORDER, closed_waits, TAKEN),
	LOWER_ROW("a plane's interrupt waits until it runs", ORDER, lower_waits, TAKEN),
	LOWER_ROW("a plane's timer counts while it does not run", APICS, timer_counts, 0),
	LOWER_ROW("HLT of VMPL0 ends by its own interrupt", ORDER, halted_beside, TAKEN),
	LOWER_ROW("each time it is preempted a plane has gone on", ORDER, progress, NOTHING),
	TWO_ROW("AP reset hold ends by SIPI of its own plane", RESET_HOLD, held, 0, TAKEN),
};

const struct rule_family planes = { "planes", rules, RULE_COUNT(rules), 0, 0 };
