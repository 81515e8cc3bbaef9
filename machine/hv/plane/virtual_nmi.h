/* SPDX-License-Identifier: MIT */
/*
 * NMI virtualization (APM volume 2, 15.21.10) of a plane with alternate injection, by VINTR_CTRL of
 * its VMSA: V_NMI waits, V_NMI_MASK keeps it out from the moment that one is taken until IRET is
 * through. QEMU has none of it, so the IRET that ends a handler makes an exit here.
 */
#ifndef SOCLE_MACHINE_HV_PLANE_VIRTUAL_NMI_H
#define SOCLE_MACHINE_HV_PLANE_VIRTUAL_NMI_H

#include "machine/hv/plane/vcpu.h"

/* The VMSA is loaded: an NMI of EVENTINJ is one that is taken. */
void virtual_nmi_load(struct plane *p);

/* It is about to be stored: an NMI that has not arrived is not taken. */
void virtual_nmi_store(struct plane *p);

/* An IRET that was to make an exit does: it is done once the plane has moved on. */
void virtual_nmi_iret(struct plane *p);

/*
 * Before the plane runs: whether an NMI can be taken now, and has IRET exit where that is to be
 * seen.
 */
bool virtual_nmi_prepare(struct plane *p);

/* Whether one waits that nothing but an IRET that is on its way keeps out. */
bool virtual_nmi_soon(const struct plane *p);

/* Whether one can be taken. */
bool virtual_nmi_pending(const struct plane *p);

/* The plane takes it. */
void virtual_nmi_take(struct plane *p);

#endif
