/* SPDX-License-Identifier: MIT */
/*
 * The big lock: guards the RMP, the nested page tables, every vCPU's planes and all platform
 * state. Held from a #VMEXIT to the next VMRUN, but not while a CPU idles. Every function of this
 * folder is called with it held unless its comment says otherwise.
 */
#ifndef SOCLE_MACHINE_HV_BASE_LOCK_H
#define SOCLE_MACHINE_HV_BASE_LOCK_H

void hv_lock(void);
void hv_unlock(void);

#endif
