/* SPDX-License-Identifier: MIT */
#include "services/vtpm/state.h"

#include <openssl/crypto.h>
#include <string.h>

#include "core/base/bytes.h"
#include "services/vtpm/tpm_command.h"

#define STATE_MAGIC 0x31535653u /* "SVS1" */

/* For each key of the profile its template and its public area follow, then the permanent state. */
struct state_header {
	uint32_t magic;
	uint32_t key_count;
	char profile[PROFILE_NAME_MAX];
};

struct state_key {
	uint32_t template_size;
	uint32_t public_size; /* 0: not made since the seed changed */
};

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

bool state_read(struct vtpm *vtpm, const uint8_t *state, size_t size)
{
	struct bytes_reader r = bytes_reader_init(state, size);

	return read_state(vtpm, &r);
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
	struct vtpm *vtpm = context;
	struct serve_output out = { .data = OPENSSL_malloc(STATE_MAX), .capacity = STATE_MAX };
	bool ok = out.data && put_state(vtpm, permanent, size, &out) == SERVICE_OK &&
		  vtpm->keeper->store(vtpm->keeper->context, out.data, out.size);

	OPENSSL_clear_free(out.data, out.size); /* seeds are in it */
	return ok;
}

bool state_keep(struct vtpm *vtpm, const struct state_keeper *keeper)
{
	struct tpm_state permanent;
	bool ok;

	vtpm->keeper = keeper;
	if (!tpm_permanent_state(&permanent))
		return false;
	ok = store(vtpm, permanent.data, permanent.size);
	tpm_free_state(&permanent);
	tpm_store_with(store, vtpm);
	return ok;
}
