/* SPDX-License-Identifier: MIT */
#include "services/vtpm/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "services/vtpm/tpm_command.h"

#define STATE_MAGIC 0x31535653u /* "SVS1" */

/* Followed by template and public area of each key of the profile, then the permanent state. */
struct state_header {
	uint32_t magic;
	uint32_t key_count;
	char profile[PROFILE_NAME_MAX];
};

struct state_key {
	uint32_t template_size;
	uint32_t public_size; /* 0: not made since the seed changed */
};

/* A message, to be freed; NULL when there is no memory. */
static struct serve_output *new_message(uint32_t op)
{
	struct serve_output *out = malloc(sizeof(*out) + SERVICE_MESSAGE_MAX);
	struct service_request header = { .op = op };

	if (!out)
		return NULL;
	*out = (struct serve_output){ .data = (uint8_t *)(out + 1),
				      .capacity = SERVICE_MESSAGE_MAX };
	serve_append(out, &header, sizeof(header));
	return out;
}

static void free_message(struct serve_output *message)
{
	if (message)
		explicit_bzero(message->data, message->size); /* seeds are in it */
	free(message);
}

/* Sends a message and reads the reply into it. False when there is nobody at the other end. */
static bool exchange(struct serve_output *message)
{
	struct service_request header;
	ssize_t got;

	memcpy(&header, message->data, sizeof(header));
	header.size = (uint32_t)(message->size - sizeof(header));
	memcpy(message->data, &header, sizeof(header));
	if (write(VTPM_FD_STATE, message->data, message->size) != (ssize_t)message->size)
		return false;
	explicit_bzero(message->data, message->size);
	do
		got = read(VTPM_FD_STATE, message->data, message->capacity);
	while (got < 0 && errno == EINTR);
	message->size = got > 0 ? (size_t)got : 0;
	return got > 0;
}

static bool read_key(struct vtpm *vtpm, size_t index, struct bytes_reader *r)
{
	struct vtpm_template *t = &vtpm->templates[index];
	struct state_key key;
	const uint8_t *public_area;

	bytes_copy(r, &key, sizeof(key));
	if (key.template_size > sizeof(t->data) || key.public_size > TPM_PUBLIC_MAX)
		return false;
	t->size = key.template_size;
	bytes_copy(r, t->data, key.template_size);
	public_area = bytes_take(r, key.public_size);
	if (!public_area || key.public_size == 0)
		return public_area;
	return cache_put(&vtpm->cache, TPM_RH_ENDORSEMENT, t->data, t->size, public_area,
			 key.public_size, true);
}

static bool read_state(struct vtpm *vtpm, struct bytes_reader *r)
{
	struct state_header header;
	size_t size;

	bytes_copy(r, &header, sizeof(header));
	if (header.magic != STATE_MAGIC || header.key_count != vtpm->profile->key_count ||
	    memcmp(header.profile, vtpm->profile->name, sizeof(header.profile)) != 0)
		return false;
	for (size_t i = 0; i < header.key_count; i++) {
		if (!read_key(vtpm, i, r))
			return false;
	}
	size = bytes_left(r);
	return size && tpm_load_permanent(bytes_take(r, size), size);
}

static enum state_found read_reply(struct vtpm *vtpm, const struct serve_output *message)
{
	struct bytes_reader r = bytes_reader_init(message->data, message->size);
	struct service_reply reply;
	struct state_loaded loaded;

	bytes_copy(&r, &reply, sizeof(reply));
	if (r.bad || reply.status != SERVICE_OK || reply.size != bytes_left(&r))
		return STATE_BAD;
	if (!bytes_copy(&r, &loaded, sizeof(loaded)) || loaded.startup_by_client > 1)
		return STATE_BAD;
	if (!bytes_left(&r))
		return STATE_NONE;
	if (!read_state(vtpm, &r))
		return STATE_BAD;
	return loaded.startup_by_client ? STATE_WAITING : STATE_LOADED;
}

enum state_found state_load(struct vtpm *vtpm)
{
	struct serve_output *message = new_message(STATE_OP_LOAD);
	enum state_found found = STATE_NONE;

	if (message && exchange(message))
		found = read_reply(vtpm, message);
	free_message(message);
	if (found == STATE_BAD)
		serve_log("vtpm: the state is damaged, or of another profile");
	return found;
}

static enum service_status put_state_key(struct vtpm *vtpm, size_t index, struct serve_output *out)
{
	const struct vtpm_template *t = &vtpm->templates[index];
	const struct cache_entry *entry = vtpm->seed_changes ? NULL : vtpm_profile_key(vtpm, index);
	struct state_key key = { .template_size = (uint32_t)t->size,
				 .public_size = entry ? (uint32_t)entry->public_size : 0 };
	enum service_status status = serve_append(out, &key, sizeof(key));

	if (!status)
		status = serve_append(out, t->data, t->size);
	if (!status && entry)
		status = serve_append(out, entry->public_area, entry->public_size);
	return status;
}

static enum service_status put_state(struct vtpm *vtpm, const uint8_t *permanent, size_t size,
				     struct serve_output *out)
{
	struct state_header header = { .magic = STATE_MAGIC,
				       .key_count = (uint32_t)vtpm->profile->key_count };
	enum service_status status;

	memcpy(header.profile, vtpm->profile->name, sizeof(header.profile));
	status = serve_append(out, &header, sizeof(header));
	for (size_t i = 0; i < vtpm->profile->key_count && !status; i++)
		status = put_state_key(vtpm, i, out);
	return status ? status : serve_append(out, permanent, size);
}

/* A tpm_store_function; its context is the struct vtpm. */
static bool store(void *context, const uint8_t *permanent, size_t size)
{
	struct serve_output *message = new_message(STATE_OP_STORE);
	struct service_reply reply = { .status = SERVICE_ERR_FAILED };

	if (message && !put_state(context, permanent, size, message) && exchange(message) &&
	    message->size == sizeof(reply))
		memcpy(&reply, message->data, sizeof(reply));
	free_message(message);
	return reply.status == SERVICE_OK;
}

/* Whether anybody keeps the state: who does answers every operation. */
static bool is_kept(void)
{
	struct service_request header = { 0 };
	struct service_reply reply;

	return write(VTPM_FD_STATE, &header, sizeof(header)) == (ssize_t)sizeof(header) &&
	       read(VTPM_FD_STATE, &reply, sizeof(reply)) == (ssize_t)sizeof(reply);
}

bool state_keep(struct vtpm *vtpm)
{
	struct tpm_state permanent;
	bool ok;

	if (!is_kept())
		return true;
	if (!tpm_permanent_state(&permanent))
		return false;
	ok = store(vtpm, permanent.data, permanent.size);
	tpm_free_state(&permanent);
	tpm_store_with(store, vtpm);
	return ok;
}
