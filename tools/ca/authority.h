/* SPDX-License-Identifier: MIT */
/*
 * A certificate authority in a directory:
 *
 *	ca.key		its private key, PKCS #8, mode 0600
 *	ca.pem		its self-signed certificate
 *	serial		the serial number of the next certificate, decimal; the first is random
 *	issued/N.pem	each certificate that was issued, by its serial number
 *	nonces/HEX	an empty file for each nonce that `socle ca issue` has used up
 */
#ifndef SOCLE_TOOLS_CA_AUTHORITY_H
#define SOCLE_TOOLS_CA_AUTHORITY_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdint.h>

#include "core/base/host/error.h"

struct ca_authority {
	const char *directory;
	EVP_PKEY *key;
	X509 *certificate;
};

/*
 * Makes a new authority with a P-384 key, valid for days. The directory must not exist; it appears
 * whole or not at all.
 */
bool ca_authority_init(const char *directory, const char *name, long days,
		       struct host_error *error);

/* Opens one, for ca_authority_close(). directory must stay valid until then. */
bool ca_authority_open(struct ca_authority *ca, const char *directory, struct host_error *error);
void ca_authority_close(struct ca_authority *ca);

/*
 * Takes a serial number that no other process gets. It is used up even if nothing is issued.
 */
bool ca_authority_take_serial(const struct ca_authority *ca, uint64_t *serial,
			      struct host_error *error);

/* Keeps a copy of what was issued. */
bool ca_authority_record(const struct ca_authority *ca, uint64_t serial, X509 *certificate,
			 struct host_error *error);

/* Uses up a nonce; fails if it was used before. */
bool ca_authority_use_nonce(const struct ca_authority *ca, const uint8_t *nonce, size_t size,
			    struct host_error *error);

#endif
