/* SPDX-License-Identifier: MIT */
#include "tools/vtpm/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/cmd.h"

#define COPIES STATE_FILE_COPIES
#define STATE_VERSION 2u /* version 1 had no header of this form */
#define GCM_NONCE_SIZE 12
#define GCM_TAG_SIZE 16

static const char *const names[COPIES] = { "vtpm.state", "vtpm.state.copy" };
/* What is being written; between two stores it holds the next one's room on the disk. */
static const char *const next_names[COPIES] = { "vtpm.state.next", "vtpm.state.copy.next" };
static const char once_name[] = "vtpm.volatile", once_next[] = "vtpm.volatile.next";
static const char magic[8] = { 'S', 'o', 'c', 'l', 'e', 'T', 'P', 'M' };

enum protection {
	PROTECTION_CHECKSUM,
	PROTECTION_SEALED,
};

/* Little-endian, as all that Socle keeps. */
struct header {
	char magic[8];
	uint32_t version;
	uint32_t protection; /* enum protection */
	uint64_t generation;
	uint32_t body_size;			 /* of the state, without struct body */
	uint32_t part;				 /* enum state_file_part */
	uint8_t key_check[SHA256_DIGEST_LENGTH]; /* of the key, zeros without one */
	uint8_t mac[SHA256_DIGEST_LENGTH];	 /* of what stands before it; zeros without a key */
	uint8_t digest[SHA256_DIGEST_LENGTH];	 /* SHA-256 of what stands before it */
};
_Static_assert(sizeof(struct header) == 128, "no gaps");

/* The body's own generation tells a body that was put behind another header. */
struct body {
	uint8_t nonce[GCM_NONCE_SIZE];	   /* with a key; else zeros */
	uint8_t reserved[4];		   /* 0 */
	uint8_t tag[SHA256_DIGEST_LENGTH]; /* GCM's, and zeros; or SHA-256 of what follows */
	uint64_t generation;		   /* sealed from here on */
	uint8_t state[];
};
_Static_assert(sizeof(struct body) == 56 && offsetof(struct body, generation) == 48, "no gaps");

/* More than any one command adds to a state: an NV index, or a persistent key. */
#define GROWTH_MAX (16u << 10)
#define COPY_MAX (sizeof(struct header) + sizeof(struct body) + STATE_FILE_MAX)

/* What is derived from the key is good for one use each. */
static bool derive(const struct state_file *file, const char *use,
		   uint8_t derived[SHA256_DIGEST_LENGTH])
{
	unsigned int size = SHA256_DIGEST_LENGTH;

	return HMAC(EVP_sha256(), file->key, sizeof(file->key), (const uint8_t *)use, strlen(use),
		    derived, &size);
}

static bool authenticate(const struct state_file *file, const struct header *header,
			 uint8_t mac[SHA256_DIGEST_LENGTH])
{
	uint8_t key[SHA256_DIGEST_LENGTH];
	unsigned int size = SHA256_DIGEST_LENGTH;
	bool ok = derive(file, "socle vtpm state header", key) &&
		  HMAC(EVP_sha256(), key, sizeof(key), (const uint8_t *)header,
		       offsetof(struct header, mac), mac, &size);

	OPENSSL_cleanse(key, sizeof(key));
	return ok;
}

/* Seals (or opens) size bytes from generation on, in place. Opening checks the tag, too. */
static bool cipher_body(const struct state_file *file, struct body *body, size_t size, bool seal)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t key[SHA256_DIGEST_LENGTH], *at = (uint8_t *)&body->generation;
	int done;
	bool ok = context && derive(file, "socle vtpm state body", key) &&
		  EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, key, body->nonce, seal) ==
			  1 &&
		  (seal || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_SIZE,
					       body->tag) == 1) &&
		  EVP_CipherUpdate(context, at, &done, at, (int)size) == 1 &&
		  EVP_CipherFinal_ex(context, at + size, &done) == 1 &&
		  (!seal || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_SIZE,
						body->tag) == 1);

	OPENSSL_cleanse(key, sizeof(key));
	EVP_CIPHER_CTX_free(context);
	return ok;
}

static size_t protected_size(size_t state_size)
{
	return sizeof(((struct body *)0)->generation) + state_size;
}

