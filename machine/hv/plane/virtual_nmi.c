/* SPDX-License-Identifier: MIT */
#include "machine/hv/plane/virtual_nmi.h"

#define WAITS (SNP_VINTR_GIF | SNP_VINTR_NMI_ENABLE | SNP_VINTR_NMI)

static bool injects_nmi(const struct plane *p)
{
	return (p->vmcb->event_inj & (SVM_EVENT_VALID | SVM_EVENT_TYPE_MASK)) ==
	       (SVM_EVENT_VALID | SVM_EVENT_TYPE_NMI);
}

/* The IRET is through when the plane is elsewhere; one that faults counts as through, too. */
static void look_at_iret(struct plane *p)
{
	if (p->iret_rip == PLANE_NO_RIP || p->vmcb->rip == p->iret_rip)
		return;
	p->iret_rip = PLANE_NO_RIP;
	p->vintr &= ~SNP_VINTR_NMI_MASK;
}

void virtual_nmi_load(struct plane *p)
{
	if ((p->vintr & SNP_VINTR_NMI_ENABLE) && injects_nmi(p))
		p->vintr |= SNP_VINTR_NMI_MASK;
}

void virtual_nmi_store(struct plane *p)
{
	look_at_iret(p);
	if (injects_nmi(p))
		p->vintr &= ~SNP_VINTR_NMI_MASK;
}

void virtual_nmi_iret(struct plane *p)
{
	p->iret_rip = p->vmcb->rip;
}

bool virtual_nmi_pending(const struct plane *p)
{
	return (p->vintr & WAITS) == WAITS && !(p->vintr & SNP_VINTR_NMI_MASK);
}

bool virtual_nmi_soon(const struct plane *p)
{
	return (p->vintr & WAITS) == WAITS && p->iret_rip != PLANE_NO_RIP;
}

bool virtual_nmi_prepare(struct plane *p)
{
	bool watched;

	look_at_iret(p);
	watched = (p->vintr & SNP_VINTR_NMI_ENABLE) && (p->vintr & SNP_VINTR_NMI_MASK) &&
		  p->iret_rip == PLANE_NO_RIP;
	p->vmcb->intercept_1 &= ~VMCB_INTERCEPT1_IRET;
	if (watched)
		p->vmcb->intercept_1 |= VMCB_INTERCEPT1_IRET;
	return virtual_nmi_pending(p);
}

void virtual_nmi_take(struct plane *p)
{
	p->vintr = (p->vintr & ~SNP_VINTR_NMI) | SNP_VINTR_NMI_MASK;
	p->vmcb->intercept_1 |= VMCB_INTERCEPT1_IRET;
}
