/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Messages between a guest and the AMD Secure Processor, and the attestation report.
 * SEV-SNP Firmware ABI (56860): guest messages chapter; ATTESTATION_REPORT structure.
 */
#ifndef SOCLE_ABI_PSP_H
#define SOCLE_ABI_PSP_H

#include "abi/types.h"

#define PSP_MSG_HEADER_SIZE 0x60u
#define PSP_MSG_AAD_OFFSET 0x30u /* the additional authenticated data are bytes 0x30..0x5f */
#define PSP_MSG_PAYLOAD_MAX (ABI_PAGE_SIZE - PSP_MSG_HEADER_SIZE)
#define PSP_MSG_ALGO_AES_256_GCM 1u
#define PSP_MSG_HEADER_VERSION 1u
#define PSP_MSG_VERSION 1u
#define PSP_MSG_REPORT_REQ 5u
#define PSP_MSG_REPORT_RSP 6u
#define PSP_MSG_TSC_INFO_REQ 17u
#define PSP_MSG_TSC_INFO_RSP 18u

/* The IV is seqno, little-endian, followed by four zero bytes. */
struct psp_msg_header {
	uint8_t authtag[32]; /* the first 16 bytes are used */
	uint64_t seqno;
	uint8_t reserved_028[8];
	uint8_t algo;
	uint8_t header_version;
	uint16_t header_size;
	uint8_t type;
	uint8_t version;
	uint16_t size; /* payload bytes */
	uint32_t reserved_038;
	uint8_t vmpck;
	uint8_t reserved_03d[35];
};
ABI_SIZE(struct psp_msg_header, PSP_MSG_HEADER_SIZE);
ABI_OFFSET(struct psp_msg_header, seqno, 0x20);
ABI_OFFSET(struct psp_msg_header, algo, PSP_MSG_AAD_OFFSET);
ABI_OFFSET(struct psp_msg_header, vmpck, 0x3c);

#define PSP_REPORT_DATA_SIZE 64u

struct psp_report_req {
	uint8_t report_data[PSP_REPORT_DATA_SIZE];
	uint32_t vmpl;
	uint32_t flags; /* 1:0 key: 0 VLEK if installed, else VCEK; 1 VCEK; 2 VLEK */
	uint8_t reserved[24];
};
ABI_SIZE(struct psp_report_req, 0x60);

#define PSP_REPORT_VERSION_MIN 2u
#define PSP_REPORT_SIGNED_SIZE 0x2a0u
#define PSP_REPORT_SIG_ALGO_ECDSA_P384_SHA384 1u
#define PSP_KEY_INFO_AUTHOR_KEY_EN (1u << 0)
#define PSP_KEY_INFO_MASK_CHIP_KEY (1u << 1) /* the host had reports not signed */
#define PSP_MEASUREMENT_SIZE 48u
#define PSP_CHIP_ID_SIZE 64u
#define PSP_SIG_COMPONENT_SIZE 72u

struct psp_report {
	uint32_t version;
	uint32_t guest_svn;
	uint64_t policy;
	uint8_t family_id[16];
	uint8_t image_id[16];
	uint32_t vmpl;
	uint32_t signature_algo;
	uint64_t current_tcb;
	uint64_t platform_info;
	uint32_t key_info; /* PSP_KEY_INFO_*, 4:2 SIGNING_KEY */
	uint32_t reserved_04c;
	uint8_t report_data[PSP_REPORT_DATA_SIZE];
	uint8_t measurement[PSP_MEASUREMENT_SIZE];
	uint8_t host_data[32];
	uint8_t id_key_digest[48];
	uint8_t author_key_digest[48];
	uint8_t report_id[32];
	uint8_t report_id_ma[32];
	uint64_t reported_tcb;
	uint8_t cpuid_family, cpuid_model, cpuid_stepping; /* version 3 and later */
	uint8_t reserved_18b[21];
	uint8_t chip_id[PSP_CHIP_ID_SIZE];
	uint64_t committed_tcb;
	uint8_t current_build, current_minor, current_major, reserved_1eb;
	uint8_t committed_build, committed_minor, committed_major, reserved_1ef;
	uint64_t launch_tcb;
	uint64_t launch_mit_vector, current_mit_vector; /* version 5 */
	uint8_t reserved_208[0x2a0 - 0x208];
	uint8_t signature_r[PSP_SIG_COMPONENT_SIZE]; /* little-endian */
	uint8_t signature_s[PSP_SIG_COMPONENT_SIZE];
	uint8_t reserved_330[0x4a0 - 0x330];
};
ABI_SIZE(struct psp_report, 0x4a0);
ABI_OFFSET(struct psp_report, vmpl, 0x30);
ABI_OFFSET(struct psp_report, report_data, 0x50);
ABI_OFFSET(struct psp_report, measurement, 0x90);
ABI_OFFSET(struct psp_report, reported_tcb, 0x180);
ABI_OFFSET(struct psp_report, chip_id, 0x1a0);
ABI_OFFSET(struct psp_report, launch_tcb, 0x1f0);
ABI_OFFSET(struct psp_report, signature_r, PSP_REPORT_SIGNED_SIZE);