static bool protect_body(const struct state_file *file, struct body *body, size_t state_size)
{
	size_t size = protected_size(state_size);

	if (file->sealed)
		return RAND_bytes(body->nonce, sizeof(body->nonce)) == 1 &&
		       cipher_body(file, body, size, true);
	return SHA256((const uint8_t *)&body->generation, size, body->tag);
}

/* What stands before generation is in no digest: what of it is not used has to be zeros. */
static bool unused_is_zero(const struct state_file *file, const struct body *body)
{
	static const struct body zeros;
	size_t tag_size = file->sealed ? GCM_TAG_SIZE : sizeof(body->tag);

	return (file->sealed || memcmp(body->nonce, zeros.nonce, sizeof(body->nonce)) == 0) &&
	       memcmp(body->reserved, zeros.reserved, sizeof(body->reserved)) == 0 &&
	       memcmp(body->tag + tag_size, zeros.tag, sizeof(body->tag) - tag_size) == 0;
}

static bool open_body(const struct state_file *file, struct body *body, size_t state_size)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	size_t size = protected_size(state_size);

	if (!unused_is_zero(file, body))
		return false;
	if (file->sealed)
		return cipher_body(file, body, size, false);
	return SHA256((const uint8_t *)&body->generation, size, digest) &&
	       memcmp(digest, body->tag, sizeof(digest)) == 0;
}

static bool fill_header(const struct state_file *file, enum state_file_part part,
			struct header *header, uint64_t generation, size_t state_size)
{
	*header = (struct header){ .version = STATE_VERSION,
				   .protection = file->sealed ? PROTECTION_SEALED
							      : PROTECTION_CHECKSUM,
				   .generation = generation,
				   .body_size = (uint32_t)state_size,
				   .part = part };
	memcpy(header->magic, magic, sizeof(magic));
	if (file->sealed && (!derive(file, "socle vtpm state key", header->key_check) ||
			     !authenticate(file, header, header->mac)))
		return false;
	return SHA256((const uint8_t *)header, offsetof(struct header, digest), header->digest);
}

/* Why a header is none that this process can use, or NULL. */
static const char *judge_form(enum state_file_part part, const uint8_t *copy, size_t size)
{
	static const uint8_t version_1[] = { 'S', 'V', 'S', '1' };
	struct header header;
	uint8_t digest[SHA256_DIGEST_LENGTH];

	if (size == 0)
		return "it is empty";
	if (size >= sizeof(version_1) && memcmp(copy, version_1, sizeof(version_1)) == 0)
		return "it has the older format 1, which is not read any more";
	if (size < sizeof(header) + sizeof(struct body))
		return "it is cut off";
	memcpy(&header, copy, sizeof(header));
	if (memcmp(header.magic, magic, sizeof(magic)) != 0)
		return "it is no state of a vTPM";
	if (!SHA256(copy, offsetof(struct header, digest), digest) ||
	    memcmp(digest, header.digest, sizeof(digest)) != 0)
		return "its header is damaged";
	if (header.version != STATE_VERSION)
		return header.version < STATE_VERSION ? "it has an older format"
						      : "it has the format of a later version";
	if (header.part != part)
		return "it is another part of a TPM's state";
	if (header.body_size != size - sizeof(header) - sizeof(struct body))
		return "its size is not what its header says";
	return NULL;
}

static const char *judge_key(const struct state_file *file, const struct header *header)
{
	uint8_t expected[SHA256_DIGEST_LENGTH];

	if (!file->sealed)
		return header->protection == PROTECTION_CHECKSUM
			       ? NULL
			       : "it is sealed, and no key was given";
	if (header->protection != PROTECTION_SEALED)
		return "it is not sealed, though a key was given";
	if (!derive(file, "socle vtpm state key", expected) ||
	    CRYPTO_memcmp(expected, header->key_check, sizeof(expected)) != 0)
		return "it was sealed with another key";
	if (!authenticate(file, header, expected) ||
	    CRYPTO_memcmp(expected, header->mac, sizeof(expected)) != 0)
		return "its header was made without the key";
	return NULL;
}

/* Opens a copy in place. Why it is of no use, or NULL. */
static const char *judge_copy(const struct state_file *file, enum state_file_part part,
			      uint8_t *copy, size_t size)
{
	const char *reason = judge_form(part, copy, size);
	struct header header;
	struct body *body = (struct body *)(copy + sizeof(header));

	if (reason)
		return reason;
	memcpy(&header, copy, sizeof(header));
	reason = judge_key(file, &header);
	if (reason)
		return reason;
	if (!open_body(file, body, header.body_size))
		return "its body is damaged";
	if (body->generation != header.generation)
		return "its header and its body are of different states";
	return NULL;
}

