/* SPDX-License-Identifier: MIT */
#include "services/vtpm/tpm_command.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

#include "core/tpm/wire.h"

#define TPM_SU_CLEAR 0u
#define TPM_CAP_PCRS 5u
#define TPM_CAP_TPM_PROPERTIES 6u
#define TPM_PT_STARTUP_CLEAR 0x201u
#define TPMA_STARTUP_CLEAR_EH_ENABLE (1u << 2)
#define TPM_PLATFORM_AUTH_SIZE 32u
#define TPM_NV_BUFFER_MAX 1024u
#define TRIES 3
#define BANKS_MAX 8u

/* A command under construction. Its own commands are all far smaller than the buffer. */
struct command {
	uint8_t data[2048];
	struct bytes_writer w;
};

/* A response; r stands behind its header, and behind parameterSize where there is one. */
struct response {
	uint8_t data[TPM_BUFFER_MAX];
	size_t size;
	struct bytes_reader r;
};

static void begin(struct command *c, uint16_t tag, uint32_t code)
{
	c->w = bytes_writer_init(c->data, sizeof(c->data));
	wire_begin(&c->w, tag, code);
}

/* A command with one handle, authorized by an empty password. */
static void begin_authorized(struct command *c, uint32_t code, uint32_t handle)
{
	begin(c, TPM_ST_SESSIONS, code);
	bytes_put_be32(&c->w, handle);
	wire_put_empty_password(&c->w);
}

/* The same with a second handle, which needs no authorization. */
static void begin_authorized2(struct command *c, uint32_t code, uint32_t handle, uint32_t other)
{
	begin(c, TPM_ST_SESSIONS, code);
	bytes_put_be32(&c->w, handle);
	bytes_put_be32(&c->w, other);
	wire_put_empty_password(&c->w);
}

uint32_t tpm_command_code(const uint8_t *command, size_t size)
{
	struct bytes_reader r = bytes_reader_init(command, size);

	return wire_take_header(&r);
}

bool tpm_is_startup_clear(const uint8_t *command, size_t size)
{
	struct bytes_reader r = bytes_reader_init(command, size);

	return wire_take_header(&r) == TPM_CC_STARTUP && bytes_be16(&r) == TPM_SU_CLEAR && !r.bad;
}

uint32_t tpm_response_code(const uint8_t *response, size_t size)
{
	struct bytes_reader r = bytes_reader_init(response, size);
	uint32_t code = wire_take_header(&r);

	return r.bad ? TPM_RC_NONE : code;
}

/*
 * Sends the command. Returns its response code. The first use of an object with dictionary attack
 * protection only records the attempt and asks for a retry (part 1, section 19.8).
 */
static uint32_t submit(struct command *c, struct response *response)
{
	uint32_t rc = TPM_RC_RETRY;

	wire_end(&c->w);
	if (c->w.bad)
		return TPM_RC_NONE;
	for (int i = 0; i < TRIES && rc == TPM_RC_RETRY; i++) {
		if (!tpm_execute(0, c->data, c->w.size, response->data, &response->size))
			return TPM_RC_NONE;
		rc = tpm_response_code(response->data, response->size);
	}
	response->r = bytes_reader_init(response->data, response->size);
	wire_take_header(&response->r);
	return rc;
}

/* Sends a command whose response parameters do not matter. */
static uint32_t submit_only(struct command *c)
{
	struct response response;

	return submit(c, &response);
}

uint32_t tpm_startup_clear(void)
{
	struct command c;

	begin(&c, TPM_ST_NO_SESSIONS, TPM_CC_STARTUP);
	bytes_put_be16(&c.w, TPM_SU_CLEAR);
	return submit_only(&c);
}

uint32_t tpm_shutdown_clear(void)
{
	struct command c;

	begin(&c, TPM_ST_NO_SESSIONS, TPM_CC_SHUTDOWN);
	bytes_put_be16(&c.w, TPM_SU_CLEAR);
	return submit_only(&c);
}

static bool has_bank(const uint16_t *banks, size_t count, uint16_t algorithm)
{
	for (size_t i = 0; i < count; i++) {
		if (banks[i] == algorithm)
			return true;
	}
	return false;
}

