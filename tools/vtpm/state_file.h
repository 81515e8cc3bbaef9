/* SPDX-License-Identifier: MIT */
/*
 * A vTPM's state on disk: two copies in a directory that one process at a time has. Each is written
 * under another name, synced and renamed, and a state is stored when both are: so whatever stops
 * that, each copy is whole and is not older than what was stored last, and either is enough.
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

#define STATE_FILE_KEY_SIZE 32u
#define STATE_FILE_MAX (240u << 10) /* largest state */

struct state_file {
	char *path;    /* of the directory */
	int directory; /* open, and locked */
	bool sealed;
	uint8_t key[STATE_FILE_KEY_SIZE];
	uint64_t generation; /* of what was stored last */
	size_t copy_size;    /* of its copies */
	bool reserved;	     /* the next state has its room on the disk */
};

/*
 * Makes the directory, for its owner alone, if need be, and locks it. key: STATE_FILE_KEY_SIZE bytes
 * or NULL. state_file_close() ends in both cases.
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

/* Sets aside the room on the disk that the next state_file_store() takes. */
bool state_file_reserve(struct state_file *file);

#endif
