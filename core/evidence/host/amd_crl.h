/* SPDX-License-Identifier: MIT */
/*
 * The revocation lists that AMD publishes for each product (57230: /vcek/v1/PRODUCT/crl and
 * /vlek/v1/PRODUCT/crl), signed by the ARK.
 *
 * A list names what its issuer issued, so these name ASKs and ASVKs. AMD's VCEKs and VLEKs all have
 * the serial number 0 and are replaced by others for a higher TCB, not revoked; one that is revoked
 * all the same stands in such a list with its issuer's name (RFC 5280, 5.3.3).
 */
#ifndef SOCLE_CORE_EVIDENCE_HOST_AMD_CRL_H
#define SOCLE_CORE_EVIDENCE_HOST_AMD_CRL_H

#include "core/evidence/host/amd_chain.h"

#define AMD_CRLS_MAX 16u

/*
 * Adds all lists of PEM or DER bytes to *lists, which may be NULL at first and which the caller
 * frees with sk_X509_CRL_pop_free(). NULL, or what is wrong as a constant string; then some of them
 * may have been added.
 */
const char *amd_crl_read(STACK_OF(X509_CRL) * *lists, const void *data, size_t size);

/*
 * At least one list is by the chain's root; all of those are signed as AMD signs, are in force at
 * that time, have no extension that is critical and not known, and revoke no certificate of the
 * chain. Lists by others are passed over. NULL, or what is wrong as a constant string.
 */
const char *amd_crl_error(const struct amd_chain *chain, STACK_OF(X509_CRL) * lists, time_t at);

/*
 * A list is by this root, in force at that time, whole, and has no critical extension that is not
 * known. Which certificates are in it is not looked at.
 */
const char *amd_crl_list_error(const X509 *root, X509_CRL *list, time_t at);

#endif
