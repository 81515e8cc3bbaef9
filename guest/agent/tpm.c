/* SPDX-License-Identifier: MIT */
#include "guest/agent/tpm.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/tpm/wire.h"

#define BUFFER_MAX 4096u

#define RETRIES 200
#define RETRY_NS 10000000l

#define NV_CHUNK 512u

struct command {
	const char *name;
	struct bytes_writer w;
	uint8_t data[BUFFER_MAX];
};

struct response {
	struct bytes_reader body; /* after the header */
	uint8_t data[BUFFER_MAX];
};

/* ---- Commands ---- */

/* The size is filled in when the command is sent. */
static void begin(struct command *c, const char *name, uint16_t tag, uint32_t code)
{
	c->name = name;
	c->w = bytes_writer_init(c->data, sizeof(c->data));
	wire_begin(&c->w, tag, code);
}

static void put_selection(struct command *c, const struct tpm_selection *selection)
{
	bytes_put_be32(&c->w, 1);
	wire_put_pcrs(&c->w, selection->bank, selection->mask);
}

/* ---- Exchange ---- */

static bool transfer(int fd, const struct command *c, struct response *r, size_t *size,
		     struct problem *problem)
{
	ssize_t got;

	if (write(fd, c->data, c->w.size) != (ssize_t)c->w.size)
		return problem_set(problem, "%s: %s", c->name, strerror(errno));
	do {
		got = read(fd, r->data, sizeof(r->data));
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return problem_set(problem, "%s: %s", c->name, strerror(errno));
	*size = (size_t)got;
	return true;
}

/* Sends it and takes the header off; *code is the TPM's response code. */
static bool exchange(int fd, const struct command *c, struct response *r, uint32_t *code,
		     struct problem *problem)
{
	size_t size = 0;

	if (!transfer(fd, c, r, &size, problem))
		return false;
	r->body = bytes_reader_init(r->data, size);
	bytes_be16(&r->body);
	if (bytes_be32(&r->body) != size)
		r->body.bad = true;
	*code = bytes_be32(&r->body);
	if (r->body.bad)
		return problem_set(problem, "%s: a response of %zu bytes is none", c->name, size);
	return true;
}

static bool run(int fd, struct command *c, struct response *r, struct problem *problem)
{
	const struct timespec pause = { .tv_nsec = RETRY_NS };
	uint32_t code = TPM_RC_RETRY;

	if (c->w.bad)
		return problem_set(problem, "%s: the command is too long", c->name);
	wire_end(&c->w);
	for (int i = 0; i < RETRIES; i++) {
		if (!exchange(fd, c, r, &code, problem))
			return false;
		if (code != TPM_RC_RETRY && code != TPM_RC_YIELDED && code != TPM_RC_TESTING)
			break;
		nanosleep(&pause, NULL);
	}
	return code == 0 || problem_set(problem, "%s: TPM error 0x%03x", c->name, code);
}

static bool malformed(const struct command *c, struct problem *problem)
{
	return problem_set(problem, "%s: the response is malformed", c->name);
}

static bool take_blob(struct bytes_reader *r, size_t size, struct tpm_blob *blob)
{
	const uint8_t *data = bytes_take(r, size);

	if (r->bad || data == NULL || size > sizeof(blob->data))
		return false;
	memcpy(blob->data, data, size);
	blob->size = size;
	return true;
}

/* The parameters of a response to a command with sessions; a bad reader when they are cut short. */
static struct bytes_reader parameters(struct bytes_reader *r)
{
	uint32_t size = bytes_be32(r);
	const uint8_t *data = bytes_take(r, size);

	return data ? bytes_reader_init(data, size) : *r;
}

/* ---- Keys and quotes ---- */

bool tpm_create_primary(int fd, const void *template, size_t size, uint32_t *handle,
			struct tpm_blob *public_area, struct problem *problem)
{
	struct command c;
	struct response r;
	struct bytes_reader p;

	begin(&c, "TPM2_CreatePrimary", TPM_ST_SESSIONS, TPM_CC_CREATE_PRIMARY);
	bytes_put_be32(&c.w, TPM_RH_ENDORSEMENT);
	wire_put_empty_password(&c.w);
	bytes_put_be16(&c.w, 4); /* sensitive part: neither authorization nor data */
	bytes_put_be16(&c.w, 0);
	bytes_put_be16(&c.w, 0);
	wire_put_sized(&c.w, template, size);
	bytes_put_be16(&c.w, 0); /* no outside information, no creation PCRs */
	bytes_put_be32(&c.w, 0);
	if (!run(fd, &c, &r, problem))
		return false;
	*handle = bytes_be32(&r.body);
	p = parameters(&r.body);
	size = bytes_be16(&p);
	return take_blob(&p, size, public_area) || malformed(&c, problem);
}

bool tpm_flush(int fd, uint32_t handle, struct problem *problem)
{
	struct command c;
	struct response r;

	begin(&c, "TPM2_FlushContext", TPM_ST_NO_SESSIONS, TPM_CC_FLUSH_CONTEXT);
	bytes_put_be32(&c.w, handle);
	return run(fd, &c, &r, problem);
}

bool tpm_quote(int fd, uint32_t handle, const void *nonce, size_t nonce_size,
	       const struct tpm_selection *selection, struct tpm_blob *message,
	       struct tpm_blob *signature, struct problem *problem)
{
	struct command c;
	struct response r;
	struct bytes_reader p;
	size_t size;

