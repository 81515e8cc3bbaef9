/* SPDX-License-Identifier: MIT */
#include "machine/hv/plane/vcpu.h"

#include "machine/hv/base/counters.h"
#include "machine/hv/base/fault_plan.h"
#include "machine/hv/base/lock.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/page.h"
#include "machine/hv/base/stacks.h"
#include "machine/hv/base/trap.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/device/hold.h"
#include "machine/hv/event/irq.h"
#include "machine/hv/memory/npt.h"
#include "machine/hv/memory/stale.h"
#include "machine/hv/plane/overlap.h"
#include "machine/hv/plane/vmsa.h"
#include "machine/hv/run/exit.h"
#include "machine/hv/vmgexit/ghcb.h"

#define ICR_NMI 0x400u
#define ICR_ASSERT 0x4000u
#define ICR_PENDING 0x1000u
#define ICR_DESTINATION_SHIFT 24
#define CR4_INTERCEPT (1u << 4)
/* In looks. An NMI that arrives while QEMU does a VMRUN with V_IRQ may be lost. */
#define KICK_PATIENCE 1000000u

void vmrun(struct vmcb *vmcb, struct guest_regs *regs); /* vmrun.S */

_Static_assert(HV_CPUS_MAX == MACHINE_BOOT_CPUS + MACHINE_CPUS_MAX, "for entry.S and for C");

extern char hv_stacks[HV_CPUS_MAX][1 << HV_STACK_SHIFT];
char hv_stacks[HV_CPUS_MAX][1 << HV_STACK_SHIFT] __attribute__((aligned(1 << HV_STACK_SHIFT)));

static struct vcpu vcpus[MACHINE_CPUS_MAX];
static unsigned int count;

struct vcpu *vcpu_by_apic_id(uint32_t apic_id)
{
	return apic_id < count ? &vcpus[apic_id] : NULL;
}

unsigned int vcpu_count(void)
{
	return count;
}

struct vcpu *vcpu_self(void)
{
	uint64_t sp, cpu;

	__asm__("mov %%rsp, %0" : "=r"(sp));
	cpu = (sp - (uint64_t)hv_stacks) >> HV_STACK_SHIFT;
	return cpu < MACHINE_BOOT_CPUS ? NULL : &vcpus[cpu - MACHINE_BOOT_CPUS];
}

static void plane_set_vmsa(struct plane *p, uint64_t gpa, enum plane_state state)
{
	p->state = state;
	p->vmsa_gpa = gpa & ~HV_C_BIT;
	p->ghcb_msr = ghcb_msr_reset_value();
	p->ghcb_registered = GHCB_NOT_REGISTERED;
	p->doorbell_gpa = 0;
	p->nmi_blocked = false;
	p->event_inj = 0;
	p->int_state = 0;
	p->blocked_rip = ~0ull;
}

void vcpu_init_all(unsigned int cpus, uint64_t launch_vmsa)
{
	if (cpus == 0 || cpus > MACHINE_CPUS_MAX)
		hv_panic("%u CPUs", cpus);
	count = cpus;
	for (unsigned int i = 0; i < count; i++) {
		vcpus[i].id = i;
		vcpus[i].switch_to = VCPU_NO_SWITCH;
		for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++) {
			vcpus[i].planes[vmpl].vmpl = vmpl;
			vcpus[i].planes[vmpl].vmcb = page_take(1);
			vcpus[i].planes[vmpl].aside = page_take(1);
		}
	}
	if (!vmsa_usable(launch_vmsa))
		hv_panic("launch VMSA at %lx cannot run", launch_vmsa);
	plane_set_vmsa(&vcpus[0].planes[0], launch_vmsa, PLANE_READY);
}

static void wait_for_icr(void)
{
	while (x86_lapic_read(X86_LAPIC_ICR_LOW) & ICR_PENDING)
		x86_pause();
}

static void send_nmi(const struct vcpu *v)
{
	wait_for_icr();
	x86_lapic_write(X86_LAPIC_ICR_HIGH, vcpu_cpu(v->id) << ICR_DESTINATION_SHIFT);
	x86_lapic_write(X86_LAPIC_ICR_LOW, ICR_NMI | ICR_ASSERT);
}

void vcpu_kick(struct vcpu *v)
{
	if (v != vcpu_self() && v->online)
		send_nmi(v);
}

/* GIF is 0 until VMRUN sets it, and holds the NMI. */
void vcpu_leave_soon(struct vcpu *v)
{
	send_nmi(v);
}

