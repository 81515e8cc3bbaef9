/* SPDX-License-Identifier: MIT */
/* Numbers that entry.S and C share. */
#ifndef SOCLE_MACHINE_HV_BASE_STACKS_H
#define SOCLE_MACHINE_HV_BASE_STACKS_H

#define HV_CPUS_MAX 9	  /* with the boot CPU */
#define HV_STACK_SHIFT 15 /* 32 KiB for each CPU */

#endif
