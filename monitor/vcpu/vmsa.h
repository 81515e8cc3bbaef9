/* SPDX-License-Identifier: MIT */
/* Pages of ours that become VMSAs, of vCPUs at VMPL0 and of the guest's first one. */
#ifndef SOCLE_MONITOR_VCPU_VMSA_H
#define SOCLE_MONITOR_VCPU_VMSA_H

#include "monitor/mem/alloc.h"

/*
 * The exit code of a VMSA that nobody has left yet: VMEXIT_INVALID (APM volume 2, appendix C),
 * which is no exit of a guest that ran.
 */
#define VMSA_NEVER_LEFT UINT64_MAX

/* A page that can become a VMSA; core/snp/vmsa.h fills it. False when memory is out. */
bool vmsa_alloc(struct page_owner *owner, gpa_t *page);

/* Makes the filled page a VMSA in the RMP (RMPADJUST). False when the hardware says no. */
bool vmsa_commit(gpa_t page);

#endif
