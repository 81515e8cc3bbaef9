/* SPDX-License-Identifier: MIT */
#include "machine/hv/plane/vmsa.h"

#include <string.h>

#include "core/snp/sev_features.h"
#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/memory/guest.h"
#include "machine/hv/plane/control_area.h"
#include "machine/hv/plane/virtual_nmi.h"
#include "machine/hv/plane/xstate.h"

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
} __attribute__((aligned(16)));
ABI_SIZE(struct fxsave, 512);

bool vmsa_features_known(uint64_t features)
{
	return (features & SNP_FEATURE_SNP) && !(features & ~hv_mailbox()->host.sev_features);
}

/*
 * An event that VMRUN injects, and that this machine can: #VC it delivers by itself, without VMRUN.
 */
static bool is_event(uint64_t event)
{
	uint32_t vector = event & SVM_EVENT_VECTOR_MASK;

	if (!(event & SVM_EVENT_VALID))
		return true;
	switch (event & SVM_EVENT_TYPE_MASK) {
	case SVM_EVENT_TYPE_INTR:
	case SVM_EVENT_TYPE_NMI:
	case SVM_EVENT_TYPE_SOFTWARE:
		return true;
	case SVM_EVENT_TYPE_EXCEPTION:
		return vector != X86_VECTOR_NMI && vector != X86_VECTOR_VC && vector < 32;
	default:
		return false;
	}
}

static bool is_alternate(const struct snp_vmsa *vmsa)
{
	return vmsa->sev_features & SNP_FEATURE_ALTERNATE_INJECTION;
}

/* What only alternate injection looks at (APM volume 2, 15.36.16). */
static struct vmsa_refusal alternate_refusal(const struct snp_vmsa *vmsa)
{
	const char *what = NULL;

	if (vmsa->sev_features & SNP_FEATURE_RESTRICTED_INJECTION)
		what = "it has restricted and alternate injection";
	else if (vmsa->vintr_ctrl & SNP_VINTR_BUSY)
		what = "BUSY is set";
	else if (!is_event(vmsa->event_inj))
		what = "EVENTINJ has no event that can be injected";
	return (struct vmsa_refusal){ what, "" };
}

/* By what it holds. */
static struct vmsa_refusal content_refusal(const struct snp_vmsa *vmsa)
{
	uint64_t missing = vmsa->sev_features & ~hv_mailbox()->host.sev_features;

	if (vmsa->vmpl >= SNP_VMPL_COUNT)
		return (struct vmsa_refusal){ "its VMPL is above 3", "" };
	if (!(vmsa->efer & X86_EFER_SVME))
		return (struct vmsa_refusal){ "EFER.SVME is clear", "" };
	if (!(vmsa->sev_features & SNP_FEATURE_SNP))
		return (struct vmsa_refusal){ "SEV_FEATURES does not have SNP active", "" };
	if (missing)
		return (struct vmsa_refusal){ "SEV_FEATURES has what this host has not: ",
					      sev_feature_name(missing) };
	if (is_alternate(vmsa))
		return alternate_refusal(vmsa);
	return (struct vmsa_refusal){ 0 };
}

/* The page of a plane's VMSA, or NULL: RMP and guest RAM do not have one there. */
static struct snp_vmsa *page_of(const struct plane *p)
{
	if (p->held)
		return p->held;
	if (p->vmsa_gpa % ABI_PAGE_SIZE || !guest_is_ram(p->vmsa_gpa) ||
	    !rmp_is_vmsa(guest_rmp_table(), guest_page(p->vmsa_gpa)))
		return NULL;
	return guest_ptr(p->vmsa_gpa, ABI_PAGE_SIZE, GUEST_PRIVATE);
}

struct vmsa_refusal vmsa_refusal(const struct plane *p)
{
	const struct snp_vmsa *vmsa = page_of(p);

	if (!vmsa)
		return (struct vmsa_refusal){ "no VMSA is there", "" };
	return content_refusal(vmsa);
}

bool vmsa_is_busy(const struct plane *p)
{
	const struct snp_vmsa *vmsa = page_of(p);

	return vmsa && is_alternate(vmsa) && (vmsa->vintr_ctrl & SNP_VINTR_BUSY);
}

uint64_t vmsa_features(const struct plane *p)
{
	return page_of(p)->sev_features;
}

/* The VMSA of a plane that is loaded: then nobody could take it away. */
static struct snp_vmsa *vmsa_in_use(const struct plane *p)
{
	return p->held ? p->held : guest_ptr(p->vmsa_gpa, ABI_PAGE_SIZE, GUEST_PRIVATE);
}

