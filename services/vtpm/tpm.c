/* SPDX-License-Identifier: MIT */
#include "services/vtpm/tpm.h"

#include <libtpms/tpm_error.h>
#include <libtpms/tpm_library.h>
#include <libtpms/tpm_nvfilename.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"

/* TPM 2.0 Library part 2: tags, command codes, handles. */
#define TPM_ST_NO_SESSIONS 0x8001u
#define TPM_ST_SESSIONS 0x8002u
#define TPM_CC_HIERARCHY_CHANGE_AUTH 0x129u
#define TPM_CC_PCR_ALLOCATE 0x12bu
#define TPM_CC_CREATE_PRIMARY 0x131u
#define TPM_CC_STARTUP 0x144u
#define TPM_CC_SHUTDOWN 0x145u
#define TPM_CC_FLUSH_CONTEXT 0x165u
#define TPM_SU_CLEAR 0u
#define TPM_RS_PW 0x40000009u
#define TPM_RH_ENDORSEMENT 0x4000000bu
#define TPM_RH_PLATFORM 0x4000000cu
#define TPM_PCR_SELECT_SIZE 3u
#define TPM_PLATFORM_AUTH_SIZE 32u

/*
 * libtpms chooses its TPM 1.2 back end through this table. Socle serves TPM 2.0 only, and an empty
 * table of this name keeps half a megabyte of TPM 1.2 out of the image.
 */
void *const TPM12Interface[32];

/* State that libtpms asks to store: kept while this process lives, no longer. */
struct blob {
	const char *name;
	unsigned char *data;
	uint32_t length;
};

static struct blob blobs[] = {
	{ .name = TPM_PERMANENT_ALL_NAME },
	{ .name = TPM_SAVESTATE_NAME },
	{ .name = TPM_VOLATILESTATE_NAME },
};

/* Locality of the command in progress; libtpms asks by callback, without a context. */
static uint8_t current_locality;

static struct blob *find_blob(const char *name)
{
	for (size_t i = 0; i < sizeof(blobs) / sizeof(blobs[0]); i++) {
		if (strcmp(blobs[i].name, name) == 0)
			return &blobs[i];
	}
	return NULL;
}

static void clear_blob(struct blob *blob)
{
	OPENSSL_clear_free(blob->data, blob->length);
	blob->data = NULL;
	blob->length = 0;
}

static TPM_RESULT nvram_init(void)
{
	return TPM_SUCCESS;
}

/* TPM_RETRY tells libtpms that there is no state yet: it manufactures. */
static TPM_RESULT nvram_load(unsigned char **data, uint32_t *length, uint32_t tpm, const char *name)
{
	const struct blob *blob = find_blob(name);

	(void)tpm;
	if (!blob || !blob->data)
		return TPM_RETRY;
	*data = malloc(blob->length);
	if (!*data)
		return TPM_FAIL;
	memcpy(*data, blob->data, blob->length);
	*length = blob->length;
	return TPM_SUCCESS;
}

static TPM_RESULT nvram_store(const unsigned char *data, uint32_t length, uint32_t tpm,
			      const char *name)
{
	struct blob *blob = find_blob(name);
	unsigned char *copy;

	(void)tpm;
	if (!blob)
		return TPM_FAIL;
	copy = OPENSSL_malloc(length);
	if (!copy)
		return TPM_FAIL;
	memcpy(copy, data, length);
	clear_blob(blob);
	blob->data = copy;
	blob->length = length;
	return TPM_SUCCESS;
}

static TPM_RESULT nvram_delete(uint32_t tpm, const char *name, TPM_BOOL must_exist)
{
	struct blob *blob = find_blob(name);

	(void)tpm;
	if (!blob || (must_exist && !blob->data))
		return TPM_FAIL;
	clear_blob(blob);
	return TPM_SUCCESS;
}

static TPM_RESULT io_init(void)
{
	return TPM_SUCCESS;
}

static TPM_RESULT io_locality(TPM_MODIFIER_INDICATOR *locality, uint32_t tpm)
{
	(void)tpm;
	*locality = current_locality;
	return TPM_SUCCESS;
}

