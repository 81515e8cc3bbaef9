/* SPDX-License-Identifier: MIT */
#include "monitor/cpu/cpuid.h"

#include <stddef.h>

#define LEAF_FEATURES 0x1u
#define LEAF_EXTENDED_FEATURES 0x7u
#define LEAF_TOPOLOGY 0xbu
#define LEAF_XSAVE 0xdu
#define LEAF_AMD_FEATURES 0x80000001u
#define LEAF_AMD_TOPOLOGY 0x8000001eu

/* Leaf 1 ECX: FMA, XSAVE, OSXSAVE, AVX, F16C, MONITOR. */
#define FEATURES_ECX_HIDDEN (1u << 3 | 1u << 12 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 29)
/* Leaf 7 EBX: FSGSBASE, AVX2, INVPCID and every AVX-512 bit; RDSEED, ADX, SHA and the like stay. */
#define EXTENDED_EBX_HIDDEN \
	(1u << 0 | 1u << 5 | 1u << 10 | 0x3u << 16 | 1u << 21 | 0x7u << 26 | 0x3u << 30)
/* Leaf 7 ECX: VBMI, PKU, OSPKE, VBMI2, VAES, VPCLMULQDQ, VNNI, BITALG, VPOPCNTDQ, RDPID. */
#define EXTENDED_ECX_HIDDEN                                                                 \
	(1u << 1 | 1u << 3 | 1u << 4 | 1u << 6 | 1u << 9 | 1u << 10 | 1u << 11 | 1u << 12 | \
	 1u << 14 | 1u << 22)
/* Leaf 80000001 ECX: SVM, XOP, LWP, FMA4. */
#define AMD_ECX_HIDDEN (1u << 2 | 1u << 11 | 1u << 15 | 1u << 16)
#define APIC_ID_SHIFT 24

static const struct snp_cpuid_page *cpuid_page;

bool cpuid_init(const struct snp_cpuid_page *page)
{
	cpuid_page = page;
	return page->count && page->count <= SNP_CPUID_MAX_ENTRIES;
}

/* Only these leaves look at ECX; the page's entries of others say 0 there. */
static bool has_subleaves(uint32_t leaf)
{
	switch (leaf) {
	case 0x4:
	case LEAF_EXTENDED_FEATURES:
	case LEAF_TOPOLOGY:
	case LEAF_XSAVE:
	case 0xf:
	case 0x10:
	case 0x8000001d:
	case 0x80000020:
	case 0x80000026:
		return true;
	default:
		return false;
	}
}

static bool matches(const struct snp_cpuid_entry *entry, uint32_t leaf, uint32_t subleaf)
{
	if (entry->eax_in != leaf || (has_subleaves(leaf) && entry->ecx_in != subleaf))
		return false;
	return leaf != LEAF_XSAVE || subleaf > 1 || (entry->xcr0_in <= 1 && entry->xss_in == 0);
}

struct cpuid_result cpuid_query(uint32_t leaf, uint32_t subleaf)
{
	for (uint32_t i = 0; cpuid_page && i < cpuid_page->count; i++) {
		const struct snp_cpuid_entry *entry = &cpuid_page->entries[i];

		if (matches(entry, leaf, subleaf))
			return (struct cpuid_result){ entry->eax, entry->ebx, entry->ecx,
						      entry->edx };
	}
	return (struct cpuid_result){ 0 };
}

struct cpuid_result cpuid_for_service(uint32_t leaf, uint32_t subleaf, uint32_t apic_id)
{
	struct cpuid_result result = cpuid_query(leaf, subleaf);

	switch (leaf) {
	case LEAF_FEATURES:
		result.ecx &= ~FEATURES_ECX_HIDDEN;
		result.ebx = (result.ebx & ~(0xffu << APIC_ID_SHIFT)) | apic_id << APIC_ID_SHIFT;
		break;
	case LEAF_EXTENDED_FEATURES:
		result.ebx &= ~EXTENDED_EBX_HIDDEN;
		result.ecx &= ~EXTENDED_ECX_HIDDEN;
		result.edx = 0;
		if (subleaf)
			result = (struct cpuid_result){ 0 };
		break;
	case LEAF_TOPOLOGY:
		result.edx = apic_id;
		break;
	case LEAF_XSAVE:
		result = (struct cpuid_result){ 0 };
		break;
	case LEAF_AMD_FEATURES:
		result.ecx &= ~AMD_ECX_HIDDEN;
		break;
	case LEAF_AMD_TOPOLOGY:
		result.eax = apic_id;
		break;
	default:
		break;
	}
	return result;
}
