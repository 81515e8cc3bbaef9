/* SPDX-License-Identifier: MIT */
/*
 * TPM 2.0 structures and commands as they are sent (Library specification, parts 1 and 2). What is
 * read is in the bytes it was read from; a reader that goes bad means that something was cut short.
 */
#ifndef SOCLE_CORE_TPM_WIRE_H
#define SOCLE_CORE_TPM_WIRE_H

#include "abi/tpm.h"
#include "core/base/bytes.h"

#define WIRE_HEADER_SIZE 10u /* of a command and of a response: tag, size, code */

/* Bytes of a digest, and of a coordinate on a curve; 0 for an algorithm that is not known here. */
size_t wire_digest_size(uint16_t algorithm);
size_t wire_curve_size(uint16_t curve);

/* A TPM2B: a size and as many bytes. */
const uint8_t *wire_take_sized(struct bytes_reader *r, size_t *size);
void wire_put_sized(struct bytes_writer *w, const void *data, size_t size);

/* A TPMT_PUBLIC of an RSA or ECC key, in the order of its members. */
struct wire_public {
	uint16_t type, name_alg;
	uint32_t attributes;
	const uint8_t *policy;
	size_t policy_size;
	uint16_t symmetric, symmetric_bits, symmetric_mode;
	uint16_t scheme, scheme_hash;
	uint16_t bits;	      /* RSA */
	uint32_t exponent;    /* RSA, 0: 65537 */
	uint16_t curve, kdf;  /* ECC */
	const uint8_t *x, *y; /* RSA: x is the modulus */
	size_t x_size, y_size;
	size_t unique_offset; /* where unique, the last member, starts */
};

enum wire_result {
	WIRE_OK = 0,
	WIRE_TYPE,	/* neither RSA nor ECC */
	WIRE_TRUNCATED, /* ends within the structure */
	WIRE_TRAILING,	/* bytes follow the structure */
};

enum wire_result wire_read_public(struct wire_public *p, const void *data, size_t size);

/* The start of a TPMS_ATTEST; what its type makes of the rest is still to be read. */
struct wire_attest {
	uint16_t type; /* TPM_ST_ATTEST_*; 0 for bytes that no TPM made */
	const uint8_t *signer, *extra;
	size_t signer_size, extra_size;
};
void wire_take_attest(struct bytes_reader *r, struct wire_attest *attest);

/* Starts a command in the room of w; wire_end() fills in its size. */
void wire_begin(struct bytes_writer *w, uint16_t tag, uint32_t code);
void wire_end(struct bytes_writer *w);

/* An authorization area of one password, and of an empty one. */
void wire_put_password(struct bytes_writer *w, const void *password, size_t size);
void wire_put_empty_password(struct bytes_writer *w);

/* One TPMS_PCR_SELECTION; bit n of mask is PCR n. */
void wire_put_pcrs(struct bytes_writer *w, uint16_t bank, uint32_t mask);

/* The code of a command or a response, behind whose header r is then. */
uint32_t wire_take_header(struct bytes_reader *r);

#endif
