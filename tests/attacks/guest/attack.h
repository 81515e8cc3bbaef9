/* SPDX-License-Identifier: MIT */
/*
 * Attacks of a guest on its SVSM, at whichever level the image says. Each program here is a guest
 * of Socle with a table of rules, and says on COM1, in TAP, which of them hold. Nothing in it knows
 * the machine: packed by `socle igvm build --guest-bare`, it runs on any SNP host that offers a
 * 16550 at 0x3f8.
 *
 * What is wanted is a literal, written down from the specification that the rule names: "58019" is
 * AMD's "Secure VM Service Module for SEV-SNP Guests", "56421" the GHCB specification, "APM" the
 * manual. After each rule every CPU makes a call that must be answered, and every page that the
 * rule used must be the guest's, valid and usable.
 */
#ifndef SOCLE_TESTS_ATTACKS_ATTACK_H
#define SOCLE_TESTS_ATTACKS_ATTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/snp.h"
#include "abi/svsm.h"
#include "tests/attacks/guest/layout.h"
#include "tests/machine/guest/exits.h"
#include "tests/machine/guest/traps.h"
#include "tests/machine/guest/vmsa.h"

struct rule {
	const char *name;
	const char *section; /* of the specification that decides it */
	void (*run)(void);
	unsigned int cpus; /* the smallest number that shows it */
};

/* Each program's own. The last has no name. */
extern const struct rule rules[];

/* Fails the rule when got is not what is wanted; the first failure is shown. On any CPU. */
void expect(const char *what, uint64_t got, uint64_t want);

/* A line beside the results. On CPU 0. */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Where things are. */

struct places {
	uint64_t svsm, svsm_size;   /* Socle's region */
	uint64_t ram_end;	    /* the region is the last of the RAM */
	uint64_t c_bit;		    /* its mask */
	uint64_t secrets_page, caa; /* the guest's first calling area */
	unsigned int cpus;	    /* that the VM has */
	unsigned int vmpl;	    /* of this guest */
};
extern struct places places;

/* Addresses that are no page of the guest's RAM, or that no address of RAM looks like. */
struct bad_address {
	const char *what;
	uint64_t gpa;
};
#define BAD_ADDRESSES 14u
void bad_addresses(struct bad_address *list);

/* Pages. */

/*
 * A page of the guest that nobody has used, private, valid and zero; the second of 2 MiB. A rule
 * leaves each as it got it, or takes it out with pages_keep().
 */
uint64_t page_new(void);
uint64_t page_new_2m(void);

/* A request for a report on the vTPM, in such pages, whose buffers are others. */
struct svsm_attest_op *attest_op_new(void);

/*
 * From now on these pages are otherwise: "shared", "invalid" (private, not validated),
 * "lost" (private, validated, without rights), or "vmsa".
 * They are not looked at after the rule, and whoever looks at the machine's memory is told. NULL:
 * pages like all others, but not looked at after this rule.
 */
void pages_keep(uint64_t gpa, unsigned int count, const char *what);

/* Whether pages_keep() has said that it is otherwise. */
bool page_kept(uint64_t gpa);

/* Fills a page with a pattern of its own, and says whether all of it is still there. */
void page_fill(uint64_t gpa);
bool page_filled(uint64_t gpa);
bool page_zero(uint64_t gpa);

/* Calls. */

struct svsm_regs {
	uint64_t rax, rcx, rdx, r8, r9;
};

/* VMGEXIT with this value of the GHCB MSR and these registers; they become what it left in them. */
void vmgexit_with(uint64_t ghcb_msr, struct svsm_regs *regs);

/* Asks the host for VMPL0, whatever the calling area says. True when the host says that it ran. */
bool svsm_run(struct svsm_regs *regs);

/* Makes one call on this CPU. True when the host ran VMPL0, which took the call. */
bool svsm_call_regs(struct svsm_regs *regs, uint8_t pending);

#define SVSM_NOT_TAKEN 0xdead0000dead0000ull

/* The same; RAX of the answer, or SVSM_NOT_TAKEN. */
uint64_t svsm_call(uint64_t rax, uint64_t rcx, uint64_t rdx, uint64_t r8);

/* RAX of each call. */
#define CORE_REMAP_CA 0x000000000ull
#define CORE_PVALIDATE 0x000000001ull
#define CORE_CREATE_VCPU 0x000000002ull
#define CORE_DELETE_VCPU 0x000000003ull
#define CORE_DEPOSIT_MEM 0x000000004ull
#define CORE_WITHDRAW_MEM 0x000000005ull
#define CORE_QUERY_PROTOCOL 0x000000006ull
#define CORE_CONFIGURE_VTOM 0x000000007ull

