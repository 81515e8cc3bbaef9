/* SPDX-License-Identifier: MIT */
/*
 * Rules of the specifications as a guest can see them, in tables: one file for each family of
 * rules. The guests made of them are portable. They find the C-bit, the host's features and the
 * number of vCPUs when they run, need a serial port and nothing else of the host, and print TAP:
 *
 *	ok 7 - FAMILY: RULE (VMPL 2; cpu; APM volume 3, RMPADJUST)
 *	not ok 8 - ...
 *	# got 0x2, want 0x0
 *	ok 9 - ... # SKIP multiple VMPLs
 *
 * What is wanted is a literal from the section that stands beside it, never computed by code that
 * the machine uses.
 */
#ifndef SOCLE_TESTS_MACHINE_RULES_H
#define SOCLE_TESTS_MACHINE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/machine/guest/exits.h"
#include "tests/machine/rules/actor.h"

/* RAM that is not loaded at launch. */
#define RULE_PAGE 0x1000000ull	/* of 4 KiB */
#define RULE_LARGE 0x1400000ull /* of 2 MiB */

/* Who keeps the rule, or breaks it. */
enum rule_tag { RULE_CPU, RULE_HOST, RULE_FIRMWARE };

/* What a rule needs of the host; where it lacks one, the rule is skipped. */
#define NEED_LEVELS (1u << 0)	  /* multiple VMPLs (GHCB feature 5) */
#define NEED_CREATION (1u << 1)	  /* AP creation (GHCB feature 1) */
#define NEED_CPU (1u << 2)	  /* a second vCPU */
#define NEED_LARGE (1u << 3)	  /* an RMP entry of 2 MiB for RULE_LARGE */
#define NEED_INVLPGB (1u << 4)	  /* INVLPGB, for guests, with nested translations */
#define NEED_RESTRICTED (1u << 5) /* restricted injection in SEV_FEATURES and at the host */
#define NEED_APIC_IDS (1u << 6)	  /* list of APIC ids (GHCB feature 4) */
#define NEED_ALTERNATE (1u << 7)  /* alternate injection of a level (GHCB feature 9) */
#define NEED_KVM_CLOCK (1u << 8)  /* KVM's clock, by CPUID */

#define LEVEL(n) (1u << (n))
#define LEVELS_LOWER (LEVEL(1) | LEVEL(2) | LEVEL(3))
#define LEVELS_ALL (LEVEL(0) | LEVELS_LOWER)

struct rule_case;

struct rule {
	const char *name;
	const char *section;
	enum rule_tag tag;
	uint8_t levels; /* LEVEL(): once for each of them; 0 is LEVEL(0) */
	uint8_t vcpus;	/* that act: 0 and 1 are the first alone */
	uint16_t needs; /* NEED_*, besides what levels and vcpus need */
	uint64_t (*run)(const struct rule_case *c);
	uint64_t arg;
	uint64_t want;
};

/* A rule at one of its levels. */
struct rule_case {
	const struct rule *rule;
	unsigned int vmpl;
	uint64_t variant; /* of the family */
};

struct rule_family {
	const char *name;
	const struct rule *rules;
	size_t count;
	uint64_t variant;
	uint16_t needs; /* of all its rules */
};

#define RULE_COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Families of the image, NULL after the last; each image has its own list. */
extern const struct rule_family *const rule_families[];

/* A rule that ends the VM: it does not return. NULL in images that have none. */
extern const struct rule *const rule_ending;

/* SEV_FEATURES of this image, as SEV_STATUS shows them. */
uint64_t rule_sev_features(void);

/* What the host has: NEED_*. */
unsigned int rule_host_has(void);

/* GHCB hypervisor features by the MSR protocol. */
uint64_t rule_ghcb_features(void);

/* Private, not validated, without rights for lower levels, whatever it was: 0. */
uint64_t page_renew(uint64_t gpa);
uint64_t large_page_renew(void);

/* A page state change of one entry by the GHCB page; its SW_EXITINFO1 and 2. */
struct ghcb_answer page_state_entry(uint64_t entry);

/* How a rule that permits several outcomes ended: for who compares two hosts. */
void rule_outcome(uint64_t outcome);

/* A register of a CPUID leaf by the MSR protocol: 0 EAX, 1 EBX, 2 ECX, 3 EDX. */
uint32_t rule_cpuid(uint32_t leaf, unsigned int reg);

/* Turns the APIC of this vCPU on, in x2APIC mode; true when the host did it. */
bool apic_start(void);

/* EAX of PVALIDATE and of RMPADJUST, CF at bit 8. */
uint64_t rule_pvalidate(uint64_t gpa, uint64_t size, uint64_t validate);

#endif
