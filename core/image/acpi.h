/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables of a small PC (ACPI specification 6.5, chapter 5): a whole set that images measure,
 * RSDP, XSDT, FADT, FACS, MADT, DSDT, and single ones that a loader writes to parameters. Power
 * management is a PC's fixed hardware, already in ACPI mode: PM1 events at port 0x600, PM1 control
 * at 0x604, the PM timer at 0x608, SCI 9.
 */
#ifndef SOCLE_CORE_IMAGE_ACPI_H
#define SOCLE_CORE_IMAGE_ACPI_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/params.h"
#include "abi/types.h"
#include "core/base/bytes.h"

#define ACPI_CPUS_MAX 64u
#define ACPI_TABLES_SIZE (2 * ABI_PAGE_SIZE) /* the FACS, which is last, has its own page */
#define ACPI_FACS_OFFSET ABI_PAGE_SIZE

/*
 * Writes the tables for cpu_count processors, APIC ids 0 and up, as they lie at gpa (page-aligned,
 * below 4 GiB). The RSDP is at gpa itself; the page at ACPI_FACS_OFFSET is NVS memory.
 */
void acpi_build(uint8_t tables[ACPI_TABLES_SIZE], uint64_t gpa, uint32_t cpu_count);

/*
 * One table each, appended to w, which is bad afterwards when there was no room. Processors have
 * the APIC ids 0 and up, and there is one locality.
 */
void acpi_madt(struct bytes_writer *w, uint32_t cpu_count);
void acpi_srat(struct bytes_writer *w, uint32_t cpu_count, const struct socle_range *ram,
	       uint32_t ram_count);
void acpi_slit(struct bytes_writer *w);
void acpi_pptt(struct bytes_writer *w, uint32_t cpu_count);

#endif
