/* SPDX-License-Identifier: MIT */
/*
 * Before every file of the hypervisor, those of core/ among them, to its end: what another file
 * defines is in the same program, so a relative address reaches it (link.ld says how far the
 * program goes) and no table of addresses is needed.
 */
#pragma GCC visibility push(hidden)
