/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The configfs interface to the SVSM's extended attestation. */
#ifndef SOCLE_GUEST_MODULE_ATTEST_H
#define SOCLE_GUEST_MODULE_ATTEST_H

/*
 * Makes svsm/attest in configfs. -EOPNOTSUPP when the SVSM does not speak version 2 of the
 * attestation protocol, and whatever configfs says.
 */
int attest_init(void);

/* Only after attest_init() returned 0. */
void attest_exit(void);

#endif
