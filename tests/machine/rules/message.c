/* SPDX-License-Identifier: MIT */
#include "tests/machine/rules/message.h"

#include <string.h>

#include "tests/machine/guest/exits.h"
#include "tests/machine/rules/gcm.h"

struct message_request message_report(unsigned int key, uint64_t seqno)
{
	return (struct message_request){
		.header = { .seqno = seqno,
			    .algo = PSP_MSG_ALGO_AES_256_GCM,
			    .header_version = PSP_MSG_HEADER_VERSION,
			    .header_size = PSP_MSG_HEADER_SIZE,
			    .type = PSP_MSG_REPORT_REQ,
			    .version = PSP_MSG_VERSION,
			    .size = sizeof(struct psp_report_req),
			    .vmpck = (uint8_t)key },
		.request = { .vmpl = key },
	};
}

/* The header, from its algorithm on, is what the tag is over besides the text. */
static struct gcm_message gcm_of(struct psp_msg_header *h, const uint8_t *key, const uint8_t *iv,
				 uint8_t *text, size_t size)
{
	return (struct gcm_message){ key,
				     iv,
				     (uint8_t *)h + PSP_MSG_AAD_OFFSET,
				     PSP_MSG_HEADER_SIZE - PSP_MSG_AAD_OFFSET,
				     text,
				     size };
}

static void to_iv(uint64_t seqno, uint8_t iv[12])
{
	memset(iv, 0, 12);
	memcpy(iv, &seqno, 8);
}

void message_seal(struct message_request *m, const uint8_t *key)
{
	struct gcm_message gcm;
	uint8_t iv[12];

	to_iv(m->header.seqno, iv);
	gcm = gcm_of(&m->header, key, iv, (uint8_t *)&m->request, sizeof(m->request));
	gcm_seal(&gcm, m->header.authtag);
}

bool message_open(struct message_response *m, const uint8_t *key)
{
	struct gcm_message gcm;
	uint8_t tag[16], iv[12];

	if (m->header.size > sizeof(m->response))
		return false;
	to_iv(m->header.seqno, iv);
	gcm = gcm_of(&m->header, key, iv, (uint8_t *)&m->response, m->header.size);
	gcm_open(&gcm, tag);
	return memcmp(tag, m->header.authtag, sizeof(tag)) == 0;
}

void message_put(uint64_t gpa, const struct message_request *m)
{
	volatile uint8_t *to = shared_view(gpa);

	for (size_t i = 0; i < 4096; i++)
		to[i] = i < sizeof(*m) ? ((const uint8_t *)m)[i] : 0;
}

void message_get(uint64_t gpa, struct message_response *m)
{
	const volatile uint8_t *from = shared_view(gpa);

	for (size_t i = 0; i < sizeof(*m); i++)
		((uint8_t *)m)[i] = from[i];
}
