/* SPDX-License-Identifier: MIT */
#include "tools/ca/serve.h"

#include <inttypes.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ca/channel.h"
#include "tools/ca/issue.h"
#include "tools/cmd.h"

struct session {
	const struct ca_channel *channel;
	const struct ca_authority *ca;
	const struct ca_policy *policy;
	char profile[CA_PROFILE_NAME_MAX];
	uint8_t nonce[SVSM_NONCE_SIZE];
	bool has_nonce; /* one that no request has used up */
	bool refused;
	struct ca_message message;
};

/* Tells both sides why; false when the other one cannot be told. */
static bool refuse(struct session *s, const char *reason)
{
	s->refused = true;
	cmd_error("ca: refused: %s", reason);
	return ca_channel_send(s->channel, CA_REFUSED, reason, strlen(reason));
}

static bool answer_hello(struct session *s)
{
	char profile[CA_PROFILE_NAME_MAX];
	const char *wrong = ca_request_profile(profile, s->message.payload, s->message.size);

	if (wrong)
		return refuse(s, wrong);
	/*
	 * A nonce that is still unused is as good as a new one: the other side may have missed it.
	 */
	if (!s->has_nonce || strcmp(profile, s->profile) != 0)
		s->has_nonce = RAND_bytes(s->nonce, sizeof(s->nonce)) == 1;
	if (!s->has_nonce)
		return refuse(s, "no random numbers");
	memcpy(s->profile, profile, sizeof(profile));
	return ca_channel_send(s->channel, CA_NONCE, s->nonce, sizeof(s->nonce));
}

/* u32 count, then {u32 size, DER} each. */
static bool send_certificates(struct session *s, const struct ca_issued *issued)
{
	struct ca_message *message = &s->message;
	uint32_t count = (uint32_t)issued->count;
	size_t at = sizeof(count);

	memcpy(message->payload, &count, sizeof(count));
	for (size_t i = 0; i < issued->count; i++) {
		const struct file_bytes *der = &issued->certificates[i];
		uint32_t size = (uint32_t)der->size;

		if (der->size > sizeof(message->payload) - sizeof(size) - at)
			return refuse(s, "the certificates do not fit into a message");
		memcpy(message->payload + at, &size, sizeof(size));
		memcpy(message->payload + at + sizeof(size), der->data, size);
		at += sizeof(size) + size;
	}
	return ca_channel_send(s->channel, CA_CERTIFICATES, message->payload, at);
}

static void tell_issued(const char *profile, const struct ca_issued *issued)
{
	printf("issued for profile %s:", profile);
	for (size_t i = 0; i < issued->count; i++)
		printf(" %s %" PRIu64, issued->roles[i] == CA_KEY_EK ? "EK" : "AK",
		       issued->serials[i]);
	printf("\n");
	fflush(stdout);
}

static bool answer_request(struct session *s)
{
	struct ca_request_parts parts;
	struct vtpm_manifest manifest;
	struct host_error error;
	struct ca_issued issued;
	uint8_t nonce[SVSM_NONCE_SIZE];
	const char *wrong;
	bool ok;

	if (!s->has_nonce)
		return refuse(s, "there is no nonce that this request could be for");
	s->has_nonce = false;
	memcpy(nonce, s->nonce, sizeof(nonce));
	wrong = ca_request_read(&parts, s->message.payload, s->message.size);
	if (wrong)
		return refuse(s, wrong);
	if (!ca_request_judge(s->policy, nonce, s->profile, &parts, &manifest, &error) ||
	    !ca_issue(s->ca, s->policy, &manifest, &issued, &error))
		return refuse(s, error.text);
	ok = send_certificates(s, &issued);
	if (ok)
		tell_issued(s->profile, &issued);
	ca_issued_free(&issued);
	return ok;
}

static bool answer(struct session *s, enum ca_receive received)
{
	if (received == CA_DAMAGED)
		return refuse(s, "a message is too long or damaged");
	switch (s->message.type) {
	case CA_HELLO:
		return answer_hello(s);
	case CA_REQUEST:
		return answer_request(s);
	default:
		return refuse(s, "a message of an unexpected type");
	}
}

bool ca_serve(const struct ca_channel *channel, const struct ca_authority *ca,
	      const struct ca_policy *policy)
{
	struct session *s = calloc(1, sizeof(*s));
	enum ca_receive received;
	bool refused;

	if (!s) {
		cmd_error("ca: out of memory");
		return false;
	}
	*s = (struct session){ .channel = channel, .ca = ca, .policy = policy };
	do
		received = ca_channel_receive(channel, &s->message);
	while (received != CA_CLOSED && answer(s, received));
	if (ca_channel_over(channel))
		cmd_error("ca: a client's time is over");
	refused = s->refused;
	free(s);
	return !refused;
}
