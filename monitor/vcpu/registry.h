/* SPDX-License-Identifier: MIT */
/*
 * The guest's vCPUs: which page is the VMSA of which APIC id, and which its calling area. All of
 * it is under the lock "registry", which comes before "guest pages".
 *
 * A vCPU may have several VMSAs, for Linux creates the new one of a CPU before it deletes the old;
 * the newest is the current one. The run loop enters the current one for as long as it serves a
 * call of it: nobody deletes it then but the call itself.
 */
#ifndef SOCLE_MONITOR_VCPU_REGISTRY_H
#define SOCLE_MONITOR_VCPU_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/mem/addr.h"
#include "monitor/vcpu/limits.h"

#define REGISTRY_CPUS_MAX MONITOR_CPUS_MAX
#define REGISTRY_VMSAS_MAX (4u * REGISTRY_CPUS_MAX)

struct registry_vcpu {
	gpa_t vmsa;
	gpa_t caa;
};

enum registry_result {
	REGISTRY_OK,
	REGISTRY_UNKNOWN, /* no such VMSA, or no such APIC id */
	REGISTRY_BOOT,	  /* the boot vCPU: it can be neither deleted nor replaced */
	REGISTRY_IN_USE,  /* its calls are being served, or it runs */
	REGISTRY_FULL,
	REGISTRY_FAULT, /* the page's memory or RMP entry could not be changed */
};

/*
 * Starts with the boot vCPU, APIC id 0, whose VMSA is granted to nobody already. Its calling area
 * is taken from the guest's valid pages. False when cpu_count is more than REGISTRY_CPUS_MAX or
 * the calling area is no valid page of the guest. After guest_pages_init().
 */
bool registry_init(uint32_t cpu_count, gpa_t boot_vmsa, gpa_t boot_caa);

/*
 * The vCPU's current VMSA and calling area. False when it has none. Until registry_leave() its
 * VMSA is not deleted and its calling area is changed by registry_remap() only.
 */
bool registry_enter(unsigned int cpu, struct registry_vcpu *vcpu);

/* Ends registry_enter(): the VMSA is runnable again, or was deleted meanwhile. */
void registry_leave(unsigned int cpu);

/* True when [page, page + 4 KiB) is the VMSA of a vCPU. */
bool registry_is_vmsa(gpa_t page);

/*
 * Adds a VMSA and its calling area. The caller has taken both pages and made the first a VMSA; the
 * second becomes GUEST_PAGE_CALLING. Any result but REGISTRY_OK changes nothing.
 */
enum registry_result registry_add(unsigned int cpu, gpa_t vmsa, gpa_t caa);

/* What registry_add() would answer, for a check before the work. */
enum registry_result registry_can_add(unsigned int cpu);

/*
 * Deletes a VMSA: makes it unrunnable and a normal page of the guest again, and only then forgets
 * it and its calling area. *own is true when caller has entered just this VMSA.
 */
enum registry_result registry_delete(gpa_t vmsa, unsigned int caller, bool *own);

/*
 * Gives the entered VMSA of cpu another calling area, whose page the caller has taken; the old one
 * becomes a plain page of the guest. False when cpu has entered none: then nothing changes.
 */
bool registry_remap(unsigned int cpu, gpa_t caa);

#endif
