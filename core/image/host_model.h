/* SPDX-License-Identifier: MIT */
/*
 * Models of hosts: what an image finds on each, and what each refuses. One table, which the machine
 * lives by (`socle run --host`) and images are built and checked for. docs/hosts.md shows it, with
 * its sources.
 */
#ifndef SOCLE_CORE_IMAGE_HOST_MODEL_H
#define SOCLE_CORE_IMAGE_HOST_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the VMSA of a launch may be. */
enum host_vmsa_place {
	HOST_VMSA_ANYWHERE,    /* in RAM, or at IGVM_HELD_VMSA_GPA, and then the host holds it */
	HOST_VMSA_IN_RAM,      /* the guest can find it there */
	HOST_VMSA_HELD_BY_HOST /* at IGVM_HELD_VMSA_GPA and nowhere else */
};

/* What the host lets a guest do with INVLPGB and TLBSYNC. */
enum host_invlpgb {
	HOST_INVLPGB_ON,
	HOST_INVLPGB_HIDDEN,	 /* CPUID bits clear, #UD */
	HOST_INVLPGB_UNDEFINED,	 /* CPUID bits set, #UD */
	HOST_INVLPGB_INTERCEPTED /* CPUID bits set, #VC */
};

/* When an interrupt of VMPL0 makes it run while the guest's level of its vCPU runs. */
enum host_preempt {
	HOST_PREEMPT_NO,
	HOST_PREEMPT_BETWEEN, /* between two instructions of that, but not at a VMGEXIT of it */
	HOST_PREEMPT_AT_EXITS /* also before that is entered again after one, whatever it was for */
};

struct host_model {
	const char *name;
	const char *what;      /* for a list of them */
	uint64_t hv_features;  /* GHCB_HV_FEATURE_*, as it announces them */
	uint64_t sev_features; /* SNP_FEATURE_* that a VMSA may ask for; SNP itself it must */
	enum host_vmsa_place vmsa_place;
	bool vmsa_not_at_2m;  /* AP creation refuses a VMSA at a multiple of 2 MiB */
	bool features_fixed;  /* ... and SEV_FEATURES other than those of the level's first VMSA */
	bool vmsa_fields_all; /* else only those that QEMU hands to KVM may be set */
	enum host_invlpgb invlpgb;
	unsigned int invlpgb_count; /* pages after the first that CPUID says INVLPGB takes */
	enum host_preempt preempt;
	bool converts;		 /* an access to the other side of a page changes the page */
	bool sides_apart;	 /* a page's two sides are two pages: what becomes shared is zero */
	bool large_pages;	 /* a page of 2 MiB of the launch is one entry of the RMP */
	bool kvm_clock;		 /* its interface for guests is KVM's, as far as the clock */
	bool kvm_eoi;		 /* and that interrupts are ended in memory */
	const uint32_t *headers; /* IGVM_TYPE_* that its loader takes, up to a 0 */
};

/* A feature of hypervisors (GHCB specification, hypervisor features), as options name it. */
struct host_feature {
	const char *name;
	uint64_t bit; /* GHCB_HV_FEATURE_* */
};

#define HOST_FEATURES 6u

/* What a host may lack; all of them announce SNP. */
extern const struct host_feature host_features[HOST_FEATURES];

#define HOST_MODELS 4u

/* The table, the default first. */
extern const struct host_model host_models[HOST_MODELS];

#define HOST_MODEL_DEFAULT (&host_models[0])

/* The model of that name, or NULL. */
const struct host_model *host_model_find(const char *name);

/* Whether its loader takes such a header of an IGVM file (IGVM_TYPE_*). */
bool host_model_takes(const struct host_model *model, uint32_t type);

#endif
