/* SPDX-License-Identifier: MIT */
/*
 * What assembly of this folder knows, as preprocessor constants; main.c and preempt.c check them
 * against abi/.
 */
#ifndef SOCLE_MONITOR_BOOT_BOOT_H
#define SOCLE_MONITOR_BOOT_BOOT_H

#define PARAMS_TABLES 0x38
#define PARAMS_TABLES_SIZE 0x40
#define PARAMS_CPUID_PAGE 0x68
#define CPUID_ENTRIES_MAX 64
#define CPUID_FIRST_ENTRY 16
#define CPUID_ENTRY_SIZE 48
#define CPUID_ENTRY_EBX 0x1c
#define CPUID_LEAF_SEV 0x8000001f
#define MSR_EFER_NUMBER 0xc0000080
#define MSR_GHCB_NUMBER 0xc0010130
#define EFER_LME_NXE 0x900
#define CR4_PAE_BIT 0x20
#define CR0_LONG_MODE 0x80010033 /* PG WP NE ET MP PE */
#define TERMINATE_NO_SNP 0x20100 /* set 0, code 2 */
#define BOOT_STACK_SIZE 8192
#define GHCB_RUN_VMPL0 0x016
#define COUNTING_TURNS 0x20000000

#endif