static TPM_RESULT io_physical_presence(TPM_BOOL *presence, uint32_t tpm)
{
	(void)tpm;
	*presence = 0;
	return TPM_SUCCESS;
}

/* A command under construction. Its own commands are all far smaller than the buffer. */
struct command {
	uint8_t data[2048];
	size_t size;
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

static void begin(struct command *c, uint16_t tag, uint32_t code)
{
	c->size = 0;
	put_u16(c, tag);
	put_u32(c, 0); /* the size, known at the end */
	put_u32(c, code);
}

/* A handle that is authorized by an empty password. */
static void put_handle_with_empty_auth(struct command *c, uint32_t handle)
{
	put_u32(c, handle);
	put_u32(c, 9); /* bytes of the authorization area */
	put_u32(c, TPM_RS_PW);
	put_u16(c, 0);
	put_u8(c, 0);
	put_u16(c, 0);
}

/* Sends a command of our own at locality 0. Returns its response code. */
static uint32_t submit(struct command *c, uint8_t *response, size_t *response_size)
{
	struct bytes_reader r;
	size_t size = c->size;

	c->size = 2;
	put_u32(c, (uint32_t)size);
	c->size = size;
	if (!tpm_execute(0, c->data, c->size, response, response_size))
		return TPM_RC_NONE;
	r = bytes_reader_init(response, *response_size);
	bytes_be16(&r);
	bytes_be32(&r);
	size = bytes_be32(&r);
	return r.bad ? TPM_RC_NONE : (uint32_t)size;
}

/* Sends a command whose response parameters do not matter. */
static uint32_t submit_only(struct command *c)
{
	uint8_t response[TPM_BUFFER_MAX];
	size_t size;

	return submit(c, response, &size);
}

static uint32_t startup_clear(void)
{
	struct command c;

	begin(&c, TPM_ST_NO_SESSIONS, TPM_CC_STARTUP);
	put_u16(&c, TPM_SU_CLEAR);
	return submit_only(&c);
}

static uint32_t shutdown_clear(void)
{
	struct command c;

	begin(&c, TPM_ST_NO_SESSIONS, TPM_CC_SHUTDOWN);
	put_u16(&c, TPM_SU_CLEAR);
	return submit_only(&c);
}

static bool wants_bank(const struct profile *profile, uint16_t algorithm)
{
	for (size_t i = 0; i < profile->bank_count; i++) {
		if (profile->banks[i] == algorithm)
			return true;
	}
	return false;
}

/* Takes effect with the next TPM reset. */
static uint32_t allocate_banks(const struct profile *profile)
{
	static const uint16_t implemented[] = { 0x0004, 0x000b, 0x000c, 0x000d };
	struct command c;

	begin(&c, TPM_ST_SESSIONS, TPM_CC_PCR_ALLOCATE);
	put_handle_with_empty_auth(&c, TPM_RH_PLATFORM);
	put_u32(&c, sizeof(implemented) / sizeof(implemented[0]));
	for (size_t i = 0; i < sizeof(implemented) / sizeof(implemented[0]); i++) {
		uint8_t select = wants_bank(profile, implemented[i]) ? 0xff : 0;

		put_u16(&c, implemented[i]);
		put_u8(&c, TPM_PCR_SELECT_SIZE);
		for (size_t n = 0; n < TPM_PCR_SELECT_SIZE; n++)
			put_u8(&c, select);
	}
	return submit_only(&c);
}

static uint32_t randomise_platform_auth(void)
{
	uint8_t auth[TPM_PLATFORM_AUTH_SIZE];
	struct command c;
	uint32_t rc;

	if (RAND_bytes(auth, sizeof(auth)) != 1)
		return TPM_RC_NONE;
	begin(&c, TPM_ST_SESSIONS, TPM_CC_HIERARCHY_CHANGE_AUTH);
	put_handle_with_empty_auth(&c, TPM_RH_PLATFORM);
	put_u16(&c, sizeof(auth));
	put_bytes(&c, auth, sizeof(auth));
	rc = submit_only(&c);
	OPENSSL_cleanse(auth, sizeof(auth));
	OPENSSL_cleanse(&c, sizeof(c));
	return rc;
}

static bool power_on(void)
{
	static struct libtpms_callbacks callbacks = {
		.sizeOfStruct = sizeof(callbacks),
		.tpm_nvram_init = nvram_init,
		.tpm_nvram_loaddata = nvram_load,
		.tpm_nvram_storedata = nvram_store,
		.tpm_nvram_deletename = nvram_delete,
		.tpm_io_init = io_init,
		.tpm_io_getlocality = io_locality,
		.tpm_io_getphysicalpresence = io_physical_presence,
	};

	return TPMLIB_ChooseTPMVersion(TPMLIB_TPM_VERSION_2) == TPM_SUCCESS &&
	       TPMLIB_RegisterCallbacks(&callbacks) == TPM_SUCCESS &&
	       TPMLIB_MainInit() == TPM_SUCCESS;
}

uint32_t tpm_start(const struct profile *profile)
{
	uint32_t rc;

	/* The configuration file would be an unmeasured input, and there is no file system. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
	if (!power_on())
		return TPM_RC_NONE;
	rc = startup_clear();
	if (!rc)
		rc = allocate_banks(profile);
	if (!rc)
		rc = shutdown_clear();
	if (rc)
		return rc;

	TPMLIB_Terminate();
	if (!power_on())
		return TPM_RC_NONE;
	rc = startup_clear();
	return rc ? rc : randomise_platform_auth();
}

bool tpm_execute(uint8_t locality, const uint8_t *command, size_t size, uint8_t *response,
		 size_t *response_size)
{
	static unsigned char *buffer; /* libtpms allocates it once and uses it again */
	static uint32_t buffer_size;
	uint8_t copy[TPM_BUFFER_MAX];
	uint32_t length = 0;
	TPM_RESULT result;

	if (size > sizeof(copy))
		return false;
	memcpy(copy, command, size); /* libtpms takes it writable */
	current_locality = locality;
	result = TPMLIB_Process(&buffer, &length, &buffer_size, copy, (uint32_t)size);
	OPENSSL_cleanse(copy, size);
	if (result != TPM_SUCCESS || length == 0 || length > TPM_BUFFER_MAX)
		return false;
	memcpy(response, buffer, length);
	OPENSSL_cleanse(buffer, length);
	*response_size = length;
	return true;
}

static uint32_t flush(uint32_t handle)
{
	struct command c;

	begin(&c, TPM_ST_NO_SESSIONS, TPM_CC_FLUSH_CONTEXT);
	put_u32(&c, handle);
	return submit_only(&c);
}

static void put_create_primary(struct command *c, const uint8_t *template, size_t template_size)
{
	begin(c, TPM_ST_SESSIONS, TPM_CC_CREATE_PRIMARY);
	put_handle_with_empty_auth(c, TPM_RH_ENDORSEMENT);
	put_u16(c, 4); /* inSensitive: empty userAuth, empty data */
	put_u16(c, 0);
	put_u16(c, 0);
	put_u16(c, (uint16_t)template_size);
	put_bytes(c, template, template_size);
	put_u16(c, 0); /* outsideInfo */
	put_u32(c, 0); /* creationPCR */
}

uint32_t tpm_endorsement_public(const uint8_t *template, size_t template_size, uint8_t *public_area,
				size_t *public_size)
{
	uint8_t response[TPM_BUFFER_MAX];
	struct bytes_reader r;
	struct command c;
	uint32_t rc, handle;
	size_t size;

	if (template_size > TPM_PUBLIC_MAX)
		return TPM_RC_NONE;
	put_create_primary(&c, template, template_size);
	rc = submit(&c, response, &size);
	if (rc)
		return rc;
	r = bytes_reader_init(response, size);
	bytes_take(&r, 10); /* header */
	handle = bytes_be32(&r);
	bytes_be32(&r); /* parameterSize */
	*public_size = bytes_be16(&r);
	if (*public_size > TPM_PUBLIC_MAX || !bytes_copy(&r, public_area, *public_size))
		return TPM_RC_NONE;
	return flush(handle);
}
