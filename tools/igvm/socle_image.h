/* SPDX-License-Identifier: MIT */
/*
 * The layout of a Socle image: the monitor's region (docs/architecture.md, "Memory") with its page
 * tables and parameter block (abi/params.h), and the guest, if there is one.
 */
#ifndef SOCLE_TOOLS_IGVM_SOCLE_IMAGE_H
#define SOCLE_TOOLS_IGVM_SOCLE_IMAGE_H

#include "abi/params.h"
#include "core/image/host/kernel_hashes.h"
#include "tools/igvm/igvm_writer.h"
#include "tools/igvm/linux_boot.h"

#define SOCLE_IMAGE_NO_PORT 0u

/*
 * Where Socle is beside firmware: neither RAM, which old firmware would take for its own, nor where
 * a PC's devices are. OVMF's window for PCI ends below, at 0xfc000000
 * (OvmfPkg/Library/PlatformInitLib), and the IOAPIC is above. QEMU makes RAM where a file has pages
 * and nothing else is.
 */
#define SOCLE_IMAGE_FIRMWARE_BASE 0xfd000000u

struct socle_image_options {
	struct file_bytes monitor; /* ELF64, linked at SOCLE_VA_IMAGE */
	struct file_bytes archive;
	struct file_bytes kernel;     /* of Linux; size 0: none */
	struct file_bytes bare_guest; /* ELF64, instead of a kernel; size 0: none */
	struct file_bytes firmware;   /* instead of both; size 0: none */
	/* With firmware: the only kernel that it starts, from whoever gives it; NULL: any. */
	const struct kernel_hashes *kernel_hashes;
	struct file_bytes initrd;
	const char *cmdline;
	/* With firmware these two are the host's to say, when the image starts. */
	uint32_t cpu_count;
	uint64_t memory; /* bytes of guest RAM from address 0 */
	uint64_t base;	 /* of the region; 0: the last of the RAM, or SOCLE_IMAGE_FIRMWARE_BASE */
	uint16_t host_channel_port;  /* or SOCLE_IMAGE_NO_PORT */
	uint32_t host_channel_pin;   /* of the IOAPIC, below SOCLE_IOAPIC_PINS */
	uint16_t debug_console_port; /* or SOCLE_IMAGE_NO_PORT */
	bool preempts;		     /* the host does (SOCLE_FEATURE_PREEMPTS) */
	bool guest_apic;	     /* SOCLE_FEATURE_GUEST_APIC */
	uint32_t guest_vmpl;	     /* 1 to 3 */
	uint32_t lower_calls;	     /* SOCLE_LOWER_* */
	uint64_t allow_missing;	     /* SOCLE_MISSING_* */
	uint64_t sev_features;	     /* of the VMSA */
};

/* Adds everything to writer, and copies out the parameter block, which says where things are. */
bool socle_image_build(const struct socle_image_options *options, struct igvm_writer *writer,
		       struct socle_params *params, struct host_error *error);

#endif
