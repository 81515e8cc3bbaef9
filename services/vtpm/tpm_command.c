/* SPDX-License-Identifier: MIT */
#include "services/vtpm/tpm_command.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "abi/tpm.h"
#include "core/base/bytes.h"

/* TPM 2.0 Library part 2: tags, command codes, handles. */
#define TPM_ST_NO_SESSIONS 0x8001u
#define TPM_ST_SESSIONS 0x8002u
#define TPM_CC_EVICT_CONTROL 0x120u
#define TPM_CC_CLEAR 0x126u
#define TPM_CC_CLEAR_CONTROL 0x127u
#define TPM_CC_HIERARCHY_CHANGE_AUTH 0x129u
#define TPM_CC_NV_DEFINE_SPACE 0x12au
#define TPM_CC_PCR_ALLOCATE 0x12bu
#define TPM_CC_CREATE_PRIMARY 0x131u
#define TPM_CC_NV_WRITE 0x137u
#define TPM_CC_NV_WRITE_LOCK 0x138u
#define TPM_CC_STARTUP 0x144u
#define TPM_CC_SHUTDOWN 0x145u
#define TPM_CC_CERTIFY_CREATION 0x14au
#define TPM_CC_NV_READ 0x14eu
#define TPM_CC_FLUSH_CONTEXT 0x165u
#define TPM_CC_NV_READ_PUBLIC 0x169u
#define TPM_CC_GET_CAPABILITY 0x17au
#define TPM_SU_CLEAR 0u
#define TPM_ALG_HMAC 0x0005u
#define TPM_RS_PW 0x40000009u
#define TPM_RH_OWNER 0x40000001u
#define TPM_RH_PLATFORM 0x4000000cu
#define TPM_CAP_TPM_PROPERTIES 6u
#define TPM_PT_STARTUP_CLEAR 0x201u
#define TPMA_STARTUP_CLEAR_EH_ENABLE (1u << 2)
#define TPM_PCR_SELECT_SIZE 3u
#define TPM_PLATFORM_AUTH_SIZE 32u
#define TPM_NV_BUFFER_MAX 1024u
#define COMMAND_HEADER_SIZE 10u
#define RESPONSE_HEADER_SIZE 10u
#define TPM_RC_RETRY 0x922u
#define TRIES 3

/* A command under construction. Its own commands are all far smaller than the buffer. */
struct command {
	uint8_t data[2048];
	size_t size;
};

/* A response; r stands behind its header, and behind parameterSize where there is one. */
struct response {
	uint8_t data[TPM_BUFFER_MAX];
	size_t size;
	struct bytes_reader r;
};

static void put_bytes(struct command *c, const void *data, size_t size)
{
	if (size > sizeof(c->data) - c->size)
		abort();
	if (size)
		memcpy(c->data + c->size, data, size);
	c->size += size;
}

static void put_u8(struct command *c, uint8_t value)
{
	put_bytes(c, &value, 1);
}

static void put_u16(struct command *c, uint16_t value)
{
	uint8_t bytes[] = { (uint8_t)(value >> 8), (uint8_t)value };

	put_bytes(c, bytes, sizeof(bytes));
}

static void put_u32(struct command *c, uint32_t value)
{
	put_u16(c, (uint16_t)(value >> 16));
	put_u16(c, (uint16_t)value);
}

static void put_sized(struct command *c, const void *data, size_t size)
{
	put_u16(c, (uint16_t)size);
	put_bytes(c, data, size);
}

static void begin(struct command *c, uint16_t tag, uint32_t code)
{
	c->size = 0;
	put_u16(c, tag);
	put_u32(c, 0); /* the size, known at the end */
	put_u32(c, code);
}

static void put_empty_auth(struct command *c)
{
	put_u32(c, 9); /* bytes of the authorization area */
	put_u32(c, TPM_RS_PW);
	put_u16(c, 0);
	put_u8(c, 0);
	put_u16(c, 0);
}

/* A command with one handle, which an empty password authorizes. */
static void begin_authorized(struct command *c, uint32_t code, uint32_t handle)
{
	begin(c, TPM_ST_SESSIONS, code);
	put_u32(c, handle);
	put_empty_auth(c);
}

/* The same with a second handle that needs no authorization. */
static void begin_authorized2(struct command *c, uint32_t code, uint32_t handle, uint32_t other)
{
	begin(c, TPM_ST_SESSIONS, code);
	put_u32(c, handle);
	put_u32(c, other);
	put_empty_auth(c);
}

