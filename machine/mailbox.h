/* SPDX-License-Identifier: MIT */
/*
 * The mailbox between the machine's hypervisor (machine/hv) and its host process (machine/host).
 * It lies in the hypervisor's own RAM, which no guest can name, and is shared through the memfd
 * behind that RAM. A byte on the doorbell serial port tells the host process to look.
 */
#ifndef SOCLE_MACHINE_MAILBOX_H
#define SOCLE_MACHINE_MAILBOX_H

#include "abi/psp.h"
#include "machine/layout.h"

/*
 * QEMU's first CPU starts the machine and runs no guest. Any other CPU that loads an x87 status
 * word clears a flag of the first one (IGNNE#), in a word that holds whether nested paging is on,
 * and without a lock (cpu_clear_ignne() in QEMU's target/i386/tcg): a VMRUN or #VMEXIT of the first
 * CPU at that moment would be half forgotten.
 */
#define MACHINE_BOOT_CPUS 1u

#define MACHINE_C_BIT 47u

#define MAILBOX_MAGIC 0x584f424c49414d53ull
#define MAILBOX_VERSION 11u

/* Of the initial RMP. The hypervisor fills CPUID pages before the launch. */
struct mailbox_pages {
	uint64_t gpa;
	uint32_t count; /* 4 KiB pages */
	uint16_t type;	/* enum psp_page_type */
	uint16_t flags; /* MAILBOX_PAGES_* */
};
ABI_SIZE(struct mailbox_pages, 16);
#define MAILBOX_PAGES_LARGE (1u << 0)	 /* entries of 2 MiB */
#define MAILBOX_PAGES_CPUID_XF (1u << 1) /* CPUID pages about extended state alone */
#define MAILBOX_PAGES_MAX 16384u

enum mailbox_state {
	MAILBOX_IDLE = 0,
	MAILBOX_REQUEST = 1, /* the hypervisor asks, and waits for */
	MAILBOX_DONE = 2,    /* the host process's answer */
};

enum mailbox_request {
	MAILBOX_REQ_GUEST_REQUEST = 1, /* arg[0] = VMPL of the caller; request and response pages */
	MAILBOX_REQ_EXT_GUEST_REQUEST = 2, /* also certs; arg[1] = pages offered */
	/*
	 * The disk: arg[0] = first sector, arg[1] = bytes of disk[]; result 0, or the host cannot.
	 */
	MAILBOX_REQ_DISK_READ = 3,
	MAILBOX_REQ_DISK_WRITE = 4,
	MAILBOX_REQ_DISK_FLUSH = 5, /* no arguments */
};

/* Things the host process notes the time of; the doorbell byte is 'A' + event. */
enum mailbox_event {
	MAILBOX_EVENT_REQUEST = 0,     /* look at state */
	MAILBOX_EVENT_LOG = 1,	       /* look at the log ring */
	MAILBOX_EVENT_VMPL0_ENTRY = 2, /* first VMRUN at that VMPL */
	MAILBOX_EVENT_VMPL2_ENTRY = 3,
	MAILBOX_EVENT_STOP = 4, /* the machine ends: stop_reason and stop_arg */
};

/*
 * Where an IOMMU's tables send a device that wants what it may not reach: addresses without memory,
 * which tell the host process which device wanted what, when QEMU traces that it cannot read them.
 * Of the table that ends the walk: its level, 1 for that of pages, and which entry of all of that
 * level; then the address goes on with the index in a table one level below, 8 bytes each.
 */
#define MACHINE_NO_PAGE_TABLE (1ull << 51)
#define MACHINE_NO_PAGE_FUNCTION_SHIFT 43 /* 8 bits: device and function of bus 0 */
#define MACHINE_NO_PAGE_LEVEL_SHIFT 40	  /* 3 bits */
#define MACHINE_NO_PAGE_INDEX_MASK 0xfffffffull

enum mailbox_stop {
	MAILBOX_STOP_NONE = 0,
	MAILBOX_STOP_POWEROFF = 1, /* by the guest, through the platform's power management */
	MAILBOX_STOP_GUEST_TERMINATE = 2, /* GHCB: stop_arg[0] = VMPL, [1] = set, [2] = code */
	MAILBOX_STOP_SHUTDOWN = 3,	  /* triple fault; stop_arg[0] = VMPL, [1] = RIP */
	MAILBOX_STOP_RMP_VIOLATION =
		4,		   /* stop_arg[0] = VMPL, [1] = gPA, [2] = NPF error, [3] = RIP */
	MAILBOX_STOP_HV_ERROR = 5, /* the hypervisor's own failure; the log says which */
	MAILBOX_STOP_REBOOT = 6,   /* by a reset port: stop_arg[0] = VMPL, [1] = port */
	/*
	 * The AMD-SP refuses a CPUID page: stop_arg[0] = gPA, [1] = number of the entry, or
	 * MAILBOX_CPUID_HEADER; [2] = leaf in 31:0, subleaf above, [3] = register, 0 for EAX to 3
	 * for EDX, or 4 for the reserved field.
	 */
	MAILBOX_STOP_CPUID_PAGE = 7,
	MAILBOX_STOP_TEST_EXIT = 8, /* by the exit port: stop_arg[0] = VMPL, [1] = value */
	/*
	 * No vCPU can ever run again: stop_arg[0] = the last one that stopped, [1] = VMPL, [2] =
	 * RIP.
	 */
	MAILBOX_STOP_HANG = 9,
	MAILBOX_STOP_PANIC = 10, /* the guest's kernel says so, by pvpanic: stop_arg[0] = VMPL */
	/*
	 * The processor lacks what the hypervisor needs: stop_arg[0] = leaf of CPUID, [1] =
	 * register, 0 for EAX to 3 for EDX, [2] = the field's bits, [3] = up to 8 characters of a
	 * name.
	 */
	MAILBOX_STOP_CPU_LACKS = 11,
};

