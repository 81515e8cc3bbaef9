/* SPDX-License-Identifier: MIT */
/* The PCI host bridge of a q35, in AML, for the DSDT of images. Only acpi.c includes it. */
#ifndef SOCLE_CORE_IMAGE_ACPI_PCI_H
#define SOCLE_CORE_IMAGE_ACPI_PCI_H

#include "core/base/bytes.h"

/* Room for the length of a package of AML, which acpi_aml_end() writes. Returns where it is. */
size_t acpi_aml_begin(struct bytes_writer *w);
void acpi_aml_end(struct bytes_writer *w, size_t begin);

/*
 * Appends Device (PCI0): bus 0 to 255 by the configuration ports, all other ports, memory from 3
 * GiB to 3.5 GiB, where no machine of ours has RAM, and the pins of the IOAPIC that its interrupts
 * go to.
 */
void acpi_pci(struct bytes_writer *w);

#endif
