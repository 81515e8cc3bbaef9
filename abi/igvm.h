/* SPDX-License-Identifier: MIT */
/*
 * Independent Guest Virtual Machine file format, versions 1 and 2. Structures of the igvm_defs
 * crate's documentation (microsoft/igvm, 0.5.0). A variable header is {type, length}, then its
 * content, padded to 8 bytes.
 */
#ifndef SOCLE_ABI_IGVM_H
#define SOCLE_ABI_IGVM_H

#include "abi/types.h"

#define IGVM_MAGIC 0x4d564749u /* "IGVM" */
#define IGVM_FORMAT_V1 1u
#define IGVM_FORMAT_V2 2u
#define IGVM_ARCHITECTURE_X64 0u

struct igvm_fixed_header {
	uint32_t magic;
	uint32_t format_version;
	uint32_t variable_header_offset;
	uint32_t variable_header_size;
	uint32_t total_file_size;
	uint32_t checksum; /* CRC-32 over fixed and variable headers, with this field 0 */
};
ABI_SIZE(struct igvm_fixed_header, 24);

/* Version 2 has these behind them, and its headers begin after both. */
struct igvm_fixed_header_v2 {
	struct igvm_fixed_header v1;
	uint32_t architecture;
	uint32_t page_size;
};
ABI_SIZE(struct igvm_fixed_header_v2, 32);

struct igvm_variable_header {
	uint32_t type;
	uint32_t length;
};
ABI_SIZE(struct igvm_variable_header, 8);

/* Sections, in the order in which they must come: 0x001-0x100, 0x101-0x200, 0x301-0x400. */
#define IGVM_TYPE_SUPPORTED_PLATFORM 0x001u
#define IGVM_TYPE_GUEST_POLICY 0x101u
#define IGVM_TYPE_RELOCATABLE_REGION 0x102u
#define IGVM_TYPE_PAGE_TABLE_RELOCATION 0x103u
#define IGVM_TYPE_CORIM_DOCUMENT 0x104u
#define IGVM_TYPE_CORIM_SIGNATURE 0x105u
#define IGVM_TYPE_CCA_POLICY 0x106u
#define IGVM_TYPE_VERSION_STRING 0x107u
#define IGVM_TYPE_PARAMETER_AREA 0x301u
#define IGVM_TYPE_PAGE_DATA 0x302u
#define IGVM_TYPE_PARAMETER_INSERT 0x303u
#define IGVM_TYPE_VP_CONTEXT 0x304u
#define IGVM_TYPE_REQUIRED_MEMORY 0x305u
#define IGVM_TYPE_VP_COUNT_PARAMETER 0x307u
#define IGVM_TYPE_SRAT 0x308u
#define IGVM_TYPE_MADT 0x309u
#define IGVM_TYPE_MMIO_RANGES 0x30au
#define IGVM_TYPE_SNP_ID_BLOCK 0x30bu
#define IGVM_TYPE_MEMORY_MAP 0x30cu
#define IGVM_TYPE_ERROR_RANGE 0x30du
#define IGVM_TYPE_COMMAND_LINE 0x30eu
#define IGVM_TYPE_SLIT 0x30fu
#define IGVM_TYPE_PPTT 0x310u
#define IGVM_TYPE_VBS_MEASUREMENT 0x311u
#define IGVM_TYPE_DEVICE_TREE 0x312u
#define IGVM_TYPE_ENVIRONMENT_INFO 0x313u
#define IGVM_TYPE_IGNORABLE (1u << 31) /* for a loader that does not know the type */

#define IGVM_PLATFORM_NATIVE 0u
#define IGVM_PLATFORM_VSM_ISOLATION 1u
#define IGVM_PLATFORM_SEV_SNP 2u
#define IGVM_PLATFORM_TDX 3u
#define IGVM_PLATFORM_SEV 4u
#define IGVM_PLATFORM_SEV_ES 5u
#define IGVM_PLATFORM_CCA 6u

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

/* A loader may load the region elsewhere, all of it by the same amount. */
struct igvm_relocatable_region {
	uint32_t compatibility_mask;
	uint16_t vp_index;
	uint8_t vtl;
	uint8_t flags;
	uint64_t alignment;
	uint64_t gpa;
	uint64_t size;
	uint64_t minimum_gpa;
	uint64_t maximum_gpa;
};
ABI_SIZE(struct igvm_relocatable_region, 48);
#define IGVM_RELOCATABLE_FLAGS_KNOWN 7u /* is VTL2, apply to RIP, apply to GDTR */

