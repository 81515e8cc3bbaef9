/* SPDX-License-Identifier: MIT */
/*
 * The guest's vCPUs: which page is the VMSA of which APIC id at which level of the guest, and which
 * its calling area. All of it is under the lock "registry", which comes before "guest pages".
 *
 * In what follows "vCPU" is an APIC id at one level: what there is of one level says nothing of
 * another one of the same APIC id.
 *
 * A vCPU may have several VMSAs, for Linux creates the new one of a CPU before it deletes the
 * old, with the same calling area. So a calling area belongs to a vCPU: its VMSAs may share it,
 * and it is released with the last of them. The newest VMSA is the current one, and only it is
 * served. Whether an older one still runs, is parked or can never run again makes no difference:
 * the host may run it, it has the guest's own rights, and its calls wait unheard.
 *
 * The run loop enters the current VMSA for as long as it serves a call of it: nobody deletes it
 * then but the call itself.
 */
#ifndef SOCLE_MONITOR_VCPU_REGISTRY_H
#define SOCLE_MONITOR_VCPU_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/base/addr.h"
#include "monitor/base/limits.h"

#define REGISTRY_VMSAS_MAX (4u * MONITOR_CPUS_MAX)
/*
 * Of those, what each less privileged level may have made itself: the first level finds room
 * always.
 */
#define REGISTRY_VMSAS_LOWER_MAX MONITOR_CPUS_MAX

struct registry_vcpu {
	gpa_t vmsa;
	gpa_t caa;
};

enum registry_result {
	REGISTRY_OK,
	REGISTRY_UNKNOWN, /* no such VMSA that the caller may know of, or no such APIC id */
	REGISTRY_BOOT,	  /* the boot vCPU: it can be neither deleted nor replaced */
	REGISTRY_IN_USE,  /* its calls are being served, or it runs */
	REGISTRY_FULL,
	REGISTRY_ADDRESS, /* the calling area is not for this vCPU to have */
	REGISTRY_FAULT,	  /* the page's memory or RMP entry could not be changed */
	REGISTRY_GONE,	  /* the VMSA is not there any more */
};

/*
 * Starts with the boot vCPU, APIC id 0 at the guest's first level, whose VMSA is granted to nobody
 * already. Its calling area is taken from the guest's valid pages. False when cpu_count is more
 * than MONITOR_CPUS_MAX or the calling area is no valid page of the guest. After
 * guest_pages_init().
 */
bool registry_init(uint32_t cpu_count, gpa_t boot_vmsa, gpa_t boot_caa);

/*
 * The vCPU's current VMSA and calling area. False when it has none. Until registry_leave() or
 * registry_end() its VMSA is not deleted and its calling area is changed by registry_remap() only.
 */
bool registry_enter(unsigned int cpu, unsigned int vmpl, struct registry_vcpu *vcpu);

/* Ends registry_enter(): the VMSA is runnable again, or was deleted meanwhile. */
void registry_leave(unsigned int cpu, unsigned int vmpl);

/*
 * Ends registry_enter() and the vCPU: its VMSA is not there any more, as guest or host wanted. It
 * is forgotten, its calling area released. Its page stays GUEST_PAGE_TAKEN for ever: the host may
 * show the VMSA again, and then the page must not be anything else.
 */
void registry_end(unsigned int cpu, unsigned int vmpl);

/* True when [page, page + 4 KiB) is the VMSA of a vCPU, or becomes one. */
bool registry_is_vmsa(gpa_t page);

/*
 * Makes room for a VMSA and its calling area before the work. The caller has taken the page vmsa.
 * The calling area is a valid page of the guest, or one of this vCPU already, that by may read and
 * write; it becomes GUEST_PAGE_CALLING, and its call_pending 0, so that the host cannot pretend a
 * call. Nobody is served by it before registry_commit(); registry_cancel() undoes it. Any result
 * but REGISTRY_OK changes nothing.
 */
enum registry_result registry_reserve(unsigned int cpu, unsigned int vmpl, unsigned int by,
				      gpa_t vmsa, gpa_t caa);

/* The reserved page is a VMSA: the newest one of its vCPU. */
void registry_commit(gpa_t vmsa);
void registry_cancel(gpa_t vmsa);

/*
 * Deletes a VMSA: makes it unrunnable and a normal page of the guest again, and only then forgets
 * it, and its calling area if no other VMSA has it. The page is the first level's alone, after the
 * caller's flush. One that is more privileged than the caller, who runs at vmpl, is unknown. *own
 * is true when caller has entered just this VMSA. With REGISTRY_GONE it is forgotten as by
 * registry_end(), unless it is the caller's own, which the run loop ends; with any other failure it
 * stays what it was.
 */
enum registry_result registry_delete(gpa_t vmsa, unsigned int caller, unsigned int vmpl, bool *own);

/*
 * Gives the entered VMSA of the vCPU another calling area, by the rules of registry_reserve(); the
 * old one becomes a plain page of the guest if no other VMSA has it. Any result but REGISTRY_OK
 * changes nothing.
 */
enum registry_result registry_remap(unsigned int cpu, unsigned int vmpl, gpa_t caa);

#endif
