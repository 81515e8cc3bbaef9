/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Calls between a guest and its SVSM. AMD "Secure VM Service Module for SEV-SNP Guests" (58019).
 * A call is RAX = protocol << 32 | call; its result comes back in RAX.
 */
#ifndef SOCLE_ABI_SVSM_H
#define SOCLE_ABI_SVSM_H

#include "abi/types.h"

/* The calling area, one page for each vCPU. */
struct svsm_caa {
	uint8_t call_pending;
	uint8_t mem_available;
	uint8_t no_eoi_required;
	uint8_t reserved[5];
	uint8_t buffer[ABI_PAGE_SIZE - 8];
};
ABI_SIZE(struct svsm_caa, 0x1000);
ABI_OFFSET(struct svsm_caa, buffer, 8);

enum svsm_result {
	SVSM_SUCCESS = 0,
	SVSM_ERR_INCOMPLETE = 0x80000000,
	SVSM_ERR_UNSUPPORTED_PROTOCOL = 0x80000001,
	SVSM_ERR_UNSUPPORTED_CALL = 0x80000002,
	SVSM_ERR_INVALID_ADDRESS = 0x80000003,
	SVSM_ERR_INVALID_FORMAT = 0x80000004,
	SVSM_ERR_INVALID_PARAMETER = 0x80000005,
	SVSM_ERR_INVALID_REQUEST = 0x80000006,
	SVSM_ERR_BUSY = 0x80000007,
	SVSM_ERR_PROTOCOL_BASE = 0x80001000,
};

enum svsm_protocol {
	SVSM_PROTOCOL_CORE = 0,
	SVSM_PROTOCOL_ATTEST = 1,
	SVSM_PROTOCOL_VTPM = 2,
	SVSM_PROTOCOL_APIC = 3,
};

enum svsm_core_call {
	SVSM_CORE_REMAP_CA = 0,
	SVSM_CORE_PVALIDATE = 1,
	SVSM_CORE_CREATE_VCPU = 2,
	SVSM_CORE_DELETE_VCPU = 3,
	SVSM_CORE_DEPOSIT_MEM = 4,
	SVSM_CORE_WITHDRAW_MEM = 5,
	SVSM_CORE_QUERY_PROTOCOL = 6,
	SVSM_CORE_CONFIGURE_VTOM = 7,
};

enum svsm_attest_call {
	SVSM_ATTEST_SERVICES = 0,
	SVSM_ATTEST_SINGLE_SERVICE = 1,
	SVSM_ATTEST_SINGLE_SERVICE_EX = 2, /* docs/spec/create-and-attest.md */
};

enum svsm_vtpm_call {
	SVSM_VTPM_QUERY = 0,
	SVSM_VTPM_CMD = 1,
};

enum svsm_apic_call {
	SVSM_APIC_QUERY_FEATURES = 0,
	SVSM_APIC_CONFIGURE = 1,
	SVSM_APIC_READ_REGISTER = 2,
	SVSM_APIC_WRITE_REGISTER = 3,
	SVSM_APIC_CONFIGURE_VECTOR = 4,
};

/* SVSM_APIC_READ_REGISTER and WRITE_REGISTER: RCX, which is the number of the x2APIC MSR. */
enum svsm_apic_register {
	SVSM_APIC_ID = 0x802,
	SVSM_APIC_TPR = 0x808,
	SVSM_APIC_PPR = 0x80a,
	SVSM_APIC_EOI = 0x80b,
	SVSM_APIC_LDR = 0x80d,
	SVSM_APIC_ISR = 0x810, /* eight of them */
	SVSM_APIC_TMR = 0x818, /* eight */
	SVSM_APIC_IRR = 0x820, /* eight */
	SVSM_APIC_ICR = 0x830,
	SVSM_APIC_SELF_IPI = 0x83f,
};

/* SVSM_APIC_CONFIGURE: RCX. */
enum svsm_apic_configure {
	SVSM_APIC_CONFIGURE_QUERY = 0,
	SVSM_APIC_CONFIGURE_DEREGISTER = 1,
	SVSM_APIC_CONFIGURE_REGISTER = 2,
};

/* SVSM_APIC_CONFIGURE_VECTOR: RCX. */
#define SVSM_APIC_VECTOR_MASK 0xffull
#define SVSM_APIC_VECTOR_ALLOW (1ull << 8)
#define SVSM_APIC_VECTOR_ALL (1ull << 9)
#define SVSM_APIC_VECTOR_RESERVED (~0x3ffull)

