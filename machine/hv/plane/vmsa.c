/* SPDX-License-Identifier: MIT */
#include "machine/hv/plane/vmsa.h"

#include <string.h>

#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/insn/msr.h"
#include "machine/hv/memory/npt.h"

/* SEV_FEATURES that this machine has. All of the rest make VMRUN fail, as on a CPU without them. */
#define VMSA_FEATURES_KNOWN                                                            \
	(SNP_FEATURE_SNP | SNP_FEATURE_RESTRICTED_INJECTION | SNP_FEATURE_DEBUG_SWAP | \
	 SNP_FEATURE_PREVENT_HOST_IBS | SNP_FEATURE_BTB_ISOLATION)

#define X87_TAG_EMPTY 3u
#define CPUID_1_ECX_OSXSAVE (1u << 27)

/* The image of FXSAVE64 (APM volume 2, section 11.4.4). */
struct fxsave {
	uint16_t fcw, fsw;
	uint8_t tags, reserved_05;
	uint16_t fop;
	uint64_t rip, rdp;
	uint32_t mxcsr, mxcsr_mask;
	uint8_t st[8][16];
	uint8_t xmm[256];
	uint8_t reserved_1a0[96];
};
ABI_SIZE(struct fxsave, 512);

bool vmsa_features_known(uint64_t features)
{
	return (features & SNP_FEATURE_SNP) && !(features & ~VMSA_FEATURES_KNOWN);
}

struct snp_vmsa *vmsa_usable(uint64_t gpa)
{
	struct snp_vmsa *vmsa;

	if (gpa % ABI_PAGE_SIZE || !npt_is_ram(gpa) ||
	    !rmp_is_vmsa(npt_rmp_table(), (gpa & ~HV_C_BIT) >> ABI_PAGE_SHIFT))
		return NULL;
	vmsa = guest_ptr(gpa, ABI_PAGE_SIZE, GUEST_PRIVATE);
	if (!vmsa || vmsa->vmpl >= SNP_VMPL_COUNT || !(vmsa->efer & X86_EFER_SVME))
		return NULL;
	return vmsa_features_known(vmsa->sev_features) ? vmsa : NULL;
}

static void load_segments(struct vmcb *c, const struct snp_vmsa *vmsa)
{
	c->es = vmsa->es;
	c->cs = vmsa->cs;
	c->ss = vmsa->ss;
	c->ds = vmsa->ds;
	c->fs = vmsa->fs;
	c->gs = vmsa->gs;
	c->gdtr = vmsa->gdtr;
	c->ldtr = vmsa->ldtr;
	c->idtr = vmsa->idtr;
	c->tr = vmsa->tr;
	c->cpl = vmsa->cpl;
}

static void store_segments(const struct vmcb *c, struct snp_vmsa *vmsa)
{
	vmsa->es = c->es;
	vmsa->cs = c->cs;
	vmsa->ss = c->ss;
	vmsa->ds = c->ds;
	vmsa->fs = c->fs;
	vmsa->gs = c->gs;
	vmsa->gdtr = c->gdtr;
	vmsa->ldtr = c->ldtr;
	vmsa->idtr = c->idtr;
	vmsa->tr = c->tr;
	vmsa->cpl = c->ss.attributes >> 5 & 3;
}

static void load_system(struct vmcb *c, const struct snp_vmsa *vmsa)
{
	c->efer = vmsa->efer;
	c->cr4 = vmsa->cr4;
	c->cr3 = vmsa->cr3;
	c->cr0 = vmsa->cr0;
	c->dr7 = (uint32_t)vmsa->dr7;
	c->dr6 = (uint32_t)vmsa->dr6;
	c->rflags = vmsa->rflags | X86_RFLAGS_FIXED;
	c->rip = vmsa->rip;
	c->rsp = vmsa->rsp;
	c->rax = vmsa->rax;
	c->star = vmsa->star;
	c->lstar = vmsa->lstar;
	c->cstar = vmsa->cstar;
	c->sfmask = vmsa->sfmask;
	c->kernel_gs_base = vmsa->kernel_gs_base;
	c->sysenter_cs = vmsa->sysenter_cs;
	c->sysenter_esp = vmsa->sysenter_esp;
	c->sysenter_eip = vmsa->sysenter_eip;
	c->cr2 = vmsa->cr2;
	c->g_pat = vmsa->g_pat;
	c->dbgctl = vmsa->dbgctl;
}