/*
 * Those that the TPM has: a profile of libtpms may have left some out. More than BANKS_MAX are a
 * malformed answer.
 */
static uint32_t read_banks(uint16_t banks[BANKS_MAX], size_t *count)
{
	struct response response;
	struct command c;
	uint32_t rc;

	begin(&c, TPM_ST_NO_SESSIONS, TPM_CC_GET_CAPABILITY);
	bytes_put_be32(&c.w, TPM_CAP_PCRS);
	bytes_put_be32(&c.w, 0);
	bytes_put_be32(&c.w, BANKS_MAX);
	rc = submit(&c, &response);
	if (rc)
		return rc;
	bytes_take(&response.r, 1 + 4); /* moreData, capability */
	*count = bytes_be32(&response.r);
	if (*count > BANKS_MAX)
		return TPM_RC_NONE;
	for (size_t i = 0; i < *count; i++) {
		banks[i] = bytes_be16(&response.r);
		bytes_take(&response.r, bytes_u8(&response.r));
	}
	return response.r.bad ? TPM_RC_NONE : TPM_RC_SUCCESS;
}

/* A bank that is wanted is named also where the TPM lacks it, for it to say so. */
uint32_t tpm_pcr_allocate(const uint16_t *banks, size_t count)
{
	static const uint16_t known[] = { TPM_ALG_SHA1, TPM_ALG_SHA256, TPM_ALG_SHA384,
					  TPM_ALG_SHA512 };
	const size_t known_count = sizeof(known) / sizeof(known[0]);
	uint16_t of_tpm[BANKS_MAX];
	bool wanted[sizeof(known) / sizeof(known[0])], named[sizeof(known) / sizeof(known[0])];
	size_t of_tpm_count, named_count = 0;
	struct command c;
	uint32_t rc = read_banks(of_tpm, &of_tpm_count);

	if (rc)
		return rc;
	for (size_t i = 0; i < known_count; i++) {
		wanted[i] = has_bank(banks, count, known[i]);
		named[i] = wanted[i] || has_bank(of_tpm, of_tpm_count, known[i]);
		named_count += named[i];
	}
	begin_authorized(&c, TPM_CC_PCR_ALLOCATE, TPM_RH_PLATFORM);
	bytes_put_be32(&c.w, (uint32_t)named_count);
	for (size_t i = 0; i < known_count; i++) {
		if (named[i])
			wire_put_pcrs(&c.w, known[i], wanted[i] ? (1u << TPM_PCR_COUNT) - 1 : 0);
	}
	return submit_only(&c);
}

uint32_t tpm_randomise_platform_auth(void)
{
	uint8_t auth[TPM_PLATFORM_AUTH_SIZE];
	struct command c;
	uint32_t rc;

	if (RAND_bytes(auth, sizeof(auth)) != 1)
		return TPM_RC_NONE;
	begin_authorized(&c, TPM_CC_HIERARCHY_CHANGE_AUTH, TPM_RH_PLATFORM);
	wire_put_sized(&c.w, auth, sizeof(auth));
	rc = submit_only(&c);
	OPENSSL_cleanse(auth, sizeof(auth));
	OPENSSL_cleanse(&c, sizeof(c));
	return rc;
}

/* A primary key without authorization, with or without data. */
static uint32_t create_primary(uint32_t hierarchy, const uint8_t *template, size_t template_size,
			       const void *data, size_t data_size, struct response *response)
{
	struct command c;
	uint32_t rc;

	if (template_size > TPM_PUBLIC_MAX)
		return TPM_RC_NONE;
	begin_authorized(&c, TPM_CC_CREATE_PRIMARY, hierarchy);
	bytes_put_be16(&c.w, (uint16_t)(4 + data_size)); /* inSensitive: empty userAuth, data */
	bytes_put_be16(&c.w, 0);
	wire_put_sized(&c.w, data, data_size);
	wire_put_sized(&c.w, template, template_size);
	bytes_put_be16(&c.w, 0); /* outsideInfo */
	bytes_put_be32(&c.w, 0); /* creationPCR */
	rc = submit(&c, response);
	OPENSSL_cleanse(&c, sizeof(c));
	return rc;
}

