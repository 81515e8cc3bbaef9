/* SPDX-License-Identifier: MIT */
/*
 * A vTPM's state on disk: two copies in a directory that one process at a time has. Each is written
 * under another name, synced and given its name, and a state is stored when both are: so whatever
 * stops that, each copy is whole and is not older than what was stored last, and either is enough.
 * What had the name before takes the other one, if this process wrote it, and is the room of the
 * next copy.
 *
 * A copy is a header and a body. Without a key both have a SHA-256, against accidents; with one the
 * header has a MAC and the body is sealed by AES-256-GCM, against whoever can write the directory.
 * An older pair of copies, put back as a whole, is not detected: there is nothing to hold it
 * against.
 */
#ifndef SOCLE_TOOLS_VTPM_STATE_FILE_H
#define SOCLE_TOOLS_VTPM_STATE_FILE_H

#include "core/base/host/error.h"
#include "core/base/host/file.h"

#define STATE_FILE_COPIES 2
#define STATE_FILE_KEY_SIZE 32u
#define STATE_FILE_MAX (240u << 10) /* largest state */
#define STATE_FILE_WRAPPED_MAX (STATE_FILE_MAX + 1024u)

struct state_file {
	char *path;    /* of the directory */
	int directory; /* open, and locked */
	bool sealed;
	uint8_t key[STATE_FILE_KEY_SIZE];
	uint64_t generation; /* of what was stored last */
	size_t copy_size;    /* of its copies */
	/*
	 * Room on the disk, in bytes: of what will be the next copies, and of the copies of this
	 * process.
	 */
	size_t room[STATE_FILE_COPIES], held[STATE_FILE_COPIES];
};

/*
 * Makes the directory, for its owner alone, if need be, and locks it. key: STATE_FILE_KEY_SIZE
 * bytes or NULL. state_file_close() ends in both cases.
 */
bool state_file_open(struct state_file *file, const char *directory, const uint8_t *key,
		     struct host_error *error);
void state_file_close(struct state_file *file);

/*
 * The state that was stored last, for the caller to free, or size 0 where neither copy exists. A
 * copy that is of no use is said in a line on stderr if the other one serves; else it is an error.
 */
bool state_file_load(struct state_file *file, struct file_bytes *state, struct host_error *error);

/* Stores a state: both copies are on the disk when this returns true. */
bool state_file_store(struct state_file *file, const uint8_t *state, size_t size,
		      struct host_error *error);

/* Which part of a TPM's state is in such bytes; the copies are of the permanent one. */
enum state_file_part {
	STATE_FILE_PERMANENT = 0,
	STATE_FILE_VOLATILE = 1,
};

/*
 * A state as one piece of bytes, in the form of a copy, to be moved elsewhere: sealed by the key if
 * seal, and if there is one; *sealed says so. The caller frees it. file may be NULL: there is no
 * key.
 */
bool state_file_wrap(const struct state_file *file, enum state_file_part part, bool seal,
		     const uint8_t *state, size_t size, struct file_bytes *wrapped, bool *sealed,
		     struct host_error *error);

/* The state in such bytes, for the caller to free. One that is sealed wants the key. */
bool state_file_unwrap(const struct state_file *file, enum state_file_part part,
		       const uint8_t *wrapped, size_t size, struct file_bytes *state,
		       struct host_error *error);

/*
 * A volatile state, which is good for one start, beside the copies and in their form; it belongs to
 * the one that was stored last, and a later one makes it void. state_file_take_once() takes it
 * away; size 0: there is none, or one that is void.
 */
bool state_file_store_once(const struct state_file *file, const uint8_t *state, size_t size,
			   struct host_error *error);
bool state_file_take_once(const struct state_file *file, struct file_bytes *state,
			  struct host_error *error);

/* Sets aside the room on the disk that the next state_file_store() takes. */
bool state_file_reserve(struct state_file *file);

#endif
