/* SPDX-License-Identifier: MIT */
#include "machine/hv/vmgexit/handlers.h"

#include "machine/hv/base/log.h"

static _Noreturn void terminate(struct vcpu *v, uint64_t set, uint64_t code)
{
	hv_log("VMPL%u of vCPU %u asks for termination: set %lu code 0x%lx, rip %lx", v->current,
	       v->id, set, code, vcpu_plane(v)->vmcb->rip);
	hv_stop(MAILBOX_STOP_GUEST_TERMINATE, v->current, set, code, 0);
}

void nae_terminate(struct ghcb_call *c)
{
	terminate(c->v, c->info_1 & 0xf, c->info_1 >> 4 & 0xff);
}

uint64_t ghcb_msr_terminate(struct vcpu *v, uint64_t request)
{
	terminate(v, request >> GHCB_MSR_TERM_SET_SHIFT & 0xf,
		  request >> GHCB_MSR_TERM_CODE_SHIFT & 0xff);
}

/* The guest could not handle a #VC: the instruction that caused it does not exist for it. */
void nae_unsupported(struct ghcb_call *c)
{
	if (ghcb_refusal_is_news(c->v))
		hv_log("VMPL%u of vCPU %u does not support #VC 0x%lx at %lx", c->p->vmpl, c->v->id,
		       c->info_1, c->p->vmcb->rip);
	ghcb_inject_ud(c);
}