/* The answer to "which versions of the core protocol": 1 to 1. True when it is right. */
bool svsm_alive(void);

/* SVSM_CORE_PVALIDATE of a list of one entry. */
#define ENTRY_2M 1ull
#define ENTRY_VALIDATE 4ull
#define ENTRY_IGNORE_CF 8ull
uint64_t svsm_pvalidate(uint64_t entry);

/* The list of it, to write to and call with: in this CPU's own page. */
struct pvalidate_list {
	uint16_t entries, next;
	uint32_t reserved;
	uint64_t entry[511];
};
struct pvalidate_list *svsm_list(void);
uint64_t svsm_pvalidate_list(void);

/* True when the page is the guest's and valid: validating it is "unchanged", 0x80001010. */
bool page_valid(uint64_t gpa);

/* The guest's part of making a page shared, and back. RAX of the call. */
uint64_t page_give_up(uint64_t gpa);
uint64_t page_get_back(uint64_t gpa);

/* Behind Socle's back: the host alone is asked, by MSR, or by the list of the GHCB page. */
#define PSC_PRIVATE 1u
#define PSC_SHARED 2u
bool psc_msr(uint64_t gpa, unsigned int operation);
bool psc_list(uint64_t gpa, unsigned int operation, bool huge);

/* CPUs. */

struct fault {
	uint64_t vector, error;
};

struct cpu {
	unsigned int id;
	uint64_t caa, vmsa, list;
	uint64_t recover; /* where the next exception goes on, 0: it is a failure */
	struct fault fault;
	void (*job)(void); /* what the CPU is to do, NULL when it has done it */
	bool up;
};
struct cpu *cpu_at(unsigned int id);
struct cpu *cpu_this(void);

/* Fills the page vmsa with the state in which CPU id takes jobs. */
void cpu_vmsa(uint64_t vmsa, unsigned int id);

/* Asks the host to run CPU id on vmsa, and waits until it is up. False when the host refuses. */
bool cpu_enter(unsigned int id, uint64_t vmsa, uint64_t caa);

/*
 * Asks the host to run CPU id on what VMRUN must refuse: whether it does not run. A host may refuse
 * it at once, or take it, for it need not look at what is there.
 */
bool cpu_refused(unsigned int id, unsigned int vmpl, uint64_t vmsa);

/* Asks the host to stop CPU id, whose VMSA stays what it is. */
bool cpu_stop(unsigned int id);

/* Gives a CPU that is up something to do, and waits for its end. */
void cpu_begin(unsigned int id, void (*job)(void));
void cpu_end(unsigned int id);

/* Turns this CPU's APIC on, in x2APIC mode. Fails the rule where the host does not do it. */
void cpu_apic_on(void);

/* This CPU's TSC, once everything before has been done. */
static inline uint64_t cpu_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
	return low | (uint64_t)high << 32;
}

/*
 * Looks at the TSC until something else has had this vCPU so many times, for a hundredth of a
 * millisecond of 3 GHz at least, or nothing has for long enough.
 */
struct stops {
	unsigned int count;
	uint64_t longest;
};
struct stops stops_watch(unsigned int wanted);

/* How many stops there are until the twin is ready, and until a prime is looked for behind that. */
#define TWIN_TURNS 2u
#define WORK_AHEAD_TURNS 4u

/* A pause in which other CPUs run. */
static inline void cpu_relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

/* What the start of a program does, and the end of each rule. */

/*
 * Gives each CPU a GHCB, and starts all but this one, unless the host withholds INVLPGB. False:
 * this VM is not what it should be.
 */
bool cpus_start(void);

/* Every page that the rule used is the guest's and valid again. */
void pages_check(void);

/* Says which pages are not, for whoever looks at the machine's memory. */
void pages_tell(void);

/* Instructions that may fault: true when they did, and how. */
bool try_pvalidate(uint64_t gpa, uint64_t size, uint64_t validate, struct fault *fault);
bool try_rmpadjust(uint64_t gpa, uint64_t size, uint64_t rdx, uint32_t *eax, struct fault *fault);
bool try_read(uint64_t at, uint64_t *value, struct fault *fault);
bool try_write(uint64_t at, uint64_t value, struct fault *fault);

#endif
