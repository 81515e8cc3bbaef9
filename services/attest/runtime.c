/* SPDX-License-Identifier: MIT */
#include "services/attest/runtime.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>

#include "abi/service.h"
#include "abi/tpm.h"
#include "core/base/bytes.h"
#include "core/base/hex.h"
#include "core/evidence/vtpm_manifest.h"

#define MODULUS_MAX 512u
#define BASE64_MAX (4 * ((MODULUS_MAX + 2) / 3) + 1)

static bool base64url(const uint8_t *data, size_t size, char text[BASE64_MAX])
{
	int length = EVP_EncodeBlock((unsigned char *)text, data, (int)size);

	for (char *c = text; *c; c++) {
		if (*c == '+')
			*c = '-';
		else if (*c == '/')
			*c = '_';
		else if (*c == '=')
			*c = '\0';
	}
	return length > 0;
}

/* The part of the documented runtime data that holds here and that its readers look at. */
static bool write_json(const uint8_t *modulus, size_t modulus_size, const uint8_t *user_data,
		       char text[RUNTIME_MAX], size_t *size)
{
	char number[BASE64_MAX], hex[HEX_TEXT_SIZE(ATTEST_USER_DATA_SIZE)];
	int length;

	if (modulus_size > MODULUS_MAX || !base64url(modulus, modulus_size, number))
		return false;
	hex_write(hex, user_data, ATTEST_USER_DATA_SIZE);
	length = snprintf(
		text, RUNTIME_MAX,
		"{\"keys\":[{\"kid\":\"HCLAkPub\",\"key_ops\":[\"sign\"],\"kty\":\"RSA\","
		"\"e\":\"AQAB\",\"n\":\"%s\"}],\"vm-configuration\":{\"tpm-enabled\":true},"
		"\"user-data\":\"%s\"}",
		number, hex);
	*size = (size_t)length;
	return length > 0 && length < (int)RUNTIME_MAX;
}

const char *runtime_make(const uint8_t *payload, size_t payload_size, char text[RUNTIME_MAX],
			 size_t *size)
{
	struct bytes_reader r = bytes_reader_init(payload, payload_size);
	struct attest_runtime header;
	struct vtpm_manifest_key key;
	const char *wrong;
	size_t area;

	if (!bytes_copy(&r, &header, sizeof(header)))
		return "it is cut short";
	area = bytes_left(&r);
	wrong = vtpm_manifest_read_key(&key, bytes_take(&r, area), area);
	if (wrong)
		return wrong;
	if (key.info.type != TPM_ALG_RSA || !key.info.signing)
		return "its key is not an RSA key for quotes";
	return write_json(key.data + key.info.unique_offset + 2, key.info.unique_size,
			  header.user_data, text, size)
		       ? NULL
		       : "its key is too long";
}
