/* SPDX-License-Identifier: MIT */
/*
 * The host's side of a guest's APIC: the descriptor of a VMPL in the #HV doorbell page (GHCB
 * specification, "#HV doorbell page"), memory that the host shares and may write at any time. Every
 * field is taken by one atomic exchange, and nothing in it is believed beyond
 * apic_host_interrupt().
 */
#ifndef SOCLE_MONITOR_APIC_HOST_H
#define SOCLE_MONITOR_APIC_HOST_H

#include "abi/ghcb.h"
#include "monitor/apic/apic.h"

/*
 * Takes over what the host has raised. An NMI or a machine check of the host's is dropped: the
 * guest has no way to allow them.
 */
void apic_host_collect(struct apic *a, struct ghcb_doorbell_vmpl *d);

/*
 * Gives the APIC to the host, which goes on with IRR, ISR and NMI from here once it is told to
 * (DISABLE_ALT_INJ). What the host raised meanwhile stays for it.
 */
void apic_host_hand_over(const struct apic *a, struct ghcb_doorbell_vmpl *d);

#endif
