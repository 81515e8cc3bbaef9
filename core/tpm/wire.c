/* SPDX-License-Identifier: MIT */
#include "core/tpm/wire.h"

#define PCR_BYTES (TPM_PCR_COUNT / 8)
#define CLOCK_INFO_SIZE 17u /* clock, two counters, safe */
#define SIZE_OFFSET 2u	    /* of its size in a command */

size_t wire_digest_size(uint16_t algorithm)
{
	switch (algorithm) {
	case TPM_ALG_SHA1:
		return 20;
	case TPM_ALG_SHA256:
		return 32;
	case TPM_ALG_SHA384:
		return 48;
	case TPM_ALG_SHA512:
		return 64;
	default:
		return 0;
	}
}

size_t wire_curve_size(uint16_t curve)
{
	switch (curve) {
	case TPM_ECC_P256:
		return 32;
	case TPM_ECC_P384:
		return 48;
	case TPM_ECC_P521:
		return 66;
	default:
		return 0;
	}
}

const uint8_t *wire_take_sized(struct bytes_reader *r, size_t *size)
{
	*size = bytes_be16(r);
	return bytes_take(r, *size);
}

void wire_put_sized(struct bytes_writer *w, const void *data, size_t size)
{
	bytes_put_be16(w, (uint16_t)size);
	bytes_put(w, data, size);
}

static void read_symmetric(struct bytes_reader *r, struct wire_public *p)
{
	p->symmetric = bytes_be16(r);
	if (p->symmetric == TPM_ALG_NULL)
		return;
	p->symmetric_bits = bytes_be16(r);
	p->symmetric_mode = bytes_be16(r);
}

static void read_scheme(struct bytes_reader *r, struct wire_public *p)
{
	p->scheme = bytes_be16(r);
	if (p->scheme != TPM_ALG_NULL)
		p->scheme_hash = bytes_be16(r);
}

static void read_rsa(struct bytes_reader *r, struct wire_public *p)
{
	p->bits = bytes_be16(r);
	p->exponent = bytes_be32(r);
	p->unique_offset = r->pos;
	p->x = wire_take_sized(r, &p->x_size);
}

static void read_ecc(struct bytes_reader *r, struct wire_public *p)
{
	p->curve = bytes_be16(r);
	p->kdf = bytes_be16(r);
	if (p->kdf != TPM_ALG_NULL)
		bytes_be16(r); /* its hash */
	p->unique_offset = r->pos;
	p->x = wire_take_sized(r, &p->x_size);
	p->y = wire_take_sized(r, &p->y_size);
}

enum wire_result wire_read_public(struct wire_public *p, const void *data, size_t size)
{
	struct bytes_reader r = bytes_reader_init(data, size);

	*p = (struct wire_public){ .type = bytes_be16(&r) };
	if (r.bad)
		return WIRE_TRUNCATED;
	if (p->type != TPM_ALG_RSA && p->type != TPM_ALG_ECC)
		return WIRE_TYPE;
	p->name_alg = bytes_be16(&r);
	p->attributes = bytes_be32(&r);
	p->policy = wire_take_sized(&r, &p->policy_size);
	read_symmetric(&r, p);
	read_scheme(&r, p);
	if (p->type == TPM_ALG_RSA)
		read_rsa(&r, p);
	else
		read_ecc(&r, p);
	if (r.bad)
		return WIRE_TRUNCATED;
	return bytes_complete(&r) ? WIRE_OK : WIRE_TRAILING;
}

void wire_take_attest(struct bytes_reader *r, struct wire_attest *attest)
{
	*attest = (struct wire_attest){ 0 };
	if (bytes_be32(r) != TPM_GENERATED_VALUE)
		return;
	attest->type = bytes_be16(r);
	attest->signer = wire_take_sized(r, &attest->signer_size);
	attest->extra = wire_take_sized(r, &attest->extra_size);
	bytes_take(r, CLOCK_INFO_SIZE);
	bytes_be64(r); /* firmware version */
}

void wire_begin(struct bytes_writer *w, uint16_t tag, uint32_t code)
{
	w->size = 0;
	w->bad = false;
	bytes_put_be16(w, tag);
	bytes_put_be32(w, 0);
	bytes_put_be32(w, code);
}

void wire_end(struct bytes_writer *w)
{
	size_t size = w->size;

	w->size = SIZE_OFFSET;
	bytes_put_be32(w, (uint32_t)size);
	w->size = size;
}

void wire_put_password(struct bytes_writer *w, const void *password, size_t size)
{
	bytes_put_be32(w, (uint32_t)(9 + size)); /* bytes that follow */
	bytes_put_be32(w, TPM_RS_PW);
	bytes_put_zeros(w, 2 + 1); /* nonce, attributes */
	wire_put_sized(w, password, size);
}

void wire_put_empty_password(struct bytes_writer *w)
{
	wire_put_password(w, NULL, 0);
}

void wire_put_pcrs(struct bytes_writer *w, uint16_t bank, uint32_t mask)
{
	bytes_put_be16(w, bank);
	bytes_put_u8(w, PCR_BYTES);
	for (unsigned int i = 0; i < PCR_BYTES; i++)
		bytes_put_u8(w, (uint8_t)(mask >> 8 * i));
}

uint32_t wire_take_header(struct bytes_reader *r)
{
	bytes_be16(r); /* tag */
	bytes_be32(r); /* size */
	return bytes_be32(r);
}
