/* SPDX-License-Identifier: MIT */
/*
 * Everything that only a CPU, or the host behind it, can do. arch/hw and ghcb do it with
 * instructions and exits, and only they see each other's headers; arch/model does it in plain C
 * over the RMP rules of core/, so that the protocols of the monitor run as a host process under
 * unit tests and fuzzers. Inline assembly is nowhere else but in base/cpu_ops.h, boot/ and trap/.
 */
#ifndef SOCLE_MONITOR_ARCH_ARCH_H
#define SOCLE_MONITOR_ARCH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/psp.h"
#include "abi/snp.h"
#include "monitor/base/addr.h"
#include "monitor/base/levels.h"

struct cpu;
struct ghcb_doorbell_vmpl;
struct page_owner;
struct socle_params;

enum arch_page_size {
	ARCH_PAGE_4K = SNP_PAGE_4K,
	ARCH_PAGE_2M = SNP_PAGE_2M,
};

/*
 * What a page of the guest is may change under each of the hooks below, between any two
 * instructions: the guest asks the host for a page state change, or the host makes one unasked. So
 * each of them recovers from what the CPU raises then, and says so; none of it is fatal.
 *
 *	the page is private, not validated	#VC, PAGE_NOT_VALIDATED (APM volume 2, 15.36)
 *	it is shared, or not assigned		a nested page fault, which is the host's: it ends
 *						the VM, or makes the page private and goes on, and
 *						then the line above holds
 *	the host calls it a device		#VC, NPF (APM volume 2, 15.35)
 *
 * What becomes of the fault is the same everywhere: the call that needed the page is refused with
 * SVSM_ERR_INVALID_ADDRESS; when the page is a VMSA that is to be entered or answered, that one
 * vCPU ends (run/serve.h). The page keeps the state that it had, or is nobody's when it is not
 * sure what it is (mem/guest_pages.h).
 */

/*
 * A page is named by the address of its first byte, though the instructions would take any of it.
 */

/* What PVALIDATE and RMPADJUST return beside EAX: they raised an exception and did nothing. */
#define ARCH_RESULT_FAULT 0x100u

/*
 * PVALIDATE (APM volume 3) on the private page at page, through the direct map. Returns EAX, one
 * of SNP_RESULT_*, or ARCH_RESULT_FAULT; *changed is false unless EAX is 0 and the page was in the
 * other state before (CF = 0). It "does not invalidate TLB caches".
 */
uint32_t arch_pvalidate(gpa_t page, enum arch_page_size size, bool validate, bool *changed);

/*
 * RMPADJUST (APM volume 3): gives vmpl exactly perms (SNP_RMPADJUST_*) on the page. Returns EAX or
 * ARCH_RESULT_FAULT. A caller that takes rights away goes on to arch_flush_guest_tlb().
 */
uint32_t arch_rmpadjust(gpa_t page, enum arch_page_size size, unsigned int vmpl, uint64_t perms);

/*
 * RMPQUERY (APM volume 3): what the RMP has for vmpl on the private page at page, and the size of
 * its entry: *rights are SNP_RMPADJUST_* of it, with SNP_RMPADJUST_VMSA for a VMSA. Returns EAX or
 * ARCH_RESULT_FAULT, which is also what it is where the processor has no RMPQUERY (CPUID
 * 8000_001F EAX[6]); then *rights are none.
 */
uint32_t arch_rmpquery(gpa_t page, unsigned int vmpl, enum arch_page_size *size, uint64_t *rights);