/* creationHash and creationTicket, behind creationData. */
static bool take_creation(struct bytes_reader *r, struct tpm_primary *primary)
{
	size_t begin, hash_size, digest_size;

	bytes_take(r, bytes_be16(r)); /* creationData */
	begin = r->pos;
	hash_size = bytes_be16(r);
	bytes_take(r, hash_size);
	primary->creation_hash_size = r->pos - begin;
	bytes_be16(r); /* tag */
	bytes_be32(r); /* hierarchy */
	digest_size = bytes_be16(r);
	bytes_take(r, digest_size);
	primary->creation_size = r->pos - begin;
	if (r->bad || primary->creation_size > sizeof(primary->creation))
		return false;
	memcpy(primary->creation, r->data + begin, primary->creation_size);
	return true;
}

uint32_t tpm_create_primary_of(uint32_t hierarchy, const uint8_t *template, size_t template_size,
			       struct tpm_primary *primary)
{
	struct response response;
	uint32_t rc = create_primary(hierarchy, template, template_size, NULL, 0, &response);

	if (rc)
		return rc;
	primary->handle = bytes_be32(&response.r);
	bytes_be32(&response.r); /* parameterSize */
	primary->public_size = bytes_be16(&response.r);
	if (primary->public_size > TPM_PUBLIC_MAX ||
	    !bytes_copy(&response.r, primary->public_area, primary->public_size) ||
	    !take_creation(&response.r, primary))
		return TPM_RC_NONE;
	return TPM_RC_SUCCESS;
}

uint32_t tpm_create_primary(const uint8_t *template, size_t template_size,
			    struct tpm_primary *primary)
{
	return tpm_create_primary_of(TPM_RH_ENDORSEMENT, template, template_size, primary);
}

uint32_t tpm_create_hmac_key(const uint8_t key[TPM_HMAC_SIZE], uint32_t *handle)
{
	/*
	 * userWithAuth, noDA, restricted, sign; neither fixedTPM nor fixedParent, which a
	 * restricted symmetric key can have only when the TPM chose its value (part 2, section
	 * 8.3.3.6).
	 */
	static const uint8_t template[] = { 0x00, 0x08, 0x00, 0x0b, 0x00, 0x05, 0x04, 0x40,
					    0x00, 0x00, 0x00, 0x05, 0x00, 0x0b, 0x00, 0x00 };
	struct response response;
	uint32_t rc = create_primary(TPM_RH_ENDORSEMENT, template, sizeof(template), key,
				     TPM_HMAC_SIZE, &response);

	if (rc)
		return rc;
	*handle = bytes_be32(&response.r);
	return response.r.bad ? TPM_RC_NONE : TPM_RC_SUCCESS;
}

uint32_t tpm_create_child(uint32_t parent, struct tpm_child *child)
{
	/* fixedTPM, fixedParent, userWithAuth, noDA; no scheme: it holds data. */
	static const uint8_t template[] = { 0x00, 0x08, 0x00, 0x0b, 0x00, 0x00, 0x04,
					    0x52, 0x00, 0x00, 0x00, 0x10, 0x00, 0x00 };
	struct response response;
	struct command c;
	size_t begin;
	uint32_t rc;

	begin_authorized(&c, TPM_CC_CREATE, parent);
	bytes_put_be16(&c.w, 4 + 1); /* inSensitive: empty userAuth, a byte */
	bytes_put_be16(&c.w, 0);
	wire_put_sized(&c.w, "", 1);
	wire_put_sized(&c.w, template, sizeof(template));
	bytes_put_be16(&c.w, 0); /* outsideInfo */
	bytes_put_be32(&c.w, 0); /* creationPCR */
	rc = submit(&c, &response);
	if (rc)
		return rc;
	bytes_be32(&response.r); /* parameterSize */
	begin = response.r.pos;
	bytes_take(&response.r, bytes_be16(&response.r));
	bytes_take(&response.r, bytes_be16(&response.r));
	child->size = response.r.pos - begin;
	if (response.r.bad || child->size > sizeof(child->data))
		return TPM_RC_NONE;
	memcpy(child->data, response.data + begin, child->size);
	return TPM_RC_SUCCESS;
}

