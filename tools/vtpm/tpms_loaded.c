/* SPDX-License-Identifier: MIT */
/*
 * libtpms's functions by their own names, for the service's code, which is linked with them under
 * Socle.
 */
#include <dlfcn.h>
#include <libtpms/tpm_error.h>
#include <libtpms/tpm_library.h>
#include <libtpms/tpm_tis.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

#include "services/vtpm/curve_group.h"
#include "services/vtpm/rsa_factors.h"
#include "tools/load_library.h"
#include "tools/vtpm/tpms.h"

#define LIBRARY "libtpms.so.0"

int RSA_set0_crt_params(RSA *key, BIGNUM *dp, BIGNUM *dq, BIGNUM *q_inverse);

/* As in tpm.c: libtpms before 0.10 has none. */
TPM_RESULT TPMLIB_SetProfile(const char *profile);

static struct {
	uint32_t (*version)(void);
	TPM_RESULT (*choose)(TPMLIB_TPMVersion version);
	TPM_RESULT (*register_callbacks)(struct libtpms_callbacks *callbacks);
	TPM_RESULT (*start)(void);
	void (*end)(void);
	TPM_RESULT(*process)
	(unsigned char **response, uint32_t *size, uint32_t *buffer, unsigned char *command,
	 uint32_t command_size);
	TPM_RESULT (*cancel)(void);
	TPM_RESULT (*get_state)(enum TPMLIB_StateType type, unsigned char **state, uint32_t *size);
	TPM_RESULT(*set_state)
	(enum TPMLIB_StateType type, const unsigned char *state, uint32_t size);
	uint32_t (*set_buffer_size)(uint32_t wanted, uint32_t *least, uint32_t *most);
	char *(*info)(enum TPMLIB_InfoFlags flags);
	TPM_RESULT (*hash_start)(void);
	TPM_RESULT (*hash_data)(const unsigned char *data, uint32_t size);
	TPM_RESULT (*hash_end)(void);
	TPM_RESULT (*established)(TPM_BOOL *established);
	TPM_RESULT (*reset_established)(void);
	TPM_RESULT (*set_profile)(const char *profile);
} tpms;

bool tpms_load(struct host_error *error)
{
	const struct library_symbol symbols[] = {
		{ "TPMLIB_GetVersion", (void **)&tpms.version },
		{ "TPMLIB_ChooseTPMVersion", (void **)&tpms.choose },
		{ "TPMLIB_RegisterCallbacks", (void **)&tpms.register_callbacks },
		{ "TPMLIB_MainInit", (void **)&tpms.start },
		{ "TPMLIB_Terminate", (void **)&tpms.end },
		{ "TPMLIB_Process", (void **)&tpms.process },
		{ "TPMLIB_CancelCommand", (void **)&tpms.cancel },
		{ "TPMLIB_GetState", (void **)&tpms.get_state },
		{ "TPMLIB_SetState", (void **)&tpms.set_state },
		{ "TPMLIB_SetBufferSize", (void **)&tpms.set_buffer_size },
		{ "TPMLIB_GetInfo", (void **)&tpms.info },
		{ "TPM_IO_Hash_Start", (void **)&tpms.hash_start },
		{ "TPM_IO_Hash_Data", (void **)&tpms.hash_data },
		{ "TPM_IO_Hash_End", (void **)&tpms.hash_end },
		{ "TPM_IO_TpmEstablished_Get", (void **)&tpms.established },
		{ "TPM_IO_TpmEstablished_Reset", (void **)&tpms.reset_established },
	};
	const struct library_symbol later[] = {
		{ "TPMLIB_SetProfile", (void **)&tpms.set_profile },
	};
	struct host_error none;

	if (!load_library(LIBRARY, symbols, sizeof(symbols) / sizeof(symbols[0]), error))
		return false;
	load_library(LIBRARY, later, sizeof(later) / sizeof(later[0]), &none);
	return true;
}

uint32_t TPMLIB_GetVersion(void)
{
	return tpms.version();
}

