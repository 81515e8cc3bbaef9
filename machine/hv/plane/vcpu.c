/* SPDX-License-Identifier: MIT */
#include "machine/hv/plane/vcpu.h"

#include "core/image/igvm.h"
#include "machine/hv/base/counters.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/page.h"
#include "machine/hv/memory/guest.h"
#include "machine/hv/plane/vmsa.h"

static struct vcpu vcpus[MACHINE_CPUS_MAX];

/*
 * Of each level, of the whole machine; 0: it has had no VMSA yet. What a VMSA then holds is not the
 * host's to see.
 */
static uint64_t level_features[SNP_VMPL_COUNT];

struct vcpu *vcpu_by_apic_id(uint32_t apic_id)
{
	return apic_id < cpu_count() ? &vcpus[apic_id] : NULL;
}

struct vcpu *vcpu_self(void)
{
	const struct cpu *cpu = cpu_self();

	return cpu ? &vcpus[cpu->id] : NULL;
}

static void plane_set_vmsa(struct plane *p, uint64_t gpa, enum plane_state state)
{
	p->state = state;
	p->vmsa_gpa = gpa & ~HV_C_BIT;
	p->held = NULL;
	p->doorbell_gpa = 0;
	p->alternate = false;
	p->int_inj_vector = 0;
	p->nmi_blocked = false;
	p->event_inj = 0;
	p->int_state = 0;
	shadow_reset(&p->shadow);
}

/* The plane 0 of the launch, if it has a VMSA. */
static void launch_plane(struct vcpu *v, struct mailbox *mailbox, enum plane_state state)
{
	uint64_t gpa = mailbox->vmsa_gpa[v->id];
	struct plane *p = &v->planes[0];
	struct vmsa_refusal refusal;

	if (gpa == MAILBOX_NO_VMSA)
		return;
	plane_set_vmsa(p, gpa, state);
	if (gpa == IGVM_HELD_VMSA_GPA)
		p->held = (struct snp_vmsa *)mailbox->held_vmsa[v->id];
	refusal = vmsa_refusal(p);
	if (refusal.what) /* the launch has looked */
		hv_panic("launch VMSA at %lx of vCPU %u: %s%s", gpa, v->id, refusal.what,
			 refusal.feature);
	if (v->id == 0)
		level_features[0] = vmsa_features(p);
}

void vcpu_init_all(struct mailbox *mailbox)
{
	for (unsigned int i = 0; i < cpu_count(); i++) {
		vcpus[i].id = i;
		vcpus[i].cpu = cpu_at(i);
		vcpus[i].switch_to = VCPU_NO_SWITCH;
		for (unsigned int vmpl = 0; vmpl < SNP_VMPL_COUNT; vmpl++) {
			vcpus[i].planes[vmpl].vmpl = vmpl;
			vcpus[i].planes[vmpl].vmcb = page_take(1);
			vcpus[i].planes[vmpl].aside = page_take(1);
			vcpus[i].planes[vmpl].ghcb_msr = PLANE_GHCB_MSR_RESET;
			vcpus[i].planes[vmpl].ghcb_registered = PLANE_NOT_REGISTERED;
		}
	}
	for (unsigned int i = 0; i < cpu_count(); i++)
		launch_plane(&vcpus[i], mailbox, i == 0 ? PLANE_READY : PLANE_ON_INIT);
}

struct vmsa_refusal vcpu_switch_plane(struct vcpu *v, unsigned int vmpl)
{
	struct vmsa_refusal refusal = { 0 };

	if (vmpl >= SNP_VMPL_COUNT)
		return (struct vmsa_refusal){ "there is no such level", "" };
	if (vmpl == v->current)
		return (struct vmsa_refusal){ "it asks for itself", "" };
	if (v->planes[vmpl].state == PLANE_NONE)
		return (struct vmsa_refusal){ "it has no VMSA", "" };
	if (!v->planes[vmpl].parked)
		refusal = vmsa_refusal(&v->planes[vmpl]);
	if (!refusal.what)
		v->switch_to = (int)vmpl;
	return refusal;
}

/* Takes a plane off the CPU that has it loaded, so that its VMSA is no longer in use. */
static void unload(struct vcpu *v, struct plane *p)
{
	if (!p->loaded)
		return;
	cpu_drive_out(v->id);
	if (v == vcpu_self() && !p->parked)
		vmsa_store(p);
	else
		vmsa_store_remote(p);
}

/* NULL: there is none, or the plane is the one that asks, which cannot be replaced. */
static struct vcpu *other_plane(uint32_t apic_id, unsigned int vmpl)
{
	struct vcpu *v = vcpu_by_apic_id(apic_id);

	if (!v || vmpl >= SNP_VMPL_COUNT || (v == vcpu_self() && vmpl == v->current))
		return NULL;
	return v;
}

/* Whether the host can serve a VMSA with these features, and takes them at that level. */
static bool features_taken(unsigned int vmpl, uint64_t features)
{
	if (!vmsa_features_known(features))
		return false;
	return !hv_mailbox()->host.features_fixed || level_features[vmpl] == 0 ||
	       level_features[vmpl] == features;
}

bool vcpu_set_vmsa(uint32_t apic_id, unsigned int vmpl, uint64_t gpa, uint64_t features,
		   bool on_init)
{
	struct vcpu *v = other_plane(apic_id, vmpl);

	if (!v || !features_taken(vmpl, features) || !vmsa_place_taken(gpa))
		return false;
	unload(v, &v->planes[vmpl]);
	/* One VMSA cannot be two planes. */
	if (guest_rmp(gpa)->flags & RMP_VMSA_IN_USE)
		return false;
	level_features[vmpl] = features;
	plane_set_vmsa(&v->planes[vmpl], gpa, on_init ? PLANE_ON_INIT : PLANE_READY);
	v->planes[vmpl].alternate = features & SNP_FEATURE_ALTERNATE_INJECTION;
	cpu_kick(v->id);
	return true;
}

bool vcpu_clear_vmsa(uint32_t apic_id, unsigned int vmpl)
{
	struct vcpu *v = other_plane(apic_id, vmpl);

	if (!v)
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
	if (p->held && hv_mailbox()->vmsa_on_startup) {
		p->state = PLANE_ON_STARTUP;
		return;
	}
	p->state = PLANE_READY;
	cpu_kick(v->id);
}

void vcpu_startup_signal(struct vcpu *v, unsigned int vmpl)
{
	struct plane *p = &v->planes[vmpl];

	if (p->state != PLANE_ON_STARTUP)
		return;
	p->state = PLANE_READY;
	cpu_kick(v->id);
}

void vcpu_wake(struct vcpu *v, struct plane *p)
{
	if (p->state == PLANE_HALTED)
		p->state = PLANE_READY;
	cpu_kick(v->id);
}

void vcpu_make_current(struct vcpu *v, unsigned int vmpl)
{
	if (vcpu_plane(v)->loaded)
		vmsa_store(vcpu_plane(v));
	v->current = vmpl;
	counters_switch(v->id, vmpl);
}

void vcpu_park(struct vcpu *v, unsigned int vmpl)
{
	vmsa_park(vcpu_plane(v));
	v->current = vmpl;
	counters_switch(v->id, vmpl);
}

void vcpu_switch(struct vcpu *v)
{
	unsigned int vmpl = (unsigned int)v->switch_to;

	v->switch_to = VCPU_NO_SWITCH;
	vcpu_plane(v)->state = PLANE_WAITING;
	v->planes[vmpl].state = PLANE_READY;
	vcpu_make_current(v, vmpl);
}