uint32_t tpm_load(uint32_t parent, const struct tpm_child *child, uint32_t *handle)
{
	struct response response;
	struct command c;
	uint32_t rc;

	begin_authorized(&c, TPM_CC_LOAD, parent);
	bytes_put(&c.w, child->data, child->size);
	rc = submit(&c, &response);
	if (rc)
		return rc;
	*handle = bytes_be32(&response.r);
	return response.r.bad ? TPM_RC_NONE : TPM_RC_SUCCESS;
}

/* A TPM2B_ATTEST and a TPMT_SIGNATURE of an HMAC key. */
static bool take_certified(struct bytes_reader *r, struct tpm_certified *certified)
{
	bytes_be32(r); /* parameterSize */
	certified->attest_size = bytes_be16(r);
	return certified->attest_size <= sizeof(certified->attest) &&
	       bytes_copy(r, certified->attest, certified->attest_size) &&
	       bytes_be16(r) == TPM_ALG_HMAC && bytes_be16(r) == TPM_ALG_SHA256 &&
	       bytes_copy(r, certified->mac, sizeof(certified->mac));
}

uint32_t tpm_certify_creation(uint32_t hmac_key, const struct tpm_primary *primary,
			      const void *data, size_t size, struct tpm_certified *certified)
{
	struct response response;
	struct command c;
	uint32_t rc;

	begin_authorized2(&c, TPM_CC_CERTIFY_CREATION, hmac_key, primary->handle);
	wire_put_sized(&c.w, data, size);
	bytes_put(&c.w, primary->creation, primary->creation_hash_size);
	bytes_put_be16(&c.w, TPM_ALG_NULL); /* the key's own scheme */
	bytes_put(&c.w, primary->creation + primary->creation_hash_size,
		  primary->creation_size - primary->creation_hash_size);
	rc = submit(&c, &response);
	if (rc)
		return rc;
	return take_certified(&response.r, certified) ? TPM_RC_SUCCESS : TPM_RC_NONE;
}

uint32_t tpm_flush(uint32_t handle)
{
	struct command c;

	begin(&c, TPM_ST_NO_SESSIONS, TPM_CC_FLUSH_CONTEXT);
	bytes_put_be32(&c.w, handle);
	return submit_only(&c);
}

uint32_t tpm_make_persistent(uint32_t handle, uint32_t persistent)
{
	struct command c;

	begin_authorized2(&c, TPM_CC_EVICT_CONTROL, TPM_RH_OWNER, handle);
	bytes_put_be32(&c.w, persistent);
	return submit_only(&c);
}

uint32_t tpm_platform_clear(void)
{
	struct command c;
	uint32_t rc;

	begin_authorized(&c, TPM_CC_CLEAR_CONTROL, TPM_RH_PLATFORM);
	bytes_put_u8(&c.w, 0);
	rc = submit_only(&c);
	if (rc)
		return rc;
	begin_authorized(&c, TPM_CC_CLEAR, TPM_RH_PLATFORM);
	return submit_only(&c);
}

uint32_t tpm_start_cleared(const uint8_t *permanent, size_t size)
{
	uint32_t rc;

	if (!tpm_load_permanent(permanent, size) || !tpm_power_on())
		return TPM_RC_NONE;
	rc = tpm_startup_clear();
	return rc ? rc : tpm_platform_clear();
}

uint32_t tpm_nv_define(const struct tpm_nv_public *nv)
{
	struct command c;

	begin_authorized(&c, TPM_CC_NV_DEFINE_SPACE, TPM_RH_PLATFORM);
	wire_put_sized(&c.w, nv->auth.data, nv->auth.size);
	bytes_put_be16(&c.w, (uint16_t)(14 + nv->policy_size));
	bytes_put_be32(&c.w, nv->index);
	bytes_put_be16(&c.w, TPM_ALG_SHA256);
	bytes_put_be32(&c.w, nv->attributes);
	wire_put_sized(&c.w, nv->policy, nv->policy_size);
	bytes_put_be16(&c.w, nv->size);
	return submit_only(&c);
}

uint32_t tpm_nv_undefine(uint32_t index)
{
	struct command c;

	begin_authorized2(&c, TPM_CC_NV_UNDEFINE_SPACE, TPM_RH_PLATFORM, index);
	return submit_only(&c);
}

