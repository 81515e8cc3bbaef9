/* SPDX-License-Identifier: MIT */
/* Exceptions and interrupted events of the current plane. #VC is in vc.h. */
#ifndef SOCLE_MACHINE_HV_EVENT_EXCEPTION_H
#define SOCLE_MACHINE_HV_EVENT_EXCEPTION_H

#include "machine/hv/plane/vcpu.h"

/* Raises an exception at the next VMRUN; error only where the vector has one. */
void exception_inject(struct vcpu *v, unsigned int vector, bool has_error, uint32_t error);

/* Stops the machine when another event is still to be delivered. Before any exception. */
void exception_possible(const struct vcpu *v, unsigned int vector);

/* After an exit: an event whose delivery it interrupted is delivered again. */
void exception_keep(struct vmcb *c);

#endif