static bool is_in_use(const struct plane *p)
{
	const struct rmp_entry *entry = p->held ? NULL : guest_rmp(p->vmsa_gpa);

	return p->held ? p->held_in_use : entry && (entry->flags & RMP_VMSA_IN_USE);
}

static void set_in_use(struct plane *p, bool in_use)
{
	struct rmp_entry *entry = p->held ? NULL : guest_rmp(p->vmsa_gpa);

	if (p->held)
		p->held_in_use = in_use;
	else if (entry && in_use)
		entry->flags |= RMP_VMSA_IN_USE;
	else if (entry)
		entry->flags &= (uint8_t)~RMP_VMSA_IN_USE;
}

/*
 * KVM refuses one at 2 MiB: on processors with an erratum a large page of the host's there would
 * collide with the RMP entry (Linux, sev_snp_ap_creation()).
 */
bool vmsa_place_taken(uint64_t gpa)
{
	if (hv_mailbox()->host.vmsa_not_at_2m && gpa % ABI_PAGE_SIZE_2M == 0)
		return false;
	return gpa % ABI_PAGE_SIZE == 0 && guest_is_ram(gpa);
}

static inline void copy_word(uint64_t *cpu, uint64_t *vmsa, bool store)
{
	if (store)
		*vmsa = *cpu;
	else
		*cpu = *vmsa;
}

static inline void copy_segment(struct snp_segment *cpu, struct snp_segment *vmsa, bool store)
{
	if (store)
		*vmsa = *cpu;
	else
		*cpu = *vmsa;
}

/* What the VMSA and the VMCB both have, or in the general registers next to it. */
static inline void copy_state(struct vmcb *c, struct guest_regs *r, struct snp_vmsa *vmsa,
			      bool store)
{
	copy_segment(&c->es, &vmsa->es, store);
	copy_segment(&c->cs, &vmsa->cs, store);
	copy_segment(&c->ss, &vmsa->ss, store);
	copy_segment(&c->ds, &vmsa->ds, store);
	copy_segment(&c->fs, &vmsa->fs, store);
	copy_segment(&c->gs, &vmsa->gs, store);
	copy_segment(&c->gdtr, &vmsa->gdtr, store);
	copy_segment(&c->ldtr, &vmsa->ldtr, store);
	copy_segment(&c->idtr, &vmsa->idtr, store);
	copy_segment(&c->tr, &vmsa->tr, store);
	copy_word(&c->efer, &vmsa->efer, store);
	copy_word(&c->cr4, &vmsa->cr4, store);
	copy_word(&c->cr0, &vmsa->cr0, store);
	copy_word(&c->dr7, &vmsa->dr7, store);
	copy_word(&c->dr6, &vmsa->dr6, store);
	copy_word(&c->rflags, &vmsa->rflags, store);
	copy_word(&c->rip, &vmsa->rip, store);
	copy_word(&c->rsp, &vmsa->rsp, store);
	copy_word(&c->rax, &vmsa->rax, store);
	copy_word(&c->star, &vmsa->star, store);
	copy_word(&c->lstar, &vmsa->lstar, store);
	copy_word(&c->cstar, &vmsa->cstar, store);
	copy_word(&c->sfmask, &vmsa->sfmask, store);
	copy_word(&c->kernel_gs_base, &vmsa->kernel_gs_base, store);
	copy_word(&c->sysenter_cs, &vmsa->sysenter_cs, store);
	copy_word(&c->sysenter_esp, &vmsa->sysenter_esp, store);
	copy_word(&c->sysenter_eip, &vmsa->sysenter_eip, store);
	copy_word(&c->cr2, &vmsa->cr2, store);
	copy_word(&c->g_pat, &vmsa->g_pat, store);
	copy_word(&c->dbgctl, &vmsa->dbgctl, store);
	copy_word(&r->rcx, &vmsa->rcx, store);
	copy_word(&r->rdx, &vmsa->rdx, store);
	copy_word(&r->rbx, &vmsa->rbx, store);
	copy_word(&r->rbp, &vmsa->rbp, store);
	copy_word(&r->rsi, &vmsa->rsi, store);
	copy_word(&r->rdi, &vmsa->rdi, store);
	copy_word(&r->r8, &vmsa->r8, store);
	copy_word(&r->r9, &vmsa->r9, store);
	copy_word(&r->r10, &vmsa->r10, store);
	copy_word(&r->r11, &vmsa->r11, store);
	copy_word(&r->r12, &vmsa->r12, store);
	copy_word(&r->r13, &vmsa->r13, store);
	copy_word(&r->r14, &vmsa->r14, store);
	copy_word(&r->r15, &vmsa->r15, store);
}