void vcpu_drive_out(struct vcpu *v)
{
	if (v == vcpu_self())
		return;
	for (unsigned int looks = 0; v->in_guest; looks++) {
		if (looks % KICK_PATIENCE == 0)
			vcpu_kick(v);
		x86_pause();
	}
}

bool vcpu_switch_plane(struct vcpu *v, unsigned int vmpl)
{
	if (vmpl >= SNP_VMPL_COUNT || vmpl == v->current)
		return false;
	if (v->planes[vmpl].state == PLANE_NONE || v->planes[vmpl].state == PLANE_ON_INIT)
		return false;
	if (!v->planes[vmpl].parked && !vmsa_usable(v->planes[vmpl].vmsa_gpa))
		return false;
	v->switch_to = (int)vmpl;
	return true;
}

/* Takes a plane off the CPU that has it loaded, so that its VMSA is no longer in use. */
static void unload(struct vcpu *v, struct plane *p)
{
	if (!p->loaded)
		return;
	vcpu_drive_out(v);
	if (v == vcpu_self() && !p->parked)
		vmsa_store(p, SVM_EXIT_INTR);
	else
		vmsa_store_remote(p, SVM_EXIT_INTR);
}

bool vcpu_set_vmsa(uint32_t apic_id, unsigned int vmpl, uint64_t gpa, uint64_t features,
		   bool on_init)
{
	struct vcpu *v = vcpu_by_apic_id(apic_id);

	if (!v || vmpl >= SNP_VMPL_COUNT)
		return false;
	if (!vmsa_features_known(features) || !vmsa_usable(gpa))
		return false;
	/*
	 * The current plane cannot be replaced under its feet, and one VMSA cannot be two planes.
	 */
	if (v == vcpu_self() && vmpl == v->current)
		return false;
	unload(v, &v->planes[vmpl]);
	if (npt_rmp(gpa)->flags & RMP_VMSA_IN_USE)
		return false;
	plane_set_vmsa(&v->planes[vmpl], gpa, on_init ? PLANE_ON_INIT : PLANE_READY);
	irq_plane_reset(v, &v->planes[vmpl]);
	vcpu_kick(v);
	return true;
}

bool vcpu_clear_vmsa(uint32_t apic_id, unsigned int vmpl)
{
	struct vcpu *v = vcpu_by_apic_id(apic_id);

	if (!v || vmpl >= SNP_VMPL_COUNT)
		return false;
	if (v == vcpu_self() && vmpl == v->current)
		return false;
	unload(v, &v->planes[vmpl]);
	v->planes[vmpl].state = PLANE_NONE;
	return true;
}

void vcpu_init_signal(struct vcpu *v, unsigned int vmpl)
{
	struct plane *p = &v->planes[vmpl];

	if (p->state != PLANE_ON_INIT)
		return;
	p->state = PLANE_READY;
	vcpu_kick(v);
}

void vcpu_halt(struct vcpu *v)
{
	vcpu_plane(v)->state = PLANE_HALTED;
}

void plane_wake(struct vcpu *v, struct plane *p)
{
	if (p->state == PLANE_HALTED)
		p->state = PLANE_READY;
	vcpu_kick(v);
}

void vcpu_inject_exception(struct vcpu *v, unsigned int vector, bool has_error, uint32_t error)
{
	struct vmcb *c = vcpu_plane(v)->vmcb;

	if (c->event_inj & SVM_EVENT_VALID) {
		hv_log("exception %u during delivery of event %x at VMPL %u, RIP %lx", vector,
		       c->event_inj, v->current, c->rip);
		hv_stop(MAILBOX_STOP_SHUTDOWN, v->current, c->rip, 0, 0);
	}
	c->event_inj = vector | SVM_EVENT_TYPE_EXCEPTION | SVM_EVENT_VALID |
		       (has_error ? SVM_EVENT_ERROR_CODE : 0);
	c->event_error = error;
}

void vcpu_take_interrupts(struct vcpu *v)
{
	(void)v; /* the stubs find their vCPU themselves */
	trap_window();
}

/* Makes another plane current. The old one, when it is loaded, goes to its VMSA. */
static void make_current(struct vcpu *v, unsigned int vmpl, uint64_t exit_code)
{
	if (vcpu_plane(v)->loaded)
		vmsa_store(vcpu_plane(v), exit_code);
	v->current = vmpl;
	counters_switch(v, vmpl);
}

