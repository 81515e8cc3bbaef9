/* SPDX-License-Identifier: MIT */
/* AES-256-GCM for guests of a few pages: one block at a time, without tables. */
#ifndef SOCLE_TESTS_MACHINE_GCM_H
#define SOCLE_TESTS_MACHINE_GCM_H

#include <stddef.h>
#include <stdint.h>

struct gcm_message {
	const uint8_t *key; /* 32 bytes */
	const uint8_t *iv;  /* 12 bytes */
	const uint8_t *aad;
	size_t aad_size;
	uint8_t *text; /* encrypted, or decrypted, where it is */
	size_t text_size;
};

/* Encrypts or decrypts the text, and computes the tag of the ciphertext. */
void gcm_seal(const struct gcm_message *m, uint8_t tag[16]);
void gcm_open(const struct gcm_message *m, uint8_t tag[16]);

#endif