/* The guest's own scale and offset are used with Secure TSC alone (APM volume 2, 15.36.18). */
static void load_tsc(struct plane *p, const struct snp_vmsa *vmsa)
{
	bool secure = vmsa->sev_features & SNP_FEATURE_SECURE_TSC;

	p->tsc_scale = secure ? vmsa->tsc_scale & SNP_TSC_SCALE_MASK : SNP_TSC_SCALE_ONE;
	p->vmcb->tsc_offset = secure ? vmsa->tsc_offset : 0;
}

/* With alternate injection the VMSA has its events itself, else what the host kept of them. */
static void load_events(struct plane *p, const struct snp_vmsa *vmsa)
{
	struct vmcb *c = p->vmcb;

	p->vintr = vmsa->vintr_ctrl;
	p->iret_rip = PLANE_NO_RIP;
	if (is_alternate(vmsa)) {
		p->event_inj = (uint32_t)vmsa->event_inj;
		p->event_error = (uint32_t)(vmsa->event_inj >> 32);
		p->int_state = vmsa->vintr_ctrl & SNP_VINTR_SHADOW ? VMCB_INT_STATE_SHADOW : 0;
	}
	c->event_inj = p->event_inj;
	c->event_error = p->event_error;
	c->int_state = p->int_state;
	if (is_alternate(vmsa))
		virtual_nmi_load(p);
}

/* An event that has not arrived yet was cut by this exit, and is for VMPL0 to inject again. */
static void store_alternate(struct plane *p, struct snp_vmsa *vmsa)
{
	const struct vmcb *c = p->vmcb;

	virtual_nmi_store(p);
	vmsa->vintr_ctrl |= p->vintr & ~(SNP_VINTR_TPR_MASK | SNP_VINTR_SHADOW);
	if (c->int_state & VMCB_INT_STATE_SHADOW)
		vmsa->vintr_ctrl |= SNP_VINTR_SHADOW;
	vmsa->event_inj = 0;
	if (!(c->event_inj & SVM_EVENT_VALID))
		return;
	vmsa->exit_int_info = c->event_inj | (uint64_t)c->event_error << 32;
	vmsa->vintr_ctrl |= SNP_VINTR_BUSY;
}

