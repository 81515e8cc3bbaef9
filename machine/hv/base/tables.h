/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own page tables and segment descriptors, in its RAM. It starts with those of the
 * ROM, over which a guest's PCI device can be laid.
 */
#ifndef SOCLE_MACHINE_HV_BASE_TABLES_H
#define SOCLE_MACHINE_HV_BASE_TABLES_H

/* Makes them. Once, on the boot CPU, before other CPUs start. */
void tables_init(void);

/* Has this CPU use them. */
void tables_load(void);

#endif
