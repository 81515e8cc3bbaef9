/* SPDX-License-Identifier: MIT */
/* Bits of control registers and numbers of MSRs (APM volume 2, chapter 3 and appendix A). */
#ifndef SOCLE_MONITOR_BASE_CPU_BITS_H
#define SOCLE_MONITOR_BASE_CPU_BITS_H

#include <stdint.h>

#define CR0_MP (1ull << 1)
#define CR0_PE (1ull << 0)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_PG (1ull << 31)
#define CR4_PAE (1ull << 5)
#define CR4_PGE (1ull << 7)
#define CR4_OSFXSR (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP (1ull << 11)
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)
#define EFER_SCE (1ull << 0)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)
#define EFER_NXE (1ull << 11)

#define MSR_EFER 0xc0000080u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u

/* What LGDT and LIDT read. */
struct cpu_table {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

#endif
