/* SPDX-License-Identifier: MIT */
/*
 * The keys between this VM and the AMD-SP. At start they move out of the secrets page, which is
 * wiped; the guest gets only those of its own level and below it.
 */
#ifndef SOCLE_MONITOR_VCPU_SECRETS_H
#define SOCLE_MONITOR_VCPU_SECRETS_H

#include "abi/params.h"
#include "abi/snp.h"

/* Copies the secrets page into the monitor and wipes it. Called once, on the first vCPU. */
void secrets_init(const struct socle_params *params);

/* VMPCK0, SNP_VMPCK_SIZE bytes: for the service with the capability "amd-sp". */
const uint8_t *secrets_vmpck0(void);

/*
 * Writes the guest's secrets page (58019 table 1): VMPCK 0 and 1 are zeros, 2 and 3 its own. Wipes
 * 1, 2 and 3 here.
 */
void secrets_give_guest(const struct socle_params *params, struct snp_secrets *page);

/* Zeroes every key. For die(). */
void secrets_wipe(void);

#endif
