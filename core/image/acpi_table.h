/* SPDX-License-Identifier: MIT */
/* What the files that write ACPI tables share. Nobody else includes it. */
#ifndef SOCLE_CORE_IMAGE_ACPI_TABLE_H
#define SOCLE_CORE_IMAGE_ACPI_TABLE_H

#include "abi/types.h"
#include "core/base/bytes.h"

#define ACPI_LAPIC_ADDRESS 0xfee00000u
#define ACPI_IOAPIC_ADDRESS 0xfec00000u
#define ACPI_SCI_IRQ 9u
#define ACPI_OEM_ID "SOCLE "

/* The header of every table but RSDP and FACS (ACPI specification 6.5, 5.2.6). */
struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
};
ABI_SIZE(struct acpi_header, 36);

/* A header whose length and checksum acpi_seal() writes. */
struct acpi_header acpi_header(const char *signature, uint8_t revision);

/* What makes the sum of size bytes 0. */
uint8_t acpi_checksum(const void *table, size_t size);

/* Ends the table that w holds from start: its length and checksum. */
void acpi_seal(struct bytes_writer *w, size_t start);

#endif
