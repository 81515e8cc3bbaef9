/* SPDX-License-Identifier: MIT */
#include "tools/ca/authority.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/host/file.h"
#include "core/base/number.h"
#include "tools/ca/certificate.h"

#define KEY_FILE_MAX (64u << 10)
/* Serial numbers start at random below this; what is above can never be used up. */
#define SERIAL_FIRST_BITS 62u

/* Writes a new file, which reaches the disk before this returns. */
static bool write_new(const char *directory, const char *name, mode_t mode, const BUF_MEM *text,
		      struct host_error *error)
{
	char path[FILE_PATH_MAX];
	struct host_error wrong;

	if (!file_path(path, directory, name, error))
		return false;
	return file_write_new(path, mode, text->data, text->length, &wrong) ||
	       host_fail(error, "%s: %.200s", name, wrong.text);
}

enum pem_kind { PEM_KEY, PEM_CERTIFICATE };

static bool write_pem(const char *directory, const char *name, enum pem_kind kind, EVP_PKEY *key,
		      X509 *certificate, struct host_error *error)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	BUF_MEM *text = NULL;
	bool ok = bio && (kind == PEM_KEY ? PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0,
									  NULL, NULL)
					  : PEM_write_bio_X509(bio, certificate)) == 1;

	if (ok)
		BIO_get_mem_ptr(bio, &text);
	ok = ok ? write_new(directory, name, kind == PEM_KEY ? 0600 : 0644, text, error)
		: host_fail(error, "%s: OpenSSL cannot write it", name);
	BIO_free(bio);
	return ok;
}

static bool make_folder(const char *directory, const char *name, struct host_error *error)
{
	char path[FILE_PATH_MAX];

	if (!file_path(path, directory, name, error))
		return false;
	if (mkdir(path, 0755) != 0)
		return host_fail(error, "%s: %s", name, strerror(errno));
	return true;
}

/* Two authorities with the same name must not issue certificates with the same number. */
static bool write_first_serial(const char *directory, struct host_error *error)
{
	char text[32];
	BUF_MEM serial = { .data = text };
	uint64_t first;

	if (RAND_bytes((unsigned char *)&first, sizeof(first)) != 1)
		return host_fail_crypto(error, "serial");
	first = (first >> (64 - SERIAL_FIRST_BITS)) + 1;
	serial.length = (size_t)snprintf(text, sizeof(text), "%" PRIu64 "\n", first);
	return write_new(directory, "serial", 0600, &serial, error);
}

static bool fill_directory(const char *directory, EVP_PKEY *key, X509 *certificate,
			   struct host_error *error)
{
	return write_pem(directory, "ca.key", PEM_KEY, key, NULL, error) &&
	       write_pem(directory, "ca.pem", PEM_CERTIFICATE, NULL, certificate, error) &&
	       write_first_serial(directory, error) && make_folder(directory, "issued", error) &&
	       make_folder(directory, "nonces", error);
}

static void remove_directory(const char *directory)
{
	static const char *const names[] = { "ca.key", "ca.pem", "serial", "issued", "nonces" };
	struct host_error ignored;
	char path[FILE_PATH_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (file_path(path, directory, names[i], &ignored))
			remove(path);
	}
	rmdir(directory);
}

/* Fills a directory under a temporary name, then renames it. */
static bool make_directory(const char *directory, EVP_PKEY *key, X509 *certificate,
			   struct host_error *error)
{
	char temporary[FILE_PATH_MAX];

	if (snprintf(temporary, FILE_PATH_MAX, "%s.XXXXXX", directory) >= FILE_PATH_MAX)
		return host_fail(error, "the directory's name is too long");
	if (!mkdtemp(temporary))
		return host_fail(error, "%s", strerror(errno));
	if (fill_directory(temporary, key, certificate, error)) {
		/* rename() would silently replace an empty directory. */
		if (access(directory, F_OK) != 0 && rename(temporary, directory) == 0)
			return true;
		host_fail(error, "it is there already, or cannot be made");
	}
	remove_directory(temporary);
	return false;
}

bool ca_authority_init(const char *directory, const char *name, long days, struct host_error *error)
{
	EVP_PKEY *key;
	X509 *certificate;
	bool ok;

	if (access(directory, F_OK) == 0)
		return host_fail(error, "it is there already");
	key = EVP_EC_gen("P-384");
	certificate = key ? ca_certificate_root(key, name, days) : NULL;
	ok = certificate ? make_directory(directory, key, certificate, error)
			 : host_fail(error, "OpenSSL cannot make a certificate for \"%s\"", name);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return ok;
}

static BIO *open_file(const char *directory, const char *name, struct file_bytes *bytes,
		      struct host_error *error)
{
	struct host_error reason;
	char path[FILE_PATH_MAX];

