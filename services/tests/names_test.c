/* SPDX-License-Identifier: MIT */
/*
 * What the real vtpm has of libcrypto by a hash's name: it makes a table of these alone
 * (services/main.c). Each hash of a TPM with both schemes of RSA that libtpms has from EVP, judged
 * by the libcrypto of this test, which has all names: it encrypts with OAEP what the TPM decrypts
 * (TPM 2.0 Library part 1, B.4), and verifies the TPM's RSASSA-PSS (B.7).
 *
 *	names_test VTPM
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/tests/spawn.h"

#define KEY_SIZE 256u /* RSA-2048 */
#define HEADER 10u
/* Behind it: a handle, and an authorization area of an empty password (part 1, 19.4). */
#define COMMAND "\x80\x02\0\0\0\0\0\0\1"
#define PASSWORD "\0\0\0\x09\x40\0\0\x09\0\0\0\0\0"
#define CREATE_PRIMARY COMMAND "\x31\x40\0\0\1" PASSWORD
#define RSA_DECRYPT COMMAND "\x59????" PASSWORD
#define SIGN COMMAND "\x5d????" PASSWORD
/* An empty sensitive area; RSA-2048 that signs and decrypts with any scheme (noDA); no more. */
#define TEMPLATE "\0\1\0\x0b\0\6\4\x72\0\0\0\x10\0\x10\x08\0\0\0\0\0\0\0"
#define IN_CREATE "\0\4\0\0\0\0\0\x16" TEMPLATE "\0\0\0\0\0\0"

static const char profile[] =
	"profile test\npcr-banks sha256\nplatform-auth empty\nmanifests 1\ncertificates none\n"
	"key ak-ecc-p256\n role ak\n hierarchy endorsement\n"
	" template 0023000b00050072000000100018000b0003001000000000\n"
	" unique random\n handle none\n";

static const struct {
	const char *name;
	uint8_t alg; /* TPM_ALG_ID, whose upper byte is 0 */
	size_t size;
} hashes[] = {
	{ "SHA1", 0x04, 20 },
	{ "SHA2-256", 0x0b, 32 },
	{ "SHA2-384", 0x0c, 48 },
	{ "SHA2-512", 0x0d, 64 },
};
#define HASHES (sizeof(hashes) / sizeof(hashes[0]))

static const char *vtpm_path;
static int channel;
static pid_t pid;
static uint8_t handle[4];
static EVP_PKEY *key; /* its public half, as this test's libcrypto has it */
static uint8_t command[sizeof(struct vtpm_command) + 1024];
static size_t command_size;
static uint8_t reply[sizeof(struct vtpm_response) + 4096];
static const uint8_t *const response = reply + sizeof(struct vtpm_response);

static void put(const void *data, size_t size)
{
	assert_true(size <= sizeof(command) - command_size);
	memcpy(command + command_size, data, size);
	command_size += size;
}

static void put_sized(const void *data, size_t size)
{
	const uint8_t head[2] = { (uint8_t)(size >> 8), (uint8_t)size };

	put(head, sizeof(head));
	put(data, size);
}

static void begin(const void *data, size_t size)
{
	memset(command, 0, sizeof(command)); /* locality 0 */
	command_size = sizeof(struct vtpm_command);
	put(data, size);
}

static void put_handle(void)
{
	memcpy(command + sizeof(struct vtpm_command) + HEADER, handle, sizeof(handle));
}

/* Runs it; it succeeds. Returns the response's size. */
static size_t run(void)
{
	size_t size = command_size - sizeof(struct vtpm_command), got = sizeof(reply);

	command[sizeof(struct vtpm_command) + 4] = (uint8_t)(size >> 8);
	command[sizeof(struct vtpm_command) + 5] = (uint8_t)size;
	assert_int_equal(spawn_call(channel, VTPM_OP_COMMAND, command, command_size, reply, &got),
			 SERVICE_OK);
	assert_true(got >= sizeof(struct vtpm_response) + HEADER);
	assert_memory_equal(response + 6, "\0\0\0", 4);
	return got - sizeof(struct vtpm_response);
}