uint32_t tpm_command_code(const uint8_t *command, size_t size)
{
	struct bytes_reader r = bytes_reader_init(command, size);

	bytes_be16(&r);
	bytes_be32(&r);
	return bytes_be32(&r);
}

bool tpm_is_startup_clear(const uint8_t *command, size_t size)
{
	struct bytes_reader r = bytes_reader_init(command, size);

	bytes_take(&r, COMMAND_HEADER_SIZE);
	return tpm_command_code(command, size) == TPM_CC_STARTUP &&
	       bytes_be16(&r) == TPM_SU_CLEAR && !r.bad;
}

uint32_t tpm_response_code(const uint8_t *response, size_t size)
{
	struct bytes_reader r = bytes_reader_init(response, size);
	uint32_t code;

	bytes_be16(&r);
	bytes_be32(&r);
	code = bytes_be32(&r);
	return r.bad ? TPM_RC_NONE : code;
}

/*
 * Sends the command. Returns its response code. The first use of something that is protected from
 * dictionary attacks only takes note of it, and asks to be called again (part 1, section 19.8).
 */
static uint32_t submit(struct command *c, struct response *response)
{
	size_t size = c->size;
	uint32_t rc = TPM_RC_RETRY;

	c->size = 2;
	put_u32(c, (uint32_t)size);
	c->size = size;
	for (int i = 0; i < TRIES && rc == TPM_RC_RETRY; i++) {
		if (!tpm_execute(0, c->data, c->size, response->data, &response->size))
			return TPM_RC_NONE;
		rc = tpm_response_code(response->data, response->size);
	}
	response->r = bytes_reader_init(response->data, response->size);
	bytes_take(&response->r, RESPONSE_HEADER_SIZE);
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
	put_u16(&c, TPM_SU_CLEAR);
	return submit_only(&c);
}