/* Protocol-specific results of SVSM_CORE_PVALIDATE: base + EAX of the instruction, and these. */
#define SVSM_ERR_PVALIDATE_FAIL_INPUT (SVSM_ERR_PROTOCOL_BASE + 0x01u)
#define SVSM_ERR_PVALIDATE_SIZEMISMATCH (SVSM_ERR_PROTOCOL_BASE + 0x06u)
#define SVSM_ERR_PVALIDATE_UNCHANGED (SVSM_ERR_PROTOCOL_BASE + 0x10u)
#define SVSM_ERR_PVALIDATE_UNKNOWN (SVSM_ERR_PROTOCOL_BASE + 0x11u)
/*
 * SVSM_CORE_CREATE_VCPU: the host withholds INVLPGB, so old translations of the page may be in use,
 * and it cannot become a VMSA. The page is the guest's again. Linux, which repeats a call for
 * SVSM_ERR_BUSY and SVSM_ERR_INCOMPLETE only, goes on without that CPU.
 */
#define SVSM_ERR_CREATE_VCPU_NOT_FLUSHED (SVSM_ERR_PROTOCOL_BASE + 0x20u)
/* SVSM_CORE_DELETE_VCPU: the vCPU is running. */
#define SVSM_ERR_DELETE_VCPU_IN_USE (SVSM_ERR_PROTOCOL_BASE + 0x03u)

/* SVSM_APIC_CONFIGURE: the last registration is gone. */
#define SVSM_ERR_APIC_CANNOT_REGISTER SVSM_ERR_PROTOCOL_BASE

/*
 * Attestation and vTPM: the service could not do its work; the host keeps the AMD-SP busy. The
 * latter is not SVSM_ERR_BUSY, which Linux would repeat for ever with its interrupts off.
 */
#define SVSM_ERR_SERVICE_FAILED (SVSM_ERR_PROTOCOL_BASE + 0x01u)
#define SVSM_ERR_SERVICE_BUSY (SVSM_ERR_PROTOCOL_BASE + 0x02u)

/* SVSM_CORE_PVALIDATE: a list that lies within one page, entries of 8 bytes follow the header. */
struct svsm_pvalidate_list {
	uint16_t entries;
	uint16_t next;
	uint32_t reserved;
};
ABI_SIZE(struct svsm_pvalidate_list, 8);
#define SVSM_PVALIDATE_SIZE_MASK 0x3ull
#define SVSM_PVALIDATE_VALIDATE (1ull << 2)
#define SVSM_PVALIDATE_IGNORE_CF (1ull << 3)
#define SVSM_PVALIDATE_RESERVED 0xff0ull

/* SVSM_CORE_DEPOSIT_MEM has a list of the same shape; SVSM_CORE_WITHDRAW_MEM writes one. */

/* SVSM_CORE_CONFIGURE_VTOM: RCX bit 0 = query. */
#define SVSM_VTOM_QUERY (1ull << 0)
#define SVSM_VTOM_QUERY_RESERVED (~SVSM_VTOM_QUERY)
#define SVSM_VTOM_CONFIGURE_RESERVED 0xfe0ull

#define SVSM_NONCE_SIZE 64u

/* A buffer of the guest. */
struct svsm_loc {
	uint64_t gpa;
	uint32_t size;
	uint32_t reserved;
};
ABI_SIZE(struct svsm_loc, 16);

/* Attestation operation block: SERVICES ends before the GUID, SINGLE_SERVICE is the whole. */
#define SVSM_ATTEST_SERVICES_SIZE 0x40u
struct svsm_attest_op {
	struct svsm_loc report, nonce, manifest, certificates;
	struct abi_guid service;
	uint32_t manifest_version;
	uint32_t reserved;
};
ABI_SIZE(struct svsm_attest_op, 0x58);
ABI_OFFSET(struct svsm_attest_op, service, SVSM_ATTEST_SERVICES_SIZE);

/* Attest single service extended (protocol version 2): the block of call 1 and a selector. */
struct svsm_attest_op_ex {
	struct svsm_attest_op base;
	struct svsm_loc selector;
};
ABI_SIZE(struct svsm_attest_op_ex, 0x68);
ABI_OFFSET(struct svsm_attest_op_ex, selector, 0x58);

/*
 * A manifest selector of the vTPM: u64 kind, little-endian, then what the kind wants. A selector
 * of kind 0, or none at all, makes the call mean exactly what call 1 means.
 */
