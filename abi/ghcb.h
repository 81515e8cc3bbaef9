/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Guest-Hypervisor Communication Block: page layout, MSR protocol, NAE exits and the #HV doorbell
 * page. AMD GHCB Standardization (56421), sections 2.3 (MSR protocol) and 4 (exits).
 */
#ifndef SOCLE_ABI_GHCB_H
#define SOCLE_ABI_GHCB_H

#include "abi/types.h"

#define GHCB_SHARED_BUFFER_SIZE 2032u
#define GHCB_PROTOCOL_MIN 2u
#define GHCB_PROTOCOL_MAX 2u

struct ghcb {
	uint8_t reserved_000[0xcb];
	uint8_t cpl;
	uint8_t reserved_0cc[0x140 - 0x0cc];
	uint64_t xss;
	uint8_t reserved_148[0x160 - 0x148];
	uint64_t dr7;
	uint8_t reserved_168[0x1f8 - 0x168];
	uint64_t rax;
	uint8_t reserved_200[0x308 - 0x200];
	uint64_t rcx, rdx, rbx;
	uint8_t reserved_320[0x330 - 0x320];
	uint64_t rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
	uint8_t reserved_380[0x390 - 0x380];
	uint64_t sw_exit_code, sw_exit_info_1, sw_exit_info_2, sw_scratch;
	uint8_t reserved_3b0[0x3e8 - 0x3b0];
	uint64_t xcr0;
	uint8_t valid_bitmap[16]; /* bit n: the quadword at offset 8 * n is valid */
	uint8_t reserved_400[0x800 - 0x400];
	uint8_t shared_buffer[GHCB_SHARED_BUFFER_SIZE];
	uint8_t reserved_ff0[0xffa - 0xff0];
	uint16_t protocol_version;
	uint32_t usage;
};
ABI_SIZE(struct ghcb, 0x1000);
ABI_OFFSET(struct ghcb, rax, 0x1f8);
ABI_OFFSET(struct ghcb, rcx, 0x308);
ABI_OFFSET(struct ghcb, sw_exit_code, 0x390);
ABI_OFFSET(struct ghcb, sw_scratch, 0x3a8);
ABI_OFFSET(struct ghcb, xcr0, 0x3e8);
ABI_OFFSET(struct ghcb, valid_bitmap, 0x3f0);
ABI_OFFSET(struct ghcb, shared_buffer, 0x800);
ABI_OFFSET(struct ghcb, protocol_version, 0xffa);

/* MSR protocol: GHCBInfo is the low 12 bits. */
#define GHCB_MSR_INFO_MASK 0xfffull
#define GHCB_MSR_SEV_INFO_RESP 0x001u
#define GHCB_MSR_SEV_INFO_REQ 0x002u
#define GHCB_MSR_CPUID_REQ 0x004u
#define GHCB_MSR_CPUID_RESP 0x005u
#define GHCB_MSR_AP_RESET_HOLD_REQ 0x006u
#define GHCB_MSR_AP_RESET_HOLD_RESP 0x007u
#define GHCB_MSR_PREF_GPA_REQ 0x010u
#define GHCB_MSR_PREF_GPA_RESP 0x011u
#define GHCB_MSR_REG_GPA_REQ 0x012u
#define GHCB_MSR_REG_GPA_RESP 0x013u
#define GHCB_MSR_PSC_REQ 0x014u
#define GHCB_MSR_PSC_RESP 0x015u
#define GHCB_MSR_RUN_VMPL_REQ 0x016u
#define GHCB_MSR_RUN_VMPL_RESP 0x017u
#define GHCB_MSR_HV_FEATURES_REQ 0x080u
#define GHCB_MSR_HV_FEATURES_RESP 0x081u
#define GHCB_MSR_TERM_REQ 0x100u
#define GHCB_MSR_TERM_SET_SHIFT 12
#define GHCB_MSR_TERM_CODE_SHIFT 16

#define GHCB_PSC_PRIVATE 1u
#define GHCB_PSC_SHARED 2u

#define GHCB_HV_FEATURE_SNP (1ull << 0)
#define GHCB_HV_FEATURE_AP_CREATION (1ull << 1)
#define GHCB_HV_FEATURE_RESTRICTED_INJECTION (1ull << 2)
#define GHCB_HV_FEATURE_RESTRICTED_TIMER (1ull << 3)
#define GHCB_HV_FEATURE_APIC_ID_LIST (1ull << 4)
#define GHCB_HV_FEATURE_MULTI_VMPL (1ull << 5)
#define GHCB_HV_FEATURE_EXTENDED_INTERRUPTS (1ull << 9) /* alternate injection */

