/* SPDX-License-Identifier: MIT */
/* Messages of the guest to the AMD-SP, and the certificates that the host adds. */
#ifndef SOCLE_MACHINE_HV_VMGEXIT_GUEST_REQUEST_H
#define SOCLE_MACHINE_HV_VMGEXIT_GUEST_REQUEST_H

#include "machine/hv/vmgexit/call.h"

/* NAE exits GUEST_REQUEST and EXT_GUEST_REQUEST. Drop the big lock while the host answers. */
void guest_request_exit(struct ghcb_call *c);
void guest_request_extended_exit(struct ghcb_call *c);

#endif