#define PSP_STATUS_OK 0u
#define PSP_STATUS_INVALID_PARAMETER 0x16u
#define PSP_STATUS_INVALID_KEY 0x27u

struct psp_report_rsp {
	uint32_t status;
	uint32_t size;
	uint8_t reserved_008[24];
	struct psp_report report;
};
ABI_SIZE(struct psp_report_rsp, 0x20 + 0x4a0);

/* MSG_TSC_INFO_REQ has nothing but reserved bytes. */
struct psp_tsc_info_req {
	uint8_t reserved[128];
};
ABI_SIZE(struct psp_tsc_info_req, 0x80);

struct psp_tsc_info_rsp {
	uint32_t status;
	uint32_t reserved_004;
	uint64_t tsc_scale; /* for VMSAs that the guest makes, 8.32 bits */
	uint64_t tsc_offset;
	/* Hundred-thousandths that the mean frequency is below GUEST_TSC_FREQ. */
	uint32_t tsc_factor;
	uint8_t reserved_01c[100];
};
ABI_SIZE(struct psp_tsc_info_rsp, 0x80);
ABI_OFFSET(struct psp_tsc_info_rsp, tsc_scale, 0x8);
ABI_OFFSET(struct psp_tsc_info_rsp, tsc_factor, 0x18);

#define PSP_ID_BLOCK_VERSION 1u
#define PSP_KEY_ALGO_ECDSA_P384_SHA384 1u
#define PSP_CURVE_P384 2u

/* What the ID key signs (SNP_LAUNCH_FINISH, ID_BLOCK_PADDR). */
struct psp_id_block {
	uint8_t launch_digest[PSP_MEASUREMENT_SIZE];
	uint8_t family_id[16], image_id[16];
	uint32_t version;
	uint32_t guest_svn;
	uint64_t policy;
};
ABI_SIZE(struct psp_id_block, 0x60);
ABI_OFFSET(struct psp_id_block, version, 0x50);
ABI_OFFSET(struct psp_id_block, policy, 0x58);

struct psp_signature {
	uint8_t r[PSP_SIG_COMPONENT_SIZE], s[PSP_SIG_COMPONENT_SIZE]; /* little-endian */
	uint8_t reserved_090[0x200 - 0x90];
};
ABI_SIZE(struct psp_signature, 0x200);

/* What the author key signs, and what digests of keys are over. */
struct psp_public_key {
	uint32_t curve;
	uint8_t qx[PSP_SIG_COMPONENT_SIZE], qy[PSP_SIG_COMPONENT_SIZE]; /* little-endian */
	uint8_t reserved_094[0x404 - 0x94];
} __attribute__((packed));
ABI_SIZE(struct psp_public_key, 0x404);

/* The ID authentication information (ID_AUTH_PADDR). */
struct psp_id_auth {
	uint32_t id_key_algo;
	uint32_t author_key_algo;
	uint8_t reserved_008[0x40 - 0x8];
	struct psp_signature id_block_signature;
	struct psp_public_key id_key;
	uint8_t reserved_644[0x680 - 0x644];
	struct psp_signature id_key_signature;
	struct psp_public_key author_key;
	uint8_t reserved_c84[0x1000 - 0xc84];
};
ABI_SIZE(struct psp_id_auth, 0x1000);
ABI_OFFSET(struct psp_id_auth, id_block_signature, 0x40);
ABI_OFFSET(struct psp_id_auth, id_key, 0x240);
ABI_OFFSET(struct psp_id_auth, id_key_signature, 0x680);
ABI_OFFSET(struct psp_id_auth, author_key, 0x880);

