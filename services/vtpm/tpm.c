/* SPDX-License-Identifier: MIT */
#include "services/vtpm/tpm.h"

#include <libtpms/tpm_error.h>
#include <libtpms/tpm_library.h>
#include <libtpms/tpm_nvfilename.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/vtpm/objects.h"
#include "services/vtpm/rsa_factors.h"

/*
 * libtpms chooses its TPM 1.2 back end through this table. Socle serves TPM 2.0 only, and an empty
 * table of this name keeps half a megabyte of TPM 1.2 out of the image.
 */
void *const TPM12Interface[32];

/* What libtpms before 0.10 does not have is NULL. */
__attribute__((weak)) TPM_RESULT TPMLIB_SetProfile(const char *profile);

/* State that libtpms asks to store: kept while the TPM is manufactured, no longer. */
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
static bool keep_blobs;

/* Who else wants the permanent state. */
static struct {
	tpm_store_function store;
	void *context;
} keeper;

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
	if (keeper.store && strcmp(name, TPM_PERMANENT_ALL_NAME) == 0)
		return keeper.store(keeper.context, data, length) ? TPM_SUCCESS : TPM_FAIL;
	if (!keep_blobs)
		return TPM_SUCCESS;
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

void tpm_init(bool keep)
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

	/* The configuration file would be an unmeasured input, and there is no file system. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
	keep_blobs = keep;
	/* Both fail only for wrong arguments, and then power-on fails too. */
	TPMLIB_ChooseTPMVersion(TPMLIB_TPM_VERSION_2);
	TPMLIB_RegisterCallbacks(&callbacks);
}

void tpm_stop_keeping(void)
{
	for (size_t i = 0; i < sizeof(blobs) / sizeof(blobs[0]); i++)
		clear_blob(&blobs[i]);
	keep_blobs = false;
}

void tpm_store_with(tpm_store_function store, void *context)
{
	keeper.store = store;
	keeper.context = context;
}

bool tpm_choose_profile(const char *profile)
{
	char json[96];

	if (!TPMLIB_SetProfile)
		return false;
	if (*profile == '{')
		return TPMLIB_SetProfile(profile) == TPM_SUCCESS;
	/* A name is letters, digits and '-': there is nothing in it that JSON would quote. */
	snprintf(json, sizeof(json), "{\"Name\":\"%s\"}", profile);
	return TPMLIB_SetProfile(json) == TPM_SUCCESS;
}

uint32_t tpm_library_version(void)
{
	return TPMLIB_GetVersion();
}

bool tpm_power_on(void)
{
	return TPMLIB_MainInit() == TPM_SUCCESS;
}

void tpm_power_off(void)
{
	TPMLIB_Terminate();
	objects_end();
	rsa_factors_forget();
}

bool tpm_load_permanent(const uint8_t *state, size_t size)
{
	return size <= UINT32_MAX &&
	       TPMLIB_SetState(TPMLIB_STATE_PERMANENT, state, (uint32_t)size) == TPM_SUCCESS;
}

bool tpm_load_volatile(const uint8_t *state, size_t size)
{
	return size <= UINT32_MAX &&
	       TPMLIB_SetState(TPMLIB_STATE_VOLATILE, state, (uint32_t)size) == TPM_SUCCESS;
}

void tpm_set_locality(uint8_t locality)
{
	current_locality = locality;
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
	objects_wipe();
	if (result != TPM_SUCCESS || length == 0 || length > TPM_BUFFER_MAX)
		return false;
	memcpy(response, buffer, length);
	OPENSSL_cleanse(buffer, length);
	*response_size = length;
	return true;
}

static bool get_state(enum TPMLIB_StateType type, struct tpm_state *state)
{
	*state = (struct tpm_state){ 0 };
	return TPMLIB_GetState(type, &state->data, &state->size) == TPM_SUCCESS;
}

bool tpm_permanent_state(struct tpm_state *state)
{
	return get_state(TPMLIB_STATE_PERMANENT, state);
}

bool tpm_volatile_state(struct tpm_state *state)
{
	return get_state(TPMLIB_STATE_VOLATILE, state);
}

void tpm_free_state(struct tpm_state *state)
{
	if (state->data)
		OPENSSL_cleanse(state->data, state->size);
	free(state->data); /* libtpms got it from malloc() */
	*state = (struct tpm_state){ 0 };
}

bool tpm_checkpoint(struct tpm_checkpoint *checkpoint)
{
	*checkpoint = (struct tpm_checkpoint){ 0 };
	if (get_state(TPMLIB_STATE_PERMANENT, &checkpoint->permanent) &&
	    get_state(TPMLIB_STATE_VOLATILE, &checkpoint->volatile_state))
		return true;
	tpm_free_state(&checkpoint->permanent);
	tpm_free_state(&checkpoint->volatile_state);
	return false;
}

bool tpm_rollback(struct tpm_checkpoint *checkpoint)
{
	const struct tpm_state *p = &checkpoint->permanent, *v = &checkpoint->volatile_state;
	bool ok;

	TPMLIB_Terminate();
	objects_end();
	ok = TPMLIB_SetState(TPMLIB_STATE_PERMANENT, p->data, p->size) == TPM_SUCCESS &&
	     TPMLIB_SetState(TPMLIB_STATE_VOLATILE, v->data, v->size) == TPM_SUCCESS &&
	     TPMLIB_MainInit() == TPM_SUCCESS;
	tpm_free_state(&checkpoint->permanent);
	tpm_free_state(&checkpoint->volatile_state);
	return ok;
}