static void store_system(const struct vmcb *c, struct snp_vmsa *vmsa)
{
	vmsa->efer = c->efer;
	vmsa->cr4 = c->cr4;
	vmsa->cr0 = c->cr0;
	vmsa->dr7 = c->dr7;
	vmsa->dr6 = c->dr6;
	vmsa->rflags = c->rflags;
	vmsa->rip = c->rip;
	vmsa->rsp = c->rsp;
	vmsa->rax = c->rax;
	vmsa->star = c->star;
	vmsa->lstar = c->lstar;
	vmsa->cstar = c->cstar;
	vmsa->sfmask = c->sfmask;
	vmsa->kernel_gs_base = c->kernel_gs_base;
	vmsa->sysenter_cs = c->sysenter_cs;
	vmsa->sysenter_esp = c->sysenter_esp;
	vmsa->sysenter_eip = c->sysenter_eip;
	vmsa->cr2 = c->cr2;
	vmsa->g_pat = c->g_pat;
	vmsa->dbgctl = c->dbgctl;
}

static void load_registers(struct guest_regs *r, const struct snp_vmsa *vmsa)
{
	r->rcx = vmsa->rcx;
	r->rdx = vmsa->rdx;
	r->rbx = vmsa->rbx;
	r->rbp = vmsa->rbp;
	r->rsi = vmsa->rsi;
	r->rdi = vmsa->rdi;
	r->r8 = vmsa->r8;
	r->r9 = vmsa->r9;
	r->r10 = vmsa->r10;
	r->r11 = vmsa->r11;
	r->r12 = vmsa->r12;
	r->r13 = vmsa->r13;
	r->r14 = vmsa->r14;
	r->r15 = vmsa->r15;
}

static void store_registers(const struct guest_regs *r, struct snp_vmsa *vmsa)
{
	vmsa->rcx = r->rcx;
	vmsa->rdx = r->rdx;
	vmsa->rbx = r->rbx;
	vmsa->rbp = r->rbp;
	vmsa->rsi = r->rsi;
	vmsa->rdi = r->rdi;
	vmsa->r8 = r->r8;
	vmsa->r9 = r->r9;
	vmsa->r10 = r->r10;
	vmsa->r11 = r->r11;
	vmsa->r12 = r->r12;
	vmsa->r13 = r->r13;
	vmsa->r14 = r->r14;
	vmsa->r15 = r->r15;
}

/* The VMSA keeps the full x87 tag word, FXSAVE one bit for each register: empty or not. */
static uint8_t tags_to_bits(uint16_t tags)
{
	uint8_t bits = 0;

	for (unsigned int i = 0; i < 8; i++)
		if ((tags >> (2 * i) & 3) != X87_TAG_EMPTY)
			bits |= (uint8_t)(1u << i);
	return bits;
}

static uint16_t bits_to_tags(uint8_t bits)
{
	uint16_t tags = 0;

	for (unsigned int i = 0; i < 8; i++)
		if (!(bits >> i & 1))
			tags |= (uint16_t)(X87_TAG_EMPTY << (2 * i));
	return tags;
}

static void load_fpu(struct plane *p, const struct snp_vmsa *vmsa)
{
	struct fxsave *f = (struct fxsave *)p->fpu;

	__asm__ volatile("fxsave64 %0" : "=m"(*f)); /* for mxcsr_mask */
	f->fcw = vmsa->x87_fcw;
	f->fsw = vmsa->x87_fsw;
	f->tags = tags_to_bits(vmsa->x87_ftw);
	f->fop = vmsa->x87_fop;
	f->rip = vmsa->x87_rip;
	f->rdp = vmsa->x87_dp;
	f->mxcsr = vmsa->mxcsr & f->mxcsr_mask;
	for (unsigned int i = 0; i < 8; i++)
		memcpy(f->st[i], &vmsa->x87_registers[10 * i], 10);
	memcpy(f->xmm, vmsa->xmm_registers, sizeof(f->xmm));
	__asm__ volatile("fxrstor64 %0" : : "m"(*f));
}

