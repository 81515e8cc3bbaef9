/* SPDX-License-Identifier: MIT */
#include "bench/keys.h"

#include <err.h>
#include <string.h>
#include <sys/random.h>

/* Up to unique: restricted signing keys, ECDSA and RSASSA with SHA-256. */
static const uint8_t ecc_head[] = { 0x00, 0x23, 0x00, 0x0b, 0x00, 0x05, 0x00, 0x72, 0x00, 0x00,
				    0x00, 0x10, 0x00, 0x18, 0x00, 0x0b, 0x00, 0x03, 0x00, 0x10 };
static const uint8_t rsa_head[] = { 0x00, 0x01, 0x00, 0x0b, 0x00, 0x05, 0x00, 0x72,
				    0x00, 0x00, 0x00, 0x10, 0x00, 0x14, 0x00, 0x0b,
				    0x08, 0x00, 0x00, 0x00, 0x00, 0x00 };

/* A TPM2B of random bytes. */
static size_t put_random(uint8_t *to, size_t size)
{
	to[0] = (uint8_t)(size >> 8);
	to[1] = (uint8_t)size;
	if (getrandom(to + 2, size, 0) != (ssize_t)size)
		err(2, "getrandom");
	return 2 + size;
}

size_t keys_template(enum keys_kind kind, uint8_t template[KEYS_TEMPLATE_MAX])
{
	size_t size;

	if (kind == KEYS_RSA_2048) {
		memcpy(template, rsa_head, sizeof(rsa_head));
		return sizeof(rsa_head) + put_random(template + sizeof(rsa_head), 256);
	}
	memcpy(template, ecc_head, sizeof(ecc_head));
	size = sizeof(ecc_head) + put_random(template + sizeof(ecc_head), 32);
	return size + put_random(template + size, 32);
}
