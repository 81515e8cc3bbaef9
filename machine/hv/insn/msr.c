/* SPDX-License-Identifier: MIT */
#include "machine/hv/insn/msr.h"

#include <string.h>

#include "machine/hv/base/page.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/event/vc.h"
#include "machine/hv/insn/emulate.h"

#define PERMISSION_PAGES 2u
#define PERMISSION_RANGE_BYTES 2048u /* 0x2000 MSRs, two bits each */
#define IO_PERMISSION_PAGES 3u
#define EFER_WRITABLE 0x1ffffull /* SCE up to the highest bit of this family */

static uint8_t *permissions, *io_permissions;

static void pass(uint32_t msr)
{
	uint32_t range = msr >> 16 == 0xc000 ? 1 : msr >> 16 == 0xc001 ? 2 : 0;
	uint32_t bit = (msr & 0x1fff) * 2;

	permissions[range * PERMISSION_RANGE_BYTES + bit / 8] &= (uint8_t) ~(3u << bit % 8);
}

void msr_init(void)
{
	permissions = page_take(PERMISSION_PAGES);
	io_permissions = page_take(IO_PERMISSION_PAGES);
	memset(permissions, 0xff, PERMISSION_PAGES * ABI_PAGE_SIZE);
	memset(io_permissions, 0xff, IO_PERMISSION_PAGES * ABI_PAGE_SIZE);
	for (uint32_t msr = 0x174; msr <= 0x176; msr++) /* SYSENTER */
		pass(msr);
	for (uint32_t msr = 0xc0000081; msr <= 0xc0000084; msr++) /* STAR to SFMASK */
		pass(msr);
	for (uint32_t msr = 0xc0000100; msr <= 0xc0000103; msr++) /* segment bases, TSC_AUX */
		pass(msr);
}

uint64_t msr_permissions(void)
{
	return (uint64_t)permissions;
}

uint64_t msr_io_permissions(void)
{
	return (uint64_t)io_permissions;
}

static void write_efer(struct vcpu *v, uint64_t value)
{
	struct vmcb *c = vcpu_plane(v)->vmcb;

	if ((c->cr0 & X86_CR0_PG) && ((c->efer ^ value) & X86_EFER_LME)) {
		vcpu_inject_exception(v, X86_VECTOR_GP, true, 0);
		return;
	}
	/* LMA follows paging; SVME cannot be lost, or VMRUN would refuse the guest. */
	c->efer = (value & EFER_WRITABLE & ~X86_EFER_LMA) | (c->efer & X86_EFER_LMA) |
		  X86_EFER_SVME;
	emulate_advance(v, INSN_WRMSR);
}

static void write_msr(struct vcpu *v, uint32_t msr, uint64_t value)
{
	struct plane *p = vcpu_plane(v);

	switch (msr) {
	case X86_MSR_EFER:
		write_efer(v, value);
		return;
	case SNP_MSR_GHCB:
		p->ghcb_msr = value;
		break;
	case X86_MSR_PAT:
		p->vmcb->g_pat = value;
		break;
	case X86_MSR_DEBUGCTL:
		p->vmcb->dbgctl = value;
		break;
	case X86_MSR_XSS:
		if (value != 0) {
			vcpu_inject_exception(v, X86_VECTOR_GP, true, 0);
			return;
		}
		p->xss = value;
		break;
	default:
		vc_raise(v, SVM_EXIT_MSR);
		return;
	}
	emulate_advance(v, INSN_WRMSR);
}

static void read_msr(struct vcpu *v, uint32_t msr)
{
	struct plane *p = vcpu_plane(v);
	uint64_t value;

	switch (msr) {
	case X86_MSR_EFER:
		value = p->vmcb->efer;
		break;
	case SNP_MSR_GHCB:
		value = p->ghcb_msr;
		break;
	case SNP_MSR_SEV_STATUS:
		value = SNP_SEV_STATUS_SEV | SNP_SEV_STATUS_ES |
			p->sev_features << SNP_SEV_STATUS_FEATURES_SHIFT;
		break;
	case X86_MSR_PAT:
		value = p->vmcb->g_pat;
		break;
	case X86_MSR_DEBUGCTL:
		value = p->vmcb->dbgctl;
		break;
	case X86_MSR_XSS:
		value = p->xss;
		break;
	default:
		vc_raise(v, SVM_EXIT_MSR);
		return;
	}
	p->vmcb->rax = (uint32_t)value;
	p->regs.rdx = value >> 32;
	emulate_advance(v, INSN_RDMSR);
}

void msr_exit(struct vcpu *v)
{
	struct plane *p = vcpu_plane(v);
	uint32_t msr = (uint32_t)p->regs.rcx;

	if (emulate_cpl(v) != 0)
		vcpu_inject_exception(v, X86_VECTOR_GP, true, 0);
	else if (p->vmcb->exit_info_1)
		write_msr(v, msr, (uint32_t)p->vmcb->rax | p->regs.rdx << 32);
	else
		read_msr(v, msr);
}
