/* SPDX-License-Identifier: MIT */
/*
 * Port I/O of a guest, done on QEMU's devices. Only ports that are on the list exist: the others
 * read all-ones and swallow writes. A port of the list may belong to VMPL0 alone.
 */
#ifndef SOCLE_MACHINE_HV_VMGEXIT_IOIO_H
#define SOCLE_MACHINE_HV_VMGEXIT_IOIO_H

#include "machine/hv/vmgexit/call.h"

/* NAE exit IOIO: one access, or a string of them through the scratch area. */
void ioport_exit(struct ghcb_call *c);

#endif
