/* SPDX-License-Identifier: MIT */
/* Page state changes that the guest asks for (GHCB specification, "SNP Page State Change"). */
#ifndef SOCLE_MACHINE_HV_VMGEXIT_PAGE_STATE_H
#define SOCLE_MACHINE_HV_VMGEXIT_PAGE_STATE_H

#include "machine/hv/vmgexit/call.h"

/* NAE exit: the list at the scratch address. Result in SW_EXITINFO2, progress in the list. */
void psc_exit(struct ghcb_call *c);

/* MSR protocol: one 4 KiB page. False: refused. */
bool psc_page(uint64_t gpa, unsigned int operation);

#endif
