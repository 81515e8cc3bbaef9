/* SPDX-License-Identifier: MIT */
/*
 * Before every file of the hypervisor: what another file defines is in the same program, so a
 * relative address reaches it and no table of addresses is needed.
 */
#pragma GCC visibility push(hidden)
