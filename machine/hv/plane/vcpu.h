/* SPDX-License-Identifier: MIT */
/*
 * vCPU i runs on physical CPU i. It has one plane for each VMPL that the host can be asked to run;
 * a plane has a VMCB, registers, a GHCB, a doorbell page and a local APIC of its own. One plane is
 * current: its state is in the VMCB. The state of every other plane is in its VMSA, in guest
 * memory, and nowhere else, but for what hardware keeps in the VMCB's control area (GHCB MSR,
 * doorbell).
 *
 * A plane's number is the host's word, who cannot read a VMSA: scheduling, interrupts and the GHCB
 * go by it. With whose rights a plane runs is the VMSA's word, read at each VMRUN: nested view, RMP
 * instructions and walks go by cpu_vmpl.
 *
 * All of this is under the big lock (lock.h).
 */
#ifndef SOCLE_MACHINE_HV_PLANE_VCPU_H
#define SOCLE_MACHINE_HV_PLANE_VCPU_H

#include <stdbool.h>

#include "machine/hv/plane/vmcb.h"
#include "machine/mailbox.h"

struct plane_apic; /* irq.c: the local APIC of a plane */

/* General registers that VMRUN does not switch; vmrun.S knows the order. RAX, RSP: in the VMCB. */
struct guest_regs {
	uint64_t rbx, rcx, rdx, rsi, rdi, rbp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
};

enum plane_state {
	PLANE_NONE,    /* no VMSA */
	PLANE_READY,   /* wants to run */
	PLANE_HALTED,  /* HLT or AP reset hold: an interrupt or plane_wake() makes it ready */
	PLANE_WAITING, /* asked for another VMPL: runs when asked for, or for an event of its own */
	PLANE_ON_INIT, /* created, but only to start when an INIT arrives */
};

struct plane {
	enum plane_state state;
	unsigned int vmpl;     /* its number: what the host is asked for */
	unsigned int cpu_vmpl; /* what it runs with, as in the VMSA that was loaded last */
	uint64_t vmsa_gpa;
	uint64_t sev_features;	  /* as in the VMSA that was loaded last */
	uint64_t ghcb_msr;	  /* MSR C001_0130 as the guest sees it */
	uint64_t ghcb_registered; /* page the guest registered, ~0 when none: ghcb.c keeps it */
	uint64_t doorbell_gpa;	  /* #HV doorbell page, 0 when none: ghcb.c sets, irq.c uses */
	struct vmcb *vmcb;
	struct guest_regs regs;
	uint64_t guest_cr3; /* CR3 as the guest wrote it */
	bool flat;	    /* no paging with PAE, so no C-bit: all is private */
	uint64_t xss;
	uint8_t fpu[512] __attribute__((aligned(16))); /* FXSAVE image while another plane runs */
	uint32_t event_inj, event_error; /* not delivered yet, while another plane runs */
	uint64_t int_state;		 /* interrupt shadow, the same */
	uint64_t blocked_rip;		 /* RIP at which an interrupt shadow was seen, for irq.c */
	bool nmi_blocked; /* an NMI was injected and its NMI_COMPLETE has not come: irq.c */
	bool loaded;	  /* its state is in the VMCB and in the CPU, not in the VMSA */
	bool parked;	  /* and what would be in the CPU is in aside (overlap.h) */
	struct snp_vmsa *aside;
	struct plane_apic *apic;
};

#define VCPU_NO_SWITCH (-1)

struct vcpu {
	unsigned int id; /* index, and APIC id that the guest sees */
	unsigned int current;
	struct plane planes[SNP_VMPL_COUNT];
	int switch_to;		/* VMPL that vcpu_switch_plane() asked for, or VCPU_NO_SWITCH */
	uint64_t taken[4];	/* physical vectors that arrived and were not routed yet */
	volatile bool in_guest; /* between unlock for VMRUN and #VMEXIT */
	volatile uint64_t tlb_entered;
	uint32_t ran_at; /* VMPLs, as bits, that it ran at since it flushed their translations */
	volatile bool online;
};