/* Guest policy (SNP_LAUNCH_START); bits 15:0 are the least firmware ABI, major and minor. */
#define PSP_POLICY_SMT (1ull << 16)
#define PSP_POLICY_RESERVED_ONE (1ull << 17)
#define PSP_POLICY_MIGRATE_MA (1ull << 18)
#define PSP_POLICY_DEBUG (1ull << 19)
#define PSP_POLICY_SINGLE_SOCKET (1ull << 20)
#define PSP_POLICY_CXL_ALLOW (1ull << 21)
#define PSP_POLICY_MEM_AES_256_XTS (1ull << 22)
#define PSP_POLICY_RAPL_DIS (1ull << 23)
#define PSP_POLICY_CIPHERTEXT_HIDING (1ull << 24)
#define PSP_POLICY_PAGE_SWAP_DISABLE (1ull << 25)

/* GHCB exit_info_2 bits 63:32 of a guest request: the host's own errors. */
#define PSP_VMM_ERR_INVALID_LEN 1u
#define PSP_VMM_ERR_BUSY 2u

/* What a page of the launch is (SNP_LAUNCH_UPDATE). All are assigned and validated. */
enum psp_page_type {
	PSP_PAGE_TYPE_NONE = 0, /* no page of the launch; the AMD-SP knows no such type */
	PSP_PAGE_TYPE_NORMAL = 1,
	PSP_PAGE_TYPE_VMSA = 2,
	PSP_PAGE_TYPE_ZERO = 3,
	PSP_PAGE_TYPE_UNMEASURED = 4,
	PSP_PAGE_TYPE_SECRETS = 5,
	PSP_PAGE_TYPE_CPUID = 6,
};

/* PAGE_INFO, hashed once for each page of the launch. */
struct psp_page_info {
	uint8_t digest_cur[48];
	uint8_t contents[48];
	uint16_t length;
	uint8_t page_type;
	uint8_t imi_page;
	uint8_t reserved;
	uint8_t vmpl1_perms, vmpl2_perms, vmpl3_perms;
	uint64_t gpa;
};
ABI_SIZE(struct psp_page_info, 0x70);
ABI_OFFSET(struct psp_page_info, length, 0x60);
ABI_OFFSET(struct psp_page_info, gpa, 0x68);

/*
 * Certificate table of an extended guest request (GHCB specification, section 4.1.8.1). The bytes
 * of a GUID are in the order of its text, as tables of hosts have them, and those of go-sev-guest
 * and virtee's sev; not as UEFI stores a GUID.
 */
struct psp_cert_entry {
	struct abi_guid guid;
	uint32_t offset;
	uint32_t length;
};
ABI_SIZE(struct psp_cert_entry, 24);

/* 63da758d-e664-4564-adc5-f4b93be8accd */
#define PSP_GUID_VCEK                                                                           \
	{                                                                                       \
		{                                                                               \
			0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, \
				0x3b, 0xe8, 0xac, 0xcd                                          \
		}                                                                               \
	}
/* a8074bc2-a25a-483e-aae6-39c045a0b8a1 */
#define PSP_GUID_VLEK                                                                           \
	{                                                                                       \
		{                                                                               \
			0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0, \
				0x45, 0xa0, 0xb8, 0xa1                                          \
		}                                                                               \
	}
/* 4ab7b379-bbac-4fe4-a02f-05aef327c782, of the ASK or the ASVK */
#define PSP_GUID_ASK                                                                            \
	{                                                                                       \
		{                                                                               \
			0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, \
				0xf3, 0x27, 0xc7, 0x82                                          \
		}                                                                               \
	}
/* c0b406a4-a803-4952-9743-3fb6014cd0ae */
#define PSP_GUID_ARK                                                                            \
	{                                                                                       \
		{                                                                               \
			0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, \
				0x01, 0x4c, 0xd0, 0xae                                          \
		}                                                                               \
	}

#endif