static bool lock_directory(struct state_file *file, const char *directory, struct host_error *error)
{
	if (mkdir(directory, 0700) != 0 && errno != EEXIST)
		return host_fail(error, "%s: %s", directory, strerror(errno));
	file->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file->directory < 0)
		return host_fail(error, "%s: %s", directory, strerror(errno));
	if (flock(file->directory, LOCK_EX | LOCK_NB) != 0)
		return host_fail(error, "%s: another process has it", directory);
	return true;
}

bool state_file_open(struct state_file *file, const char *directory, const uint8_t *key,
		     struct host_error *error)
{
	*file = (struct state_file){ .path = strdup(directory), .directory = -1, .sealed = key };
	if (key)
		memcpy(file->key, key, sizeof(file->key));
	if (!file->path)
		return host_fail(error, "out of memory");
	return lock_directory(file, directory, error);
}

/* The room that was set aside is given back. */
void state_file_close(struct state_file *file)
{
	for (int i = 0; i < COPIES && file->directory >= 0; i++) {
		if (file->room[i])
			unlinkat(file->directory, next_names[i], 0);
	}
	if (file->directory >= 0)
		close(file->directory);
	free(file->path);
	OPENSSL_cleanse(file, sizeof(*file));
	file->directory = -1;
	file->path = NULL;
}

static void free_copy(struct file_bytes *copy)
{
	if (copy->data)
		OPENSSL_cleanse(copy->data, copy->size);
	file_free(copy);
}

