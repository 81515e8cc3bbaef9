/* SPDX-License-Identifier: MIT */
/* What the files of the profile's parser share. */
#ifndef SOCLE_CORE_TPM_PROFILE_PARTS_H
#define SOCLE_CORE_TPM_PROFILE_PARTS_H

#include "core/base/conf_words.h"
#include "core/tpm/profile.h"

enum profile_block {
	PROFILE_BLOCK_NONE,
	PROFILE_BLOCK_KEY, /* the last of profile->keys */
	PROFILE_BLOCK_NV,  /* the last of profile->nv */
};

struct profile_parser {
	struct profile *profile;
	enum profile_block block;
	unsigned int block_line;
	unsigned int seen;    /* properties of the block */
	unsigned int globals; /* directives before the first block */
};

/*
 * All return NULL, or what is wrong. begin: the line that starts a block, after its keyword;
 * property: one of its lines; end: the checks once all of the block is read.
 */
const char *profile_begin_key(struct profile_parser *p, struct words *line);
const char *profile_key_property(struct profile_parser *p, struct word keyword, struct words *line);
const char *profile_end_key(struct profile_parser *p);

const char *profile_begin_nv(struct profile_parser *p, struct words *line);
const char *profile_nv_property(struct profile_parser *p, struct word keyword, struct words *line);
const char *profile_end_nv(struct profile_parser *p);

const char *profile_global(struct profile_parser *p, struct word keyword, struct words *line);
const char *profile_end_globals(struct profile_parser *p);

/* Reads the name of a key of this profile. */
const char *profile_take_key_name(const struct profile *profile, struct words *line, size_t *index);

#endif
