/* SPDX-License-Identifier: MIT */
/*
 * Where everything of the machine lies in physical memory, and at which ports. What a guest has:
 *
 *	0		RAM, at most 2 GiB, with the hole of a PC's video memory
 *	2 GiB		hole: PCI devices, IOAPIC, local APICs
 *	4048 MiB	memory that a launch asks for, at most 16 MiB; else a hole
 *	4 GiB - n	flash: RAM that a launch fills from its start on, at most 16 MiB; or a
 *			hole
 *	4 GiB		RAM beyond 2 GiB
 *
 * The machine has all that at the same addresses, but for the flash, where the hypervisor's ROM
 * lies, and the memory at 4048 MiB, where none of QEMU's is: their bytes are in the hypervisor's
 * own memory, which is out of every guest's way:
 *
 *	128 GiB		the hypervisor's image and its data, as long as they are
 *	+ 16 MiB	mailbox
 *	+ 18 MiB	flash
 *	+ 34 MiB	what is at 4048 MiB
 *	+ 50 MiB	pages that the hypervisor takes for its tables
 *	behind them	the guest's pages that devices may reach, while they may
 */
#ifndef SOCLE_MACHINE_LAYOUT_H
#define SOCLE_MACHINE_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#define MACHINE_CPUS_MAX 8u /* vCPUs of a guest */

#define MACHINE_RAM_LOW_MAX (2ull << 30)
#define MACHINE_4G (4ull << 30)
#define MACHINE_GUEST_RAM_MAX (64ull << 30)
#define MACHINE_FLASH_MAX (16ull << 20)
/*
 * QEMU makes RAM where a file has pages and no memory is (backends/igvm.c, qigvm_prepare_memory()).
 * Here that is possible at one place, which a q35 leaves free: OVMF's window for PCI ends at
 * 0xfc000000.
 */
#define MACHINE_EXTRA_BASE 0xfd000000ull
#define MACHINE_EXTRA_MAX (16ull << 20)

#define MACHINE_HV_BASE 0x2000000000ull
#define MACHINE_HV_IMAGE_MAX (16ull << 20)
#define MACHINE_MAILBOX_OFFSET MACHINE_HV_IMAGE_MAX
#define MACHINE_FLASH_OFFSET (18ull << 20) /* of the page at MACHINE_4G - MACHINE_FLASH_MAX */
#define MACHINE_EXTRA_OFFSET (MACHINE_FLASH_OFFSET + MACHINE_FLASH_MAX)
#define MACHINE_PAGES_OFFSET (MACHINE_EXTRA_OFFSET + MACHINE_EXTRA_MAX)

/* Ports of the machine's own, where no device of a PC is and no guest can put one. */
#define MACHINE_PORT_DOORBELL 0x0e00u	  /* isa-debugcon: hypervisor -> host process */
#define MACHINE_PORT_EXIT 0x0e10u	  /* isa-debug-exit: ends QEMU */
#define MACHINE_PORT_DEBUG_DEVICE 0x0e20u /* isa-debugcon, behind MACHINE_PORT_DEBUG */

/* Ports that a guest sees. */
#define MACHINE_PORT_CONSOLE 0x3f8u  /* COM1: guest console */
#define MACHINE_PORT_CHANNEL 0x2f8u  /* COM2: guest <-> host channel */
#define MACHINE_PORT_VMPL0 0x3e8u    /* COM3: VMPL0 <-> host channel; lower levels read ones */
#define MACHINE_PIN_VMPL0 5u	     /* of the IOAPIC: its interrupt, which is no other port's */
#define MACHINE_PORT_TEST 0x2e8u     /* COM4: tests in the guest <-> host channel */
#define MACHINE_PORT_DEBUG 0xe9u     /* debug console of VMPL0 */
#define MACHINE_PORT_HOLD 0xeau	     /* script of a race, with `--hold N`: enum machine_hold */
#define MACHINE_PORT_ECHO 0xe0u	     /* with `--test-devices`, as QEMU's pc-testdev: four bytes */
#define MACHINE_PORT_TEST_EXIT 0xf4u /* the same, as QEMU's isa-debug-exit: ends the machine */

#define MACHINE_SVSM_DISK 0xfef00000ull /* page of the virtio device of VMPL0, with `--svsm-disk` */
#define MACHINE_TPM 0xfed40000ull	/* page of QEMU's tpm-crb, with `--tpm` */

/*
 * Files of QEMU's fw_cfg in which the hypervisor finds what its own fw_cfg has under other names;
 * guests do not see them.
 */
#define MACHINE_FW_CFG_OWN "opt/socle/"
#define MACHINE_FW_CFG_KERNEL MACHINE_FW_CFG_OWN "kernel"
#define MACHINE_FW_CFG_INITRD MACHINE_FW_CFG_OWN "initrd"
#define MACHINE_FW_CFG_APPEND MACHINE_FW_CFG_OWN "append" /* with a 0 at its end */

/* How much of so much RAM is below 4 GiB. */
static inline uint64_t machine_ram_low(uint64_t ram_size)
{
	return ram_size < MACHINE_RAM_LOW_MAX ? ram_size : MACHINE_RAM_LOW_MAX;
}

/* Where the guest's last RAM ends. */
static inline uint64_t machine_ram_end(uint64_t ram_size)
{
	uint64_t low = machine_ram_low(ram_size);

	return ram_size == low ? low : MACHINE_4G + (ram_size - low);
}

/*
 * The offset of gpa among so much RAM, whose parts follow each other; ram_size where there is none.
 */
static inline uint64_t machine_ram_offset(uint64_t ram_size, uint64_t gpa)
{
	uint64_t low = machine_ram_low(ram_size);

	if (gpa < low)
		return gpa;
	if (gpa >= MACHINE_4G && gpa < machine_ram_end(ram_size))
		return low + (gpa - MACHINE_4G);
	return ram_size;
}

/* Where the guest's addresses end, flash among them. */
static inline uint64_t machine_guest_end(uint64_t ram_size)
{
	uint64_t end = machine_ram_end(ram_size);

	return end < MACHINE_4G ? MACHINE_4G : end;
}

/*
 * Where in the hypervisor's memory the page of gPA 0 is while devices may reach it; others follow
 * by their addresses. Before it the hypervisor's tables take less than 1/8 of the space that they
 * map.
 */
static inline uint64_t machine_shown_offset(uint64_t ram_size)
{
	uint64_t tables = (32ull << 20) + machine_guest_end(ram_size) / 8;

	return (MACHINE_PAGES_OFFSET + tables + (2ull << 20) - 1) & ~((2ull << 20) - 1);
}

/* The size of the hypervisor's memory. */
static inline uint64_t machine_hv_size(uint64_t ram_size)
{
	return machine_shown_offset(ram_size) + machine_guest_end(ram_size);
}

#endif