/* A link is no copy, wherever it leads: the first store would put a file in its place. */
static bool copy_exists(const struct state_file *file, const char *name)
{
	struct stat st;

	return fstatat(file->directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

static bool read_copy(const struct state_file *file, enum state_file_part part, const char *name,
		      struct file_bytes *copy, struct host_error *error)
{
	char path[4096];
	struct host_error reason;
	struct stat st;
	const char *why;

	if (fstatat(file->directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
		return host_fail(error, "%s/%s: it is a link", file->path, name);
	if (snprintf(path, sizeof(path), "%s/%s", file->path, name) >= (int)sizeof(path))
		return host_fail(error, "%s: the name is too long", file->path);
	if (!file_read(path, COPY_MAX, copy, &reason))
		return host_fail(error, "%s: %s", path, reason.text);
	why = judge_copy(file, part, copy->data, copy->size);
	if (!why)
		return true;
	free_copy(copy);
	return host_fail(error, "%s: %s", path, why);
}

static uint64_t generation_of(const struct file_bytes *copy)
{
	struct header header;

	memcpy(&header, copy->data, sizeof(header));
	return header.generation;
}

/* Of two good copies the newer one, which a store that was cut short did not answer for yet. */
static struct file_bytes *newer(struct file_bytes copies[COPIES])
{
	if (!copies[0].data || !copies[1].data)
		return copies[0].data ? &copies[0] : &copies[1];
	return generation_of(&copies[1]) > generation_of(&copies[0]) ? &copies[1] : &copies[0];
}

static bool take_state(const struct file_bytes *copy, struct file_bytes *state,
		       struct host_error *error)
{
	size_t before = sizeof(struct header) + sizeof(struct body);

	state->size = copy->size - before;
	state->data = malloc(state->size + 1);
	if (!state->data)
		return host_fail(error, "out of memory");
	memcpy(state->data, copy->data + before, state->size);
	return true;
}

bool state_file_load(struct state_file *file, struct file_bytes *state, struct host_error *error)
{
	struct file_bytes copies[COPIES] = { 0 };
	struct host_error reasons[COPIES];
	int there = 0, bad = -1;
	bool ok;

	*state = (struct file_bytes){ 0 };
	for (int i = 0; i < COPIES; i++) {
		if (!copy_exists(file, names[i]))
			continue;
		there++;
		if (!read_copy(file, STATE_FILE_PERMANENT, names[i], &copies[i], &reasons[i]))
			bad = i;
	}
	if (there == 0)
		return true;
	if (!copies[0].data && !copies[1].data)
		return host_fail(error, "%.300s; and no other copy is good", reasons[bad].text);
	if (bad >= 0)
		cmd_error("%s; the other copy serves, and both are written anew",
			  reasons[bad].text);
	file->generation = generation_of(newer(copies));
	ok = take_state(newer(copies), state, error);
	for (int i = 0; i < COPIES; i++)
		free_copy(&copies[i]);
	return ok;
}

static bool write_all(int fd, const uint8_t *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t put = pwrite(fd, data + done, size - done, (off_t)done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		done += (size_t)put;
	}
	return true;
}

/*
 * Opens what is written next. A file that has another name, too, is somebody's backup and is left
 * alone, and a link is not followed.
 */
static int open_next(const struct state_file *file, const char *next)
{
	const int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(file->directory, next, flags, 0600);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1)
		return fd;
	if (fd < 0 && errno != ELOOP)
		return -1;
	if (fd >= 0)
		close(fd);
	if (unlinkat(file->directory, next, 0) != 0)
		return -1;
	return openat(file->directory, next, flags | O_EXCL, 0600);
}

/* Cutting gives room back, so what has the right size is not cut. */
static bool cut_copy(int fd, off_t before, size_t size, size_t *room)
{
	if (before <= (off_t)size)
		return true;
	*room = size;
	return ftruncate(fd, (off_t)size) == 0;
}

static bool sync_copy(int fd, const uint8_t *copy, size_t size, size_t *room)
{
	struct stat st;

	return fstat(fd, &st) == 0 && ((st.st_mode & 07777) == 0600 || fchmod(fd, 0600) == 0) &&
	       write_all(fd, copy, size) && cut_copy(fd, st.st_size, size, room) && fsync(fd) == 0;
}

/* room: of the file, which can become less. */
static bool write_next(const struct state_file *file, const char *next, const uint8_t *copy,
		       size_t size, size_t *room)
{
	int fd = open_next(file, next);
	int saved;
	bool ok;

	if (fd < 0)
		return false;
	ok = sync_copy(fd, copy, size, room);
	saved = errno;
	close(fd);
	errno = saved;
	return ok;
}

/*
 * The next copy gets its name. What had it keeps its blocks under the other one, which is cheaper
 * than to free them and to ask for new ones, if it is of this process: anything else is replaced.
 * So is all where the file system cannot exchange names.
 */
static bool give_name(struct state_file *file, int index)
{
	const char *next = next_names[index], *name = names[index];
	size_t room = file->room[index];

	if (file->held[index] &&
	    renameat2(file->directory, next, file->directory, name, RENAME_EXCHANGE) == 0) {
		file->room[index] = file->held[index];
		file->held[index] = room;
		return true;
	}
	if (renameat(file->directory, next, file->directory, name) != 0)
		return false;
	file->room[index] = 0;
	file->held[index] = room;
	return true;
}

static bool build_copy(const struct state_file *file, enum state_file_part part,
		       uint64_t generation, uint8_t *copy, const uint8_t *state, size_t size)
{
	struct header header;
	struct body *body = (struct body *)(copy + sizeof(header));

	if (!fill_header(file, part, &header, generation, size))
		return false;
	memcpy(copy, &header, sizeof(header));
	*body = (struct body){ .generation = generation };
	memcpy(body->state, state, size);
	return protect_body(file, body, size);
}

static bool write_copies(struct state_file *file, const uint8_t *copy, size_t size,
			 struct host_error *error)
{
	for (int i = 0; i < COPIES; i++) {
		if (!write_next(file, next_names[i], copy, size, &file->room[i]) ||
		    !give_name(file, i))
			return host_fail(error, "%s/%s: %s", file->path, names[i], strerror(errno));
	}
	if (fsync(file->directory) != 0)
		return host_fail(error, "%s: %s", file->path, strerror(errno));
	return true;
}

/* A whole copy, for free_copy(). */
static bool make_copy(const struct state_file *file, enum state_file_part part, uint64_t generation,
		      const uint8_t *state, size_t size, struct file_bytes *copy,
		      struct host_error *error)
{
	if (size > STATE_FILE_MAX)
		return host_fail(error, "a state of %zu bytes is too large", size);
	copy->size = sizeof(struct header) + sizeof(struct body) + size;
	copy->data = malloc(copy->size);
	if (!copy->data)
		return host_fail(error, "out of memory");
	if (build_copy(file, part, generation, copy->data, state, size))
		return true;
	free_copy(copy);
	return host_fail_crypto(error, "cannot seal the state");
}

bool state_file_store(struct state_file *file, const uint8_t *state, size_t size,
		      struct host_error *error)
{
	struct file_bytes copy = { 0 };
	bool ok;

	if (!make_copy(file, STATE_FILE_PERMANENT, file->generation + 1, state, size, &copy, error))
		return false;
	file->copy_size = copy.size;
	ok = write_copies(file, copy.data, copy.size, error);
	free_copy(&copy);
	/* Also after a failure: the copy that was written, if one was, has this number. */
	file->generation++;
	return ok;
}

/* As file, but without a key where that is not to be used. */
static struct state_file with_key(const struct state_file *file, bool sealed)
{
	struct state_file with = { .directory = -1, .sealed = sealed };

	if (sealed)
		memcpy(with.key, file->key, sizeof(with.key));
	return with;
}

bool state_file_wrap(const struct state_file *file, enum state_file_part part, bool seal,
		     const uint8_t *state, size_t size, struct file_bytes *wrapped, bool *sealed,
		     struct host_error *error)
{
	struct state_file with = with_key(file, seal && file && file->sealed);
	bool ok = make_copy(&with, part, 0, state, size, wrapped, error);

	*sealed = with.sealed;
	OPENSSL_cleanse(&with, sizeof(with));
	return ok;
}

static bool is_sealed(const struct file_bytes *copy)
{
	struct header header;

	if (copy->size < sizeof(header))
		return false;
	memcpy(&header, copy->data, sizeof(header));
	return header.protection == PROTECTION_SEALED;
}

bool state_file_unwrap(const struct state_file *file, enum state_file_part part,
		       const uint8_t *wrapped, size_t size, struct file_bytes *state,
		       struct host_error *error)
{
	struct file_bytes copy = { .data = malloc(size + 1), .size = size };
	struct state_file with;
	const char *reason;
	bool ok;

	if (!copy.data)
		return host_fail(error, "out of memory");
	memcpy(copy.data, wrapped, size);
	with = with_key(file, file && file->sealed && is_sealed(&copy));
	reason = judge_copy(&with, part, copy.data, copy.size);
	ok = reason ? host_fail(error, "%s", reason) : take_state(&copy, state, error);
	OPENSSL_cleanse(&with, sizeof(with));
	free_copy(&copy);
	return ok;
}

bool state_file_store_once(const struct state_file *file, const uint8_t *state, size_t size,
			   struct host_error *error)
{
	struct file_bytes copy = { 0 };
	size_t room = 0;
	bool ok;

	if (!make_copy(file, STATE_FILE_VOLATILE, file->generation, state, size, &copy, error))
		return false;
	ok = write_next(file, once_next, copy.data, copy.size, &room) &&
	     renameat(file->directory, once_next, file->directory, once_name) == 0 &&
	     fsync(file->directory) == 0;
	free_copy(&copy);
	return ok || host_fail(error, "%s/%s: %s", file->path, once_name, strerror(errno));
}

bool state_file_take_once(const struct state_file *file, struct file_bytes *state,
			  struct host_error *error)
{
	struct file_bytes copy = { 0 };
	bool ok = true;

	*state = (struct file_bytes){ 0 };
	if (!copy_exists(file, once_name))
		return true;
	if (!read_copy(file, STATE_FILE_VOLATILE, once_name, &copy, error))
		return false;
	if (generation_of(&copy) == file->generation)
		ok = take_state(&copy, state, error);
	free_copy(&copy);
	if (ok && (unlinkat(file->directory, once_name, 0) != 0 || fsync(file->directory) != 0))
		ok = host_fail(error, "%s/%s: %s", file->path, once_name, strerror(errno));
	return ok;
}

/*
 * Beyond the end of the file, so that the next copy need not be cut; where that cannot be, within
 * it.
 */
static bool reserve_one(struct state_file *file, int index, size_t size)
{
	int fd = open_next(file, next_names[index]);
	bool ok = fd >= 0 && (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) == 0 ||
			      (errno == EOPNOTSUPP && posix_fallocate(fd, 0, (off_t)size) == 0));

	if (fd >= 0)
		close(fd);
	if (ok)
		file->room[index] = size;
	return ok;
}

/* More is asked for than is wanted, so that a state that grows does not ask each time. */
bool state_file_reserve(struct state_file *file)
{
	size_t wanted = file->copy_size + GROWTH_MAX;

	for (int i = 0; i < COPIES; i++) {
		if (file->room[i] < wanted && !reserve_one(file, i, wanted + GROWTH_MAX))
			return false;
	}
	return true;
}