/*
 * Ends every translation of this VM's pages that any CPU holds: INVLPGB for the whole VM, then
 * TLBSYNC, which waits until all CPUs have answered. Returns true only when both were executed.
 *
 * Rights are checked when a translation is made, and a CPU that has one keeps it: PVALIDATE "does
 * not invalidate TLB caches" (APM volume 3, PVALIDATE), and for RMPADJUST, where the manual is
 * silent, the same is assumed. Which CPUs have one nobody can know. The host runs every VMSA of the
 * guest when and where it likes, and VMPL0 of that vCPU need not have sent it. So no flag, no IPI
 * and no word of the host counts, only the two instructions:
 *
 *	INVLPGB is broadcast to all processors of the system. From a guest it is for the guest's own
 *	ASID, which all of its vCPUs and VMPLs have. Global translations are included, and nested
 *	ones where CPUID 8000_0008 EBX[21] says that there is a bit for it.
 *	TLBSYNC waits for what this logical processor has sent, and serializes.
 *	Both (APM volume 3) raise #UD when the host did not enable them (VMCB offset 90h, bit 7),
 *	and #VC when it intercepts them. Either means: not flushed.
 *
 * Assumed, for the manual does not say it: that translations of nested paging end too when EBX[21]
 * is clear; and that INVLPGBs under way are answered when the host moves VMPL0 to another CPU
 * between the two instructions, where TLBSYNC would not wait for them.
 *
 * What rests on it is the change of a guest's page into a VMSA. A CPU that could still write it
 * would raise its own VMPL to 0. So it is flushed after the rights were taken away and before the
 * VMSA is read, and when it is not, CREATE_VCPU is refused (SVSM_ERR_CREATE_VCPU_NOT_FLUSHED). A
 * host without INVLPGB has guests of one vCPU.
 *
 * Nothing else rests on it. Case by case:
 *
 *	PVALIDATE, invalidate	The page stays the guest's own: who writes it by an old translation
 *				is the guest. It can become valid again, which empties and grants
 *				it; then a calling area, which the guest writes anyway; or a VMSA,
 *				and that flush ends old translations however old they are. It never
 *				becomes Socle's. The guest itself must not find an old page there
 *				after a new one was validated: that is its own flush's business, as
 *				it is without an SVSM, and Socle adds one where it can.
 *	PVALIDATE, validate	gives rights, after the page was emptied
 *	DELETE_VCPU		gives rights; what was taken away was flushed when it was made
 *	a creation that failed	gives back what the guest had
 *	RMPUPDATE by the host	The page is no longer validated and is the host's or another VM's,
 *				who have to flush for themselves. When it comes back, the first
 *				access of ours faults.
 *	the start		no guest has run
 */
bool arch_flush_guest_tlb(void);

/*
 * Copies between the monitor and private memory, byte-exact, in any alignment. The caller has
 * checked that the whole range is guest memory (mem/guest_pages.h), or a VMSA of the registry.
 * Returns false when the access faulted all the same; a part may be copied.
 */
bool arch_guest_read(void *to, gpa_t from, size_t size);
bool arch_guest_write(gpa_t to, const void *from, size_t size);

/*
 * Zeroes the private pages of [page, page + size). False on a fault. Never on a page that could be
 * a VMSA in the RMP: half zeroed it is one of VMPL 0.
 */
bool arch_guest_zero(gpa_t page, size_t size);

/* Sets one byte of guest memory atomically and returns what it was; false in *ok on a fault. */
uint8_t arch_guest_exchange8(gpa_t at, uint8_t value, bool *ok);

/*
 * Sets or clears EFER.SVME of a VMSA of the registry, atomically; *was is what it was. Without it
 * VMRUN refuses the VMSA (APM volume 2, 15.5.1). A vCPU that runs on it keeps running, and its exit
 * may write EFER back. False on a fault.
 */
bool arch_vmsa_set_runnable(gpa_t vmsa, bool runnable, bool *was);

/*
 * One guest request to the AMD-SP: copies request (one page, sealed) to a shared page, asks the
 * host, copies the response page back. With certificates, also up to *cert_size bytes of the
 * host's certificate table; *cert_size becomes its size. Returns SW_EXITINFO2: 0, or the VMM error
 * in 63:32 (PSP_VMM_ERR_*) and the firmware error in 31:0.
 */
uint64_t arch_guest_request(const void *request, void *response, void *certificates,
			    size_t *cert_size);

/*
 * Translations of the monitor's own tables that this CPU remembers: of one page, global or not, and
 * all of them, global ones too.
 */
void arch_forget_page(va_t va);
void arch_forget_all(void);

/* Random bytes from RDSEED or RDRAND; false when the CPU gives none. */
bool arch_random(void *to, size_t size);

/* Monotonic nanoseconds since the monitor's start. Not trusted: the host sets the TSC's speed. */
uint64_t arch_now_ns(void);

/*
 * Has this vCPU halt for so long, or, where the clock stands still, until its timer has come twice;
 * the host may take longer. The timer is stopped then. False, at once, where the caller holds a
 * lock or the host refuses the timer.
 */
bool arch_sleep(uint64_t ns);

/* Index of the vCPU that runs this, 0..cpu_count-1. */
unsigned int arch_cpu_index(void);

/* SEV_FEATURES of the monitor's own vCPUs, and those that a vCPU of the guest must have. */
uint64_t arch_sev_features(void);
uint64_t arch_guest_sev_features(void);

/*
 * Whether VMSAs of the guest are to have alternate injection from now on: part of
 * arch_guest_sev_features().
 */
void arch_guest_alternate(bool on);

/*
 * The descriptor of the guest's level in this vCPU's doorbell page, shared memory of the host's,
 * and the same when the host says that there is something new in it, else NULL. That is taken then.
 */
struct ghcb_doorbell_vmpl *arch_guest_descriptor(void);
struct ghcb_doorbell_vmpl *arch_guest_interrupts(void);

