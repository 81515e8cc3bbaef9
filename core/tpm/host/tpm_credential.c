/* SPDX-License-Identifier: MIT */
#include "core/tpm/host/tpm_credential.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <string.h>

/* Of a file of tpm2-tools (lib/files.c there). */
#define FILE_MAGIC 0xbadcc0deu
#define FILE_VERSION 1u

#define DIGEST_MAX 64u
#define COORDINATE_MAX 66u
#define LABEL "IDENTITY" /* with its NUL */

struct making {
	const struct wire_public *storage;
	const struct tpm_name *object;
	const EVP_MD *md;
	size_t digest;		  /* bytes of md's */
	uint8_t seed[DIGEST_MAX]; /* as many */
};

/* KDFa (part 1, 11.4.10.2) of one digest at most: counter, label and its NUL, context, bits. */
static bool kdfa(const struct making *m, const char *label, const struct tpm_name *context,
		 size_t bits, uint8_t key[DIGEST_MAX])
{
	uint8_t data[4 + 16 + TPM_NAME_MAX + 4];
	struct bytes_writer w = bytes_writer_init(data, sizeof(data));
	unsigned int size = 0;

	bytes_put_be32(&w, 1);
	bytes_put(&w, label, strlen(label) + 1);
	if (context)
		bytes_put(&w, context->bytes, context->size);
	bytes_put_be32(&w, (uint32_t)bits);
	return !w.bad && bits <= 8 * m->digest &&
	       HMAC(m->md, m->seed, (int)m->digest, data, w.size, key, &size) && size == m->digest;
}

/* KDFe (part 1, 11.4.10.3) of one digest: counter, Z, label and its NUL, both keys' x. */
static bool kdfe(struct making *m, const uint8_t *z, const uint8_t *ephemeral_x, const uint8_t *x,
		 size_t size)
{
	uint8_t data[4 + sizeof(LABEL) + 3 * COORDINATE_MAX];
	struct bytes_writer w = bytes_writer_init(data, sizeof(data));
	bool ok;

	bytes_put_be32(&w, 1);
	bytes_put(&w, z, size);
	bytes_put(&w, LABEL, sizeof(LABEL));
	bytes_put(&w, ephemeral_x, size);
	bytes_put(&w, x, size);
	ok = !w.bad && EVP_Digest(data, w.size, m->seed, NULL, m->md, NULL) == 1;
	OPENSSL_cleanse(data, sizeof(data));
	return ok;
}

/* A random seed under RSAES-OAEP with the name algorithm (part 1, B.10.4). */
static bool share_by_rsa(struct making *m, EVP_PKEY *key, struct bytes_writer *out)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	unsigned char *label = OPENSSL_memdup(LABEL, sizeof(LABEL));
	uint8_t encrypted[512];
	size_t size = sizeof(encrypted);
	bool ok = context && label && RAND_priv_bytes(m->seed, (int)m->digest) == 1 &&
		  EVP_PKEY_encrypt_init(context) == 1 &&
		  EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
		  EVP_PKEY_CTX_set_rsa_oaep_md(context, m->md) == 1 &&
		  EVP_PKEY_CTX_set_rsa_mgf1_md(context, m->md) == 1;

	/* The context takes the label. */
	if (ok && EVP_PKEY_CTX_set0_rsa_oaep_label(context, label, sizeof(LABEL)) == 1)
		label = NULL;
	ok = ok && !label && EVP_PKEY_encrypt(context, encrypted, &size, m->seed, m->digest) == 1;
	if (ok)
		wire_put_sized(out, encrypted, size);
	OPENSSL_free(label);
	EVP_PKEY_CTX_free(context);
	return ok;
}

static bool derive(EVP_PKEY *key, EVP_PKEY *peer, uint8_t *z, size_t size)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	size_t length = size;
	bool ok = context && EVP_PKEY_derive_init(context) == 1 &&
		  EVP_PKEY_derive_set_peer(context, peer) == 1 &&
		  EVP_PKEY_derive(context, z, &length) == 1 && length == size;

	EVP_PKEY_CTX_free(context);
	return ok;
}

/* The coordinates of a key, each as long as its curve's. */
static bool point_of(const EVP_PKEY *key, uint8_t *x, uint8_t *y, size_t size)
{
	uint8_t point[1 + 2 * COORDINATE_MAX];
	size_t length = 0;

	if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
					    &length) != 1 ||
	    length != 1 + 2 * size || point[0] != 0x04)
		return false;
	memcpy(x, point + 1, size);
	memcpy(y, point + 1 + size, size);
	return true;
}

/*
 * A key of the storage key's curve, whose public half, a TPMS_ECC_POINT, is what is sent (part 1,
 * C.6.4).
 */
