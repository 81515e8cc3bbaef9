/* SPDX-License-Identifier: MIT */
#include "machine/hv/event/exception.h"

#include "machine/hv/base/log.h"
#include "machine/hv/base/x86.h"

#define EVENT_TYPE_MASK (7u << 8)
#define EVENT_TYPE_SOFTWARE (4u << 8)
#define VECTOR_BP 3u
#define VECTOR_OF 4u
#define FIRST_INTERRUPT 32u

void exception_possible(const struct vcpu *v, unsigned int vector)
{
	const struct vmcb *c = v->planes[v->current].vmcb;

	if (!(c->event_inj & SVM_EVENT_VALID))
		return;
	hv_log("exception %u during delivery of event %x at VMPL %u, RIP %lx", vector, c->event_inj,
	       v->current, c->rip);
	hv_stop(MAILBOX_STOP_SHUTDOWN, v->current, c->rip, 0, 0);
}

void exception_inject(struct vcpu *v, unsigned int vector, bool has_error, uint32_t error)
{
	struct vmcb *c = vcpu_plane(v)->vmcb;

	exception_possible(v, vector);
	c->event_inj = vector | SVM_EVENT_TYPE_EXCEPTION | SVM_EVENT_VALID |
		       (has_error ? SVM_EVENT_ERROR_CODE : 0);
	c->event_error = error;
}

/*
 * QEMU calls every hardware interrupt and NMI an exception there, which VMRUN would refuse. Events
 * that an instruction raised come again by themselves, for RIP is still at that instruction.
 */
void exception_keep(struct vmcb *c)
{
	uint32_t event = c->exit_int_info;
	uint32_t vector = event & SVM_EVENT_VECTOR_MASK;

	c->event_inj = 0;
	if (!(event & SVM_EVENT_VALID) || (event & EVENT_TYPE_MASK) == EVENT_TYPE_SOFTWARE ||
	    vector == VECTOR_BP || vector == VECTOR_OF)
		return;
	event &= ~EVENT_TYPE_MASK;
	if (vector == X86_VECTOR_NMI)
		event |= SVM_EVENT_TYPE_NMI;
	else if (vector < FIRST_INTERRUPT)
		event |= SVM_EVENT_TYPE_EXCEPTION;
	c->event_inj = event;
	c->event_error = c->exit_int_error;
}
