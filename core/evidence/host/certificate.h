/* SPDX-License-Identifier: MIT */
/*
 * Certificates whose keys are taken apart here. OpenSSL decodes the key of each certificate as it
 * reads it, and for each looks anew through all decoders that it has: of a verdict's time an
 * eighth. What is read here is read by OpenSSL all the same, but for the key, of which it keeps the
 * bytes.
 */
#ifndef SOCLE_CORE_EVIDENCE_HOST_CERTIFICATE_H
#define SOCLE_CORE_EVIDENCE_HOST_CERTIFICATE_H

#include <openssl/bio.h>
#include <openssl/x509.h>
#include <stddef.h>

/*
 * The certificate that all of these bytes are, DER; NULL, with errors in OpenSSL's queue, when they
 * are none. X509_free() frees it. Its key is what certificate_key() says, never X509_get0_pubkey(),
 * nor whatever calls that.
 */
X509 *certificate_read_der(const void *data, size_t size);

/*
 * As certificate_read_der(), of the next certificate in PEM text; what is behind it may be another.
 */
X509 *certificate_read_pem(BIO *bio);

/*
 * The key of a certificate, which was read here or by OpenSSL; it is the certificate's, and lives
 * as long. NULL when it cannot be decoded, as of a point that is not on its curve.
 */
EVP_PKEY *certificate_key(const X509 *certificate);

#endif