#define MAILBOX_CPUID_HEADER 0xffffffffu /* the count, or what is reserved beside it */
#define MAILBOX_NO_VMSA (~0ull)

#define MAILBOX_EXIT_KINDS 64u
#define MAILBOX_EXIT_NAE (1ull << 63)	       /* in code: an exit of the GHCB page */
#define MAILBOX_EXIT_MSR_PROTOCOL (1ull << 62) /* in code: a request of the GHCB MSR protocol */

struct mailbox_exit_counter {
	uint64_t code; /* SVM exit code, or a flagged VMGEXIT request; unused with all counts 0 */
	uint64_t count[4]; /* by VMPL */
};
ABI_SIZE(struct mailbox_exit_counter, 40);

/*
 * A storm of #HV: the host as enemy, who interrupts VMPL0 when it likes. Counted by what each one
 * interrupted.
 */
struct mailbox_storm {
	uint64_t user;	 /* CPL 3 */
	uint64_t kernel; /* CPL 0 */
	uint64_t nested; /* of these: at the first instruction of the handler of another one */
	uint64_t timer; /* of all these: with the vector of the plane's own timer; else with none */
};

/*
 * Events of VMPL0 in steps (hv/event/sweep.h): how often it was gone through, and what was running.
 */
struct mailbox_sweep {
	uint64_t whole;
	uint64_t at[4]; /* by VMPL */
};

/* The host that the machine models: core/image/host_model.h, with what `socle run` overrides. */
struct mailbox_host {
	uint64_t hv_features;	/* GHCB_HV_FEATURE_* that it announces */
	uint64_t sev_features;	/* SNP_FEATURE_* that a VMSA may have */
	uint32_t invlpgb;	/* enum host_invlpgb */
	uint32_t invlpgb_count; /* pages that CPUID says it takes after the first */
	uint8_t preempt;	/* enum host_preempt */
	uint8_t converts;	/* an access to the other side of a page changes the page */
	uint8_t sides_apart;	/* what becomes shared is zero, what becomes private is noise */
	uint8_t vmsa_not_at_2m; /* AP creation refuses a VMSA at a multiple of 2 MiB */
	uint8_t features_fixed; /* ... and SEV_FEATURES that the level's first VMSA has not */
	uint8_t kvm_clock;	/* KVM's interface for guests is there, as far as its clock */
	uint8_t kvm_eoi;	/* ... and that interrupts are ended in memory */
	uint8_t reserved_01f;
};
ABI_SIZE(struct mailbox_host, 32);

#define MAILBOX_PINS 24u /* of the IOAPIC */

/*
 * Whose the interrupts of devices are (`--device-plane`): one more than a VMPL. 0: those of a pin
 * and of a device's message are whose entry was written last, those of the 8259s the least
 * privileged plane's.
 */
struct mailbox_device_planes {
	uint8_t all, pins[MAILBOX_PINS]; /* a pin's own goes before all */
	uint8_t reserved_019[7];
};
ABI_SIZE(struct mailbox_device_planes, 32);

/*
 * What a hostile host does when it was asked to (`--fault`): machine/host/fault_plan.c has the
 * names.
 */
enum mailbox_fault {
	MAILBOX_FAULT_TIMER_LOSE,
	MAILBOX_FAULT_TIMER_DELAY,
	MAILBOX_FAULT_TIMER_REPEAT,
	MAILBOX_FAULT_REFUSE_AP_CREATION,
	MAILBOX_FAULT_REFUSE_RUN_VMPL,
	MAILBOX_FAULT_PLANES_AT_ONCE,
	MAILBOX_FAULT_PLANES_AT_ONCE_INTERRUPT,
	MAILBOX_FAULT_TLB_CONTROL,
	MAILBOX_FAULT_CUT_DELIVERY,
	MAILBOX_FAULT_REFUSE_APIC,
	MAILBOX_FAULT_RESET_PLANE,
	MAILBOX_FAULT_AMD_SP_BUSY,
	MAILBOX_FAULT_COUNT,
};

