/* SPDX-License-Identifier: MIT */
#include "monitor/arch/arch.h"
#include "monitor/arch/hw/cpu_ops.h"
#include "monitor/vcpu/vcpu.h"

/* Attributes: bits 7:0 as in a descriptor's access byte, 11:8 AVL, L, D/B, G. */
#define ATTRIBUTES_CODE64 0xa9bu
#define ATTRIBUTES_DATA 0xc93u
#define ATTRIBUTES_LDT 0x82u
#define ATTRIBUTES_TSS 0x8bu

/* Reset values: APM volume 2, 14.1.3. */
#define RESET_DR6 0xffff0ff0ull
#define RESET_DR7 0x400ull
#define RESET_PAT 0x0007040600070406ull
#define RESET_XCR0 1ull
#define RESET_MXCSR 0x1f80u
#define RESET_X87_FCW 0x40u
#define RESET_X87_FTW 0x5555u

static void reset(struct snp_vmsa *vmsa)
{
	vmsa->ldtr = (struct snp_segment){ .attributes = ATTRIBUTES_LDT, .limit = 0xffff };
	vmsa->tr = (struct snp_segment){ .attributes = ATTRIBUTES_TSS, .limit = 0xffff };
	vmsa->rflags = 2;
	vmsa->dr6 = RESET_DR6;
	vmsa->dr7 = RESET_DR7;
	vmsa->g_pat = RESET_PAT;
	vmsa->xcr0 = RESET_XCR0;
	vmsa->mxcsr = RESET_MXCSR;
	vmsa->x87_fcw = RESET_X87_FCW;
	vmsa->x87_ftw = RESET_X87_FTW;
	vmsa->efer = SNP_VMSA_EFER_SVME;
}

/*
 * Some processors mistake a VMSA that starts a 2 MiB page for a large page's entry, so it is never
 * such a page; of two pages in a row one is good.
 */
static bool allocate(struct page_owner *owner, gpa_t *page)
{
	gpa_t other;

	if (!page_alloc(owner, page))
		return false;
	if (!gpa_aligned(*page, ABI_PAGE_SIZE_2M))
		return true;

	bool found = page_alloc(owner, &other);

	page_free(owner, *page);
	*page = other;
	return found;
}

bool vmsa_create(struct page_owner *owner, gpa_t *page, struct snp_vmsa **vmsa)
{
	if (!allocate(owner, page))
		return false;
	*vmsa = arch_vmsa(*page);
	reset(*vmsa);
	return true;
}

bool vmsa_commit(gpa_t page)
{
	/* RMPADJUST must name a less privileged VMPL, which gets no right by this. */
	return arch_rmpadjust(page, ARCH_PAGE_4K, 1, SNP_RMPADJUST_VMSA) == SNP_RESULT_OK;
}

void vmsa_set_long_mode(struct snp_vmsa *vmsa, uint16_t cs, uint16_t ds)
{
	struct snp_segment data = { ds, ATTRIBUTES_DATA, UINT32_MAX, 0 };

	vmsa->cs = (struct snp_segment){ cs, ATTRIBUTES_CODE64, UINT32_MAX, 0 };
	vmsa->ds = vmsa->es = vmsa->ss = vmsa->fs = vmsa->gs = data;
	vmsa->cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	vmsa->cr4 = CR4_PAE;
	vmsa->efer = SNP_VMSA_EFER_SVME | EFER_LME | EFER_LMA | EFER_NXE;
}
