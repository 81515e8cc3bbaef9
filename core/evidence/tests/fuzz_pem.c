/* SPDX-License-Identifier: MIT */
#include "core/evidence/tests/fuzz_pem.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

static char *copy_of(BIO *bio, size_t *size)
{
	char *data, *copy;
	long length = BIO_get_mem_data(bio, &data);

	copy = malloc((size_t)length + 1);
	if (!copy)
		abort();
	if (length > 0) /* an empty BIO has no data to point at */
		memcpy(copy, data, (size_t)length);
	*size = (size_t)length;
	return copy;
}

char *fuzz_pem(const uint8_t *data, size_t size, size_t *pem_size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *pem;

	if (!bio)
		abort();
	while (size >= 2) {
		size_t length = (size_t)data[0] << 8 | data[1];

		if (length > size - 2)
			length = size - 2;
		PEM_write_bio(bio, PEM_STRING_X509, "", data + 2, (long)length);
		data += 2 + length;
		size -= 2 + length;
	}
	pem = copy_of(bio, pem_size);
	BIO_free(bio);
	return pem;
}