/* NAE exits beyond the SVM exit codes. */
#define GHCB_EXIT_MMIO_READ 0x80000001u
#define GHCB_EXIT_MMIO_WRITE 0x80000002u
#define GHCB_EXIT_NMI_COMPLETE 0x80000003u
#define GHCB_EXIT_AP_RESET_HOLD 0x80000004u
#define GHCB_EXIT_AP_JUMP_TABLE 0x80000005u
#define GHCB_EXIT_PSC 0x80000010u
#define GHCB_EXIT_GUEST_REQUEST 0x80000011u
#define GHCB_EXIT_EXT_GUEST_REQUEST 0x80000012u
#define GHCB_EXIT_AP_CREATION 0x80000013u
#define GHCB_EXIT_HV_DOORBELL 0x80000014u
#define GHCB_EXIT_HV_IPI 0x80000015u
#define GHCB_EXIT_GET_APIC_IDS 0x80000017u
#define GHCB_EXIT_RUN_VMPL 0x80000018u
#define GHCB_EXIT_CONFIGURE_INT_INJ 0x8000001bu
#define GHCB_EXIT_DISABLE_ALT_INJ 0x8000001cu
#define GHCB_EXIT_SPECIFIC_EOI 0x8000001du
#define GHCB_EXIT_HV_FEATURES 0x8000fffdu
#define GHCB_EXIT_TERM_REQUEST 0x8000fffeu
#define GHCB_EXIT_UNSUPPORTED 0x8000ffffu

/* AP_CREATION: exit_info_1 = APIC id 63:32, VMPL 19:16, request 15:0; rax = SEV_FEATURES. */
#define GHCB_AP_CREATE_ON_INIT 0u
#define GHCB_AP_CREATE 1u
#define GHCB_AP_DESTROY 2u

/* HV_DOORBELL requests in exit_info_1; exit_info_2 = page gPA. */
#define GHCB_DOORBELL_GET_PREFERRED 0u
#define GHCB_DOORBELL_SET 1u
#define GHCB_DOORBELL_QUERY 2u
#define GHCB_DOORBELL_CLEAR 3u

/*
 * Alternate injection, exit_info_1. CONFIGURE_INT_INJ: vector 7:0, by which VMPL0 learns of events
 * of less privileged VMPLs. DISABLE_ALT_INJ: VMPL 23:16, TPR 15:8, interrupt shadow 1, RFLAGS.IF 0.
 * SPECIFIC_EOI: VMPL 23:16, vector 7:0.
 */
#define GHCB_INT_INJ_VMPL_SHIFT 16
#define GHCB_INT_INJ_TPR_SHIFT 8
#define GHCB_INT_INJ_SHADOW (1ull << 1)
#define GHCB_INT_INJ_IF (1ull << 0)

/* exit_info_1[31:0] on return, and exit_info_2 when it is GHCB_RESULT_ERROR. */
#define GHCB_RESULT_OK 0u
#define GHCB_RESULT_INJECT 1u
#define GHCB_RESULT_ERROR 2u
#define GHCB_ERROR_NOT_REGISTERED 1u
#define GHCB_ERROR_INVALID_USAGE 2u
#define GHCB_ERROR_INVALID_SCRATCH 3u
#define GHCB_ERROR_MISSING_INPUT 4u
#define GHCB_ERROR_INVALID_INPUT 5u
#define GHCB_ERROR_INVALID_EVENT 6u

/* Page state change structure, in the shared buffer or where sw_scratch points. */
#define GHCB_PSC_ENTRIES_MAX 253u
struct ghcb_psc_header {
	uint16_t cur_entry, end_entry;
	uint32_t reserved;
};
ABI_SIZE(struct ghcb_psc_header, 8);
/* Entry: cur_page 11:0, gfn 51:12, operation 55:52, 2 MiB 56. */

struct ghcb_doorbell_vmpl {
	uint32_t status; /* GHCB_DOORBELL_VMPL_* */
	uint32_t irr[7]; /* vectors 32 to 255 */
	uint32_t isr[8];
};
ABI_SIZE(struct ghcb_doorbell_vmpl, 64);
#define GHCB_DOORBELL_VMPL_VECTOR 0xffu
#define GHCB_DOORBELL_VMPL_NMI (1u << 8)
#define GHCB_DOORBELL_VMPL_MC (1u << 9)
#define GHCB_DOORBELL_VMPL_LEVEL (1u << 10)    /* of the vector, which is not in irr */
#define GHCB_DOORBELL_VMPL_MULTIPLE (1u << 14) /* look into irr and at bit 31 */
#define GHCB_DOORBELL_VMPL_IPI (1u << 27)
#define GHCB_DOORBELL_VMPL_VECTOR_31 (1u << 31)

#define GHCB_DOORBELL_FLAG_NMI (1u << 0)
#define GHCB_DOORBELL_FLAG_MC (1u << 1)
#define GHCB_DOORBELL_FLAG_NO_FURTHER_SIGNAL (1u << 7)

/*
 * #HV doorbell page: an unencrypted page that only the hypervisor and the guest's #HV handler
 * touch. PendingEvent is one 16-bit word that the guest exchanges with 0.
 */
struct ghcb_doorbell {
	uint8_t vector;
	uint8_t flags;
	uint8_t no_eoi_required;
	uint8_t per_vmpl_events;
	uint8_t reserved_004[0x40 - 4];
	struct ghcb_doorbell_vmpl vmpl[3]; /* VMPL 1..3 */
	uint8_t reserved_100[0x1000 - 0x100];
};
ABI_SIZE(struct ghcb_doorbell, 0x1000);
ABI_OFFSET(struct ghcb_doorbell, vmpl, 0x40);

/* Termination reasons, set 0 (generic). Set 1 (Linux) is listed in the kernel's own headers. */
#define GHCB_TERM_SET_GENERIC 0u
#define GHCB_TERM_GENERIC_UNSPECIFIED 0u
#define GHCB_TERM_GENERIC_PROTOCOL 1u
#define GHCB_TERM_GENERIC_NO_SNP 2u

#endif
