/* SPDX-License-Identifier: MIT */
/*
 * One executable for all services, so that they share libcrypto: Socle's 16 MiB could not hold it
 * twice. argv[0] says which service to be: under the monitor it is the name in services.conf; under
 * Linux an argument may say it instead.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <string.h>

#include "services/main.h"

static const struct {
	const char *name;
	enum serve_end (*main)(void);
} services[] = {
	{ "ahead", ahead_main },
	{ "attest", attest_main },
	{ "twin", twin_main },
	{ "vtpm", vtpm_main },
};

/*
 * Before anything else asks libcrypto for an algorithm: it would make tables of the names of all
 * that it has, in each process, which take more of its start than all else. By name libtpms looks
 * for the hashes of a TPM only, and all else is had from the provider, which has names of its own.
 */
static void init_libcrypto(void)
{
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT |
				    OPENSSL_INIT_NO_ADD_ALL_CIPHERS |
				    OPENSSL_INIT_NO_ADD_ALL_DIGESTS |
				    OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS,
			    NULL);
	EVP_add_digest(EVP_sha1());
	EVP_add_digest(EVP_sha256());
	EVP_add_digest(EVP_sha384());
	EVP_add_digest(EVP_sha512());
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int main(int argc, char **argv)
{
	const char *name;

	if (argc < 1)
		return SERVE_UNKNOWN;
	init_libcrypto();
	name = argc > 1 ? argv[1] : last_part(argv[0]);
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		if (strcmp(services[i].name, name) == 0)
			return services[i].main();
	}
	return SERVE_UNKNOWN;
}