	*bytes = (struct file_bytes){ 0 };
	if (!file_path(path, directory, name, error))
		return NULL;
	if (!file_read(path, KEY_FILE_MAX, bytes, &reason)) {
		host_fail(error, "%s: %.200s", name, reason.text);
		return NULL;
	}
	return BIO_new_mem_buf(bytes->data, (int)bytes->size);
}

bool ca_authority_open(struct ca_authority *ca, const char *directory, struct host_error *error)
{
	struct file_bytes key, certificate;
	BIO *bio;

	*ca = (struct ca_authority){ .directory = directory };
	bio = open_file(directory, "ca.key", &key, error);
	if (!bio)
		return false;
	/* Never prompt: what is encrypted is tried with an empty password. */
	ca->key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"");
	BIO_free(bio);
	OPENSSL_cleanse(key.data, key.size);
	file_free(&key);
	if (!ca->key)
		return host_fail(error, "ca.key: no private key in PEM");
	bio = open_file(directory, "ca.pem", &certificate, error);
	if (bio)
		ca->certificate = PEM_read_bio_X509(bio, NULL, NULL, (void *)"");
	BIO_free(bio);
	file_free(&certificate);
	if (bio && ca->certificate && X509_check_private_key(ca->certificate, ca->key) == 1)
		return true;
	if (bio)
		host_fail(error, "ca.pem: no certificate for ca.key");
	ca_authority_close(ca);
	return false;
}

void ca_authority_close(struct ca_authority *ca)
{
	EVP_PKEY_free(ca->key);
	X509_free(ca->certificate);
	*ca = (struct ca_authority){ 0 };
}

static bool read_serial(const char *path, uint64_t *serial, struct host_error *error)
{
	struct file_bytes bytes;
	bool ok;

	if (!file_read(path, 32, &bytes, error))
		return false;
	ok = bytes.size && bytes.data[bytes.size - 1] == '\n' &&
	     number_read((const char *)bytes.data, bytes.size - 1, NUMBER_DECIMAL, 1,
			 UINT64_MAX - 1, serial);
	file_free(&bytes);
	return ok || host_fail(error, "serial: no number");
}

static bool advance_serial(const char *directory, uint64_t *serial, struct host_error *error)
{
	char path[FILE_PATH_MAX], next[FILE_PATH_MAX], text[32];
	BUF_MEM number = { .data = text };

	if (!file_path(path, directory, "serial", error) ||
	    !file_path(next, directory, "serial.part", error) || !read_serial(path, serial, error))
		return false;
	number.length = (size_t)snprintf(text, sizeof(text), "%" PRIu64 "\n", *serial + 1);
	if (unlink(next) != 0 && errno != ENOENT)
		return host_fail(error, "serial.part: %s", strerror(errno));
	/* Readable by its owner only, whatever the umask is. */
	if (!write_new(directory, "serial.part", 0600, &number, error))
		return false;
	return rename(next, path) == 0 || host_fail(error, "serial: %s", strerror(errno));
}

bool ca_authority_take_serial(const struct ca_authority *ca, uint64_t *serial,
			      struct host_error *error)
{
	int lock = open(ca->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok;

	if (lock < 0 || flock(lock, LOCK_EX) != 0) {
		host_fail(error, "cannot lock the directory: %s", strerror(errno));
		if (lock >= 0)
			close(lock);
		return false;
	}
	ok = advance_serial(ca->directory, serial, error);
	close(lock);
	return ok;
}

bool ca_authority_record(const struct ca_authority *ca, uint64_t serial, X509 *certificate,
			 struct host_error *error)
{
	char name[64];

	snprintf(name, sizeof(name), "issued/%" PRIu64 ".pem", serial);
	return write_pem(ca->directory, name, PEM_CERTIFICATE, NULL, certificate, error);
}

bool ca_authority_use_nonce(const struct ca_authority *ca, const uint8_t *nonce, size_t size,
			    struct host_error *error)
{
	char name[16 + 2 * 64], path[FILE_PATH_MAX];
	int length = snprintf(name, sizeof(name), "nonces/");
	int fd;

	if (size > 64)
		return host_fail(error, "the nonce is too long");
	for (size_t i = 0; i < size; i++)
		length += snprintf(name + length, sizeof(name) - (size_t)length, "%02x", nonce[i]);
	if (!file_path(path, ca->directory, name, error))
		return false;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 && errno == EEXIST)
		return host_fail(error, "the nonce has been used before");
	if (fd < 0)
		return host_fail(error, "cannot note the nonce: %s", strerror(errno));
	close(fd);
	return true;
}
