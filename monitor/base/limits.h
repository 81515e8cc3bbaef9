/* SPDX-License-Identifier: MIT */
#ifndef SOCLE_MONITOR_BASE_LIMITS_H
#define SOCLE_MONITOR_BASE_LIMITS_H

/* vCPUs that the monitor has room for: per-CPU blocks, locks held, registry. */
#define MONITOR_CPUS_MAX 64u

#define BOOT_CPU 0u /* the vCPU that starts the others, by index and APIC id */

#endif
