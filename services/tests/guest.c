/* SPDX-License-Identifier: MIT */
#include "services/tests/guest.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <string.h>

#include "core/base/bytes.h"

struct writer {
	uint8_t data[sizeof(struct vtpm_command) + TPM_BUFFER_MAX];
	size_t size;
	uint16_t tag;
};

static void put(struct writer *w, const void *data, size_t size)
{
	assert(size <= sizeof(w->data) - w->size);
	if (size)
		memcpy(w->data + w->size, data, size);
	w->size += size;
}

static void put_number(struct writer *w, uint32_t value, unsigned int size)
{
	while (size--) {
		uint8_t byte = (uint8_t)(value >> 8 * size);

		put(w, &byte, 1);
	}
}

static void put_session(struct writer *w, uint32_t handle, uint8_t attributes, const char *hmac)
{
	w->tag = 0x8002;
	put_number(w, (uint32_t)(9 + strlen(hmac)), 4);
	put_number(w, handle, 4);
	put_number(w, 0, 2); /* nonce */
	put_number(w, attributes, 1);
	put_number(w, (uint32_t)strlen(hmac), 2);
	put(w, hmac, strlen(hmac));
}

static void put_item(struct writer *w, char kind, va_list *args)
{
	switch (kind) {
	case 'b':
		put_number(w, va_arg(*args, uint32_t), 1);
		break;
	case 'w':
		put_number(w, va_arg(*args, uint32_t), 2);
		break;
	case 'd':
		put_number(w, va_arg(*args, uint32_t), 4);
		break;
	case 's': {
		const void *data = va_arg(*args, const void *);
		size_t size = va_arg(*args, size_t);

		put_number(w, (uint32_t)size, 2);
		put(w, data, size);
		break;
	}
	case 'a':
		put_session(w, 0x40000009, 0, va_arg(*args, const char *));
		break;
	case 'x': {
		uint32_t handle = va_arg(*args, uint32_t);

		put_session(w, handle, (uint8_t)va_arg(*args, uint32_t), "");
		break;
	}
	default:
		assert(kind == ' ');
	}
}

uint32_t guest_run(struct guest *guest, uint32_t code, const char *format, ...)
{
	uint8_t reply[sizeof(struct vtpm_response) + TPM_BUFFER_MAX];
	struct serve_output out = { .data = reply, .capacity = sizeof(reply) };
	struct writer w = { .size = sizeof(struct vtpm_command), .tag = 0x8001 };
	struct bytes_reader r;
	size_t size;
	va_list args;

	put_number(&w, 0, 2);
	put_number(&w, 0, 4);
	put_number(&w, code, 4);
	va_start(args, format);
	for (; *format; format++)
		put_item(&w, *format, &args);
	va_end(args);
	size = w.size;
	w.size = sizeof(struct vtpm_command);
	put_number(&w, w.tag, 2);
	put_number(&w, (uint32_t)(size - sizeof(struct vtpm_command)), 4);
	if (vtpm_handle(guest->vtpm, VTPM_OP_COMMAND, w.data, size, &out) != SERVICE_OK)
		return TPM_RC_NONE;
	guest->size = out.size - sizeof(struct vtpm_response);
	memcpy(guest->response, reply + sizeof(struct vtpm_response), guest->size);
	r = bytes_reader_init(guest->response, guest->size);
	bytes_take(&r, 6);
	return bytes_be32(&r);
}

uint32_t guest_primary(struct guest *guest, const char *auth, const uint8_t *template, size_t size,
		       uint8_t *public_area, size_t *public_size)
{
	uint32_t handle, rc = guest_run(guest, CC_CREATE_PRIMARY, "d a www s w d", RH_ENDORSEMENT,
					auth, 4, 0, 0, template, size, 0, 0);
	struct bytes_reader r = bytes_reader_init(guest->response, guest->size);

	if (rc)
		return rc;
	bytes_take(&r, 10);
	handle = bytes_be32(&r);
	bytes_be32(&r);
	*public_size = bytes_be16(&r);
	assert(*public_size <= TPM_PUBLIC_MAX);
	bytes_copy(&r, public_area, *public_size);
	return guest_run(guest, CC_FLUSH_CONTEXT, "d", handle);
}

uint32_t guest_nv(struct guest *guest, uint32_t index, uint32_t attributes, const char *password,
		  const uint8_t *data, size_t size)
{
	uint32_t rc = guest_run(guest, CC_NV_DEFINE_SPACE, "d a s w dwdww", RH_OWNER, "", password,
				strlen(password), 14, index, 0xb, attributes, 0, (uint32_t)size);

	for (size_t done = 0, piece; !rc && done < size; done += piece) {
		piece = size - done < 1024 ? size - done : 1024;
		rc = guest_run(guest, CC_NV_WRITE, "dd a s w", RH_OWNER, index, "", data + done,
			       piece, (uint32_t)done);
	}
	return rc;
}

/* The answer, and for a list of handles what each of them is. */
static void observe_handles(struct guest *guest, EVP_MD_CTX *md, uint32_t first)
{
	struct bytes_reader r;
	uint8_t list[TPM_BUFFER_MAX];
	uint32_t count;

	assert(guest_run(guest, CC_GET_CAPABILITY, "ddd", 1, first, 254) == 0);
	EVP_DigestUpdate(md, guest->response, guest->size);
	memcpy(list, guest->response, guest->size);
	r = bytes_reader_init(list, guest->size);
	bytes_take(&r, 10 + 1 + 4);
	count = bytes_be32(&r);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t handle = bytes_be32(&r);

		if (handle >> 24 == 1)
			guest_run(guest, CC_NV_READ_PUBLIC, "d", handle);
		else
			guest_run(guest, CC_READ_PUBLIC, "d", handle);
		EVP_DigestUpdate(md, guest->response, guest->size);
	}
}

void guest_observe(struct guest *guest, uint8_t digest[32])
{
	static const uint32_t kinds[] = { 0x00, 0x01, 0x02, 0x03, 0x40, 0x80, 0x81 };
	static const uint32_t properties[] = { 0x100, 0x180, 0x200, 0x280 };
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	EVP_DigestInit_ex(md, EVP_sha256(), NULL);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		observe_handles(guest, md, kinds[i] << 24);
	for (uint32_t capability = 0; capability <= 9; capability++) {
		if (capability == 1 || capability == 6)
			continue;
		guest_run(guest, CC_GET_CAPABILITY, "ddd", capability, 0, 254);
		EVP_DigestUpdate(md, guest->response, guest->size);
	}
	for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++) {
		assert(guest_run(guest, CC_GET_CAPABILITY, "ddd", 6, properties[i], 128) == 0);
		EVP_DigestUpdate(md, guest->response, guest->size);
	}
	for (uint32_t mask = 0xff; mask; mask = (mask << 8) & 0xffffff) {
		guest_run(guest, CC_PCR_READ, "d w b bbb", 1, 0xb, 3, mask & 0xff,
			  (mask >> 8) & 0xff, mask >> 16);
		EVP_DigestUpdate(md, guest->response, guest->size);
	}
	EVP_DigestFinal_ex(md, digest, NULL);
	EVP_MD_CTX_free(md);
}
