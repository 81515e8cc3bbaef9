/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * SEV-SNP architecture: instructions and their results, SEV_FEATURES, the VMSA, the secrets and
 * CPUID pages. AMD64 Architecture Programmer's Manual volume 2 (24593), section 15.36 and
 * appendix B; SEV-SNP Firmware ABI (56860) for the pages that the AMD-SP writes.
 */
#ifndef SOCLE_ABI_SNP_H
#define SOCLE_ABI_SNP_H

#include "abi/types.h"

/* MSRs */
#define SNP_MSR_GHCB 0xc0010130u
#define SNP_MSR_SEV_STATUS 0xc0010131u
#define SNP_MSR_GUEST_TSC_FREQ 0xc0010134u /* with Secure TSC: MHz, 17:0 */

/*
 * SEV_FEATURES of a VMSA, those that somebody here knows; SEV_STATUS holds the same bits shifted
 * left by two.
 */
#define SNP_FEATURE_SNP (1ull << 0)
#define SNP_FEATURE_RESTRICTED_INJECTION (1ull << 3)
#define SNP_FEATURE_ALTERNATE_INJECTION (1ull << 4)
#define SNP_FEATURE_DEBUG_SWAP (1ull << 5)
#define SNP_FEATURE_PREVENT_HOST_IBS (1ull << 6)
#define SNP_FEATURE_BTB_ISOLATION (1ull << 7)
#define SNP_FEATURE_SECURE_TSC (1ull << 9)
#define SNP_FEATURE_SMT_PROTECTION (1ull << 15)
#define SNP_TSC_SCALE_ONE (1ull << 32)	      /* GUEST_TSC_SCALE of a VMSA: 8.32 bits, */
#define SNP_TSC_SCALE_MASK ((1ull << 40) - 1) /* and no more */
#define SNP_SEV_STATUS_SEV (1ull << 0)
#define SNP_SEV_STATUS_ES (1ull << 1)
#define SNP_SEV_STATUS_FEATURES_SHIFT 2

/* PVALIDATE and RMPADJUST: results in EAX (APM volume 3) and operands. */
#define SNP_RESULT_OK 0u
#define SNP_RESULT_FAIL_INPUT 1u
#define SNP_RESULT_FAIL_PERMISSION 2u
#define SNP_RESULT_FAIL_INUSE 3u
#define SNP_RESULT_FAIL_OVERLAP 4u
#define SNP_RESULT_FAIL_SIZEMISMATCH 6u
#define SNP_PAGE_4K 0u
#define SNP_PAGE_2M 1u
#define SNP_RMPADJUST_VMPL_MASK 0xffull
#define SNP_RMPADJUST_READ (1ull << 8)
#define SNP_RMPADJUST_WRITE (1ull << 9)
#define SNP_RMPADJUST_EXEC_USER (1ull << 10)
#define SNP_RMPADJUST_EXEC_SUPER (1ull << 11)
#define SNP_RMPADJUST_VMSA (1ull << 16)
#define SNP_RMPADJUST_PERMS_ALL                                               \
	(SNP_RMPADJUST_READ | SNP_RMPADJUST_WRITE | SNP_RMPADJUST_EXEC_USER | \
	 SNP_RMPADJUST_EXEC_SUPER)

#define SNP_VMPL_COUNT 4u

/* Exit codes of an SVM guest that appear in #VC error codes, GHCBs and VMSAs (APM appendix C). */
#define SVM_EXIT_DR7_READ 0x27u
#define SVM_EXIT_DR7_WRITE 0x37u
#define SVM_EXIT_EXCP_BASE 0x40u
#define SVM_EXIT_INTR 0x60u
#define SVM_EXIT_NMI 0x61u
#define SVM_EXIT_VINTR 0x64u
#define SVM_EXIT_CR0_SEL_WRITE 0x65u
#define SVM_EXIT_RDTSC 0x6eu
#define SVM_EXIT_RDPMC 0x6fu
#define SVM_EXIT_CPUID 0x72u
#define SVM_EXIT_IRET 0x74u
#define SVM_EXIT_PAUSE 0x77u
#define SVM_EXIT_HLT 0x78u
#define SVM_EXIT_IOIO 0x7bu
#define SVM_EXIT_MSR 0x7cu
#define SVM_EXIT_SHUTDOWN 0x7fu
#define SVM_EXIT_VMMCALL 0x81u
#define SVM_EXIT_RDTSCP 0x87u
#define SVM_EXIT_WBINVD 0x89u
#define SVM_EXIT_INVLPGB 0xa0u
#define SVM_EXIT_TLBSYNC 0xa4u
#define SVM_EXIT_NPF 0x400u
#define SVM_EXIT_VMGEXIT 0x403u

