/* SPDX-License-Identifier: MIT */
#include "services/attest/sealed.h"

#include <openssl/evp.h>
#include <string.h>

#define TAG_SIZE 16
#define IV_SIZE 12
#define AAD_SIZE (PSP_MSG_HEADER_SIZE - PSP_MSG_AAD_OFFSET)

/* The part of a header that is authenticated but not secret. */
static const uint8_t *header_aad(const struct psp_msg_header *header)
{
	return (const uint8_t *)header + PSP_MSG_AAD_OFFSET;
}

static void make_iv(uint8_t iv[IV_SIZE], uint64_t seqno)
{
	memset(iv, 0, IV_SIZE);
	memcpy(iv, &seqno, sizeof(seqno));
}

static struct psp_msg_header make_header(uint8_t type, uint64_t seqno, size_t size)
{
	return (struct psp_msg_header){
		.seqno = seqno,
		.algo = PSP_MSG_ALGO_AES_256_GCM,
		.header_version = PSP_MSG_HEADER_VERSION,
		.header_size = PSP_MSG_HEADER_SIZE,
		.type = type,
		.version = PSP_MSG_VERSION,
		.size = (uint16_t)size,
		.vmpck = 0,
	};
}

bool sealed_seal(struct sealed_message *message, const uint8_t key[SNP_VMPCK_SIZE], uint8_t type,
		 uint64_t seqno, const void *payload, size_t size)
{
	EVP_CIPHER_CTX *context;
	uint8_t iv[IV_SIZE];
	int length;
	bool ok;

	if (size > PSP_MSG_PAYLOAD_MAX)
		return false;
	memset(message, 0, sizeof(*message));
	message->header = make_header(type, seqno, size);
	make_iv(iv, seqno);
	context = EVP_CIPHER_CTX_new();
	ok = context && EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, iv) == 1 &&
	     EVP_EncryptUpdate(context, NULL, &length, header_aad(&message->header), AAD_SIZE) ==
		     1 &&
	     EVP_EncryptUpdate(context, message->payload, &length, payload, (int)size) == 1 &&
	     EVP_EncryptFinal_ex(context, message->payload + length, &length) == 1 &&
	     EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_SIZE,
				 message->header.authtag) == 1;
	EVP_CIPHER_CTX_free(context);
	return ok;
}

/* Every field of the header has one valid value, but for the tag and the size. */
static bool header_expected(const struct psp_msg_header *header, uint8_t type, uint64_t seqno)
{
	struct psp_msg_header expected = make_header(type, seqno, header->size);

	memcpy(expected.authtag, header->authtag, TAG_SIZE);
	return memcmp(&expected, header, sizeof(expected)) == 0;
}

static bool decrypt(const struct sealed_message *message, const uint8_t key[SNP_VMPCK_SIZE],
		    uint8_t *payload)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t iv[IV_SIZE], tag[TAG_SIZE];
	int length;
	bool ok;

	make_iv(iv, message->header.seqno);
	memcpy(tag, message->header.authtag, sizeof(tag));
	ok = context && EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, iv) == 1 &&
	     EVP_DecryptUpdate(context, NULL, &length, header_aad(&message->header), AAD_SIZE) ==
		     1 &&
	     EVP_DecryptUpdate(context, payload, &length, message->payload, message->header.size) ==
		     1 &&
	     EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag) == 1 &&
	     EVP_DecryptFinal_ex(context, payload + length, &length) == 1;
	EVP_CIPHER_CTX_free(context);
	return ok;
}

bool sealed_open(const struct sealed_message *message, const uint8_t key[SNP_VMPCK_SIZE],
		 uint8_t type, uint64_t seqno, void *payload, size_t capacity, size_t *size)
{
	if (!header_expected(&message->header, type, seqno))
		return false;
	*size = message->header.size;
	if (*size > PSP_MSG_PAYLOAD_MAX || *size > capacity)
		return false;
	if (decrypt(message, key, payload))
		return true;
	memset(payload, 0, *size); /* unauthenticated plaintext is not for use */
	return false;
}