/* When: occasions are counted from 1, for the whole machine. All 0: never. */
struct mailbox_fault_plan {
	uint32_t nth;	/* at this one only; 0: see every */
	uint32_t every; /* at each that is a multiple of it */
};
ABI_SIZE(struct mailbox_fault_plan, 8);

/* What a read of MACHINE_PORT_HOLD gives, one byte, at any VMPL. */
enum machine_hold {
	MACHINE_HOLD_NOT_ARMED = 0,
	MACHINE_HOLD_COUNTING = 1,
	MACHINE_HOLD_HELD = 2,
	MACHINE_HOLD_OVER =
		3, /* released, or a lower VMPL of that vCPU ran again before the step */
};

/*
 * What is written there. ARM: from now on the PVALIDATEs, RMPADJUSTs and VMGEXITs of VMPL0 on the
 * vCPU that writes are counted, and before the N-th takes effect that vCPU is held. GO_ON, by
 * another vCPU: it goes on. It does so by itself after 3 seconds.
 */
enum machine_hold_command {
	MACHINE_HOLD_ARM = 1,
	MACHINE_HOLD_GO_ON = 2,
};

#define MAILBOX_LOG_SIZE (64u << 10)

struct mailbox {
	uint64_t magic;
	uint32_t version;
	uint32_t cpu_count;
	uint64_t guest_ram_size;
	uint64_t flash_size; /* bytes below 4 GiB that the launch fills; 0: there is no flash */
	uint64_t
		extra_size; /* bytes from MACHINE_EXTRA_BASE on that the launch asks for; 0: none */
	/* By vCPU, of VMPL0: a page of the guest, IGVM_HELD_VMSA_GPA, or MAILBOX_NO_VMSA. */
	uint64_t vmsa_gpa[MACHINE_CPUS_MAX];
	uint32_t page_range_count;
	volatile uint32_t state;
	uint32_t request;
	uint32_t hold; /* which step a vCPU is held before; 0: there is no script, and no port */
	uint64_t arg[4];
	uint64_t result; /* SW_EXITINFO2 of the answer: VMM error in 63:32, firmware error below */
	uint64_t certs_pages; /* pages the certificates need */
	uint32_t stop_reason;
	uint32_t storm_us; /* mean interval of the storm in microseconds; 0: none */
	uint64_t stop_arg[4];
	struct mailbox_storm storm;
	struct mailbox_sweep sweep;
	struct mailbox_host host;
	uint32_t sweeps;   /* the host goes through them */
	uint32_t every_us; /* or an event comes whenever so many microseconds went by; 0: none */
	struct mailbox_device_planes device_planes;
	uint32_t xsave;	       /* XSAVE and what follows from it is in CPUID */
	uint32_t test_devices; /* the ports of tests are there (device/test_ports.h) */
	uint64_t disk_sectors; /* of the disk of VMPL0, 512 bytes each; 0: there is none */
	uint32_t secure_tsc;   /* a VMSA of the launch asks for it */
	/* All but the first vCPU start by INIT and SIPI, as KVM's do; else by INIT alone. */
	uint32_t vmsa_on_startup;
	uint32_t devices; /* there are some that reach memory, behind an IOMMU */
	/*
	 * Of QEMU, major << 8 | minor, whose software emulation this is; 0: none's, or not known.
	 */
	uint32_t qemu_version;
	uint32_t cpu_reduced;	    /* its CPU lacks features on purpose, so that no list holds */
	uint32_t kernel_setup_size; /* how much of MACHINE_FW_CFG_KERNEL fw_cfg calls the setup */
	uint32_t tpm;		    /* QEMU has a TPM, at MACHINE_TPM */
	uint32_t reserved;
	/* By the hypervisor: GUEST_TSC_FREQ, and how far below it the TSC is, in 1/100000. */
	uint32_t tsc_mhz, tsc_factor;
	uint64_t started_at; /* nanoseconds of the host's clock of the day, since 1970 */
	struct mailbox_fault_plan faults[MAILBOX_FAULT_COUNT];
	struct mailbox_exit_counter exits[MAILBOX_EXIT_KINDS];
	uint64_t switches[4]; /* VMPL switches into each level */
	/* By the hypervisor: of the table (core/snp/rmp.h) in its RAM. */
	uint64_t rmp_offset;
	/*
	 * By the hypervisor, of a byte for each page: not 0 where devices may reach it (layout.h).
	 */
	uint64_t shown_offset;	    /* 0: there are none */
	volatile uint64_t log_head; /* bytes ever written; the ring index is the remainder */
	char log[MAILBOX_LOG_SIZE];
	uint8_t held_vmsa[MACHINE_CPUS_MAX][ABI_PAGE_SIZE]; /* VMSAs that the host holds */
	uint8_t request_page[ABI_PAGE_SIZE];
	uint8_t response_page[ABI_PAGE_SIZE];
	uint8_t certs[4 * ABI_PAGE_SIZE];
	uint8_t disk[64u << 10];
	struct mailbox_pages pages[MAILBOX_PAGES_MAX];
};
_Static_assert(sizeof(struct mailbox) <= (1u << 20), "the mailbox fits its place");

#endif