/* EXITINFO1 of an IOIO exit. */
#define SVM_IOIO_IN (1u << 0)
#define SVM_IOIO_STRING (1u << 2)
#define SVM_IOIO_REP (1u << 3)
#define SVM_IOIO_SIZE8 (1u << 4)
#define SVM_IOIO_SIZE16 (1u << 5)
#define SVM_IOIO_SIZE32 (1u << 6)
#define SVM_IOIO_ADDR16 (1u << 7)
#define SVM_IOIO_ADDR32 (1u << 8)
#define SVM_IOIO_ADDR64 (1u << 9)
#define SVM_IOIO_PORT_SHIFT 16

/*
 * vintr_ctrl of a VMSA. Without alternate injection only the priority class of V_TPR is the VMSA's
 * (APM volume 2, 15.36.16, and appendix B, table B-4).
 */
#define SNP_VINTR_TPR_MASK 0xfull
#define SNP_VINTR_IRQ (1ull << 8)
#define SNP_VINTR_GIF (1ull << 9)
#define SNP_VINTR_SHADOW (1ull << 10)
#define SNP_VINTR_NMI (1ull << 11)	/* one waits */
#define SNP_VINTR_NMI_MASK (1ull << 12) /* one was taken, and its IRET has not come */
#define SNP_VINTR_PRIORITY_SHIFT 16
#define SNP_VINTR_PRIORITY_MASK (0xfull << SNP_VINTR_PRIORITY_SHIFT)
#define SNP_VINTR_IGNORE_TPR (1ull << 20)
#define SNP_VINTR_NMI_ENABLE (1ull << 26)
#define SNP_VINTR_VECTOR_SHIFT 32
#define SNP_VINTR_VECTOR_MASK (0xffull << SNP_VINTR_VECTOR_SHIFT)
#define SNP_VINTR_BUSY (1ull << 63) /* exit_int_info has what an exit cut: VMRUN refuses it */

/* EVENTINJ and EXITINTINFO. */
#define SVM_EVENT_VECTOR_MASK 0xffu
#define SVM_EVENT_TYPE_INTR (0u << 8)
#define SVM_EVENT_TYPE_NMI (2u << 8)
#define SVM_EVENT_TYPE_EXCEPTION (3u << 8)
#define SVM_EVENT_TYPE_SOFTWARE (4u << 8)
#define SVM_EVENT_TYPE_MASK (7u << 8)
#define SVM_EVENT_ERROR_CODE (1u << 11)
#define SVM_EVENT_VALID (1u << 31)

#define X86_VECTOR_HV 28u
#define X86_VECTOR_VC 29u

struct snp_segment {
	uint16_t selector;
	uint16_t attributes;
	uint32_t limit;
	uint64_t base;
};
ABI_SIZE(struct snp_segment, 16);

/* EFER of a VMSA has it, or VMRUN refuses the VMSA (APM volume 2, 15.5.1). */
#define SNP_VMSA_EFER_SVME (1ull << 12)

