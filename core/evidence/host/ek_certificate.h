/* SPDX-License-Identifier: MIT */
/* Certificates of endorsement keys (TCG EK Credential Profile), verified against given CAs. */
#ifndef SOCLE_CORE_EVIDENCE_HOST_EK_CERTIFICATE_H
#define SOCLE_CORE_EVIDENCE_HOST_EK_CERTIFICATE_H

#include <openssl/x509.h>
#include <stddef.h>
#include <time.h>

/*
 * NULL when the certificate was issued by an authority that leads to a self-signed one of ca (PEM,
 * all of whose certificates are trusted), is valid at that time, is not a CA's, and is for an
 * endorsement key if it says what it is for. Otherwise what is wrong, as a constant string.
 */
const char *ek_certificate_error(X509 *certificate, STACK_OF(X509) * ca, time_t at);

/*
 * One certificate from PEM or DER bytes, the first of several in PEM; NULL when it cannot be read.
 */
X509 *ek_certificate_read(const void *data, size_t size);

/* All certificates of PEM text, or the one of DER; NULL when there is none. */
STACK_OF(X509) * ek_certificate_read_ca(const void *data, size_t size);

#endif
