/* SPDX-License-Identifier: MIT */
/* FIPS 197 and NIST SP 800-38D. Its judge is the AMD-SP, which opens what this seals. */
#include "tests/machine/rules/gcm.h"

#include <stdbool.h>
#include <string.h>

#define ROUNDS 14u

struct aes {
	uint8_t sbox[256];
	uint8_t keys[16 * (ROUNDS + 1)];
};

struct ghash {
	uint8_t h[16], y[16];
};

static uint8_t times_2(uint8_t a)
{
	return (uint8_t)(a << 1 ^ (a >> 7) * 0x1b);
}

static uint8_t rotate(uint8_t a, unsigned int bits)
{
	return (uint8_t)(a << bits | a >> (8 - bits));
}

/* Walks through all of the field by a generator, 3, and its inverse. */
static void make_sbox(uint8_t sbox[256])
{
	uint8_t p = 1, q = 1;

	do {
		p = (uint8_t)(p ^ times_2(p));
		q ^= (uint8_t)(q << 1);
		q ^= (uint8_t)(q << 2);
		q ^= (uint8_t)(q << 4);
		q ^= (uint8_t)((q >> 7) * 0x09);
		sbox[p] = (uint8_t)(q ^ rotate(q, 1) ^ rotate(q, 2) ^ rotate(q, 3) ^ rotate(q, 4) ^
				    0x63);
	} while (p != 1);
	sbox[0] = 0x63;
}

static void aes_start(struct aes *a, const uint8_t key[32])
{
	uint8_t constant = 1;

	make_sbox(a->sbox);
	memcpy(a->keys, key, 32);
	for (unsigned int i = 32; i < sizeof(a->keys); i += 4) {
		uint8_t t[4];

		memcpy(t, a->keys + i - 4, 4);
		if (i % 32 == 0) {
			uint8_t first = t[0];

			t[0] = (uint8_t)(a->sbox[t[1]] ^ constant);
			t[1] = a->sbox[t[2]];
			t[2] = a->sbox[t[3]];
			t[3] = a->sbox[first];
			constant = times_2(constant);
		} else if (i % 32 == 16) {
			for (unsigned int n = 0; n < 4; n++)
				t[n] = a->sbox[t[n]];
		}
		for (unsigned int n = 0; n < 4; n++)
			a->keys[i + n] = a->keys[i + n - 32] ^ t[n];
	}
}

static void mix_columns(uint8_t s[16])
{
	for (unsigned int i = 0; i < 16; i += 4) {
		uint8_t *c = s + i, first = c[0], all = c[0] ^ c[1] ^ c[2] ^ c[3];

		for (unsigned int n = 0; n < 4; n++) {
			uint8_t next = n == 3 ? first : c[n + 1];

			c[n] ^= (uint8_t)(all ^ times_2(c[n] ^ next));
		}
	}
}

static void aes_block(const struct aes *a, const uint8_t in[16], uint8_t out[16])
{
	uint8_t s[16], t[16];

	for (unsigned int i = 0; i < 16; i++)
		s[i] = in[i] ^ a->keys[i];
	for (unsigned int round = 1; round <= ROUNDS; round++) {
		for (unsigned int i = 0; i < 16; i++)
			t[i] = a->sbox[s[(i * 5) % 16]]; /* shifted rows */
		if (round < ROUNDS)
			mix_columns(t);
		for (unsigned int i = 0; i < 16; i++)
			s[i] = t[i] ^ a->keys[16 * round + i];
	}
	memcpy(out, s, 16);
}

/* y = (y ^ block) * h in GF(2^128), bit by bit. */
static void ghash_block(struct ghash *g, const uint8_t *block, size_t size)
{
	uint8_t z[16] = { 0 }, v[16];

	for (size_t i = 0; i < size; i++)
		g->y[i] ^= block[i];
	memcpy(v, g->h, 16);
	for (unsigned int bit = 0; bit < 128; bit++) {
		uint8_t low = v[15] & 1;

		if (g->y[bit / 8] >> (7 - bit % 8) & 1)
			for (unsigned int i = 0; i < 16; i++)
				z[i] ^= v[i];
		for (unsigned int i = 15; i > 0; i--)
			v[i] = (uint8_t)(v[i] >> 1 | v[i - 1] << 7);
		v[0] = (uint8_t)(v[0] >> 1 ^ low * 0xe1);
	}
	memcpy(g->y, z, 16);
}

static void ghash(struct ghash *g, const uint8_t *data, size_t size)
{
	for (size_t at = 0; at < size; at += 16)
		ghash_block(g, data + at, size - at < 16 ? size - at : 16);
}

static void count_up(uint8_t counter[16])
{
	for (unsigned int i = 15; i >= 12 && ++counter[i] == 0; i--)
		;
}

static void crypt(const struct gcm_message *m, bool seal, uint8_t tag[16])
{
	uint8_t counter[16] = { 0 }, stream[16], lengths[16] = { 0 }, zero[16] = { 0 };
	static struct aes a; /* one vCPU at a time makes messages */
	struct ghash g = { .y = { 0 } };

	aes_start(&a, m->key);
	aes_block(&a, zero, g.h);
	memcpy(counter, m->iv, 12);
	counter[15] = 1;
	aes_block(&a, counter, tag);
	ghash(&g, m->aad, m->aad_size);
	if (!seal)
		ghash(&g, m->text, m->text_size);
	for (size_t i = 0; i < m->text_size; i++) {
		if (i % 16 == 0) {
			count_up(counter);
			aes_block(&a, counter, stream);
		}
		m->text[i] ^= stream[i % 16];
	}
	if (seal)
		ghash(&g, m->text, m->text_size);
	for (unsigned int i = 0; i < 4; i++) { /* sizes in bits, below 2^32 */
		lengths[7 - i] = (uint8_t)(m->aad_size * 8 >> 8 * i);
		lengths[15 - i] = (uint8_t)(m->text_size * 8 >> 8 * i);
	}
	ghash(&g, lengths, 16);
	for (unsigned int i = 0; i < 16; i++)
		tag[i] ^= g.y[i];
}

void gcm_seal(const struct gcm_message *m, uint8_t tag[16])
{
	crypt(m, true, tag);
}

void gcm_open(const struct gcm_message *m, uint8_t tag[16])
{
	crypt(m, false, tag);
}