/*
 * What the guest's APIC asks of the host for this vCPU, and of another one: that its VMPL0 be
 * interrupted; that a level-triggered interrupt has ended; that the APIC be the host's from now on.
 * A host that refuses has the guest wait for ever, which it can without refusing.
 */
void arch_kick(unsigned int cpu);
void arch_specific_eoi(uint8_t vector);
void arch_alternate_end(uint8_t tpr, bool shadow, bool interrupts);

/* One character of the monitor's log. */
void arch_log_putc(char c);

/*
 * Writes up to size bytes to, or reads up to size bytes from, the host channel; *moved is how many
 * it took or had, which may be none. False when there is no channel: the parameter block names
 * none, no 16550 answers at its port, or the host refuses the access. Before the mute, where
 * the caller holds no lock, none means that the vCPU has slept until there may be some, or for a
 * tenth of a second.
 */
bool arch_host_channel_write(const void *from, size_t size, size_t *moved);
bool arch_host_channel_read(void *to, size_t size, size_t *moved);

/* The start is over: from now on the host channel interrupts nobody. */
void arch_host_channel_mute(void);

/* Ends the VM: GHCB termination request with SVSM's reason. */
__attribute__((noreturn)) void arch_terminate(uint32_t reason);

/*
 * ---- The host as start, ring 3 and run loop need it: not in the model. Nothing of it may be
 * called from an exception handler, for it uses this vCPU's GHCB page. ----
 */

/* Checks that the host speaks version 2 of the GHCB protocol, or ends the VM. */
void arch_host_negotiate(void);

/*
 * Whether the host has all that an SVSM cannot do without; *features are its own,
 * GHCB_HV_FEATURE_*, none when the answer is none.
 */
bool arch_host_suffices(uint64_t *features);

/*
 * Shares pages for the GHCB and the doorbell of a vCPU that does not run yet, or is this one. False
 * when the host refused, or no memory.
 */
bool arch_host_pages(struct cpu *cpu, struct page_owner *owner);

/*
 * Tells the host of this vCPU's own, as far as it has them: first of the GHCB page, with which
 * alone it can still log why it ends; then, by an exit with it that only a host with restricted
 * injection knows, of the doorbell page. False when the page is missing or the host refused.
 */
bool arch_host_name_ghcb(struct cpu *cpu);
bool arch_host_name_doorbell(struct cpu *cpu);

/* Says where log and host channel are, once there is a GHCB; what was logged before goes out. */
void arch_ports_init(const struct socle_params *params);

/* Shares the bounce pages of arch_guest_request(). False: no memory, or the host refused. */
bool arch_requests_init(struct page_owner *owner);

/*
 * The start-up tests of arch_random(), on the first vCPU. False: what the CPU gives is stuck, and
 * the monitor must not start. True also where it offers none.
 */
bool arch_random_start(void);

/*
 * Finds out how fast TSC and APIC timer are. On the first vCPU, once. False: there is no timer, and
 * the monitor must not start.
 */
bool arch_clock_init(void);

/* Turns this vCPU's local APIC on, with the timer silent. False when the host has none for us. */
bool arch_timer_init(void);

/*
 * #HV of the timer every period_ns from now on, so that one which the host loses is followed by
 * others. Notes in *cpu what it was armed for, unless the host refused: then timer_deadline is 0,
 * which asks for another attempt.
 */
void arch_timer_arm(struct cpu *cpu, uint64_t deadline_ns, uint64_t period_ns);

/*
 * Has the host tell this vCPU's VMPL0 by an event what it has for the guest's level. False when it
 * refuses. After arch_timer_init(), which turns the APIC on.
 */
bool arch_guest_interrupts_init(void);

/* No more of them, if the timer was armed. When the host refuses, the next call tries again. */
void arch_timer_stop(struct cpu *cpu);

/*
 * Asks the doorbell whether there was an event, with or without #HV, and what it was: the timer
 * sets cpu->tick, everything else is acknowledged and forgotten. True when there was one.
 */
bool arch_poll_events(struct cpu *cpu);

/* Before ring 3 runs: a VMGEXIT of its own finds no exit to ask for. */
void arch_host_close(struct cpu *cpu);

/* Starts or registers the VMSA at page for that APIC id and VMPL. False when the host refuses. */
bool arch_start_vcpu(uint32_t apic_id, unsigned int vmpl, gpa_t vmsa, uint64_t sev_features);

enum arch_run {
	ARCH_RUN_RETURNED, /* this VMPL runs again */
	ARCH_RUN_EVENT,	   /* not left at all: an event is pending (cpu/wait.h) */
	ARCH_RUN_REFUSED,
};

/* Runs vmpl on this vCPU until the host has a reason to run us. */
enum arch_run arch_run_vmpl(unsigned int vmpl);

#endif
