/* SPDX-License-Identifier: MIT */
/* Pages of ours that become VMSAs, of vCPUs at VMPL0 and of the guest's first one. */
#ifndef SOCLE_MONITOR_VCPU_VMSA_H
#define SOCLE_MONITOR_VCPU_VMSA_H

#include "monitor/mem/alloc.h"

/* A page that can become a VMSA; core/snp/vmsa.h fills it. False when memory is out. */
bool vmsa_alloc(struct page_owner *owner, gpa_t *page);

/* Makes the filled page a VMSA in the RMP (RMPADJUST). False when the hardware says no. */
bool vmsa_commit(gpa_t page);

#endif