static inline struct plane *vcpu_plane(struct vcpu *v)
{
	return &v->planes[v->current];
}

/* The vCPU with that APIC id, NULL when there is none. */
struct vcpu *vcpu_by_apic_id(uint32_t apic_id);
unsigned int vcpu_count(void);

/* The vCPU of the CPU that runs this; NULL on the boot CPU. */
struct vcpu *vcpu_self(void);

/* The APIC id of the physical CPU that runs a vCPU. */
static inline uint32_t vcpu_cpu(unsigned int id)
{
	return MACHINE_BOOT_CPUS + id;
}

/*
 * Asks for another plane of this vCPU: the current one waits (its VMSA is written when the exit is
 * over, with exit code VMGEXIT), vmpl becomes current and ready. False, with no effect, when that
 * plane cannot run: no VMSA, or one that VMRUN would refuse.
 */
bool vcpu_switch_plane(struct vcpu *v, unsigned int vmpl);

/*
 * AP creation: the plane vmpl of the vCPU with that APIC id gets the VMSA at gpa and is ready, or
 * starts on INIT. Kicks that vCPU. features is what the guest says that the VMSA will have: the
 * host looks whether it can serve them. False: no such vCPU, it cannot, or VMRUN would refuse gpa.
 */
bool vcpu_set_vmsa(uint32_t apic_id, unsigned int vmpl, uint64_t gpa, uint64_t features,
		   bool on_init);

/* AP destruction: the plane stops; when it is running elsewhere, waits until it has stopped. */
bool vcpu_clear_vmsa(uint32_t apic_id, unsigned int vmpl);

/* An INIT for the plane: starts it when it is PLANE_ON_INIT, nothing otherwise. */
void vcpu_init_signal(struct vcpu *v, unsigned int vmpl);

/*
 * Makes vmpl current, and parks the current plane: it has not exited. What it is next is the
 * caller's to say in its state.
 */
void vcpu_park(struct vcpu *v, unsigned int vmpl);

/* Puts the current plane to sleep until plane_wake() or an interrupt (AP_RESET_HOLD). */
void vcpu_halt(struct vcpu *v);

/* Makes a halted plane ready and kicks its vCPU. */
void plane_wake(struct vcpu *v, struct plane *p);

/* Makes another vCPU leave the guest, or wake up, by an NMI; nothing for the own one. */
void vcpu_kick(struct vcpu *v);

/* The own vCPU leaves the guest again as soon as it has entered it and taken what is injected. */
void vcpu_leave_soon(struct vcpu *v);

/*
 * Makes another vCPU leave the guest and waits for that; nothing for the own one. It cannot come
 * back before the lock is free.
 */
void vcpu_drive_out(struct vcpu *v);

/*
 * Raises an exception in the current plane at the next VMRUN; error only where the vector has one.
 */
void vcpu_inject_exception(struct vcpu *v, unsigned int vector, bool has_error, uint32_t error);

/*
 * Takes physical interrupts that are pending on this CPU, by STGI and STI, and sets their bits in
 * v->taken. It sends no EOI. For irq_host_interrupt(), which clears the bits.
 */
void vcpu_take_interrupts(struct vcpu *v);

/* The machine's run loop of this CPU. Called without the lock. */
_Noreturn void vcpu_run(struct vcpu *v);

/* Brings up vCPU structures for count CPUs; the launch VMSA belongs to vCPU 0, VMPL0. */
void vcpu_init_all(unsigned int count, uint64_t launch_vmsa);

/*
 * What the platform side (ghcb.h, irq.h, counters in mailbox glue) is called for:
 *	ghcb_vmgexit(v)        RIP is past VMGEXIT
 *	irq_init_cpu(v)        once on each CPU that runs a vCPU
 *	irq_host_interrupt(v)  after an INTR exit and after idling
 *	irq_before_run(v)      just before VMRUN; must leave a valid EVENTINJ alone
 *	irq_pending(v, p)      a halted plane has a reason to wake up
 */

#endif
