/* SPDX-License-Identifier: MIT */
/*
 * Socle's parameter block: one measured page that the image builder writes and the monitor reads.
 * All addresses are guest-physical, page-aligned unless a comment says otherwise, without C-bit.
 * Nothing in it names a hypervisor: what the platform has is said by feature flags.
 */
#ifndef SOCLE_ABI_PARAMS_H
#define SOCLE_ABI_PARAMS_H

#include "abi/types.h"

#define SOCLE_PARAMS_MAGIC 0x4d4152504c434f53ull /* "SOCLPRAM" */
#define SOCLE_PARAMS_VERSION 4u

/* The monitor's virtual addresses. The image is linked at SOCLE_VA_IMAGE whatever its base is. */
#define SOCLE_VA_DIRECT \
	0xffff800000000000ull /* gPA g is at SOCLE_VA_DIRECT + g, never executable */
#define SOCLE_VA_IMAGE 0xffffffff80000000ull
#define SOCLE_REGION_SIZE (16u << 20) /* the whole private memory of Socle */
#define SOCLE_IOAPIC_PINS 24u

#define SOCLE_FEATURE_DEBUG_CONSOLE (1ull << 0) /* debug_console_port takes bytes of a log */
#define SOCLE_FEATURE_HOST_CHANNEL (1ull << 1)	/* host_channel_port is a 16550 to the host */
/*
 * An interrupt of VMPL0's makes it run while the guest's level of its vCPU runs. No host says so in
 * any register; where it is not true, the VM ends before the guest's first instruction.
 */
#define SOCLE_FEATURE_PREEMPTS (1ull << 2)
/* The guest's APIC is Socle's: alternate injection, and the APIC protocol. */
#define SOCLE_FEATURE_GUEST_APIC (1ull << 3)
#define SOCLE_FEATURES_KNOWN                                                                 \
	(SOCLE_FEATURE_DEBUG_CONSOLE | SOCLE_FEATURE_HOST_CHANNEL | SOCLE_FEATURE_PREEMPTS | \
	 SOCLE_FEATURE_GUEST_APIC)

/* allow_missing: what the processor may lack. Without it in CPUID there is no start. */
#define SOCLE_MISSING_SMEP (1ull << 0)
#define SOCLE_MISSING_SMAP (1ull << 1)
#define SOCLE_MISSING_UMIP (1ull << 2)
#define SOCLE_MISSING_AES (1ull << 3)
#define SOCLE_MISSING_PCLMULQDQ (1ull << 4)
#define SOCLE_MISSING_RDRAND (1ull << 5)
#define SOCLE_MISSING_KNOWN 0x3full

#define SOCLE_GUEST_VMPL_DEFAULT 2u

/* lower_calls: protocols of the SVSM that levels of the guest below its first one may use. */
#define SOCLE_LOWER_ATTEST (1u << 0)
#define SOCLE_LOWER_VTPM (1u << 1)
#define SOCLE_LOWER_KNOWN 0x3u

struct socle_range {
	uint64_t gpa;
	uint64_t size; /* bytes; 0: absent */
};
ABI_SIZE(struct socle_range, 16);

/*
 * How the guest's first vCPU starts: in long mode, paging on, interrupts off, flat 64-bit
 * segments. The page tables in page_tables come without C-bit; the monitor sets it in every
 * present entry before the guest runs.
 */
struct socle_guest_entry {
	uint64_t rip, rsp, rsi, cr3; /* byte addresses; cr3 lies in page_tables */
	struct socle_range page_tables;
	uint64_t gdt_base; /* byte address */
	uint16_t gdt_limit, cs_selector, ds_selector, reserved_036;
};
ABI_SIZE(struct socle_guest_entry, 64);

/*
 * The pages of socle_params.host, which a loader fills by parameters of the IGVM file: each of
 * these is a parameter area of its own.
 */
#define SOCLE_HOST_COUNT 0x0000u /* u32: vCPUs */
#define SOCLE_HOST_COUNT_SIZE 0x1000u
#define SOCLE_HOST_MAP 0x1000u /* the memory map, struct igvm_memory_map_entry */
#define SOCLE_HOST_MAP_SIZE 0x1000u
#define SOCLE_HOST_MADT 0x2000u /* an ACPI table */
#define SOCLE_HOST_MADT_SIZE 0x1000u
#define SOCLE_HOST_SIZE 0x3000u

