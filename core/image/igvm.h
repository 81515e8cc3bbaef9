/* SPDX-License-Identifier: MIT */
/*
 * Reader of IGVM files for SEV-SNP (abi/igvm.h). The file is untrusted: igvm_open() checks all of
 * it, so that reading its directives afterwards cannot fail.
 *
 * What it accepts is what an SNP loader can honour: exactly one SUPPORTED_PLATFORM, SEV-SNP; at
 * most one GUEST_POLICY; then PAGE_DATA, VP_CONTEXT and REQUIRED_MEMORY in any order. Everything
 * else is refused by name, but for types that the file itself marks as ignorable.
 */
#ifndef SOCLE_CORE_IMAGE_IGVM_H
#define SOCLE_CORE_IMAGE_IGVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/igvm.h"
#include "abi/psp.h"

enum igvm_error_code {
	IGVM_OK,
	IGVM_ERR_TRUNCATED,    /* something lies outside the file, or of its section */
	IGVM_ERR_MAGIC,	       /* not an IGVM file, or another version of the format */
	IGVM_ERR_CHECKSUM,     /* the headers' CRC-32 does not match */
	IGVM_ERR_FORMAT,       /* a field has a value that the format does not allow */
	IGVM_ERR_UNKNOWN,      /* a directive, or a page type, that the format does not define */
	IGVM_ERR_UNSUPPORTED,  /* a directive of the format that this reader does not take */
	IGVM_ERR_CONTRADICTION /* two directives that cannot both hold */
};

#define IGVM_ERROR_TEXT 96

struct igvm_error {
	enum igvm_error_code code;
	uint64_t offset;	    /* in the file */
	char text[IGVM_ERROR_TEXT]; /* what is wrong: one line, no full stop */
};

/* An opened file. The bytes stay the caller's, who keeps them unchanged while this is in use. */
struct igvm_file {
	const uint8_t *data;
	size_t size;
	struct igvm_fixed_header header;
	struct igvm_supported_platform platform;
	uint64_t policy; /* of the GUEST_POLICY directive, if has_policy */
	bool has_policy;
	uint32_t directive_count; /* PAGE_DATA, VP_CONTEXT and REQUIRED_MEMORY */
	uint32_t vp_count;
	uint64_t page_count; /* 4 KiB pages that the file loads, VMSAs included */
};

/* One PAGE_DATA, VP_CONTEXT or REQUIRED_MEMORY directive. */
struct igvm_directive {
	uint32_t type; /* IGVM_TYPE_*, says which member of the union holds */
	/* As what its pages are launched; NONE: required memory, or pages shared with the host. */
	enum psp_page_type page_type;
	uint64_t header_offset; /* of its variable header, in the file */
	uint32_t size;	     /* bytes of guest memory: 4 KiB or 2 MiB; REQUIRED_MEMORY: all of it */
	const uint8_t *data; /* the page's bytes in the file; NULL: zeros */
	union {
		struct igvm_page_data page;
		struct igvm_vp_context vp_context;
		struct igvm_required_memory required_memory;
	};
};

/* Where igvm_next() stands; {0} starts at the first directive. */
struct igvm_cursor {
	size_t pos;
};

/* Checks the whole file. False, and *error says why, when any of it is not as it must be. */
bool igvm_open(struct igvm_file *file, const void *data, size_t size, struct igvm_error *error);

/* The next directive in file order, which is the order of the launch; false after the last. */
bool igvm_next(const struct igvm_file *file, struct igvm_cursor *cursor,
	       struct igvm_directive *directive);

/* The first guest address that a directive is about. */
uint64_t igvm_directive_gpa(const struct igvm_directive *directive);

/* The name of a directive's type as the specification writes it, or NULL for an undefined one. */
const char *igvm_type_name(uint32_t type);

#endif