/* The encrypted state-save area of one vCPU at one VMPL (APM volume 2, table B-4). */
struct snp_vmsa {
	struct snp_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint64_t pl0_ssp, pl1_ssp, pl2_ssp, pl3_ssp;
	uint64_t u_cet;
	uint16_t reserved_0c8;
	uint8_t vmpl;
	uint8_t cpl;
	uint32_t reserved_0cc;
	uint64_t efer;
	uint8_t reserved_0d8[0x140 - 0x0d8];
	uint64_t xss, cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint64_t dr0, dr1, dr2, dr3;
	uint64_t dr0_addr_mask, dr1_addr_mask, dr2_addr_mask, dr3_addr_mask;
	uint8_t reserved_1c0[0x1d8 - 0x1c0];
	uint64_t rsp, s_cet, ssp, isst_addr, rax;
	uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip, cr2;
	uint8_t reserved_248[0x268 - 0x248];
	uint64_t g_pat, dbgctl, br_from, br_to, last_excp_from, last_excp_to;
	uint8_t reserved_298[0x2e8 - 0x298];
	uint32_t pkru, tsc_aux;
	uint64_t tsc_scale, tsc_offset, reg_prot_nonce;
	uint64_t rcx, rdx, rbx, reserved_320, rbp, rsi, rdi;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint8_t reserved_380[0x390 - 0x380];
	uint64_t exit_info_1, exit_info_2, exit_int_info, nrip;
	uint64_t sev_features, vintr_ctrl, exit_code, virtual_tom;
	uint64_t tlb_id, pcpu_id, event_inj, xcr0;
	uint8_t reserved_3f0[0x400 - 0x3f0];
	uint64_t x87_dp;
	uint32_t mxcsr;
	uint16_t x87_ftw, x87_fsw, x87_fcw, x87_fop, x87_ds, x87_cs;
	uint64_t x87_rip;
	uint8_t x87_registers[80]; /* eight ten-byte registers, without padding */
	uint8_t xmm_registers[256];
	uint8_t ymm_registers[256];
	uint8_t reserved_670[0x1000 - 0x670];
};
ABI_SIZE(struct snp_vmsa, 0x1000);
ABI_OFFSET(struct snp_vmsa, tr, 0x90);
ABI_OFFSET(struct snp_vmsa, vmpl, 0xca);
ABI_OFFSET(struct snp_vmsa, cpl, 0xcb);
ABI_OFFSET(struct snp_vmsa, efer, 0xd0);
ABI_OFFSET(struct snp_vmsa, xss, 0x140);
ABI_OFFSET(struct snp_vmsa, cr4, 0x148);
ABI_OFFSET(struct snp_vmsa, rip, 0x178);
ABI_OFFSET(struct snp_vmsa, rsp, 0x1d8);
ABI_OFFSET(struct snp_vmsa, rax, 0x1f8);
ABI_OFFSET(struct snp_vmsa, cr2, 0x240);
ABI_OFFSET(struct snp_vmsa, g_pat, 0x268);
ABI_OFFSET(struct snp_vmsa, pkru, 0x2e8);
ABI_OFFSET(struct snp_vmsa, tsc_scale, 0x2f0);
ABI_OFFSET(struct snp_vmsa, tsc_offset, 0x2f8);
ABI_OFFSET(struct snp_vmsa, rcx, 0x308);
ABI_OFFSET(struct snp_vmsa, rbp, 0x328);
ABI_OFFSET(struct snp_vmsa, r15, 0x378);
ABI_OFFSET(struct snp_vmsa, exit_info_1, 0x390);
ABI_OFFSET(struct snp_vmsa, sev_features, 0x3b0);
ABI_OFFSET(struct snp_vmsa, exit_code, 0x3c0);
ABI_OFFSET(struct snp_vmsa, event_inj, 0x3e0);
ABI_OFFSET(struct snp_vmsa, xcr0, 0x3e8);
ABI_OFFSET(struct snp_vmsa, mxcsr, 0x408);
ABI_OFFSET(struct snp_vmsa, x87_registers, 0x420);
ABI_OFFSET(struct snp_vmsa, xmm_registers, 0x470);

#define SNP_VMPCK_SIZE 32u

/* The secrets page (SNP firmware ABI, SNP_LAUNCH_UPDATE) with the SVSM fields of 58019 table 1. */
struct snp_secrets {
	uint32_t version;
	uint32_t flags; /* bit 0: IMI_EN */
	uint32_t fms;
	uint32_t reserved_00c;
	uint8_t gosvw[16];
	uint8_t vmpck[SNP_VMPL_COUNT][SNP_VMPCK_SIZE];
	uint8_t guest_os_area[96];
	uint8_t vmsa_tweak_bitmap[64];
	uint64_t svsm_base;
	uint64_t svsm_size; /* not 0: an SVSM is present */
	uint64_t svsm_caa;
	uint32_t svsm_max_version;
	uint8_t svsm_guest_vmpl;
	uint8_t reserved_15d[3];
	uint32_t tsc_factor;
	uint8_t reserved_164[0x1000 - 0x164];
};
ABI_SIZE(struct snp_secrets, 0x1000);
ABI_OFFSET(struct snp_secrets, vmpck, 0x20);
ABI_OFFSET(struct snp_secrets, guest_os_area, 0xa0);
ABI_OFFSET(struct snp_secrets, svsm_base, 0x140);
ABI_OFFSET(struct snp_secrets, svsm_guest_vmpl, 0x15c);
ABI_OFFSET(struct snp_secrets, tsc_factor, 0x160);

struct snp_cpuid_entry {
	uint32_t eax_in, ecx_in;
	uint64_t xcr0_in, xss_in;
	uint32_t eax, ebx, ecx, edx;
	uint64_t reserved;
};
ABI_SIZE(struct snp_cpuid_entry, 48);

#define SNP_CPUID_MAX_ENTRIES 64u

struct snp_cpuid_page {
	uint32_t count;
	uint32_t reserved_004;
	uint64_t reserved_008;
	struct snp_cpuid_entry entries[SNP_CPUID_MAX_ENTRIES];
	uint8_t reserved_c10[0x1000 - 0xc10];
};
ABI_SIZE(struct snp_cpuid_page, 0x1000);

#endif
