/* SPDX-License-Identifier: MIT */
#include "monitor/service/amdsp.h"

#include <string.h>

#include "core/base/bytes.h"
#include "monitor/arch/arch.h"
#include "monitor/base/die.h"

#define FIRST_WAIT_NS 1000000ull /* doubles with each attempt up to the longest */
#define LONGEST_WAIT_NS 512000000ull

void amdsp_init(struct amdsp *sp, const uint8_t key[SNP_VMPCK_SIZE])
{
	memset(sp, 0, sizeof(*sp));
	sp->key = key;
	sp->next = 1;
}

static uint32_t vmm_error(uint64_t result)
{
	return (uint32_t)(result >> 32);
}

/*
 * Sends the message in flight once. A host that has no room for its certificates has not passed the
 * message on; the same bytes then go without them, for a report is worth more than a convenience.
 */
static uint64_t send_once(struct amdsp *sp, size_t *cert_size)
{
	uint64_t result;

	*cert_size = sizeof(sp->certificates);
	result = arch_guest_request(sp->message, sp->response, sp->certificates, cert_size);
	if (vmm_error(result) == PSP_VMM_ERR_INVALID_LEN) {
		*cert_size = 0;
		result = arch_guest_request(sp->message, sp->response, NULL, cert_size);
		*cert_size = 0;
	}
	return result;
}

static uint64_t send_until_not_busy(struct amdsp *sp, size_t *cert_size)
{
	uint64_t wait = FIRST_WAIT_NS;
	uint64_t result = send_once(sp, cert_size);

	for (unsigned int i = 1;
	     i < AMDSP_ATTEMPTS && vmm_error(result) == PSP_VMM_ERR_BUSY && arch_sleep(wait); i++) {
		wait = wait < LONGEST_WAIT_NS ? wait * 2 : LONGEST_WAIT_NS;
		result = send_once(sp, cert_size);
	}
	return result;
}

/* An answer carries the number after the message's; an old or an empty page is none. */
static bool response_answers(const struct amdsp *sp)
{
	struct psp_msg_header header;

	memcpy(&header, sp->response, sizeof(header));
	return header.seqno == sp->next - 1;
}

/* Brings the message in flight to an answer in sp->response and sp->certificates. */
static enum service_status complete(struct amdsp *sp, size_t *cert_size)
{
	bool is_alone = !__atomic_exchange_n(&sp->asking, true, __ATOMIC_ACQUIRE);
	uint64_t result;

	assert_own(is_alone, "the AMD-SP is asked by two at once");
	memset(sp->response, 0, sizeof(sp->response));
	memset(sp->certificates, 0, sizeof(sp->certificates));
	result = send_until_not_busy(sp, cert_size);
	__atomic_store_n(&sp->asking, false, __ATOMIC_RELEASE);
	if (vmm_error(result) == PSP_VMM_ERR_BUSY)
		return SERVICE_ERR_BUSY;
	if (result != 0 || *cert_size > sizeof(sp->certificates) || !response_answers(sp))
		return SERVICE_ERR_FAILED;
	sp->in_flight = false;
	return SERVICE_OK;
}

/*
 * The service may have been ended, or may have given up, with a message in flight. The AMD-SP
 * expects that number next, so the same bytes go out again until it has answered them; nobody
 * waits for that answer any more.
 */
static enum service_status drain(struct amdsp *sp)
{
	size_t cert_size;

	return sp->in_flight ? complete(sp, &cert_size) : SERVICE_OK;
}

static bool header_ok(const struct psp_msg_header *header, size_t size)
{
	return header->algo == PSP_MSG_ALGO_AES_256_GCM &&
	       header->header_version == PSP_MSG_HEADER_VERSION &&
	       header->header_size == PSP_MSG_HEADER_SIZE && header->vmpck == 0 &&
	       header->size <= size - PSP_MSG_HEADER_SIZE;
}

