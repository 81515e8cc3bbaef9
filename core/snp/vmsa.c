/* SPDX-License-Identifier: MIT */
#include "core/snp/vmsa.h"

#include <string.h>

#define CR0_PE (1ull << 0)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_PG (1ull << 31)
#define CR4_PAE (1ull << 5)
#define CR4_MCE (1ull << 6)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)
#define EFER_NXE (1ull << 11)

/* Attributes: bits 7:0 as in a descriptor's access byte, 11:8 AVL, L, D/B, G. */
#define CODE32 0xc9bu
#define CODE64 0xa9bu
#define DATA32 0xc93u
#define CODE16 0x9bu
#define DATA16 0x93u
#define LDT 0x82u
#define TSS 0x8bu

/* APM volume 2, 14.1.3. */
#define RESET_DR6 0xffff0ff0ull
#define RESET_DR7 0x400ull
#define RESET_PAT 0x0007040600070406ull
#define RESET_XCR0 1ull
#define RESET_MXCSR 0x1f80u
#define RESET_X87_FCW 0x40u
#define RESET_X87_FTW 0x5555u
#define RESET_CS 0xf000u

/*
 * What is not as after a reset: FNINIT's control word, and a tag word that KVM does not hand over.
 */
#define KVM_X87_FCW 0x37fu

static void reset(struct snp_vmsa *vmsa, uint64_t sev_features)
{
	memset(vmsa, 0, sizeof(*vmsa));
	vmsa->ldtr = (struct snp_segment){ .attributes = LDT, .limit = 0xffff };
	vmsa->tr = (struct snp_segment){ .attributes = TSS, .limit = 0xffff };
	vmsa->rflags = 2;
	vmsa->dr6 = RESET_DR6;
	vmsa->dr7 = RESET_DR7;
	vmsa->g_pat = RESET_PAT;
	vmsa->xcr0 = RESET_XCR0;
	vmsa->mxcsr = RESET_MXCSR;
	vmsa->x87_fcw = RESET_X87_FCW;
	vmsa->x87_ftw = RESET_X87_FTW;
	vmsa->efer = SNP_VMSA_EFER_SVME;
	vmsa->sev_features = sev_features;
}

static void set_segments(struct snp_vmsa *vmsa, uint16_t code_attributes, uint16_t cs, uint16_t ds)
{
	struct snp_segment data = { ds, DATA32, 0xffffffff, 0 };

	vmsa->cs = (struct snp_segment){ cs, code_attributes, 0xffffffff, 0 };
	vmsa->ds = data;
	vmsa->es = data;
	vmsa->ss = data;
	vmsa->fs = data;
	vmsa->gs = data;
}

void vmsa_protected_mode(struct snp_vmsa *vmsa, uint32_t eip, uint64_t sev_features)
{
	reset(vmsa, sev_features);
	set_segments(vmsa, CODE32, 0x08, 0x10);
	vmsa->cr0 = CR0_PE | CR0_ET | CR0_NE;
	vmsa->rip = eip;
}

void vmsa_long_mode(struct snp_vmsa *vmsa, const struct socle_guest_entry *entry,
		    uint64_t sev_features)
{
	reset(vmsa, sev_features);
	set_segments(vmsa, CODE64, entry->cs_selector, entry->ds_selector);
	vmsa->gdtr = (struct snp_segment){ .limit = entry->gdt_limit, .base = entry->gdt_base };
	vmsa->cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	vmsa->cr3 = entry->cr3;
	vmsa->cr4 = CR4_PAE;
	vmsa->efer |= EFER_LME | EFER_LMA | EFER_NXE;
	vmsa->rip = entry->rip;
	vmsa->rsp = entry->rsp;
	vmsa->rsi = entry->rsi;
}

void vmsa_kvm_reset(struct snp_vmsa *vmsa, uint32_t eip, uint32_t signature, uint64_t sev_features)
{
	const struct snp_segment data = { .attributes = DATA16, .limit = 0xffff };
	const struct snp_segment table = { .limit = 0xffff };

	reset(vmsa, sev_features);
	vmsa->cs = (struct snp_segment){ RESET_CS, CODE16, 0xffff, eip & 0xffff0000 };
	vmsa->rip = eip & 0xffff;
	vmsa->ds = vmsa->es = vmsa->ss = vmsa->fs = vmsa->gs = data;
	vmsa->gdtr = vmsa->idtr = table;
	vmsa->cr0 = CR0_ET;
	vmsa->cr4 = CR4_MCE;
	vmsa->rdx = signature;
	vmsa->x87_fcw = KVM_X87_FCW;
	vmsa->x87_ftw = 0;
}
