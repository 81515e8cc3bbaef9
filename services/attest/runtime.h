/* SPDX-License-Identifier: MIT */
/*
 * Runtime data in the form of Azure's paravisor (docs/profiles.md): what a report says of a key and
 * of 64 bytes of its asker's. It is made here, so that whoever asks can name nothing else.
 */
#ifndef SOCLE_SERVICES_ATTEST_RUNTIME_H
#define SOCLE_SERVICES_ATTEST_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#define RUNTIME_MAX 1024u /* bytes of JSON, for the longest key */

/*
 * Makes the runtime data for a request: struct attest_runtime, TPMT_PUBLIC. The key has to be a
 * whole RSA key for quotes that may be attested. NULL, or what is wrong.
 */
const char *runtime_make(const uint8_t *payload, size_t payload_size, char text[RUNTIME_MAX],
			 size_t *size);

#endif