struct igvm_page_table_relocation {
	uint32_t compatibility_mask;
	uint16_t vp_index;
	uint8_t vtl;
	uint8_t reserved;
	uint64_t gpa;
	uint64_t size;
	uint64_t used_size;
};
ABI_SIZE(struct igvm_page_table_relocation, 32);

struct igvm_corim {
	uint32_t compatibility_mask;
	uint32_t file_offset;
	uint32_t size;
	uint32_t reserved;
};
ABI_SIZE(struct igvm_corim, 16);

struct igvm_cca_policy {
	uint32_t compatibility_mask;
	uint32_t reserved_04;
	uint64_t required_zeros, required_ones;
	uint8_t hash_algorithm, lfa_policy;
	uint8_t reserved_1a[6];
};
ABI_SIZE(struct igvm_cca_policy, 32);

/* Memory that parameters are written to until PARAMETER_INSERT puts it into the guest. */
struct igvm_parameter_area {
	uint64_t number_of_bytes;
	uint32_t index;
	uint32_t file_offset; /* of its first contents; 0: zeros */
};
ABI_SIZE(struct igvm_parameter_area, 16);

struct igvm_parameter_insert {
	uint64_t gpa;
	uint32_t compatibility_mask;
	uint32_t area_index;
};
ABI_SIZE(struct igvm_parameter_insert, 16);

/* Any of the parameters: where the loader writes it. */
struct igvm_parameter {
	uint32_t area_index;
	uint32_t byte_offset;
};
ABI_SIZE(struct igvm_parameter, 8);

/* Of MEMORY_MAP: sorted entries, and one of no pages at the end. */
struct igvm_memory_map_entry {
	uint64_t first_page;
	uint64_t pages;
	uint16_t type;
	uint16_t flags;
	uint32_t reserved;
};
ABI_SIZE(struct igvm_memory_map_entry, 24);
#define IGVM_MEMORY_RAM 0u
#define IGVM_MEMORY_RESERVED 1u
#define IGVM_MEMORY_PERSISTENT 2u

/* Of MMIO_RANGES: two of them. */
struct igvm_memory_range {
	uint64_t first_page;
	uint64_t pages;
};
ABI_SIZE(struct igvm_memory_range, 16);
#define IGVM_MMIO_RANGES 2u

#define IGVM_ENVIRONMENT_MEMORY_IS_SHARED (1u << 0)

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
#define IGVM_REQUIRED_VTL2_PROTECTABLE (1u << 0)

/* Memory that is shared with the host from the start. */
struct igvm_error_range {
	uint64_t gpa;
	uint32_t compatibility_mask;
	uint32_t size;
};
ABI_SIZE(struct igvm_error_range, 16);

struct igvm_signature {
	uint8_t r[72], s[72]; /* little-endian */
};
ABI_SIZE(struct igvm_signature, 144);

struct igvm_public_key {
	uint32_t curve;
	uint32_t reserved;
	uint8_t qx[72], qy[72]; /* little-endian */
};
ABI_SIZE(struct igvm_public_key, 152);

struct igvm_snp_id_block {
	uint32_t compatibility_mask;
	uint8_t author_key_enabled;
	uint8_t reserved[3];
	uint8_t launch_digest[48];
	uint8_t family_id[16], image_id[16];
	uint32_t version;
	uint32_t guest_svn;
	uint32_t id_key_algorithm;
	uint32_t author_key_algorithm;
	struct igvm_signature id_key_signature;
	struct igvm_public_key id_key;
	struct igvm_signature author_key_signature;
	struct igvm_public_key author_key;
};
ABI_SIZE(struct igvm_snp_id_block, 696);
ABI_OFFSET(struct igvm_snp_id_block, id_key_signature, 104);
ABI_OFFSET(struct igvm_snp_id_block, author_key, 544);

struct igvm_vbs_measurement {
	uint32_t compatibility_mask;
	uint32_t version, product_id, module_id, security_version;
	uint32_t policy_flags, digest_algorithm, signing_algorithm;
	uint8_t digest[64];
	uint8_t signature[256];
	uint8_t public_key[512];
};
ABI_SIZE(struct igvm_vbs_measurement, 864);

#endif
