/* SPDX-License-Identifier: MIT */
/*
 * What QEMU tells by fw_cfg about its own machine, changed into what is true of the guest's: one
 * processor less, and no memory but the guest's. The bytes are QEMU's, and are checked all the
 * same.
 */
#ifndef SOCLE_MACHINE_HV_DEVICE_FW_CFG_TABLES_H
#define SOCLE_MACHINE_HV_DEVICE_FW_CFG_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/types.h"

#define FW_CFG_NAME_SIZE 56u

/* An entry of the directory; numbers are big-endian, and the name ends with a 0. */
struct fw_cfg_file {
	uint32_t size;
	uint16_t key, reserved;
	char name[FW_CFG_NAME_SIZE];
};
ABI_SIZE(struct fw_cfg_file, 64);

/* A command of etc/table-loader (QEMU, hw/acpi/bios-linker-loader.c). */
struct fw_cfg_loader_command {
	uint32_t command;
	union {
		uint8_t content[124];
		struct {
			char file[FW_CFG_NAME_SIZE];
			uint32_t offset, start, length;
		} checksum; /* FW_CFG_LOADER_ADD_CHECKSUM */
		struct {
			char to[FW_CFG_NAME_SIZE], from[FW_CFG_NAME_SIZE];
			uint32_t offset;
			uint8_t size;
		} pointer; /* FW_CFG_LOADER_ADD_POINTER */
	};
};
ABI_SIZE(struct fw_cfg_loader_command, 128);
#define FW_CFG_LOADER_NOTHING 0u
#define FW_CFG_LOADER_ADD_POINTER 2u
#define FW_CFG_LOADER_ADD_CHECKSUM 3u

/*
 * Finds a file in a directory of size bytes, a big-endian count and entries. False: it is not
 * there.
 */
bool fw_cfg_find(const uint8_t *directory, size_t size, const char *name, struct fw_cfg_file *file);

/* Takes files out of a directory: those whose names begin so. The bytes that get free are 0. */
void fw_cfg_hide(uint8_t *directory, size_t size, const char *prefix);

/*
 * Takes out of ACPI's tables processors whose APIC id is cpu_count or more (MADT and SRAT), and
 * memory that may be plugged in (SRAT). A table that gets shorter leaves zeros behind; loader, a
 * list of commands, learns the new lengths.
 */
void fw_cfg_patch_acpi(uint8_t *tables, size_t size, uint8_t *loader, size_t loader_size,
		       unsigned int cpu_count);

/*
 * Takes the table of that signature out of ACPI's, and out of the list of tables that has it: the
 * last table of the list gets its place there, and loader has NOTHING in the place of the commands
 * that are void.
 */
void fw_cfg_drop_acpi(uint8_t *tables, size_t size, uint8_t *loader, size_t loader_size,
		      const char *signature);

/* Sets the number of processors of the sockets in SMBIOS tables (DSP0134, type 4). */
void fw_cfg_patch_smbios(uint8_t *tables, size_t size, unsigned int cpu_count);

#endif