void vcpu_park(struct vcpu *v, unsigned int vmpl)
{
	vmsa_park(vcpu_plane(v));
	v->current = vmpl;
	counters_switch(v, vmpl);
}

/* What vcpu_switch_plane() asked for, now that the exit is over. */
static void switch_if_asked(struct vcpu *v)
{
	unsigned int vmpl = (unsigned int)v->switch_to;

	if (v->switch_to == VCPU_NO_SWITCH)
		return;
	v->switch_to = VCPU_NO_SWITCH;
	vcpu_plane(v)->state = PLANE_WAITING;
	v->planes[vmpl].state = PLANE_READY;
	make_current(v, vmpl, SVM_EXIT_VMGEXIT);
}

/* A plane that waits is called back by an event of its own, from a less privileged one only. */
static bool wants_to_run(struct vcpu *v, struct plane *p)
{
	bool sleeps = p->state == PLANE_HALTED ||
		      (p->state == PLANE_WAITING && p->vmpl < v->current);

	if (sleeps && irq_pending(v, p))
		p->state = PLANE_READY;
	return p->state == PLANE_READY;
}

/* The most privileged plane that has work becomes the current one. */
static bool choose_plane(struct vcpu *v)
{
	bool preempted = vcpu_plane(v)->state == PLANE_READY;

	for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++) {
		if (!wants_to_run(v, &v->planes[vmpl]))
			continue;
		if (vmpl != v->current)
			make_current(v, vmpl, preempted ? SVM_EXIT_INTR : SVM_EXIT_HLT);
		return true;
	}
	return false;
}

static void idle(struct vcpu *v)
{
	hv_unlock();
	trap_idle();
	hv_lock();
	irq_host_interrupt(v);
}

/* The host process wants to know when a level runs for the first time. */
static void announce(const struct plane *p)
{
	static bool seen[SNP_VMPL_COUNT];

	if (seen[p->cpu_vmpl])
		return;
	seen[p->cpu_vmpl] = true;
	hv_log("VMPL %u enters at RIP %lx", p->cpu_vmpl, p->vmcb->rip);
	if (p->cpu_vmpl == 0)
		hv_event(MAILBOX_EVENT_VMPL0_ENTRY);
	else if (p->cpu_vmpl == 2)
		hv_event(MAILBOX_EVENT_VMPL2_ENTRY);
}

static bool load_current(struct vcpu *v)
{
	struct plane *p = vcpu_plane(v);

	if (p->parked) {
		vmsa_unpark(p);
	} else if (!p->loaded && !vmsa_load(p)) {
		hv_log("VMRUN refuses VMSA %lx of vCPU %u, VMPL %u: the plane stops", p->vmsa_gpa,
		       v->id, p->vmpl);
		p->state = PLANE_NONE;
		return false;
	}
	announce(p);
	return true;
}

/* The nested view of the plane, and whether its writes of CR4 matter. */
static void choose_view(struct vcpu *v, struct plane *p)
{
	if (fault_strikes(MAILBOX_FAULT_TLB_CONTROL))
		for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++)
			stale_flush(v->id, vmpl);
	p->vmcb->nested_cr3 = npt_root(v->id, p->cpu_vmpl, !p->flat);
	p->vmcb->intercept_cr_write &= (uint16_t)~CR4_INTERCEPT;
	if (stale_exists(v->id, p->cpu_vmpl))
		p->vmcb->intercept_cr_write |= CR4_INTERCEPT;
	v->ran_at |= 1u << p->cpu_vmpl;
}

static void enter(struct vcpu *v)
{
	struct plane *p = vcpu_plane(v);
	uint64_t generation = npt_generation();

	choose_view(v, p);
	if (v->tlb_entered != generation)
		p->vmcb->tlb_control = VMCB_TLB_FLUSH_ALL;
	v->tlb_entered = generation;
	v->in_guest = true;
	hv_unlock();
	vmrun(p->vmcb, &p->regs);
	v->in_guest = false;
	hv_lock();
	p->vmcb->tlb_control = 0;
}

_Noreturn void vcpu_run(struct vcpu *v)
{
	hv_lock();
	for (;;) {
		hold_wait(v);
		if (!choose_plane(v)) {
			idle(v);
			continue;
		}
		if (!load_current(v))
			continue;
		hold_enter(v);
		irq_before_run(v);
		enter(v);
		/* Another vCPU may have taken the plane away between VMRUN and the lock. */
		if (!vcpu_plane(v)->loaded)
			continue;
		exit_handle(v);
		overlap_turn(v);
		switch_if_asked(v);
	}
}
