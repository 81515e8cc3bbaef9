/* SPDX-License-Identifier: MIT */
/*
 * What a vTPM and the authority that certifies its keys (socle ca certify) give each other, in
 * files of a folder: KEY.pub, the public area of a key of the profile as a TPM2B_PUBLIC, which is
 * what tpm2-tools write, and KEY.der and platform.der, certificates.
 */
#ifndef SOCLE_TOOLS_VTPM_PROVISION_H
#define SOCLE_TOOLS_VTPM_PROVISION_H

#include "tools/vtpm/device.h"

#define PROVISION_PUBLIC ".pub"
#define PROVISION_CERTIFICATE ".der"
#define PROVISION_PLATFORM "platform"

/* Writes the keys of a vTPM that is off into a folder, which is made if need be. */
bool provision_write_keys(struct vtpm_device *device, const char *folder, struct host_error *error);

/*
 * Takes the certificates of a folder into a vTPM that is off, as far as the profile has NV indices
 * for them, which it must have for one at least. Each must be for the key that its name says, that
 * of the platform for any endorsement key of the profile. All or none.
 */
bool provision_certify(struct vtpm_device *device, const char *folder, struct host_error *error);

#endif
