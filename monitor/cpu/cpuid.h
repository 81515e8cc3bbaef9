/* SPDX-License-Identifier: MIT */
/* CPUID as the AMD-SP checked it at launch: never the instruction, which is the host's word. */
#ifndef SOCLE_MONITOR_CPU_CPUID_H
#define SOCLE_MONITOR_CPU_CPUID_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/snp.h"

struct cpuid_result {
	uint32_t eax, ebx, ecx, edx;
};

/* Names the page. False when its count is nonsense. */
bool cpuid_init(const struct snp_cpuid_page *page);

/* The leaf as the page has it, for XCR0 = 1 and XSS = 0; zeros when it is not there. */
struct cpuid_result cpuid_query(uint32_t leaf, uint32_t subleaf);

/*
 * What a service sees: without XSAVE and all that needs it, for the monitor switches x87 and SSE
 * state only, and with the APIC id of the vCPU.
 */
struct cpuid_result cpuid_for_service(uint32_t leaf, uint32_t subleaf, uint32_t apic_id);

#endif
