/* SPDX-License-Identifier: MIT */
/*
 * Independent Guest Virtual Machine file format, version 1. Structures of the igvm_defs crate's
 * documentation (microsoft/igvm). A variable header is {type, length}, then its content, padded
 * to 8 bytes.
 */
#ifndef SOCLE_ABI_IGVM_H
#define SOCLE_ABI_IGVM_H

#include "abi/types.h"

#define IGVM_MAGIC 0x4d564749u /* "IGVM" */
#define IGVM_FORMAT_V1 1u

struct igvm_fixed_header {
	uint32_t magic;
	uint32_t format_version;
	uint32_t variable_header_offset;
	uint32_t variable_header_size;
	uint32_t total_file_size;
	uint32_t checksum; /* CRC-32 over fixed and variable headers, with this field 0 */
};
ABI_SIZE(struct igvm_fixed_header, 24);

struct igvm_variable_header {
	uint32_t type;
	uint32_t length;
};
ABI_SIZE(struct igvm_variable_header, 8);

#define IGVM_TYPE_SUPPORTED_PLATFORM 0x001u
#define IGVM_TYPE_GUEST_POLICY 0x101u
#define IGVM_TYPE_PARAMETER_AREA 0x301u
#define IGVM_TYPE_PAGE_DATA 0x302u
#define IGVM_TYPE_PARAMETER_INSERT 0x303u
#define IGVM_TYPE_VP_CONTEXT 0x304u
#define IGVM_TYPE_REQUIRED_MEMORY 0x305u
#define IGVM_TYPE_VP_COUNT_PARAMETER 0x307u
#define IGVM_TYPE_SNP_ID_BLOCK 0x30bu
#define IGVM_TYPE_MEMORY_MAP 0x30cu
#define IGVM_TYPE_IGNORABLE (1u << 31)

#define IGVM_PLATFORM_SEV_SNP 2u

struct igvm_supported_platform {
	uint32_t compatibility_mask;
	uint8_t highest_vtl;
	uint8_t platform_type;
	uint16_t platform_version;
	uint64_t shared_gpa_boundary;
};
ABI_SIZE(struct igvm_supported_platform, 16);

struct igvm_guest_policy {
	uint64_t policy;
	uint32_t compatibility_mask;
	uint32_t reserved;
};
ABI_SIZE(struct igvm_guest_policy, 16);

#define IGVM_PAGE_FLAG_2MB (1u << 0)
#define IGVM_PAGE_FLAG_UNMEASURED (1u << 1)
#define IGVM_PAGE_FLAG_SHARED (1u << 2)
#define IGVM_PAGE_TYPE_NORMAL 0u
#define IGVM_PAGE_TYPE_SECRETS 1u
#define IGVM_PAGE_TYPE_CPUID_DATA 2u
#define IGVM_PAGE_TYPE_CPUID_XF 3u

struct igvm_page_data {
	uint64_t gpa;
	uint32_t compatibility_mask;
	uint32_t file_offset; /* 0: the page is all zeros and the file holds no data for it */
	uint32_t flags;
	uint16_t data_type;
	uint16_t reserved;
};
ABI_SIZE(struct igvm_page_data, 24);

/* Its length is not a multiple of 8: four bytes of padding follow it in the file. */
struct igvm_vp_context {
	uint64_t gpa;
	uint32_t compatibility_mask;
	uint32_t file_offset; /* SEV-SNP: of the VMSA page */
	uint16_t vp_index;
	uint16_t reserved;
} __attribute__((packed, aligned(4)));
ABI_SIZE(struct igvm_vp_context, 20);

struct igvm_required_memory {
	uint64_t gpa;
	uint32_t compatibility_mask;
	uint32_t number_of_bytes;
	uint32_t flags;
	uint32_t reserved;
};
ABI_SIZE(struct igvm_required_memory, 24);

#endif