static bool share_by_ecc(struct making *m, EVP_PKEY *peer, struct bytes_writer *out)
{
	uint8_t z[COORDINATE_MAX], x[2][COORDINATE_MAX], y[2][COORDINATE_MAX];
	uint8_t point[4 + 2 * COORDINATE_MAX];
	struct bytes_writer w = bytes_writer_init(point, sizeof(point));
	size_t size = wire_curve_size(m->storage->curve);
	EVP_PKEY *ephemeral = EVP_EC_gen(tpm_curve_name(m->storage->curve));
	bool ok = ephemeral && size && size <= COORDINATE_MAX && derive(ephemeral, peer, z, size) &&
		  point_of(ephemeral, x[0], y[0], size) && point_of(peer, x[1], y[1], size) &&
		  kdfe(m, z, x[0], x[1], size);

	if (ok) {
		wire_put_sized(&w, x[0], size);
		wire_put_sized(&w, y[0], size);
		wire_put_sized(out, point, w.size);
	}
	OPENSSL_cleanse(z, sizeof(z));
	EVP_PKEY_free(ephemeral);
	return ok && !w.bad;
}

static const EVP_CIPHER *cipher_of(const struct wire_public *storage)
{
	if (storage->symmetric != TPM_ALG_AES || storage->symmetric_mode != TPM_ALG_CFB)
		return NULL;
	return storage->symmetric_bits == 128	? EVP_aes_128_cfb128()
	       : storage->symmetric_bits == 192 ? EVP_aes_192_cfb128()
	       : storage->symmetric_bits == 256 ? EVP_aes_256_cfb128()
						: NULL;
}

/* The secret, a TPM2B, with an IV of zeros: the key is for this once. */
static bool encrypt(const struct making *m, uint8_t *data, size_t size)
{
	static const uint8_t iv[16];
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t key[DIGEST_MAX];
	int length = 0;
	bool ok = context && kdfa(m, "STORAGE", m->object, m->storage->symmetric_bits, key) &&
		  EVP_EncryptInit_ex(context, cipher_of(m->storage), NULL, key, iv) == 1 &&
		  EVP_EncryptUpdate(context, data, &length, data, (int)size) == 1 &&
		  length == (int)size;

	EVP_CIPHER_CTX_free(context);
	OPENSSL_cleanse(key, sizeof(key));
	return ok;
}

/* Over the encrypted secret and the Name. */
static bool authenticate(const struct making *m, const uint8_t *data, size_t size,
			 uint8_t mac[DIGEST_MAX])
{
	uint8_t key[DIGEST_MAX], message[2 + TPM_CREDENTIAL_SECRET_MAX + TPM_NAME_MAX];
	struct bytes_writer w = bytes_writer_init(message, sizeof(message));
	unsigned int length = 0;
	bool ok;

	bytes_put(&w, data, size);
	bytes_put(&w, m->object->bytes, m->object->size);
	ok = !w.bad && kdfa(m, "INTEGRITY", NULL, 8 * m->digest, key) &&
	     HMAC(m->md, key, (int)m->digest, message, w.size, mac, &length) && length == m->digest;
	OPENSSL_cleanse(key, sizeof(key));
	return ok;
}

static bool put_id_object(const struct making *m, const void *secret, size_t size,
			  struct bytes_writer *out)
{
	uint8_t inner[2 + TPM_CREDENTIAL_SECRET_MAX], mac[DIGEST_MAX];
	struct bytes_writer w = bytes_writer_init(inner, sizeof(inner));
	bool ok;

	wire_put_sized(&w, secret, size);
	ok = !w.bad && encrypt(m, inner, w.size) && authenticate(m, inner, w.size, mac);
	if (ok) {
		bytes_put_be16(out, (uint16_t)(2 + m->digest + w.size));
		wire_put_sized(out, mac, m->digest);
		bytes_put(out, inner, w.size);
	}
	OPENSSL_cleanse(inner, sizeof(inner));
	return ok;
}

static bool write_credential(struct making *m, EVP_PKEY *key, const void *secret, size_t size,
			     struct tpm_credential *credential)
{
	struct bytes_writer w = bytes_writer_init(credential->data, sizeof(credential->data));
	uint8_t shared[2 + 512];
	struct bytes_writer s = bytes_writer_init(shared, sizeof(shared));
	bool ok;

	bytes_put_be32(&w, FILE_MAGIC);
	bytes_put_be32(&w, FILE_VERSION);
	ok = (m->storage->type == TPM_ALG_RSA ? share_by_rsa(m, key, &s)
					      : share_by_ecc(m, key, &s)) &&
	     put_id_object(m, secret, size, &w);
	bytes_put(&w, shared, s.size);
	credential->size = w.size;
	OPENSSL_cleanse(m->seed, sizeof(m->seed));
	return ok && !s.bad && !w.bad;
}

const char *tpm_credential_make(const struct wire_public *storage, const struct tpm_name *object,
				const void *secret, size_t size, struct tpm_credential *credential)
{
	struct making m = { .storage = storage,
			    .object = object,
			    .md = tpm_digest(storage->name_alg),
			    .digest = wire_digest_size(storage->name_alg) };
	EVP_PKEY *key;
	bool ok;

	if (!m.md || size == 0 || size > m.digest || size > TPM_CREDENTIAL_SECRET_MAX)
		return "the secret is longer than a digest of the key's name algorithm";
	if (!cipher_of(storage) || storage->symmetric_bits > 8 * m.digest)
		return "the key is no storage key with AES in CFB mode";
	ERR_set_mark();
	key = tpm_public_key(storage);
	ok = key && write_credential(&m, key, secret, size, credential);
	EVP_PKEY_free(key);
	ERR_pop_to_mark();
	return ok ? NULL : "OpenSSL cannot encrypt for this key";
}
