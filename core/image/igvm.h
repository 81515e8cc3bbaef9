/* SPDX-License-Identifier: MIT */
/*
 * Reader of IGVM files for SEV-SNP (abi/igvm.h), the only one of the project. The file is
 * untrusted: igvm_open() checks all of it, so that reading its directives afterwards cannot fail.
 *
 * A file may be made for several platforms. Its one for SEV-SNP without vTOM is chosen, and only
 * the headers whose compatibility mask has that platform's bit count. All types of the format are
 * known; what only other platforms use, and what the file itself marks as ignorable and the format
 * does not define, is passed over.
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
	IGVM_ERR_UNSUPPORTED,  /* something of the format that this reader does not take */
	IGVM_ERR_CONTRADICTION /* two directives that cannot both hold */
};

#define IGVM_ERROR_TEXT 96

struct igvm_error {
	enum igvm_error_code code;
	uint64_t offset;	    /* in the file */
	char text[IGVM_ERROR_TEXT]; /* what is wrong: one line, no full stop */
};

#define IGVM_VPS_MAX 64u
#define IGVM_AREAS_MAX 64u		     /* parameter areas */
#define IGVM_AREA_SIZE_MAX (16u << 20)	     /* bytes of one of them */
#define IGVM_HELD_VMSA_GPA 0xfffffffff000ull /* no page of memory: the host holds the VMSA (KVM) */

/* A parameter area that the file declares. */
struct igvm_area {
	uint32_t index;
	uint32_t size;	     /* bytes */
	const uint8_t *data; /* what it has before parameters are written to it, NULL: zeros */
};

/* An opened file. The bytes stay the caller's, who keeps them unchanged while this is in use. */
struct igvm_file {
	const uint8_t *data;
	size_t size;
	struct igvm_fixed_header header;
	struct igvm_supported_platform platform; /* the chosen one */
	uint32_t platforms;			 /* bit n: one of IGVM_PLATFORM_* n is there */
	uint64_t policy;			 /* of the GUEST_POLICY directive, if has_policy */
	bool has_policy;
	uint32_t directive_count; /* those that igvm_next() yields */
	uint32_t vp_count;
	uint64_t page_count; /* 4 KiB pages that the launch adds, VMSAs included */
	struct igvm_area areas[IGVM_AREAS_MAX];
	uint32_t area_count;
};

/* One header that counts for SEV-SNP and says something to a loader. */
struct igvm_directive {
	uint32_t type; /* IGVM_TYPE_*, says which member of the union holds */
	/* As what its pages are launched; NONE: it launches none, or pages shared with the host. */
	enum psp_page_type page_type;
	uint64_t header_offset; /* of its variable header, in the file */
	/*
	 * Bytes of guest memory that it is about: 4 KiB or 2 MiB of a page; of PARAMETER_INSERT,
	 * those of its area; 0 for what is about none.
	 */
	uint64_t size;
	/*
	 * The bytes of the page or parameter area in the file, NULL: zeros. Of PARAMETER_INSERT:
	 * its area's, before parameters are written to it.
	 */
	const uint8_t *data;
	union {
		uint8_t content[sizeof(struct igvm_snp_id_block)]; /* as the file has it */
		struct igvm_page_data page;
		struct igvm_vp_context vp_context;
		struct igvm_required_memory required_memory;
		struct igvm_parameter_area area;
		struct igvm_parameter_insert insert;
		struct igvm_parameter parameter; /* any of igvm_is_parameter() */
		struct igvm_error_range error_range;
		struct igvm_snp_id_block id_block;
		struct igvm_relocatable_region relocatable;
		struct igvm_page_table_relocation page_tables;
	};
};

/* Any variable header, as it stands in the file. */
struct igvm_header {
	uint32_t type; /* with IGVM_TYPE_IGNORABLE where the file has it */
	uint32_t length;
	uint64_t offset; /* in the file */
	const uint8_t *content;
	bool counts; /* for SEV-SNP, by its compatibility mask; true where the type has none */
};

/* Where igvm_next() or igvm_next_header() stands; {0} starts at the first. */
struct igvm_cursor {
	size_t pos;
};

/* Checks the whole file. False, and *error says why, when any of it is not as it must be. */
bool igvm_open(struct igvm_file *file, const void *data, size_t size, struct igvm_error *error);

/*
 * The next directive in file order, which is the order of the launch; false after the last. Types
 * of the platform and initialization sections that say something to a loader come with them.
 */
bool igvm_next(const struct igvm_file *file, struct igvm_cursor *cursor,
	       struct igvm_directive *directive);

/* The next header of any type and platform; false after the last. */
bool igvm_next_header(const struct igvm_file *file, struct igvm_cursor *cursor,
		      struct igvm_header *header);

/* The first guest address that a directive is about; 0 for one that is about none. */
uint64_t igvm_directive_gpa(const struct igvm_directive *directive);

/* True for the types by which a loader writes something to a parameter area. */
bool igvm_is_parameter(uint32_t type);

/* The name of a header's type as the specification writes it, or NULL for an undefined one. */
const char *igvm_type_name(uint32_t type);

/* The name of a platform type, or NULL. */
const char *igvm_platform_name(uint32_t platform_type);

#endif