static bool same_message(const struct amdsp *sp, const void *payload, size_t size)
{
	return memcmp(sp->message, payload, size) == 0 &&
	       bytes_are_zero(sp->message + size, sizeof(sp->message) - size);
}

/* Decides what may go out; on SERVICE_OK it is in sp->message, and its number is used up. */
static enum service_status accept_message(struct amdsp *sp, const void *payload, size_t size)
{
	struct psp_msg_header header;
	enum service_status status;

	if (size < sizeof(header) || size > sizeof(sp->message))
		return SERVICE_ERR_FORMAT;
	memcpy(&header, payload, sizeof(header));
	if (!header_ok(&header, size))
		return SERVICE_ERR_FORMAT;
	if (sp->in_flight && header.seqno == sp->next - 2) {
		sp->closed = !same_message(sp, payload, size);
		return sp->closed ? SERVICE_ERR_FAILED : SERVICE_OK;
	}
	if (header.seqno != sp->next)
		return SERVICE_ERR_FORMAT;
	status = drain(sp);
	if (status != SERVICE_OK)
		return status;
	if (__builtin_add_overflow(sp->next, 2, &sp->next)) {
		sp->closed = true;
		return SERVICE_ERR_FAILED;
	}
	memset(sp->message, 0, sizeof(sp->message));
	memcpy(sp->message, payload, size);
	sp->in_flight = true;
	return SERVICE_OK;
}

static void write_send_reply(const struct amdsp *sp, uint8_t *reply, size_t cert_size)
{
	uint32_t certificates = (uint32_t)cert_size;

	memcpy(reply, &certificates, sizeof(certificates));
	reply += sizeof(certificates);
	memcpy(reply, sp->response, sizeof(sp->response));
	memcpy(reply + sizeof(sp->response), sp->certificates, cert_size);
}

static enum service_status op_send(struct amdsp *sp, const void *payload, size_t size,
				   uint8_t *reply, size_t reply_max, size_t *reply_size)
{
	enum service_status status;
	size_t cert_size;

	/* Asked before anything goes out: an answer that nobody can take would be lost. */
	if (reply_max < AMDSP_SEND_REPLY_MAX)
		return SERVICE_ERR_NO_MEMORY;
	status = accept_message(sp, payload, size);
	if (status == SERVICE_OK)
		status = complete(sp, &cert_size);
	if (status != SERVICE_OK)
		return status;
	write_send_reply(sp, reply, cert_size);
	*reply_size = sizeof(uint32_t) + sizeof(sp->response) + cert_size;
	return SERVICE_OK;
}

static enum service_status reply_copy(const void *from, size_t size, void *reply, size_t reply_max,
				      size_t *reply_size)
{
	if (reply_max < size)
		return SERVICE_ERR_NO_MEMORY;
	memcpy(reply, from, size);
	*reply_size = size;
	return SERVICE_OK;
}

static enum service_status op_seqno(struct amdsp *sp, void *reply, size_t reply_max,
				    size_t *reply_size)
{
	enum service_status status = drain(sp);

	if (status != SERVICE_OK)
		return status;
	return reply_copy(&sp->next, sizeof(sp->next), reply, reply_max, reply_size);
}

enum service_status amdsp_request(struct amdsp *sp, uint32_t op, const void *payload, size_t size,
				  void *reply, size_t reply_max, size_t *reply_size)
{
	*reply_size = 0;
	if (sp->closed)
		return SERVICE_ERR_FAILED;
	switch (op) {
	case AMDSP_OP_KEY:
		return size ? SERVICE_ERR_FORMAT
			    : reply_copy(sp->key, SNP_VMPCK_SIZE, reply, reply_max, reply_size);
	case AMDSP_OP_SEQNO:
		return size ? SERVICE_ERR_FORMAT : op_seqno(sp, reply, reply_max, reply_size);
	case AMDSP_OP_SEND:
		return op_send(sp, payload, size, reply, reply_max, reply_size);
	default:
		return SERVICE_ERR_UNSUPPORTED;
	}
}
