/* SPDX-License-Identifier: MIT */
/*
 * The compacted format of extended state, which QEMU does not know: XSAVEC, XSAVES and XRSTORS
 * raise #UD there, and XRSTOR of a compacted area #GP. With x87, SSE and AVX alone both formats
 * have each component at the same place (APM volume 2, 11.5.2 and 11.5.7), so the CPU's own XSAVE
 * and XRSTOR do the work.
 */
#include <string.h>

#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"
#include "machine/hv/event/exception.h"
#include "machine/hv/event/vc.h"
#include "machine/hv/insn/fetch.h"
#include "machine/hv/insn/handlers.h"
#include "machine/hv/plane/walk.h"
#include "machine/hv/plane/xstate.h"

#define CR0_TS (1ull << 3)
#define CR4_OSXSAVE (1ull << 18)
#define COMPACTED (1ull << 63)
#define MXCSR_RESET 0x1f80u
#define AREA_ALIGNMENT 64u
#define VECTOR_NM 7u
#define VECTOR_SS 12u

/* One such instruction under way. */
struct xsave {
	struct vcpu *v;
	const struct insn *insn;
	uint64_t linear;
	uint64_t mask;	     /* components that it is about, of those in XCR0 */
	unsigned int access; /* WALK_USER */
	struct xstate_area area;
};

static void general_protection(struct vcpu *v)
{
	exception_inject(v, X86_VECTOR_GP, true, 0);
}

/* The faults of an access that the walk refused. */
static void access_fault(struct vcpu *v, const struct walk_result *r)
{
	if (r->status == WALK_NPF) {
		if (walk_fault(v, r) == WALK_NOT_VALIDATED)
			vc_raise(v, VC_PAGE_NOT_VALIDATED);
		return;
	}
	vcpu_plane(v)->vmcb->cr2 = r->linear;
	exception_inject(v, X86_VECTOR_PF, true, r->error);
}

static bool transfer(struct xsave *x, size_t size, bool write)
{
	struct walk_result r = write ? walk_write(x->v, x->linear, &x->area, size, x->access)
				     : walk_read(x->v, x->linear, &x->area, size, x->access);

	if (r.status == WALK_OK)
		return true;
	access_fault(x->v, &r);
	return false;
}

static size_t size_of(uint64_t components)
{
	return components & XSTATE_AVX ? XSTATE_SIZE_MAX : XSTATE_AVX_OFFSET;
}

/* What comes before any access to memory. False: the guest has its fault. */
static bool begin(struct xsave *x)
{
	struct plane *p = vcpu_plane(x->v);
	bool privileged = x->insn->kind == INSN_XSAVES || x->insn->kind == INSN_XRSTORS;
	bool saves = x->insn->kind == INSN_XSAVEC || x->insn->kind == INSN_XSAVES;

	if (!hv_mailbox()->xsave || !(p->vmcb->cr4 & CR4_OSXSAVE)) {
		exception_inject(x->v, X86_VECTOR_UD, false, 0);
		return false;
	}
	if (p->vmcb->cr0 & CR0_TS) {
		exception_inject(x->v, VECTOR_NM, false, 0);
		return false;
	}
	if (privileged && plane_cpl(p) != 0) {
		general_protection(x->v);
		return false;
	}
	x->mask = (uint32_t)p->vmcb->rax | p->regs.rdx << 32;
	x->mask &= xstate_xcr0() & xstate_features();
	x->access = plane_cpl(p) == 3 ? WALK_USER : 0;
	if (!insn_linear(x->v, x->insn, saves ? size_of(x->mask) : XSTATE_AVX_OFFSET, &x->linear)) {
		exception_inject(x->v, x->insn->address.on_stack ? VECTOR_SS : X86_VECTOR_GP, true,
				 0);
		return false;
	}
	if (x->linear % AREA_ALIGNMENT) {
		general_protection(x->v);
		return false;
	}
	return true;
}

static void save(struct xsave *x)
{
	size_t size = size_of(x->mask);

	/* Components that are not asked for stay as they are. A read here has to be a write. */
	x->access |= WALK_WRITE;
	if (!transfer(x, size, false))
		return;
	xstate_save(&x->area, x->mask, x->insn->wide);
	x->area.xstate_bv = x->mask;
	x->area.xcomp_bv = x->mask | COMPACTED;
	if (transfer(x, size, true))
		insn_skip(x->v, x->insn->length);
}