	begin(&c, "TPM2_Quote", TPM_ST_SESSIONS, TPM_CC_QUOTE);
	bytes_put_be32(&c.w, handle);
	wire_put_empty_password(&c.w);
	wire_put_sized(&c.w, nonce, nonce_size);
	bytes_put_be16(&c.w, TPM_ALG_NULL);
	put_selection(&c, selection);
	if (!run(fd, &c, &r, problem))
		return false;
	p = parameters(&r.body);
	size = bytes_be16(&p);
	return (take_blob(&p, size, message) && take_blob(&p, bytes_left(&p), signature)) ||
	       malformed(&c, problem);
}

/* ---- PCRs ---- */

/* Adds the values that a response has; *mask becomes the PCRs that these are. */
static bool take_pcrs(struct bytes_reader *r, const struct tpm_selection *want, uint32_t *mask,
		      struct tpm_pcrs *pcrs)
{
	uint32_t counter = bytes_be32(r), count;
	size_t select_size;

	if (pcrs->count > 0 && counter != pcrs->counter)
		return false;
	pcrs->counter = counter;
	if (bytes_be32(r) != 1 || bytes_be16(r) != want->bank)
		return false;
	select_size = bytes_u8(r);
	*mask = 0;
	for (size_t i = 0; i < select_size; i++)
		*mask |= i < 3 ? (uint32_t)bytes_u8(r) << (8 * i) : 0;
	count = bytes_be32(r);
	if (select_size > 3 || *mask & ~want->mask ||
	    count != (uint32_t)__builtin_popcount(*mask) || count > TPM_PCR_COUNT - pcrs->count)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		uint16_t size = bytes_be16(r);

		if (size > TPM_DIGEST_MAX || !bytes_copy(r, pcrs->digests[pcrs->count].data, size))
			return false;
		pcrs->digests[pcrs->count++].size = size;
	}
	return bytes_complete(r);
}

bool tpm_read_pcrs(int fd, const struct tpm_selection *selection, struct tpm_pcrs *pcrs,
		   struct problem *problem)
{
	struct command c;
	struct response r;
	struct tpm_selection left = *selection;
	uint32_t mask;

	memset(pcrs, 0, sizeof(*pcrs));
	while (left.mask) {
		begin(&c, "TPM2_PCR_Read", TPM_ST_NO_SESSIONS, TPM_CC_PCR_READ);
		put_selection(&c, &left);
		if (!run(fd, &c, &r, problem))
			return false;
		if (!take_pcrs(&r.body, &left, &mask, pcrs))
			return malformed(&c, problem);
		if (!mask)
			return problem_set(problem, "%s: the TPM has no such PCRs", c.name);
		left.mask &= ~mask;
	}
	return true;
}

/* ---- NV memory ---- */

static bool nv_size(int fd, uint32_t index, size_t *size, struct problem *problem)
{
	struct command c;
	struct response r;

	begin(&c, "TPM2_NV_ReadPublic", TPM_ST_NO_SESSIONS, TPM_CC_NV_READ_PUBLIC);
	bytes_put_be32(&c.w, index);
	if (!run(fd, &c, &r, problem))
		return false;
	bytes_be16(&r.body);
	bytes_take(&r.body, 4 + 2 + 4); /* index, Name algorithm, attributes */
	bytes_take(&r.body, bytes_be16(&r.body));
	*size = bytes_be16(&r.body);
	if (r.body.bad)
		return malformed(&c, problem);
	return *size <= TPM_BLOB_MAX || problem_set(problem, "NV index: %zu bytes", *size);
}

bool tpm_read_nv(int fd, uint32_t index, struct tpm_blob *content, struct problem *problem)
{
	struct command c;
	struct response r;
	struct bytes_reader p;
	size_t size, chunk;

	content->size = 0;
	if (!nv_size(fd, index, &size, problem))
		return false;
	while (content->size < size) {
		chunk = size - content->size < NV_CHUNK ? size - content->size : NV_CHUNK;
		begin(&c, "TPM2_NV_Read", TPM_ST_SESSIONS, TPM_CC_NV_READ);
		bytes_put_be32(&c.w, index); /* its own authorization, */
		bytes_put_be32(&c.w, index); /* for its own content */
		wire_put_empty_password(&c.w);
		bytes_put_be16(&c.w, (uint16_t)chunk);
		bytes_put_be16(&c.w, (uint16_t)content->size);
		if (!run(fd, &c, &r, problem))
			return false;
		p = parameters(&r.body);
		if (bytes_be16(&p) != chunk ||
		    !bytes_copy(&p, content->data + content->size, chunk))
			return malformed(&c, problem);
		content->size += chunk;
	}
	return true;
}