static void store_fpu(struct plane *p, struct snp_vmsa *vmsa)
{
	struct fxsave *f = (struct fxsave *)p->fpu;

	__asm__ volatile("fxsave64 %0" : "=m"(*f));
	vmsa->x87_fcw = f->fcw;
	vmsa->x87_fsw = f->fsw;
	vmsa->x87_ftw = bits_to_tags(f->tags);
	vmsa->x87_fop = f->fop;
	vmsa->x87_rip = f->rip;
	vmsa->x87_dp = f->rdp;
	vmsa->mxcsr = f->mxcsr;
	for (unsigned int i = 0; i < 8; i++)
		memcpy(&vmsa->x87_registers[10 * i], f->st[i], 10);
	memcpy(vmsa->xmm_registers, f->xmm, sizeof(f->xmm));
}

static void load_debug(const struct snp_vmsa *vmsa)
{
	__asm__ volatile("mov %0, %%dr0" : : "r"(vmsa->dr0));
	__asm__ volatile("mov %0, %%dr1" : : "r"(vmsa->dr1));
	__asm__ volatile("mov %0, %%dr2" : : "r"(vmsa->dr2));
	__asm__ volatile("mov %0, %%dr3" : : "r"(vmsa->dr3));
}

static void store_debug(struct snp_vmsa *vmsa)
{
	__asm__ volatile("mov %%dr0, %0" : "=r"(vmsa->dr0));
	__asm__ volatile("mov %%dr1, %0" : "=r"(vmsa->dr1));
	__asm__ volatile("mov %%dr2, %0" : "=r"(vmsa->dr2));
	__asm__ volatile("mov %%dr3, %0" : "=r"(vmsa->dr3));
}

static bool has_xcr0(void)
{
	uint32_t eax = 1, ebx, ecx = 0, edx;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	return ecx & CPUID_1_ECX_OSXSAVE;
}

static void load_extended(const struct snp_vmsa *vmsa)
{
	x86_wrmsr(X86_MSR_TSC_AUX, vmsa->tsc_aux);
	/* x87 and SSE, the part of XCR0 whose registers a VMSA's x87 area holds here. */
	if (has_xcr0())
		__asm__ volatile("xsetbv" : : "a"((uint32_t)(vmsa->xcr0 & 3) | 1), "d"(0), "c"(0));
}

static void store_extended(struct snp_vmsa *vmsa)
{
	uint32_t low = 1, high = 0;

	vmsa->tsc_aux = (uint32_t)x86_rdmsr(X86_MSR_TSC_AUX);
	if (has_xcr0())
		__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	vmsa->xcr0 = low | (uint64_t)high << 32;
}

/* The control area: what this hypervisor wants to see of the plane. */
static void init_control(struct plane *p, const struct snp_vmsa *vmsa)
{
	struct vmcb *c = p->vmcb;

	c->intercept_exceptions = 1u << X86_VECTOR_UD;
	c->intercept_1 = VMCB_INTERCEPT1_INTR | VMCB_INTERCEPT1_NMI | VMCB_INTERCEPT1_CR0_SEL |
			 VMCB_INTERCEPT1_CPUID | VMCB_INTERCEPT1_HLT | VMCB_INTERCEPT1_INVLPGA |
			 VMCB_INTERCEPT1_IOIO | VMCB_INTERCEPT1_MSR | VMCB_INTERCEPT1_SHUTDOWN;
	c->intercept_2 = VMCB_INTERCEPT2_SVM_ALL;
	c->iopm = msr_io_permissions();
	c->msrpm = msr_permissions();
	c->asid = p->vmpl + 1;
	c->tlb_control = VMCB_TLB_FLUSH_ALL;
	c->int_control = VMCB_INT_V_MASKING | (uint32_t)(vmsa->vintr_ctrl & VMCB_INT_V_TPR_MASK);
	c->np_control = VMCB_NP_ENABLE;
}