TPM_RESULT TPMLIB_ChooseTPMVersion(TPMLIB_TPMVersion version)
{
	return tpms.choose(version);
}

TPM_RESULT TPMLIB_RegisterCallbacks(struct libtpms_callbacks *callbacks)
{
	return tpms.register_callbacks(callbacks);
}

TPM_RESULT TPMLIB_MainInit(void)
{
	return tpms.start();
}

void TPMLIB_Terminate(void)
{
	tpms.end();
}

TPM_RESULT TPMLIB_Process(unsigned char **response, uint32_t *size, uint32_t *buffer,
			  unsigned char *command, uint32_t command_size)
{
	return tpms.process(response, size, buffer, command, command_size);
}

TPM_RESULT TPMLIB_CancelCommand(void)
{
	return tpms.cancel();
}

TPM_RESULT TPMLIB_GetState(enum TPMLIB_StateType type, unsigned char **state, uint32_t *size)
{
	return tpms.get_state(type, state, size);
}

TPM_RESULT TPMLIB_SetState(enum TPMLIB_StateType type, const unsigned char *state, uint32_t size)
{
	return tpms.set_state(type, state, size);
}

uint32_t TPMLIB_SetBufferSize(uint32_t wanted, uint32_t *least, uint32_t *most)
{
	return tpms.set_buffer_size(wanted, least, most);
}

char *TPMLIB_GetInfo(enum TPMLIB_InfoFlags flags)
{
	return tpms.info(flags);
}

TPM_RESULT TPMLIB_SetProfile(const char *profile)
{
	return tpms.set_profile ? tpms.set_profile(profile) : TPM_FAIL;
}

TPM_RESULT TPM_IO_Hash_Start(void)
{
	return tpms.hash_start();
}

TPM_RESULT TPM_IO_Hash_Data(const unsigned char *data, uint32_t size)
{
	return tpms.hash_data(data, size);
}

TPM_RESULT TPM_IO_Hash_End(void)
{
	return tpms.hash_end();
}

TPM_RESULT TPM_IO_TpmEstablished_Get(TPM_BOOL *established)
{
	return tpms.established(established);
}

TPM_RESULT TPM_IO_TpmEstablished_Reset(void)
{
	return tpms.reset_established();
}

/*
 * libcrypto's own, for the functions below. Threads of the executable that have no TPM come by
 * here, too.
 */
static struct {
	pthread_once_t once;
	rsa_set_crt_function set_crt;
	rsa_from_data_function from_data;
	curve_group_function curve_group;
} next = { .once = PTHREAD_ONCE_INIT };

static void find_next(void)
{
	*(void **)&next.set_crt = dlsym(RTLD_NEXT, "RSA_set0_crt_params");
	*(void **)&next.from_data = dlsym(RTLD_NEXT, "EVP_PKEY_fromdata");
	*(void **)&next.curve_group = dlsym(RTLD_NEXT, "EC_GROUP_new_curve_GFp");
}

/* libtpms's calls of libcrypto's find these, which the executable exports. */
int RSA_set0_crt_params(RSA *key, BIGNUM *dp, BIGNUM *dq, BIGNUM *q_inverse)
{
	pthread_once(&next.once, find_next);
	return next.set_crt ? rsa_factors_set_crt(key, dp, dq, q_inverse, next.set_crt) : 0;
}

int EVP_PKEY_fromdata(EVP_PKEY_CTX *context, EVP_PKEY **key, int selection, OSSL_PARAM params[])
{
	pthread_once(&next.once, find_next);
	return next.from_data
		       ? rsa_factors_from_data(context, key, selection, params, next.from_data)
		       : 0;
}

EC_GROUP *EC_GROUP_new_curve_GFp(const BIGNUM *p, const BIGNUM *a, const BIGNUM *b, BN_CTX *context)
{
	pthread_once(&next.once, find_next);
	return next.curve_group ? curve_group_new(p, a, b, context, next.curve_group) : NULL;
}
