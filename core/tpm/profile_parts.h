/* SPDX-License-Identifier: MIT */
/* What the files of the profile's parser share. */
#ifndef SOCLE_CORE_TPM_PROFILE_PARTS_H
#define SOCLE_CORE_TPM_PROFILE_PARTS_H

#include "core/base/conf_words.h"
#include "core/tpm/profile.h"

enum profile_block {
	PROFILE_BLOCK_NONE,
	PROFILE_BLOCK_KEY,   /* the last of profile->keys */
	PROFILE_BLOCK_NV,    /* the last of profile->nv */
	PROFILE_BLOCK_AHEAD, /* the last of profile->ahead */
};

struct profile_parser {
	struct profile *profile;
	enum profile_block block;
	unsigned int block_line;
	unsigned int seen; /* by place: properties of the block, or directives before the first */
};

#define PROFILE_PROPERTIES_MAX 8u

/* What may stand in a block, each once; parse() returns NULL, or what is wrong. */
struct profile_properties {
	const char *unknown; /* what is wrong with any other */
	struct {
		const char *name;
		const char *(*parse)(struct profile_parser *p, struct words *line);
	} list[PROFILE_PROPERTIES_MAX + 1]; /* up to one without a name */
};

extern const struct profile_properties profile_key_properties, profile_nv_properties,
	profile_ahead_properties;

/*
 * All return NULL, or what is wrong. begin: the line that starts a block, after its keyword; end:
 * the checks once all of the block is read.
 */
const char *profile_begin_key(struct profile_parser *p, struct words *line);
const char *profile_end_key(struct profile_parser *p);

const char *profile_begin_nv(struct profile_parser *p, struct words *line);
const char *profile_end_nv(struct profile_parser *p);

const char *profile_begin_ahead(struct profile_parser *p, struct words *line);
const char *profile_end_ahead(struct profile_parser *p);

/* Reads a template, one block's only one, whose size is 0 before. */
const char *profile_take_template(struct words *line, uint8_t template[PROFILE_TEMPLATE_MAX],
				  size_t *size);

/* Reads the name of a key of this profile. */
const char *profile_take_key_name(const struct profile *profile, struct words *line, size_t *index);

#endif