/* The header of a compacted area (APM volume 4, XRSTORS). */
static bool header_legal(const struct xstate_area *area)
{
	static const uint8_t zeros[sizeof(area->reserved_210)];
	uint64_t components = area->xcomp_bv & ~COMPACTED;

	return (area->xcomp_bv & COMPACTED) &&
	       !(components & ~(xstate_xcr0() & xstate_features())) &&
	       !(area->xstate_bv & ~components) &&
	       memcmp(area->reserved_210, zeros, sizeof(zeros)) == 0;
}

/*
 * XRSTOR takes MXCSR with AVX, too, and does not reset it with SSE: the compacted format does it
 * the other way round. False: reserved bits.
 */
static bool settle_mxcsr(struct xsave *x)
{
	uint8_t *at = &x->area.legacy[XSTATE_MXCSR_OFFSET];
	struct {
		uint8_t bytes[512];
	} __attribute__((aligned(16))) image;
	uint32_t mxcsr, mask;

	__asm__ volatile("fxsave64 %0" : "=m"(image));
	memcpy(&mask, &image.bytes[XSTATE_MXCSR_OFFSET + 4], sizeof(mask));
	memcpy(&mxcsr, at, sizeof(mxcsr));
	if (!(x->mask & XSTATE_SSE))
		memcpy(&mxcsr, &image.bytes[XSTATE_MXCSR_OFFSET], sizeof(mxcsr));
	else if (!(x->area.xstate_bv & XSTATE_SSE))
		mxcsr = MXCSR_RESET;
	if (mxcsr & ~mask)
		return false;
	memcpy(at, &mxcsr, sizeof(mxcsr));
	return true;
}

static void restore(struct xsave *x)
{
	if (!transfer(x, XSTATE_AVX_OFFSET, false))
		return;
	if (!header_legal(&x->area) || ((x->area.xcomp_bv & XSTATE_AVX) &&
					!insn_linear(x->v, x->insn, XSTATE_SIZE_MAX, &x->linear))) {
		general_protection(x->v);
		return;
	}
	if (!transfer(x, size_of(x->area.xcomp_bv), false))
		return;
	/* Another vCPU may have written it meanwhile: what was read last is what counts. */
	if (!header_legal(&x->area) || !settle_mxcsr(x)) {
		general_protection(x->v);
		return;
	}
	x->area.xcomp_bv = 0;
	xstate_restore(&x->area, x->mask, x->insn->wide);
	insn_skip(x->v, x->insn->length);
}

void insn_xsave(struct vcpu *v, const struct insn *insn)
{
	struct xsave x = { .v = v, .insn = insn };

	if (!begin(&x))
		return;
	if (insn->kind == INSN_XSAVEC || insn->kind == INSN_XSAVES)
		save(&x);
	else
		restore(&x);
}

/*
 * Whether a fault that comes while this event is delivered makes a double fault (volume 2, 8.2.9).
 */
static bool is_contributory(uint32_t event)
{
	uint32_t vector = event & SVM_EVENT_VECTOR_MASK;

	return (event & SVM_EVENT_TYPE_EXCEPTION) == SVM_EVENT_TYPE_EXCEPTION &&
	       (vector == 0 || (vector >= 10 && vector <= 14));
}

/* #GP of the guest, which we see only where XRSTOR may be the cause. */
void insn_general_protection(struct vcpu *v)
{
	struct vmcb *c = vcpu_plane(v)->vmcb;
	uint32_t error = (uint32_t)c->exit_info_1;
	uint32_t event = c->event_inj;
	struct insn insn;

	if (event & SVM_EVENT_VALID) {
		/* A fault while #DF is delivered is a shutdown (APM volume 2, 8.2.9). */
		if ((event & SVM_EVENT_VECTOR_MASK) == X86_VECTOR_DF)
			exception_possible(v, X86_VECTOR_GP);
		c->event_inj = 0;
		exception_inject(v, is_contributory(event) ? X86_VECTOR_DF : X86_VECTOR_GP, true,
				 is_contributory(event) ? 0 : error);
		return;
	}
	insn = insn_fetch(v);
	if (insn.kind == INSN_XRSTOR && error == 0)
		insn_xsave(v, &insn);
	else
		exception_inject(v, X86_VECTOR_GP, true, error);
}
