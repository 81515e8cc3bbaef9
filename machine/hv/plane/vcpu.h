/* SPDX-License-Identifier: MIT */
/*
 * vCPU i runs on physical CPU i. It has one plane for each VMPL that the host can be asked to run;
 * a plane has a VMCB, registers, a GHCB, a doorbell page and a local APIC of its own. One plane is
 * current: its state is in the VMCB. The state of every other plane is in its VMSA, in guest
 * memory, and nowhere else, but for what hardware keeps in the VMCB's control area (GHCB MSR,
 * doorbell).
 *
 * A host cannot read a VMSA, so scheduling, interrupts and the GHCB go by the number that a plane
 * was created with. The CPU does read it, at each VMRUN: nested view, RMP instructions and walks go
 * by the VMPL that the VMSA says (cpu_vmpl).
 *
 * All of this is under the big lock (base/lock.h).
 */
#ifndef SOCLE_MACHINE_HV_PLANE_VCPU_H
#define SOCLE_MACHINE_HV_PLANE_VCPU_H

#include <stdbool.h>

#include "abi/ghcb.h"
#include "machine/hv/base/cpu.h"
#include "machine/hv/plane/shadow.h"
#include "machine/hv/plane/vmcb.h"
#include "machine/mailbox.h"

struct plane_apic; /* event/local_apic.h */

/*
 * General registers that VMRUN does not switch: all but RAX and RSP. run/vmrun.S knows the order.
 */
struct guest_regs {
	uint64_t rbx, rcx, rdx, rsi, rdi, rbp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
};

enum plane_state {
	PLANE_NONE,    /* no VMSA */
	PLANE_READY,   /* wants to run */
	PLANE_HALTED,  /* HLT or AP reset hold: an interrupt or vcpu_wake() makes it ready */
	PLANE_WAITING, /* asked for another VMPL: runs when asked for, or for an event of its own */
	PLANE_ON_INIT, /* created, to start when an INIT arrives, or when it is asked for */
	PLANE_ON_STARTUP, /* the INIT has come: starts at the SIPI behind it */
};

#define PLANE_NOT_REGISTERED (~0ull)
#define PLANE_NO_RIP (~0ull)

/*
 * The GHCB MSR of a plane at the start: the answer to "SEV information". It is in the VMCB, so
 * another VMSA leaves it as it is.
 */
#define PLANE_GHCB_MSR_RESET                                          \
	(GHCB_MSR_SEV_INFO_RESP | (uint64_t)GHCB_PROTOCOL_MAX << 48 | \
	 (uint64_t)GHCB_PROTOCOL_MIN << 32 | (uint64_t)MACHINE_C_BIT << 24)

struct plane {
	enum plane_state state;
	unsigned int vmpl;     /* its number: what the host is asked for */
	unsigned int cpu_vmpl; /* what it runs with, as in the VMSA that was loaded last */
	uint64_t vmsa_gpa;
	struct snp_vmsa
		*held; /* the VMSA, where the host holds it in no page of the guest; or NULL */
	bool held_in_use;
	uint64_t sev_features;	  /* as in the VMSA that was loaded last */
	uint64_t ghcb_msr;	  /* MSR C001_0130 as the guest sees it */
	uint64_t ghcb_registered; /* page the guest registered, or PLANE_NOT_REGISTERED */
	uint64_t kvm_system_time; /* MSR of KVM's clock */
	uint64_t doorbell_gpa;	  /* #HV doorbell page, 0 when none */
	/*
	 * Alternate injection. The host knows of it what AP creation said: it gives the plane's
	 * interrupts to VMPL0, and tells it by the vector of that plane, 0 when it is not to.
	 */
	bool alternate;
	uint8_t int_inj_vector;
	uint64_t vintr;	   /* SNP_VINTR_* as in the VMSA that was loaded last */
	uint64_t iret_rip; /* of an IRET that ends an NMI and may not be through, or PLANE_NO_RIP */
	struct vmcb *vmcb;
	struct guest_regs regs;
	uint64_t guest_cr3; /* CR3 as the guest wrote it */
	bool flat;	    /* no paging with PAE, so no C-bit: all is private */
	uint64_t xss;
	uint64_t tsc_scale; /* what the TSC is multiplied with, 8.32 bits */
	/* While another plane runs: an event that is not delivered yet, and interrupt shadow. */
	uint32_t event_inj, event_error;
	uint64_t int_state;
	struct shadow shadow; /* where one was seen, by which injection goes */
	bool nmi_blocked;     /* an NMI was injected and its NMI_COMPLETE has not come */
	bool reset_hold;      /* AP reset hold: no interrupt wakes it, only SIPI */
	bool loaded;	      /* its state is in the VMCB and in the CPU, not in the VMSA */
	bool parked;	      /* and what would be in the CPU is in aside (overlap.h) */
	/*
	 * EXITCODE of its last exit, for its VMSA: VMGEXIT, HLT, or for all others INTR, where
	 * hardware has either none or an interrupt of the host's.
	 */
	uint64_t last_exit;
	struct snp_vmsa *aside;
	struct plane_apic *apic;
};