static void load_state(struct plane *p, struct snp_vmsa *vmsa)
{
	struct vmcb *c = p->vmcb;

	copy_state(c, &p->regs, vmsa, false);
	c->cr3 = vmsa->cr3;
	c->cpl = vmsa->cpl;
	c->dr7 = (uint32_t)c->dr7;
	c->dr6 = (uint32_t)c->dr6;
	c->rflags |= X86_RFLAGS_FIXED;
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

static void load_fpu(const struct snp_vmsa *vmsa)
{
	struct fxsave f;

	__asm__ volatile("fxsave64 %0" : "=m"(f)); /* for mxcsr_mask */
	f.fcw = vmsa->x87_fcw;
	f.fsw = vmsa->x87_fsw;
	f.tags = tags_to_bits(vmsa->x87_ftw);
	f.fop = vmsa->x87_fop;
	f.rip = vmsa->x87_rip;
	f.rdp = vmsa->x87_dp;
	f.mxcsr = vmsa->mxcsr & f.mxcsr_mask;
	for (unsigned int i = 0; i < 8; i++)
		memcpy(f.st[i], &vmsa->x87_registers[10 * i], 10);
	memcpy(f.xmm, vmsa->xmm_registers, sizeof(f.xmm));
	__asm__ volatile("fxrstor64 %0" : : "m"(f));
	xstate_load(vmsa);
}

static void store_fpu(struct snp_vmsa *vmsa)
{
	struct fxsave f;

	__asm__ volatile("fxsave64 %0" : "=m"(f));
	vmsa->x87_fcw = f.fcw;
	vmsa->x87_fsw = f.fsw;
	vmsa->x87_ftw = bits_to_tags(f.tags);
	vmsa->x87_fop = f.fop;
	vmsa->x87_rip = f.rip;
	vmsa->x87_dp = f.rdp;
	vmsa->mxcsr = f.mxcsr;
	for (unsigned int i = 0; i < 8; i++)
		memcpy(&vmsa->x87_registers[10 * i], f.st[i], 10);
	memcpy(vmsa->xmm_registers, f.xmm, sizeof(f.xmm));
	xstate_store(vmsa);
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
	return x86_cpuid(1, 0).ecx & CPUID_1_ECX_OSXSAVE;
}

static void load_extended(const struct snp_vmsa *vmsa)
{
	x86_wrmsr(X86_MSR_TSC_AUX, vmsa->tsc_aux);
	/* What a VMSA holds the registers of; AVX without SSE is no value of XCR0. */
	if (has_xcr0()) {
		uint32_t xcr0 = (uint32_t)(vmsa->xcr0 & xstate_features()) | 1;

		if (!(xcr0 & XSTATE_SSE))
			xcr0 = 1;
		__asm__ volatile("xsetbv" : : "a"(xcr0), "d"(0), "c"(0));
	}
}

static void store_extended(struct snp_vmsa *vmsa)
{
	vmsa->tsc_aux = (uint32_t)x86_rdmsr(X86_MSR_TSC_AUX);
	vmsa->xcr0 = xstate_xcr0();
}

struct vmsa_refusal vmsa_load(struct plane *p)
{
	const struct snp_vmsa *page = page_of(p);
	struct snp_vmsa *vmsa = p->aside; /* free: nothing is parked */
	struct vmsa_refusal refusal;

	if (!page)
		return (struct vmsa_refusal){ "no VMSA is there", "" };
	if (is_in_use(p))
		return (struct vmsa_refusal){ "it is in use by another CPU", "" };
	/* Read once: until it is in use, other vCPUs may write the page. */
	memcpy(vmsa, page, sizeof(*vmsa));
	refusal = content_refusal(vmsa);
	if (refusal.what)
		return refusal;
	memset(p->vmcb, 0, sizeof(*p->vmcb));
	load_state(p, vmsa);
	load_fpu(vmsa);
	load_debug(vmsa);
	load_extended(vmsa);
	load_events(p, vmsa);
	p->guest_cr3 = vmsa->cr3;
	p->xss = vmsa->xss;
	p->sev_features = vmsa->sev_features;
	p->cpu_vmpl = vmsa->vmpl;
	p->flat = !(vmsa->cr0 & X86_CR0_PG) || !(vmsa->cr4 & X86_CR4_PAE);
	load_tsc(p, vmsa);
	control_area_reset(p, vmsa->vintr_ctrl);
	set_in_use(p, true);
	p->loaded = true;
	return (struct vmsa_refusal){ 0 };
}

void vmsa_park(struct plane *p)
{
	store_fpu(p->aside);
	store_debug(p->aside);
	store_extended(p->aside);
	p->parked = true;
}

void vmsa_unpark(struct plane *p)
{
	load_fpu(p->aside);
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
	memcpy(vmsa->ymm_registers, aside->ymm_registers, sizeof(vmsa->ymm_registers));
	vmsa->dr0 = aside->dr0;
	vmsa->dr1 = aside->dr1;
	vmsa->dr2 = aside->dr2;
	vmsa->dr3 = aside->dr3;
	vmsa->tsc_aux = aside->tsc_aux;
	vmsa->xcr0 = aside->xcr0;
	p->parked = false;
}

void vmsa_store_remote(struct plane *p)
{
	/* In use until now: neither host nor guest could take the page away. */
	struct snp_vmsa *vmsa = vmsa_in_use(p);

	if (!vmsa)
		hv_panic("VMSA %lx of VMPL %u vanished while in use", p->vmsa_gpa, p->vmpl);
	if (p->parked)
		store_parked(p, vmsa);
	copy_state(p->vmcb, &p->regs, vmsa, true);
	vmsa->cpl = (uint8_t)plane_cpl(p);
	vmsa->cr3 = p->guest_cr3;
	p->event_inj = p->vmcb->event_inj;
	p->event_error = p->vmcb->event_error;
	p->int_state = p->vmcb->int_state;
	vmsa->xss = p->xss;
	vmsa->vintr_ctrl = p->vmcb->int_control & VMCB_INT_V_TPR_MASK;
	vmsa->exit_code = p->last_exit;
	vmsa->exit_info_1 = p->vmcb->exit_info_1;
	vmsa->exit_info_2 = p->vmcb->exit_info_2;
	vmsa->exit_int_info = 0;
	if (plane_is_alternate(p))
		store_alternate(p, vmsa);
	set_in_use(p, false);
	p->loaded = false;
}

void vmsa_store(struct plane *p)
{
	struct snp_vmsa *vmsa = vmsa_in_use(p);

	if (vmsa) {
		store_fpu(vmsa);
		store_debug(vmsa);
		store_extended(vmsa);
	}
	vmsa_store_remote(p);
}