static uint32_t nv_write(uint32_t by, struct tpm_auth auth, uint32_t index, const uint8_t *data,
			 size_t size)
{
	uint32_t rc = TPM_RC_SUCCESS;
	struct command c;

	for (size_t done = 0, piece; done < size && !rc; done += piece) {
		piece = size - done < TPM_NV_BUFFER_MAX ? size - done : TPM_NV_BUFFER_MAX;
		begin(&c, TPM_ST_SESSIONS, TPM_CC_NV_WRITE);
		bytes_put_be32(&c.w, by);
		bytes_put_be32(&c.w, index);
		wire_put_password(&c.w, auth.data, auth.size);
		wire_put_sized(&c.w, data + done, piece);
		bytes_put_be16(&c.w, (uint16_t)done);
		rc = submit_only(&c);
	}
	OPENSSL_cleanse(&c, sizeof(c)); /* the authorization */
	return rc;
}

uint32_t tpm_nv_write(uint32_t index, const uint8_t *data, size_t size)
{
	return nv_write(TPM_RH_PLATFORM, (struct tpm_auth){ 0 }, index, data, size);
}

uint32_t tpm_nv_write_as(uint32_t index, struct tpm_auth auth, const uint8_t *data, size_t size)
{
	return nv_write(index, auth, index, data, size);
}

uint32_t tpm_nv_write_lock(uint32_t index)
{
	struct command c;

	begin_authorized2(&c, TPM_CC_NV_WRITE_LOCK, TPM_RH_PLATFORM, index);
	return submit_only(&c);
}

uint32_t tpm_nv_size(uint32_t index, size_t *size)
{
	struct response response;
	struct command c;
	uint32_t rc;

	begin(&c, TPM_ST_NO_SESSIONS, TPM_CC_NV_READ_PUBLIC);
	bytes_put_be32(&c.w, index);
	rc = submit(&c, &response);
	if (rc)
		return rc;
	bytes_take(&response.r, 12); /* size of the structure, index, nameAlg, attributes */
	bytes_take(&response.r, bytes_be16(&response.r)); /* policy */
	*size = bytes_be16(&response.r);
	return response.r.bad ? TPM_RC_NONE : TPM_RC_SUCCESS;
}

static uint32_t nv_read(uint32_t by, uint32_t index, uint8_t *data, size_t size)
{
	struct response response;
	struct command c;
	uint32_t rc = TPM_RC_SUCCESS;

	for (size_t done = 0, piece; done < size && !rc; done += piece) {
		piece = size - done < TPM_NV_BUFFER_MAX ? size - done : TPM_NV_BUFFER_MAX;
		begin_authorized2(&c, TPM_CC_NV_READ, by, index);
		bytes_put_be16(&c.w, (uint16_t)piece);
		bytes_put_be16(&c.w, (uint16_t)done);
		rc = submit(&c, &response);
		if (rc)
			break;
		bytes_be32(&response.r); /* parameterSize */
		if (bytes_be16(&response.r) != piece ||
		    !bytes_copy(&response.r, data + done, piece))
			rc = TPM_RC_NONE;
	}
	return rc;
}

uint32_t tpm_nv_read(uint32_t index, uint8_t *data, size_t size)
{
	return nv_read(index, index, data, size);
}

uint32_t tpm_nv_read_by_owner(uint32_t index, uint8_t *data, size_t size)
{
	return nv_read(TPM_RH_OWNER, index, data, size);
}

uint32_t tpm_endorsement_enabled(bool *enabled)
{
	struct response response;
	struct command c;
	uint32_t rc;

	begin(&c, TPM_ST_NO_SESSIONS, TPM_CC_GET_CAPABILITY);
	bytes_put_be32(&c.w, TPM_CAP_TPM_PROPERTIES);
	bytes_put_be32(&c.w, TPM_PT_STARTUP_CLEAR);
	bytes_put_be32(&c.w, 1);
	rc = submit(&c, &response);
	if (rc)
		return rc;
	bytes_take(&response.r, 1 + 4 + 4); /* moreData, capability, count */
	if (bytes_be32(&response.r) != TPM_PT_STARTUP_CLEAR)
		return TPM_RC_NONE;
	*enabled = bytes_be32(&response.r) & TPMA_STARTUP_CLEAR_EH_ENABLE;
	return response.r.bad ? TPM_RC_NONE : TPM_RC_SUCCESS;
}