/*
 * Why VMRUN does not take a VMSA, or a plane cannot run: two texts that follow each other. what is
 * NULL when it does.
 */
struct vmsa_refusal {
	const char *what, *feature;
};

#define VCPU_NO_SWITCH (-1)

struct vcpu {
	unsigned int id; /* index, and APIC id that the guest sees */
	struct cpu *cpu; /* that runs it */
	unsigned int current;
	struct plane planes[SNP_VMPL_COUNT];
	int switch_to; /* VMPL that vcpu_switch_plane() asked for, or VCPU_NO_SWITCH */
};

static inline struct plane *vcpu_plane(struct vcpu *v)
{
	return &v->planes[v->current];
}

static inline bool plane_is_restricted(const struct plane *p)
{
	return p->sev_features & SNP_FEATURE_RESTRICTED_INJECTION;
}

/* By its VMSA, as the CPU sees it. */
static inline bool plane_is_alternate(const struct plane *p)
{
	return p->sev_features & SNP_FEATURE_ALTERNATE_INJECTION;
}

/* Its privilege level: QEMU keeps the CPL in SS, not in the VMCB's own field. */
static inline unsigned int plane_cpl(const struct plane *p)
{
	return p->vmcb->ss.attributes >> 5 & 3;
}

/* The vCPU with that APIC id, NULL when there is none. cpu_count() says how many there are. */
struct vcpu *vcpu_by_apic_id(uint32_t apic_id);

/* The vCPU of the CPU that runs this; NULL on the boot CPU. */
struct vcpu *vcpu_self(void);

/*
 * Makes the structures. vCPU 0 is ready with its VMSA of the launch, at VMPL0; any other that the
 * launch gave one waits for an INIT. Once, after npt_init().
 */
void vcpu_init_all(struct mailbox *mailbox);

/*
 * Asks for another plane of this vCPU: the current one waits (its VMSA is written when the exit is
 * over, with exit code VMGEXIT), vmpl becomes current and ready. Without effect when that plane
 * cannot run: no VMSA, or one that VMRUN would refuse.
 */
struct vmsa_refusal vcpu_switch_plane(struct vcpu *v, unsigned int vmpl);

/*
 * AP creation: the plane vmpl of the vCPU with that APIC id gets the VMSA at gpa and is ready, or
 * starts on INIT. Kicks that vCPU; its APIC is the caller's to reset. features is what the guest
 * says that the VMSA will have: the host looks whether it can serve them. False: no such vCPU, it
 * cannot, or gpa is no place for a VMSA. Whether it is one is seen at VMRUN.
 */
bool vcpu_set_vmsa(uint32_t apic_id, unsigned int vmpl, uint64_t gpa, uint64_t features,
		   bool on_init);

/* AP destruction: the plane stops; when it is running elsewhere, waits until it has stopped. */
bool vcpu_clear_vmsa(uint32_t apic_id, unsigned int vmpl);

/*
 * An INIT for the plane: starts it when it is PLANE_ON_INIT, or has it wait for a SIPI where the
 * mailbox's vmsa_on_startup says so of its VMSA; nothing otherwise.
 */
void vcpu_init_signal(struct vcpu *v, unsigned int vmpl);

/* A SIPI: starts the plane when it is PLANE_ON_STARTUP, nothing otherwise. */
void vcpu_startup_signal(struct vcpu *v, unsigned int vmpl);

/*
 * Makes vmpl current, and parks the current plane: it has not exited. What it is next is the
 * caller's to say in its state.
 */
void vcpu_park(struct vcpu *v, unsigned int vmpl);

/* Makes a halted plane ready and kicks its vCPU. */
void vcpu_wake(struct vcpu *v, struct plane *p);

/* Makes another plane current. The old one, when it is loaded, goes to its VMSA. */
void vcpu_make_current(struct vcpu *v, unsigned int vmpl);

/* Does what vcpu_switch_plane() asked for, now that the exit is over. */
void vcpu_switch(struct vcpu *v);

#endif
