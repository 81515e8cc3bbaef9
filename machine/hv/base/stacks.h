/* SPDX-License-Identifier: MIT */
/* The stacks of the CPUs, for run/entry.S, which enters on them, and base/cpu.c. */
#ifndef SOCLE_MACHINE_HV_BASE_STACKS_H
#define SOCLE_MACHINE_HV_BASE_STACKS_H

#define HV_CPUS_MAX 9	  /* with the boot CPU */
#define HV_STACK_SHIFT 15 /* 32 KiB for each CPU */

#endif
