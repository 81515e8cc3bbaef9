/* SPDX-License-Identifier: MIT */
/* The virtual machine control block (APM volume 2, appendix B) and the bits we use of it. */
#ifndef SOCLE_MACHINE_HV_PLANE_VMCB_H
#define SOCLE_MACHINE_HV_PLANE_VMCB_H

#include "abi/snp.h"

/* misc1, misc2: instruction intercepts at 0x00c and 0x010. */
#define VMCB_INTERCEPT1_INTR (1u << 0)
#define VMCB_INTERCEPT1_NMI (1u << 1)
#define VMCB_INTERCEPT1_VINTR (1u << 4)
#define VMCB_INTERCEPT1_CR0_SEL (1u << 5)
#define VMCB_INTERCEPT1_RDTSC (1u << 14)
#define VMCB_INTERCEPT1_CPUID (1u << 18)
#define VMCB_INTERCEPT1_IRET (1u << 20)
#define VMCB_INTERCEPT1_HLT (1u << 24)
#define VMCB_INTERCEPT1_INVLPGA (1u << 26)
#define VMCB_INTERCEPT1_IOIO (1u << 27)
#define VMCB_INTERCEPT1_MSR (1u << 28)
#define VMCB_INTERCEPT1_SHUTDOWN (1u << 31)
#define VMCB_INTERCEPT2_SVM_ALL 0x7fu /* VMRUN, VMMCALL, VMLOAD, VMSAVE, STGI, CLGI, SKINIT */

#define VMCB_INTERCEPT2_RDTSCP (1u << 7)

#define VMCB_INTERCEPT_CR8 (1u << 8) /* of control registers */

#define VMCB_INT_V_TPR_MASK 0xfu
#define VMCB_INT_V_IRQ (1u << 8)
#define VMCB_INT_V_IGNORE_TPR (1u << 20)
#define VMCB_INT_V_MASKING (1u << 24)

#define VMCB_INT_STATE_SHADOW (1ull << 0)

#define VMCB_TLB_FLUSH_ALL 1u
#define VMCB_NP_ENABLE 1ull

/* EXITINFO1 of a nested page fault. */
#define VMCB_NPF_WRITE (1ull << 1)
#define VMCB_NPF_FETCH (1ull << 4)
#define VMCB_NPF_RMP (1ull << 31) /* set by us alone: QEMU knows no RMP */
#define VMCB_NPF_TABLE (1ull << 33)

#define VMCB_EXIT_CR_WRITE_BASE 0x10u
#define VMCB_EXIT_INVALID 0xffffffffu

struct vmcb {
	uint16_t intercept_cr_read, intercept_cr_write;
	uint16_t intercept_dr_read, intercept_dr_write;
	uint32_t intercept_exceptions, intercept_1, intercept_2, intercept_3;
	uint8_t reserved_018[0x40 - 0x18];
	uint64_t iopm, msrpm, tsc_offset;
	uint32_t asid;
	uint8_t tlb_control;
	uint8_t reserved_05d[3];
	uint32_t int_control, int_vector;
	uint64_t int_state;
	uint64_t exit_code, exit_info_1, exit_info_2;
	uint32_t exit_int_info, exit_int_error;
	uint64_t np_control;
	uint8_t reserved_098[0xa8 - 0x98];
	uint32_t event_inj, event_error;
	uint64_t nested_cr3, lbr_control;
	uint32_t clean, reserved_0c4;
	uint64_t next_rip;
	uint8_t reserved_0d0[0x400 - 0xd0];
	struct snp_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t reserved_4a0[0x4cb - 0x4a0];
	uint8_t cpl;
	uint32_t reserved_4cc;
	uint64_t efer;
	uint8_t reserved_4d8[0x548 - 0x4d8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t reserved_580[0x5d8 - 0x580];
	uint64_t rsp;
	uint8_t reserved_5e0[0x5f8 - 0x5e0];
	uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip, cr2;
	uint8_t reserved_648[0x668 - 0x648];
	uint64_t g_pat, dbgctl, br_from, br_to, last_excp_from, last_excp_to;
	uint8_t reserved_698[0x1000 - 0x698];
};
ABI_SIZE(struct vmcb, 0x1000);
ABI_OFFSET(struct vmcb, iopm, 0x40);
ABI_OFFSET(struct vmcb, int_control, 0x60);
ABI_OFFSET(struct vmcb, exit_code, 0x70);
ABI_OFFSET(struct vmcb, exit_int_info, 0x88);
ABI_OFFSET(struct vmcb, event_inj, 0xa8);
ABI_OFFSET(struct vmcb, nested_cr3, 0xb0);
ABI_OFFSET(struct vmcb, next_rip, 0xc8);
ABI_OFFSET(struct vmcb, es, 0x400);
ABI_OFFSET(struct vmcb, cpl, 0x4cb);
ABI_OFFSET(struct vmcb, efer, 0x4d0);
ABI_OFFSET(struct vmcb, cr4, 0x548);
ABI_OFFSET(struct vmcb, rsp, 0x5d8);
ABI_OFFSET(struct vmcb, rax, 0x5f8);
ABI_OFFSET(struct vmcb, cr2, 0x640);
ABI_OFFSET(struct vmcb, g_pat, 0x668);

#endif