#define SOCLE_PARAMS_RAM_MAX 8u
#define SOCLE_PARAMS_LOADED_MAX 64u

struct socle_params {
	uint64_t magic;
	uint32_t version;
	uint32_t size; /* sizeof(struct socle_params) */
	uint64_t features;
	struct socle_range region;	/* Socle's own memory: nothing in it is the guest's */
	struct socle_range image;	/* the monitor, all its segments, in region */
	struct socle_range page_tables; /* the monitor's first page tables, in region */
	struct socle_range archive;	/* newc archive, in region; size in bytes */
	struct socle_range
		free;	     /* pages in region that the file does not load: not validated yet */
	uint64_t cpuid_page; /* Socle's own, written by the AMD-SP at launch, in region */
	uint64_t secrets_page;
	uint32_t cpu_count; /* APIC ids 0..cpu_count-1 */
	uint16_t host_channel_port;
	uint16_t debug_console_port;
	uint64_t guest_cpuid_page; /* pages of the guest that the monitor fills before launch */
	uint64_t guest_secrets_page;
	uint64_t guest_caa;
	struct socle_guest_entry guest; /* rip 0: firmware, or only for tests no guest */
	uint32_t ram_count;
	uint32_t loaded_count;
	struct socle_range ram[SOCLE_PARAMS_RAM_MAX]; /* ascending; region lies in one of them */
	/* Guest memory that the file loads, thus validated at launch; ascending, outside region. */
	struct socle_range loaded[SOCLE_PARAMS_LOADED_MAX];
	uint64_t allow_missing; /* SOCLE_MISSING_* */
	/* Of the IOAPIC: the interrupt of the host channel's 16550 (docs/spec/host-channel.md). */
	uint32_t host_channel_pin;
	/* 1 to 3: the guest's first level. Less privileged ones are the guest's own to make. */
	uint32_t guest_vmpl;
	/*
	 * SOCLE_HOST_SIZE bytes in region that the host fills and the launch does not measure. Size
	 * 0: there are none. Else RAM and vCPUs are what the host says there, and above stands only
	 * what holds whatever it says: cpu_count 0, and region as the only RAM, which need not be
	 * the host's RAM.
	 */
	struct socle_range host;
	/*
	 * The guest's firmware, memory that the file loads too, with the reset vector before its
	 * end. Size 0: none. With it the guest's first vCPU starts in the state of the VMSA
	 * guest_vmsa, a page in region, but for what is the processor's or Socle's, and all RAM
	 * that is not loaded is left to the firmware.
	 */
	struct socle_range firmware;
	uint64_t guest_vmsa;
	/*
	 * Where the firmware reads what RAM and vCPUs there are, byte addresses within a loaded
	 * page: a list of struct igvm_memory_map_entry, with one of no pages at its end, and a u32.
	 * 0: nowhere.
	 */
	uint64_t guest_map, guest_count;
	uint32_t guest_map_entries;
	uint32_t lower_calls; /* SOCLE_LOWER_* */
};
ABI_OFFSET(struct socle_params, features, 0x10);
ABI_OFFSET(struct socle_params, cpuid_page, 0x68);
ABI_OFFSET(struct socle_params, guest, 0x98);
ABI_OFFSET(struct socle_params, ram, 0xe0);
ABI_OFFSET(struct socle_params, allow_missing, 0x560);
ABI_OFFSET(struct socle_params, host_channel_pin, 0x568);
ABI_OFFSET(struct socle_params, guest_vmpl, 0x56c);
ABI_OFFSET(struct socle_params, host, 0x570);
ABI_OFFSET(struct socle_params, firmware, 0x580);
ABI_OFFSET(struct socle_params, guest_vmsa, 0x590);
ABI_OFFSET(struct socle_params, lower_calls, 0x5ac);
_Static_assert(sizeof(struct socle_params) <= ABI_PAGE_SIZE, "the parameter block is one page");

/*
 * Registers of the launch VMSA: 32-bit protected mode, flat segments, paging and interrupts off,
 * EIP at the start of the image, which is the entry stub.
 *	EBX = gPA of the parameter block, EBP = gPA of the image, ESP = 0.
 * The stub takes the C-bit from leaf 0x8000001F of the CPUID page, sets it in every present entry
 * of page_tables (whose first page is the root), and enters long mode.
 */

#endif