bool vmsa_load(struct plane *p)
{
	struct snp_vmsa *vmsa = vmsa_usable(p->vmsa_gpa);

	if (!vmsa || (npt_rmp(p->vmsa_gpa)->flags & RMP_VMSA_IN_USE))
		return false;
	memset(p->vmcb, 0, sizeof(*p->vmcb));
	load_segments(p->vmcb, vmsa);
	load_system(p->vmcb, vmsa);
	load_registers(&p->regs, vmsa);
	load_fpu(p, vmsa);
	load_debug(vmsa);
	load_extended(vmsa);
	p->vmcb->event_inj = p->event_inj;
	p->vmcb->event_error = p->event_error;
	p->vmcb->int_state = p->int_state;
	p->guest_cr3 = vmsa->cr3;
	p->xss = vmsa->xss;
	p->sev_features = vmsa->sev_features;
	p->cpu_vmpl = vmsa->vmpl;
	p->flat = !(vmsa->cr0 & X86_CR0_PG) || !(vmsa->cr4 & X86_CR4_PAE);
	init_control(p, vmsa);
	npt_rmp(p->vmsa_gpa)->flags |= RMP_VMSA_IN_USE;
	p->loaded = true;
	return true;
}

void vmsa_park(struct plane *p)
{
	store_fpu(p, p->aside);
	store_debug(p->aside);
	store_extended(p->aside);
	p->parked = true;
}

void vmsa_unpark(struct plane *p)
{
	load_fpu(p, p->aside);
	load_debug(p->aside);
	load_extended(p->aside);
	p->vmcb->tlb_control = VMCB_TLB_FLUSH_ALL;
	p->parked = false;
}

/* What vmsa_park() took aside goes to the VMSA after all. */
static void store_parked(struct plane *p, struct snp_vmsa *vmsa)
{
	const struct snp_vmsa *aside = p->aside;

	vmsa->x87_fcw = aside->x87_fcw;
	vmsa->x87_fsw = aside->x87_fsw;
	vmsa->x87_ftw = aside->x87_ftw;
	vmsa->x87_fop = aside->x87_fop;
	vmsa->x87_rip = aside->x87_rip;
	vmsa->x87_dp = aside->x87_dp;
	vmsa->mxcsr = aside->mxcsr;
	memcpy(vmsa->x87_registers, aside->x87_registers, sizeof(vmsa->x87_registers));
	memcpy(vmsa->xmm_registers, aside->xmm_registers, sizeof(vmsa->xmm_registers));
	vmsa->dr0 = aside->dr0;
	vmsa->dr1 = aside->dr1;
	vmsa->dr2 = aside->dr2;
	vmsa->dr3 = aside->dr3;
	vmsa->tsc_aux = aside->tsc_aux;
	vmsa->xcr0 = aside->xcr0;
	p->parked = false;
}

void vmsa_store_remote(struct plane *p, uint64_t exit_code)
{
	/* In use until now: neither host nor guest could take the page away. */
	struct snp_vmsa *vmsa = guest_ptr(p->vmsa_gpa, ABI_PAGE_SIZE, GUEST_PRIVATE);

	if (!vmsa)
		hv_panic("VMSA %lx of VMPL %u vanished while in use", p->vmsa_gpa, p->vmpl);
	if (p->parked)
		store_parked(p, vmsa);
	store_segments(p->vmcb, vmsa);
	store_system(p->vmcb, vmsa);
	store_registers(&p->regs, vmsa);
	vmsa->cr3 = p->guest_cr3;
	p->event_inj = p->vmcb->event_inj;
	p->event_error = p->vmcb->event_error;
	p->int_state = p->vmcb->int_state;
	vmsa->xss = p->xss;
	vmsa->vintr_ctrl = p->vmcb->int_control & VMCB_INT_V_TPR_MASK;
	vmsa->exit_code = exit_code;
	vmsa->exit_info_1 = p->vmcb->exit_info_1;
	vmsa->exit_info_2 = p->vmcb->exit_info_2;
	vmsa->exit_int_info = 0;
	npt_rmp(p->vmsa_gpa)->flags &= (uint8_t)~RMP_VMSA_IN_USE;
	p->loaded = false;
}

void vmsa_store(struct plane *p, uint64_t exit_code)
{
	struct snp_vmsa *vmsa = guest_ptr(p->vmsa_gpa, ABI_PAGE_SIZE, GUEST_PRIVATE);

	if (vmsa) {
		store_fpu(p, vmsa);
		store_debug(vmsa);
		store_extended(vmsa);
	}
	vmsa_store_remote(p, exit_code);
}