uint32_t tpm_shutdown_clear(void)
{
	struct command c;

	begin(&c, TPM_ST_NO_SESSIONS, TPM_CC_SHUTDOWN);
	put_u16(&c, TPM_SU_CLEAR);
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

uint32_t tpm_pcr_allocate(const uint16_t *banks, size_t count)
{
	static const uint16_t implemented[] = { 0x0004, TPM_ALG_SHA256, TPM_ALG_SHA384,
						TPM_ALG_SHA512 };
	struct command c;

	begin_authorized(&c, TPM_CC_PCR_ALLOCATE, TPM_RH_PLATFORM);
	put_u32(&c, sizeof(implemented) / sizeof(implemented[0]));
	for (size_t i = 0; i < sizeof(implemented) / sizeof(implemented[0]); i++) {
		uint8_t select = has_bank(banks, count, implemented[i]) ? 0xff : 0;

		put_u16(&c, implemented[i]);
		put_u8(&c, TPM_PCR_SELECT_SIZE);
		for (size_t n = 0; n < TPM_PCR_SELECT_SIZE; n++)
			put_u8(&c, select);
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
	put_sized(&c, auth, sizeof(auth));
	rc = submit_only(&c);
	OPENSSL_cleanse(auth, sizeof(auth));
	OPENSSL_cleanse(&c, sizeof(c));
	return rc;
}

/* A primary key of the endorsement hierarchy, without authorization, with or without data. */
static uint32_t create_primary(const uint8_t *template, size_t template_size, const void *data,
			       size_t data_size, struct response *response)
{
	struct command c;
	uint32_t rc;

	if (template_size > TPM_PUBLIC_MAX)
		return TPM_RC_NONE;
	begin_authorized(&c, TPM_CC_CREATE_PRIMARY, TPM_RH_ENDORSEMENT);
	put_u16(&c, (uint16_t)(4 + data_size)); /* inSensitive: empty userAuth, data */
	put_u16(&c, 0);
	put_sized(&c, data, data_size);
	put_sized(&c, template, template_size);
	put_u16(&c, 0); /* outsideInfo */
	put_u32(&c, 0); /* creationPCR */
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

uint32_t tpm_create_primary(const uint8_t *template, size_t template_size,
			    struct tpm_primary *primary)
{
	struct response response;
	uint32_t rc = create_primary(template, template_size, NULL, 0, &response);

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

uint32_t tpm_create_hmac_key(const uint8_t key[TPM_HMAC_SIZE], uint32_t *handle)
{
	/*
	 * userWithAuth, noDA, restricted, sign; neither fixedTPM nor fixedParent, which a restricted
	 * symmetric key can have only when the TPM chose its value (part 2, section 8.3.3.6).
	 */
	static const uint8_t template[] = { 0x00, 0x08, 0x00, 0x0b, 0x00, 0x05, 0x04, 0x40,
					    0x00, 0x00, 0x00, 0x05, 0x00, 0x0b, 0x00, 0x00 };
	struct response response;
	uint32_t rc = create_primary(template, sizeof(template), key, TPM_HMAC_SIZE, &response);

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
	put_sized(&c, data, size);
	put_bytes(&c, primary->creation, primary->creation_hash_size);
	put_u16(&c, TPM_ALG_NULL); /* the key's own scheme */
	put_bytes(&c, primary->creation + primary->creation_hash_size,
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
	put_u32(&c, handle);
	return submit_only(&c);
}

uint32_t tpm_make_persistent(uint32_t handle, uint32_t persistent)
{
	struct command c;

	begin_authorized2(&c, TPM_CC_EVICT_CONTROL, TPM_RH_OWNER, handle);
	put_u32(&c, persistent);
	return submit_only(&c);
}

uint32_t tpm_platform_clear(void)
{
	struct command c;
	uint32_t rc;

	begin_authorized(&c, TPM_CC_CLEAR_CONTROL, TPM_RH_PLATFORM);
	put_u8(&c, 0);
	rc = submit_only(&c);
	if (rc)
		return rc;
	begin_authorized(&c, TPM_CC_CLEAR, TPM_RH_PLATFORM);
	return submit_only(&c);
}

uint32_t tpm_nv_define(const struct tpm_nv_public *nv)
{
	struct command c;

	begin_authorized(&c, TPM_CC_NV_DEFINE_SPACE, TPM_RH_PLATFORM);
	put_u16(&c, 0); /* auth */
	put_u16(&c, (uint16_t)(14 + nv->policy_size));
	put_u32(&c, nv->index);
	put_u16(&c, TPM_ALG_SHA256);
	put_u32(&c, nv->attributes);
	put_sized(&c, nv->policy, nv->policy_size);
	put_u16(&c, nv->size);
	return submit_only(&c);
}

uint32_t tpm_nv_write(uint32_t index, const uint8_t *data, size_t size)
{
	uint32_t rc = TPM_RC_SUCCESS;
	struct command c;

	for (size_t done = 0, piece; done < size && !rc; done += piece) {
		piece = size - done < TPM_NV_BUFFER_MAX ? size - done : TPM_NV_BUFFER_MAX;
		begin_authorized2(&c, TPM_CC_NV_WRITE, TPM_RH_PLATFORM, index);
		put_sized(&c, data + done, piece);
		put_u16(&c, (uint16_t)done);
		rc = submit_only(&c);
	}
	return rc;
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
	put_u32(&c, index);
	rc = submit(&c, &response);
	if (rc)
		return rc;
	bytes_take(&response.r, 12); /* size of the structure, index, nameAlg, attributes */
	bytes_take(&response.r, bytes_be16(&response.r)); /* policy */
	*size = bytes_be16(&response.r);
	return response.r.bad ? TPM_RC_NONE : TPM_RC_SUCCESS;
}

uint32_t tpm_nv_read(uint32_t index, uint8_t *data, size_t size)
{
	struct response response;
	struct command c;
	uint32_t rc = TPM_RC_SUCCESS;

	for (size_t done = 0, piece; done < size && !rc; done += piece) {
		piece = size - done < TPM_NV_BUFFER_MAX ? size - done : TPM_NV_BUFFER_MAX;
		begin_authorized2(&c, TPM_CC_NV_READ, index, index);
		put_u16(&c, (uint16_t)piece);
		put_u16(&c, (uint16_t)done);
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

uint32_t tpm_endorsement_enabled(bool *enabled)
{
	struct response response;
	struct command c;
	uint32_t rc;

	begin(&c, TPM_ST_NO_SESSIONS, TPM_CC_GET_CAPABILITY);
	put_u32(&c, TPM_CAP_TPM_PROPERTIES);
	put_u32(&c, TPM_PT_STARTUP_CLEAR);
	put_u32(&c, 1);
	rc = submit(&c, &response);
	if (rc)
		return rc;
	bytes_take(&response.r, 1 + 4 + 4); /* moreData, capability, count */
	if (bytes_be32(&response.r) != TPM_PT_STARTUP_CLEAR)
		return TPM_RC_NONE;
	*enabled = bytes_be32(&response.r) & TPMA_STARTUP_CLEAR_EH_ENABLE;
	return response.r.bad ? TPM_RC_NONE : TPM_RC_SUCCESS;
}
