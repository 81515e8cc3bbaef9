/* SPDX-License-Identifier: MIT */
/*
 * Translations of the monitor's own tables that this CPU remembers. Those of the guest's pages, on all
 * CPUs, are arch_flush_guest_tlb()'s business.
 */
#ifndef SOCLE_MONITOR_MEM_TLB_H
#define SOCLE_MONITOR_MEM_TLB_H

#include "monitor/base/addr.h"

/* Forgets the translation of one page, global or not. */
void tlb_flush_page(va_t va);

/* Forgets every translation, global ones too. */
void tlb_flush_all(void);

#endif