static void take_key(const uint8_t *modulus)
{
	BIGNUM *n = BN_bin2bn(modulus, KEY_SIZE, NULL);
	OSSL_PARAM_BLD *list = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM *params;

	assert_true(OSSL_PARAM_BLD_push_BN(list, OSSL_PKEY_PARAM_RSA_N, n) &&
		    OSSL_PARAM_BLD_push_uint(list, OSSL_PKEY_PARAM_RSA_E, 65537));
	params = OSSL_PARAM_BLD_to_param(list);
	assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
	assert_int_equal(EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(list);
	EVP_PKEY_CTX_free(context);
	BN_free(n);
}

static int start(void **state)
{
	/* Behind the handle and the parameters' size: the public area, whose end is the modulus. */
	const uint8_t *public = response + HEADER + 8;
	int file = memfd_create("profile", MFD_CLOEXEC);
	int log = open("/dev/null", O_WRONLY | O_CLOEXEC);
	const struct spawn_grant grants[] = { { file, 6 }, { log, SERVICE_FD_LOG } };

	(void)state;
	assert_int_equal(pwrite(file, profile, sizeof(profile) - 1, 0), sizeof(profile) - 1);
	pid = spawn_service(vtpm_path, NULL, grants, 2, &channel);
	close(file);
	close(log);
	begin(CREATE_PRIMARY, sizeof(CREATE_PRIMARY) - 1);
	put(IN_CREATE, sizeof(IN_CREATE) - 1);
	assert_true(run() > HEADER + 8 + 2 + sizeof(TEMPLATE) - 1 + KEY_SIZE);
	memcpy(handle, response + HEADER, sizeof(handle));
	assert_int_equal(public[0] << 8 | public[1], sizeof(TEMPLATE) - 1 + KEY_SIZE);
	take_key(public + 2 + sizeof(TEMPLATE) - 1);
	return 0;
}

static int end(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	close(channel);
	waitpid(pid, NULL, 0);
	return 0;
}

static void encrypt(const EVP_MD *hash, const char *text, uint8_t cipher[KEY_SIZE])
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	size_t size = KEY_SIZE;

	assert_int_equal(EVP_PKEY_encrypt_init(context), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(context, hash), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(context, hash), 1);
	assert_int_equal(
		EVP_PKEY_encrypt(context, cipher, &size, (const uint8_t *)text, strlen(text)), 1);
	assert_int_equal(size, KEY_SIZE);
	EVP_PKEY_CTX_free(context);
}

static void decrypts_oaep(void **state)
{
	uint8_t cipher[KEY_SIZE];

	(void)state;
	for (size_t i = 0; i < HASHES; i++) {
		EVP_MD *hash = EVP_MD_fetch(NULL, hashes[i].name, NULL);
		const uint8_t scheme[] = { 0, 0x17, 0, hashes[i].alg, 0, 0 }; /* no label */

		encrypt(hash, hashes[i].name, cipher);
		EVP_MD_free(hash);
		begin(RSA_DECRYPT, sizeof(RSA_DECRYPT) - 1);
		put_handle();
		put_sized(cipher, sizeof(cipher));
		put(scheme, sizeof(scheme));
		run();
		assert_int_equal(response[HEADER + 4] << 8 | response[HEADER + 5],
				 strlen(hashes[i].name));
		assert_memory_equal(response + HEADER + 6, hashes[i].name, strlen(hashes[i].name));
	}
}

static int verify(const EVP_MD *hash, const uint8_t *digest, size_t size, const uint8_t *signature)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	int ok;

	assert_int_equal(EVP_PKEY_verify_init(context), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING), 1);
	assert_int_equal(EVP_PKEY_CTX_set_signature_md(context, hash), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_AUTO), 1);
	ok = EVP_PKEY_verify(context, signature, KEY_SIZE, digest, size);
	EVP_PKEY_CTX_free(context);
	return ok;
}

static void signs_pss(void **state)
{
	/* TPMT_TK_HASHCHECK that says nothing: the key signs what it is given. */
	static const uint8_t ticket[] = { 0x80, 0x24, 0x40, 0, 0, 7, 0, 0 };
	uint8_t digest[64];

	(void)state;
	for (size_t i = 0; i < HASHES; i++) {
		EVP_MD *hash = EVP_MD_fetch(NULL, hashes[i].name, NULL);
		const uint8_t scheme[] = { 0, 0x16, 0, hashes[i].alg };
		const uint8_t *out = response + HEADER + 4;

		memset(digest, 0x11 + (int)i, sizeof(digest));
		begin(SIGN, sizeof(SIGN) - 1);
		put_handle();
		put_sized(digest, hashes[i].size);
		put(scheme, sizeof(scheme));
		put(ticket, sizeof(ticket));
		assert_true(run() > HEADER + 4 + 6 + KEY_SIZE);
		assert_memory_equal(out, scheme, sizeof(scheme));
		assert_int_equal(out[4] << 8 | out[5], KEY_SIZE);
		assert_int_equal(verify(hash, digest, hashes[i].size, out + 6), 1);
		digest[0] ^= 1;
		assert_int_not_equal(verify(hash, digest, hashes[i].size, out + 6), 1);
		EVP_MD_free(hash);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decrypts_oaep),
		cmocka_unit_test(signs_pss),
	};

	if (argc != 2)
		return 2;
	vtpm_path = argv[1];
	return cmocka_run_group_tests(tests, start, end);
}