enum svsm_selector_kind {
	SVSM_SELECTOR_NONE = 0,
	SVSM_SELECTOR_TEMPLATE = 1, /* TPMT_PUBLIC */
	SVSM_SELECTOR_KEY = 2,	    /* u32, little-endian: enum svsm_key_id */
	SVSM_SELECTOR_NV = 3,	    /* u32, little-endian: an NV index that holds a TPMT_PUBLIC */
};
#define SVSM_SELECTOR_MAX 1024u

/* The keys that a profile may offer, by the templates of docs/profiles.md. */
enum svsm_key_id {
	SVSM_KEY_EK_RSA2048 = 0x01,  /* L-1 */
	SVSM_KEY_EK_ECC_P256 = 0x02, /* L-2 */
	SVSM_KEY_EK_H1_RSA2048 = 0x11,
	SVSM_KEY_EK_H2_ECC_P256 = 0x12,
	SVSM_KEY_EK_H3_ECC_P384 = 0x13,
	SVSM_KEY_EK_H4_ECC_P521 = 0x14,
	SVSM_KEY_EK_H6_RSA3072 = 0x16,
	SVSM_KEY_EK_H7_RSA4096 = 0x17,
	SVSM_KEY_AK_RSA2048 = 0x81,
	SVSM_KEY_AK_ECC_P256 = 0x82,
	SVSM_KEY_AK_ECC_P384 = 0x83,
};

/*
 * REPORT_DATA of an extended call with a selector: SHA-512(nonce || context || manifest), the
 * context being this header and then the selector's bytes.
 */
#define SVSM_CONTEXT_TAG 0x324d5353u /* "SSM2" */
struct svsm_attest_context {
	uint32_t tag;
	struct abi_guid service;
	uint32_t manifest_version;
	uint32_t selector_size;
};
ABI_SIZE(struct svsm_attest_context, 28);

/*
 * Protocol-specific results of the extended call: the vTPM's response code (TPM 2.0 Library part
 * 2, TPM_RC) is added to the first; the second says that the selector is refused by rule.
 */
#define SVSM_ERR_ATTEST_TPM (SVSM_ERR_PROTOCOL_BASE + 0x1000u)
#define SVSM_ERR_ATTEST_SELECTOR (SVSM_ERR_PROTOCOL_BASE + 0x0100u)

/* The manifest of all services: header, entries, then the manifests themselves. */
struct svsm_services_header {
	struct abi_guid guid;
	uint32_t size;
	uint32_t count;
};
ABI_SIZE(struct svsm_services_header, 24);
struct svsm_services_entry {
	struct abi_guid service;
	uint32_t offset;
	uint32_t size;
};
ABI_SIZE(struct svsm_services_entry, 24);

/* 63849ebb-3d92-4670-a1ff-58f9c94b87bb */
#define SVSM_GUID_SERVICES                                                                      \
	{                                                                                       \
		{                                                                               \
			0xbb, 0x9e, 0x84, 0x63, 0x92, 0x3d, 0x70, 0x46, 0xa1, 0xff, 0x58, 0xf9, \
				0xc9, 0x4b, 0x87, 0xbb                                          \
		}                                                                               \
	}
/* c476f1eb-0123-45a5-9641-b4e7dde5bfe3 */
#define SVSM_GUID_VTPM                                                                          \
	{                                                                                       \
		{                                                                               \
			0xeb, 0xf1, 0x76, 0xc4, 0x23, 0x01, 0xa5, 0x45, 0x96, 0x41, 0xb4, 0xe7, \
				0xdd, 0xe5, 0xbf, 0xe3                                          \
		}                                                                               \
	}

/* vTPM protocol: platform commands are those of the TPM simulator; only this one is offered. */
#define SVSM_VTPM_SEND_COMMAND 8u
#define SVSM_VTPM_QUERY_COMMANDS (1ull << SVSM_VTPM_SEND_COMMAND)
/*
 * SVSM_VTPM_QUERY, RDX: the SVSM takes commands in turns (docs/spec/vtpm-in-turns.md). A request
 * asks for that by the bit in its command: the call may then return SVSM_ERR_INCOMPLETE, and be
 * made again.
 */
#define SVSM_VTPM_QUERY_IN_TURNS (1ull << 63)
#define SVSM_VTPM_IN_TURNS (1u << 31)

/* Request at the start of the guest's page; the TPM command follows. Unaligned by specification. */
struct svsm_vtpm_cmd_req {
	uint32_t command;
	uint8_t locality;
	uint32_t size;
} __attribute__((packed));
ABI_SIZE(struct svsm_vtpm_cmd_req, 9);
/* Response in the same place: u32 size, then the TPM response. */
#define SVSM_VTPM_RESPONSE_HEADER 4u

#endif
